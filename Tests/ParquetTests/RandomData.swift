import Columnar
import Parquet
import TestSupport

/// Every flat type that files have, some with another width in storage.
let flatTypes: [DataType] = [
    .boolean, .int32, .int64, .float32, .float64, .date, .time, .timestamp, .timestamptz,
    .string, .binary, .fixed(5), .fixed(20), .uuid,
    .decimal(precision: 5, scale: 2), .decimal(precision: 9, scale: 0),
    .decimal(precision: 10, scale: 3), .decimal(precision: 18, scale: 18),
    .decimal(precision: 19, scale: 2), .decimal(precision: 38, scale: 10),
]

let nestedTypes: [DataType] = [
    .list(Field("element", .int64, id: 101)),
    .list(Field("element", .string, isNullable: false, id: 102)),
    .structure([
        Field("x", .int32, isNullable: false, id: 103), Field("label", .string, id: 104),
    ]),
    .map(
        key: Field("key", .string, isNullable: false, id: 105),
        value: Field("value", .float64, id: 106)
    ),
    .list(Field("element", .list(Field("element", .int32, id: 108)), id: 107)),
    .structure([
        Field("tags", .list(Field("element", .string, id: 110)), id: 109),
        Field("inner", .structure([Field("flag", .boolean, id: 112)]), id: 111),
    ]),
]

/// A value of the type, often one at the edge of its range; never null at the top.
func randomValue(
    _ type: DataType,
    distinct: Int,
    using random: inout SeededGenerator
) -> Value {
    // With few distinct values, all comes from as many seeds.
    var source = random
    if distinct < .max {
        source = SeededGenerator(seed: UInt64(Int.random(in: 0..<distinct, using: &random)))
    } else {
        _ = random.next()
    }
    func number(_ low: Int64, _ high: Int64) -> Int64 {
        switch Int.random(in: 0..<8, using: &source) {
        case 0: low
        case 1: high
        case 2: 0
        default: Int64.random(in: low...high, using: &source)
        }
    }
    func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &source) }
    }
    switch type {
    case .boolean: return .boolean(Bool.random(using: &source))
    case .int32: return .int32(Int32(number(Int64(Int32.min), Int64(Int32.max))))
    case .date: return .date(Int32(number(-719_162, 2_932_896)))
    case .int64: return .int64(number(.min, .max))
    case .time: return .time(number(0, 86_399_999_999))
    case .timestamp: return .timestamp(number(-62_135_596_800_000_000, 253_402_300_799_999_999))
    case .timestamptz:
        return .timestamptz(number(-62_135_596_800_000_000, 253_402_300_799_999_999))
    case .float32:
        let special: [Float] = [0, -0.0, .infinity, -.infinity, .nan, .leastNonzeroMagnitude]
        return .float32(
            Bool.random(using: &source)
                ? special[Int.random(in: 0..<6, using: &source)]
                : Float.random(in: -1e6...1e6, using: &source)
        )
    case .float64:
        let special: [Double] = [0, -0.0, .infinity, -.infinity, .nan, .leastNonzeroMagnitude]
        return .float64(
            Bool.random(using: &source)
                ? special[Int.random(in: 0..<6, using: &source)]
                : Double.random(in: -1e6...1e6, using: &source)
        )
    case .decimal(let precision, _):
        var top: Int128 = 1
        for _ in 0..<precision { top *= 10 }
        switch Int.random(in: 0..<6, using: &source) {
        case 0: return .decimal(top - 1)
        case 1: return .decimal(1 - top)
        default:
            let high = Int128(Int64.random(in: .min ... .max, using: &source))
            let low = Int128(UInt64.random(in: 0 ... .max, using: &source))
            return .decimal((high << 64 | low) % top)
        }
    case .string:
        let letters = Array("abcdefgh xyz äöü漢🙂")
        let count = [0, 1, 5, 12, 13, 40][Int.random(in: 0..<6, using: &source)]
        return .string(
            String((0..<count).map { _ in letters.randomElement(using: &source) ?? "a" })
        )
    case .binary: return .binary(bytes([0, 1, 12, 13, 100][Int.random(in: 0..<5, using: &source)]))
    case .fixed(let count): return .fixed(bytes(count))
    case .uuid:
        let high = UInt128(source.next()) << 64
        return .uuid(UUIDBits.ordered(fromBigEndian: high | UInt128(source.next())))
    case .list(let element):
        return .list(
            (0..<Int.random(in: 0...4, using: &source)).map { _ in
                randomValue(element, 0.2, distinct: .max, using: &source)
            }
        )
    case .structure(let fields):
        return .structure(
            fields.map { randomValue($0, 0.2, distinct: .max, using: &source) }
        )
    case .map(let key, let value):
        return .map(
            (0..<Int.random(in: 0...3, using: &source)).map { number in
                // Some readers drop keys that come twice.
                Value.MapEntry(
                    key: .string(
                        canonical(randomValue(key, 0, distinct: .max, using: &source)) + "\(number)"
                    ),
                    value: randomValue(value, 0.2, distinct: .max, using: &source)
                )
            }
        )
    case .null, .interval: return .null
    }
}

func randomValue(
    _ field: Field,
    _ nullShare: Double,
    distinct: Int,
    using random: inout SeededGenerator
) -> Value {
    if field.isNullable, Double.random(in: 0..<1, using: &random) < nullShare { return .null }
    return randomValue(field.type, distinct: distinct, using: &random)
}

/// The same values in another storage: codes of a dictionary.
func dictionaryColumn(_ type: DataType, _ values: [Value]) -> Column {
    var codes: [UInt32] = []
    var distinct: [Value] = []
    // Not by equality: that does not tell zeros of either sign apart.
    var places: [String: UInt32] = [:]
    for value in values {
        if value.isNull {
            codes.append(0)
        } else if let code = places[canonical(value)] {
            codes.append(code)
        } else {
            places[canonical(value)] = UInt32(distinct.count)
            codes.append(UInt32(distinct.count))
            distinct.append(value)
        }
    }
    if distinct.isEmpty { return .nulls(type, count: values.count) }
    let hasNulls = values.contains { $0.isNull }
    return Column(
        type: type,
        count: values.count,
        validity: hasNulls ? Bitmap(values.map { !$0.isNull }) : nil,
        storage: .dictionary(
            codes: BufferSlice(codes.withUnsafeBytes { Buffer(copying: $0) }),
            ColumnDictionary(Column(type, distinct))
        )
    )
}

/// Random rows of a schema: for each column how many distinct values and which share of nulls
/// follow from its place.
struct RandomRows {
    var schema: Schema
    var columns: [[Value]]

    init(_ types: [DataType], rowCount: Int, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var fields: [Field] = []
        columns = []
        for (index, type) in types.enumerated() {
            for (variant, nullShare) in [0.0, 0.3, 0.0, 0.97].enumerated() {
                let field = Field(
                    "c\(index)_\(variant)",
                    type,
                    isNullable: variant != 2,
                    id: 1000 + index * 10 + variant
                )
                let distinct = [Int.max, 7, 300, 2][(variant + index + Int(seed)) % 4]
                fields.append(field)
                columns.append(
                    (0..<rowCount).map { _ in
                        randomValue(field, nullShare, distinct: distinct, using: &random)
                    }
                )
            }
        }
        schema = Schema(fields)
    }

    var rowCount: Int { columns.first?.count ?? 0 }

    /// Batches of uneven size in varying storages.
    func batches(seed: UInt64) -> [RecordBatch] {
        var random = SeededGenerator(seed: seed)
        var result: [RecordBatch] = []
        var start = 0
        while start < rowCount {
            let end = min(rowCount, start + Int.random(in: 1...3000, using: &random))
            let made = zip(schema.fields, columns).map { field, values -> Column in
                let part = Array(values[start..<end])
                if part.allSatisfy(\.isNull) { return .nulls(field.type, count: part.count) }
                if !field.type.isNested, let first = part.first,
                    part.allSatisfy({ same($0, first) })
                {
                    return .constant(first, field.type, count: part.count)
                }
                if !field.type.isNested, field.type != .boolean, Bool.random(using: &random) {
                    return dictionaryColumn(field.type, part)
                }
                // A slice, so that offsets are not zero.
                let padded = Column(field.type, [part[0]] + part)
                return padded.slice(1..<part.count + 1)
            }
            result.append(RecordBatch(schema: schema, columns: made, rowCount: end - start))
            start = end
        }
        return result
    }
}

/// Values that are the same in files: NaNs are one, zeros of either sign are two.
func same(_ a: Value, _ b: Value) -> Bool { canonical(a) == canonical(b) }

/// Writes batches and gives the whole file, drained bit by bit.
func written(
    _ batches: [RecordBatch],
    schema: Schema,
    options: ParquetWriteOptions
) throws -> (bytes: [UInt8], summary: ParquetWriteSummary) {
    let writer = try ParquetWriter(schema: schema, options: options)
    var bytes: [UInt8] = []
    for batch in batches {
        try writer.write(batch)
        bytes += writer.drain()
    }
    let (last, summary) = try writer.finish()
    return (bytes + last, summary)
}
