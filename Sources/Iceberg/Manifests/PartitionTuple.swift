extension AvroCursor {
    /// Reads a partition value that should be of `type`; the width that the writer chose is accepted.
    ///
    /// - Throws: `corrupt` when it cannot be a value of the type.
    mutating func readDatum(
        _ schema: AvroSchema,
        type: IcebergType
    ) throws(IcebergError) -> Datum? {
        guard let branch = try readOptional(schema) else { return nil }
        let datum: Datum?
        switch branch {
        case .boolean: datum = .boolean(try readBoolean())
        case .int(let logical): datum = Self.datum(try readInt(), logical, type)
        case .long(let logical): datum = Self.datum(try readLong(), logical, type)
        case .float: datum = .float(try readFloat())
        case .double: datum = .double(try readDouble())
        case .bytes(let logical): datum = Self.datum(try readBytes(), logical, type)
        case .fixed(_, let size, let logical):
            datum = Self.datum(try readFixed(size), logical, type)
        case .string:
            let text = try readString()
            datum = type == .uuid ? Datum.uuid(text) : .string(text)
        default: throw corrupt("a partition value of a nested type")
        }
        if let datum {
            if type == .unknown { return datum }
            if let value = datum.promoted(to: type) { return value }
        }
        throw corrupt("a partition value is not of type \(type)")
    }

    private static func datum(
        _ value: Int32,
        _ logical: AvroLogicalType?,
        _ type: IcebergType
    ) -> Datum? {
        switch type {
        // The result of the day transform is a date, but some writers store an int.
        case .date: .date(value)
        case .timestamp, .timestampNanos: Datum.date(value).promoted(to: type)
        case .unknown: logical == .date ? .date(value) : .int(value)
        default: .int(value)
        }
    }

    private static func datum(
        _ value: Int64,
        _ logical: AvroLogicalType?,
        _ type: IcebergType
    ) -> Datum? {
        var value = value
        if case .timestampMillis = logical {
            let (micros, overflow) = value.multipliedReportingOverflow(by: 1000)
            if overflow { return nil }
            value = micros
        }
        switch type {
        case .long: return .long(value)
        case .int: return Int32(exactly: value).map { .int($0) }
        case .time: return .time(value)
        case .timestamp: return .timestamp(value)
        case .timestamptz: return .timestamptz(value)
        case .timestampNanos: return .timestampNanos(value)
        case .timestamptzNanos: return .timestamptzNanos(value)
        case .unknown:
            switch logical {
            case .timeMicros: return .time(value)
            case .timestampMicros(true), .timestampMillis(true): return .timestamptz(value)
            case .timestampMicros(false), .timestampMillis(false): return .timestamp(value)
            case .timestampNanos(true): return .timestamptzNanos(value)
            case .timestampNanos(false): return .timestampNanos(value)
            default: return .long(value)
            }
        default: return nil
        }
    }

    private static func datum(
        _ value: [UInt8],
        _ logical: AvroLogicalType?,
        _ type: IcebergType
    ) -> Datum? {
        switch (type, logical) {
        case (.decimal(_, let scale), _), (.unknown, .decimal(_, let scale)):
            Decimals.bigEndian(value).map { .decimal($0, scale: scale) }
        case (.uuid, _), (.unknown, .uuid):
            value.count == 16 ? .uuid(value.reduce(0) { $0 << 8 | UInt128($1) }) : nil
        case (.fixed, _): .fixed(value)
        case (.string, _):
            String(validating: value, as: UTF8.self).map { .string($0) }
        default: .binary(value)
        }
    }
}

extension AvroEncoder {
    /// Writes an optional partition value of `type`.
    ///
    /// - Throws: `invalid` when the value is of another type.
    mutating func write(_ datum: Datum?, type: IcebergType) throws(IcebergError) {
        // A field of type unknown has the schema null, and no branches.
        if type == .unknown, datum == nil { return }
        guard let datum else {
            write(branch: false)
            return
        }
        guard datum.isValid(for: type) || datum.isTruncatedBeyond(type) else {
            throw IcebergError(.invalid, "the partition value \(datum.text) is not of type \(type)")
        }
        write(branch: true)
        switch datum {
        case .boolean(let value): write(value)
        case .int(let value), .date(let value): write(value)
        case .long(let value), .time(let value), .timestamp(let value), .timestamptz(let value),
            .timestampNanos(let value), .timestamptzNanos(let value):
            write(value)
        case .float(let value): write(value)
        case .double(let value): write(value)
        case .string(let value): write(value)
        case .binary(let value): write(value)
        case .uuid, .fixed: write(fixed: datum.bytes)
        case .decimal(let unscaled, _):
            guard case .decimal(let precision, _) = type else { return }
            let count = Decimals.bytesNeeded(precision: precision)
            for index in (0..<count).reversed() {
                write(fixed: CollectionOfOne(UInt8(truncatingIfNeeded: unscaled >> (index * 8))))
            }
        }
    }
}

extension Datum {
    /// Whether this is a decimal with more digits than its type declares that its bytes still hold.
    ///
    /// Truncating a negative decimal goes down, and may so come by one digit more.
    fileprivate func isTruncatedBeyond(_ type: IcebergType) -> Bool {
        guard case .decimal(let unscaled, let scale) = self,
            case .decimal(let precision, let other) = type, scale == other
        else { return false }
        let shift = Decimals.bytesNeeded(precision: precision) * 8 - 1
        let rest = unscaled >> shift
        return rest == 0 || rest == -1
    }
}

/// Gathers what a manifest list says about the partitions in a manifest.
struct PartitionSummaryBuilder {
    private let types: [IcebergType]
    private var summaries: [Summary]

    private struct Summary {
        var containsNull = false
        var containsNaN = false
        var lower: Datum?
        var upper: Datum?
    }

    init(_ partitionType: StructType) {
        types = partitionType.fields.map(\.type)
        summaries = Array(repeating: Summary(), count: types.count)
    }

    mutating func add(_ partition: [Datum?]) {
        for (index, value) in partition.enumerated() where index < summaries.count {
            guard let value else {
                summaries[index].containsNull = true
                continue
            }
            if value.isNaN {
                summaries[index].containsNaN = true
                continue
            }
            if let lower = summaries[index].lower {
                if value.precedesAsBound(lower) { summaries[index].lower = value }
            } else {
                summaries[index].lower = value
            }
            if let upper = summaries[index].upper {
                if upper.precedesAsBound(value) { summaries[index].upper = value }
            } else {
                summaries[index].upper = value
            }
        }
    }

    /// One summary for each field; nil when a field's values have no order that readers could use.
    ///
    /// Bounds of null beside `contains_null = false` would say that there are no values at all, so what
    /// cannot be summed up must be left out as a whole.
    var result: [FieldSummary]? {
        if types.contains(.unknown) { return nil }
        return summaries.map {
            FieldSummary(
                containsNull: $0.containsNull,
                containsNaN: $0.containsNaN,
                lowerBound: $0.lower?.bytes,
                upperBound: $0.upper?.bytes
            )
        }
    }
}

extension Datum {
    /// Whether this is the smaller of two bounds: as in SQL, but `-0.0` comes before `0.0`.
    ///
    /// - Spec: "Data File Fields", note 2.
    package func precedesAsBound(_ other: Datum) -> Bool {
        switch (self, other) {
        case (.float(let left), .float(let right)) where left == 0 && right == 0:
            left.sign == .minus && right.sign == .plus
        case (.double(let left), .double(let right)) where left == 0 && right == 0:
            left.sign == .minus && right.sign == .plus
        default: (compared(to: other) ?? 0) < 0
        }
    }
}
