import Bytes
import Yams

/// One value of a spec's text, YAML or JSON, and where it stands.
///
/// What YAML has beyond JSON is refused (anchors, aliases, tags, several documents), so that a spec
/// means the same in both and so that no short text becomes a huge tree.
struct SpecNode: Sendable {
    indirect enum Value: Sendable {
        case null
        case bool(Bool)
        /// The text of a number, as written.
        case number(String)
        case string(String)
        case list([SpecNode])
        case map([Member])
    }

    struct Member: Sendable {
        var key: String
        var place: SpecPlace
        var value: SpecNode
    }

    var value: Value
    var place: SpecPlace
    /// The first line and column of the text inside: behind the quote, below the `|`.
    var textPlace: SpecPlace

    /// The longest text of one spec, in UTF-8 bytes.
    static let textBytesMax = 4 << 20
    static let depthMax = 64
    static let nodeCountMax = 200_000
    static let documentCountMax = 10_000

    /// What a person calls this kind of value.
    var kindName: String {
        switch value {
        case .null: "nothing"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .list: "a list"
        case .map: "a mapping"
        }
    }

    /// Reads one text: JSON when the file's name ends so, YAML otherwise.
    ///
    /// - Throws: `invalid`, with one issue that says where.
    static func parse(_ text: String, file: String) throws(PipelineError) -> SpecNode {
        func wrong(_ message: String, line: Int = 1, hint: String? = nil) -> PipelineError {
            PipelineError(
                .invalid,
                [SpecIssue(SpecPlace(file: file, line: line), key: "", message, hint: hint)]
            )
        }
        guard text.utf8.count <= textBytesMax else {
            throw wrong("the spec is longer than \(textBytesMax) bytes")
        }
        var source = text
        if file.lowercased().hasSuffix(".json") {
            source = try checkedJSON(text, file)
        } else if let line = lineOfAnchorOrTag(text) {
            throw wrong(
                "anchors, aliases and tags of YAML are not allowed in specs",
                line: line,
                hint: "quote the text if it is one"
            )
        }
        if let line = lineNestedTooDeep(source) {
            throw wrong("the spec nests deeper than \(depthMax) levels", line: line)
        }
        do {
            guard let root = try Yams.compose(yaml: source) else {
                throw wrong("the spec is empty")
            }
            var count = 0
            return try SpecNode(root, file: file, depth: 0, count: &count)
        } catch let error as PipelineError {
            throw error
        } catch let error as YamlError {
            throw Self.error(error, file)
        } catch {
            throw wrong("the text cannot be read: \(error)")
        }
    }

    private static func error(_ error: YamlError, _ file: String) -> PipelineError {
        let issue: SpecIssue
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            issue = SpecIssue(
                SpecPlace(file: file, line: mark.line, column: mark.column),
                key: "",
                "the text is no YAML: \(problem)"
            )
        case .duplicatedKeysInMapping(let duplicates, let context):
            issue = SpecIssue(
                SpecPlace(file: file, line: context.mark.line, column: context.mark.column),
                key: "",
                "the key \(duplicates.joined(separator: ", ")) stands here twice"
            )
        case .reader(let problem, let offset, _, let yaml):
            let line =
                yaml.utf8.prefix(max(offset ?? 0, 0)).reduce(1) { $0 + ($1 == 0x0A ? 1 : 0) }
            issue = SpecIssue(
                SpecPlace(file: file, line: line),
                key: "",
                "the text is no YAML: \(problem)"
            )
        default:
            issue = SpecIssue(
                SpecPlace(file: file, line: 1),
                key: "",
                "the text is no YAML: \(error)"
            )
        }
        return PipelineError(.invalid, [issue])
    }

    private init(_ node: Yams.Node, file: String, depth: Int, count: inout Int)
        throws(PipelineError)
    {
        place = SpecPlace(file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
        textPlace = place
        count += 1
        guard depth <= Self.depthMax, count <= Self.nodeCountMax else {
            throw PipelineError(
                .invalid,
                [SpecIssue(place, key: "", "the spec is nested too deeply or too large")]
            )
        }
        switch node {
        case .scalar(let scalar):
            value = Self.value(scalar)
            switch scalar.style {
            case .literal, .folded: textPlace = SpecPlace(file: file, line: place.line + 1)
            case .singleQuoted, .doubleQuoted: textPlace.column += 1
            default: break
            }
        case .sequence(let sequence):
            var list: [SpecNode] = []
            for element in sequence {
                list.append(try SpecNode(element, file: file, depth: depth + 1, count: &count))
            }
            value = .list(list)
        case .mapping(let mapping):
            var members: [Member] = []
            for (key, element) in mapping {
                guard case .scalar(let scalar) = key else {
                    throw PipelineError(
                        .invalid,
                        [SpecIssue(place, key: "", "a key of a mapping is no text")]
                    )
                }
                members.append(
                    Member(
                        key: scalar.string,
                        place: SpecPlace(
                            file: file,
                            line: scalar.mark?.line ?? place.line,
                            column: scalar.mark?.column ?? 1
                        ),
                        value: try SpecNode(element, file: file, depth: depth + 1, count: &count)
                    )
                )
            }
            value = .map(members)
        case .alias:
            throw PipelineError(
                .invalid,
                [SpecIssue(place, key: "", "aliases of YAML are not allowed in specs")]
            )
        }
    }

    /// The value of a scalar by the rules that JSON and YAML 1.2 share: of plain words only `null`,
    /// `~`, `true`, `false` and numbers are no strings.
    private static func value(_ scalar: Yams.Node.Scalar) -> Value {
        guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
        switch scalar.string {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        let isNumber =
            (try? JSON.parse(scalar.string)).map { if case .number = $0 { true } else { false } }
            ?? false
        return isNumber ? .number(scalar.string) : .string(scalar.string)
    }

    // MARK: Checks before reading

    /// The text of strict JSON, in a form that a YAML reader takes as the same.
    private static func checkedJSON(_ text: String, _ file: String) throws(PipelineError) -> String
    {
        do {
            _ = try JSON.parse(text)
        } catch {
            let line = text.utf8.prefix(error.offset).reduce(1) { $0 + ($1 == 0x0A ? 1 : 0) }
            throw PipelineError(
                .invalid,
                [
                    SpecIssue(
                        SpecPlace(file: file, line: line),
                        key: "",
                        "the text is no JSON: \(error.message)"
                    )
                ]
            )
        }
        // YAML knows neither pairs of surrogates nor, everywhere, an escaped slash; tabs between
        // values are space in JSON.
        var result: [UInt8] = []
        let bytes = Array(text.utf8)
        result.reserveCapacity(bytes.count)
        var isString = false
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == 0x22 { isString.toggle() }
            if byte == 0x09, !isString {
                result.append(0x20)
            } else if byte == 0x0D, !isString {
                result.append(0x20)
            } else if byte == 0x5C, isString, index + 1 < bytes.count {
                let next = bytes[index + 1]
                if next == 0x2F {
                    result.append(0x2F)
                    index += 2
                    continue
                }
                if next == 0x75, let (scalar, length) = escapedScalar(bytes, index),
                    scalar.value >= 0x80
                {
                    result.append(contentsOf: Unicode.UTF8.encode(scalar) ?? .init())
                    index += length
                    continue
                }
                result.append(byte)
                result.append(next)
                index += 2
                continue
            } else {
                result.append(byte)
            }
            index += 1
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func escapedScalar(
        _ bytes: [UInt8],
        _ index: Int
    ) -> (Unicode.Scalar, Int)? {
        func quad(_ at: Int) -> UInt32? {
            guard at + 6 <= bytes.count, bytes[at] == 0x5C, bytes[at + 1] == 0x75 else {
                return nil
            }
            return UInt32(String(decoding: bytes[(at + 2)..<(at + 6)], as: UTF8.self), radix: 16)
        }
        guard let first = quad(index) else { return nil }
        if let scalar = Unicode.Scalar(first) { return (scalar, 6) }
        guard let second = quad(index + 6), (0xDC00...0xDFFF).contains(second),
            (0xD800...0xDBFF).contains(first),
            let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
        else { return nil }
        return (scalar, 12)
    }

    /// The first line with an anchor, alias or tag where a value may begin.
    ///
    /// Also finds some in quoted or block text where a line begins so; the message says what to do.
    private static func lineOfAnchorOrTag(_ text: String) -> Int? {
        var line = 1
        // Whether only marks that a value may follow were seen since the last word.
        var mayBegin = true
        var previous: UInt8 = 0x0A
        let bytes = Array(text.utf8)
        for (index, byte) in bytes.enumerated() {
            let next = index + 1 < bytes.count ? bytes[index + 1] : 0x20
            let isSpace = byte == 0x20 || byte == 0x09 || byte == 0x0D
            switch byte {
            case 0x0A:
                line += 1
                mayBegin = true
            case 0x26, 0x21:  // & !
                if mayBegin, isWord(next) || next == byte || next == 0x3C { return line }
                mayBegin = false
            case 0x2A:  // *
                // Only names: `*` alone and `* EXCLUDE` are SQL.
                if mayBegin, isWord(next) { return line }
                mayBegin = false
            case 0x5B, 0x7B, 0x2C:  // [ { ,
                mayBegin = true
            case 0x2D, 0x3A, 0x3F:  // - : ?
                mayBegin = mayBegin || byte == 0x3A
                if !(next == 0x20 || next == 0x0A || next == 0x09 || next == 0x0D) {
                    mayBegin = byte == 0x3A && previous == 0x22
                }
            default:
                if !isSpace { mayBegin = false }
            }
            previous = byte
        }
        return nil
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte) || byte == 0x5F || byte >= 0x80
    }

    /// The first line on which brackets or dashes alone would nest too deeply.
    ///
    /// The reader of YAML recurses; this keeps it off its stack's end. Brackets in strings count too:
    /// nobody writes so many that do not close.
    private static func lineNestedTooDeep(_ text: String) -> Int? {
        var line = 1
        var depth = 0
        var dashes = 0
        for byte in text.utf8 {
            switch byte {
            case 0x0A:
                line += 1
                dashes = 0
            case 0x5B, 0x7B:
                depth += 1
                if depth > 256 { return line }
            case 0x5D, 0x7D: depth = max(0, depth - 1)
            case 0x2D, 0x3F: dashes += 1
            case 0x20: break
            default: if dashes <= 256 { dashes = 0 }
            }
            if dashes > 256 { return line }
        }
        return nil
    }
}
