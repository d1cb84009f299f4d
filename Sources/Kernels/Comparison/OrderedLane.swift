import Columnar

/// Values with SQL's order: NaN after everything and equal to itself, -0.0 equal to 0.0.
///
/// The forms avoid branches so that loops over them vectorise.
protocol OrderedLane: BitwiseCopyable {
    static func same(_ a: Self, _ b: Self) -> Bool
    static func before(_ a: Self, _ b: Self) -> Bool
}

extension Int32: OrderedLane {
    @inline(__always) static func same(_ a: Int32, _ b: Int32) -> Bool { a == b }
    @inline(__always) static func before(_ a: Int32, _ b: Int32) -> Bool { a < b }
}

extension Int64: OrderedLane {
    @inline(__always) static func same(_ a: Int64, _ b: Int64) -> Bool { a == b }
    @inline(__always) static func before(_ a: Int64, _ b: Int64) -> Bool { a < b }
}

extension Int128: OrderedLane {
    @inline(__always) static func same(_ a: Int128, _ b: Int128) -> Bool { a == b }
    @inline(__always) static func before(_ a: Int128, _ b: Int128) -> Bool { a < b }
}

extension Float: OrderedLane {
    @inline(__always) static func same(_ a: Float, _ b: Float) -> Bool {
        bitOr(a == b, bitAnd(a != a, b != b))
    }
    @inline(__always) static func before(_ a: Float, _ b: Float) -> Bool {
        bitOr(a < b, bitAnd(b != b, a == a))
    }
}

extension Double: OrderedLane {
    @inline(__always) static func same(_ a: Double, _ b: Double) -> Bool {
        bitOr(a == b, bitAnd(a != a, b != b))
    }
    @inline(__always) static func before(_ a: Double, _ b: Double) -> Bool {
        bitOr(a < b, bitAnd(b != b, a == a))
    }
}

extension StringView: OrderedLane {
    @inline(__always) static func same(_ a: StringView, _ b: StringView) -> Bool {
        viewsEqual(a, b)
    }
    @inline(__always) static func before(_ a: StringView, _ b: StringView) -> Bool {
        viewsOrder(a, b) < 0
    }
}

/// Intervals as `IntervalLane.rank` orders them: with months of 30 days and days of 24 hours, as
/// PostgreSQL does, so that 1 month equals 30 days.
struct IntervalLane: OrderedLane {
    let bits: Int128

    @inline(__always)
    var rank: Int128 {
        let months = Int64(Int32(truncatingIfNeeded: bits &>> 96))
        let days = months &* 30 &+ Int64(Int32(truncatingIfNeeded: bits &>> 64))
        return Int128(days) &* 86_400_000_000 &+ Int128(Int64(truncatingIfNeeded: bits))
    }

    static func same(_ a: IntervalLane, _ b: IntervalLane) -> Bool { a.rank == b.rank }
    static func before(_ a: IntervalLane, _ b: IntervalLane) -> Bool { a.rank < b.rank }
}

/// Both, without a branch.
@inline(__always)
func bitAnd(_ a: Bool, _ b: Bool) -> Bool { (a ? 1 : 0) & (b ? 1 : 0) as UInt8 != 0 }

/// Either, without a branch.
@inline(__always)
func bitOr(_ a: Bool, _ b: Bool) -> Bool { (a ? 1 : 0) | (b ? 1 : 0) as UInt8 != 0 }
