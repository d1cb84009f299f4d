import Planner
import Testing

@Suite("Column lineage of a plan")
struct ColumnLineageTests {
    private func edges(_ text: String) throws -> Set<String> {
        Set(
            ColumnLineage(try PlannerHarness.bind(text)).edges.map {
                "\($0.output) <- \($0.inputTable).\($0.inputColumn) \($0.type.rawValue) \($0.subtype.rawValue)"
            }
        )
    }

    @Test("a window function aggregates its argument; partition and order decide about it")
    func windows() throws {
        #expect(
            try edges("SELECT sum(v) OVER (PARTITION BY k ORDER BY c) AS s FROM r") == [
                "s <- r.v DIRECT AGGREGATION", "s <- r.k INDIRECT WINDOW",
                "s <- r.c INDIRECT WINDOW",
            ]
        )
    }

    @Test("a filter on a window decides about rows by all that the window reads")
    func qualify() throws {
        let found = try edges("SELECT v FROM r QUALIFY row_number() OVER (ORDER BY k) = 1")
        #expect(found == ["v <- r.v DIRECT IDENTITY", "* <- r.k INDIRECT FILTER"])
    }

    @Test("a correlated EXISTS decides by the columns of both queries")
    func existence() throws {
        let found = try edges("SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k)")
        #expect(found.contains("id <- l.id DIRECT IDENTITY"))
        #expect(found.contains("* <- r.k INDIRECT FILTER"))
        #expect(found.contains("* <- l.k INDIRECT FILTER"))
    }

    @Test("a scalar subquery's value comes from the inner table")
    func scalars() throws {
        let found = try edges("SELECT (SELECT max(v) FROM r WHERE r.k = l.k) AS m FROM l")
        #expect(found.contains("m <- r.v DIRECT AGGREGATION"))
    }

    @Test("grouping sets are groups, and the order inside an aggregate decides about its value")
    func groups() throws {
        let found = try edges(
            "SELECT c, string_agg(c, ',' ORDER BY v) AS s FROM r GROUP BY ROLLUP (c)"
        )
        #expect(found.contains("s <- r.c DIRECT AGGREGATION"))
        #expect(found.contains("s <- r.v INDIRECT SORT"))
        #expect(found.contains("* <- r.c INDIRECT GROUP_BY"))
    }
}
