import Columnar
import Kernels
import TestSupport

/// Random values and columns of every type and storage, and a row-at-a-time model of SQL's order.
enum Random {
    static let flatTypes: [DataType] = [
        .boolean, .int32, .int64, .float32, .float64, .decimal(precision: 9, scale: 2),
        .decimal(precision: 38, scale: 4), .date, .time, .timestamp, .timestamptz, .interval,
        .string, .binary, .fixed(5), .uuid,
    ]
    static let nestedTypes: [DataType] = [
        .list(Field("element", .int32)),
        .list(Field("element", .list(Field("element", .string)))),
        .structure([Field("a", .int64), Field("b", .string)]),
        .map(key: Field("key", .string), value: Field("value", .float64)),
    ]
    static let types = flatTypes + nestedTypes

    static let texts = [
        "", "a", "b", "ab", "aab", "abc", "exactly 12 b", "exactly 13 by", "ünïcödé",
        "ünïcödé is longer than that", "日本語", "😀 smile", "a longer text number one",
        "a longer text number two", "A Longer Text", "%_\\", " padded ", "\u{0}", "a\u{0}", "zzz",
    ]

    static func value(_ type: DataType, using random: inout SeededGenerator) -> Value {
        func pick<T>(_ items: [T]) -> T { items[Int.random(in: 0..<items.count, using: &random)] }
        let small = Int64.random(in: -3...3, using: &random)
        let extreme = Int.random(in: 0..<6, using: &random) == 0
        switch type {
        case .null: return .null
        case .boolean: return .boolean(Bool.random(using: &random))
        case .int32: return .int32(extreme ? pick([.min, .max, 0, -1]) : Int32(small))
        case .int64: return .int64(extreme ? pick([.min, .max, 0, -1]) : small)
        case .float32:
            return .float32(
                extreme ? pick([.nan, .infinity, -.infinity, -0.0, 1e30]) : Float(small) / 2
            )
        case .float64:
            return .float64(
                extreme
                    ? pick([.nan, -Double.nan, .infinity, -.infinity, -0.0, 1e300])
                    : Double(small) / 2
            )
        case .decimal(let precision, _):
            var limit: Int128 = 1
            for _ in 0..<precision { limit *= 10 }
            return .decimal(extreme ? pick([limit - 1, 1 - limit]) : Int128(small))
        case .date: return .date(extreme ? pick([-719_163, 2_932_896]) : Int32(small))
        case .time: return .time(extreme ? 86_399_999_999 : abs(small))
        case .timestamp: return .timestamp(extreme ? 253_402_300_799_999_999 : small)
        case .timestamptz: return .timestamptz(extreme ? -62_135_596_800_000_000 : small)
        case .interval:
            return .interval(
                pick([
                    Interval(), Interval(months: 1), Interval(days: 30),
                    Interval(micros: 86_400_000_000), Interval(days: 1),
                    Interval(months: -1, days: 31, micros: Int64(small)),
                ])
            )
        case .string: return .string(pick(texts))
        case .binary: return .binary(Array(pick(texts).utf8) + (extreme ? [255] : []))
        case .fixed(let count):
            return .fixed((0..<count).map { _ in UInt8.random(in: 254...255, using: &random) })
        case .uuid:
            return .uuid(UUIDBits.ordered(fromBigEndian: extreme ? .max : UInt128(abs(small))))
        case .list(let field):
            let count = Int.random(in: 0...3, using: &random)
            return .list((0..<count).map { _ in nullable(field.type, using: &random) })
        case .structure(let fields):
            return .structure(fields.map { nullable($0.type, using: &random) })
        case .map(let key, let element):
            let count = Int.random(in: 0...2, using: &random)
            return .map(
                (0..<count).map { _ in
                    Value.MapEntry(
                        key: value(key.type, using: &random),
                        value: nullable(element.type, using: &random)
                    )
                }
            )
        }
    }

    static func nullable(_ type: DataType, using random: inout SeededGenerator) -> Value {
        Int.random(in: 0..<4, using: &random) == 0 ? .null : value(type, using: &random)
    }

    /// A column of one of the storages, whole or sliced, with or without nulls.
    static func column(
        _ type: DataType,
        count: Int,
        using random: inout SeededGenerator
    ) -> Column {
        let hasNulls = Bool.random(using: &random)
        func values(_ count: Int) -> [Value] {
            (0..<count).map { _ in
                hasNulls ? nullable(type, using: &random) : value(type, using: &random)
            }
        }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return .constant(value(type, using: &random), type, count: count)
        case 1: return .nulls(type, count: count)
        case 2, 3:
            let start = Int.random(in: 0...70, using: &random)
            let all = Column(type, values(count + start + 3))
            return all.slice(start..<(start + count))
        case 4 where !type.isNested, 5 where !type.isNested:
            var distinct: [Value] = []
            for value in values(12)
            where !value.isNull && !distinct.contains(where: { Model.order($0, value) == 0 }) {
                distinct.append(value)
            }
            guard !distinct.isEmpty else { return .nulls(type, count: count) }
            let codes = (0..<count).map { _ in
                UInt32.random(in: 0..<UInt32(distinct.count), using: &random)
            }
            let valid = (0..<count).map { _ in !hasNulls || Bool.random(using: &random) }
            return Column(
                type: type,
                count: count,
                validity: hasNulls ? Bitmap(valid) : nil,
                storage: .dictionary(
                    codes: BufferSlice(codes.withUnsafeBytes { Buffer(copying: $0) }),
                    ColumnDictionary(Column(type, distinct))
                )
            )
        default: return Column(type, values(count))
        }
    }

    static func count(using random: inout SeededGenerator) -> Int {
        [0, 1, 2, 63, 64, 65, 130, 200].randomElement(using: &random) ?? 1
    }
}

/// What the kernels should give, a row at a time.
enum Model {
    /// Negative, zero or positive; nulls equal each other and come last.
    static func order(_ a: Value, _ b: Value) -> Int {
        func sign<T: Comparable>(_ x: T, _ y: T) -> Int { x == y ? 0 : (x < y ? -1 : 1) }
        func floats(_ x: Double, _ y: Double) -> Int {
            if x.isNaN || y.isNaN { return sign(x.isNaN ? 1 : 0, y.isNaN ? 1 : 0) }
            return sign(x, y)
        }
        func bytes(_ x: [UInt8], _ y: [UInt8]) -> Int {
            x == y ? 0 : (x.lexicographicallyPrecedes(y) ? -1 : 1)
        }
        func lists(_ x: [Value], _ y: [Value]) -> Int {
            for (p, q) in zip(x, y) where order(p, q) != 0 { return order(p, q) }
            return sign(x.count, y.count)
        }
        switch (a, b) {
        case (.null, .null): return 0
        case (.null, _): return 1
        case (_, .null): return -1
        case (.boolean(let x), .boolean(let y)): return sign(x ? 1 : 0, y ? 1 : 0)
        case (.int32(let x), .int32(let y)), (.date(let x), .date(let y)): return sign(x, y)
        case (.int64(let x), .int64(let y)), (.time(let x), .time(let y)),
            (.timestamp(let x), .timestamp(let y)), (.timestamptz(let x), .timestamptz(let y)):
            return sign(x, y)
        case (.float32(let x), .float32(let y)): return floats(Double(x), Double(y))
        case (.float64(let x), .float64(let y)): return floats(x, y)
        case (.decimal(let x), .decimal(let y)), (.uuid(let x), .uuid(let y)): return sign(x, y)
        case (.interval(let x), .interval(let y)):
            func rank(_ v: Interval) -> Int128 {
                (Int128(v.months) * 30 + Int128(v.days)) * 86_400_000_000 + Int128(v.micros)
            }
            return sign(rank(x), rank(y))
        case (.string(let x), .string(let y)): return bytes(Array(x.utf8), Array(y.utf8))
        case (.binary(let x), .binary(let y)), (.fixed(let x), .fixed(let y)):
            return bytes(x, y)
        case (.list(let x), .list(let y)), (.structure(let x), .structure(let y)):
            return lists(x, y)
        case (.map(let x), .map(let y)):
            return lists(x.flatMap { [$0.key, $0.value] }, y.flatMap { [$0.key, $0.value] })
        default: preconditionFailure("\(a) and \(b)")
        }
    }

    /// Whether two values are the same, NaN and the sign of zero included.
    static func same(_ a: Value, _ b: Value) -> Bool {
        switch (a, b) {
        case (.float64(let x), .float64(let y)):
            x.isNaN ? y.isNaN : x == y && x.sign == y.sign
        case (.float32(let x), .float32(let y)):
            x.isNaN ? y.isNaN : x == y && x.sign == y.sign
        case (.list(let x), .list(let y)), (.structure(let x), .structure(let y)):
            x.count == y.count && zip(x, y).allSatisfy { same($0, $1) }
        case (.map(let x), .map(let y)):
            x.count == y.count
                && zip(x, y).allSatisfy { same($0.key, $1.key) && same($0.value, $1.value) }
        default: a == b
        }
    }

    static func same(_ a: [Value], _ b: [Value]) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { same($0, $1) }
    }

    static func compare(_ op: ComparisonOperator, _ a: Value, _ b: Value) -> Value {
        switch op {
        case .distinct: return .boolean(order(a, b) != 0)
        case .notDistinct: return .boolean(order(a, b) == 0)
        default: break
        }
        if a.isNull || b.isNull { return .null }
        let sign = order(a, b)
        return switch op {
        case .equal: .boolean(sign == 0)
        case .notEqual: .boolean(sign != 0)
        case .less: .boolean(sign < 0)
        case .lessOrEqual: .boolean(sign <= 0)
        case .greater: .boolean(sign > 0)
        default: .boolean(sign >= 0)
        }
    }
}
