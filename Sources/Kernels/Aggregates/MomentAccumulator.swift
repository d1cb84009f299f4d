import Columnar

/// What is asked of the higher moments of numbers.
package enum MomentFunction: Sendable, Hashable {
    case skewness, kurtosisSample, kurtosisPopulation, standardError
    /// The exponential of the mean; the values are logarithms.
    case geometricMean
}

extension GroupedAccumulator {
    /// `skewness`, `kurtosis`, `kurtosis_pop`, `sem` and `geometric_mean` of DOUBLE columns.
    package static func moments(_ function: MomentFunction) -> GroupedAccumulator {
        MomentAccumulator(function)
    }
}

/// The first four central moments by Pébay's recurrence, merged pairwise.
final class MomentAccumulator: GroupedAccumulator {
    struct State: BitwiseCopyable {
        var count = 0.0
        var mean = 0.0
        /// Sums of the second, third and fourth powers of the distances from the mean.
        var second = 0.0
        var third = 0.0
        var fourth = 0.0

        mutating func add(_ other: State) {
            if other.count == 0 { return }
            if count == 0 {
                self = other
                return
            }
            let (a, b) = (count, other.count)
            let n = a + b
            let delta = other.mean - mean
            let part = delta / n
            let fourthCross =
                delta * part * part * part * a * b * (a * a - a * b + b * b)
                + 6 * part * part * (a * a * other.second + b * b * second)
                + 4 * part * (a * other.third - b * third)
            let thirdCross =
                delta * part * part * a * b * (a - b)
                + 3 * part * (a * other.second - b * second)
            fourth += other.fourth + fourthCross
            third += other.third + thirdCross
            second += other.second + delta * part * a * b
            mean += part * b
            count = n
        }
    }

    private var states = StateMemory<State>()
    private let function: MomentFunction

    init(_ function: MomentFunction) {
        self.function = function
        super.init(resultType: .float64)
    }

    override func update(
        groups: UnsafePointer<UInt32>,
        groupCount: Int,
        column: Column,
        count: Int
    ) throws(KernelError) {
        states.grow(to: groupCount)
        if column.isAllNull { return }
        let operand = Operand(try Casting.cast(column, to: .float64))
        let mask = operand.mask
        let source = operand.pointer(Double.self)
        forEachValid(operand.validity, count) { row in
            (states.base + Int(groups[row])).pointee.add(
                State(count: 1, mean: source[row & mask])
            )
        }
        withExtendedLifetime(operand) {}
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? MomentAccumulator else { preconditionFailure("other kind") }
        states.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.states.count) {
            if Interruption.isRaised(at: group) { break }
            (states.base + Int(mapping[group])).pointee.add(other.states.base[group])
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        states.grow(to: groupCount)
        return Column(
            .float64,
            (0..<groupCount).map { result(states.base[$0]).map { .float64($0) } ?? .null }
        )
    }

    private func result(_ state: State) -> Double? {
        let n = state.count
        let variance = state.second / n
        switch function {
        case .geometricMean: return n > 0 ? Exponential.of(state.mean) : nil
        case .standardError: return n > 0 ? (max(0, variance) / n).squareRoot() : nil
        case .skewness:
            if n <= 2 { return nil }
            if !(variance > 0) { return .nan }
            let bias = (n * (n - 1)).squareRoot() / (n - 2)
            return bias * (state.third / n) / (variance * variance.squareRoot())
        case .kurtosisPopulation:
            if n <= 1 || !(variance > 0) { return nil }
            return state.fourth / n / (variance * variance) - 3
        case .kurtosisSample:
            if n <= 3 || !(variance > 0) { return nil }
            let ratio = state.fourth / n / (variance * variance)
            return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * ratio - 3 * (n - 1))
        }
    }

    override var byteCount: Int { states.byteCount }
}
