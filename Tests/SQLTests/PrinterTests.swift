import SQL
import Testing

@Suite("Printer")
struct PrinterTests {
    /// The property that every text must have which is read at all.
    static func roundTrip(_ text: String) throws {
        let parsed = try Parser.parseStatements(text)
        let printed = Printer.print(parsed)
        let again = try Parser.parseStatements(printed)
        #expect(again.map(\.statement) == parsed.map(\.statement), "\(text) became \(printed)")
        #expect(Printer.print(again) == printed, "printing \(text) is not stable")
    }

    @Test("what was printed reads as the same tree", arguments: StatementCorpus.all)
    func corpus(text: String) throws {
        try Self.roundTrip(text)
    }

    @Test("equal trees hash equally and different statements are not equal")
    func equality() throws {
        var statements: [Statement] = []
        var again: [Statement] = []
        var texts: Set<String> = []
        for text in StatementCorpus.all {
            let statement = try Parser.parseStatement(text)
            let printed = Printer.print(statement)
            statements.append(statement)
            again.append(try Parser.parseStatement(printed))
            texts.insert(printed)
        }
        #expect(statements == again)
        #expect(statements.map(\.hashValue) == again.map(\.hashValue))
        // The printer writes every difference, so trees are as many as their texts.
        #expect(Set(statements).count == texts.count)
    }

    @Test(
        "writes canonical text",
        arguments: [
            ("select A, b c from T where x=1", "SELECT A, b AS c FROM T WHERE x = 1"),
            ("from t", "SELECT * FROM t"),
            ("((select 1))", "SELECT 1"),
            (
                "(select 1 limit 1) union all (select 2)",
                "(SELECT 1 LIMIT 1) UNION ALL SELECT 2"
            ),
            (
                "select 1 union select 2 intersect select 3",
                "SELECT 1 UNION SELECT 2 INTERSECT SELECT 3"
            ),
            (
                "(select 1 union select 2) intersect select 3",
                "(SELECT 1 UNION SELECT 2) INTERSECT SELECT 3"
            ),
            ("select a::int8 != b", "SELECT CAST(a AS BIGINT) <> b"),
            ("select (a or b) and c", "SELECT (a OR b) AND c"),
            ("select - -1, a-(b-c), (a-b)-c", "SELECT - -1, a - (b - c), a - b - c"),
            ("select extract(year from d)", "SELECT extract('year' FROM d)"),
            ("select current_date()", "SELECT current_date"),
            ("select 1 limit all", "SELECT 1"),
            ("fetch_me", nil),
            ("select 'it''s' as \"a\"\"b\"", "SELECT 'it''s' AS \"a\"\"b\""),
            ("drop namespace a.b", "DROP SCHEMA a.b"),
            (
                "create table t(a int8 not null) sorted by a with (k='v')",
                "CREATE TABLE t (a BIGINT NOT NULL) ORDERED BY (a) TBLPROPERTIES ('k' = 'v')"
            ),
        ] as [(String, String?)]
    )
    func canonical(text: String, expected: String?) {
        #expect((try? Parser.parseStatement(text)).map { Printer.print($0) } == expected)
    }

    @Test("quotes names made by hand where they need it")
    func names() {
        let name = [Identifier("select"), Identifier("from"), Identifier("a b"), Identifier("1")]
        #expect(Printer.print(name) == "\"select\".from.\"a b\".\"1\"")
        #expect(Printer.print([Identifier("")]) == "\"\"")
        #expect(Printer.print([Identifier("A", isQuoted: true)]) == "\"A\"")
    }

    @Test("prints each kind of fragment")
    func fragments() throws {
        #expect(Printer.print(try Parser.parseExpression("a+ 1")) == "a + 1")
        #expect(Printer.print(try Parser.parseQuery("table t ;")) == "TABLE t")
        #expect(Printer.print(try Parser.parseTypeName("map<int,text>")) == "MAP(INTEGER, VARCHAR)")
        #expect(
            Printer.print(try Parser.parsePartitionField("bucket(id, 4) as b"))
                == "bucket(4, id) AS b"
        )
        #expect(Printer.print(try Parser.parseStatements("begin;;commit")) == "BEGIN;\nCOMMIT;\n")
    }

    @Test(
        "the TPC-H queries survive the round trip",
        .enabled(if: SharedCorpora.hasBenchmarkQueries, "no corpora on this machine")
    )
    func benchmark() throws {
        let queries = try SharedCorpora.benchmarkQueries()
        #expect(queries.count == 22)
        for query in queries { try Self.roundTrip(query) }
    }

    /// What the language does not have: the words that give such statements away.
    static let beyond = [
        "references", "generated always", "index", "insert or", "collate nocase",
    ]

    @Test(
        "the logic tests are read and survive the round trip",
        .enabled(if: SharedCorpora.hasLogicTests, "no corpora on this machine")
    )
    func logicTests() throws {
        var count = 0
        var refused: [String] = []
        for statement in try SharedCorpora.logicStatements() {
            count += 1
            do throws(SQLError) {
                _ = try Parser.parseStatements(statement.text)
            } catch {
                let text = statement.text.lowercased()
                let isGenerated = text.contains("create table") && error.token.lowercased() == "as"
                if !isGenerated, !Self.beyond.contains(where: text.contains) {
                    Issue.record("\(statement.file): \(error.rendered(in: statement.text))")
                }
                refused.append(statement.text)
                continue
            }
            try Self.roundTrip(statement.text)
        }
        #expect(count > 1000)
        #expect(refused.count * 100 < count * 3, "\(refused.count) of \(count) refused")
    }
}
