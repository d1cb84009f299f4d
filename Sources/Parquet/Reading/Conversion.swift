import Columnar

/// How raw values of a file become values of a column's type.
enum Conversion: Sendable, Hashable {
    /// Every row is null.
    case allNull
    /// Booleans, a byte each.
    case boolean
    /// The same bytes: numbers of 4 or 8 bytes, views.
    case identity
    case int32ToInt64
    case uint32ToInt64
    case int32ToInt128
    case int64ToInt128
    case uint64ToInt128
    /// Milliseconds since midnight in 32 bits.
    case int32Times1000
    /// Milliseconds since the epoch.
    case int64Times1000
    /// Nanoseconds, which must be whole microseconds.
    case int64By1000
    /// Days to microseconds since the epoch.
    case daysToMicros
    case floatToDouble
    case halfToFloat
    case halfToDouble
    /// Nanoseconds of the day and a Julian day.
    case int96ToMicros
    /// Big-endian two's complement of this many bytes.
    case fixedToInt64(Int)
    case fixedToInt128(Int)
    case viewToInt64
    case viewToInt128
    case uuid
    /// Months, days and milliseconds, each 4 bytes.
    case interval
    /// Views of this many bytes that lie side by side.
    case fixedToView(Int)
}

extension ParquetLeaf {
    /// Bytes of a raw value, as `ValueDecoder` gives them.
    var rawWidth: Int {
        switch physical {
        case .boolean: 1
        case .int32, .float: 4
        case .int64, .double: 8
        case .int96: 12
        case .byteArray: 16
        case .fixedLengthByteArray: typeLength
        }
    }

    /// How the leaf's values become values of `type`.
    ///
    /// - Throws: `unsupported` when they cannot.
    func conversion(to type: DataType) throws(ParquetError) -> Conversion {
        if let result = possibleConversion(to: type) { return result }
        let reason = unsupportedReason.map { " (\($0))" } ?? ""
        let annotation = logical.map { " \($0)" } ?? ""
        throw .unsupported(
            "column \(name) of type \(physical)\(annotation) cannot be read as \(type)\(reason)"
        )
    }

    private func possibleConversion(to type: DataType) -> Conversion? {
        if logical == .null { return .allNull }
        if unsupportedReason != nil { return nil }
        if case .decimal(let precision, let scale)? = logical {
            if case .decimal(let newPrecision, let newScale) = type {
                guard newScale == scale, newPrecision >= precision, newPrecision <= 38 else {
                    return nil
                }
                let isWide = type.physical == .int128
                switch physical {
                case .int32: return isWide ? .int32ToInt128 : .int32ToInt64
                case .int64: return isWide ? .int64ToInt128 : .identity
                case .byteArray: return isWide ? .viewToInt128 : .viewToInt64
                case .fixedLengthByteArray:
                    return isWide ? .fixedToInt128(typeLength) : .fixedToInt64(typeLength)
                default: return nil
                }
            }
            if physical == .int32 || physical == .int64 { return nil }
        }
        switch (physical, type) {
        case (.boolean, .boolean): return .boolean
        case (.int32, _): return int32Conversion(to: type)
        case (.int64, _): return int64Conversion(to: type)
        case (.int96, .timestamp), (.int96, .timestamptz): return .int96ToMicros
        case (.float, .float32), (.double, .float64): return .identity
        case (.float, .float64): return .floatToDouble
        case (.byteArray, .string), (.byteArray, .binary): return .identity
        case (.fixedLengthByteArray, .fixed(let length)) where length == typeLength:
            return .fixedToView(length)
        case (.fixedLengthByteArray, .binary), (.fixedLengthByteArray, .string):
            return .fixedToView(typeLength)
        case (.fixedLengthByteArray, .uuid) where typeLength == 16: return .uuid
        case (.fixedLengthByteArray, .interval) where logical == .interval && typeLength == 12:
            return .interval
        case (.fixedLengthByteArray, .float32) where logical == .float16 && typeLength == 2:
            return .halfToFloat
        case (.fixedLengthByteArray, .float64) where logical == .float16 && typeLength == 2:
            return .halfToDouble
        default: return nil
        }
    }

    private func int32Conversion(to type: DataType) -> Conversion? {
        switch (logical, type) {
        case (.date?, .date): return .identity
        case (.date?, .timestamp): return .daysToMicros
        case (.date?, _): return nil
        case (.time(.millis)?, .time): return .int32Times1000
        case (.time?, _): return nil
        case (.integer(32, isSigned: false)?, .int64): return .uint32ToInt64
        case (.integer(32, isSigned: false)?, _): return nil
        case (_, .int32): return .identity
        case (_, .int64): return .int32ToInt64
        default: return nil
        }
    }

    private func int64Conversion(to type: DataType) -> Conversion? {
        switch (logical, type) {
        case (.time(.micros)?, .time): return .identity
        case (.time(.nanos)?, .time): return .int64By1000
        case (.time?, _): return nil
        case (.timestamp(let unit, _)?, .timestamp), (.timestamp(let unit, _)?, .timestamptz):
            switch unit {
            case .millis: return .int64Times1000
            case .micros: return .identity
            case .nanos: return .int64By1000
            }
        case (.timestamp?, _): return nil
        case (.integer(64, isSigned: false)?, .decimal(let precision, 0)):
            return precision >= 20 ? .uint64ToInt128 : nil
        case (.integer(64, isSigned: false)?, _): return nil
        case (_, .int64): return .identity
        default: return nil
        }
    }
}

extension Conversion {
    /// Whether raw values can be read straight into the column.
    var isIdentity: Bool { self == .identity || self == .boolean }

    /// Turns `count` raw values into values of the column.
    func apply(
        _ source: UnsafeRawPointer,
        _ count: Int,
        into target: UnsafeMutableRawPointer
    ) throws(ParquetError) {
        switch self {
        case .allNull: break
        case .boolean: target.copyMemory(from: source, byteCount: count)
        case .identity: preconditionFailure("the caller knows the width")
        case .int32ToInt64: widen(source, count, target, from: Int32.self, to: Int64.self)
        case .uint32ToInt64: widen(source, count, target, from: UInt32.self, to: Int64.self)
        case .int32ToInt128: widen(source, count, target, from: Int32.self, to: Int128.self)
        case .int64ToInt128: widen(source, count, target, from: Int64.self, to: Int128.self)
        case .uint64ToInt128: widen(source, count, target, from: UInt64.self, to: Int128.self)
        case .int32Times1000:
            let place = target.assumingMemoryBound(to: Int64.self)
            for index in 0..<count {
                let value = source.loadUnaligned(fromByteOffset: index &* 4, as: Int32.self)
                place[index] = Int64(value) &* 1000
            }
        case .int64Times1000: try multiply(source, count, target)
        case .int64By1000: try divide(source, count, target)
        case .daysToMicros:
            let place = target.assumingMemoryBound(to: Int64.self)
            for index in 0..<count {
                let days = source.loadUnaligned(fromByteOffset: index &* 4, as: Int32.self)
                let (micros, overflow) = Int64(days).multipliedReportingOverflow(
                    by: 86_400_000_000
                )
                if overflow { throw Conversion.outOfRange("the date of day \(days)") }
                place[index] = micros
            }
        case .floatToDouble:
            let place = target.assumingMemoryBound(to: Double.self)
            for index in 0..<count {
                let bits = source.loadUnaligned(fromByteOffset: index &* 4, as: UInt32.self)
                place[index] = Double(Float(bitPattern: bits))
            }
        case .halfToFloat:
            let place = target.assumingMemoryBound(to: Float.self)
            for index in 0..<count {
                let bits = source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self)
                place[index] = float(half: bits)
            }
        case .halfToDouble:
            let place = target.assumingMemoryBound(to: Double.self)
            for index in 0..<count {
                let bits = source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self)
                place[index] = Double(float(half: bits))
            }
        case .int96ToMicros: try julian(source, count, target)
        case .fixedToInt64(let length):
            let place = target.assumingMemoryBound(to: Int64.self)
            for index in 0..<count {
                let wide = try bigEndian(source + index &* length, length)
                guard let value = Int64(exactly: wide) else {
                    throw Conversion.outOfRange("a decimal of \(length) bytes")
                }
                place[index] = value
            }
        case .fixedToInt128(let length):
            let place = target.assumingMemoryBound(to: Int128.self)
            for index in 0..<count {
                place[index] = try bigEndian(source + index &* length, length)
            }
        case .viewToInt64:
            let place = target.assumingMemoryBound(to: Int64.self)
            for index in 0..<count {
                let wide = try bigEndian(view: source + index &* 16)
                guard let value = Int64(exactly: wide) else {
                    throw Conversion.outOfRange("a decimal")
                }
                place[index] = value
            }
        case .viewToInt128:
            let place = target.assumingMemoryBound(to: Int128.self)
            for index in 0..<count { place[index] = try bigEndian(view: source + index &* 16) }
        case .uuid:
            let place = target.assumingMemoryBound(to: Int128.self)
            for index in 0..<count {
                let bits = source.loadUnaligned(fromByteOffset: index &* 16, as: UInt128.self)
                place[index] = UUIDBits.ordered(fromBigEndian: UInt128(bigEndian: bits))
            }
        case .interval:
            let place = target.assumingMemoryBound(to: Int128.self)
            for index in 0..<count { place[index] = try readInterval(source + index &* 12).bits }
        case .fixedToView(let length):
            for index in 0..<count {
                makeView(source + index &* length, length, at: target + index &* 16)
            }
        }
    }

    static func outOfRange(_ what: String) -> ParquetError {
        .corrupt("\(what) is out of the type's range")
    }
}

@inline(__always)
private func widen<T: FixedWidthInteger & BitwiseCopyable, U: FixedWidthInteger & BitwiseCopyable>(
    _ source: UnsafeRawPointer,
    _ count: Int,
    _ target: UnsafeMutableRawPointer,
    from: T.Type,
    to: U.Type
) {
    let place = target.assumingMemoryBound(to: U.self)
    let stride = MemoryLayout<T>.size
    for index in 0..<count {
        let value = source.loadUnaligned(fromByteOffset: index &* stride, as: T.self)
        place[index] = U(truncatingIfNeeded: value)
    }
}

private func multiply(
    _ source: UnsafeRawPointer,
    _ count: Int,
    _ target: UnsafeMutableRawPointer
) throws(ParquetError) {
    let place = target.assumingMemoryBound(to: Int64.self)
    let bound = Int64.max / 1000
    var isInside = true
    for index in 0..<count {
        let value = source.loadUnaligned(fromByteOffset: index &* 8, as: Int64.self)
        isInside = isInside && value <= bound && value >= -bound
        place[index] = value &* 1000
    }
    if !isInside { throw Conversion.outOfRange("a time in milliseconds") }
}

private func divide(
    _ source: UnsafeRawPointer,
    _ count: Int,
    _ target: UnsafeMutableRawPointer
) throws(ParquetError) {
    let place = target.assumingMemoryBound(to: Int64.self)
    var rests: Int64 = 0
    for index in 0..<count {
        let value = source.loadUnaligned(fromByteOffset: index &* 8, as: Int64.self)
        let micros = value / 1000
        rests |= value &- micros &* 1000
        place[index] = micros
    }
    if rests != 0 {
        throw .unsupported("a time has nanoseconds that are not whole microseconds")
    }
}

private func julian(
    _ source: UnsafeRawPointer,
    _ count: Int,
    _ target: UnsafeMutableRawPointer
) throws(ParquetError) {
    let place = target.assumingMemoryBound(to: Int64.self)
    for index in 0..<count {
        let nanos = source.loadUnaligned(fromByteOffset: index &* 12, as: Int64.self)
        let day = source.loadUnaligned(fromByteOffset: index &* 12 &+ 8, as: Int32.self)
        // 1970-01-01 is the Julian day 2 440 588. Any 32-bit day in microseconds fits 64 bits only
        // up to about the year 294 000.
        let (micros, overflow) = (Int64(day) - 2_440_588).multipliedReportingOverflow(
            by: 86_400_000_000
        )
        let (sum, overflow2) = micros.addingReportingOverflow(nanos / 1000)
        if overflow || overflow2 { throw Conversion.outOfRange("a time in 96 bits") }
        if nanos % 1000 != 0 {
            throw .unsupported("a time has nanoseconds that are not whole microseconds")
        }
        place[index] = sum
    }
}

/// A big-endian two's complement number of at most 128 bits (more bytes only to repeat the sign).
func bigEndian(_ source: UnsafeRawPointer, _ length: Int) throws(ParquetError) -> Int128 {
    if length == 0 { return 0 }
    let bytes = source.assumingMemoryBound(to: UInt8.self)
    var high = Int64(Int8(bitPattern: bytes[0]))
    let sign: UInt8 = high < 0 ? 0xff : 0
    if length <= 8 {
        for index in 1..<max(1, length) { high = (high &<< 8) | Int64(bytes[index]) }
        return Int128(high)
    }
    let extra = max(0, length - 16)
    for index in 0..<extra where bytes[index] != sign {
        throw Conversion.outOfRange("a decimal of \(length) bytes")
    }
    if extra > 0, (bytes[extra] ^ sign) & 0x80 != 0 {
        throw Conversion.outOfRange("a decimal of \(length) bytes")
    }
    var value: Int128 = sign == 0 ? 0 : -1
    for index in extra..<length { value = (value &<< 8) | Int128(bytes[index]) }
    return value
}

private func bigEndian(view: UnsafeRawPointer) throws(ParquetError) -> Int128 {
    let length = Int(view.load(as: UInt32.self))
    if length <= StringView.inlineCountMax { return try bigEndian(view + 4, length) }
    let address = UInt(truncatingIfNeeded: view.load(fromByteOffset: 8, as: UInt64.self))
    return try bigEndian(UnsafeRawPointer(bitPattern: address).unsafelyUnwrapped, length)
}

private func readInterval(_ source: UnsafeRawPointer) throws(ParquetError) -> Interval {
    let months = source.loadUnaligned(as: UInt32.self)
    let days = source.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
    let millis = source.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
    guard let months = Int32(exactly: months), let days = Int32(exactly: days) else {
        throw Conversion.outOfRange("an interval")
    }
    return Interval(months: months, days: days, micros: Int64(millis) * 1000)
}

/// The value of an IEEE 754 number of 16 bits.
func float(half bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1f
    let mantissa = UInt32(bits & 0x3ff)
    if exponent == 31 { return Float(bitPattern: sign | 0x7f80_0000 | mantissa << 13) }
    if exponent == 0 {
        // Zero, or a denormal: the mantissa times 2 to the -24th.
        let value = Float(mantissa) * 0x1p-24
        return sign == 0 ? value : -value
    }
    return Float(bitPattern: sign | (exponent + 112) << 23 | mantissa << 13)
}

/// Throws when a decimal has more digits than its type allows: proofs rest on that bound.
func checkDecimals(
    _ values: UnsafeRawPointer,
    _ count: Int,
    precision: Int,
    isWide: Bool
) throws(ParquetError) {
    var isInside = true
    if isWide {
        let place = values.assumingMemoryBound(to: Int128.self)
        var bound: Int128 = 1
        for _ in 0..<precision { bound *= 10 }
        for index in 0..<count {
            isInside = isInside && place[index] < bound && place[index] > -bound
        }
    } else {
        let place = values.assumingMemoryBound(to: Int64.self)
        var bound: Int64 = 1
        for _ in 0..<min(18, precision) { bound *= 10 }
        var (smallest, largest): (Int64, Int64) = (0, 0)
        for index in 0..<count {
            smallest = min(smallest, place[index])
            largest = max(largest, place[index])
        }
        isInside = smallest > -bound && largest < bound
    }
    if !isInside { throw Conversion.outOfRange("a decimal of \(precision) digits") }
}
