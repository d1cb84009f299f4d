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
    /// The first and the last value, null or not.
    case first, last
    /// The texts with a separator, which is the call's constant, between them.
    case stringAgg = "string_agg"
    case median
    /// At the fraction that is the call's constant: between two values, and one of the values.
    case quantileContinuous = "quantile_cont"
    case quantileDiscrete = "quantile_disc"
    /// The most frequent value, the first met of equally frequent ones.
    case mode
    /// Of the pairs of the argument (y) and another (x) of which neither is null.
    case correlation = "corr"
    case covarianceSample = "covar_samp"
    case covariancePopulation = "covar_pop"
    case bitAnd = "bit_and"
    case bitOr = "bit_or"
    case bitXor = "bit_xor"
    case product
    /// All values, null or not, as a list.
    case list
    /// How often each value comes, as a map ordered by value.
    case histogram
    case skewness, kurtosis, kurtosisPopulation = "kurtosis_pop", sem
    case geometricMean = "geometric_mean"
    /// Sums and means of doubles that lose nothing on the way.
    case fsum, favg
    case entropy, mad
    case approxCountDistinct = "approx_count_distinct"
    /// At the fraction that is the call's constant.
    case approxQuantile = "approx_quantile"
    case regrSlope = "regr_slope", regrIntercept = "regr_intercept", regrR2 = "regr_r2"
    case regrCount = "regr_count", regrAvgX = "regr_avgx", regrAvgY = "regr_avgy"
    case regrSxx = "regr_sxx", regrSyy = "regr_syy", regrSxy = "regr_sxy"
    /// `sum` and `avg` of the same values, as a struct of both; the optimiser's, not callable.
    case sumAndAverage = "sum_and_avg"

    /// The function that a name in SQL means; nil when it is not an aggregate.
    package static func named(_ name: String) -> AggregateFunction? {
        switch name {
        case "mean": .avg
        case "every": .boolAnd
        case "array_agg": .list
        case "stddev": .stddevSample
        case "variance", "var": .varianceSample
        case "arbitrary": .first
        case "group_concat", "listagg": .stringAgg
        case "quantile", "percentile_disc": .quantileDiscrete
        case "percentile_cont": .quantileContinuous
        case "geomean": .geometricMean
        case "kahan_sum", "sumkahan": .fsum
        case "count_star", "sum_and_avg": nil
        default: AggregateFunction(rawValue: name)
        }
    }

    /// Whether it counts: 0, not null, of no rows.
    package var isCount: Bool { self == .countStar || self == .count }

    /// Whether rows with a null argument change nothing.
    package var ignoresNulls: Bool {
        self != .countStar && self != .first && self != .last && self != .list
    }

    /// Whether the order of the rows changes the result.
    package var dependsOnOrder: Bool {
        switch self {
        case .first, .last, .anyValue, .stringAgg, .mode, .list: true
        default: false
        }
    }

    /// Whether it is of pairs of numbers.
    package var isOfPairs: Bool {
        switch self {
        case .correlation, .covarianceSample, .covariancePopulation, .regrSlope, .regrIntercept,
            .regrR2, .regrCount, .regrAvgX, .regrAvgY, .regrSxx, .regrSyy, .regrSxy:
            true
        default: false
        }
    }

    /// Whether duplicates change nothing.
    package var ignoresDuplicates: Bool {
        switch self {
        case .approxCountDistinct: true
        case .min, .max, .anyValue, .boolAnd, .boolOr, .first, .bitAnd, .bitOr: true
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
    /// A further argument that is the same for all rows: a separator, a fraction.
    package var constant: Value?
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
