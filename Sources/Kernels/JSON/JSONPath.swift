package import Bytes

/// A way into a JSON value: a key, JSONPath (`$.a[0]."b c"`, with wildcards) or a JSON pointer (`/a/0`).
package struct JSONPath: Sendable, Hashable {
    /// One step down.
    enum Step: Sendable, Hashable {
        case key(String)
        /// An element from the front, or from the end with -1 for the last.
        case index(Int)
        /// `.*`
        case anyKey
        /// `[*]`
        case anyIndex
        /// `..`: what follows, at any depth.
        case descendants
        /// A part of a pointer that is a key of an object and an index of an array.
        case either(String, Int)
    }

    let steps: [Step]

    /// Whether it may meet several values, which are given as a list.
    package let isMultiple: Bool

    private init(_ steps: [Step]) {
        self.steps = steps
        isMultiple = steps.contains { $0 == .anyKey || $0 == .anyIndex || $0 == .descendants }
    }

    /// The element at a place, from 0; from the end when negative.
    package init(index: Int) { self.init([.index(index)]) }

    /// - Throws: `invalidPattern` with the place where the path cannot be understood.
    package init(_ text: String) throws(KernelError) {
        switch text.utf8.first {
        case UInt8(ascii: "$"):
            var parser = PathParser(Array(text.utf8))
            self.init(try parser.parse())
        case UInt8(ascii: "/"):
            self.init(
                text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map {
                    let key = $0.replacingEscapes
                    if let index = Int(key), index >= 0 { return .either(key, index) }
                    return .key(key)
                }
            )
        default:
            self.init([.key(text)])
        }
    }

    /// The first value that the path meets; nil for none.
    package func first(in value: JSON) -> JSON? {
        if isMultiple { return all(in: value).first }
        var current = value
        for step in steps {
            guard let next = Self.child(of: current, step) else { return nil }
            current = next
        }
        return current
    }

    /// All values that the path meets, in the order of the text.
    package func all(in value: JSON) -> [JSON] {
        var found: [JSON] = []
        collect(value, 0, &found)
        return found
    }

    private static func child(of value: JSON, _ step: Step) -> JSON? {
        switch step {
        case .key(let key): return value[key]
        case .index(let index):
            guard case .array(let elements) = value else { return nil }
            let place = index < 0 ? elements.count + index : index
            return elements.indices.contains(place) ? elements[place] : nil
        case .either(let key, let index):
            if case .array(let elements) = value {
                return elements.indices.contains(index) ? elements[index] : nil
            }
            return value[key]
        case .anyKey, .anyIndex, .descendants: return nil
        }
    }

    private func collect(_ value: JSON, _ place: Int, _ found: inout [JSON]) {
        guard place < steps.count else { return found.append(value) }
        switch steps[place] {
        case .anyKey:
            guard case .object(let object) = value else { return }
            for member in object.members { collect(member.value, place + 1, &found) }
        case .anyIndex:
            guard case .array(let elements) = value else { return }
            for element in elements { collect(element, place + 1, &found) }
        case .descendants:
            collect(value, place + 1, &found)
            switch value {
            case .object(let object):
                for member in object.members { collect(member.value, place, &found) }
            case .array(let elements):
                for element in elements { collect(element, place, &found) }
            default: break
            }
        default:
            if let next = Self.child(of: value, steps[place]) { collect(next, place + 1, &found) }
        }
    }
}

extension Substring {
    /// A part of a JSON pointer with `~1` as `/` and `~0` as `~`.
    fileprivate var replacingEscapes: String {
        var result = ""
        var isEscaped = false
        for character in self {
            if isEscaped {
                isEscaped = false
                switch character {
                case "0": result.append("~")
                case "1": result.append("/")
                default:
                    result.append("~")
                    result.append(character)
                }
            } else if character == "~" {
                isEscaped = true
            } else {
                result.append(character)
            }
        }
        return isEscaped ? result + "~" : result
    }
}

/// Reads JSONPath: `$`, then `.key`, `."key"`, `.*`, `..`, `[0]`, `[-1]`, `[#-1]`, `[*]`, `['key']`.
private struct PathParser {
    private let text: [UInt8]
    private var at = 1

    init(_ text: [UInt8]) { self.text = text }

    private func refusal() -> KernelError {
        let rest = String(decoding: text[min(at, text.count)...], as: UTF8.self)
        return KernelError(
            .invalidPattern,
            "JSON path '\(String(decoding: text, as: UTF8.self))' cannot be understood near '\(rest)'"
        )
    }

    private func at(_ character: Unicode.Scalar) -> Bool {
        at < text.count && text[at] == UInt8(ascii: character)
    }

    mutating func parse() throws(KernelError) -> [JSONPath.Step] {
        var steps: [JSONPath.Step] = []
        while at < text.count {
            if at(".") {
                at += 1
                if at(".") {
                    at += 1
                    steps.append(.descendants)
                    if at("[") { continue }
                }
                steps.append(try key())
            } else if at("[") {
                at += 1
                steps.append(try bracket())
            } else {
                throw refusal()
            }
        }
        return steps
    }

    private mutating func key() throws(KernelError) -> JSONPath.Step {
        if at("*") {
            at += 1
            return .anyKey
        }
        if at("\"") { return .key(try quoted(UInt8(ascii: "\""))) }
        let start = at
        while at < text.count, !at("."), !at("[") { at += 1 }
        guard at > start else { throw refusal() }
        return .key(String(decoding: text[start..<at], as: UTF8.self))
    }

    private mutating func quoted(_ mark: UInt8) throws(KernelError) -> String {
        at += 1
        var bytes: [UInt8] = []
        while at < text.count, text[at] != mark {
            if text[at] == UInt8(ascii: "\\"), at + 1 < text.count { at += 1 }
            bytes.append(text[at])
            at += 1
        }
        guard at < text.count else { throw refusal() }
        at += 1
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func bracket() throws(KernelError) -> JSONPath.Step {
        let step: JSONPath.Step
        if at("*") {
            at += 1
            step = .anyIndex
        } else if at("'") || at("\"") {
            step = .key(try quoted(text[at]))
        } else {
            let fromEnd = at("#")
            if fromEnd { at += 1 }
            let start = at
            if at("-") { at += 1 }
            while at < text.count, text[at] &- 48 < 10 { at += 1 }
            guard let number = Int(String(decoding: text[start..<at], as: UTF8.self)),
                !fromEnd || number < 0
            else { throw refusal() }
            step = .index(number)
        }
        guard at("]") else { throw refusal() }
        at += 1
        return step
    }
}
