package import Columnar
import Glibc

/// A format of `printf` (`%5.2f`) or `format` (`{:>8.2f}`), compiled once.
///
/// Whole numbers take `d x X o b`, numbers `f e E g G`, texts and everything else `s`; a placeholder
/// without a letter takes anything. Thousands are separated with `,`, `_` or `'` (`{:,}`, `%,d`), or
/// any character behind a `t` (`{:t }`).
package struct TextTemplate: Sendable {
    /// Which of the two languages a format is in.
    package enum Language: Sendable { case percent, braces }

    private struct Placeholder: Sendable {
        var argument: Int
        var kind: UInt8?
        var width = 0
        var precision: Int?
        /// `<`, `>`, `^`, or nil for what the value's type has.
        var alignment: UInt8?
        var fill: [UInt8] = [32]
        /// What stands before numbers that are not negative.
        var sign: UInt8?
        var hasZeros = false
        var isAlternate = false
        var separator: UInt8?
    }

    private enum Item: Sendable {
        case literal([UInt8])
        case placeholder(Placeholder)
    }

    private let items: [Item]
    private let text: String
    private let language: Language
    private static let widthMax = 1 << 16
    private static let precisionMax = 1000

    /// Compiles a format; throws `invalidPattern` with what it does not understand.
    package init(_ format: String, _ language: Language) throws(KernelError) {
        text = format
        self.language = language
        var reader = Reader(bytes: Array(format.utf8), text: format)
        switch language {
        case .percent: items = try reader.percent()
        case .braces: items = try reader.braces()
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        let text: String
        var index = 0
        var next = 0
        var items: [Item] = []
        var literal: [UInt8] = []

        init(bytes: [UInt8], text: String) {
            self.bytes = bytes
            self.text = text
        }

        var byte: UInt8? { index < bytes.count ? bytes[index] : nil }

        func wrong(_ why: String) -> KernelError {
            KernelError(.invalidPattern, "the format '\(text)' \(why)")
        }

        mutating func flush() {
            if !literal.isEmpty { items.append(.literal(literal)) }
            literal = []
        }

        mutating func number(atMost limit: Int) throws(KernelError) -> Int? {
            let start = index
            var value = 0
            while let digit = byte, digit &- 48 <= 9 {
                value = value * 10 + Int(digit - 48)
                if value > limit { throw wrong("has a number beyond \(limit)") }
                index += 1
            }
            return index > start ? value : nil
        }

        mutating func take(_ wanted: Character) -> Bool {
            guard let ascii = wanted.asciiValue, byte == ascii else { return false }
            index += 1
            return true
        }

        mutating func percent() throws(KernelError) -> [Item] {
            while let current = byte {
                index += 1
                guard current == UInt8(ascii: "%") else {
                    literal.append(current)
                    continue
                }
                if take("%") {
                    literal.append(current)
                    continue
                }
                flush()
                var place = Placeholder(argument: next)
                let start = index
                if let argument = try number(atMost: 1000), argument > 0, take("$") {
                    place.argument = argument - 1
                } else {
                    index = start
                    next += 1
                }
                flags: while let flag = byte {
                    switch flag {
                    case UInt8(ascii: "-"): place.alignment = UInt8(ascii: "<")
                    case UInt8(ascii: "+"), UInt8(ascii: " "):
                        if place.sign != UInt8(ascii: "+") { place.sign = flag }
                    case UInt8(ascii: "0"): place.hasZeros = true
                    case UInt8(ascii: "#"): place.isAlternate = true
                    case UInt8(ascii: ","), UInt8(ascii: "_"), UInt8(ascii: "'"):
                        place.separator = flag
                    default: break flags
                    }
                    index += 1
                }
                place.width = try number(atMost: TextTemplate.widthMax) ?? 0
                if take(".") {
                    place.precision = try number(atMost: TextTemplate.precisionMax) ?? 0
                }
                while let size = byte, "hlLqjzt".utf8.contains(size) { index += 1 }
                guard var kind = byte else { throw wrong("ends in a placeholder") }
                index += 1
                if kind == UInt8(ascii: "i") || kind == UInt8(ascii: "u") {
                    kind = UInt8(ascii: "d")
                }
                guard "dxXofFeEgGs".utf8.contains(kind) else {
                    throw wrong("has the unknown placeholder %\(Unicode.Scalar(kind))")
                }
                place.kind = kind
                if place.alignment == nil { place.alignment = UInt8(ascii: ">") }
                items.append(.placeholder(place))
            }
            flush()
            return items
        }

        mutating func braces() throws(KernelError) -> [Item] {
            while let current = byte {
                index += 1
                if current == UInt8(ascii: "}") {
                    guard take("}") else { throw wrong("has a } without {") }
                    literal.append(current)
                } else if current != UInt8(ascii: "{") || take("{") {
                    literal.append(current)
                } else {
                    flush()
                    var place = Placeholder(argument: next)
                    if let argument = try number(atMost: 1000) {
                        place.argument = argument
                    } else {
                        next += 1
                    }
                    if take(":") { try specification(&place) }
                    guard take("}") else { throw wrong("has a placeholder it does not close") }
                    items.append(.placeholder(place))
                }
            }
            flush()
            return items
        }

        private mutating func specification(_ place: inout Placeholder) throws(KernelError) {
            func isAlignment(_ byte: UInt8) -> Bool { byte == 60 || byte == 62 || byte == 94 }
            // A fill is one code point before an alignment.
            var end = index + 1
            while end < bytes.count, bytes[end] & 0xC0 == 0x80 { end += 1 }
            if end < bytes.count, isAlignment(bytes[end]), bytes[index] != UInt8(ascii: "}") {
                place.fill = Array(bytes[index..<end])
                place.alignment = bytes[end]
                index = end + 1
            } else if let alignment = byte, isAlignment(alignment) {
                place.alignment = alignment
                index += 1
            }
            if let sign = byte, sign == 43 || sign == 45 || sign == 32 {
                place.sign = sign == 45 ? nil : sign
                index += 1
            }
            if take("#") { place.isAlternate = true }
            if take("0") { place.hasZeros = true }
            place.width = try number(atMost: TextTemplate.widthMax) ?? 0
            if take(".") {
                guard let precision = try number(atMost: TextTemplate.precisionMax) else {
                    throw wrong("has a point without a number")
                }
                place.precision = precision
            }
            if let separator = byte, ",_'".utf8.contains(separator) {
                place.separator = separator
                index += 1
            } else if take("t"), let separator = byte, separator != UInt8(ascii: "}") {
                place.separator = separator
                index += 1
            }
            if let kind = byte, "dxXobBfFeEgGsn".utf8.contains(kind) {
                place.kind = kind == UInt8(ascii: "n") ? UInt8(ascii: "d") : kind
                index += 1
            }
        }
    }

    // MARK: Formatting

    /// The format with the values of each row put in; null where one of them is null.
    package func format(_ columns: [Column], count: Int) throws(KernelError) -> Column {
        var used: [Column] = []
        for column in columns {
            switch column.type {
            case .int32, .int64: used.append(try Casting.cast(column, to: .int64))
            case .float32, .float64, .decimal: used.append(try Casting.cast(column, to: .float64))
            default: used.append(try Casting.cast(column, to: .string))
            }
        }
        if used.contains(where: \.isAllNull) { return .nulls(.string, count: count) }
        let operands = used.map { Operand($0) }
        var validity: Bitmap?
        for operand in operands { validity = Bitmap.and(validity, operand.validity) }
        for item in items {
            if case .placeholder(let place) = item, place.argument >= operands.count {
                throw KernelError(
                    .invalidPattern,
                    "the format '\(text)' wants \(place.argument + 1) values, \(operands.count) are given"
                )
            }
        }
        var writer = ViewWriter(count: count)
        var result: [UInt8] = []
        try forEachValid(validity, count) { (row) throws(KernelError) in
            result.removeAll(keepingCapacity: true)
            for item in items {
                switch item {
                case .literal(let bytes): result.append(contentsOf: bytes)
                case .placeholder(let place):
                    try append(operands[place.argument], row, place, to: &result)
                }
            }
            if result.count > StringFunctions.resultBytesMax {
                throw KernelError(.outOfRange, "a formatted text is too long")
            }
            writer.set(row, result)
        }
        return withExtendedLifetime(operands) { writer.finish(.string, validity: validity) }
    }

    private func append(
        _ operand: Operand,
        _ row: Int,
        _ place: Placeholder,
        to result: inout [UInt8]
    ) throws(KernelError) {
        let kind = place.kind
        func refuse(_ what: String) -> KernelError {
            let letter = kind.map { String(Unicode.Scalar($0)) } ?? ""
            return KernelError(
                .invalidPattern,
                "the format '\(text)' has \"\(letter)\" for \(what)"
            )
        }
        switch operand.column.type {
        case .int64:
            let value = operand.pointer(Int64.self)[row & operand.mask]
            switch kind {
            case nil, UInt8(ascii: "d"):
                var digits: [UInt8] = []
                TextFormat.append(Int128(value.magnitude), to: &digits)
                pad(digits, value < 0, place, "", to: &result)
            case UInt8(ascii: "x"), UInt8(ascii: "X"), UInt8(ascii: "o"), UInt8(ascii: "b"),
                UInt8(ascii: "B"):
                let radix =
                    kind == UInt8(ascii: "o") ? 8 : (kind.map { $0 | 0x20 } == 98 ? 2 : 16)
                let isUpper = kind == UInt8(ascii: "X")
                // C shows a negative number's bits, braces its digits behind a minus.
                let isSigned = value < 0 && language == .braces
                let shown = isSigned ? value.magnitude : UInt64(bitPattern: value)
                let digits = String(shown, radix: radix, uppercase: isUpper)
                let prefix =
                    place.isAlternate
                    ? (radix == 8 ? "0" : (radix == 2 ? "0b" : (isUpper ? "0X" : "0x"))) : ""
                pad(Array(digits.utf8), isSigned, place, prefix, to: &result)
            case .some(let letter) where "fFeEgG".utf8.contains(letter):
                // As format() has it: a whole number is not one of these.
                throw refuse("a whole number")
            default: throw refuse("a whole number")
            }
        case .float64:
            let value = operand.pointer(Double.self)[row & operand.mask]
            if let kind, !"fFeEgG".utf8.contains(kind) { throw refuse("a number with a fraction") }
            pad(
                digits(value.magnitude, place),
                value.sign == .minus && !value.isNaN,
                place,
                "",
                to: &result
            )
        default:
            if let kind, kind != UInt8(ascii: "s") { throw refuse("a text") }
            var shown = (operand.views + (row & operand.mask)).text
            if let precision = place.precision {
                shown = UTF8Text.slice(shown, 0..<UTF8Text.offset(shown, skipping: precision))
            }
            fill(Array(shown), place, place.alignment ?? UInt8(ascii: "<"), to: &result)
        }
    }

    /// The digits of a number that is not negative.
    private func digits(_ value: Double, _ place: Placeholder) -> [UInt8] {
        guard let kind = place.kind ?? (place.precision == nil ? nil : UInt8(ascii: "g")) else {
            var digits: [UInt8] = []
            TextFormat.append(value, to: &digits)
            return digits
        }
        guard value.isFinite else {
            let name = value.isNaN ? "nan" : "inf"
            return Array((kind & 0x20 == 0 ? name.uppercased() : name).utf8)
        }
        // 309 digits before the point, and those behind it.
        let capacity = 320 + (place.precision ?? 6)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { buffer in
            let form = "%\(place.isAlternate ? "#" : "").*\(Unicode.Scalar(kind))"
            let written = withVaList([Int32(clamping: place.precision ?? 6), value]) {
                vsnprintf(buffer.baseAddress, capacity, form, $0)
            }
            return buffer.prefix(max(0, min(Int(written), capacity - 1))).map {
                UInt8(bitPattern: $0)
            }
        }
    }

    /// Appends a number: sign, prefix, zeros or separators, digits.
    private func pad(
        _ digits: [UInt8],
        _ isNegative: Bool,
        _ place: Placeholder,
        _ prefix: String,
        to result: inout [UInt8]
    ) {
        var body = digits
        if let separator = place.separator {
            let whole = body.firstIndex { $0 &- 48 > 9 } ?? body.count
            var position = whole - 3
            while position > 0 {
                body.insert(separator, at: position)
                position -= 3
            }
        }
        var head: [UInt8] = []
        if isNegative {
            head.append(UInt8(ascii: "-"))
        } else if let sign = place.sign {
            head.append(sign)
        }
        head.append(contentsOf: prefix.utf8)
        let isLeft = place.alignment == UInt8(ascii: "<")
        let isAligned = place.alignment != nil && place.alignment != UInt8(ascii: ">")
        if place.hasZeros, !isLeft, !isAligned {
            let missing = place.width - head.count - body.count
            if missing > 0 { head.append(contentsOf: repeatElement(48, count: missing)) }
        }
        fill(head + body, place, place.alignment ?? UInt8(ascii: ">"), to: &result)
    }

    private func fill(
        _ body: [UInt8],
        _ place: Placeholder,
        _ alignment: UInt8,
        to result: inout [UInt8]
    ) {
        let length = body.withUnsafeBufferPointer { UTF8Text.count($0) }
        let missing = max(0, place.width - length)
        let before =
            alignment == UInt8(ascii: ">") ? missing : (alignment == 94 ? missing / 2 : 0)
        for _ in 0..<before { result.append(contentsOf: place.fill) }
        result.append(contentsOf: body)
        for _ in before..<missing { result.append(contentsOf: place.fill) }
    }
}
