import TestSupport
import Testing

/// The reader and the comparison, with an engine that answers what a test says.
@Suite("A sqllogictest file")
struct LogicTestFileTests {
    private struct Refusal: Error, CustomStringConvertible {
        var description: String
    }

    /// The failures of a file where every statement gives one answer.
    private func failures(
        _ text: String,
        _ columns: [LogicTestAnswer.Comparison],
        _ rows: [[String?]]
    ) async throws -> [String] {
        let answer = LogicTestAnswer(columns: columns, rows: rows)
        return try await LogicTestFile(text).failures { _ in answer }
    }

    @Test("unrolls loops, replaces variables and leaves out what is for others")
    func directives() throws {
        let file = try LogicTestFile(
            """
            # a comment
            set variable table t

            loop i 0 2

            foreach x a b

            statement ok
            SELECT ${i}, '${x}' FROM ${table}

            endloop

            endloop

            skipif varve
            statement ok
            SELECT 'not for varve'

            onlyif postgres
            statement ok
            SELECT 'not for varve either'

            mode skip

            statement ok
            SELECT 'skipped'

            mode unskip

            include more

            halt

            statement ok
            SELECT 'after the end'
            """
        ) { _ in "statement error\nSELECT 1\n----\nwhy\n" }
        let texts = file.records.map(\.text)
        #expect(
            texts == ["0, 'a'", "0, 'b'", "1, 'a'", "1, 'b'"].map { "SELECT \($0) FROM t" } + [
                "SELECT 1"
            ]
        )
        #expect(file.records[0].line == 8)
        #expect(
            try LogicTestFile("require json\n\nrequire tpch", features: ["json"]).missing == [
                "tpch"
            ]
        )
    }

    @Test(
        "is refused where it is not understood",
        arguments: [
            "restart", "statement perhaps\nSELECT 1", "query X\nSELECT 1", "loop i 0 2", "query I",
        ]
    )
    func refusals(_ text: String) {
        #expect(throws: LogicTestFile.Failure.self) { try LogicTestFile(text) }
    }

    @Test("compares rows as a bag, unless they are ordered")
    func order() async throws {
        let rows: [[String?]] = [["2"], ["1"]]
        #expect(try await failures("query I\nSELECT x\n----\n1\n2\n", [.exact], rows).isEmpty)
        #expect(
            try await failures(
                "query I\nSELECT (SELECT 1 ORDER BY 1)\n----\n1\n2\n",
                [.exact],
                rows
            ).isEmpty
        )
        #expect(
            try await failures("query I\nSELECT x ORDER  BY x\n----\n1\n2\n", [.exact], rows).count
                == 1
        )
        #expect(
            try await failures("query I nosort\nSELECT x\n----\n1\n2\n", [.exact], rows).count == 1
        )
        #expect(
            try await failures("query I rowsort\nSELECT x ORDER BY x\n----\n1\n2\n", [.exact], rows)
                .isEmpty
        )
    }

    @Test("compares values as their types want it")
    func values() async throws {
        func isSame(_ got: String?, _ wanted: String, _ how: LogicTestAnswer.Comparison)
            async throws -> Bool
        {
            try await failures("query T\nSELECT x\n----\n\(wanted)\n", [how], [[got]]).isEmpty
        }
        #expect(try await isSame("1.50", "1.5", .exact))
        #expect(try await isSame("-0", "0", .exact))
        #expect(try await !isSame("1.51", "1.5", .exact))
        #expect(try await isSame("0.30000000000000004", "0.3", .floating))
        #expect(try await !isSame("0.3001", "0.3", .floating))
        #expect(try await isSame("nan", "nan", .floating))
        #expect(try await isSame("true", "1", .boolean))
        #expect(try await !isSame("true", "0", .boolean))
        #expect(try await !isSame("1.0", "1", .text))
        #expect(try await isSame(nil, "NULL", .text))
        #expect(try await isSame("", "(empty)", .text))
        #expect(try await !isSame("", "NULL", .text))
    }

    @Test("takes a line a row, a line a value, or the digest of all values")
    func forms() async throws {
        let columns: [LogicTestAnswer.Comparison] = [.exact, .text]
        let rows: [[String?]] = [["1", "a"], ["2", nil]]
        #expect(
            try await failures("query IT\nSELECT\n----\n1\ta\n2\tNULL\n", columns, rows).isEmpty
        )
        #expect(
            try await failures("query IT\nSELECT\n----\n1\na\n2\nNULL\n", columns, rows).isEmpty
        )
        #expect(try await failures("query I\nSELECT\n----\n1\na\n", columns, rows).count == 1)
        #expect(try await failures("query IT\nSELECT\n----\n1\ta\n", columns, rows).count == 1)
        // The MD5 of "1\n2\n".
        let hashed =
            "query I rowsort\nSELECT\n----\n2 values hashing to 6ddb4095eb719e2a9f0a3f95677d24e0\n"
        #expect(try await failures(hashed, [.exact], [["2"], ["1"]]).isEmpty)
        #expect(try await failures(hashed, [.exact], [["2"], ["3"]]).count == 1)
    }

    @Test("knows which statements must fail, and with what message")
    func errors() async throws {
        let file = try LogicTestFile("statement error\nSELECT 1\n----\nno such thing\n")
        let refuse: LogicTestFile.Execute = { _ in
            throw Refusal(description: "there is no such thing")
        }
        let accept: LogicTestFile.Execute = { _ in LogicTestAnswer(columns: [], rows: []) }
        #expect(await file.failures(checksMessages: true, refuse).isEmpty)
        #expect(await file.failures(accept).count == 1)
        #expect(
            await file.failures(checksMessages: true) { _ in throw Refusal(description: "x") }.count
                == 1
        )
        #expect(await file.failures { _ in throw Refusal(description: "x") }.isEmpty)
        #expect(try await LogicTestFile("statement ok\nSELECT 1").failures(refuse).count == 1)
        #expect(try await LogicTestFile("statement maybe\nSELECT 1").failures(refuse).isEmpty)
        #expect(try await LogicTestFile("query I\nSELECT 1\n----\n1").failures(refuse).count == 1)
    }
}
