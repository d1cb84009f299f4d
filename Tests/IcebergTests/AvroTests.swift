import Foundation
import Testing

import Bytes
import Iceberg
import TestSupport

@Suite("Avro")
struct AvroTests {
    /// A schema with everything in it.
    static let schema: AvroSchema = .record(
        AvroRecord(
            name: "all",
            fields: [
                AvroField(name: "b", schema: .boolean, fieldID: 1),
                AvroField(name: "i", schema: .union([.null, .int()]), fieldID: 2),
                AvroField(
                    name: "l",
                    schema: .long(.timestampMicros(adjustToUTC: true)),
                    fieldID: 3
                ),
                AvroField(name: "f", schema: .float, fieldID: 4),
                AvroField(name: "d", schema: .double, fieldID: 5),
                AvroField(name: "s", schema: .string(), fieldID: 6, icebergName: "s-s"),
                AvroField(name: "y", schema: .bytes(), fieldID: 7),
                AvroField(name: "x", schema: .fixed(name: "fixed_3", size: 3), fieldID: 8),
                AvroField(
                    name: "e",
                    schema: .enumeration(name: "color", symbols: ["red", "blue"]),
                    fieldID: nil
                ),
                AvroField(
                    name: "a",
                    schema: .array(items: .union([.null, .string()]), elementID: 9),
                    fieldID: 10
                ),
                AvroField(
                    name: "m",
                    schema: .map(values: .long(), keyID: 11, valueID: 12),
                    fieldID: 13
                ),
                AvroField(name: "n", schema: .null, fieldID: 14),
                AvroField(
                    name: "p",
                    schema: .array(
                        items: .record(
                            AvroRecord(
                                name: "k15_v16",
                                fields: [
                                    AvroField(name: "key", schema: .int(), fieldID: 15),
                                    AvroField(
                                        name: "value",
                                        schema: .fixed(name: "fixed_3", size: 3),
                                        fieldID: 16
                                    ),
                                ]
                            )
                        ),
                        elementID: nil,
                        isMap: true
                    ),
                    fieldID: 17
                ),
            ]
        )
    )

    static func value(_ random: inout SeededGenerator) -> AvroValue {
        func text() -> String {
            String(
                (0..<Int.random(in: 0...9, using: &random)).map { _ in
                    ["a", "é", "漢"].randomElement(using: &random) ?? "a"
                }
            )
        }
        func fixed() -> AvroValue {
            .bytes((0..<3).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
        return .record([
            .boolean(Bool.random(using: &random)),
            Bool.random(using: &random)
                ? .null : .int(Int32.random(in: .min ... .max, using: &random)),
            .long(Int64(bitPattern: random.next())),
            .float(Float.random(in: -1...1, using: &random)),
            .double(Double.random(in: -1...1, using: &random)),
            .string(text()),
            .bytes(randomBytes(upTo: 9, using: &random)),
            fixed(),
            .string(["red", "blue"].randomElement(using: &random) ?? "red"),
            .array(
                (0..<Int.random(in: 0...4, using: &random)).map { _ in
                    Bool.random(using: &random) ? .null : .string(text())
                }
            ),
            .map(
                (0..<Int.random(in: 0...4, using: &random)).map {
                    .init(key: "k\($0)", value: .long(Int64($0)))
                }
            ),
            .null,
            .array(
                (0..<Int.random(in: 0...3, using: &random)).map {
                    .record([.int(Int32($0)), fixed()])
                }
            ),
        ])
    }

    static func file(_ codec: AvroCodec, count: Int, seed: UInt64) throws -> (
        bytes: [UInt8], values: [AvroValue]
    ) {
        var random = SeededGenerator(seed: seed)
        let values = (0..<count).map { _ in value(&random) }
        var writer = AvroFileWriter(schema: schema, metadata: [("note", "é")], codec: codec)
        for value in values {
            try writer.append { (encoder) throws(IcebergError) in try encoder.write(value, schema) }
        }
        return (try writer.finish(), values)
    }

    @Test("reads the files it writes, with every codec", arguments: AvroCodec.allCases)
    func roundTrip(codec: AvroCodec) throws {
        for count in [0, 1, 5000] {
            let (bytes, values) = try Self.file(codec, count: count, seed: 3)
            var reader = try AvroFileReader(bytes: bytes)
            #expect(reader.schema == Self.schema)
            #expect(reader.codec == codec)
            #expect(reader.text("note") == "é")
            #expect(try reader.readAll() == values)
            #expect(bytes == (try Self.file(codec, count: count, seed: 3)).bytes)
        }
    }

    @Test(
        "fastavro reads what it writes, and it reads what fastavro writes",
        .enabled(if: Python.path != nil, "no VARVE_PYTHON"),
        arguments: [AvroCodec.null, .deflate]
    )
    func fastavro(codec: AvroCodec) throws {
        let folder = try TemporaryFolder()
        let (bytes, values) = try Self.file(codec, count: 3000, seed: 5)
        let ours = folder.url.appendingPathComponent("ours.avro").path
        let theirs = folder.url.appendingPathComponent("theirs.avro").path
        try folder.write(bytes, to: ours)
        let script = """
            import sys, json, fastavro, fastavro.read
            fastavro.read.LOGICAL_READERS.clear()
            with open(sys.argv[1], 'rb') as f:
                reader = fastavro.reader(f)
                rows = list(reader)
                schema = reader.writer_schema
            with open(sys.argv[2], 'wb') as f:
                fastavro.writer(f, schema, rows, codec=sys.argv[3], sync_interval=1000)
            print(json.dumps({'count': len(rows), 'first': rows[0]['s'], 'sum': sum(r['l'] for r in rows),
                'ids': [x.get('field-id') for x in schema['fields']]}))
            """
        let answer = try Python.run(script, [ours, theirs, codec.rawValue])
        #expect(answer["count"]?.int == 3000)
        #expect(answer["ids"]?[9]?.int == 10)
        var reader = try AvroFileReader(
            bytes: Array(Data(contentsOf: URL(fileURLWithPath: theirs)))
        )
        #expect(try reader.readAll() == values)
    }

    @Test(
        "fastavro reads its snappy and zstandard blocks, decompressed by pyarrow",
        .enabled(if: Python.path != nil, "no VARVE_PYTHON"),
        arguments: [AvroCodec.snappy, .zstandard]
    )
    func fastavroReads(codec: AvroCodec) throws {
        let folder = try TemporaryFolder()
        let (bytes, _) = try Self.file(codec, count: 3000, seed: 5)
        let path = folder.url.appendingPathComponent("ours.avro").path
        try folder.write(bytes, to: path)
        let script = """
            import sys, io, json, zlib, pyarrow as pa
            from fastavro import _read_py
            def snappy(decoder):
                data = decoder.read_bytes()
                size = shift = 0
                for byte in data:
                    size |= (byte & 127) << shift
                    shift += 7
                    if byte < 128: break
                plain = pa.decompress(data[:-4], decompressed_size=size, codec='snappy', asbytes=True)
                assert zlib.crc32(plain) == int.from_bytes(data[-4:], 'big')
                return io.BytesIO(plain)
            def zstandard(decoder):
                data = decoder.read_bytes()
                return io.BytesIO(pa.input_stream(pa.BufferReader(data), compression='zstd').read())
            _read_py.BLOCK_READERS['snappy'] = snappy
            _read_py.BLOCK_READERS['zstandard'] = zstandard
            _read_py.LOGICAL_READERS.clear()
            rows = list(_read_py.reader(open(sys.argv[1], 'rb')))
            print(json.dumps({'count': len(rows), 'sum': str(sum(r['l'] for r in rows))}))
            """
        let answer = try Python.run(script, [path])
        #expect(answer["count"]?.int == 3000)
        var reader = try AvroFileReader(bytes: bytes)
        var sum: Int128 = 0
        for value in try reader.readAll() {
            if case .record(let fields) = value, case .long(let long) = fields[2] {
                sum += Int128(long)
            }
        }
        #expect(answer["sum"]?.string == "\(sum)")
    }

    @Test("reads blocks of arrays with sizes, and skips what nobody asks for")
    func sizedBlocks() throws {
        // Two items in a block of two bytes, one in a block without a size, then the end.
        let bytes: [UInt8] = [3, 4, 2, 4, 2, 6, 0, 10]
        let schema = AvroSchema.array(items: .long(), elementID: nil)
        var cursor = AvroCursor(bytes)
        #expect(try cursor.readValue(schema) == .array([.long(1), .long(2), .long(3)]))
        #expect(try cursor.readLong() == 5)
        var skipping = AvroCursor(bytes)
        try skipping.skip(schema)
        #expect(try skipping.readLong() == 5)
        var random = SeededGenerator(seed: 1)
        for _ in 0..<200 {
            var encoder = AvroEncoder()
            try encoder.write(Self.value(&random), Self.schema)
            encoder.write(Int64(77))
            var cursor = AvroCursor(encoder.bytes)
            try cursor.skip(Self.schema)
            #expect(try cursor.readLong() == 77)
            #expect(cursor.remaining == 0)
        }
    }

    @Test("sees damaged markers, counts, checksums and left-over bytes (rule 8)")
    func damage() throws {
        let (bytes, _) = try Self.file(.snappy, count: 10, seed: 7)
        func fails(_ bytes: [UInt8]) -> Bool {
            IcebergError.from {
                var reader = try AvroFileReader(bytes: bytes)
                _ = try reader.readAll()
            } != nil
        }
        #expect(!fails(bytes))
        var damaged = bytes
        damaged[damaged.count - 1] ^= 1
        #expect(fails(damaged))
        damaged = bytes
        damaged[damaged.count - 17] ^= 1
        #expect(fails(damaged))
        #expect(fails(Array(bytes.dropLast())))
        #expect(fails([]))
        #expect(fails(Array("PAR1".utf8)))
        let (plain, _) = try Self.file(.null, count: 1, seed: 7)
        var reader = try AvroFileReader(bytes: plain)
        var block = try #require(try reader.nextBlock())
        #expect(IcebergError.from { try block.finish() }?.code == .corrupt)
        _ = try block.cursor.readValue(Self.schema)
        try block.finish()
    }

    @Test("writes the JSON of schemas so that it reads the same")
    func schemaJSON() throws {
        #expect(try AvroSchema(json: JSON.parse(Self.schema.json.serialized())) == Self.schema)
        // The second fixed_3 is written by name.
        #expect(Self.schema.json.text().contains(#""name":"value","type":"fixed_3""#))
    }

    @Test("resolves names and namespaces, and refuses types that contain themselves")
    func names() throws {
        let text = #"""
            {"type":"record","name":"a.b.R","fields":[
            {"name":"x","type":{"type":"fixed","name":"F","size":2}},
            {"name":"y","type":"F"},{"name":"z","type":"a.b.F"},{"name":"w","type":{"type":{"type":"string"}}}]}
            """#
        guard case .record(let record) = try AvroSchema(json: JSON.parse(text)) else {
            Issue.record("no record")
            return
        }
        #expect(record.fields[0].schema == record.fields[1].schema)
        #expect(record.fields[1].schema == record.fields[2].schema)
        #expect(record.fields[3].schema == .string())
        let recursive = #"{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}"#
        #expect(
            IcebergError.from { _ = try AvroSchema(json: JSON.parse(recursive)) }?.code
                == .unsupported
        )
        for text in [
            #""nothing""#, "[]", "{}", "1", #"{"type":"array"}"#,
            #"{"type":"fixed","name":"f","size":-1}"#,
        ] {
            #expect(
                IcebergError.from { _ = try AvroSchema(json: JSON.parse(text)) }?.code == .corrupt
            )
        }
    }

    @Test("a few bytes cannot stand for billions of values")
    func empties() throws {
        let nulls = AvroSchema.array(items: .null, elementID: nil)
        var encoder = AvroEncoder()
        encoder.write(Int64.max)
        encoder.write(Int64(0))
        var cursor = AvroCursor(encoder.bytes)
        #expect(IcebergError.from { _ = try cursor.readValue(nulls) }?.code == .corrupt)
        var skipping = AvroCursor(encoder.bytes)
        #expect(IcebergError.from { try skipping.skip(nulls) }?.code == .corrupt)
        // Records that double: sixty of them would be 2^60 nulls without a byte.
        var text = #"{"type":"record","name":"r0","fields":[]}"#
        for level in 1..<60 {
            text =
                #"{"type":"record","name":"r\#(level)","fields":[{"name":"a","type":\#(text)},{"name":"b","type":"r\#(level - 1)"}]}"#
        }
        let doubling = try AvroSchema(json: JSON.parse(text))
        var empty = AvroCursor([])
        #expect(IcebergError.from { _ = try empty.readValue(doubling) }?.code == .corrupt)
        try empty.skip(doubling)
    }

    @Test("never traps on any bytes", arguments: 0..<16)
    func anyBytes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let bytes = randomBytes(upTo: 60, using: &random)
            var cursor = AvroCursor(bytes)
            _ = try? cursor.readValue(Self.schema)
            var skipping = AvroCursor(bytes)
            _ = try? skipping.skip(Self.schema)
        }
    }

    @Test("never traps on damaged files", arguments: AvroCodec.allCases, 0..<6)
    func damagedFiles(codec: AvroCodec, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (bytes, _) = try Self.file(codec, count: 20, seed: seed)
        for _ in 0..<200 {
            let damaged = mutated(
                Bool.random(using: &random) ? bytes : withoutChecksums(bytes),
                using: &random
            )
            guard var reader = try? AvroFileReader(bytes: damaged) else { continue }
            _ = try? reader.readAll()
        }
    }
}
