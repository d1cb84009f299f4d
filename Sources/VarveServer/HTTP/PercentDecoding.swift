/// Undoes percent-encoding.
///
/// - Parameter plusIsSpace: as forms and queries have it; in paths a plus is a plus.
/// - Returns: nil for a broken escape or for what is no UTF-8 afterwards.
func percentDecoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    var iterator = text.utf8.makeIterator()
    while let byte = iterator.next() {
        switch byte {
        case UInt8(ascii: "%"):
            guard let high = iterator.next().flatMap(hexValue),
                let low = iterator.next().flatMap(hexValue)
            else { return nil }
            bytes.append(high << 4 | low)
        case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
        default: bytes.append(byte)
        }
    }
    return String(validating: bytes, as: UTF8.self)
}

private func hexValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x41...0x46: digit - 0x41 + 10
    case 0x61...0x66: digit - 0x61 + 10
    default: nil
    }
}

/// The members of a form or query; of two with the same name the first stays.
///
/// - Throws: `badRequest` for broken escapes.
func formMembers(_ text: some StringProtocol) throws(ServerError) -> [String: String] {
    var members: [String: String] = [:]
    for part in text.split(separator: "&") {
        let equals = part.firstIndex(of: "=") ?? part.endIndex
        let rest = equals == part.endIndex ? "" : part[part.index(after: equals)...]
        guard let name = percentDecoded(part[..<equals], plusIsSpace: true),
            let value = percentDecoded(rest, plusIsSpace: true)
        else {
            throw ServerError(.badRequest, "a parameter is not properly percent-encoded")
        }
        if members[name] == nil { members[name] = value }
    }
    return members
}
