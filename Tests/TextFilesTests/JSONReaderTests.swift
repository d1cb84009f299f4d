import Columnar
import TestSupport
import Testing
import TextFiles

@Suite("JSONReader")
struct JSONReaderTests {
    func read(
        _ text: String,
        _ change: (inout JSONOptions) -> Void = { _ in }
    ) throws -> (schema: Schema, rows: [[Value]]) {
        var options = JSONOptions()
        change(&options)
        let (schema, batches) = try JSONReader.read(Array(text.utf8), options: options)
        return (schema, rows(batches))
    }

    static let typed = """
        {"i": 1, "d": 1.5, "b": true, "s": "x", "day": "2024-01-02", "ts": "2024-01-01T00:00:01", \
        "tz": "2024-01-01T00:00:00Z", "l": [1, null], "o": {"a": 1, "b": [{"c": "x"}]}, "m": 1}
        {"o": {"b": [], "a": null}, "i": -9223372036854775808, "d": 2, "late": null, "m": [1, "a"]}

        {"i": null, "big": 9223372036854775808, "s": "é\\n\\u00e9\\ud83d\\ude00", "m": "text"}
        """

    @Test("guesses types, puts nulls for missing keys, and keeps mixed values as JSON text")
    func types() throws {
        let (schema, rows) = try read(Self.typed)
        let c = DataType.structure([Field("c", .string)])
        #expect(
            schema.fields == [
                Field("i", .int64), Field("d", .float64), Field("b", .boolean), Field("s", .string),
                Field("day", .date), Field("ts", .timestamp), Field("tz", .timestamptz),
                Field("l", .list(Field("element", .int64))),
                Field(
                    "o",
                    .structure([Field("a", .int64), Field("b", .list(Field("element", c)))])
                ),
                Field("m", .string), Field("late", .string),
                Field("big", .decimal(precision: 38, scale: 0)),
            ]
        )
        let day: Int64 = 19723 * 86_400_000_000
        #expect(
            rows[0] == [
                .int64(1), .float64(1.5), .boolean(true), .string("x"), .date(19724),
                .timestamp(day + 1_000_000), .timestamptz(day), .list([.int64(1), .null]),
                .structure([.int64(1), .list([.structure([.string("x")])])]), .string("1"), .null,
                .null,
            ]
        )
        #expect(rows[1][0] == .int64(.min))
        #expect(rows[1][8] == .structure([.null, .list([])]))
        #expect(rows[1][9] == .string("[1, \"a\"]"))
        #expect(rows[2][3] == .string("é\né😀"))
        #expect(rows[2][9] == .string("\"text\""))
        #expect(rows[2][11] == .decimal(Int128(Int64.max) + 1))
    }

    @Test("reads an array as it reads lines")
    func array() throws {
        let lines = try read(Self.typed)
        let parts = Self.typed.split(separator: "\n").joined(separator: " ,\n ")
        let array = try read(" \n[ \(parts) ] \n")
        #expect(array.schema == lines.schema)
        #expect(array.rows == lines.rows)
        #expect(try read("[{\"a\": {}}]").rows == [[.string("{}")]])
    }

    @Test("names a key that is not in the sample, or ignores it")
    func unknownKeys() throws {
        let text = String(repeating: "{\"a\": 1}\n", count: 3000) + "{\"a\": 2, \"b\": 3}\n"
        let error = #expect(throws: TextFileError.self) {
            try read(text) { $0.sampleRowCount = 100 }
        }
        #expect(error?.line == 3001)
        #expect(error?.message.contains("the key \"b\"") == true)
        #expect(error?.message.contains("widen the sample") == true)
        let (_, rows) = try read(text) {
            $0.sampleRowCount = 100
            $0.unknownKeys = .ignore
        }
        #expect(rows.count == 3001)
        #expect(try read(text).schema.count == 2)
    }

    @Test("skips or collects rows that it cannot read")
    func policies() throws {
        let text = """
            {"a": 1}
            {"a": "x"}
            {"a": 2
            {"a": 3, "a": 4}
            [5]
            {"a": 6} 7
            {"a": 8}
            """
        let columns = [Field("a", .int64)]
        let (_, kept) = try read(text) {
            $0.columns = columns
            $0.onError = .skip
        }
        #expect(kept == [[.int64(1)], [.int64(8)]])
        var options = JSONOptions()
        options.columns = columns
        options.onError = .collect(countMax: 5)
        let reader = try JSONReader(options: options)
        reader.feed(Array(text.utf8))
        reader.finish()
        while try reader.next() != nil {}
        let rejected = reader.takeRejectedRows()
        #expect(rejected.map(\.line) == [2, 3, 4, 5, 6])
        #expect(rejected[0].columnName == "a")
        #expect(rejected[0].reason.hasPrefix("\"x\" is not a valid BIGINT"))
        #expect(rejected[1].rawText == "{\"a\": 2")
        let error = #expect(throws: TextFileError.self) { try read(text) { $0.columns = columns } }
        #expect(error?.line == 2)
        let required = #expect(throws: TextFileError.self) {
            try read("{\"a\": 1}\n{}") { $0.columns = [Field("a", .int64, isNullable: false)] }
        }
        #expect(required?.line == 2)
    }

    @Test(
        "refuses what is no JSON",
        arguments: [
            "{\"a\": 01}", "{\"a\": 1.}", "{\"a\": .5}", "{\"a\": +1}", "{\"a\": \"\u{1}\"}",
            "{\"a\": \"\\x\"}", "{\"a\": \"\\ud800\"}", "{\"a\" 1}", "{\"a\": 1,}", "{a: 1}",
            "{\"a\": tru}", "{\"a\": [1 2]}", "{\"a\": \"x}", "[{\"a\": 1}",
            "[{\"a\": 1} {\"a\": 2}]",
            "[{\"a\": 1}] x", "{\"a\": 1e}", "{'a': 1}", "[{\"a\":1},]", "5", "[5]", "",
        ]
    )
    func malformed(text: String) {
        #expect(throws: TextFileError.self) { try read(text) }
        let deep = "{\"a\": " + String(repeating: "[", count: 100_000)
        #expect(throws: TextFileError.self) { try read(deep) }
    }

    @Test("reads what the writer writes, for every type")
    func roundTrip() throws {
        let batches = [EdgeCases.batch, JSONWriterTests.nested.1]
        for batch in batches {
            let bytes = NDJSONWriter(schema: batch.schema).encode(batch)
            // Keys of maps are strings in JSON: these columns are read as they are written.
            let keep = batch.schema.fields.indices.filter { place in
                if case .map(let key, _) = batch.schema[place].type { return key.type == .string }
                return true
            }
            var options = JSONOptions()
            options.columns = keep.map { batch.schema[$0] }
            options.unknownKeys = .ignore
            let (_, read) = try JSONReader.read(bytes, options: options)
            let expected = rows([batch]).map { row in keep.map { row[$0] } }
            #expect("\(rows(read))" == "\(expected)")
        }
    }

    static let cutCases: [String] = [
        typed, "[" + typed.split(separator: "\n").joined(separator: ",\n") + "]",
        "\u{FEFF}{\"a\":1}\r\n{\"a\":2}\r\n", "{\"a\":\"\\u00e9\\\\\"}\n{\"b\":[[]]}",
        "[{\"a\":\"]}\\\"\"},\n{\"a\":", "{\"a\":1}\n{\"a\":\"x\"}\n{\"a\":2", "[]", "\n\n",
        "[\n{}]",
    ]

    @Test("does not care how the bytes are cut", arguments: cutCases.indices)
    func cuts(number: Int) throws {
        let bytes = Array(Self.cutCases[number].utf8)
        func outcome(_ pieces: [ArraySlice<UInt8>]) -> String {
            do {
                var options = JSONOptions()
                options.onError = .collect(countMax: 5)
                let reader = try JSONReader(options: options)
                var all: [[Value]] = []
                for piece in pieces {
                    reader.feed(Array(piece))
                    while let batch = try reader.next() { all += rows([batch]) }
                }
                reader.finish()
                while let batch = try reader.next() { all += rows([batch]) }
                return "\(reader.schema.map { "\($0)" } ?? "") \(all) \(reader.takeRejectedRows())"
            } catch {
                return "\(error)"
            }
        }
        let whole = outcome([bytes[...]])
        #expect(outcome(bytes.indices.map { bytes[$0...$0] }) == whole)
        for cut in bytes.indices {
            #expect(outcome([bytes[..<cut], bytes[cut...]]) == whole)
        }
    }
}
