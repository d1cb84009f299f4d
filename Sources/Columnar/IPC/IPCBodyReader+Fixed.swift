/// Columns of fixed width, brought to this program's units and widths.
extension IPCBodyReader {
    mutating func fixed(
        _ field: IPCField,
        _ count: Int,
        _ validity: Bitmap?
    ) throws(IPCError) -> Column {
        let type = field.field.type
        let words = validity?.words
        switch field.layout {
        case .integer(let bits, let isSigned):
            return try integers(type, bits, isSigned, count, validity)
        case .half:
            let piece = try piece(required: count * 2, alignment: 2)
            let source = piece.pointer(as: UInt16.self)
            return try converted(type, count, validity, UInt32.self) { row in
                Self.floatBits(half: source[row])
            }
        case .float: return try inPlace(type, count, validity, width: 4)
        case .double: return try inPlace(type, count, validity, width: 8)
        case .decimal(let bits): return try decimals(type, bits, count, validity)
        case .date(32): return try inPlace(type, count, validity, width: 4)
        case .date:
            let piece = try piece(required: count * 8, alignment: 8)
            let source = piece.pointer(as: Int64.self)
            return try converted(type, count, validity, Int32.self) { row in
                if Self.isNull(words, row) { return 0 }
                let (days, rest) = source[row].quotientAndRemainder(dividingBy: 86_400_000)
                guard rest == 0 else { return nil }
                return Int32(exactly: days)
            }
        case .time(32, let unit):
            let piece = try piece(required: count * 4, alignment: 4)
            let source = piece.pointer(as: Int32.self)
            let factor: Int64 = unit == .second ? 1_000_000 : 1000
            return try converted(type, count, validity, Int64.self) { row in
                Int64(source[row]) &* factor
            }
        case .time(_, let unit), .timestamp(let unit):
            return try micros(type, unit, count, validity)
        case .yearMonth:
            let piece = try piece(required: count * 4, alignment: 4)
            let source = piece.pointer(as: Int32.self)
            return try converted(type, count, validity, Int128.self) { row in
                Interval(months: source[row]).bits
            }
        case .dayTime:
            let piece = try piece(required: count * 8, alignment: 4)
            let source = piece.pointer(as: Int32.self)
            return try converted(type, count, validity, Int128.self) { row in
                Interval(
                    days: source[row &* 2],
                    micros: Int64(source[row &* 2 &+ 1]) &* 1000
                ).bits
            }
        case .monthDayNano:
            let piece = try piece(required: count * 16, alignment: 8)
            let source = UnsafeRawPointer(piece.pointer(as: UInt8.self))
            return try converted(type, count, validity, Int128.self) { row in
                if Self.isNull(words, row) { return 0 }
                let place = source + row &* 16
                let nanos = place.loadUnaligned(fromByteOffset: 8, as: Int64.self)
                let (micros, rest) = nanos.quotientAndRemainder(dividingBy: 1000)
                guard rest == 0 else { return nil }
                return Interval(
                    months: place.loadUnaligned(as: Int32.self),
                    days: place.loadUnaligned(fromByteOffset: 4, as: Int32.self),
                    micros: micros
                ).bits
            }
        case .fixedSizeBinary(let width):
            let (total, overflow) = count.multipliedReportingOverflow(by: width)
            guard !overflow else { throw IPCError(.corrupt, "a column of too many bytes") }
            let piece = try piece(required: total)
            if case .uuid = type {
                let source = UnsafeRawPointer(piece.pointer(as: UInt8.self))
                return try converted(type, count, validity, Int128.self) { row in
                    let raw = source.loadUnaligned(fromByteOffset: row &* 16, as: UInt128.self)
                    return UUIDBits.ordered(fromBigEndian: UInt128(bigEndian: raw))
                }
            }
            return try fixedBinary(type, width, piece, count, validity)
        default:
            throw IPCError(.unsupported, "a layout that is not of fixed width")
        }
    }

    @inline(__always)
    private static func isNull(_ words: UnsafePointer<UInt64>?, _ row: Int) -> Bool {
        guard let words else { return false }
        return words[row &>> 6] &>> UInt64(truncatingIfNeeded: row & 63) & 1 == 0
    }

    /// The buffer as it is.
    private mutating func inPlace(
        _ type: DataType,
        _ count: Int,
        _ validity: Bitmap?,
        width: Int
    ) throws(IPCError) -> Column {
        let piece = try piece(required: count * width, alignment: width)
        return Column(type: type, count: count, validity: validity, storage: .fixed(piece.slice))
    }

    /// New values, computed row by row; nil is a value that has no exact form here.
    @inline(__always)
    private mutating func converted<T: BitwiseCopyable>(
        _ type: DataType,
        _ count: Int,
        _ validity: Bitmap?,
        _: T.Type,
        _ convert: (Int) -> T?
    ) throws(IPCError) -> Column {
        let buffer = try allocate(count * MemoryLayout<T>.stride)
        let target = buffer.mutable(as: T.self)
        for row in 0..<count {
            guard let value = convert(row) else {
                throw IPCError(
                    .unsupported,
                    "row \(row) of the batch is not exactly representable as \(type)"
                )
            }
            target[row] = value
        }
        return Column(
            type: type,
            count: count,
            validity: validity,
            storage: .fixed(BufferSlice(buffer))
        )
    }

    private mutating func integers(
        _ type: DataType,
        _ bits: Int,
        _ isSigned: Bool,
        _ count: Int,
        _ validity: Bitmap?
    ) throws(IPCError) -> Column {
        switch (bits, isSigned) {
        case (8, true): return try widened(type, count, validity, Int8.self, Int32.self)
        case (8, false): return try widened(type, count, validity, UInt8.self, Int32.self)
        case (16, true): return try widened(type, count, validity, Int16.self, Int32.self)
        case (16, false): return try widened(type, count, validity, UInt16.self, Int32.self)
        case (32, true): return try inPlace(type, count, validity, width: 4)
        case (32, false): return try widened(type, count, validity, UInt32.self, Int64.self)
        case (64, true): return try inPlace(type, count, validity, width: 8)
        default: return try widened(type, count, validity, UInt64.self, Int128.self)
        }
    }

    private mutating func widened<S, T>(
        _ type: DataType,
        _ count: Int,
        _ validity: Bitmap?,
        _: S.Type,
        _: T.Type
    ) throws(IPCError) -> Column
    where S: FixedWidthInteger & BitwiseCopyable, T: FixedWidthInteger & BitwiseCopyable {
        let size = MemoryLayout<S>.size
        let piece = try piece(required: count * size, alignment: size)
        let source = piece.pointer(as: S.self)
        return try converted(type, count, validity, T.self) { row in
            T(truncatingIfNeeded: source[row])
        }
    }

    private mutating func decimals(
        _ type: DataType,
        _ bits: Int,
        _ count: Int,
        _ validity: Bitmap?
    ) throws(IPCError) -> Column {
        guard case .decimal(let precision, _) = type else {
            throw IPCError(.corrupt, "a decimal without precision")
        }
        var limit: Int128 = 1
        for _ in 0..<precision { limit *= 10 }
        let words = validity?.words
        let isSmall = precision <= 18
        let size = bits / 8
        let piece = try piece(required: count * size, alignment: min(8, size))
        let source = UnsafeRawPointer(piece.pointer(as: UInt8.self))
        func digits(_ row: Int) -> Int128? {
            if Self.isNull(words, row) { return 0 }
            let value: Int128 =
                switch size {
                case 4: Int128(source.loadUnaligned(fromByteOffset: row &* 4, as: Int32.self))
                case 8: Int128(source.loadUnaligned(fromByteOffset: row &* 8, as: Int64.self))
                default: source.loadUnaligned(fromByteOffset: row &* 16, as: Int128.self)
                }
            return value > -limit && value < limit ? value : nil
        }
        if isSmall {
            return try converted(type, count, validity, Int64.self) { row in
                digits(row).map { Int64(truncatingIfNeeded: $0) }
            }
        }
        return try converted(type, count, validity, Int128.self) { row in digits(row) }
    }

    /// Times and timestamps of 64 bits, in microseconds.
    private mutating func micros(
        _ type: DataType,
        _ unit: IPCFormat.TimeUnit,
        _ count: Int,
        _ validity: Bitmap?
    ) throws(IPCError) -> Column {
        if unit == .microsecond { return try inPlace(type, count, validity, width: 8) }
        let words = validity?.words
        let piece = try piece(required: count * 8, alignment: 8)
        let source = piece.pointer(as: Int64.self)
        if unit == .nanosecond {
            return try converted(type, count, validity, Int64.self) { row in
                if Self.isNull(words, row) { return 0 }
                let (micros, rest) = source[row].quotientAndRemainder(dividingBy: 1000)
                return rest == 0 ? micros : nil
            }
        }
        let factor: Int64 = unit == .second ? 1_000_000 : 1000
        return try converted(type, count, validity, Int64.self) { row in
            if Self.isNull(words, row) { return 0 }
            let (micros, overflow) = source[row].multipliedReportingOverflow(by: factor)
            return overflow ? nil : micros
        }
    }

    private mutating func fixedBinary(
        _ type: DataType,
        _ width: Int,
        _ piece: Piece,
        _ count: Int,
        _ validity: Bitmap?
    ) throws(IPCError) -> Column {
        let views = try allocate(count * 16)
        let target = views.mutable(as: StringView.self)
        let base = piece.pointer(as: UInt8.self)
        for row in 0..<count {
            target[row] =
                Self.isNull(validity?.words, row)
                ? .empty : StringView(base + row &* width, count: width)
        }
        return Column(
            type: type,
            count: count,
            validity: validity,
            storage: .views(BufferSlice(views), owners: BufferOwners([piece.slice.buffer]))
        )
    }

    /// IEEE 754 binary16 as binary32: exact, since every half is a float.
    private static func floatBits(half: UInt16) -> UInt32 {
        let sign = UInt32(half & 0x8000) << 16
        let exponent = UInt32(half >> 10 & 0x1F)
        let fraction = UInt32(half & 0x3FF)
        if exponent == 0x1F { return sign | 0x7F80_0000 | fraction << 13 }
        if exponent != 0 { return sign | (exponent + 112) << 23 | fraction << 13 }
        if fraction == 0 { return sign }
        // A subnormal half is a normal float: move its first one to the place before the point.
        let shift = UInt32(fraction.leadingZeroBitCount - 21)
        return sign | (113 - shift) << 23 | (fraction << (shift + 13)) & 0x007F_FFFF
    }
}
