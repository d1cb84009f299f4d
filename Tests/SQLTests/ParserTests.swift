import SQL
import Testing

@Suite("Parser")
struct ParserTests {
    // MARK: Literals and names

    @Test(
        "reads literals",
        arguments: [
            ("1_000", .integer("1000")), ("0x1F", .integer("31")), ("0b11", .integer("3")),
            ("0o17", .integer("15")), (".5", .decimal(".5")), ("5.", .decimal("5.")),
            ("1e10", .decimal("1e10")), ("1_0.5_0E+3", .decimal("10.50E+3")),
            ("'it''s'", .string("it's")), ("''''", .string("'")), ("'a'\n 'b'", .string("ab")),
            ("E'a\\n\\'\\x41\\101\\u00e9\\U0001F600\\q'", .string("a\n'AA\u{e9}\u{1F600}q")),
            ("E'\\xc3\\xa9'", .string("\u{e9}")), ("$$a$b'$$", .string("a$b'")),
            ("$x$ $$ $x$", .string(" $$ ")), ("'\u{e9}\u{0301}'", .string("\u{e9}\u{0301}")),
            ("X'00fF'", .blob([0, 255])), ("x''", .blob([])), ("nUlL", .null),
            ("TRUE", .boolean(true)), ("false", .boolean(false)),
            ("date '2024-01-01'", .typed(TypeName(.date), "2024-01-01")),
            (
                "timestamp with time zone 'x'",
                .typed(TypeName(.timestamp(precision: nil, hasTimeZone: true)), "x")
            ),
        ] as [(String, Literal)]
    )
    func literals(text: String, expected: Literal) throws {
        #expect(try Parser.parseExpression(text).node == .literal(expected))
    }

    @Test("a string on the same line is not joined to the one before")
    func neighbours() {
        #expect(throws: SQLError.self) { try Parser.parseExpression("'a' 'b'") }
    }

    @Test("keeps the spelling of names and whether they were quoted")
    func names() throws {
        #expect(
            try Parser.parseExpression("Abc.\"D\"\"e\".`f``g`").node
                == .column([
                    Identifier("Abc"), Identifier("D\"e", isQuoted: true),
                    Identifier("f`g", isQuoted: true),
                ])
        )
    }

    @Test(
        "words that are not reserved are names of columns, tables and aliases",
        arguments: [
            "date", "year", "name", "value", "key", "type", "version", "timestamp", "time", "month",
            "day", "first", "last", "row", "rows", "range", "position", "map", "interval", "format",
            "location", "comment", "branch", "tag", "source", "target", "data", "schema", "show",
            "values", "filter", "over", "at", "set", "partition", "lambda", "index", "semi", "anti",
        ]
    )
    func freeWords(word: String) throws {
        let select = try Parser.parseStatement("SELECT \(word), t.\(word) AS \(word) FROM \(word)")
        #expect(
            select == (try Parser.parseStatement(Printer.print(select)))
        )
        #expect(try Parser.parseExpression(word).node == .column([Identifier(word)]))
        let aliased = try Parser.parseSelectItems("1 \(word)")
        #expect(aliased.first?.alias == Identifier(word))
    }

    @Test(
        "reserved words are no names",
        arguments: ["select", "from", "where", "table", "order", "and", "end", "left", "join"]
    )
    func reservedWords(word: String) {
        #expect(throws: SQLError.self) { try Parser.parseObjectName(word) }
        #expect(throws: SQLError.self) { try Parser.parseSelectItems("1 \(word)") }
    }

    @Test("counts question marks and keeps named and numbered parameters")
    func parameters() throws {
        let expected: [Parameter] = [
            .numbered(1), .numbered(7), .numbered(2), .named("a"), .named("b"),
        ]
        let list = try Parser.parseExpression("[?, $7, ?, $a, :b]").node
        #expect(list == .list(expected.map { Expression(.parameter($0)) }))
    }

    @Test(
        "reads the names of types",
        arguments: [
            ("INT8", .bigint), ("double precision", .double), ("float(30)", .double),
            ("Numeric(10, 2)", .decimal(precision: 10, scale: 2)),
            ("decimal", .decimal(precision: nil, scale: nil)),
            ("varchar(3)", .text(length: 3)), ("string", .text(length: nil)),
            ("timestamp_ns", .timestamp(precision: 9, hasTimeZone: false)),
            ("timestamptz", .timestamp(precision: nil, hasTimeZone: true)),
            ("fixed(16)", .fixed(length: 16)),
            ("int[][3]", .list(TypeName(.list(TypeName(.integer), length: nil)), length: 3)),
            (
                "list<list<int>>",
                .list(TypeName(.list(TypeName(.integer), length: nil)), length: nil)
            ),
            (
                "struct<a: int, b text NOT NULL>",
                .structure([
                    .init(name: Identifier("a"), type: TypeName(.integer)),
                    .init(
                        name: Identifier("b"),
                        type: TypeName(.text(length: nil)),
                        isNotNull: true
                    ),
                ])
            ),
            ("map(text, uuid)", .map(key: TypeName(.text(length: nil)), value: TypeName(.uuid))),
            ("my.type(1, 2)", .other([Identifier("my"), Identifier("type")], arguments: [1, 2])),
        ] as [(String, TypeName.Node)]
    )
    func types(text: String, expected: TypeName.Node) throws {
        #expect(try Parser.parseTypeName(text).node == expected)
    }

    // MARK: Same meaning, two spellings

    @Test(
        "two spellings are one tree",
        arguments: [
            ("FROM t", "SELECT * FROM t"), ("FROM t SELECT a WHERE b", "SELECT a FROM t WHERE b"),
            ("SELECT a b FROM t c", "SELECT a AS b FROM t AS c"),
            ("SELECT a, FROM t", "SELECT a FROM t"), ("(((SELECT 1)))", "SELECT 1"),
            ("(SELECT 1) ORDER BY 1", "SELECT 1 ORDER BY 1"), ("SELECT ALL 1", "SELECT 1"),
            ("SELECT 1 UNION DISTINCT SELECT 2", "SELECT 1 UNION SELECT 2"),
            ("(SELECT 1 UNION SELECT 2) UNION SELECT 3", "SELECT 1 UNION SELECT 2 UNION SELECT 3"),
            ("SELECT 1 OFFSET 2 LIMIT 1", "SELECT 1 LIMIT 1 OFFSET 2"),
            ("SELECT 1 FETCH FIRST ROW ONLY", "SELECT 1 LIMIT 1"),
            ("SELECT 1 LIMIT 5%", "SELECT 1 LIMIT 5 PERCENT"),
            ("SELECT a == b AND c != d", "SELECT a = b AND c <> d"),
            ("SELECT a ** b", "SELECT a ^ b"),
            ("SELECT a ISNULL, b NOTNULL", "SELECT a IS NULL, b IS NOT NULL"),
            ("SELECT a::int", "SELECT CAST(a AS integer)"),
            ("SELECT (a AND b) AND (c AND d)", "SELECT a AND b AND c AND d"),
            ("SELECT ARRAY[1]", "SELECT [1]"), ("SELECT (a, b)", "SELECT ROW(a, b)"),
            ("SELECT f(a := 1)", "SELECT f(a => 1)"), ("SELECT a = SOME (b)", "SELECT a = ANY (b)"),
            ("SELECT a IN ((SELECT 1))", "SELECT a IN (SELECT 1)"),
            ("SELECT extract(year FROM a)", "SELECT extract('year', a)"),
            ("SELECT substring(a FOR 2 FROM 3)", "SELECT substring(a, 3, 2)"),
            ("SELECT substring(a FOR 2)", "SELECT substring(a, 1, 2)"),
            ("SELECT position(a IN b)", "SELECT position(b, a)"),
            ("SELECT overlay(a PLACING b FROM 1)", "SELECT overlay(a, b, 1)"),
            ("SELECT trim(LEADING 'x' FROM a)", "SELECT ltrim(a, 'x')"),
            ("SELECT trim('x' FROM a)", "SELECT trim(a, 'x')"),
            ("SELECT current_date", "SELECT current_date()"), ("SELECT (a).f(b)", "SELECT f(a, b)"),
            (
                "SELECT sum(a) OVER (ROWS 1 PRECEDING)",
                "SELECT sum(a) OVER (ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)"
            ),
            (
                "SELECT * FROM a JOIN b JOIN c ON x ON y",
                "SELECT * FROM a JOIN (b JOIN c ON x) ON y"
            ),
            ("SELECT * FROM a LEFT SEMI JOIN b USING (x)", "SELECT * FROM a SEMI JOIN b USING (x)"),
            ("SELECT * FROM t AT (VERSION => 1)", "SELECT * FROM t FOR VERSION AS OF 1"),
            (
                "SELECT * FROM t x FOR SYSTEM_TIME AS OF now()",
                "SELECT * FROM t FOR TIMESTAMP AS OF now() AS x"
            ),
            ("SELECT * FROM ((SELECT 1)) x", "SELECT * FROM (SELECT 1) x"),
            ("DESC t", "DESCRIBE TABLE t"), ("END", "COMMIT"), ("START TRANSACTION", "BEGIN"),
            ("DROP NAMESPACE a", "DROP SCHEMA a"), ("SET a TO 1", "SET SESSION a = 1"),
            ("SET TIME ZONE 'UTC'", "SET timezone = 'UTC'"),
            ("CREATE TABLE t (a int) SORTED BY a", "CREATE TABLE t (a int) ORDERED BY (a)"),
            ("ALTER TABLE t ALTER a TYPE int", "ALTER TABLE t ALTER COLUMN a SET DATA TYPE int4"),
            (
                "ALTER TABLE t ADD PARTITION FIELD bucket(id, 4)",
                "ALTER TABLE t ADD PARTITION FIELD bucket(4, id)"
            ),
            (
                "MERGE INTO t USING u ON x WHEN NOT MATCHED BY TARGET THEN INSERT",
                "MERGE INTO t USING u ON x WHEN NOT MATCHED THEN INSERT *"
            ),
        ]
    )
    func spellings(one: String, other: String) throws {
        #expect(try Parser.parseStatement(one) == Parser.parseStatement(other))
    }

    @Test(
        "what looks alike is not the same",
        arguments: [
            ("SELECT \"a\"", "SELECT a"), ("SELECT a", "SELECT A"), ("SELECT (a).b", "SELECT a.b"),
            ("SELECT 1 UNION SELECT 2", "SELECT 1 UNION ALL SELECT 2"),
            (
                "SELECT 1 EXCEPT (SELECT 2 EXCEPT SELECT 3)",
                "SELECT 1 EXCEPT SELECT 2 EXCEPT SELECT 3"
            ),
            ("(SELECT 1 LIMIT 2) LIMIT 1", "SELECT 1 LIMIT 1"),
            ("SELECT a - (b - c)", "SELECT a - b - c"), ("SELECT NOT a = b", "SELECT (NOT a) = b"),
            ("SELECT sum(a) OVER w", "SELECT sum(a) OVER (w)"),
            ("SELECT a FROM t GROUP BY (a, b)", "SELECT a FROM t GROUP BY a, b"),
            ("SELECT '1'", "SELECT 1"), ("SELECT [1]", "SELECT ROW(1)"),
        ]
    )
    func differences(one: String, other: String) throws {
        #expect(try Parser.parseStatement(one) != Parser.parseStatement(other))
    }

    // MARK: Structure

    @Test("reads statements with their places in the text")
    func statements() throws {
        let text = ";; SELECT 1 ;\n-- nothing\n ; INSERT INTO t VALUES ('\u{e9}') ; "
        let parsed = try Parser.parseStatements(text)
        let utf8 = Array(text.utf8)
        let cuts = parsed.map { statement in
            let range = statement.span.offsetBytes..<statement.span.endBytes
            return String(decoding: utf8[range], as: UTF8.self)
        }
        #expect(cuts == ["SELECT 1", "INSERT INTO t VALUES ('\u{e9}')"])
        #expect(parsed.map(\.span.position.line) == [1, 3])
        #expect(parsed.map(\.span.position.column) == [4, 4])
        #expect(try Parser.parseStatements(" -- empty").isEmpty)
    }

    @Test("question marks count anew in each statement")
    func questionMarks() throws {
        let parsed = try Parser.parseStatements("SELECT ?, ?; SELECT ?")
        #expect(parsed.last?.statement == (try Parser.parseStatement("SELECT $1")))
    }

    @Test("a long chain of one operator is one node")
    func chains() throws {
        guard case .and(let and) = try Parser.parseExpression("a AND (b AND c) AND NOT d").node,
            case .or(let or) = try Parser.parseExpression("a OR b AND c OR d").node,
            case .concatenation(let parts) = try Parser.parseExpression("a || b || c").node,
            case .setOperation(let union) = try Parser.parseQuery(
                "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3"
            ).body
        else {
            Issue.record("not the chains expected")
            return
        }
        #expect(and.count == 4 && or.count == 3 && parts.count == 3 && union.operands.count == 3)
    }

    @Test("a lambda is seen in either spelling")
    func lambdas() throws {
        let body = try Parser.parseExpression("x > 1 AND y")
        for text in ["x -> (x > 1 AND y)", "lambda x: x > 1 AND y"] {
            let parts = try Parser.parseExpression(text).lambdaParts
            #expect(parts?.parameters == [Identifier("x")])
            #expect(parts?.body == body)
        }
        let call = try Parser.parseExpression("f(a, (x, y) -> x + y > 2)")
        guard case .function(let function) = call.node else { return }
        #expect(function.arguments.last?.value.lambdaParts?.parameters.count == 2)
        #expect(try Parser.parseExpression("a.b -> 'c'").lambdaParts == nil)
        #expect(try Parser.parseExpression("a + b").lambdaParts == nil)
    }

    @Test("the words of a table definition reach the tree")
    func createTable() throws {
        let text = """
            CREATE OR REPLACE TABLE ns.t (
                id bigint NOT NULL COMMENT 'key', s struct<a: int>, PRIMARY KEY (id)
            ) PARTITIONED BY (day(ts), bucket(16, id) AS shard, s.a) ORDERED BY (id DESC NULLS LAST)
            LOCATION 's3://x' TBLPROPERTIES ('format-version' = '2', n = 3)
            """
        guard case .createTable(let table) = try Parser.parseStatement(text) else {
            Issue.record("not a table")
            return
        }
        #expect(table.isOrReplace && !table.isIfNotExists && table.query == nil)
        #expect(table.columns.map(\.name.name) == ["id", "s"])
        #expect(table.columns[0].isNotNull && table.columns[0].comment == "key")
        #expect(table.constraints == [.primaryKey([Identifier("id")])])
        #expect(table.partitionedBy.map(\.transform.name?.name) == ["day", "bucket", nil])
        #expect(table.partitionedBy.map(\.transform.parameter) == [nil, 16, nil])
        #expect(table.partitionedBy.map(\.name?.name) == [nil, "shard", nil])
        #expect(table.sortedBy.map(\.direction) == [.descending])
        #expect(table.location == "s3://x")
        #expect(table.properties.map(\.key) == ["format-version", "n"])
        #expect(table.properties.map(\.value) == ["2", "3"])
    }

    @Test("retention is in milliseconds")
    func references() throws {
        let text =
            "ALTER TABLE t CREATE BRANCH b AS OF VERSION 7 RETAIN 2 DAYS "
            + "WITH SNAPSHOT RETENTION 3 SNAPSHOTS 4 HOURS"
        guard case .alterTable(let alter) = try Parser.parseStatement(text),
            case .createReference(let branch) = alter.actions.first
        else {
            Issue.record("not a branch")
            return
        }
        #expect(branch.snapshotID == 7 && branch.retainMillis == 172_800_000)
        #expect(branch.snapshotsMin == 3 && branch.snapshotAgeMillis == 14_400_000)
    }

    @Test("expressions know where they stand")
    func spans() throws {
        let text = "SELECT f(\u{e9}, 'x'),\n  (a + b) * c::int FROM t"
        guard case .select(let block) = try Parser.parseQuery(text).body else { return }
        let utf8 = Array(text.utf8)
        let cuts = block.items.map { item in
            let span = item.expression.span
            return String(decoding: utf8[span.offsetBytes..<span.endBytes], as: UTF8.self)
        }
        #expect(cuts == ["f(\u{e9}, 'x')", "(a + b) * c::int"])
        #expect(block.items[1].expression.position == SourcePosition(line: 2, column: 3))
        #expect(block.from.first?.position == SourcePosition(line: 2, column: 25))
    }
}
