import SQL
import Testing

@Suite("Statements of indexes")
struct IndexStatementTests {
    @Test(
        "are printed as they are read",
        arguments: [
            ("create index i on t (a)", "CREATE INDEX i ON t (a)"),
            (
                "CREATE UNIQUE INDEX IF NOT EXISTS i ON ns.t USING btree (a DESC, \"B c\")",
                "CREATE UNIQUE INDEX IF NOT EXISTS i ON ns.t (a, \"B c\")"
            ),
            ("drop index i", "DROP INDEX i"),
            ("DROP INDEX IF EXISTS i, ns.j CASCADE", "DROP INDEX IF EXISTS i, ns.j"),
            (
                "CREATE TABLE t (a text COLLATE nocase.noaccent NOT NULL)",
                "CREATE TABLE t (a VARCHAR COLLATE nocase.noaccent NOT NULL)"
            ),
        ]
    )
    func printing(text: String, expected: String) throws {
        let printed = Printer.print(try Parser.parseStatement(text))
        #expect(printed == expected)
        #expect(Printer.print(try Parser.parseStatement(printed)) == expected)
    }

    @Test(
        "say what an index cannot be",
        arguments: [
            ("CREATE INDEX i ON t (a + 1)", "expressions"),
            ("CREATE INDEX i ON t USING gist (a)", "gist"), ("CREATE INDEX i ON t", "("),
            ("CREATE INDEX ON t (a)", "name"),
        ]
    )
    func errors(text: String, word: String) throws {
        do throws(SQLError) {
            _ = try Parser.parseStatement(text)
            Issue.record("\(text) was read")
        } catch {
            #expect(error.message.contains(word), "\(error.message)")
        }
    }
}
