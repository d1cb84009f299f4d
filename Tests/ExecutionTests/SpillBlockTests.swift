import Bytes
import Columnar
import Execution
import Kernels
import TestSupport
import Testing

/// Random columns of any type.
struct RandomColumns {
    var random: SeededGenerator

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    static let flatTypes: [DataType] = [
        .null, .boolean, .int32, .int64, .float32, .float64, .decimal(precision: 9, scale: 2),
        .decimal(precision: 38, scale: 4), .date, .time, .timestamp, .timestamptz, .interval,
        .string, .binary, .fixed(16), .uuid,
    ]

    static let types: [DataType] =
        flatTypes + [
            .list(Field("element", .string)),
            .list(Field("element", .list(Field("element", .int32)))),
            .structure([Field("a", .string), Field("b", .list(Field("element", .float64)))]),
            .map(key: Field("key", .string), value: Field("value", .int64)),
        ]

    mutating func value(_ type: DataType, depth: Int = 0) -> Value {
        if Int.random(in: 0..<6, using: &random) == 0 { return .null }
        let small = Int64.random(in: -20...20, using: &random)
        switch type {
        case .null: return .null
        case .boolean: return .boolean(small > 0)
        case .int32: return .int32(Int32(small))
        case .int64: return .int64(small == 3 ? .max : small)
        case .float32: return .float32(small == 7 ? .nan : Float(small) / 4)
        case .float64: return .float64(small == 7 ? .nan : small == 8 ? -0.0 : Double(small) / 4)
        case .decimal: return .decimal(Int128(small))
        case .date: return .date(Int32(small))
        case .time: return .time(abs(small))
        case .timestamp: return .timestamp(small)
        case .timestamptz: return .timestamptz(small)
        case .interval: return .interval(Interval(months: Int32(small), days: 1, micros: small))
        case .string: return .string(text(small))
        case .binary: return .binary(Array(text(small).utf8))
        case .fixed(let count): return .fixed([UInt8](repeating: UInt8(abs(small)), count: count))
        case .uuid: return .uuid(Int128(small) << 64 | 5)
        case .list(let element):
            return .list((0..<abs(small) % 4).map { _ in value(element.type, depth: depth + 1) })
        case .structure(let fields):
            return .structure(fields.map { value($0.type, depth: depth + 1) })
        case .map(let key, let element):
            return .map(
                (0..<abs(small) % 3).map { index in
                    Value.MapEntry(
                        key: key.type == .string ? .string("k\(index)") : .int64(index),
                        value: value(element.type, depth: depth + 1)
                    )
                }
            )
        }
    }

    private func text(_ number: Int64) -> String {
        number % 3 == 0 ? "" : number % 3 == 1 ? "é\(number)" : "a text that is too long \(number)"
    }

    mutating func column(_ type: DataType, count: Int) -> Column {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return .nulls(type, count: count)
        case 1 where !type.isNested && type != .null && count > 0:
            var one = value(type)
            while one.isNull { one = value(type) }
            return .constant(one, type, count: count)
        case 2 where !type.isNested && type != .null:
            var values: [Value] = []
            while values.count < 5 {
                let one = value(type)
                if !one.isNull { values.append(one) }
            }
            let codes = Buffer(byteCount: count * 4)
            for row in 0..<count {
                codes.mutable(as: UInt32.self)[row] = UInt32.random(in: 0..<5, using: &random)
            }
            let dictionary = ColumnDictionary(Column(type, values))
            return Column(
                type: type,
                count: count,
                validity: nil,
                storage: .dictionary(codes: BufferSlice(codes), dictionary)
            )
        case 3 where count > 3:
            // A slice of something longer: offsets do not begin at 0.
            return column(type, count: count + 5).slice(3..<count + 3)
        default:
            return Column(type, (0..<count).map { _ in value(type) })
        }
    }
}

@Suite("Spilled blocks")
struct SpillBlockTests {
    /// A block in memory of its own, as it is read from a file.
    private func block(
        _ columns: [Column],
        _ rowCount: Int,
        _ encoder: SpillEncoder = SpillEncoder()
    ) throws -> (bytes: [UInt8], payloadByteCount: Int) {
        let made = try encoder.withBlock(columns, rowCount: rowCount) { Array($0) }
        return (made.result, made.payloadByteCount)
    }

    private func decoded(
        _ bytes: [UInt8],
        _ payloadByteCount: Int,
        _ rowCount: Int,
        _ types: [DataType]
    ) throws -> [Column] {
        let padding = SpillDecoder.paddingByteCount
        let memory = Buffer(byteCount: bytes.count + padding)
        bytes.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress {
                (memory.base + padding).copyMemory(from: base, byteCount: bytes.count)
            }
        }
        return try SpillDecoder.decode(
            memory,
            payloadByteCount: payloadByteCount,
            rowCount: rowCount,
            types: types,
            Decompressor()
        )
    }

    /// Values that can be compared: NaN equals itself here.
    private func texts(_ columns: [Column]) -> [[String]] {
        columns.map { column in (0..<column.count).map { "\(column.value(at: $0))" } }
    }

    @Test("give back columns of every type as they were", arguments: 0..<24)
    func roundTrip(seed: UInt64) throws {
        var random = RandomColumns(seed: seed)
        let encoder = SpillEncoder()
        for count in [0, 1, 2, 63, 64, 65, 300, 2048] {
            let columns = RandomColumns.types.map { random.column($0, count: count) }
            let (bytes, payloadByteCount) = try block(columns, count, encoder)
            let types = columns.map(\.type)
            let back = try decoded(bytes, payloadByteCount, count, types)
            #expect(back.map(\.type) == types)
            #expect(texts(back) == texts(columns))
        }
    }

    @Test("may have rows without columns")
    func noColumns() throws {
        let (bytes, payloadByteCount) = try block([], 7)
        #expect(try decoded(bytes, payloadByteCount, 7, []).isEmpty)
    }

    @Test("that were changed anywhere are refused", arguments: 0..<8)
    func damage(seed: UInt64) throws {
        var random = RandomColumns(seed: seed)
        let columns = RandomColumns.types.map { random.column($0, count: 40) }
        let types = columns.map(\.type)
        let (bytes, payloadByteCount) = try block(columns, 40)
        for _ in 0..<400 {
            var changed = bytes
            let place = Int.random(in: 0..<bytes.count, using: &random.random)
            changed[place] ^= UInt8.random(in: 1...255, using: &random.random)
            #expect(throws: (any Error).self) {
                try decoded(changed, payloadByteCount, 40, types)
            }
        }
        for length in [0, 1, 39, 40, bytes.count - 1] {
            #expect(throws: (any Error).self) {
                try decoded(Array(bytes.prefix(length)), payloadByteCount, 40, types)
            }
        }
        #expect(throws: (any Error).self) { try decoded(bytes, payloadByteCount, 41, types) }
        #expect(throws: (any Error).self) {
            try decoded(bytes, payloadByteCount, 40, types + [.int32])
        }
    }

    @Test("whose checksum was mended never trap", arguments: 0..<16)
    func mendedDamage(seed: UInt64) throws {
        var random = RandomColumns(seed: seed)
        let columns = RandomColumns.types.map { random.column($0, count: 30) }
        let types = columns.map(\.type)
        // Compressed blocks hardly get through; short ones are stored as they are.
        for index in columns.indices {
            let (bytes, payloadByteCount) = try block([columns[index].slice(0..<2)], 2)
            for _ in 0..<300 {
                var changed = bytes
                for _ in 0..<Int.random(in: 1...4, using: &random.random) where bytes.count > 40 {
                    let place = Int.random(in: 40..<bytes.count, using: &random.random)
                    changed[place] = UInt8.random(in: 0...255, using: &random.random)
                }
                let sum = changed.withUnsafeBytes {
                    xxHash64(UnsafeRawBufferPointer(rebasing: $0[40...]))
                }
                for byte in 0..<8 {
                    changed[32 + byte] = UInt8(truncatingIfNeeded: sum >> UInt64(byte * 8))
                }
                guard
                    let back = try? decoded(changed, payloadByteCount, 2, [types[index]])
                else { continue }
                // What is let through can be read to its end.
                if !types[index].isNested { _ = Compact.byteCount(Compact.compacted(back[0])) }
            }
        }
    }
}
