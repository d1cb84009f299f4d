import Columnar
import TestSupport
import Testing
import TextFiles

/// The values of all columns of all batches, row by row.
func rows(_ batches: [RecordBatch]) -> [[Value]] {
    batches.flatMap { batch in
        let columns = batch.columns.map(\.values)
        return (0..<batch.rowCount).map { row in columns.map { $0[row] } }
    }
}

@Suite("CSVReader")
struct CSVReaderTests {
    func read(
        _ text: String,
        _ change: (inout CSVOptions) -> Void = { _ in }
    ) throws -> (schema: Schema, rows: [[Value]]) {
        var options = CSVOptions()
        change(&options)
        let (schema, batches) = try CSVReader.read(Array(text.utf8), options: options)
        return (schema, rows(batches))
    }

    @Test("guesses the type that all values of a column have")
    func types() throws {
        let text = """
            b,i,d,day,t,ts,tz,s,mixed,long
            true,1,1.5,2024-02-29,12:30,2024-01-01 00:00:00,2024-01-01T00:00:00Z,x,1,9223372036854775807
            FALSE,-2,3,1969-12-31,23:59:59.5,2024-01-01,2024-01-01T02:00:00+02:00,,y,-9223372036854775808

            """
        let (schema, rows) = try read(text)
        #expect(
            schema.fields.map(\.name).joined(separator: " ") == "b i d day t ts tz s mixed long"
        )
        #expect(
            schema.fields.map(\.type) == [
                .boolean, .int64, .float64, .date, .time, .timestamp, .timestamptz, .string,
                .string, .int64,
            ]
        )
        let day: Int64 = 19723 * 86_400_000_000
        #expect(
            rows[0] == [
                .boolean(true), .int64(1), .float64(1.5), .date(19782), .time(45_000_000_000),
                .timestamp(day), .timestamptz(day), .string("x"), .string("1"), .int64(.max),
            ]
        )
        #expect(
            rows[1] == [
                .boolean(false), .int64(-2), .float64(3), .date(-1), .time(86_399_500_000),
                .timestamp(day), .timestamptz(day), .null, .string("y"), .int64(.min),
            ]
        )
    }

    @Test("widens to what all values are, and keeps leading zeros")
    func widening() throws {
        let text = "at,v,zip,null\n2024-01-01,-inf,01234,NA\n1970-01-01 00:00:01,NaN,99999,7\n"
        let (schema, rows) = try read(text)
        #expect(schema.fields.map(\.type) == [.timestamp, .float64, .string, .int64])
        #expect(rows[1][0] == .timestamp(1_000_000))
        #expect(rows[0][1...] == [.float64(-.infinity), .string("01234"), .null])
        let strict = #expect(throws: TextFileError.self) {
            try read("a\n1\nNA\n") {
                $0.nullStrings = [""]
                $0.types = ["a": .int32]
            }
        }
        #expect(strict?.line == 3)
    }

    @Test("keeps line ends, delimiters and doubled quotes inside quotes")
    func quotes() throws {
        let text = "a,b\r\n\"x\ny\",\"say \"\"hello\"\", please\"\r\n\"\",\r\nlast,\"q\""
        let (_, rows) = try read(text)
        #expect(
            rows == [
                [.string("x\ny"), .string("say \"hello\", please")], [.string(""), .null],
                [.string("last"), .string("q")],
            ]
        )
    }

    @Test("finds delimiters, quotes and escapes", arguments: [",", ";", "\t", "|", "^"])
    func dialects(delimiter: String) throws {
        for (quote, escaped) in [("\"", "\"\""), ("'", "''"), ("\"", "\\\"")] {
            let lines = [
                ["name", "count", "note"],
                ["Ada", "1", "\(quote)a \(escaped)b\(escaped) c\(quote)"],
                ["Bob", "2", "\(quote)x\(delimiter)y\(quote)"], ["Eve", "3", "plain"],
            ]
            let text = lines.map { $0.joined(separator: delimiter) }.joined(separator: "\n")
            let (schema, rows) = try read(text)
            #expect(schema.fields.map(\.name) == lines[0])
            #expect(schema.fields.map(\.type) == [.string, .int64, .string])
            #expect(rows[0][2] == .string("a \(quote)b\(quote) c"), "\(quote) \(escaped)")
            #expect(rows[1][2] == .string("x\(delimiter)y"))
        }
    }

    @Test("names line, column, text and type of a bad value")
    func badValue() throws {
        var lines = ["id,note,amount"]
        for id in 1...30_000 { lines.append("\(id),\"two\nlines\",1.5") }
        lines.append("30001,x,abc")
        let error = #expect(throws: TextFileError.self) {
            try read(lines.joined(separator: "\n"))
        }
        #expect(error?.line == 1 + 60_000 + 1)
        #expect(error?.column == 3)
        #expect(error?.columnName == "amount")
        #expect(error?.message == "\"abc\" is not a valid DOUBLE")
        #expect(error?.code == .badValue)
    }

    @Test("skips or collects rows that it cannot read")
    func policies() throws {
        let text = "a,b\n1,2\n3\n4,five\n\"6\"x,7\n8,9\n10,11,12\n"
        let columns = [Field("a", .int64), Field("b", .int64)]
        let (_, kept) = try read(text) {
            $0.columns = columns
            $0.onError = .skip
        }
        #expect(kept == [[.int64(1), .int64(2)], [.int64(8), .int64(9)]])

        var options = CSVOptions()
        options.columns = columns
        options.onError = .collect(countMax: 10)
        let reader = try CSVReader(options: options)
        reader.feed(Array(text.utf8))
        reader.finish()
        while try reader.next() != nil {}
        let rejected = reader.takeRejectedRows()
        #expect(rejected.map(\.line) == [3, 4, 5, 7])
        #expect(rejected.map(\.rawText) == ["3", "4,five", "\"6\"x,7", "10,11,12"])
        #expect(rejected.map(\.column) == [nil, 2, nil, nil])
        #expect(reader.rejectedRowCount == 4)
        #expect(reader.rowCount == 2)

        #expect(throws: TextFileError.self) {
            try read(text) {
                $0.columns = columns
                $0.onError = .collect(countMax: 3)
            }
        }
        let error = #expect(throws: TextFileError.self) { try read(text) { $0.columns = columns } }
        #expect(error?.line == 3)
    }

    static let tricky: [String] = [
        "a,b\n1,2\n", "a,b\r\n1,2\r\n", "a,b\r1,2\r3,4", "\u{FEFF}a,b\n1,\"x\n\"\"y\"\n",
        "a\n\n1\n", "x;y\n1;2,5\n2;3,5\n", "a,b\n\"1\",\"\"\n", "a,b\n1,\n,2\n", "n\nNA\n1\n",
        "a,b\n1,2\n3", "a,b\n\"open,1\n2,3\n", "a|b\n'x|y'|1\n'z'|2\n", "\n\n\na,b\n1,2\n",
        "a,b\n1,é\n2,\u{1F600}long enough to be outside\n", "a,b\n1,\"q\"\r\n2,\"w\"\r\n",
        "a,b,\n1,2,\n",
    ]

    @Test("does not care how the bytes are cut", arguments: tricky.indices)
    func cuts(number: Int) throws {
        let bytes = Array(Self.tricky[number].utf8)
        func outcome(_ pieces: [ArraySlice<UInt8>]) -> String {
            do {
                var options = CSVOptions()
                options.onError = .collect(countMax: 5)
                let reader = try CSVReader(options: options)
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
