import Planner
import TestSupport
import Testing

@Suite("Correlated subqueries")
struct DecorrelatorTests {
    @Test("EXISTS by equality is a semi join, NOT EXISTS an anti join")
    func existence() throws {
        let exists = try PlannerHarness.explain(
            "SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.v > l.id)"
        )
        #expect(exists.contains("Semi join"))
        #expect(!exists.contains("Distinct"))
        let absent = try PlannerHarness.explain(
            "SELECT id FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k LIMIT 3)"
        )
        #expect(absent.contains("Anti join"))
        #expect(!absent.contains("Limit"))
    }

    @Test("an aggregate by equality is grouped by the inner column, and read once")
    func aggregates() throws {
        let text = try PlannerHarness.explain(
            "SELECT id, (SELECT sum(v) FROM r WHERE r.k = l.k) AS s FROM l"
        )
        #expect(text.contains("Aggregate by k"))
        #expect(text.components(of: "Scan l") == 1)
        #expect(text.components(of: "Scan r") == 1)
    }

    @Test("a count of no rows is 0, not null")
    func counts() throws {
        let text = try PlannerHarness.explain(
            "SELECT id, (SELECT count(*) FROM r WHERE r.k = l.k) AS n FROM l"
        )
        #expect(text.contains("coalesce("))
    }

    @Test("other conditions go over the distinct values of the outer columns")
    func domains() throws {
        let text = try PlannerHarness.explain(
            "SELECT id, (SELECT sum(v) FROM r WHERE r.v < l.id OR r.k = l.k) AS s FROM l"
        )
        #expect(text.contains("Distinct by"))
        #expect(text.components(of: "Scan l") == 2)
    }

    @Test("zero and minus zero stay different: a floating-point column is no domain of its own")
    func floats() throws {
        let text = try PlannerHarness.explain(
            "SELECT id, (SELECT count(*) FROM l AS m WHERE m.x = l.x) AS n FROM l"
        )
        #expect(text.contains("Distinct by"))
    }

    @Test("NOT IN with possible nulls keeps what is unknown apart from what is false")
    func nulls() throws {
        let nullable = try PlannerHarness.explain(
            "SELECT id FROM l WHERE k NOT IN (SELECT r.k FROM r WHERE r.c = l.t)"
        )
        #expect(nullable.contains("Mark join"))
        let positive = try PlannerHarness.explain(
            "SELECT id FROM l WHERE k IN (SELECT r.k FROM r WHERE r.c = l.t)"
        )
        #expect(positive.contains("Semi join"))
    }

    @Test("whatever is nested in whatever, no column is left without a source")
    func nesting() throws {
        for seed in 0..<1000 {
            var maker = QueryMaker(seed: UInt64(seed))
            let text = maker.query()
            do {
                _ = try PlannerHarness.explain(text)
            } catch {
                Issue.record("seed \(seed): \(text): \(error)")
            }
        }
    }

    @Test("a name of no query around is an error that names it")
    func unknownNames() {
        #expect(throws: PlanError.self) {
            try PlannerHarness.bind("SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE q.k = 1)")
        }
    }
}

extension String {
    fileprivate func components(of part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: part) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}

/// Random queries with subqueries in each other, of every operator that a domain goes through.
private struct QueryMaker {
    private var random: SeededGenerator

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    private mutating func one(_ choices: [String]) -> String {
        choices.randomElement(using: &random) ?? ""
    }

    private mutating func outer(_ depth: Int) -> String {
        depth == 0 ? "l.k" : one(["l.k", "r\(depth - 1).k", "r0.k"])
    }

    private mutating func condition(_ depth: Int) -> String {
        let own = "r\(depth)"
        let simple = one([
            "\(own).k = \(outer(depth))", "\(own).v > \(outer(depth))",
            "\(own).k + 1 = \(outer(depth))", "\(own).k IS NOT DISTINCT FROM \(outer(depth))",
        ])
        guard depth < 3, Bool.random(using: &random) else { return simple }
        return "\(simple) AND \(test(depth + 1, "\(own).k"))"
    }

    private mutating func test(_ depth: Int, _ value: String) -> String {
        let inner = "r\(depth)"
        // One at a time: what is nested in the others is not made.
        switch Int.random(in: 0...6, using: &random) {
        case 0: return "EXISTS (\(source(depth, "1 AS a")))"
        case 1: return "NOT EXISTS (\(source(depth, "\(inner).v AS a")))"
        case 2: return "\(value) IN (\(source(depth, "\(inner).k AS a")))"
        case 3: return "\(value) NOT IN (\(source(depth, "\(inner).k AS a")))"
        case 4: return "\(value) < ALL (\(source(depth, "\(inner).v AS a")))"
        case 5: return "\(value) > (\(source(depth, "max(\(inner).v) AS a")))"
        default: return "(\(source(depth, "count(*) AS a"))) = 0"
        }
    }

    private mutating func source(_ depth: Int, _ value: String) -> String {
        let own = "r\(depth)"
        let condition = condition(depth)
        let plain = "SELECT \(value) FROM r AS \(own) WHERE \(condition)"
        if value.hasPrefix("max(") || value.hasPrefix("count(") { return plain }
        return one([
            plain, "SELECT DISTINCT \(value) FROM r AS \(own) WHERE \(condition)",
            "\(plain) ORDER BY a LIMIT 2",
            "SELECT a FROM (\(plain) UNION SELECT \(own).v AS a FROM r AS \(own)) AS u",
            "SELECT \(value) FROM r AS \(own) LEFT JOIN r AS s ON s.k = \(own).k AND s.v > l.k "
                + "WHERE \(condition)",
            "SELECT max(a) AS a FROM (\(plain)) AS q HAVING count(*) > 1",
            "SELECT a FROM (SELECT \(value), row_number() OVER (ORDER BY \(own).v) AS n "
                + "FROM r AS \(own) WHERE \(condition)) AS q WHERE n < 3",
        ])
    }

    mutating func query() -> String {
        one([
            "SELECT id FROM l WHERE \(test(0, "l.k"))",
            "SELECT id, \(test(0, "l.k")) AS b FROM l",
            "SELECT l.id, q.a FROM l, LATERAL (\(source(0, "r0.v AS a"))) AS q",
            "SELECT k, count(*) FROM l GROUP BY k HAVING \(test(0, "l.k"))",
        ])
    }
}
