package import Columnar

/// The text functions of SQL.
///
/// Positions and lengths count code points from 1, as PostgreSQL has it. Null arguments give null
/// unless said otherwise.
package enum StringFunctions {
    /// Bytes a result may have; more is `outOfRange`.
    static let resultBytesMax = 1 << 28

    // MARK: One text to a number

    /// Code points, as int64.
    package static func length(_ column: Column) -> Column {
        measured(column) { Int64(UTF8Text.count($0)) }
    }

    /// Bytes, as int64; also of binary columns.
    package static func octetLength(_ column: Column) -> Column {
        measured(column) { Int64($0.count) }
    }

    /// The first code point's number, 0 for the empty text, as int64.
    package static func ascii(_ column: Column) -> Column {
        measured(column) { text in
            guard let first = text.first else { return 0 }
            if first < 0x80 { return Int64(first) }
            let head = UTF8Text.slice(text, 0..<UTF8Text.offset(text, skipping: 1))
            return String(decoding: head, as: UTF8.self).unicodeScalars.first
                .map { Int64($0.value) } ?? 0
        }
    }

    @inline(__always)
    private static func measured(
        _ column: Column,
        _ body: (UTF8Text.Bytes) -> Int64
    ) -> Column {
        column.mapped(to: .int64) { column in
            let places = Operand(column).views
            let buffer = Buffer(byteCount: column.count * 8)
            let target = buffer.mutable(as: Int64.self)
            for row in 0..<column.count { target[row] = body((places + row).text) }
            return withExtendedLifetime(column) {
                Column(.int64, count: column.count, validity: column.validity, buffer: buffer)
            }
        }
    }

    // MARK: One text to a text

    /// Simple Unicode lower case.
    package static func lower(_ column: Column) -> Column {
        cased(column, isUpper: false)
    }

    /// Simple Unicode upper case.
    package static func upper(_ column: Column) -> Column {
        cased(column, isUpper: true)
    }

    private static func cased(_ column: Column, isUpper: Bool) -> Column {
        column.mapped(to: .string) { column in
            let places = Operand(column).views
            var writer = ViewWriter(count: column.count)
            var scratch: [UInt8] = []
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { short in
                guard let short = short.baseAddress else { return }
                forEachValid(column.validity, column.count) { row in
                    let text = (places + row).text
                    guard UTF8Text.isASCII(text) else {
                        UTF8Text.cased(text, isUpper: isUpper, into: &scratch)
                        return writer.set(row, scratch)
                    }
                    let target =
                        text.count <= 12
                        ? short
                        : writer.arena.reserve(text.count).assumingMemoryBound(to: UInt8.self)
                    UTF8Text.copyCased(text, isUpper: isUpper, to: target)
                    writer.views[row] = makeView(target, text.count)
                }
            }
            return withExtendedLifetime(column) {
                writer.finish(.string, validity: column.validity)
            }
        }
    }

    /// The first letter of every word in upper case, the others in lower case.
    package static func initcap(_ column: Column) -> Column {
        rewritten(column) { text, result in
            result.removeAll(keepingCapacity: true)
            var isStart = true
            for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
                UTF8Text.append(UTF8Text.casedScalar(scalar, isUpper: isStart), to: &result)
                let properties = scalar.properties
                isStart = !(properties.isAlphabetic || properties.numericType != nil)
            }
        }
    }

    /// The code points in reverse order.
    package static func reverse(_ column: Column) -> Column {
        rewritten(column) { text, result in
            result.removeAll(keepingCapacity: true)
            var end = text.count
            while end > 0 {
                var start = end - 1
                while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
                result.append(contentsOf: text[start..<end])
                end = start
            }
        }
    }

    @inline(__always)
    private static func rewritten(
        _ column: Column,
        _ body: (UTF8Text.Bytes, inout [UInt8]) -> Void
    ) -> Column {
        column.mapped(to: .string) { column in
            let places = Operand(column).views
            var writer = ViewWriter(count: column.count)
            var scratch: [UInt8] = []
            forEachValid(column.validity, column.count) { row in
                body((places + row).text, &scratch)
                writer.set(row, scratch)
            }
            return withExtendedLifetime(column) {
                writer.finish(.string, validity: column.validity)
            }
        }
    }

    // MARK: Parts of a text

    /// Which ends `trim` works on.
    package enum TrimSide: Sendable { case both, leading, trailing }

    /// The text without the code points of `characters` (blanks by default) at its ends.
    ///
    /// Shares the text's bytes.
    package static func trim(
        _ column: Column,
        characters: Column? = nil,
        side: TrimSide = .both
    ) throws(KernelError) -> Column {
        try sliced(
            [column, characters ?? .constant(.string(" "), .string, count: column.count)],
            "tt"
        ) {
            operands,
            row in
            let text = operands.text(0, row)
            let set = operands.text(1, row)
            var (start, end) = (0, text.count)
            if side != .trailing {
                while start < end {
                    let next = UTF8Text.offset(text, from: start, skipping: 1)
                    let scalar = UTF8Text.slice(text, start..<next)
                    guard isMember(scalar, of: set) else { break }
                    start = next
                }
            }
            if side != .leading {
                while end > start {
                    var previous = end - 1
                    while previous > start, text[previous] & 0xC0 == 0x80 { previous -= 1 }
                    let scalar = UTF8Text.slice(text, previous..<end)
                    guard isMember(scalar, of: set) else { break }
                    end = previous
                }
            }
            return start..<end
        }
    }

    private static func isMember(_ scalar: UTF8Text.Bytes, of set: UTF8Text.Bytes) -> Bool {
        var offset = 0
        while offset < set.count {
            let next = UTF8Text.offset(set, from: offset, skipping: 1)
            if next - offset == scalar.count, UTF8Text.has(set, scalar, at: offset) {
                return true
            }
            offset = next
        }
        return false
    }

    /// `substring(text FROM start [FOR length])` over int64 columns: positions before the first
    /// code point count but are empty, as in PostgreSQL.
    ///
    /// Shares the text's bytes.
    package static func substring(
        _ column: Column,
        from start: Column,
        for length: Column? = nil
    ) throws(KernelError) -> Column {
        try sliced([column, start] + (length.map { [$0] } ?? []), "tii") {
            (operands, row) throws(KernelError) in
            let text = operands.text(0, row)
            var first = operands.int64(1, row)
            var end = Int64.max
            if length != nil {
                let wanted = operands.int64(2, row)
                if wanted < 0 {
                    throw KernelError(.outOfRange, "a substring cannot have length \(wanted)")
                }
                let (sum, overflow) = first.addingReportingOverflow(wanted)
                end = overflow ? .max : sum
            }
            first = max(1, first)
            guard end > first else { return 0..<0 }
            let byteCount = Int64(text.count)
            if first > byteCount { return 0..<0 }
            let from = UTF8Text.offset(text, skipping: Int(first - 1))
            let wanted = min(byteCount, end - first)
            return from..<UTF8Text.offset(text, from: from, skipping: Int(wanted))
        }
    }

    /// The first `count` code points; without the last `-count` when negative.
    package static func left(_ column: Column, _ count: Column) throws(KernelError) -> Column {
        try sliced([column, count], "ti") { operands, row in
            let text = operands.text(0, row)
            let wanted = operands.int64(1, row)
            let total = wanted < 0 ? Int64(UTF8Text.count(text)) : 0
            let kept = wanted < 0 ? max(0, total &+ wanted) : min(wanted, Int64(text.count))
            return 0..<UTF8Text.offset(text, skipping: Int(kept))
        }
    }

    /// The last `count` code points; without the first `-count` when negative.
    package static func right(_ column: Column, _ count: Column) throws(KernelError) -> Column {
        try sliced([column, count], "ti") { operands, row in
            let text = operands.text(0, row)
            let wanted = operands.int64(1, row)
            let total = Int64(UTF8Text.count(text))
            let skipped =
                wanted < 0
                ? min(total, wanted == .min ? .max : -wanted) : max(0, total &- wanted)
            return UTF8Text.offset(text, skipping: Int(skipped))..<text.count
        }
    }

    /// The `index`-th part (from 1; from the end when negative) of a text cut at every separator;
    /// empty when there are not so many.
    package static func splitPart(
        _ column: Column,
        separator: Column,
        index: Column
    ) throws(KernelError) -> Column {
        try sliced([column, separator, index], "tti") { (operands, row) throws(KernelError) in
            let text = operands.text(0, row)
            let separator = operands.text(1, row)
            var wanted = operands.int64(2, row)
            if wanted == 0 {
                throw KernelError(.outOfRange, "parts of a text are counted from 1, not 0")
            }
            if separator.isEmpty { return wanted == 1 || wanted == -1 ? 0..<text.count : 0..<0 }
            if wanted < 0 {
                var parts: Int64 = 1
                var offset = 0
                while let hit = UTF8Text.find(separator, in: text, from: offset) {
                    parts += 1
                    offset = hit + separator.count
                }
                if wanted < -parts { return 0..<0 }
                wanted += parts + 1
            }
            var start = 0
            while wanted > 1 {
                guard let hit = UTF8Text.find(separator, in: text, from: start) else {
                    return 0..<0
                }
                start = hit + separator.count
                wanted -= 1
            }
            return start..<(UTF8Text.find(separator, in: text, from: start) ?? text.count)
        }
    }

    /// A result that is a range of the first argument's bytes, which it shares.
    @inline(__always)
    private static func sliced(
        _ columns: [Column],
        _ kinds: StaticString,
        _ body: (Arguments, Int) throws(KernelError) -> Range<Int>
    ) throws(KernelError) -> Column {
        try Rowwise.apply(try wholeNumbers(columns), to: .string) {
            (operands, count, validity) throws(KernelError) -> Column in
            let arguments = try Arguments(operands, kinds)
            let writer = ViewWriter(count: count)
            let places = operands[0].views
            let mask = operands[0].mask
            try forEachValid(validity, count) { (row) throws(KernelError) in
                let range = try body(arguments, row)
                guard let base = (places + (row & mask)).text.baseAddress else { return }
                writer.share(row, base + range.lowerBound, range.count)
            }
            return writer.finish(.string, validity: validity, sharing: operands[0].owners)
        }
    }

    // MARK: Questions about two texts

    /// Where `needle` first stands, in code points from 1; 0 if it does not.
    ///
    /// As int64.
    package static func position(_ column: Column, of needle: Column) throws(KernelError) -> Column
    {
        try Rowwise.apply([column, needle], to: .int64) {
            (operands, count, validity) throws(KernelError) -> Column in
            let arguments = try Arguments(operands, "tt")
            let buffer = Buffer(zeroedByteCount: count * 8)
            let target = buffer.mutable(as: Int64.self)
            forEachValid(validity, count) { row in
                let text = arguments.text(0, row)
                guard let hit = UTF8Text.find(arguments.text(1, row), in: text) else { return }
                target[row] = Int64(UTF8Text.count(UTF8Text.slice(text, 0..<hit))) + 1
            }
            return withExtendedLifetime(operands) {
                Column(.int64, count: count, validity: validity, buffer: buffer)
            }
        }
    }

    /// Whether the text begins with `part`.
    package static func startsWith(_ column: Column, _ part: Column) throws(KernelError) -> Column {
        try tested(column, part) { UTF8Text.has($0, $1, at: 0) }
    }

    /// Whether the text ends with `part`.
    package static func endsWith(_ column: Column, _ part: Column) throws(KernelError) -> Column {
        try tested(column, part) { UTF8Text.has($0, $1, at: $0.count - $1.count) }
    }

    /// Whether `part` is somewhere in the text.
    package static func contains(_ column: Column, _ part: Column) throws(KernelError) -> Column {
        if case .constant(let box) = part.storage {
            let needle = Operand(box.column)
            return column.mapped(to: .boolean) { column in
                Column(
                    bits: TextSearch.contains(needle.views.text, Operand(column)),
                    validity: column.validity
                )
            }
        }
        return try tested(column, part) { UTF8Text.find($1, in: $0) != nil }
    }

    /// LIKE with a pattern of its own in every row; a constant pattern is compiled once.
    package static func like(
        _ column: Column,
        pattern: Column,
        escape: Unicode.Scalar? = "\\",
        ignoresCase: Bool = false
    ) throws(KernelError) -> Column {
        if pattern.isAllNull || column.isAllNull { return .nulls(.boolean, count: column.count) }
        if case .constant(let box) = pattern.storage,
            case .string(let text) = box.column.value(at: 0)
        {
            return try LikePattern(text, escape: escape, ignoresCase: ignoresCase)
                .matches(column)
        }
        let text = ignoresCase ? lower(column) : column
        return try Rowwise.apply([text, pattern], to: .boolean) {
            (operands, count, validity) throws(KernelError) -> Column in
            let arguments = try Arguments(operands, "tt")
            let flags = Buffer(zeroedByteCount: count)
            let flag = flags.mutable(as: UInt8.self)
            var last: (text: String, pattern: LikePattern)?
            try forEachValid(validity, count) { (row) throws(KernelError) in
                let text = String(decoding: arguments.text(1, row), as: UTF8.self)
                if last?.text != text {
                    last = (
                        text,
                        try LikePattern(text, escape: escape, ignoresCase: ignoresCase)
                    )
                }
                flag[row] = last?.pattern.matches(arguments.text(0, row)) == true ? 1 : 0
            }
            return withExtendedLifetime((operands, flags)) {
                Column(bits: .fromFlags(UnsafePointer(flag), count: count), validity: validity)
            }
        }
    }

    @inline(__always)
    private static func tested(
        _ column: Column,
        _ part: Column,
        _ body: (UTF8Text.Bytes, UTF8Text.Bytes) -> Bool
    ) throws(KernelError) -> Column {
        try Rowwise.apply([column, part], to: .boolean) {
            (operands, count, validity) throws(KernelError) -> Column in
            let arguments = try Arguments(operands, "tt")
            let bits = buildBits(count) { body(arguments.text(0, $0), arguments.text(1, $0)) }
            return withExtendedLifetime(operands) { Column(bits: bits, validity: validity) }
        }
    }

    /// int32 arguments as int64, so that functions read one width.
    static func wholeNumbers(_ columns: [Column]) throws(KernelError) -> [Column] {
        var result: [Column] = []
        for column in columns {
            result.append(
                column.type == .int32 ? try Casting.cast(column, to: .int64) : column
            )
        }
        return result
    }
}

/// The arguments of a row, for functions of a few columns.
struct Arguments {
    private let first: (UnsafeRawPointer, Int)
    private let second: (UnsafeRawPointer, Int)
    private let third: (UnsafeRawPointer, Int)

    /// Up to three operands, which the caller keeps alive.
    ///
    /// - Parameter kinds: what each is read as: `t` text or bytes, `i` int64, `d` double. Others are
    ///   `unsupported`.
    init(_ operands: [Operand], _ kinds: StaticString) throws(KernelError) {
        precondition(kinds.utf8CodeUnitCount >= operands.count)
        for (index, operand) in operands.enumerated() {
            let physical = operand.column.type.physical
            let fits =
                switch kinds.utf8Start[index] {
                case UInt8(ascii: "t"): physical == .view
                case UInt8(ascii: "i"): physical == .int64
                default: physical == .float64
                }
            guard fits else {
                throw KernelError(
                    .unsupported,
                    "argument \(index + 1) cannot be \(operand.column.type)"
                )
            }
        }
        func raw(_ index: Int) -> (UnsafeRawPointer, Int) {
            let operand = operands[min(index, operands.count - 1)]
            return (operand.rawPointer, operand.mask)
        }
        (first, second, third) = (raw(0), raw(1), raw(2))
    }

    @inline(__always)
    private func place(_ index: Int) -> (UnsafeRawPointer, Int) {
        index == 0 ? first : (index == 1 ? second : third)
    }

    @inline(__always)
    func text(_ index: Int, _ row: Int) -> UTF8Text.Bytes {
        let (base, mask) = place(index)
        return (base.assumingMemoryBound(to: StringView.self) + (row & mask)).text
    }

    @inline(__always)
    func int64(_ index: Int, _ row: Int) -> Int64 {
        let (base, mask) = place(index)
        return base.assumingMemoryBound(to: Int64.self)[row & mask]
    }

    @inline(__always)
    func double(_ index: Int, _ row: Int) -> Double {
        let (base, mask) = place(index)
        return base.assumingMemoryBound(to: Double.self)[row & mask]
    }
}
