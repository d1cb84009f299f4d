package import Columnar

/// What is known of the values of a column chunk or a page without reading it.
///
/// Bounds are missing where the file has none that can be trusted: in the deprecated fields of types
/// that are not signed numbers, of an unknown order, or with NaN. They bound all values but NaNs.
package struct ColumnChunkStatistics: Sendable, Hashable {
    package var min: Value?
    package var max: Value?
    /// Whether some value equals `min` (or `max`); otherwise it may have been cut short.
    package var isMinExact = false
    package var isMaxExact = false
    package var nullCount: Int?
    /// NaNs, of files that tell.
    package var nanCount: Int?
    /// Values with nulls.
    package var valueCount = 0

    /// Whether every value is known to be null.
    package var isAllNull: Bool { nullCount == valueCount }

    package init() {}
}

extension ParquetMetadata {
    /// The statistics of a leaf column in a row group, in values of its natural type.
    package func statistics(rowGroup: Int, leaf leafIndex: Int) -> ColumnChunkStatistics {
        let leaf = schema.leaves[leafIndex]
        let chunk = rowGroups[rowGroup].columns[leafIndex]
        var result = ColumnChunkStatistics()
        result.valueCount = chunk.valueCount
        guard chunk.unreadableReason == nil, let raw = chunk.statistics else { return result }
        if let count = raw.nullCount, count <= chunk.valueCount { result.nullCount = count }
        result.nanCount = raw.nanCount
        guard let reader = BoundReader(leaf, order: columnOrders[leafIndex]) else { return result }
        var (low, high) = (raw.min, raw.max)
        if !reader.usesOrder || (low == nil && high == nil) {
            (low, high) =
                reader.usesDeprecated ? (raw.deprecatedMin, raw.deprecatedMax) : (nil, nil)
        }
        reader.fill(
            &result,
            min: low,
            max: high,
            isMinExact: raw.isMinExact,
            isMaxExact: raw.isMaxExact
        )
        return result
    }

    /// The statistics of the pages of a leaf column, from its column index.
    ///
    /// - Parameter rowCounts: per page, from `OffsetIndex`; the values of flat columns.
    /// - Returns: one a page; their exactness is not known.
    package func statistics(
        of index: ColumnIndex,
        leaf leafIndex: Int,
        rowCounts: [Int]
    ) -> [ColumnChunkStatistics] {
        let reader = BoundReader(schema.leaves[leafIndex], order: columnOrders[leafIndex])
        return (0..<index.pageCount).map { page in
            var result = ColumnChunkStatistics()
            result.valueCount = rowCounts.indices.contains(page) ? rowCounts[page] : 0
            result.nullCount = index.nullCounts?[page]
            if index.areNullPages[page] {
                result.nullCount = result.valueCount
            } else if let reader, reader.usesOrder {
                reader.fill(
                    &result,
                    min: index.minValues[page],
                    max: index.maxValues[page],
                    isMinExact: false,
                    isMaxExact: false
                )
            }
            return result
        }
    }
}

/// Turns the bytes of bounds into values.
struct BoundReader {
    private let leaf: ParquetLeaf
    private let type: DataType
    private let conversion: Conversion
    /// Whether the fields that follow the column's order can be used.
    let usesOrder: Bool
    /// Whether the deprecated fields, which compare as signed numbers, can be used.
    let usesDeprecated: Bool

    /// - Returns: nil when bounds of the type have no order.
    init?(_ leaf: ParquetLeaf, order: ColumnOrder) {
        guard let type = leaf.type, leaf.physical != .int96, type != .interval, type != .null,
            let conversion = try? leaf.conversion(to: type)
        else { return nil }
        switch leaf.logical {
        case .geometry, .geography, .unknown, .variant: return nil
        default: break
        }
        self.leaf = leaf
        self.type = type
        self.conversion = conversion
        usesOrder = order != .undefined
        let isUnsigned: Bool
        if case .integer(_, isSigned: false)? = leaf.logical {
            isUnsigned = true
        } else {
            isUnsigned = false
        }
        switch leaf.physical {
        case .boolean, .int32, .int64, .float, .double: usesDeprecated = !isUnsigned
        case .int96, .byteArray, .fixedLengthByteArray: usesDeprecated = false
        }
    }

    func fill(
        _ result: inout ColumnChunkStatistics,
        min low: [UInt8]?,
        max high: [UInt8]?,
        isMinExact: Bool?,
        isMaxExact: Bool?
    ) {
        let (lowBound, isCutLow) = bound(low, isUpper: false)
        var (smallest, largest) = (lowBound, bound(high, isUpper: true).0)
        // A NaN on either side makes both of no use: the writer compared with it.
        if Self.isNaN(smallest) || Self.isNaN(largest) { (smallest, largest) = (nil, nil) }
        // Zeros of either sign are equal: the bounds must hold for both.
        switch smallest {
        case .float32(0)?: smallest = .float32(-0.0)
        case .float64(0)?: smallest = .float64(-0.0)
        default: break
        }
        switch largest {
        case .float32(0)?: largest = .float32(0)
        case .float64(0)?: largest = .float64(0)
        default: break
        }
        // Numbers are never cut; of texts that is known only when the file says so.
        let isNumber = type.physical != .view
        result.min = smallest
        result.max = largest
        result.isMinExact = smallest != nil && !isCutLow && (isMinExact ?? isNumber)
        result.isMaxExact = largest != nil && (isMaxExact ?? isNumber)
    }

    private static func isNaN(_ value: Value?) -> Bool {
        switch value {
        case .float32(let value)?: value.isNaN
        case .float64(let value)?: value.isNaN
        default: false
        }
    }

    /// A bound as a value; nil when the bytes are not one.
    ///
    /// `isCut` when it had to be shortened.
    private func bound(_ bytes: [UInt8]?, isUpper: Bool) -> (Value?, isCut: Bool) {
        guard let bytes else { return (nil, false) }
        switch type {
        case .string:
            if let text = String(validating: bytes, as: UTF8.self) { return (.string(text), false) }
            // Cut inside a character: less of it is still a lower bound, but no upper one.
            if isUpper { return (nil, true) }
            for drop in 1...3 where drop <= bytes.count {
                if let text = String(validating: bytes.dropLast(drop), as: UTF8.self) {
                    return (.string(text), true)
                }
            }
            return (nil, true)
        case .binary: return (.binary(bytes), false)
        case .fixed(let length):
            // Cut short, it is a bound of bytes all the same.
            return bytes.count <= length ? (.fixed(bytes), false) : (nil, true)
        case .boolean: return bytes.count == 1 ? (.boolean(bytes[0] != 0), false) : (nil, true)
        default: return (number(bytes), false)
        }
    }

    private func number(_ bytes: [UInt8]) -> Value? {
        var source = [UInt8](repeating: 0, count: 64)
        switch leaf.physical {
        case .byteArray:
            guard bytes.count <= 40 else { return nil }
            source.replaceSubrange(24..<24 + bytes.count, with: bytes)
        default:
            guard bytes.count == leaf.rawWidth, bytes.count <= 64 else { return nil }
            source.replaceSubrange(0..<bytes.count, with: bytes)
        }
        let target = Buffer(zeroedByteCount: 16)
        let isDone = source.withUnsafeBytes { raw -> Bool in
            if conversion == .identity {
                target.base.copyMemory(from: raw.start, byteCount: leaf.rawWidth)
                return true
            }
            if leaf.physical == .byteArray {
                // A decimal of any length.
                guard let digits = try? bigEndian(raw.start + 24, bytes.count) else { return false }
                if type.physical == .int128 {
                    target.mutable(as: Int128.self)[0] = digits
                    return true
                }
                guard let narrow = Int64(exactly: digits) else { return false }
                target.mutable(as: Int64.self)[0] = narrow
                return true
            }
            return (try? conversion.apply(raw.start, 1, into: target.base)) != nil
        }
        return isDone ? Column(type, count: 1, buffer: target).value(at: 0) : nil
    }
}
