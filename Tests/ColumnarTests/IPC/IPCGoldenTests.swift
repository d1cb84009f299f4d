import Bytes
import Columnar
import Foundation
import TestSupport
import Testing

/// The integration files of the Arrow project: every case as JSON, as stream and as file.
enum Golden {
    static let folder: URL? = {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let stated = ProcessInfo.processInfo.environment["VARVE_SHARED"]
        let shared =
            stated.map { URL(fileURLWithPath: $0) }
            ?? root.deletingLastPathComponent().appendingPathComponent("shared")
        let folder = shared.appendingPathComponent("corpora/arrow-ipc/cpp-21.0.0")
        return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
    }()

    static let cases: [String] = {
        guard let folder else { return [] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".stream") }.map { String($0.dropLast(7)) }.sorted()
    }()

    static func bytes(_ name: String) throws -> [UInt8] {
        guard let folder else { return [] }
        return Array(try Data(contentsOf: folder.appendingPathComponent(name)))
    }

    static func json(_ name: String) throws -> [String: Any] {
        let decompressor = try StreamDecompressor(.gzip)
        decompressor.feed(try bytes(name + ".json.gz"))
        var text = Data()
        while true {
            let piece = try decompressor.drain()
            if piece.isEmpty { break }
            text.append(contentsOf: piece)
        }
        try decompressor.finish()
        return try JSONSerialization.jsonObject(with: text) as? [String: Any] ?? [:]
    }

    /// What the case's JSON says, in this program's values; throws for what has no equal here.
    struct Expectation {
        struct NoEqual: Error {}

        var fields: [[String: Any]]
        var batches: [[[Value]]] = []
        private var dictionaries: [Int: [String: Any]] = [:]
        private var dictionaryFields: [Int: [String: Any]] = [:]

        init(_ json: [String: Any]) throws {
            let schema = json["schema"] as? [String: Any] ?? [:]
            fields = schema["fields"] as? [[String: Any]] ?? []
            func look(_ field: [String: Any]) {
                if let encoding = field["dictionary"] as? [String: Any],
                    let id = encoding["id"] as? Int
                {
                    dictionaryFields[id] = field
                }
                for child in field["children"] as? [[String: Any]] ?? [] { look(child) }
            }
            for field in fields { look(field) }
            for dictionary in json["dictionaries"] as? [[String: Any]] ?? [] {
                let data = dictionary["data"] as? [String: Any] ?? [:]
                let columns = data["columns"] as? [[String: Any]] ?? []
                dictionaries[dictionary["id"] as? Int ?? -1] = columns[0]
            }
            for batch in json["batches"] as? [[String: Any]] ?? [] {
                let columns = batch["columns"] as? [[String: Any]] ?? []
                batches.append(
                    try zip(fields, columns).map { try values($0, $1, isDictionaryRead: true) }
                )
            }
        }

        private func integer(_ any: Any?) -> Int128 {
            if let text = any as? String { return Int128(text) ?? 0 }
            return Int128((any as? NSNumber)?.int64Value ?? 0)
        }

        private func hex(_ any: Any?) -> [UInt8] {
            let digits = Array((any as? String ?? "").utf8)
            return stride(from: 0, to: digits.count, by: 2).map {
                UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16) ?? 0
            }
        }

        private func micros(_ value: Int128, _ unit: String) throws -> Int64 {
            switch unit {
            case "SECOND": return Int64(value * 1_000_000)
            case "MILLISECOND": return Int64(value * 1000)
            case "MICROSECOND": return Int64(value)
            default:
                if value % 1000 != 0 { throw NoEqual() }
                return Int64(value / 1000)
            }
        }

        private func values(
            _ field: [String: Any],
            _ column: [String: Any],
            isDictionaryRead: Bool
        ) throws -> [Value] {
            let count = column["count"] as? Int ?? 0
            let validity = column["VALIDITY"] as? [Int]
            let data = column["DATA"] as? [Any] ?? []
            let children = field["children"] as? [[String: Any]] ?? []
            let childColumns = column["children"] as? [[String: Any]] ?? []
            func each(_ make: (Int) throws -> Value) rethrows -> [Value] {
                try (0..<count).map { validity?[$0] == 0 ? .null : try make($0) }
            }
            if isDictionaryRead, let encoding = field["dictionary"] as? [String: Any],
                let id = encoding["id"] as? Int
            {
                let dictionary = try values(
                    dictionaryFields[id] ?? [:],
                    dictionaries[id] ?? [:],
                    isDictionaryRead: false
                )
                return each { dictionary[Int(integer(data[$0]))] }
            }
            func child(_ place: Int) throws -> [Value] {
                try values(children[place], childColumns[place], isDictionaryRead: true)
            }
            func offsets() -> [Int] {
                (column["OFFSET"] as? [Any] ?? []).map { Int(integer($0)) }
            }
            let type = field["type"] as? [String: Any] ?? [:]
            let unit = type["unit"] as? String ?? ""
            switch type["name"] as? String ?? "" {
            case "null": return [Value](repeating: .null, count: count)
            case "bool": return each { .boolean((data[$0] as? NSNumber)?.boolValue ?? false) }
            case "int":
                let bits = type["bitWidth"] as? Int ?? 0
                let isSigned = type["isSigned"] as? Bool ?? true
                return each { row in
                    let value = integer(data[row])
                    if bits < 32 || (bits == 32 && isSigned) { return .int32(Int32(value)) }
                    if bits == 64, !isSigned { return .decimal(value) }
                    return .int64(Int64(value))
                }
            case "floatingpoint":
                let isDouble = type["precision"] as? String == "DOUBLE"
                return each { row in
                    let value = (data[row] as? NSNumber)?.doubleValue ?? .nan
                    return isDouble ? .float64(value) : .float32(Float(value))
                }
            case "decimal":
                if type["bitWidth"] as? Int == 256 { throw NoEqual() }
                return each { .decimal(integer(data[$0])) }
            case "date":
                return each { row in
                    let value = integer(data[row])
                    return .date(Int32(unit == "DAY" ? value : value / 86_400_000))
                }
            case "time": return try each { .time(try micros(integer(data[$0]), unit)) }
            case "timestamp":
                let hasZone = type["timezone"] != nil
                return try each { row in
                    let value = try micros(integer(data[row]), unit)
                    return hasZone ? .timestamptz(value) : .timestamp(value)
                }
            case "interval":
                return try each { row in
                    if unit == "YEAR_MONTH" {
                        return .interval(Interval(months: Int32(integer(data[row]))))
                    }
                    let parts = data[row] as? [String: Any] ?? [:]
                    let days = Int32(integer(parts["days"]))
                    if unit == "DAY_TIME" {
                        let micros = Int64(integer(parts["milliseconds"]) * 1000)
                        return .interval(Interval(days: days, micros: micros))
                    }
                    let nanos = integer(parts["nanoseconds"])
                    if nanos % 1000 != 0 { throw NoEqual() }
                    return .interval(
                        Interval(
                            months: Int32(integer(parts["months"])),
                            days: days,
                            micros: Int64(nanos / 1000)
                        )
                    )
                }
            case "utf8", "largeutf8": return each { .string(data[$0] as? String ?? "") }
            case "binary", "largebinary": return each { .binary(hex(data[$0])) }
            case "fixedsizebinary":
                let metadata = field["metadata"] as? [[String: String]] ?? []
                let isUUID = metadata.contains { $0["value"] == "arrow.uuid" }
                return each { row in
                    let bytes = hex(data[row])
                    if !isUUID { return .fixed(bytes) }
                    let number = bytes.reduce(0 as UInt128) { $0 << 8 | UInt128($1) }
                    return .uuid(UUIDBits.ordered(fromBigEndian: number))
                }
            case "utf8view", "binaryview":
                let views = column["VIEWS"] as? [[String: Any]] ?? []
                let buffers = (column["VARIADIC_DATA_BUFFERS"] as? [Any] ?? []).map { hex($0) }
                let isText = type["name"] as? String == "utf8view"
                return each { row in
                    let view = views[row]
                    let size = view["SIZE"] as? Int ?? 0
                    if let text = view["INLINED"] as? String {
                        return isText ? .string(text) : .binary(hex(text))
                    }
                    let start = view["OFFSET"] as? Int ?? 0
                    let bytes = buffers[view["BUFFER_INDEX"] as? Int ?? 0][start..<start + size]
                    return isText
                        ? .string(String(decoding: bytes, as: UTF8.self)) : .binary(Array(bytes))
                }
            case "list", "largelist":
                let (bounds, elements) = (offsets(), try child(0))
                return each { .list(Array(elements[bounds[$0]..<bounds[$0 + 1]])) }
            case "fixedsizelist":
                let (size, elements) = (type["listSize"] as? Int ?? 0, try child(0))
                return each { .list(Array(elements[$0 * size..<($0 + 1) * size])) }
            case "struct":
                let columns = try children.indices.map { try child($0) }
                return each { row in .structure(columns.map { $0[row] }) }
            case "map":
                let bounds = offsets()
                let entryFields = children[0]["children"] as? [[String: Any]] ?? []
                let entryColumns = childColumns[0]["children"] as? [[String: Any]] ?? []
                let keys = try values(entryFields[0], entryColumns[0], isDictionaryRead: true)
                let items = try values(entryFields[1], entryColumns[1], isDictionaryRead: true)
                return each { row in
                    .map(
                        (bounds[row]..<bounds[row + 1]).map {
                            Value.MapEntry(key: keys[$0], value: items[$0])
                        }
                    )
                }
            default: throw NoEqual()
            }
        }
    }
}

@Suite("Arrow's integration files", .enabled(if: Golden.folder != nil, "needs VARVE_SHARED"))
struct IPCGoldenTests {
    static func read(stream bytes: [UInt8]) throws -> (Schema?, [RecordBatch]) {
        let reader = IPCStreamReader()
        reader.feed(bytes)
        var batches: [RecordBatch] = []
        while let batch = try reader.next() { batches.append(batch) }
        try reader.finish()
        return (reader.schema, batches)
    }

    static func read(file bytes: [UInt8]) throws -> (Schema?, [RecordBatch]) {
        let reader = try IPCFileReader(bytes)
        let batches = try (0..<reader.batchCount).map { try reader.batch(at: $0) }
        return (reader.schema, batches)
    }

    /// Cases of which every value, or the whole type, has no equal here.
    static let refused: Set<String> = [
        "generated_decimal256", "generated_duration", "generated_union", "generated_list_view",
        "generated_run_end_encoded", "generated_datetime", "generated_interval_mdn",
    ]

    @Test("say the same as stream, as file and as JSON", arguments: Golden.cases)
    func golden(name: String) throws {
        let stream = try Golden.bytes(name + ".stream")
        let file = try Golden.bytes(name + ".arrow_file")
        let expectation: Golden.Expectation
        do {
            expectation = try Golden.Expectation(try Golden.json(name))
        } catch is Golden.Expectation.NoEqual {
            #expect(Self.refused.contains(name))
            let first = #expect(throws: IPCError.self) { try Self.read(stream: stream) }
            let second = #expect(throws: IPCError.self) { try Self.read(file: file) }
            #expect(first?.code == .unsupported && second?.code == .unsupported)
            #expect(first?.path.isEmpty == false, "\(String(describing: first))")
            return
        }
        for (schema, batches) in [try Self.read(stream: stream), try Self.read(file: file)] {
            #expect(
                schema?.fields.map(\.name) == expectation.fields.map { $0["name"] as? String ?? "" }
            )
            #expect(
                schema?.fields.map(\.isNullable)
                    == expectation.fields.map { $0["nullable"] as? Bool ?? false }
            )
            #expect(batches.count == expectation.batches.count)
            for (batch, expected) in zip(batches, expectation.batches) {
                for (number, column) in batch.columns.enumerated() {
                    // Compared as text: NaN is not equal to itself.
                    let same = "\(column.values)" == "\(expected[number])"
                    #expect(same, "\(name) \(batch.schema[number].name)")
                    #expect(column.flattened().values.count == column.count)
                }
            }
        }
    }

    @Test("are read back from what this writer makes of them", arguments: Golden.cases)
    func rewritten(name: String) throws {
        guard !Self.refused.contains(name) else { return }
        let (schema, batches) = try Self.read(stream: try Golden.bytes(name + ".stream"))
        guard let schema, schema.count > 0 else { return }
        for options in IPCCases.options {
            var writer = IPCStreamWriter(schema: schema, options: options)
            var bytes = try writer.schemaMessage()
            for batch in batches { bytes += try writer.encode(batch) }
            bytes += writer.end()
            let (again, others) = try Self.read(stream: bytes)
            #expect(again?.fields.map(\.name) == schema.fields.map(\.name))
            #expect(others.count == batches.count)
            for (a, b) in zip(batches, others) {
                for (left, right) in zip(a.columns, b.columns) {
                    #expect("\(left.values)" == "\(right.values)")
                }
            }
        }
    }

    @Test("throw when they are damaged, never trap", arguments: Golden.cases)
    func damaged(name: String) throws {
        var random = SeededGenerator(seed: 77)
        for suffix in [".stream", ".arrow_file"] {
            let bytes = try Golden.bytes(name + suffix)
            let isFile = suffix == ".arrow_file"
            for _ in 0..<150 {
                var copy = bytes
                for _ in 0..<Int.random(in: 1...8, using: &random) {
                    let place = Int.random(in: copy.indices, using: &random)
                    copy[place] =
                        Bool.random(using: &random)
                        ? UInt8.random(in: 0...255, using: &random)
                        : [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
                }
                if Int.random(in: 0..<5, using: &random) == 0 {
                    copy.removeLast(Int.random(in: 1...copy.count, using: &random))
                }
                let result = isFile ? try? Self.read(file: copy) : try? Self.read(stream: copy)
                // What was accepted must hold together.
                for batch in result?.1 ?? [] {
                    for column in batch.columns { _ = column.flattened().values.count }
                }
            }
        }
    }
}
