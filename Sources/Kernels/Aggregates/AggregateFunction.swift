package import Columnar

/// The aggregates that have a kernel.
package enum AggregateFunction: Sendable, Hashable, CaseIterable {
    /// `count(*)`.
    case countRows
    /// `count(x)`: rows that are not null.
    case count
    case sum
    /// The mean as DOUBLE.
    case average
    case minimum
    case maximum
    case booleanAnd
    case booleanOr
    /// The first value met, null or not.
    case first
    /// The first value met that is not null.
    case anyValue
    /// The last value met, null or not.
    case last
    case varianceSample
    case variancePopulation
    case deviationSample
    case deviationPopulation
    /// All values in order met, nulls too, as a list.
    case list
    /// The value in the middle; between two, the mean as DOUBLE.
    case median

    /// What the function gives for a column of `input`.
    package func resultType(_ input: DataType) throws(KernelError) -> DataType {
        switch self {
        case .countRows, .count:
            return .int64
        case .sum:
            switch input {
            case .int32, .int64, .boolean: return .decimal(precision: 38, scale: 0)
            case .decimal(_, let scale): return .decimal(precision: 38, scale: scale)
            case .float32, .float64: return .float64
            case .null: return .null
            default: break
            }
        case .average, .varianceSample, .variancePopulation, .deviationSample,
            .deviationPopulation, .median:
            if input.isNumeric || input == .null { return .float64 }
        case .minimum, .maximum:
            return input
        case .booleanAnd, .booleanOr:
            if input == .boolean || input == .null { return .boolean }
        case .first, .anyValue, .last:
            return input
        case .list:
            return .list(Field("element", input))
        }
        throw KernelError(.unsupported, "no \(self) of \(input)")
    }
}
