import Columnar

/// Variances and standard deviations by Welford's recurrence, merged by Chan's formula.
final class VarianceAccumulator: GroupedAccumulator {
    struct State: BitwiseCopyable {
        var count: Double
        var mean: Double
        /// Sum of squared distances from the mean.
        var squares: Double
    }

    private var states = StateMemory<State>()
    private let function: AggregateFunction

    init(_ function: AggregateFunction) {
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
        let states = states.base
        forEachValid(operand.validity, count) { row in
            let state = states + Int(groups[row])
            let value = source[row & mask]
            state.pointee.count += 1
            let delta = value - state.pointee.mean
            state.pointee.mean += delta / state.pointee.count
            state.pointee.squares += delta * (value - state.pointee.mean)
        }
        withExtendedLifetime(operand) {}
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? VarianceAccumulator else { preconditionFailure("other kind") }
        states.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.states.count) {
            if Interruption.isRaised(at: group) { break }
            let theirs = other.states.base[group]
            let own = states.base + Int(mapping[group])
            if theirs.count == 0 { continue }
            let mine = own.pointee
            let count = mine.count + theirs.count
            let delta = theirs.mean - mine.mean
            own.pointee = State(
                count: count,
                mean: mine.mean + delta * theirs.count / count,
                squares: mine.squares + theirs.squares
                    + delta * delta * mine.count * theirs.count / count
            )
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        states.grow(to: groupCount)
        let states = states.base
        let isSample = function == .varianceSample || function == .deviationSample
        let isRoot = function == .deviationSample || function == .deviationPopulation
        let least: Double = isSample ? 2 : 1
        let buffer = Buffer(byteCount: groupCount * 8)
        let target = buffer.mutable(as: Double.self)
        for group in 0..<groupCount {
            if Interruption.isRaised(at: group) { break }
            let state = states[group]
            let divisor = isSample ? state.count - 1 : state.count
            let variance = state.count < least || state.squares < 0 ? 0 : state.squares / divisor
            target[group] = isRoot ? variance.squareRoot() : variance
        }
        return Column(
            .float64,
            count: groupCount,
            validity: validity(groupCount) { states[$0].count >= least },
            buffer: buffer
        )
    }

    override var byteCount: Int { states.byteCount }

    override var hasPartials: Bool { true }

    override func partials(groupCount: Int) throws(KernelError) -> [Column] {
        states.columns(count: groupCount)
    }

    override func restore(_ partials: [Column], count: Int) throws(KernelError) {
        try states.restore(partials, count: count)
    }
}
