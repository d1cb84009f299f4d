import Columnar

/// What is asked of pairs of numbers.
package enum CovarianceFunction: Sendable, Hashable {
    case sample, population, correlation
    /// Of the line that fits the pairs best: `regr_slope` and its kin.
    case slope, intercept, determination, count, averageX, averageY, squaresX, squaresY, products
}

extension GroupedAccumulator {
    /// `corr(y, x)`, `covar_samp(y, x)` and `covar_pop(y, x)`: of columns of structures of two
    /// DOUBLE fields without nulls, y first.
    package static func covariance(_ function: CovarianceFunction) -> GroupedAccumulator {
        CovarianceAccumulator(function)
    }
}

/// Covariance and correlation by Welford's recurrence, merged by Chan's formula.
final class CovarianceAccumulator: GroupedAccumulator {
    struct State: BitwiseCopyable {
        var count: Double
        var meanX: Double
        var meanY: Double
        /// Sums of products of distances from the means.
        var products: Double
        var squaresX: Double
        var squaresY: Double
    }

    private var states = StateMemory<State>()
    private let function: CovarianceFunction

    init(_ function: CovarianceFunction) {
        self.function = function
        super.init(resultType: function == .count ? .int64 : .float64)
    }

    override func update(
        groups: UnsafePointer<UInt32>,
        groupCount: Int,
        column: Column,
        count: Int
    ) throws(KernelError) {
        states.grow(to: groupCount)
        guard case .structure(let parts) = column.flattened().storage, parts.count == 2 else {
            throw KernelError(.unsupported, "a covariance is of pairs of numbers")
        }
        let first = Operand(try Casting.cast(parts[0], to: .float64))
        let second = Operand(try Casting.cast(parts[1], to: .float64))
        let (yMask, xMask) = (first.mask, second.mask)
        let (ys, xs) = (first.pointer(Double.self), second.pointer(Double.self))
        for row in 0..<count {
            let state = states.base + Int(groups[row])
            let (x, y) = (xs[row & xMask], ys[row & yMask])
            state.pointee.count += 1
            let deltaX = x - state.pointee.meanX
            state.pointee.meanX += deltaX / state.pointee.count
            let deltaY = y - state.pointee.meanY
            state.pointee.meanY += deltaY / state.pointee.count
            state.pointee.products += deltaX * (y - state.pointee.meanY)
            state.pointee.squaresX += deltaX * (x - state.pointee.meanX)
            state.pointee.squaresY += deltaY * (y - state.pointee.meanY)
        }
        withExtendedLifetime((first, second)) {}
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? CovarianceAccumulator else { preconditionFailure("other kind") }
        states.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.states.count) {
            if Interruption.isRaised(at: group) { break }
            let theirs = other.states.base[group]
            let own = states.base + Int(mapping[group])
            if theirs.count == 0 { continue }
            let mine = own.pointee
            let count = mine.count + theirs.count
            let deltaX = theirs.meanX - mine.meanX
            let deltaY = theirs.meanY - mine.meanY
            let weight = mine.count * theirs.count / count
            own.pointee = State(
                count: count,
                meanX: mine.meanX + deltaX * theirs.count / count,
                meanY: mine.meanY + deltaY * theirs.count / count,
                products: mine.products + theirs.products + deltaX * deltaY * weight,
                squaresX: mine.squaresX + theirs.squaresX + deltaX * deltaX * weight,
                squaresY: mine.squaresY + theirs.squaresY + deltaY * deltaY * weight
            )
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        states.grow(to: groupCount)
        var values: [Value] = []
        values.reserveCapacity(groupCount)
        for group in 0..<groupCount {
            let state = states.base[group]
            let result: Double
            switch function {
            case .slope, .intercept, .determination, .count, .averageX, .averageY, .squaresX,
                .squaresY, .products:
                values.append(regression(state).map { .float64($0) } ?? .null)
                continue
            case .sample:
                result = state.count > 1 ? state.products / (state.count - 1) : 0
            case .population:
                result = state.count > 0 ? state.products / state.count : 0
            case .correlation:
                guard state.count > 0 else {
                    values.append(.null)
                    continue
                }
                values.append(
                    .float64(
                        state.products / (state.squaresX.squareRoot() * state.squaresY.squareRoot())
                    )
                )
                continue
            }
            let isKnown = function == .sample ? state.count > 1 : state.count > 0
            values.append(isKnown ? .float64(result) : .null)
        }
        return try Casting.cast(Column(.float64, values), to: resultType)
    }

    /// What is asked of the line; nil where pairs are too few or have one x.
    private func regression(_ state: State) -> Double? {
        if function == .count { return state.count }
        guard state.count > 0 else { return nil }
        switch function {
        case .slope: return state.squaresX == 0 ? .nan : state.products / state.squaresX
        case .intercept:
            guard state.squaresX != 0 else { return nil }
            return state.meanY - state.products / state.squaresX * state.meanX
        case .determination:
            guard state.squaresX != 0 else { return nil }
            if state.squaresY == 0 { return 1 }
            return state.products / state.squaresX * (state.products / state.squaresY)
        case .averageX: return state.meanX
        case .averageY: return state.meanY
        case .squaresX: return state.squaresX
        case .squaresY: return state.squaresY
        default: return state.products
        }
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
