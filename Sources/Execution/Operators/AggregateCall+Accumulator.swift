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
        case .sum where input == .interval, .avg where input == .interval:
            return GroupedAccumulator.intervalSum(isAverage: function == .avg)
        case .avg where input.isTemporal: return GroupedAccumulator.momentMean(of: input)
        case .sumAndAverage: return GroupedAccumulator.sumAndAverage(of: input, result: type)
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
        case .median where input.isTemporal:
            return try GroupedAccumulator.quantile(0.5, isContinuous: true, input: input)
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
        case .skewness: return GroupedAccumulator.moments(.skewness)
        case .kurtosis: return GroupedAccumulator.moments(.kurtosisSample)
        case .kurtosisPopulation: return GroupedAccumulator.moments(.kurtosisPopulation)
        case .sem: return GroupedAccumulator.moments(.standardError)
        case .geometricMean: return GroupedAccumulator.moments(.geometricMean)
        case .fsum, .favg: return GroupedAccumulator.compensatedSum(isAverage: function == .favg)
        case .entropy: return GroupedAccumulator.entropy(of: input)
        case .mad: return GroupedAccumulator.medianDeviation()
        case .approxCountDistinct: return GroupedAccumulator.distinctSketch()
        case .approxQuantile:
            guard case .float64(let fraction)? = constant else {
                throw ExecutionError(.unsupported, "a quantile without a constant fraction")
            }
            return GroupedAccumulator.quantileSketch(fraction, result: type)
        case .regrSlope: return GroupedAccumulator.covariance(.slope)
        case .regrIntercept: return GroupedAccumulator.covariance(.intercept)
        case .regrR2: return GroupedAccumulator.covariance(.determination)
        case .regrCount: return GroupedAccumulator.covariance(.count)
        case .regrAvgX: return GroupedAccumulator.covariance(.averageX)
        case .regrAvgY: return GroupedAccumulator.covariance(.averageY)
        case .regrSxx: return GroupedAccumulator.covariance(.squaresX)
        case .regrSyy: return GroupedAccumulator.covariance(.squaresY)
        case .regrSxy: return GroupedAccumulator.covariance(.products)
        }
        return try GroupedAccumulator.make(kernel, input: input, result: type)
    }
}
