import Columnar
import Planner
import SQL

/// Binds queries over tables of made-up schemas, as the engine would over a warehouse.
enum Binding {
    private static let tables: [String: [Field]] = [
        "flights.raw": [
            Field("time_hour", .timestamp), Field("carrier", .string), Field("dep_delay", .int64),
        ],
        "flights.airlines": [Field("carrier", .string), Field("name", .string)],
        "web.events": [Field("ts", .timestamp), Field("user_id", .int64)],
        "web.users": [Field("id", .int64), Field("country", .string)],
        "main.orders": [
            Field("customer_id", .int64), Field("amount", .float64), Field("tax", .float64),
        ],
        "main.customers": [Field("id", .int64), Field("city", .string)],
        "main.blocked": [Field("customer_id", .int64)],
        "main.old_orders": [
            Field("customer_id", .int64), Field("city", .string), Field("amount", .float64),
            Field("net", .float64), Field("label", .float64),
        ],
        "main.staged": [
            Field("day", .date), Field("carrier", .string), Field("name", .string),
            Field("flights", .int64), Field("avg_delay", .float64),
        ],
    ]

    /// Folds nothing: types are what these tests look at, so any value will do for what would be
    /// computed.
    private static func evaluate(_ expression: BoundExpression) -> Value {
        if case .constant(let value, _) = expression { value } else { .null }
    }

    static func bind(_ query: Query) throws -> LogicalPlan {
        var environment = BindingEnvironment(nowMicros: 0, evaluate: { evaluate($0) })
        while true {
            do {
                var binder = Binder(environment: environment)
                return try binder.bind(query: query)
            } catch let missing as MissingTable {
                guard case .named(let name, _) = missing.request,
                    let fields = tables[name.joined(separator: ".")]
                else { throw missing }
                environment.tables[missing.request] = .success(
                    SourceTable(
                        sourceID: environment.tables.count,
                        name: name.joined(separator: "."),
                        schema: Schema(fields)
                    )
                )
            }
        }
    }

    /// The optimised plan as text.
    static func plan(_ query: Query) throws -> String {
        let optimiser = Optimiser(evaluate: { evaluate($0) })
        return PlanPrinter().print(optimiser.optimise(try bind(query)))
    }
}
