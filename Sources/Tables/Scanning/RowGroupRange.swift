import Columnar
import Iceberg
import Parquet

extension ValueRange {
    /// What a footer says of one flat column in a row group.
    ///
    /// Statistics come from strangers: what cannot be understood, or contradicts itself, is left out.
    init(_ chunk: ColumnChunkMetadata, leaf: ParquetLeaf, order: ColumnOrder) {
        self.init()
        let isFloating = leaf.physical == .float || leaf.physical == .double
        if !isFloating && leaf.logical != .float16 { mayBeNaN = false }
        if leaf.maxDefinitionLevel == 0 { mayBeNull = false }
        guard let statistics = chunk.statistics else { return }
        if let nullCount = statistics.nullCount, nullCount >= 0, nullCount <= chunk.valueCount {
            mayBeNull = nullCount > 0
            if nullCount == chunk.valueCount { (mayHaveValues, mayBeNaN) = (false, false) }
        }
        if isFloating, let nanCount = statistics.nanCount { mayBeNaN = nanCount > 0 }

        var (low, high) = (statistics.min, statistics.max)
        if leaf.hasSignedOrder {
            // Only signed numbers were ordered the same way before orders were defined.
            (low, high) = (low ?? statistics.deprecatedMin, high ?? statistics.deprecatedMax)
        } else if order == .undefined {
            return
        }
        // A bound that is NaN came from a writer that does not sort NaNs out: the other one may be
        // wrong too.
        let lowBound = low.flatMap { leaf.bound($0, isUpper: false) }
        let highBound = high.flatMap { leaf.bound($0, isUpper: true) }
        if lowBound?.isNaN ?? false || highBound?.isNaN ?? false { return }
        if let lowBound, let highBound, lowBound.compared(to: highBound) ?? 0 > 0 { return }
        (lower, upper) = (lowBound, highBound)
    }

    /// What is known of a column that has the same value in every row.
    init(constant value: Value, type: IcebergType) {
        if value.isNull {
            self.init(only: nil)
        } else if let datum = Datum(value, type: type) {
            self.init(only: datum)
        } else {
            self.init()
        }
    }
}

extension ParquetLeaf {
    /// Whether values are ordered as signed numbers, so that the deprecated statistics can be used.
    fileprivate var hasSignedOrder: Bool {
        switch physical {
        case .int32, .int64:
            if case .integer(_, isSigned: false)? = logical { return false }
            return true
        case .float, .double: return logical == nil
        case .boolean: return true
        default: return false
        }
    }

    /// A bound as statistics store it; nil when it cannot be understood.
    ///
    /// - Spec: parquet.thrift, `Statistics` and `ColumnOrder`.
    fileprivate func bound(_ bytes: [UInt8], isUpper: Bool) -> Datum? {
        switch physical {
        case .boolean: bytes.count == 1 ? .boolean(bytes[0] != 0) : nil
        case .int32:
            bytes.count == 4 ? int32Bound(Int32(truncatingIfNeeded: little(bytes))) : nil
        case .int64:
            bytes.count == 8
                ? int64Bound(Int64(truncatingIfNeeded: little(bytes)), isUpper: isUpper) : nil
        case .float:
            bytes.count == 4 && logical == nil
                ? .float(Float(bitPattern: UInt32(truncatingIfNeeded: little(bytes)))) : nil
        case .double:
            bytes.count == 8 && logical == nil
                ? .double(Double(bitPattern: UInt64(truncatingIfNeeded: little(bytes)))) : nil
        case .int96: nil
        case .byteArray, .fixedLengthByteArray: byteBound(bytes, isUpper: isUpper)
        }
    }

    private func little(_ bytes: [UInt8]) -> UInt64 {
        var value: UInt64 = 0
        for (index, byte) in bytes.enumerated() { value |= UInt64(byte) << UInt64(index * 8) }
        return value
    }

    private func int32Bound(_ value: Int32) -> Datum? {
        switch logical {
        case nil, .integer(_, isSigned: true)?: .int(value)
        case .integer(_, isSigned: false)?: .long(Int64(UInt32(bitPattern: value)))
        case .date?: .date(value)
        case .time(.millis)?: .time(Int64(value) * 1000)
        case .decimal(_, let scale)?: .decimal(Int128(value), scale: scale)
        default: nil
        }
    }

    private func int64Bound(_ value: Int64, isUpper: Bool) -> Datum? {
        switch logical {
        case nil, .integer(64, isSigned: true)?: return .long(value)
        case .integer(64, isSigned: false)?:
            return .decimal(Int128(UInt64(bitPattern: value)), scale: 0)
        case .decimal(_, let scale)?: return .decimal(Int128(value), scale: scale)
        case .time(.micros)?: return .time(value)
        case .timestamp(let unit, let isUTC)?:
            switch unit {
            case .micros: return isUTC ? .timestamptz(value) : .timestamp(value)
            case .nanos: return isUTC ? .timestamptzNanos(value) : .timestampNanos(value)
            case .millis:
                let (micros, overflow) = value.multipliedReportingOverflow(by: 1000)
                if overflow { return nil }
                return isUTC ? .timestamptz(micros) : .timestamp(micros)
            }
        default: return nil
        }
    }

    private func byteBound(_ bytes: [UInt8], isUpper: Bool) -> Datum? {
        switch logical {
        case .decimal(_, let scale)?:
            guard !bytes.isEmpty, bytes.count <= 16 else { return nil }
            var value: Int128 = bytes[0] >= 0x80 ? -1 : 0
            for byte in bytes { value = value << 8 | Int128(byte) }
            return .decimal(value, scale: scale)
        case .uuid?:
            guard bytes.count == 16 else { return nil }
            return .uuid(bytes.reduce(0) { $0 << 8 | UInt128($1) })
        case .string?, .enumeration?, .json?:
            // Long bounds are cut, possibly inside a character: what is left of a lower bound is
            // still one, of an upper bound it may not be.
            if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
            if isUpper { return nil }
            for cut in 1..<4 where cut < bytes.count {
                if let text = String(validating: bytes.dropLast(cut), as: UTF8.self) {
                    return .string(text)
                }
            }
            return nil
        case nil: return type == .string ? nil : .binary(bytes)
        default: return nil
        }
    }
}
