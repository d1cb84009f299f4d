import Columnar
import TestSupport
import Testing
import TextFiles

/// One column of each type, with NULLs and values at the edges.
enum EdgeCases {
    static let columns: [(Field, [Value])] = [
        (Field("b", .boolean), [.boolean(true), .null, .boolean(false)]),
        (Field("i", .int32), [.int32(.min), .null, .int32(.max)]),
        (Field("l", .int64), [.int64(.min), .null, .int64(.max)]),
        (Field("f", .float32), [.float32(0.1), .null, .float32(-.infinity)]),
        (Field("d", .float64), [.float64(.leastNonzeroMagnitude), .null, .float64(.pi)]),
        (Field("dec", .decimal(precision: 9, scale: 2)), [.decimal(-5), .null, .decimal(123_456)]),
        (
            Field("wide", .decimal(precision: 38, scale: 10)),
            [.decimal(-1), .null, .decimal(Int128(Int64.max) * 1_000_000_007)]
        ),
        (Field("day", .date), [.date(-719_528), .null, .date(2_932_896)]),
        (Field("t", .time), [.time(0), .null, .time(86_399_999_999)]),
        (
            Field("ts", .timestamp),
            [.timestamp(-1), .null, .timestamp(1_700_000_000_123_000)]
        ),
        (
            Field("tz", .timestamptz),
            [.timestamptz(0), .null, .timestamptz(-62_135_596_800_000_000)]
        ),
        (
            Field("s", .string),
            [.string(""), .null, .string("a \"quoted\", long\r\nline with é and 😀")]
        ),
        (Field("u", .uuid), [.uuid(UUIDBits.ordered(fromBigEndian: 1)), .null, .uuid(-1)]),
        (Field("bin", .binary), [.binary([]), .null, .binary([0, 255, 10])]),
        (Field("fix", .fixed(2)), [.fixed([1, 2]), .null, .fixed([0, 0])]),
    ]

    static var batch: RecordBatch {
        RecordBatch(
            schema: Schema(columns.map(\.0)),
            columns: columns.map { Column($0.0.type, $0.1) },
            rowCount: 3
        )
    }
}

@Suite("CSVWriter")
struct CSVWriterTests {
    @Test("writes what the reader reads back, for every type")
    func roundTrip() throws {
        for delimiter in [",", ";", "\t", "|"] as [Unicode.Scalar] {
            let batch = EdgeCases.batch
            let writer = try CSVWriter(schema: batch.schema, delimiter: UInt8(ascii: delimiter))
            let bytes = writer.encode(batch) + writer.end()
            var options = CSVOptions()
            options.columns = batch.schema.fields
            let (schema, batches) = try CSVReader.read(bytes, options: options)
            #expect(schema == batch.schema)
            #expect(rows(batches) == rows([batch]))
        }
    }

    @Test("writes the forms that are promised")
    func forms() throws {
        let batch = EdgeCases.batch
        let writer = try CSVWriter(schema: batch.schema, hasHeader: false)
        let lines = String(decoding: writer.encode(batch), as: UTF8.self)
        let expected = """
            true,-2147483648,-9223372036854775808,0.1,5e-324,-0.05,-0.0000000001,0000-01-01,\
            00:00:00,1969-12-31T23:59:59.999999,1970-01-01T00:00:00Z,"",\
            00000000-0000-0000-0000-000000000001,\\x,\\x0102
            ,,,,,,,,,,,,,,
            false,2147483647,9223372036854775807,-Infinity,3.141592653589793,1234.56,\
            922337204141.4874935249,9999-12-31,23:59:59.999999,2023-11-14T22:13:20.123,\
            0001-01-01T00:00:00Z,"a ""quoted"", long\r\nline with é and 😀",\
            7fffffff-ffff-ffff-ffff-ffffffffffff,\\x00ff0a,\\x0000

            """
        let got = lines.split(separator: "\n", omittingEmptySubsequences: false)
        let want = expected.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(got[0] == want[0])
        #expect(got[1] == want[1])
        #expect(got.last == want.last)
    }

    @Test("reads back any text", arguments: 0..<20)
    func anyText(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let letters: [Character] = [
            "a", ",", "\"", "\n", "\r", " ", "é", ";", "\\", "'", "#", "\t",
        ]
        let values = (0..<300).map { _ -> Value in
            if Int.random(in: 0..<8, using: &random) == 0 { return .null }
            let count = Int.random(in: 0...20, using: &random)
            let text = (0..<count).map { _ in letters.randomElement(using: &random) ?? "a" }
            return .string(String(text))
        }
        let schema = Schema([Field("x", .string), Field("y", .string)])
        let batch = RecordBatch(
            schema: schema,
            columns: [Column(.string, values), Column(.string, values.reversed())],
            rowCount: values.count
        )
        let writer = try CSVWriter(schema: schema)
        let bytes = writer.encode(batch)
        let format = CSVFormat(dialect: CSVDialect(), schema: schema)
        let reader = try CSVReader(format: format)
        reader.feed(bytes)
        reader.finish()
        var read: [RecordBatch] = []
        while let batch = try reader.next() { read.append(batch) }
        #expect(rows(read) == rows([batch]))
    }
}

@Suite("JSON writers")
struct JSONWriterTests {
    static let nested: (Schema, RecordBatch) = {
        let schema = Schema([
            Field("id", .int64),
            Field("amount", .decimal(precision: 20, scale: 2), isNullable: false),
            Field("x", .float64), Field("tags", .list(Field("element", .string))),
            Field("point", .structure([Field("a\"b", .int32), Field("c", .binary)])),
            Field("m", .map(key: Field("key", .int32), value: Field("value", .date))),
        ])
        let columns: [[Value]] = [
            [.int64(1 << 53), .int64((1 << 53) + 1)], [.decimal(100), .decimal(-1)],
            [.float64(.nan), .float64(1e300)], [.list([.string("a\u{1}\n"), .null]), .null],
            [.structure([.int32(1), .binary([1, 2, 3, 4])]), .structure([.null, .null])],
            [.map([Value.MapEntry(key: .int32(5), value: .date(0))]), .map([])],
        ]
        return (
            schema,
            RecordBatch(
                schema: schema,
                columns: zip(schema.fields, columns).map { Column($0.type, $1) },
                rowCount: 2
            )
        )
    }()

    @Test("write a result with large numbers as strings")
    func result() {
        let (schema, batch) = Self.nested
        let writer = JSONResultWriter(schema: schema)
        let bytes = writer.begin() + writer.encode(batch) + writer.end()
        let expected = #"""
            {"columns":[{"name":"id","type":"BIGINT","nullable":true},\#
            {"name":"amount","type":"DECIMAL(20,2)","nullable":false},\#
            {"name":"x","type":"DOUBLE","nullable":true},\#
            {"name":"tags","type":"VARCHAR[]","nullable":true},\#
            {"name":"point","type":"STRUCT(a\"b INTEGER, c BLOB)","nullable":true},\#
            {"name":"m","type":"MAP(INTEGER, DATE)","nullable":true}],"rows":[
            [9007199254740992,"1.00","NaN",["a\u0001\n",null],{"a\"b":1,"c":"AQIDBA=="},\#
            {"5":"1970-01-01"}],
            ["9007199254740993","-0.01",1e+300,null,{"a\"b":null,"c":null},{}]],"row_count":2}

            """#
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }

    @Test("write one object a row with exact numbers")
    func lines() {
        let (schema, batch) = Self.nested
        let writer = NDJSONWriter(schema: schema)
        let lines = String(decoding: writer.encode(batch), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(
            lines[1] == #"""
                {"id":9007199254740993,"amount":-0.01,"x":1e+300,"tags":null,\#
                "point":{"a\"b":null,"c":null},"m":{}}
                """#
        )
    }
}

@Suite("TablePrinter")
struct TablePrinterTests {
    static func batch(_ count: Int) -> RecordBatch {
        let schema = Schema([Field("n", .int64), Field("name", .string)])
        let names: [Value] = [.string("Ada"), .string("漢字\n"), .null]
        return RecordBatch(
            schema: schema,
            columns: [
                Column(.int64, (0..<count).map { $0 == 1 ? .null : .int64(Int64($0 * 1000)) }),
                Column(.string, (0..<count).map { names[$0 % 3] }),
            ],
            rowCount: count
        )
    }

    @Test("draws a box with names, types, values and a footer")
    func box() {
        let batch = Self.batch(3)
        var printer = TablePrinter(schema: batch.schema)
        printer.add(batch)
        let expected = """
            ┌────────┬─────────┐
            │   n    │  name   │
            │ bigint │ varchar │
            ├────────┼─────────┤
            │      0 │ Ada     │
            │   NULL │ 漢字\\n  │
            │   2000 │ NULL    │
            ├────────┴─────────┤
            │ 3 rows           │
            └──────────────────┘

            """
        #expect(printer.finish() == expected)
    }

    @Test("says how many rows are not shown")
    func limit() {
        let batch = Self.batch(100)
        var options = TablePrinter.Options()
        options.rowCountMax = 2
        var printer = TablePrinter(schema: batch.schema, options: options)
        printer.add(batch)
        printer.add(batch)
        let text = printer.finish()
        #expect(text.contains("│ ... 198 rows     │"))
        #expect(text.contains("│ 200 rows (2 shown)") || text.contains("│ 200 rows (2 sho…"))
    }

    @Test("never makes a line wider than it may be", arguments: [20, 30, 40, 80])
    func width(widthMax: Int) {
        let fields = (0..<12).map { Field("column number \($0)", .string) }
        let columns = fields.map { _ in
            Column(.string, [.string("a rather long text 漢字漢字"), .string("x")])
        }
        let batch = RecordBatch(schema: Schema(fields), columns: columns, rowCount: 2)
        var options = TablePrinter.Options()
        options.widthMax = widthMax
        var printer = TablePrinter(schema: batch.schema, options: options)
        printer.add(batch)
        let lines = printer.finish().split(separator: "\n")
        let widths = Set(
            lines.map { line in
                line.unicodeScalars.reduce(0) {
                    $0 + ((0x4E00...0x9FFF).contains($1.value) ? 2 : 1)
                }
            }
        )
        #expect(widths.count == 1)
        #expect((widths.max() ?? 0) <= widthMax)
    }
}
