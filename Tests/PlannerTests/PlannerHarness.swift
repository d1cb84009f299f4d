import Columnar
import Planner
import SQL

/// Binds and optimises queries over two known tables.
enum PlannerHarness {
    struct NotConstant: Error {}

    static var environment: BindingEnvironment {
        func table(_ number: Int, _ name: String, _ fields: [Field]) -> SourceTable {
            SourceTable(sourceID: number, name: name, schema: Schema(fields), rowCount: 1000)
        }
        let left = table(
            1,
            "l",
            [
                Field("id", .int64, isNullable: false), Field("k", .int32), Field("t", .string),
                Field("x", .float64),
            ]
        )
        let right = table(
            2,
            "r",
            [Field("k", .int32), Field("c", .string), Field("v", .int64)]
        )
        return BindingEnvironment(
            tables: [
                .named(["l"], version: nil): .success(left),
                .named(["r"], version: nil): .success(right),
            ],
            nowMicros: 0,
            evaluate: { try value(of: $0) }
        )
    }

    /// Constants, and casts of small integers, which is what binding needs here.
    static func value(of expression: BoundExpression) throws -> Value {
        switch expression {
        case .constant(let value, _): return value
        case .cast(let operand, .int64, _):
            if case .int32(let number) = try value(of: operand) { return .int64(Int64(number)) }
        case .cast(let operand, .decimal, _):
            if case .int32(let number) = try value(of: operand) { return .decimal(Int128(number)) }
        default: break
        }
        throw NotConstant()
    }

    static func bind(_ text: String) throws -> LogicalPlan {
        var binder = Binder(environment: environment)
        return try binder.bind(query: try Parser.parseQuery(text))
    }

    static func optimise(_ text: String) throws -> LogicalPlan {
        Optimiser(evaluate: { try value(of: $0) }).optimise(try bind(text))
    }

    /// The optimised plan as EXPLAIN prints it; the plan must also be one that can run.
    static func explain(_ text: String) throws -> String {
        let plan = try optimise(text)
        _ = try PhysicalPlanner().plan(plan)
        return PlanPrinter().print(plan)
    }
}
