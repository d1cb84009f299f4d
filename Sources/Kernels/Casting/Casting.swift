package import Columnar

/// CAST and TRY_CAST.
///
/// - Between numbers: values out of range are refused. Decimals (and text) round half away from
///   zero to fewer digits or to integers; floats round half to even to integers, as their own
///   arithmetic does.
/// - Text is trimmed of ASCII blanks, then must be a whole value. Everything has a text form.
/// - Between timestamps and instants the session's zone decides, given as its offset from UTC.
/// - Lists, structs (by the names of their fields, by position where a side has none) and maps are cast
///   by their elements; each has a text form.
package enum Casting {
    /// The column as another type; of the same length.
    ///
    /// - Parameters:
    ///   - isTry: rows that cannot be cast become null instead of throwing.
    ///   - offsetSeconds: the zone for timestamps with and without zone and for their text.
    /// - Throws: `invalidCast` or `outOfRange` with the first value that has no counterpart;
    ///   `unsupported` if the types have nothing to do with each other.
    package static func cast(
        _ column: Column,
        to type: DataType,
        isTry: Bool = false,
        offsetSeconds: Int = 0
    ) throws(KernelError) -> Column {
        if column.type == type { return column }
        if column.isAllNull { return .nulls(type, count: column.count) }
        guard canCast(column.type, to: type) else {
            throw KernelError(.unsupported, "cannot cast \(column.type) to \(type)")
        }
        let context = Context(type: type, isTry: isTry, offsetSeconds: offsetSeconds)
        if column.type.isNested && type.isNested {
            return try nested(column.flattened(), context)
        }
        if type.isNested { return try nestedFromText(column, context) }
        return try column.mapped(to: type) { column throws(KernelError) -> Column in
            try flat(column, context)
        }
    }

    /// Whether there is a cast at all.
    package static func canCast(_ from: DataType, to: DataType) -> Bool {
        if from == to || from == .null || to == .string { return true }
        switch (from, to) {
        case (.string, _):
            return canCastText(to: to)
        case (.boolean, _):
            return to.isNumeric
        case (_, .boolean):
            return from.isNumeric
        case (.date, .timestamp), (.date, .timestamptz), (.timestamp, .date),
            (.timestamptz, .date), (.timestamp, .timestamptz), (.timestamptz, .timestamp),
            (.timestamp, .time), (.timestamptz, .time), (.time, .interval):
            return true
        case (.fixed, .binary), (.binary, .fixed), (.fixed, .fixed), (.fixed, .uuid),
            (.binary, .uuid), (.uuid, .fixed), (.uuid, .binary):
            return true
        case (.list(let a), .list(let b)):
            return canCast(a.type, to: b.type)
        case (.structure(let a), .structure(let b)):
            return structurePlaces(from: a, to: b) != nil
        case (.map(let k, let v), .map(let l, let w)):
            return canCast(k.type, to: l.type) && canCast(v.type, to: w.type)
        default:
            return from.isNumeric && to.isNumeric
        }
    }

    struct Context {
        let type: DataType
        let isTry: Bool
        let offsetSeconds: Int
    }

    private static func nested(_ column: Column, _ context: Context) throws(KernelError) -> Column {
        func part(_ column: Column, _ type: DataType) throws(KernelError) -> Column {
            try cast(
                column,
                to: type,
                isTry: context.isTry,
                offsetSeconds: context.offsetSeconds
            )
        }
        let storage: Column.Storage
        switch (column.storage, context.type) {
        case (.list(let offsets, let elements), .list(let field)):
            // Elements that no row shows must not be the reason for an error.
            let bounds = offsets.pointer(as: Int32.self)
            let isWhole = bounds[0] == 0 && Int(bounds[column.count]) == elements.column.count
            if !isWhole || column.hasNulls {
                let shown = Take.take(column, Filter.everyRow(column.count))
                guard case .list(let newOffsets, let newElements) = shown.storage else {
                    return shown
                }
                storage = .list(
                    offsets: newOffsets,
                    elements: ColumnBox(try part(newElements.column, field.type))
                )
            } else {
                storage = .list(
                    offsets: offsets,
                    elements: ColumnBox(try part(elements.column, field.type))
                )
            }
        case (.structure(let columns), .structure(let fields)):
            guard case .structure(let own) = column.type,
                let places = structurePlaces(from: own, to: fields)
            else {
                throw KernelError(.unsupported, "cannot cast \(column.type) to \(context.type)")
            }
            var result: [Column] = []
            for (place, field) in zip(places, fields) {
                guard let place else {
                    result.append(.zeros(field.type, count: column.count, isNull: true))
                    continue
                }
                let inner = columns[place]
                let masked = column.validity.map { Choice.masked(inner, valid: $0) } ?? inner
                result.append(try part(masked, field.type).flattened())
            }
            storage = .structure(result)
        case (.map(_, _, _), .map(let key, let value)):
            let shown = Take.take(column, Filter.everyRow(column.count))
            guard case .map(let offsets, let keys, let values) = shown.storage else {
                return shown
            }
            storage = .map(
                offsets: offsets,
                keys: ColumnBox(try part(keys.column, key.type)),
                values: ColumnBox(try part(values.column, value.type))
            )
        default:
            throw KernelError(.unsupported, "cannot cast \(column.type) to \(context.type)")
        }
        return Column(
            type: context.type,
            count: column.count,
            validity: column.validity,
            storage: storage
        )
    }

    private static func flat(_ column: Column, _ context: Context) throws(KernelError) -> Column {
        switch (column.type, context.type) {
        case (_, .string):
            return TextFormat.column(column, offsetSeconds: context.offsetSeconds)
        case (.string, _):
            return try fromText(column, context)
        case (.boolean, _):
            return try cast(bitsAsIntegers(column), to: context.type)
        case (_, .boolean):
            return try nonZero(column)
        case (.date, _), (.timestamp, _), (.timestamptz, _), (.time, _):
            return try temporal(column, context)
        case (.fixed, _), (.binary, _), (.uuid, _):
            return try bytes(column, context)
        default:
            return try numeric(column, context)
        }
    }

    // MARK: Loops

    /// Converts every row, null or not; for conversions that cannot fail.
    @inline(__always)
    static func convertAll<A: BitwiseCopyable, B: BitwiseCopyable>(
        _ column: Column,
        _ type: DataType,
        _: A.Type,
        _ body: (A) -> B
    ) -> Column {
        let operand = Operand(column)
        let source = operand.pointer(A.self)
        let buffer = Buffer(byteCount: column.count * MemoryLayout<B>.stride)
        let target = buffer.mutable(as: B.self)
        for row in 0..<column.count { target[row] = body(source[row]) }
        return withExtendedLifetime(operand) {
            Column(type, count: column.count, validity: column.validity, buffer: buffer)
        }
    }

    /// Converts the rows that are not null; nil from `body` is a failure of the row.
    @inline(__always)
    static func convert<A: BitwiseCopyable, B: BitwiseCopyable>(
        _ column: Column,
        _ context: Context,
        _: A.Type,
        _ code: KernelError.Code = .outOfRange,
        _ body: (A) -> B?
    ) throws(KernelError) -> Column {
        let operand = Operand(column)
        let source = operand.pointer(A.self)
        let buffer = Buffer(zeroedByteCount: column.count * MemoryLayout<B>.stride)
        let target = buffer.mutable(as: B.self)
        var nulls = NullMarks(column.validity, count: column.count)
        try forEachValid(column.validity, column.count) { (row) throws(KernelError) in
            if let value = body(source[row]) {
                target[row] = value
            } else if context.isTry {
                nulls.mark(row)
            } else {
                throw failure(column, row, context, code)
            }
        }
        return withExtendedLifetime(operand) {
            Column(context.type, count: column.count, validity: nulls.bitmap, buffer: buffer)
        }
    }

    @inline(never)
    static func failure(
        _ column: Column,
        _ row: Int,
        _ context: Context,
        _ code: KernelError.Code
    ) -> KernelError {
        var text: [UInt8] = []
        TextFormat.append(column, row: row, to: &text)
        let value = String(decoding: text.prefix(200), as: UTF8.self)
        let quoted = column.type == .string ? "'\(value)'" : value
        return KernelError(
            code,
            code == .invalidCast
                ? "\(quoted) is not a \(context.type)" : "\(quoted) does not fit \(context.type)"
        )
    }

    // MARK: Booleans

    private static func bitsAsIntegers(_ column: Column) -> Column {
        let bits = Operand(column).bits
        let words = bits.words
        let buffer = Buffer(byteCount: column.count * 4)
        let target = buffer.mutable(as: Int32.self)
        for row in 0..<column.count { target[row] = Int32(truncatingIfNeeded: bitOf(words, row)) }
        return withExtendedLifetime(bits) {
            Column(.int32, count: column.count, validity: column.validity, buffer: buffer)
        }
    }

    private static func nonZero(_ column: Column) throws(KernelError) -> Column {
        let operand = Operand(column)
        let count = column.count
        let bits: Bitmap
        switch column.type.physical {
        case .int32:
            let source = operand.pointer(Int32.self)
            bits = buildBits(count) { source[$0] != 0 }
        case .int64:
            let source = operand.pointer(Int64.self)
            bits = buildBits(count) { source[$0] != 0 }
        case .int128:
            let source = operand.pointer(Int128.self)
            bits = buildBits(count) { source[$0] != 0 }
        case .float32:
            let source = operand.pointer(Float.self)
            bits = buildBits(count) { source[$0] != 0 }
        default:
            let source = operand.pointer(Double.self)
            bits = buildBits(count) { source[$0] != 0 }
        }
        return withExtendedLifetime(operand) { Column(bits: bits, validity: column.validity) }
    }

    // MARK: Text

    private static func fromText(_ column: Column, _ context: Context) throws(KernelError) -> Column
    {
        switch context.type {
        case .boolean:
            return try booleanFromText(column, context)
        case .int32:
            return try parse(column, context) { text -> Int32? in
                TextParse.int32(text) ?? wholeNumber(text).flatMap { Int32(exactly: $0) }
            }
        case .int64:
            return try parse(column, context) { TextParse.int64($0) ?? wholeNumber($0) }
        case .float32:
            return try parse(column, context) { text -> Float? in
                withoutUnderscores(text) { TextParse.float($0) }
            }
        case .float64:
            return try parse(column, context) { text -> Double? in
                withoutUnderscores(text) { TextParse.double($0) }
            }
        case .decimal(let precision, let scale):
            if context.type.physical == .int64 {
                return try parse(column, context) { text -> Int64? in
                    withoutUnderscores(text) {
                        TextParse.decimal($0, precision: precision, scale: scale)
                    }.map { Int64(truncatingIfNeeded: $0) }
                }
            }
            return try parse(column, context) { text -> Int128? in
                withoutUnderscores(text) {
                    TextParse.decimal($0, precision: precision, scale: scale)
                }
            }
        case .date:
            // A timestamp is a date with more behind it.
            return try parse(column, context) { text -> Int32? in
                if let days = TextParse.date(text) { return days }
                guard let (micros, _) = TextParse.timestamp(text) else { return nil }
                return Int32(
                    exactly: CivilCalendar.floorDivide(Int(micros), CivilCalendar.microsPerDay)
                        .quotient
                )
            }
        case .time:
            return try parse(column, context) { TextParse.time($0) }
        case .timestamp:
            // An offset is taken off: the clock is that of UTC.
            return try parse(column, context) { TextParse.timestamptz($0) }
        case .timestamptz:
            let offset = context.offsetSeconds
            return try parse(column, context) {
                TextParse.timestamptz($0, offsetSeconds: offset)
            }
        case .interval:
            return try parse(column, context) { TextParse.interval($0)?.bits }
        case .uuid:
            return try parse(column, context) { TextParse.uuid($0) }
        case .binary, .fixed:
            return try binaryFromText(column, context)
        case .null, .string, .list, .structure, .map:
            throw KernelError(.unsupported, "cannot cast \(column.type) to \(context.type)")
        }
    }

    /// The text without ASCII white space around it.
    static func trimmed(_ text: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        var (start, end) = (0, text.count)
        while start < end, text[start] == 32 || text[start] &- 9 < 5 { start += 1 }
        while end > start, text[end - 1] == 32 || text[end - 1] &- 9 < 5 { end -= 1 }
        return UnsafeBufferPointer(rebasing: text[start..<end])
    }

    @inline(__always)
    private static func parse<B: BitwiseCopyable>(
        _ column: Column,
        _ context: Context,
        _ body: (UnsafeBufferPointer<UInt8>) -> B?
    ) throws(KernelError) -> Column {
        let operand = Operand(column)
        let source = operand.views
        let buffer = Buffer(zeroedByteCount: column.count * MemoryLayout<B>.stride)
        let target = buffer.mutable(as: B.self)
        var nulls = NullMarks(column.validity, count: column.count)
        try forEachValid(column.validity, column.count) { (row) throws(KernelError) in
            if let value = body(trimmed((source + row).text)) {
                target[row] = value
            } else if context.isTry {
                nulls.mark(row)
            } else {
                throw failure(column, row, context, .invalidCast)
            }
        }
        return withExtendedLifetime(operand) {
            Column(context.type, count: column.count, validity: nulls.bitmap, buffer: buffer)
        }
    }

    private static func booleanFromText(
        _ column: Column,
        _ context: Context
    ) throws(KernelError) -> Column {
        let flags = try parse(
            column,
            Context(type: .int32, isTry: context.isTry, offsetSeconds: 0)
        ) { TextParse.boolean($0).map { Int32($0 ? 1 : 0) } }
        return try nonZero(flags)
    }

    private static func binaryFromText(
        _ column: Column,
        _ context: Context
    ) throws(KernelError) -> Column {
        let source = Operand(column).views
        var writer = ViewWriter(count: column.count)
        var nulls = NullMarks(column.validity, count: column.count)
        var byteCount: Int?
        if case .fixed(let size) = context.type { byteCount = size }
        try forEachValid(column.validity, column.count) { (row) throws(KernelError) in
            if let bytes = TextParse.binary((source + row).text),
                byteCount == nil || bytes.count == byteCount
            {
                writer.set(row, bytes)
            } else if context.isTry {
                nulls.mark(row)
            } else {
                throw failure(column, row, context, .invalidCast)
            }
        }
        return withExtendedLifetime(column) {
            writer.finish(context.type, validity: nulls.bitmap)
        }
    }

    // MARK: Bytes

    private static func bytes(_ column: Column, _ context: Context) throws(KernelError) -> Column {
        if column.type == .uuid {
            if case .fixed(let size) = context.type, size != 16 {
                throw KernelError(.unsupported, "cannot cast UUID to \(context.type)")
            }
            let source = Operand(column).pointer(Int128.self)
            var writer = ViewWriter(count: column.count)
            for row in 0..<column.count {
                writer.set(row, UUIDBits.bytes(fromOrdered: source[row]))
            }
            return withExtendedLifetime(column) {
                writer.finish(context.type, validity: column.validity)
            }
        }
        if context.type == .binary { return column.retyped(.binary) }
        if context.type == .uuid {
            return try convertViews(column, context) { place -> Int128? in
                let bytes = place.text
                guard bytes.count == 16 else { return nil }
                var raw: UInt128 = 0
                for byte in bytes { raw = raw << 8 | UInt128(byte) }
                return UUIDBits.ordered(fromBigEndian: raw)
            }
        }
        guard case .fixed(let size) = context.type else {
            throw KernelError(.unsupported, "cannot cast \(column.type) to \(context.type)")
        }
        let source = Operand(column).views
        var nulls = NullMarks(column.validity, count: column.count)
        try forEachValid(column.validity, column.count) { (row) throws(KernelError) in
            if Int(source[row].length) == size { return }
            guard context.isTry else { throw failure(column, row, context, .outOfRange) }
            nulls.mark(row)
        }
        let retyped = column.retyped(context.type)
        return Column(
            type: context.type,
            count: column.count,
            validity: nulls.bitmap,
            storage: retyped.storage
        )
    }

    @inline(__always)
    private static func convertViews<B: BitwiseCopyable>(
        _ column: Column,
        _ context: Context,
        _ body: (UnsafePointer<StringView>) -> B?
    ) throws(KernelError) -> Column {
        let source = Operand(column).views
        let buffer = Buffer(zeroedByteCount: column.count * MemoryLayout<B>.stride)
        let target = buffer.mutable(as: B.self)
        var nulls = NullMarks(column.validity, count: column.count)
        try forEachValid(column.validity, column.count) { (row) throws(KernelError) in
            if let value = body(source + row) {
                target[row] = value
            } else if context.isTry {
                nulls.mark(row)
            } else {
                throw failure(column, row, context, .outOfRange)
            }
        }
        return withExtendedLifetime(column) {
            Column(context.type, count: column.count, validity: nulls.bitmap, buffer: buffer)
        }
    }

    // MARK: Time

    private static func temporal(_ column: Column, _ context: Context) throws(KernelError) -> Column
    {
        let day = Int64(CivilCalendar.microsPerDay)
        let offset = Int64(context.offsetSeconds) * 1_000_000
        switch (column.type, context.type) {
        case (.date, .timestamp), (.date, .timestamptz):
            let shift = context.type == .timestamptz ? offset : 0
            return try convert(column, context, Int32.self) { days -> Int64? in
                let (product, overflow) = Int64(days).multipliedReportingOverflow(by: day)
                let (result, carry) = product.subtractingReportingOverflow(shift)
                return overflow || carry ? nil : result
            }
        case (.timestamp, .timestamptz):
            return try convert(column, context, Int64.self) { micros -> Int64? in
                let (result, overflow) = micros.subtractingReportingOverflow(offset)
                return overflow ? nil : result
            }
        case (.timestamptz, .timestamp):
            return try convert(column, context, Int64.self) { micros -> Int64? in
                let (result, overflow) = micros.addingReportingOverflow(offset)
                return overflow ? nil : result
            }
        case (.timestamp, .date), (.timestamptz, .date), (.timestamp, .time),
            (.timestamptz, .time):
            let shift = column.type == .timestamptz ? offset : 0
            if context.type == .date {
                return convertAll(column, context.type, Int64.self) { micros -> Int32 in
                    let local = Int(micros &+ shift)
                    return Int32(
                        truncatingIfNeeded: CivilCalendar.floorDivide(local, Int(day)).quotient
                    )
                }
            }
            return convertAll(column, context.type, Int64.self) { micros -> Int64 in
                Int64(CivilCalendar.floorDivide(Int(micros &+ shift), Int(day)).rest)
            }
        case (.time, .interval):
            return convertAll(column, context.type, Int64.self) { micros -> Int128 in
                Interval(micros: micros).bits
            }
        default:
            throw KernelError(.unsupported, "cannot cast \(column.type) to \(context.type)")
        }
    }
}
