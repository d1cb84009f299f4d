/// Finds where the rows of a JSON file begin and end, without looking into them more than it must.
///
/// ```
/// start ──▶ lines: one row a line
///   └─────▶ beforeFirst ──▶ (value ──▶ afterValue ──▶ beforeNext)* ──▶ closed
/// ```
struct JSONRowFinder {
    struct Row {
        var start: Int
        var end: Int
        /// Physical line of its first byte, from 1.
        var line: Int
    }

    enum Outcome {
        case row(Row)
        case needsMore
        case atEnd
        case tooLong
        /// The array is no array of values.
        case malformed(String)
    }

    private enum State {
        case start
        case lines
        case beforeFirst
        case beforeNext
        case afterValue
        case closed
    }

    private(set) var layout: JSONLayout?
    private var state = State.start
    private let rowBytesMax: Int
    /// Physical line of the byte at `position`, from 1.
    private(set) var line = 1
    /// Up to here everything is found.
    var position = 0

    init(layout: JSONLayout?, rowBytesMax: Int) {
        self.layout = layout
        self.rowBytesMax = rowBytesMax
    }

    private mutating func skipSpace(_ base: UnsafePointer<UInt8>, _ end: Int) {
        while position < end {
            let byte = base[position]
            guard byte == 32 || byte == 9 || byte == 10 || byte == 13 else { return }
            if byte == 10 { line += 1 }
            position += 1
        }
    }

    /// The next row of the `end` bytes at `base`.
    mutating func next(
        _ base: UnsafePointer<UInt8>,
        end: Int,
        isFinal: Bool
    ) -> Outcome {
        while true {
            switch state {
            case .start:
                skipSpace(base, end)
                guard position < end else { return isFinal ? .atEnd : .needsMore }
                let isArray = base[position] == UInt8(ascii: "[")
                let layout = layout ?? (isArray ? .array : .newlineDelimited)
                self.layout = layout
                if layout == .newlineDelimited {
                    state = .lines
                } else if isArray {
                    position += 1
                    state = .beforeFirst
                } else {
                    return .malformed("an array is expected")
                }
            case .lines:
                return nextLine(base, end: end, isFinal: isFinal)
            case .beforeFirst, .beforeNext:
                skipSpace(base, end)
                guard position < end else {
                    return isFinal ? .malformed("the array is not closed") : .needsMore
                }
                if state == .beforeFirst, base[position] == UInt8(ascii: "]") {
                    position += 1
                    state = .closed
                    continue
                }
                return nextValue(base, end: end, isFinal: isFinal)
            case .afterValue:
                skipSpace(base, end)
                guard position < end else {
                    return isFinal ? .malformed("the array is not closed") : .needsMore
                }
                switch base[position] {
                case UInt8(ascii: ","): state = .beforeNext
                case UInt8(ascii: "]"): state = .closed
                default: return .malformed("a comma or the end of the array is expected")
                }
                position += 1
            case .closed:
                skipSpace(base, end)
                if position < end { return .malformed("text follows the array") }
                return isFinal ? .atEnd : .needsMore
            }
        }
    }

    private mutating func nextLine(
        _ base: UnsafePointer<UInt8>,
        end: Int,
        isFinal: Bool
    ) -> Outcome {
        skipSpace(base, end)
        guard position < end else { return isFinal ? .atEnd : .needsMore }
        let start = position
        var at = start
        let lines = 0x0A0A_0A0A_0A0A_0A0A as UInt64
        let low7 = 0x7F7F_7F7F_7F7F_7F7F as UInt64
        while at < end {
            let word = FieldParsing.word(base + at) ^ lines
            let hits = ~(((word & low7) &+ low7) | word) & 0x8080_8080_8080_8080
            if hits != 0 {
                at &+= hits.trailingZeroBitCount &>> 3
                break
            }
            at &+= 8
        }
        at = min(at, end)
        if at - start > rowBytesMax { return .tooLong }
        if at == end, !isFinal { return .needsMore }
        position = at
        return .row(Row(start: start, end: at, line: line))
    }

    private mutating func nextValue(
        _ base: UnsafePointer<UInt8>,
        end: Int,
        isFinal: Bool
    ) -> Outcome {
        let start = position
        var at = start
        var depth = 0
        var newlines = 0
        while at < end {
            switch base[at] {
            case UInt8(ascii: "\""):
                at += 1
                while at < end, base[at] != UInt8(ascii: "\"") {
                    if base[at] == UInt8(ascii: "\\") { at += 1 }
                    at += 1
                }
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth < 0 { return finish(start, at, newlines) }
                if depth == 0 { return finish(start, at + 1, newlines) }
            case UInt8(ascii: ",") where depth == 0: return finish(start, at, newlines)
            case 10: newlines += 1
            default: break
            }
            at += 1
        }
        if end - start > rowBytesMax { return .tooLong }
        return isFinal ? .malformed("the array is not closed") : .needsMore
    }

    private mutating func finish(_ start: Int, _ end: Int, _ newlines: Int) -> Outcome {
        if end - start > rowBytesMax { return .tooLong }
        if end == start { return .malformed("a value is expected") }
        let row = Row(start: start, end: end, line: line)
        position = end
        line += newlines
        state = .afterValue
        return .row(row)
    }
}
