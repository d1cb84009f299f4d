import Bytes
import Columnar
import Glibc

/// A smallest or largest value while a file is written.
enum Bound: Sendable {
    /// Booleans, integers, dates, times, decimals, and UUIDs as columns hold them.
    case number(Int128)
    case floating(Double)
    case bytes([UInt8])

    /// Whether this comes before `other`, of the same kind.
    func precedes(_ other: Bound) -> Bool {
        switch (self, other) {
        case (.number(let a), .number(let b)): a < b
        case (.floating(let a), .floating(let b)): a < b
        case (.bytes(let a), .bytes(let b)): a.lexicographicallyPrecedes(b)
        default: preconditionFailure("bounds of two types")
        }
    }

    /// As a value of the column's type.
    func value(_ type: DataType) -> Value {
        switch self {
        case .number(let number):
            let narrow = Int64(truncatingIfNeeded: number)
            switch type {
            case .boolean: return .boolean(number != 0)
            case .int32: return .int32(Int32(truncatingIfNeeded: number))
            case .date: return .date(Int32(truncatingIfNeeded: number))
            case .int64: return .int64(narrow)
            case .time: return .time(narrow)
            case .timestamp: return .timestamp(narrow)
            case .timestamptz: return .timestamptz(narrow)
            case .uuid: return .uuid(number)
            default: return .decimal(number)
            }
        case .floating(let number):
            return type == .float32 ? .float32(Float(number)) : .float64(number)
        case .bytes(let bytes):
            switch type {
            case .string: return .string(String(decoding: bytes, as: UTF8.self))
            case .fixed: return .fixed(bytes)
            default: return .binary(bytes)
            }
        }
    }

    /// As statistics have it, in the form of PLAIN.
    func encoded(_ leaf: WriteLeaf) -> [UInt8] {
        var result: [UInt8] = []
        switch self {
        case .number(let number):
            switch leaf.physical {
            case .boolean: result.append(number != 0 ? 1 : 0)
            case .int32: result.appendLittleEndian(Int32(truncatingIfNeeded: number))
            case .int64: result.appendLittleEndian(Int64(truncatingIfNeeded: number))
            default:
                let bits =
                    leaf.type == .uuid
                    ? UUIDBits.bigEndian(fromOrdered: number) : UInt128(bitPattern: number)
                for index in (0..<leaf.typeLength).reversed() {
                    result.append(UInt8(truncatingIfNeeded: bits >> UInt128(8 * index)))
                }
            }
        case .floating(let number):
            if leaf.physical == .float {
                result.appendLittleEndian(Float(number).bitPattern)
            } else {
                result.appendLittleEndian(number.bitPattern)
            }
        case .bytes(let bytes): result = bytes
        }
        return result
    }
}

/// The statistics of a page, a chunk or a file's column while it is written.
struct BoundsAndCounts: Sendable {
    var min: Bound?
    var max: Bound?
    var nullCount = 0
    var nanCount = 0
    var valueCount = 0

    mutating func merge(_ other: BoundsAndCounts) {
        if let theirs = other.min {
            if min.map({ theirs.precedes($0) }) ?? true { min = theirs }
        }
        if let theirs = other.max {
            if max.map({ $0.precedes(theirs) }) ?? true { max = theirs }
        }
        nullCount += other.nullCount
        nanCount += other.nanCount
        valueCount += other.valueCount
    }
}

/// A bound cut to a length, so that it still bounds.
enum BoundCutting {
    /// At most `countMax` bytes that come before `bytes` or are equal to it.
    static func lower(_ bytes: [UInt8], _ countMax: Int, isText: Bool) -> [UInt8] {
        if bytes.count <= countMax { return bytes }
        return Array(bytes[..<cut(bytes, countMax, isText)])
    }

    private static func cut(_ bytes: [UInt8], _ countMax: Int, _ isText: Bool) -> Int {
        var end = countMax
        // Not in the middle of a character.
        if isText { while end > 0, bytes[end] & 0xc0 == 0x80 { end -= 1 } }
        return end
    }

    /// At most about `countMax` bytes that come behind `bytes` or are equal to it; nil when there
    /// are none so short.
    static func upper(_ bytes: [UInt8], _ countMax: Int, isText: Bool) -> [UInt8]? {
        if bytes.count <= countMax { return bytes }
        var short = Array(bytes[..<cut(bytes, countMax, isText)])
        if !isText {
            while let last = short.popLast() {
                if last < 0xff {
                    short.append(last + 1)
                    return short
                }
            }
            return nil
        }
        guard let text = String(validating: short, as: UTF8.self) else { return nil }
        var scalars = Array(text.unicodeScalars)
        while let last = scalars.popLast() {
            let next = last.value == 0xd7ff ? 0xe000 : last.value + 1
            if let scalar = Unicode.Scalar(next) {
                scalars.append(scalar)
                var result = String.UnicodeScalarView()
                result.append(contentsOf: scalars)
                return Array(String(result).utf8)
            }
        }
        return nil
    }
}
