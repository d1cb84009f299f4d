import Columnar
import Kernels
import Planner

extension AggregateCall {
    /// Whether values are told apart before they are aggregated.
    var usesDistinctTable: Bool { isDistinct && argument != nil }

    /// An accumulator for the call's values, in the order in which they come.
    func makeAccumulator() throws -> GroupedAccumulator {
        let input = argument?.type ?? .int32
        let kernel: Kernels.AggregateFunction
        switch function {
        case .countStar: kernel = .countRows
        case .count: kernel = .count
        case .sum: kernel = .sum
        case .avg: kernel = .average
        case .min: kernel = .minimum
        case .max: kernel = .maximum
        case .anyValue: kernel = .anyValue
        case .first: kernel = .first
        case .last: kernel = .last
        case .boolAnd: kernel = .booleanAnd
        case .boolOr: kernel = .booleanOr
        case .stddevSample: kernel = .deviationSample
        case .stddevPopulation: kernel = .deviationPopulation
        case .varianceSample: kernel = .varianceSample
        case .variancePopulation: kernel = .variancePopulation
        case .median: kernel = .median
        case .stringAgg:
            guard case .string(let separator)? = constant else {
                throw ExecutionError(.unsupported, "string_agg without a constant separator")
            }
            return GroupedAccumulator.joinedText(separator: separator)
        case .quantileContinuous, .quantileDiscrete:
            guard case .float64(let fraction)? = constant else {
                throw ExecutionError(.unsupported, "a quantile without a constant fraction")
            }
            return try GroupedAccumulator.quantile(
                fraction,
                isContinuous: function == .quantileContinuous,
                input: input
            )
        case .mode: return GroupedAccumulator.mode(of: input)
        case .correlation: return GroupedAccumulator.covariance(.correlation)
        case .covarianceSample: return GroupedAccumulator.covariance(.sample)
        case .covariancePopulation: return GroupedAccumulator.covariance(.population)
        case .bitAnd: return GroupedAccumulator.bitwise(.and, of: input)
        case .bitOr: return GroupedAccumulator.bitwise(.or, of: input)
        case .bitXor: return GroupedAccumulator.bitwise(.xor, of: input)
        case .product: return GroupedAccumulator.product()
        case .list: kernel = .list
        case .histogram: return GroupedAccumulator.histogram(of: input)
        }
        return try GroupedAccumulator.make(kernel, input: input, result: type)
    }
}
