import Bytes
import Columnar

/// Turns values as columns hold them into the bytes of pages.
enum PlainEncoder {
    /// Appends a page's values in the encoding that the options ask for, if the type has it.
    ///
    /// - Returns: the encoding used.
    static func append(
        _ values: UnsafeRawBufferPointer,
        count: Int,
        leaf: WriteLeaf,
        encoding: ParquetWriteOptions.NumberEncoding,
        to target: inout [UInt8]
    ) -> ParquetEncoding {
        let isInteger = leaf.physical == .int32 || leaf.physical == .int64
        let isFloating = leaf.physical == .float || leaf.physical == .double
        switch encoding {
        case .delta where isInteger && leaf.type != .null:
            var wide = [Int64](repeating: 0, count: count)
            for index in 0..<count {
                wide[index] =
                    leaf.type.physical == .int32
                    ? Int64(values.loadUnaligned(fromByteOffset: index * 4, as: Int32.self))
                    : values.loadUnaligned(fromByteOffset: index * 8, as: Int64.self)
            }
            wide.withUnsafeBufferPointer { source in
                // An empty array's address is not read.
                if let base = source.baseAddress {
                    DeltaBinaryEncoder.append(
                        base,
                        count: count,
                        is32Bit: leaf.physical == .int32,
                        to: &target
                    )
                }
            }
            return .deltaBinaryPacked
        case .byteStreamSplit where isFloating:
            var plain: [UInt8] = []
            appendPlain(values, count: count, leaf: leaf, to: &plain)
            let width = leaf.physical == .float ? 4 : 8
            target.reserveCapacity(target.count + plain.count)
            for byte in 0..<width {
                for index in 0..<count { target.append(plain[index * width + byte]) }
            }
            return .byteStreamSplit
        default:
            appendPlain(values, count: count, leaf: leaf, to: &target)
            return .plain
        }
    }

    /// Appends values in PLAIN.
    static func appendPlain(
        _ values: UnsafeRawBufferPointer,
        count: Int,
        leaf: WriteLeaf,
        to target: inout [UInt8]
    ) {
        switch (leaf.type.physical, leaf.physical) {
        case (.bit, _):
            HybridEncoder.pack((count + 7) / 8 * 8, width: 1, to: &target) { index in
                index < count ? UInt64(values[index]) : 0
            }
        case (.int64, .int32):
            target.reserveCapacity(target.count + count * 4)
            for index in 0..<count {
                let value = values.loadUnaligned(fromByteOffset: index * 8, as: Int64.self)
                target.appendLittleEndian(Int32(truncatingIfNeeded: value))
            }
        case (.int128, _):
            target.reserveCapacity(target.count + count * leaf.typeLength)
            for index in 0..<count {
                let value = values.loadUnaligned(fromByteOffset: index * 16, as: Int128.self)
                let bits =
                    leaf.type == .uuid
                    ? UUIDBits.bigEndian(fromOrdered: value) : UInt128(bitPattern: value)
                for byte in (0..<leaf.typeLength).reversed() {
                    target.append(UInt8(truncatingIfNeeded: bits >> UInt128(8 * byte)))
                }
            }
        default:
            target.append(contentsOf: values)
        }
    }
}

/// Bounds of the values of one page.
enum PageStatistics {
    static func ofNumbers(
        _ values: UnsafeRawBufferPointer,
        count: Int,
        type: DataType
    ) -> BoundsAndCounts {
        var result = BoundsAndCounts()
        if count == 0 { return result }
        let start = values.start
        func integers<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) {
            var smallest = T.max
            var largest = T.min
            for index in 0..<count {
                let value = start.loadUnaligned(
                    fromByteOffset: index &* MemoryLayout<T>.size,
                    as: T.self
                )
                smallest = min(smallest, value)
                largest = max(largest, value)
            }
            result.min = .number(Int128(truncatingIfNeeded: smallest))
            result.max = .number(Int128(truncatingIfNeeded: largest))
        }
        func floats<T: BinaryFloatingPoint & BitwiseCopyable>(_: T.Type) {
            var smallest = T.infinity
            var largest = -T.infinity
            var nanCount = 0
            for index in 0..<count {
                let value = start.loadUnaligned(
                    fromByteOffset: index &* MemoryLayout<T>.size,
                    as: T.self
                )
                if value.isNaN {
                    nanCount += 1
                } else {
                    smallest = value < smallest ? value : smallest
                    largest = value > largest ? value : largest
                }
            }
            result.nanCount = nanCount
            if nanCount == count { return }
            // Zeros of either sign are equal: a bound must lie outside of both.
            result.min = .floating(smallest == 0 ? -0.0 : Double(smallest))
            result.max = .floating(largest == 0 ? 0.0 : Double(largest))
        }
        switch type.physical {
        case .bit: integers(UInt8.self)
        case .int32: integers(Int32.self)
        case .int64: integers(Int64.self)
        case .int128: integers(Int128.self)
        case .float32: floats(Float.self)
        case .float64: floats(Double.self)
        case .none, .view, .list, .structure, .map: break
        }
        return result
    }

    /// - Parameter fixedLength: of each value; nil when each has its length in front.
    static func ofBytes(_ values: UnsafeRawBufferPointer, fixedLength: Int?) -> BoundsAndCounts {
        var bounds = ByteBounds()
        var offset = 0
        while offset < values.count {
            var length = fixedLength ?? 0
            if fixedLength == nil {
                length = Int(values.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
                offset += 4
            }
            bounds.add(values.start + offset, length)
            offset += length
        }
        return bounds.statistics
    }
}
