import Columnar
import Planner
import SQL
import TestSupport
import Testing

import Pipelines

@Suite("Steps") struct StepCompilerTests {
    private func plan(_ steps: String, source: String = "main.t") throws -> TransformPlan {
        let indented = steps.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
        let text = "name: main.out\nsource: \(source)\nsteps:\n\(indented)\n"
        return try TransformSpec.decode(text, file: "t.yaml").plan()
    }

    @Test(
        "compile to the SQL that a person would write",
        arguments: [
            ("- filter: a > 1", "SELECT * FROM main.t WHERE a > 1"),
            (
                "- filter: a > 1\n- filter: b = 2 OR c",
                "SELECT * FROM main.t WHERE a > 1 AND (b = 2 OR c)"
            ),
            ("- derive: {x: a + 1, y: b}", "SELECT *, a + 1 AS x, b AS y FROM main.t"),
            (
                "- derive: {x: a + 1, y: x * 2}",
                "WITH \"step 0\" AS (SELECT *, a + 1 AS x FROM main.t) SELECT *, x * 2 AS y "
                    + "FROM \"step 0\" AS t"
            ),
            (
                "- filter: a\n- derive: {x: 1}\n- filter: x = 1",
                "WITH \"step 2\" AS (SELECT *, 1 AS x FROM main.t WHERE a) SELECT * "
                    + "FROM \"step 2\" AS t WHERE x = 1"
            ),
            ("- replace: {a: a + 1}", "SELECT * REPLACE (a + 1 AS a) FROM main.t"),
            ("- select: [b, a, a + 1 AS c]", "SELECT b, a, a + 1 AS c FROM main.t"),
            ("- select: {c: a + 1}", "SELECT a + 1 AS c FROM main.t"),
            ("- rename: {a: b}", "SELECT * RENAME (a AS b) FROM main.t"),
            ("- drop: [a, \"two words\"]", "SELECT * EXCLUDE (a, \"two words\") FROM main.t"),
            ("- distinct", "SELECT DISTINCT * FROM main.t"),
            ("- distinct: true", "SELECT DISTINCT * FROM main.t"),
            (
                "- sort: [a DESC NULLS LAST, b]\n- limit: 5",
                "SELECT * FROM main.t ORDER BY a DESC NULLS LAST, b LIMIT 5"
            ),
            ("- limit: {count: 5, offset: 2}", "SELECT * FROM main.t LIMIT 5 OFFSET 2"),
            (
                "- join: {table: ns.u, on: [k], type: left}",
                "SELECT * FROM main.t LEFT JOIN ns.u USING (k)"
            ),
            (
                "- join: {table: ns.u, as: v, on: t.a = v.b, columns: [c]}",
                "SELECT t.*, v.c FROM main.t INNER JOIN ns.u AS v ON t.a = v.b"
            ),
            ("- join: {table: ns.u, type: cross}", "SELECT * FROM main.t CROSS JOIN ns.u"),
            (
                "- aggregate: {group_by: [a, {m: b % 2}], measures: {n: count(*)}, having: count(*) > 1}",
                "SELECT a, b % 2 AS m, count(*) AS n FROM main.t GROUP BY a, b % 2 "
                    + "HAVING count(*) > 1"
            ),
            ("- aggregate: {measures: {n: count(*)}}", "SELECT count(*) AS n FROM main.t"),
            (
                "- union: ns.u",
                "WITH \"step 0\" AS (SELECT * FROM main.t), \"step 0 union\" AS (SELECT * FROM "
                    + "\"step 0\" UNION ALL SELECT * FROM ns.u) SELECT * FROM \"step 0 union\" AS t"
            ),
            (
                "- window: {tumbling: {column: ts, size: 1 hour}}",
                "SELECT *, date_trunc('hour', ts) AS window_start, "
                    + "date_trunc('hour', ts) + INTERVAL '1 hour' AS window_end FROM main.t"
            ),
        ]
    )
    func compile(steps: String, sql: String) throws {
        let plan = try plan(steps)
        #expect(plan.query == (try Parser.parseQuery(sql)), "\(plan.sql)")
        #expect(try Parser.parseQuery(plan.sql) == plan.query)
    }

    @Test("and SQL that says the same have the same plan")
    func samePlan() throws {
        let steps = try plan(
            """
            - filter: dep_delay IS NOT NULL
            - derive: {day: "CAST(time_hour AS DATE)"}
            - join: {table: flights.airlines, on: [carrier], type: left}
            - aggregate: {group_by: [day, carrier, name], measures: {n: count(*), avg_delay: avg(dep_delay)}}
            """,
            source: "flights.raw"
        )
        let sql = try Parser.parseQuery(
            """
            SELECT day, carrier, name, count(*) AS n, avg(dep_delay) AS avg_delay
            FROM (SELECT *, CAST(time_hour AS DATE) AS day FROM flights.raw
                  WHERE dep_delay IS NOT NULL) AS raw
            LEFT JOIN flights.airlines USING (carrier)
            GROUP BY day, carrier, name
            """
        )
        #expect(try Binding.plan(steps.query) == Binding.plan(sql))
    }

    @Test(
        "of windows bind for every size",
        arguments: [
            "1 second", "15 seconds", "1 minute", "5 minutes", "1 hour", "6 hours", "1 day",
            "1 week", "1 month", "3 months", "1 quarter", "2 quarters", "1 year",
        ]
    )
    func windows(size: String) throws {
        let plan = try plan(
            "- window: {tumbling: {column: ts, size: \(size)}}",
            source: "web.events"
        )
        let columns = try Binding.bind(plan.query).columns
        #expect(columns.map(\.name) == ["ts", "user_id", "window_start", "window_end"])
        #expect(columns[2].type == .timestamp, "\(columns[2].type)")
        #expect(columns[3].type == .timestamp, "\(columns[3].type)")
    }

    @Test(
        "that cannot mean anything are refused",
        arguments: [
            ("- filter: a >", "steps[0].filter"), ("- fliter: a", "steps[0]"),
            ("- {filter: a, limit: 1}", "steps[0]"), ("- limit: -1", "steps[0].limit"),
            ("- limit: many", "steps[0].limit"),
            ("- select: [a + 1]", "steps[0].select[0]"),
            ("- join: {table: u}", "steps[0].join"),
            ("- join: {table: u, on: [a], type: outer}", "steps[0].join.type"),
            ("- join: {table: u, on: [a], type: full, columns: [b]}", "steps[0].join.columns"),
            ("- aggregate: {group_by: [a + 1]}", "steps[0].aggregate.group_by[0]"),
            ("- sort: a\n- filter: b", "steps[0].sort"),
            ("- sort: a LIMIT 3", "steps[0].sort[0]"),
            (
                "- window: {tumbling: {column: ts, size: 7 minutes}}",
                "steps[0].window.tumbling.size"
            ),
            ("- window: {hopping: {column: ts}}", "steps[0].window"),
            ("- drop: [a, a]", "steps[0].drop"),
            ("- derive: {a: 1); DROP TABLE x; --}", "steps[0].derive.a"),
            ("- join: {table: u, on: [a]}\n- join: {table: u, on: [b]}", "steps[1].join"),
        ]
    )
    func refused(steps: String, key: String) throws {
        do throws(PipelineError) {
            let indented = steps.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
            let text = "name: main.out\nsource: main.t\nsteps:\n\(indented)\n"
            _ = try TransformSpec.decode(text, file: "t.yaml").plan()
            Issue.record("not refused: \(steps)")
        } catch {
            #expect(error.issues.contains { $0.key == key }, "\(error)")
        }
    }

    @Test("of any kind and order compile to SQL that reads back", arguments: 0..<16)
    func random(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let pieces = [
            "filter: a > 1 OR b", "filter: not c", "derive: {n1: a + b, n2: n1 * 2}",
            "derive: {\"odd \\\"name\": \"'x' || a\"}", "replace: {a: a::INT + 1}",
            "select: [a, b, \"CASE WHEN a THEN b END AS c\"]", "rename: {a: z}", "drop: [b]",
            "join: {table: ns.u, on: [k]}", "join: {table: ns.\"w x\", on: t.a = \\\"w x\\\".b}",
            "join: {table: ns.v, on: [k], type: semi}",
            "join: {table: ns.y, as: q, on: [k], columns: [p]}",
            "aggregate: {group_by: [a], measures: {n: count(*)}}", "distinct: true",
            "limit: 3", "union: [ns.u, ns.v]", "union: {tables: ns.u, distinct: true}",
            "window: {tumbling: {column: ts, size: 15 minutes}}",
        ].map { $0.replacingQuotes() }
        for _ in 0..<60 {
            let count = Int.random(in: 1...12, using: &random)
            let steps = (0..<count).map { _ in
                "- " + (pieces.randomElement(using: &random) ?? "distinct: true")
            }
            do throws(PipelineError) {
                let indented = steps.map { "  \($0)" }.joined(separator: "\n")
                let spec = try TransformSpec.decode(
                    "name: a.b\nsource: main.t\nsteps:\n\(indented)\n",
                    file: "t.yaml"
                )
                let plan = try spec.plan()
                let again: Query
                do throws(SQLError) {
                    again = try Parser.parseQuery(plan.sql)
                } catch {
                    Issue.record("\(plan.sql): \(error)")
                    continue
                }
                #expect(again == plan.query)
            } catch {
                #expect(
                    error.issues.allSatisfy { $0.message.hasPrefix("two joined tables") },
                    "\(error)\n\(steps)"
                )
            }
        }
    }

    @Test("a hundred steps are no nesting")
    func long() throws {
        let steps = (0..<100).map { "- derive: {c\($0): a + \($0)}\n- filter: c\($0) > 1" }
            .joined(separator: "\n")
        let plan = try plan(steps)
        #expect(try Parser.parseQuery(plan.sql) == plan.query)
    }
}

extension String {
    /// Keeps the pieces of the random test readable: `\"` in YAML's double quotes only.
    fileprivate func replacingQuotes() -> String {
        hasPrefix("join: {table: ns.\"w x\"")
            ? "join: {table: 'ns.\"w x\"', on: 't.a = \"w x\".b'}" : self
    }
}
