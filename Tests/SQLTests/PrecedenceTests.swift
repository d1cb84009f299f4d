import SQL
import Testing

/// PostgreSQL's table of operators, each line against the same with every parenthesis written.
@Suite("Operator precedence")
struct PrecedenceTests {
    @Test(
        "binds as the parentheses say",
        arguments: [
            ("a OR b AND c", "a OR (b AND c)"), ("a AND b OR c", "(a AND b) OR c"),
            ("NOT a AND b", "(NOT a) AND b"), ("NOT a = b", "NOT (a = b)"),
            ("NOT a IS NULL", "NOT (a IS NULL)"), ("NOT a IN (b)", "NOT (a IN (b))"),
            ("a = b IS NULL", "(a = b) IS NULL"), ("a IS NULL = b", "(a IS NULL) = b"),
            ("a < b IS DISTINCT FROM c < d", "(a < b) IS DISTINCT FROM (c < d)"),
            ("a = b AND c", "(a = b) AND c"), ("a = b + c", "a = (b + c)"),
            ("a = b LIKE c", "a = (b LIKE c)"), ("a LIKE b || c", "a LIKE (b || c)"),
            ("a BETWEEN b AND c AND d", "(a BETWEEN b AND c) AND d"),
            ("a BETWEEN b + 1 AND c || d OR e", "(a BETWEEN (b + 1) AND (c || d)) OR e"),
            ("a NOT BETWEEN b AND c = d", "(a NOT BETWEEN b AND c) = d"),
            ("a = b IN (c)", "a = (b IN (c))"), ("a || b IN (c)", "(a || b) IN (c)"),
            ("a < b = c", nil), ("a = b = c", nil), ("a <> b > c", nil),
            ("a || b + c", "a || (b + c)"), ("a + b || c", "(a + b) || c"),
            ("a -> b + c", "a -> (b + c)"), ("a -> 'b' = c", "(a -> 'b') = c"),
            ("a & b | c", "(a & b) | c"), ("a | b & c", "(a | b) & c"),
            ("a << b + c", "a << (b + c)"),
            ("a || b & c || d", "((a || b) & c) || d"), ("a ~ b || c", "(a ~ b) || c"),
            ("a + b * c", "a + (b * c)"), ("a * b + c", "(a * b) + c"),
            ("a - b - c", "(a - b) - c"),
            ("a / b * c % d // e", "(((a / b) * c) % d) // e"), ("a - b + c", "(a - b) + c"),
            ("a * b ^ c", "a * (b ^ c)"), ("a ^ b ^ c", "(a ^ b) ^ c"), ("-a ^ b", "(-a) ^ b"),
            ("a ^ -b", "a ^ (-b)"), ("-a * b", "(-a) * b"), ("- a::int", "-(a::int)"),
            ("-a[1]", "-(a[1])"), ("~a + b", "~(a + b)"), ("~a & b", "(~a) & b"), ("- -a", "-(-a)"),
            ("a * b::int", "a * (b::int)"), ("a::int::text", "(a::int)::text"),
            ("a + b AT TIME ZONE c", "a + (b AT TIME ZONE c)"),
            ("-a AT TIME ZONE b", "(-a) AT TIME ZONE b"),
            ("a AT TIME ZONE b COLLATE c", "a AT TIME ZONE (b COLLATE c)"),
            ("a || b COLLATE c", "a || (b COLLATE c)"), ("a[1]::int", "(a[1])::int"),
            ("a.b[1].c", "((a.b)[1]).c"), ("NOT a LIKE b", "NOT (a LIKE b)"),
            ("a IS NOT NULL AND NOT b", "(a IS NOT NULL) AND (NOT b)"),
            ("a = ANY (b) AND c", "(a = ANY (b)) AND c"), ("a + NOT b", nil), ("a + ANY (b)", nil),
            ("CASE WHEN a THEN b END + c", "(CASE WHEN a THEN b END) + c"),
            ("INTERVAL '1' DAY + a", "(INTERVAL '1' DAY) + a"),
            (
                "a = b OR c = d AND NOT e < f + g * h",
                "(a = b) OR ((c = d) AND (NOT (e < (f + (g * h)))))"
            ),
            ("f(x -> x > 1 AND y)", "f(x -> (x > 1 AND y))"),
            ("f(x -> y -> z)", "f(x -> (y -> z))"),
            ("f(j -> 'a' > 1)", "f((j -> 'a') > 1)"), ("f(j -> 0 -> 1)", "f((j -> 0) -> 1)"),
        ] as [(String, String?)]
    )
    func precedence(text: String, parenthesised: String?) throws {
        guard let parenthesised else {
            #expect(throws: SQLError.self) { try Parser.parseExpression(text) }
            return
        }
        let expression = try Parser.parseExpression(text)
        #expect(expression == (try Parser.parseExpression(parenthesised)))
        #expect(try Parser.parseExpression(Printer.print(expression)) == expression)
    }

    @Test(
        "INTERSECT binds tighter than UNION and EXCEPT, which go from the left",
        arguments: [
            (
                "TABLE a UNION TABLE b INTERSECT TABLE c",
                "TABLE a UNION (TABLE b INTERSECT TABLE c)"
            ),
            (
                "TABLE a INTERSECT TABLE b UNION TABLE c",
                "(TABLE a INTERSECT TABLE b) UNION TABLE c"
            ),
            ("TABLE a EXCEPT TABLE b UNION TABLE c", "(TABLE a EXCEPT TABLE b) UNION TABLE c"),
            (
                "TABLE a UNION TABLE b UNION ALL TABLE c",
                "(TABLE a UNION TABLE b) UNION ALL TABLE c"
            ),
            ("TABLE a EXCEPT TABLE b EXCEPT TABLE c", "(TABLE a EXCEPT TABLE b) EXCEPT TABLE c"),
            ("TABLE a UNION TABLE b LIMIT 1", "(TABLE a UNION TABLE b) LIMIT 1"),
        ]
    )
    func setOperations(text: String, parenthesised: String) throws {
        #expect(try Parser.parseQuery(text) == Parser.parseQuery(parenthesised))
    }

    @Test("joins go from the left and a comma binds loosest")
    func joins() throws {
        let text = "FROM a, b JOIN c ON x LEFT JOIN d ON y"
        let parenthesised = "FROM a, ((b JOIN c ON x) LEFT JOIN d ON y)"
        #expect(try Parser.parseQuery(text) == Parser.parseQuery(parenthesised))
    }
}
