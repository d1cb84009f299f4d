import Planner
import Testing

@Suite("Windows of which few rows are wanted")
struct PartitionLimitTests {
    private func window(_ text: String) throws -> String {
        let plan = try PhysicalPlanner().plan(try PlannerHarness.optimise(text))
        return plan.profiled().operators.map(\.text).first { $0.hasPrefix("Window") } ?? ""
    }

    @Test(
        "keep as many rows of each partition as the filter above can want",
        arguments: [
            ("row_number() OVER (PARTITION BY k ORDER BY x) <= 3", 3),
            ("row_number() OVER (PARTITION BY k ORDER BY x) < 3", 2),
            ("3 >= row_number() OVER (PARTITION BY k ORDER BY x)", 3),
            ("row_number() OVER (PARTITION BY k ORDER BY x) = 1", 1),
            ("row_number() OVER (PARTITION BY k) = 1", 1),
            ("row_number() OVER (PARTITION BY k ORDER BY x) BETWEEN 2 AND 5", 5),
            ("row_number() OVER (PARTITION BY k ORDER BY x) IN (2, 7, 4)", 7),
            ("row_number() OVER (PARTITION BY k ORDER BY x) <= 0", 1),
            ("rank() OVER (PARTITION BY k ORDER BY x) <= 2", 2),
            ("rank() OVER (ORDER BY x) <= 2", 2),
            ("row_number() OVER (ORDER BY x) <= 4", 4),
            (
                "rank() OVER (PARTITION BY k ORDER BY x) <= 4 AND row_number() OVER (PARTITION BY k ORDER BY x) <= 9",
                4
            ),
            ("t > 'a' AND row_number() OVER (PARTITION BY k ORDER BY x) <= 3", 3),
        ]
    )
    func limited(condition: String, count: Int) throws {
        let text = try window("SELECT id FROM l QUALIFY \(condition)")
        #expect(text.contains("keep \(count) of each"), "\(text)")
    }

    @Test("also through the names of a subquery")
    func subquery() throws {
        let text = try window(
            "SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY k ORDER BY x) AS r FROM l) q WHERE r <= 2 AND id > 3"
        )
        #expect(text.contains("keep 2 of each"), "\(text)")
    }

    @Test(
        "are whole where other rows decide",
        arguments: [
            "row_number() OVER (PARTITION BY k ORDER BY x) >= 3",
            "row_number() OVER (PARTITION BY k ORDER BY x) <> 3",
            "row_number() OVER (PARTITION BY k ORDER BY x) <= 3 OR t > 'a'",
            "row_number() OVER (PARTITION BY k ORDER BY x) NOT IN (3, 4)",
            "row_number() OVER (PARTITION BY k ORDER BY x) + 1 <= 3",
            "row_number() OVER (PARTITION BY k ORDER BY x) <= id",
            "row_number() OVER (PARTITION BY k ORDER BY x) <= 1000000",
            "rank() OVER (PARTITION BY k) <= 2",
            "dense_rank() OVER (PARTITION BY k ORDER BY x) <= 2",
            "row_number() OVER w <= 3 AND lead(id) OVER w > 1 WINDOW w AS (PARTITION BY k ORDER BY x)",
            "row_number() OVER w <= 3 AND count(*) OVER w > 1 WINDOW w AS (PARTITION BY k ORDER BY x)",
        ]
    )
    func whole(condition: String) throws {
        // WINDOW stands before QUALIFY.
        let parts = condition.split(separator: " WINDOW ", maxSplits: 1).map(String.init)
        let named = parts.count > 1 ? "WINDOW \(parts[1]) " : ""
        let text = try window("SELECT id FROM l \(named)QUALIFY \(parts[0])")
        #expect(text.hasPrefix("Window") && !text.contains("keep"), "\(text)")
    }
}
