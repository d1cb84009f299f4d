import Ambient

/// The profiles of a shared credentials or config file: `[name]` or `[profile name]`, then `key = value`.
///
/// Nested settings (indented lines below a key without a value) are passed over.
package struct AWSSettingsFile: Sendable, Equatable {
    private var profiles: [String: [String: String]] = [:]

    /// Reads the text of a file; lines that make no sense are passed over, as the AWS tools do.
    package init(text: String) {
        var profile: String?
        for line in text.split(whereSeparator: \.isNewline) {
            let isIndented = line.first == " " || line.first == "\t"
            let content = trim(line)
            if content.isEmpty || content.hasPrefix("#") || content.hasPrefix(";") { continue }
            if content.hasPrefix("["), let end = content.firstIndex(of: "]") {
                let name = trim(content[content.index(after: content.startIndex)..<end])
                profile = name.hasPrefix("profile ") ? trim(name.dropFirst(8)) : name
                continue
            }
            guard let profile, !isIndented, let equals = content.firstIndex(of: "=") else {
                continue
            }
            var value = content[content.index(after: equals)...]
            // A comment needs a blank before it: secrets may hold '#'.
            for mark in [" #", " ;", "\t#", "\t;"] {
                if let range = firstRange(of: mark, in: value) { value = value[..<range] }
            }
            profiles[profile, default: [:]][trim(content[..<equals]).lowercased()] = trim(value)
        }
    }

    /// A file's profiles; empty when it cannot be read.
    package init(path: String) {
        self.init(text: readSmallFile(path).map { String(decoding: $0, as: UTF8.self) } ?? "")
    }

    /// A profile's value, nil when absent or empty.
    package subscript(profile: String, key: String) -> String? {
        guard let value = profiles[profile]?[key], !value.isEmpty else { return nil }
        return value
    }

    /// Whether the file has this profile at all.
    package func hasProfile(_ name: String) -> Bool {
        profiles[name] != nil
    }
}

private func trim(_ text: some StringProtocol) -> String {
    var slice = Substring(text)
    while slice.first?.isWhitespace == true { slice.removeFirst() }
    while slice.last?.isWhitespace == true { slice.removeLast() }
    return String(slice)
}

private func firstRange(of mark: String, in text: Substring) -> Substring.Index? {
    var rest = text
    while !rest.isEmpty {
        if rest.hasPrefix(mark) { return rest.startIndex }
        rest.removeFirst()
    }
    return nil
}
