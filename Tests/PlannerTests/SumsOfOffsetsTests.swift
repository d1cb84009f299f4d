import Columnar
import Planner
import SQL
import Testing

@Suite("Sums of a column and constants")
struct SumsOfOffsetsTests {
    /// A table with an integer column whose values are known to lie between two numbers.
    private func plan(
        _ text: String,
        _ bounds: ColumnBounds?
    ) throws -> String {
        var environment = PlannerHarness.environment
        environment.tables[.named(["w"], version: nil)] = .success(
            SourceTable(
                sourceID: 3,
                name: "w",
                schema: Schema([Field("a", .string), Field("v", .int32)]),
                rowCount: 10,
                bounds: bounds.map { [1: $0] } ?? [:]
            )
        )
        var binder = Binder(environment: environment)
        let bound = try binder.bind(query: try Parser.parseQuery(text))
        let plan = try PhysicalPlanner().plan(
            Optimiser(evaluate: { try PlannerHarness.value(of: $0) }).optimise(bound)
        )
        return plan.profiled().operators.map(\.text).first { $0.hasPrefix("Aggregate") } ?? ""
    }

    private static let small = ColumnBounds(lower: .int32(-100), upper: .int32(1000))

    @Test(
        "are computed from one sum and one count where nothing can overflow",
        arguments: [
            "SELECT sum(v + 1), sum(v + 2), sum(v - 3) FROM w",
            "SELECT sum(7 + v), sum(v), sum(v - 3) FROM w",
            "SELECT sum(v + 1), sum(v + 2), sum(v - 3) FROM w WHERE a > 'x'",
        ]
    )
    func shared(query: String) throws {
        let text = try plan(query, Self.small)
        #expect(text == "Aggregate compute sum(v), count(v)", "\(text)")
    }

    @Test("keep the aggregates beside them")
    func others() throws {
        let text = try plan(
            "SELECT max(a), sum(v + 1), sum(v + 2), avg(v), sum(v), sum(v * 2) FROM w",
            Self.small
        )
        #expect(text.contains("count(v)") && text.contains("max(a)"), "\(text)")
        #expect(text.contains("sum((v * 2))") || text.contains("sum(v * 2)"), "\(text)")
        #expect(!text.contains("v + 1"), "\(text)")
    }

    @Test("of wider numbers than the column need no bounds")
    func widened() throws {
        let text = try plan(
            "SELECT sum(CAST(v AS BIGINT) + 1), sum(CAST(v AS BIGINT) + 5000000000), sum(CAST(v AS BIGINT) - 3) FROM w",
            nil
        )
        #expect(text.contains("count(") && !text.contains("5000000000"), "\(text)")
    }

    @Test(
        "are computed one by one where an addition may overflow or they are too few",
        arguments: [
            ("SELECT sum(v + 1), sum(v + 2), sum(v - 3) FROM w", nil),
            (
                "SELECT sum(v + 1), sum(v + 2), sum(v + 3) FROM w",
                ColumnBounds(lower: .int32(0), upper: .int32(.max - 2))
            ),
            (
                "SELECT sum(v - 1), sum(v - 2), sum(v - 3) FROM w",
                ColumnBounds(lower: .int32(.min + 2), upper: .int32(0))
            ),
            ("SELECT sum(v + 1), sum(v + 2) FROM w", Self.small),
            ("SELECT sum(3 - v), sum(2 - v), sum(1 - v) FROM w", Self.small),
            ("SELECT a, sum(v + 1), sum(v + 2), sum(v + 3) FROM w GROUP BY a", Self.small),
            (
                "SELECT sum(DISTINCT v + 1), sum(DISTINCT v + 2), sum(DISTINCT v + 3) FROM w",
                Self.small
            ),
            (
                "SELECT sum(v + 1) FILTER (WHERE v > 1), sum(v + 2) FILTER (WHERE v > 1), sum(v + 3) FILTER (WHERE v > 1) FROM w",
                Self.small
            ),
        ]
    )
    func unshared(query: String, bounds: ColumnBounds?) throws {
        let text = try plan(query, bounds)
        #expect(text.hasPrefix("Aggregate") && !text.contains("count("), "\(text)")
    }
}
