package import Columnar

/// 64-bit hashes of rows, for hash tables and for spreading rows over partitions.
///
/// Values that compare equal hash the same, also across widths: an int32 as the int64 of the same
/// number, a float as the double, a decimal of 9 digits as one of 38 at the same scale. NaNs hash
/// alike, -0.0 as 0.0, and null has a hash of its own. The numbers may change between versions:
/// they never go to storage (Iceberg's bucket transform has its own hash).
package enum Hashing {
    /// A `UInt64` a row over all columns together.
    ///
    /// With no columns every hash is the same.
    package static func hash(_ columns: [Column], count: Int) -> Buffer {
        let result = Buffer(byteCount: count * 8)
        let hashes = result.mutable(as: UInt64.self)
        guard let first = columns.first else {
            for row in 0..<count { hashes[row] = nullHash }
            return result
        }
        hashColumn(first, count: count, combining: false, hashes)
        for column in columns.dropFirst() {
            hashColumn(column, count: count, combining: true, hashes)
        }
        return result
    }

    static let nullHash: UInt64 = 0x9AE1_6A3B_2F90_404F

    /// The high and low halves of the 128-bit product, xored: one multiplication that spreads every
    /// bit of the input over the whole result.
    @inline(__always)
    static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    @inline(__always)
    static func mix(_ value: UInt64) -> UInt64 {
        let folded = fold(value ^ 0xA076_1D64_78BD_642F, 0xE703_7ED1_A0B4_28DB)
        return folded ^ (folded &>> 29)
    }

    @inline(__always)
    static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let folded = fold(a ^ 0xA076_1D64_78BD_642F, b ^ 0xE703_7ED1_A0B4_28DB)
        return fold(folded ^ 0x8EBC_6AF0_9C88_C6E3, 0x5899_65CC_7537_4CC3)
    }

    @inline(__always)
    static func mix(_ value: Int128) -> UInt64 {
        let low = Int64(truncatingIfNeeded: value)
        let high = Int64(truncatingIfNeeded: value &>> 64)
        if high == low &>> 63 { return mix(UInt64(bitPattern: low)) }
        return mix(UInt64(bitPattern: low), UInt64(bitPattern: high))
    }

    @inline(__always)
    static func mix(_ value: Double) -> UInt64 {
        if value == 0 { return mix(0 as UInt64) }
        if value != value { return mix(0x7FF8_0000_0000_0000 as UInt64) }
        return mix(value.bitPattern)
    }

    @inline(__always)
    static func mix(_ place: UnsafePointer<StringView>) -> UInt64 {
        let view = place.pointee
        if view.length <= 12 {
            return mix(UInt64(view.length) | UInt64(view.prefix) &<< 32, view.rest)
        }
        return mixLong(view.start, Int(view.length))
    }

    /// Bytes of more than 12, in steps of 16; the last step may overlap the one before.
    @inline(never)
    private static func mixLong(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> UInt64 {
        let raw = UnsafeRawPointer(bytes)
        // Spread, so that the count does not make up for a letter: texts of words, of which one is there
        // once or twice, differ in just these.
        var state = UInt64(truncatingIfNeeded: count) &* 0x2D35_8DCC_AA6C_78A5
        var offset = 0
        while count &- offset > 16 {
            let a = raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let b = raw.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self)
            state = fold(a ^ 0xA076_1D64_78BD_642F ^ state, b ^ 0xE703_7ED1_A0B4_28DB)
            offset &+= 16
        }
        // 13 bytes at least: both loads are inside, from the end backwards.
        let b = raw.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        let a = raw.loadUnaligned(fromByteOffset: max(0, count &- 16), as: UInt64.self)
        return mix(a ^ state, b)
    }

    @inline(__always)
    private static func combine(_ hash: UInt64, _ value: UInt64) -> UInt64 {
        fold(hash ^ 0x8EBC_6AF0_9C88_C6E3, 0x5899_65CC_7537_4CC3) ^ value
    }

    @inline(__always)
    private static func fill(
        _ count: Int,
        _ validity: Bitmap?,
        _ combining: Bool,
        _ hashes: UnsafeMutablePointer<UInt64>,
        _ value: (Int) -> UInt64
    ) {
        if let words = validity?.words {
            for row in 0..<count {
                let valid = words[row &>> 6] &>> UInt64(row & 63) & 1
                let own = valid != 0 ? value(row) : nullHash
                hashes[row] = combining ? combine(hashes[row], own) : own
            }
        } else if combining {
            for row in 0..<count { hashes[row] = combine(hashes[row], value(row)) }
        } else {
            for row in 0..<count { hashes[row] = value(row) }
        }
    }

    private static func hashColumn(
        _ column: Column,
        count: Int,
        combining: Bool,
        _ hashes: UnsafeMutablePointer<UInt64>
    ) {
        precondition(column.count == count)
        guard count > 0 else { return }
        let validity = column.validity
        switch column.storage {
        case .null:
            fill(count, nil, combining, hashes) { _ in nullHash }
        case .constant(let box):
            let one = hash([box.column], count: 1)
            let own = withExtendedLifetime(one) { one.mutable(as: UInt64.self)[0] }
            fill(count, nil, combining, hashes) { _ in own }
        case .dictionary(let codes, let dictionary):
            guard dictionary.count <= count else {
                return hashColumn(
                    column.flattened(),
                    count: count,
                    combining: combining,
                    hashes
                )
            }
            let entries = hash([dictionary.values], count: dictionary.count)
            let entry = entries.mutable(as: UInt64.self)
            let code = codes.pointer(as: UInt32.self)
            fill(count, validity, combining, hashes) { entry[Int(code[$0])] }
            withExtendedLifetime(entries) {}
        case .bits(let bits):
            let words = bits.words
            fill(count, validity, combining, hashes) { mix(bitOf(words, $0)) }
        case .fixed(let values):
            hashFixed(column.type, values, count, validity, combining, hashes)
        case .views(let views, _):
            let places = views.pointer(as: StringView.self)
            fill(count, validity, combining, hashes) { mix(places + $0) }
        case .structure(let fields):
            let own = hash(fields, count: count)
            let pointer = own.mutable(as: UInt64.self)
            fill(count, validity, combining, hashes) { pointer[$0] }
            withExtendedLifetime(own) {}
        case .list(let offsets, let elements):
            let own = hash([elements.column], count: elements.column.count)
            hashLists(offsets, own, count, validity, combining, hashes)
        case .map(let offsets, let keys, let values):
            let own = hash([keys.column, values.column], count: keys.column.count)
            hashLists(offsets, own, count, validity, combining, hashes)
        }
        withExtendedLifetime(column) {}
    }

    private static func hashLists(
        _ offsets: BufferSlice,
        _ elements: Buffer,
        _ count: Int,
        _ validity: Bitmap?,
        _ combining: Bool,
        _ hashes: UnsafeMutablePointer<UInt64>
    ) {
        let bounds = offsets.pointer(as: Int32.self)
        let element = elements.mutable(as: UInt64.self)
        fill(count, validity, combining, hashes) { row in
            var state = mix(UInt64(truncatingIfNeeded: bounds[row + 1] &- bounds[row]))
            var index = Int(bounds[row])
            while index < Int(bounds[row + 1]) {
                state = combine(state, element[index])
                index &+= 1
            }
            return state
        }
        withExtendedLifetime((offsets.buffer, elements)) {}
    }

    private static func hashFixed(
        _ type: DataType,
        _ values: BufferSlice,
        _ count: Int,
        _ validity: Bitmap?,
        _ combining: Bool,
        _ hashes: UnsafeMutablePointer<UInt64>
    ) {
        switch type.physical {
        case .int32:
            let source = values.pointer(as: Int32.self)
            fill(count, validity, combining, hashes) {
                mix(UInt64(bitPattern: Int64(source[$0])))
            }
        case .int64:
            let source = values.pointer(as: UInt64.self)
            fill(count, validity, combining, hashes) { mix(source[$0]) }
        case .float32:
            let source = values.pointer(as: Float.self)
            fill(count, validity, combining, hashes) { mix(Double(source[$0])) }
        case .float64:
            let source = values.pointer(as: Double.self)
            fill(count, validity, combining, hashes) { mix(source[$0]) }
        default:
            if type == .interval {
                let source = values.pointer(as: IntervalLane.self)
                fill(count, validity, combining, hashes) { mix(source[$0].rank) }
            } else {
                let source = values.pointer(as: Int128.self)
                fill(count, validity, combining, hashes) { mix(source[$0]) }
            }
        }
    }
}
