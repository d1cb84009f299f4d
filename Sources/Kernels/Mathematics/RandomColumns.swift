package import Columnar

/// Random values, one a row; SplitMix64 from a seed of the operating system.
///
/// Not for secrets. One worker owns it.
package final class RandomColumns {
    private var state: UInt64

    package init() {
        var system = SystemRandomNumberGenerator()
        state = system.next()
    }

    private func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Doubles from 0 up to but without 1.
    package func doubles(_ count: Int) -> Column {
        let buffer = Buffer(byteCount: count * 8)
        let target = buffer.mutable(as: Double.self)
        for row in 0..<count { target[row] = Double(next() >> 11) * 0x1p-53 }
        return Column(.float64, count: count, buffer: buffer)
    }

    /// UUIDs of version 4, or of version 7 that begin with the milliseconds given.
    package func uuids(_ count: Int, millis: Int64? = nil) -> Column {
        // These name things for good: they get the system's own bits.
        var system = SystemRandomNumberGenerator()
        let buffer = Buffer(byteCount: count * 16)
        let target = buffer.mutable(as: Int128.self)
        for row in 0..<count {
            var high: UInt64 = system.next()
            let low: UInt64 = system.next() & ~(0b11 << 62) | (0b10 << 62)
            if let millis {
                // The row's number keeps those of one statement in order.
                let order = UInt64(truncatingIfNeeded: row) & 0xFFF
                high = UInt64(bitPattern: millis) << 16 | 0x7000 | order
            } else {
                high = high & ~0xF000 | 0x4000
            }
            target[row] = UUIDBits.ordered(fromBigEndian: UInt128(high) << 64 | UInt128(low))
        }
        return Column(.uuid, count: count, buffer: buffer)
    }
}

/// What a UUID says about itself.
package enum UUIDFunctions {
    /// The version in its 13th digit, as int32.
    package static func version(_ column: Column) throws(KernelError) -> Column {
        guard column.type == .uuid || column.isAllNull else {
            throw KernelError(.unsupported, "uuid_extract_version of \(column.type)")
        }
        return column.mapped(to: .int32) { column in
            Casting.convertAll(column, .int32, Int128.self) { bits -> Int32 in
                Int32(truncatingIfNeeded: UUIDBits.bigEndian(fromOrdered: bits) >> 76 & 15)
            }
        }
    }

    /// The time in a UUID of version 7, as timestamptz; others are refused.
    package static func timestamp(_ column: Column) throws(KernelError) -> Column {
        guard column.type == .uuid || column.isAllNull else {
            throw KernelError(.unsupported, "uuid_extract_timestamp of \(column.type)")
        }
        return try column.mapped(to: .timestamptz) { column throws(KernelError) -> Column in
            let source = Operand(column).pointer(Int128.self)
            let buffer = Buffer(zeroedByteCount: column.count * 8)
            let target = buffer.mutable(as: Int64.self)
            try forEachValid(column.validity, column.count) { (row) throws(KernelError) in
                let raw = UUIDBits.bigEndian(fromOrdered: source[row])
                let version = raw >> 76 & 15
                guard version == 7 else {
                    throw KernelError(
                        .outOfRange,
                        "a UUID of version \(version) holds no time, only one of version 7"
                    )
                }
                target[row] = Int64(truncatingIfNeeded: raw >> 80) * 1000
            }
            return withExtendedLifetime(column) {
                Column(.timestamptz, count: column.count, validity: column.validity, buffer: buffer)
            }
        }
    }
}
