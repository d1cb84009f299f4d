import SQL
import Testing

@Suite("SQLError")
struct SQLErrorTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var text: String
        var line = 1
        var column: Int
        var message: String
        var hint: String?

        var testDescription: String { text }
    }

    static let cases = [
        Case(
            text: "SELCT * FROM t",
            column: 1,
            message: "unexpected \"SELCT\", expected a statement",
            hint: "did you mean SELECT?"
        ),
        Case(
            text: "SELECT * FORM t",
            column: 10,
            message: "unexpected \"FORM\", expected the end of the statement",
            hint: "did you mean FROM?"
        ),
        Case(
            text: "SELECT a\n  FORM t",
            line: 2,
            column: 8,
            message: "unexpected \"t\", expected the end of the statement",
            hint: "did you mean FROM instead of FORM?"
        ),
        Case(
            text: "SELECT a FROM t WHER b = 1",
            column: 22,
            message: "unexpected \"b\", expected the end of the statement",
            hint: "did you mean WHERE instead of WHER?"
        ),
        Case(
            text: "SELECT a FROM t GRUOP BY a",
            column: 23,
            message: "unexpected \"BY\", expected the end of the statement",
            hint: "did you mean GROUP instead of GRUOP?"
        ),
        Case(
            text: "SELECT a FROM t WHERE",
            column: 22,
            message: "the text ends where an expression is expected"
        ),
        Case(
            text: "SELECT sum(a) OVER (PARTITON BY b)",
            column: 30,
            message: "unexpected \"BY\", expected PARTITION BY, ORDER BY, a frame or \")\"",
            hint: "did you mean PARTITION instead of PARTITON?"
        ),
        Case(text: "SELECT (1 + 2", column: 14, message: "the text ends where \")\" is expected"),
        Case(
            text: "SELECT 1,\n\t'abc",
            line: 2,
            column: 2,
            message: "the string that starts here never ends",
            hint: "a quote inside is written twice"
        ),
        Case(text: "SELECT \"a", column: 8, message: "the quoted name that starts here never ends"),
        Case(
            text: "SELECT /* a /* */",
            column: 8,
            message: "the comment that starts here never ends"
        ),
        Case(
            text: "SELECT $a$ $b$",
            column: 8,
            message: "the dollar-quoted string that starts here never ends"
        ),
        Case(text: "SELECT \"\"", column: 8, message: "a quoted name must not be empty"),
        Case(text: "SELECT 12ab", column: 8, message: "12ab is neither a number nor a name"),
        Case(text: "SELECT 0b2", column: 8, message: "0b2 is not a number of at most 128 bits"),
        Case(
            text: "SELECT X'0'",
            column: 8,
            message: "a blob is written as pairs of hexadecimal digits"
        ),
        Case(
            text: "SELECT E'\\u12'",
            column: 8,
            message: "a Unicode escape needs 4 digits of a valid character"
        ),
        Case(text: "SELECT E'\\xff'", column: 8, message: "the string is not valid UTF-8"),
        Case(
            text: "SELECT E'\\0'",
            column: 8,
            message: "an escape must stand for a byte between 1 and 255"
        ),
        Case(text: "SELECT 'é' ! b", column: 12, message: "unexpected character !"),
        Case(
            text: "SELECT a < b < c",
            column: 14,
            message: "comparisons cannot be chained",
            hint: "write a < b AND b < c, or parentheses"
        ),
        Case(
            text: "SELECT * FROM t JOIN u WHERE a",
            column: 24,
            message: "unexpected WHERE, expected ON or USING"
        ),
        Case(
            text: "CREATE TABL t (a int)",
            column: 8,
            message: "unexpected \"TABL\", expected TABLE, VIEW or SCHEMA",
            hint: "did you mean TABLE?"
        ),
        Case(text: "CREATE TABLE t (a int, b)", column: 24, message: "the column b has no type"),
        Case(
            text: "CREATE TABLE select (a int)",
            column: 14,
            message: "unexpected SELECT, expected a table name",
            hint: "SELECT is a reserved word; in double quotes it can be a name"
        ),
        Case(
            text: "CREATE TABLE t (a int b int)",
            column: 23,
            message: "unexpected \"b\", expected \",\" or \")\""
        ),
        Case(
            text: "CREATE TABLE t (a int REFERENCES u ON DELETE CASCADE)",
            column: 46,
            message: "foreign keys only refuse changes: RESTRICT or NO ACTION"
        ),
        Case(
            text: "SELECT a IS b",
            column: 13,
            message: "unexpected \"b\", expected NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM"
        ),
        Case(text: "SELECT foo 'x'", column: 8, message: "foo before a string is not a data type"),
        Case(
            text: "SELECT 1 LIMIT 1, 2",
            column: 17,
            message: "LIMIT takes one number",
            hint: "write LIMIT count OFFSET start"
        ),
        Case(
            text: "SELECT ()",
            column: 8,
            message: "empty parentheses where an expression is expected"
        ),
        Case(text: "SELECT EXISTS (1)", column: 15, message: "EXISTS takes a query"),
        Case(text: "SELECT $0", column: 8, message: "parameters are numbered from 1 to 65535"),
        Case(text: "SELECT 1 + NOT a", column: 12, message: "NOT needs parentheses here"),
        Case(text: "SELECT 1 + *", column: 12, message: "unexpected \"*\", expected an expression"),
        Case(
            text: "SELECT f(t.* [2])",
            column: 14,
            message: "unexpected \"[\", expected \")\""
        ),
        Case(
            text: "SELECT a::decimal(99999999999999999999)",
            column: 19,
            message: "the number 99999999999999999999 is too large"
        ),
        Case(
            text: "SELECT 1; SELECT 2 SELECT 3",
            column: 20,
            message: "unexpected SELECT, expected the end of the statement"
        ),
        Case(
            text: "ALTER TABLE t CREATE TAG x RETAIN 99999999999999999 DAYS",
            column: 35,
            message: "this is too long a time"
        ),
        Case(
            text: "SELECT INTERVAL 3",
            column: 18,
            message: "the text ends where a unit such as DAY is expected"
        ),
        Case(text: "CREATE TAG v1 FROM ''", column: 20, message: "a name must not be empty"),
        Case(text: "PRAGMA table_info('')", column: 22, message: "a name must not be empty"),
        Case(
            text: "ALTER SCHEMA s RENAME TO t",
            column: 16,
            message: "unexpected \"RENAME\", expected SET or UNSET"
        ),
    ]

    @Test("says what is wrong, where, and what may have been meant", arguments: cases)
    func messages(expected: Case) {
        do throws(SQLError) {
            _ = try Parser.parseStatements(expected.text)
            Issue.record("\(expected.text) was read")
        } catch {
            #expect(error.message == expected.message)
            #expect(error.position == SourcePosition(line: expected.line, column: expected.column))
            #expect(error.hint == expected.hint)
            #expect(error.code == .syntax)
            // Token and span are the same piece of the text.
            let bytes = Array(expected.text.utf8)[error.span.offsetBytes..<error.span.endBytes]
            #expect(String(decoding: bytes, as: UTF8.self) == error.token)
        }
    }

    private func failure(_ text: String) -> SQLError? {
        do throws(SQLError) {
            _ = try Parser.parseStatements(text)
            return nil
        } catch {
            return error
        }
    }

    @Test("shows the line with carets under the token")
    func rendering() throws {
        let text = "SELECT a,\r\n\t\u{e9}\u{e9} FORM t\r\nWHERE b"
        let error = try #require(failure(text))
        #expect(
            error.rendered(in: text) == """
                line 2, column 10: unexpected "t", expected the end of the statement
                  \t\u{e9}\u{e9} FORM t
                  \t        ^
                hint: did you mean FROM instead of FORM?
                """
        )
        #expect(
            error.description == "line 2, column 10: unexpected \"t\", "
                + "expected the end of the statement (did you mean FROM instead of FORM?)"
        )
    }

    @Test("shows a part of a long line")
    func longLines() throws {
        let text =
            "SELECT " + String(repeating: "a, ", count: 1000) + "FORM ("
            + String(repeating: "b, ", count: 1000)
        let error = try #require(failure(text))
        let lines = error.rendered(in: text).split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines.allSatisfy { $0.count < 140 })
        #expect(lines[2].hasSuffix("^"))
    }

    @Test("an error about another text does not trap when it is rendered")
    func otherTexts() throws {
        let error = try #require(failure("SELECT 1\n\n\n    FORM FORM FORM"))
        for text in ["", "\n", "a\nb\nc\nd", "x"] {
            #expect(error.rendered(in: text).hasPrefix("line 4"))
        }
    }
}
