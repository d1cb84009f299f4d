import SQL
import TestSupport
import Testing

@Suite("StatementText")
struct StatementTextTests {
    @Test(
        "A statement is finished by a semicolon outside of strings, names and comments",
        arguments: [
            ("", StatementText.Ending.empty), ("  -- nothing\n", .empty), ("/* nothing */", .empty),
            ("SELECT 1", .open), ("SELECT 1;", .closed), ("SELECT 1; -- done", .closed),
            ("SELECT 1; SELECT", .open), ("SELECT ';", .open), ("SELECT ';';", .closed),
            ("SELECT \"a;", .open), ("SELECT /* ;", .open), ("SELECT -- ;", .open),
            ("SELECT $$;", .open), ("SELECT $$;$$;", .closed), ("SELECT 'it''s';", .closed),
            (";", .closed), ("SELECT \u{0};", .closed), ("SELECT 1e;", .closed),
        ]
    )
    func endings(text: String, expected: StatementText.Ending) {
        #expect(StatementText.ending(of: text) == expected)
    }

    @Test("Any text has an ending")
    func anyText() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
                Array("'\";-/*$ae1.\u{E9}\n ".utf8).randomElement(using: &generator) ?? 0
            }
            let text = String(decoding: bytes, as: UTF8.self)
            // What the parser reads as whole statements is finished once a semicolon stands behind it.
            if (try? Parser.parseStatements(text)) != nil {
                #expect(StatementText.ending(of: text + "\n;") == .closed, "\(text)")
            } else {
                _ = StatementText.ending(of: text)
            }
        }
    }

    @Test("Keywords are sorted and in upper case")
    func keywords() {
        #expect(StatementText.keywords.contains("SELECT"))
        #expect(StatementText.keywords == StatementText.keywords.sorted())
        #expect(StatementText.keywords.allSatisfy { $0 == $0.uppercased() })
    }
}
