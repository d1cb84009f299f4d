import Columnar
import Foundation
import TestSupport
import Testing
import TextFiles

/// Other readers' opinion on the same files.
@Suite("CSV and other readers", .enabled(if: Python.path != nil, "needs VARVE_PYTHON with duckdb"))
struct CSVComparisonTests {
    static let letters: [Character] = [
        "a", "b", "7", ",", ";", "\"", "'", "\n", "\r\n", " ", "é", "漢", "\\", "#", "\t", "|",
    ]

    /// Rows of text; no cell is empty in the first column, so that no row is blank.
    static func cells(seed: UInt64) -> [[String]] {
        var random = SeededGenerator(seed: seed)
        let width = Int.random(in: 1...6, using: &random)
        return (0..<Int.random(in: 1...120, using: &random)).map { _ in
            (0..<width).map { column in
                let count = Int.random(in: (column == 0 ? 1 : 0)...14, using: &random)
                return String((0..<count).map { _ in letters.randomElement(using: &random) ?? "a" })
            }
        }
    }

    static let script = """
        import csv, json
        cases = json.load(open('cases.json'))
        quotings = [csv.QUOTE_MINIMAL, csv.QUOTE_ALL]
        out = []
        for i, case in enumerate(cases):
            for j, (delimiter, quote, end) in enumerate([(',', '"', '\\r\\n'), (';', "'", '\\n'), ('\\t', '"', '\\n'), ('|', '"', '\\r\\n')]):
                with open(f'{i}_{j}.csv', 'w', newline='', encoding='utf-8') as f:
                    w = csv.writer(f, delimiter=delimiter, quotechar=quote, lineterminator=end, quoting=quotings[(i + j) % 2])
                    w.writerows(case)
                # the reference: what Python itself reads back
                with open(f'{i}_{j}.csv', newline='', encoding='utf-8') as f:
                    assert list(csv.reader(f, delimiter=delimiter, quotechar=quote)) == case
        for i, case in enumerate(cases):
            for j, (delimiter, quote, escape) in enumerate([(',', '"', '\\\\')]):
                with open(f'{i}_escaped.csv', 'w', newline='', encoding='utf-8') as f:
                    w = csv.writer(f, delimiter=delimiter, quotechar=quote, escapechar=escape, doublequote=False, quoting=csv.QUOTE_ALL)
                    w.writerows(case)
        """

    @Test("reads what Python's csv module writes")
    func pythonWrites() throws {
        let cases = (0..<40).map { Self.cells(seed: UInt64($0)) }
        let (_, files) = try Python.run(
            Self.script,
            files: ["cases.json": Array(try JSONSerialization.data(withJSONObject: cases))]
        )
        let dialects: [(String, CSVDialect)] = [
            ("0", CSVDialect(hasHeader: false)),
            ("1", CSVDialect(delimiter: 59, quote: 39, escape: 39, hasHeader: false)),
            ("2", CSVDialect(delimiter: 9, hasHeader: false)),
            ("3", CSVDialect(delimiter: 124, hasHeader: false)),
            ("escaped", CSVDialect(escape: 92, hasHeader: false)),
        ]
        for (number, expected) in cases.enumerated() {
            for (name, dialect) in dialects {
                let schema = Schema(expected[0].indices.map { Field("c\($0)", .string) })
                let format = CSVFormat(dialect: dialect, schema: schema, nullStrings: [])
                let reader = try CSVReader(format: format)
                let file = "\(number)_\(name).csv"
                reader.feed(files[file] ?? [])
                reader.finish()
                var read: [[Value]] = []
                while let batch = try reader.next() { read += rows([batch]) }
                #expect(read == expected.map { $0.map { .string($0) } }, "\(file)")
            }
        }
    }

    @Test("writes what Python's csv module reads")
    func pythonReads() throws {
        let cases = (0..<40).map { Self.cells(seed: UInt64($0 + 100)) }
        var files: [String: [UInt8]] = [:]
        for (number, cells) in cases.enumerated() {
            let schema = Schema(cells[0].indices.map { Field("c\($0)", .string) })
            let columns = cells[0].indices.map { column in
                Column(.string, cells.map { .string($0[column]) })
            }
            let batch = RecordBatch(schema: schema, columns: columns, rowCount: cells.count)
            let writer = try CSVWriter(schema: schema, hasHeader: false)
            files["\(number).csv"] = writer.encode(batch) + writer.end()
        }
        files["cases.json"] = Array(try JSONSerialization.data(withJSONObject: cases))
        let script = """
            import csv, json
            for i, case in enumerate(json.load(open('cases.json'))):
                with open(f'{i}.csv', newline='', encoding='utf-8') as f:
                    assert list(csv.reader(f, strict=True)) == case, i
            print('same')
            """
        #expect(try Python.run(script, files: files).output == "same\n")
    }

    static let files: [String] = [
        "id,name,amount,day,at,ok\n1,Ada,1.5,2024-02-29,2024-01-01 12:30:00,true\n2,Bob,-2,2023-01-01,2023-06-01 00:00:00.5,false\n",
        "a;b;c\n1;2,5;x\n2;3,5;\"y;z\"\n", "a\tb\n\"x\ty\"\t1\n\"q\"\"r\"\t2\n", "1,2\n3,4\n5,6\n",
        "k|v\r\n1|\"two\r\nlines\"\r\n2|\"x|y\"\r\n", "\u{FEFF}a,b\n1,2\n", "a,b\n,1\nx,\n,\n",
        "n,e\n007,1e3\n010,2.5E-3\n", "t,x\n12:30:00,1\n23:59:59,2\n",
        "big\n9223372036854775807\n-9223372036854775808\n",
        "huge,x\n9223372036854775808,1\n1,2\n", "mixed\n1\nx\n2.5\n",

        "city,note\nZürich,\"a, b\"\n東京,plain\n", "a,a,b\n1,2,3\n", "id,,c\n1,2,3\n4,5,6\n",
        "x,y\n1,\n2,\n", "b\ntrue\nFALSE\n", "a,b,c\nfoo,bar,1\n\"with \"\"quotes\"\"\",\"\n\",2\n",
        "name,score\nx, 1\ny, 2\n", "tz,v\n2024-01-01 00:00:00+02,1\n2024-06-01 00:00:00Z,2\n",
    ]

    @Test("guesses names, types and values as DuckDB does")
    func duckdb() throws {
        let script = """
            import duckdb, json, datetime
            def text(v):
                if v is None or isinstance(v, str): return v
                if isinstance(v, bool): return 'true' if v else 'false'
                if isinstance(v, datetime.datetime):
                    if v.tzinfo: v = v.astimezone(datetime.timezone.utc).replace(tzinfo=None)
                    return v.isoformat()
                if isinstance(v, (datetime.date, datetime.time)): return v.isoformat()
                return repr(v)
            out = []
            con = duckdb.connect()
            con.execute("set timezone='UTC'")
            for i in range(\(Self.files.count)):
                r = con.sql(f"select * from read_csv('{i}.csv')")
                names = [f'"{n}"' + (" at time zone 'UTC'" if 'ZONE' in str(t) else '') for n, t in zip(r.columns, r.types)]
                values = con.sql(f"select {', '.join(names)} from read_csv('{i}.csv')").fetchall()
                out.append([r.columns, [str(t) for t in r.types], [[text(v) for v in row] for row in values]])
            print(json.dumps(out))
            """
        var files: [String: [UInt8]] = [:]
        for (number, text) in Self.files.enumerated() { files["\(number).csv"] = Array(text.utf8) }
        let (output, _) = try Python.run(script, files: files)
        let answers = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [[Any]] ?? []
        #expect(answers.count == Self.files.count)
        for (number, answer) in answers.enumerated() {
            let (schema, batches) = try CSVReader.read(Array(Self.files[number].utf8))
            let names = answer[0] as? [String] ?? []
            let types = answer[1] as? [String] ?? []
            #expect(schema.fields.map(\.name) == names, "\(Self.files[number])")
            #expect(schema.fields.map(\.type.description) == types, "\(Self.files[number])")
            let values = (answer[2] as? [[Any]] ?? []).map { $0.map { $0 as? String } }
            let own = rows(batches).map { $0.map { Self.text($0) } }
            #expect(own == values, "\(Self.files[number])")
        }
    }

    static let jsonFiles: [String] = [
        "{\"a\": 1, \"b\": \"x\"}\n{\"b\": \"y\", \"a\": 2.5}\n{\"a\": null}\n",
        "[{\"a\": true, \"d\": \"2024-01-02\"}, {\"a\": false, \"d\": \"1969-12-31\"}]",
        "{\"o\": {\"x\": 1, \"y\": [1, 2]}}\n{\"o\": {\"y\": [], \"z\": \"t\"}}\n",
        "{\"l\": [[1], [2, 3]]}\n{\"l\": []}\n",
        "{\"t\": \"2024-01-01 10:00:00\", \"s\": \"\\u00e9\\n\\ud83d\\ude00\"}\n",
        "{\"big\": 9007199254740993, \"f\": 1e3}\n{\"big\": 1, \"f\": 0.1}\n",
    ]

    @Test("guesses names, types and values of JSON as DuckDB does")
    func duckdbJSON() throws {
        let script = """
            import duckdb, json, datetime
            def text(v):
                if v is None or isinstance(v, str): return v
                if isinstance(v, bool): return 'true' if v else 'false'
                if isinstance(v, (datetime.datetime, datetime.date)): return v.isoformat()
                return repr(v)
            out = []
            con = duckdb.connect()
            for i in range(\(Self.jsonFiles.count)):
                r = con.sql(f"select * from read_json('{i}.json')")
                out.append([r.columns, [str(t) for t in r.types], [[text(v) for v in row] for row in r.fetchall()]])
            print(json.dumps(out))
            """
        var files: [String: [UInt8]] = [:]
        for (number, text) in Self.jsonFiles.enumerated() {
            files["\(number).json"] = Array(text.utf8)
        }
        let (output, _) = try Python.run(script, files: files)
        let answers = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [[Any]] ?? []
        #expect(answers.count == Self.jsonFiles.count)
        for (number, answer) in answers.enumerated() {
            let (schema, batches) = try JSONReader.read(Array(Self.jsonFiles[number].utf8))
            #expect(schema.fields.map(\.name) == answer[0] as? [String] ?? [])
            let types = (answer[1] as? [String] ?? []).map { $0.replacing("\"", with: "") }
            #expect(schema.fields.map(\.type.description) == types)
            let values = (answer[2] as? [[Any]] ?? []).map { $0.map { $0 as? String } }
            let own = rows(batches)
            #expect(own.count == values.count)
            for (left, right) in zip(own, values) {
                for (column, value) in left.enumerated()
                where !schema[column].type.isNested {
                    #expect(Self.text(value) == right[column])
                }
            }
        }
    }

    static func text(_ value: Value) -> String? {
        switch value {
        case .null: return nil
        case .string(let text): return text
        case .int64(let number): return "\(number)"
        case .boolean(let bool): return "\(bool)"
        case .float64(let number): return "\(number)"
        default:
            // Dates and times: as the writer has them.
            let type: DataType =
                switch value {
                case .date: .date
                case .time: .time
                case .timestamptz: .timestamptz
                default: .timestamp
                }
            let schema = Schema([Field("x", type)])
            let batch = RecordBatch(schema: schema, columns: [Column(type, [value])], rowCount: 1)
            guard let writer = try? CSVWriter(schema: schema, hasHeader: false) else { return nil }
            var text = String(decoding: writer.encode(batch), as: UTF8.self)
            text.removeLast()
            if text.hasSuffix("Z") { text.removeLast() }
            // Python always writes six digits.
            if let point = text.firstIndex(of: ".") {
                while text.distance(from: point, to: text.endIndex) < 7 { text += "0" }
            }
            return text
        }
    }
}
