import Bytes

extension Datum {
    /// Reads a value from its binary single-value form, as bounds are stored.
    ///
    /// Bounds of a column that was promoted keep the width they were written with, so four bytes are
    /// also read for `long` and `double`.
    ///
    /// - Throws: `corrupt` when the width does not fit the type; `unsupported` for types without a form.
    /// - Spec: Appendix D, "Binary single-value serialization", and "Schema Evolution" for widths.
    package init(bytes: [UInt8], type: IcebergType) throws(IcebergError) {
        func little<T: FixedWidthInteger>(_: T.Type) -> T {
            var value: T = 0
            for (index, byte) in bytes.enumerated() {
                value |= T(truncatingIfNeeded: byte) << (index * 8)
            }
            return value
        }
        switch (type, bytes.count) {
        case (.boolean, 1): self = .boolean(bytes[0] != 0)
        case (.int, 4): self = .int(little(Int32.self))
        case (.long, 4): self = .long(Int64(little(Int32.self)))
        case (.long, 8): self = .long(little(Int64.self))
        case (.float, 4): self = .float(Float(bitPattern: little(UInt32.self)))
        case (.double, 4): self = .double(Double(Float(bitPattern: little(UInt32.self))))
        case (.double, 8): self = .double(Double(bitPattern: little(UInt64.self)))
        case (.decimal(_, let scale), _):
            guard let unscaled = Decimals.bigEndian(bytes) else {
                throw Self.wrongWidth(bytes, type)
            }
            self = .decimal(unscaled, scale: scale)
        case (.date, 4): self = .date(little(Int32.self))
        case (.time, 8): self = .time(little(Int64.self))
        case (.timestamp, 8): self = .timestamp(little(Int64.self))
        case (.timestamptz, 8): self = .timestamptz(little(Int64.self))
        case (.timestampNanos, 8): self = .timestampNanos(little(Int64.self))
        case (.timestamptzNanos, 8): self = .timestamptzNanos(little(Int64.self))
        case (.timestamp, 4), (.timestampNanos, 4):
            guard let value = Datum.date(little(Int32.self)).promoted(to: type) else {
                throw IcebergError(.corrupt, "a date is outside the range of \(type)")
            }
            self = value
        case (.string, _):
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw IcebergError(.corrupt, "a string value is not UTF-8")
            }
            self = .string(text)
        case (.uuid, 16):
            self = .uuid(bytes.reduce(0) { $0 << 8 | UInt128($1) })
        case (.fixed, _): self = .fixed(bytes)
        case (.binary, _): self = .binary(bytes)
        case (.struct, _), (.list, _), (.map, _), (.variant, _), (.geospatial, _), (.unknown, _):
            throw IcebergError(.unsupported, "\(type) has no binary single-value form")
        default: throw Self.wrongWidth(bytes, type)
        }
    }

    private static func wrongWidth(_ bytes: [UInt8], _ type: IcebergType) -> IcebergError {
        IcebergError(.corrupt, "a value of type \(type) cannot have \(bytes.count) bytes")
    }

    /// The binary single-value form.
    ///
    /// - Spec: Appendix D, "Binary single-value serialization".
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .boolean(let value): bytes.append(value ? 1 : 0)
        case .int(let value), .date(let value): bytes.appendLittleEndian(value)
        case .long(let value), .time(let value), .timestamp(let value), .timestamptz(let value),
            .timestampNanos(let value), .timestamptzNanos(let value):
            bytes.appendLittleEndian(value)
        case .float(let value): bytes.appendLittleEndian(value.bitPattern)
        case .double(let value): bytes.appendLittleEndian(value.bitPattern)
        case .decimal(let unscaled, _): bytes = Decimals.minimalBigEndian(unscaled)
        case .string(let value): bytes.append(contentsOf: value.utf8)
        case .uuid(let value): bytes.appendBigEndian(value)
        case .fixed(let value), .binary(let value): bytes = value
        }
        return bytes
    }
}
