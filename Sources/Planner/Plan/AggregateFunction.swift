package import Columnar

/// The functions that make one value of many rows, by their canonical SQL names.
package enum AggregateFunction: String, Sendable, Hashable, CaseIterable {
    /// Rows, null or not.
    case countStar = "count_star"
    /// Rows whose argument is not null.
    case count
    case sum, avg, min, max
    case anyValue = "any_value"
    case boolAnd = "bool_and"
    case boolOr = "bool_or"
    case stddevSample = "stddev_samp"
    case stddevPopulation = "stddev_pop"
    case varianceSample = "var_samp"
    case variancePopulation = "var_pop"

    /// The function that a name in SQL means; nil when it is not an aggregate.
    package static func named(_ name: String) -> AggregateFunction? {
        switch name {
        case "mean": .avg
        case "every": .boolAnd
        case "stddev": .stddevSample
        case "variance", "var": .varianceSample
        case "first", "arbitrary": .anyValue
        case "count_star": nil
        default: AggregateFunction(rawValue: name)
        }
    }

    /// Whether it counts: 0, not null, of no rows.
    package var isCount: Bool { self == .countStar || self == .count }

    /// Whether duplicates change nothing.
    package var ignoresDuplicates: Bool {
        switch self {
        case .min, .max, .anyValue, .boolAnd, .boolOr: true
        default: false
        }
    }
}

/// One aggregate of a query.
package struct AggregateCall: Sendable, Hashable {
    package var function: AggregateFunction
    /// nil only for `countStar`; already of the type the function wants.
    package var argument: BoundExpression?
    /// Further arguments that differ by row.
    package var others: [BoundExpression] = []
    package var isDistinct: Bool
    /// `FILTER (WHERE …)`.
    package var filter: BoundExpression?
    /// `ORDER BY` inside the call: in which order the values are taken.
    package var order: [SortKey] = []
    package var type: DataType

    package init(
        function: AggregateFunction,
        argument: BoundExpression?,
        isDistinct: Bool = false,
        filter: BoundExpression? = nil,
        type: DataType
    ) {
        self.function = function
        self.argument = argument
        self.isDistinct = isDistinct && !function.ignoresDuplicates
        self.filter = filter
        self.type = type
    }
}
