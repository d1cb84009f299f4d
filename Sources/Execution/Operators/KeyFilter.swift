import Columnar
import Kernels
import Planner

/// The integer keys of a join's built side, as a set that scans below the other side can ask.
///
/// Exact (a bit for each number from the least key to the greatest) where they lie close together, else
/// a Bloom filter: it may say yes for a key that is not there, never no for one that is. Immutable once
/// built, so all workers read it at once.
///
/// `@unchecked Sendable`: `words` is written in `init` only.
final class KeyFilter: @unchecked Sendable {
    let lower: Int64
    let upper: Int64
    private let words: Buffer
    private let isExact: Bool
    /// For Bloom filters, one less than the number of words.
    private let wordMask: UInt64

    /// Bits of an exact set that are always affordable: they fit into a processor's cache.
    private static let exactBitCountMin = 1 << 22
    /// Above this share of the values that a table may have, a filter costs more than it saves.
    private static let usefulShareMax = 0.7

    /// - Parameter known: bounds of the column that will be asked about.
    /// - Returns: nil for keys of other types, none at all, and sets that nearly every key is in.
    init?(_ key: Column, known: ColumnBounds?) {
        guard key.type.physical == .int32 || key.type.physical == .int64, !key.type.isFloating,
            case .fixed = key.storage
        else { return nil }
        var (low, high) = (Int64.max, Int64.min)
        var count = 0
        Self.forEach(key) { value in
            low = min(low, value)
            high = max(high, value)
            count += 1
        }
        guard low <= high else { return nil }
        (lower, upper) = (low, high)
        let (span, overflow) = high.subtractingReportingOverflow(low)
        isExact = !overflow && span < Int64(max(Self.exactBitCountMin, count * 32))
        if isExact {
            words = Buffer(zeroedByteCount: (Int(span) / 64 + 1) * 8)
            wordMask = 0
            let word = words.mutable(as: UInt64.self)
            Self.forEach(key) { value in
                let place = UInt64(bitPattern: value &- low)
                word[Int(place >> 6)] |= 1 << (place & 63)
            }
        } else {
            var wordCount = 1
            while wordCount * 4 < count { wordCount *= 2 }
            words = Buffer(zeroedByteCount: wordCount * 8)
            wordMask = UInt64(wordCount - 1)
            let word = words.mutable(as: UInt64.self)
            let mask = wordMask
            Self.forEach(key) { value in
                let hash = Self.hash(value)
                word[Int((hash >> 32) & mask)] |= Self.pattern(hash)
            }
        }
        if let from = known?.lower?.wholeNumber, let to = known?.upper?.wholeNumber, from <= to {
            var distinct = count
            if isExact {
                distinct = 0
                let word = words.mutable(as: UInt64.self)
                for index in 0..<words.byteCount / 8 { distinct += word[index].nonzeroBitCount }
            }
            let all = Double(to) - Double(from) + 1
            if Double(distinct) / all > Self.usefulShareMax { return nil }
        }
    }

    private static func forEach(_ key: Column, _ body: (Int64) -> Void) {
        guard case .fixed(let values) = key.storage else { return }
        let validity = key.validity
        if key.type.physical == .int32 {
            let source = values.pointer(as: Int32.self)
            for row in 0..<key.count where validity.map({ $0[row] }) ?? true {
                body(Int64(source[row]))
            }
        } else {
            let source = values.pointer(as: Int64.self)
            for row in 0..<key.count where validity.map({ $0[row] }) ?? true { body(source[row]) }
        }
    }

    @inline(__always)
    private static func hash(_ value: Int64) -> UInt64 {
        var hash = UInt64(bitPattern: value) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash >> 29
        hash = hash &* 0xBF58_476D_1CE4_E5B9
        return hash ^ (hash >> 32)
    }

    /// Three bits of one word.
    @inline(__always)
    private static func pattern(_ hash: UInt64) -> UInt64 {
        (1 << (hash & 63)) | (1 << ((hash >> 6) & 63)) | (1 << ((hash >> 12) & 63))
    }

    /// The rows of `within` (nil: all) whose value may be a key; null never is.
    ///
    /// - Parameter column: of the type that the keys have.
    func select(_ column: Column, within: Selection?, rowCount: Int) -> Selection {
        let flat = column.flattened()
        guard case .fixed(let values) = flat.storage else {
            return Selection(buffer: Buffer(byteCount: 0), count: 0)
        }
        let target = Buffer(byteCount: (within?.count ?? rowCount) * 4)
        let count: Int
        if flat.type.physical == .int32 {
            count = select(values.pointer(as: Int32.self), flat.validity, within, rowCount, target)
        } else {
            count = select(values.pointer(as: Int64.self), flat.validity, within, rowCount, target)
        }
        return withExtendedLifetime(flat) { Selection(buffer: target, count: count) }
    }

    @inline(__always)
    private func select<T: FixedWidthInteger & BitwiseCopyable>(
        _ source: UnsafePointer<T>,
        _ validity: Bitmap?,
        _ within: Selection?,
        _ rowCount: Int,
        _ target: Buffer
    ) -> Int {
        let rows = target.mutable(as: Int32.self)
        let word = UnsafePointer(words.mutable(as: UInt64.self))
        let (lower, mask) = (lower, wordMask)
        let span = UInt64(bitPattern: upper &- lower)
        var count = 0
        @inline(__always)
        func look(_ row: Int, _ isExact: Bool) {
            let value = Int64(truncatingIfNeeded: source[row])
            let place = UInt64(bitPattern: value &- lower)
            // Without a branch: which rows pass is hard to foresee.
            let inside = place <= span
            let found: Bool
            if isExact {
                let at = inside ? place : 0
                found = inside && (word[Int(at >> 6)] >> (at & 63)) & 1 != 0
            } else {
                let hash = Self.hash(value)
                let pattern = Self.pattern(hash)
                found = inside && word[Int((hash >> 32) & mask)] & pattern == pattern
            }
            rows[count] = Int32(truncatingIfNeeded: row)
            count &+= found ? 1 : 0
        }
        if let within {
            let chosen = within.rows
            if isExact {
                for index in 0..<within.count { look(Int(chosen[index]), true) }
            } else {
                for index in 0..<within.count { look(Int(chosen[index]), false) }
            }
        } else if isExact {
            for row in 0..<rowCount { look(row, true) }
        } else {
            for row in 0..<rowCount { look(row, false) }
        }
        if let validity {
            var kept = 0
            for index in 0..<count where validity[Int(rows[index])] {
                rows[kept] = rows[index]
                kept += 1
            }
            count = kept
        }
        withExtendedLifetime((self, within)) {}
        return count
    }
}

/// A set of keys, and the column of a scan that it is about.
struct ScanKeyFilter: Sendable {
    /// Among the columns that the scan reads.
    var position: Int
    var type: DataType
    var filter: KeyFilter

    /// The span of the keys as conjuncts, which leave out files and row groups.
    var bounds: [BoundExpression] {
        guard let low = Value(wholeNumber: filter.lower, type),
            let high = Value(wholeNumber: filter.upper, type)
        else { return [] }
        let column = BoundExpression.column(ColumnID(position), type)
        return [
            .compare(.greaterOrEqual, column, .constant(low, type)),
            .compare(.lessOrEqual, column, .constant(high, type)),
        ]
    }
}

extension Value {
    /// What a column of integers, dates or times stores; nil for other values.
    fileprivate var wholeNumber: Int64? {
        switch self {
        case .int32(let value), .date(let value): Int64(value)
        case .int64(let value), .time(let value), .timestamp(let value), .timestamptz(let value):
            value
        default: nil
        }
    }

    /// The other way round; nil for types that store no such number.
    fileprivate init?(wholeNumber: Int64, _ type: DataType) {
        switch type {
        case .int32: self = .int32(Int32(truncatingIfNeeded: wholeNumber))
        case .date: self = .date(Int32(truncatingIfNeeded: wholeNumber))
        case .int64: self = .int64(wholeNumber)
        default: return nil
        }
    }
}
