package import Columnar
import Glibc

enum Exponential {
    static func of(_ value: Double) -> Double { exp(value) }
}

extension GroupedAccumulator {
    /// `fsum` and `favg`: what adding loses is added up beside (Neumaier), of DOUBLE columns.
    package static func compensatedSum(isAverage: Bool) -> GroupedAccumulator {
        CompensatedSumAccumulator(isAverage: isAverage)
    }

    /// `sum` and `avg` of intervals.
    package static func intervalSum(isAverage: Bool) -> GroupedAccumulator {
        IntervalSumAccumulator(isAverage: isAverage)
    }

    /// The mean of moments: of timestamps, instants and times of their type, of dates a timestamp.
    package static func momentMean(of input: DataType) -> GroupedAccumulator {
        MomentMeanAccumulator(resultType: input == .date ? .timestamp : input)
    }
}

final class CompensatedSumAccumulator: GroupedAccumulator {
    struct State: BitwiseCopyable {
        var sum = 0.0
        var lost = 0.0
        var count = 0.0

        mutating func add(_ value: Double) {
            let total = sum + value
            lost +=
                sum.magnitude >= value.magnitude ? (sum - total) + value : (value - total) + sum
            sum = total
        }
    }

    private var states = StateMemory<State>()
    private let isAverage: Bool

    init(isAverage: Bool) {
        self.isAverage = isAverage
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
        let (source, mask) = (operand.pointer(Double.self), operand.mask)
        forEachValid(operand.validity, count) { row in
            let state = states.base + Int(groups[row])
            state.pointee.add(source[row & mask])
            state.pointee.count += 1
        }
        withExtendedLifetime(operand) {}
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? CompensatedSumAccumulator else {
            preconditionFailure("other kind")
        }
        states.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.states.count) {
            if Interruption.isRaised(at: group) { break }
            let theirs = other.states.base[group]
            let own = states.base + Int(mapping[group])
            own.pointee.add(theirs.sum)
            own.pointee.lost += theirs.lost
            own.pointee.count += theirs.count
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        states.grow(to: groupCount)
        return Column(
            .float64,
            (0..<groupCount).map { group in
                let state = states.base[group]
                if state.count == 0 { return .null }
                // An infinite sum has lost nothing that could be named.
                let sum = state.sum.isFinite ? state.sum + state.lost : state.sum
                return .float64(isAverage ? sum / state.count : sum)
            }
        )
    }

    override var byteCount: Int { states.byteCount }
}

final class IntervalSumAccumulator: GroupedAccumulator {
    struct State: BitwiseCopyable {
        var months: Int64
        var days: Int64
        var micros: Int128
        var count: Int64
    }

    private var states = StateMemory<State>()
    private let isAverage: Bool

    init(isAverage: Bool) {
        self.isAverage = isAverage
        super.init(resultType: .interval)
    }

    override func update(
        groups: UnsafePointer<UInt32>,
        groupCount: Int,
        column: Column,
        count: Int
    ) throws(KernelError) {
        states.grow(to: groupCount)
        if column.isAllNull { return }
        let operand = Operand(column)
        let (source, mask) = (operand.pointer(Int128.self), operand.mask)
        forEachValid(operand.validity, count) { row in
            let interval = Interval(bits: source[row & mask])
            let state = states.base + Int(groups[row])
            // 2^31 rows of 32 bits fit 64, of 64 bits fit 128.
            state.pointee.months &+= Int64(interval.months)
            state.pointee.days &+= Int64(interval.days)
            state.pointee.micros &+= Int128(interval.micros)
            state.pointee.count &+= 1
        }
        withExtendedLifetime(operand) {}
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? IntervalSumAccumulator else {
            preconditionFailure("other kind")
        }
        states.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.states.count) {
            if Interruption.isRaised(at: group) { break }
            let theirs = other.states.base[group]
            let own = states.base + Int(mapping[group])
            own.pointee.months &+= theirs.months
            own.pointee.days &+= theirs.days
            own.pointee.micros &+= theirs.micros
            own.pointee.count &+= theirs.count
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        states.grow(to: groupCount)
        var values: [Value] = []
        for group in 0..<groupCount {
            let state = states.base[group]
            guard state.count > 0 else {
                values.append(.null)
                continue
            }
            var (months, days, micros) = (
                Int128(state.months), Int128(state.days), state.micros
            )
            if isAverage {
                // What months leave goes on as days of 30 to the month, what days leave as time.
                let count = Int128(state.count)
                let monthRest = months % count * 30
                months /= count
                let dayRest = (days % count + monthRest % count) * 86_400_000_000
                days = days / count + monthRest / count
                micros = micros / count + dayRest / count
            }
            guard let m = Int32(exactly: months), let d = Int32(exactly: days),
                let u = Int64(exactly: micros)
            else { throw KernelError(.overflow, "a sum of intervals does not fit") }
            values.append(.interval(Interval(months: m, days: d, micros: u)))
        }
        return Column(.interval, values)
    }

    override var byteCount: Int { states.byteCount }
}

final class MomentMeanAccumulator: GroupedAccumulator {
    struct State: BitwiseCopyable {
        var sum: Int128
        var count: Int64
    }

    private var states = StateMemory<State>()

    override func update(
        groups: UnsafePointer<UInt32>,
        groupCount: Int,
        column: Column,
        count: Int
    ) throws(KernelError) {
        states.grow(to: groupCount)
        if column.isAllNull { return }
        let operand = Operand(
            column.type == .date ? try Casting.cast(column, to: .timestamp) : column
        )
        let (source, mask) = (operand.pointer(Int64.self), operand.mask)
        forEachValid(operand.validity, count) { row in
            let state = states.base + Int(groups[row])
            state.pointee.sum &+= Int128(source[row & mask])
            state.pointee.count &+= 1
        }
        withExtendedLifetime(operand) {}
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? MomentMeanAccumulator else {
            preconditionFailure("other kind")
        }
        states.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.states.count) {
            if Interruption.isRaised(at: group) { break }
            let own = states.base + Int(mapping[group])
            own.pointee.sum &+= other.states.base[group].sum
            own.pointee.count &+= other.states.base[group].count
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        states.grow(to: groupCount)
        let buffer = Buffer(zeroedByteCount: groupCount * 8)
        let target = buffer.mutable(as: Int64.self)
        for group in 0..<groupCount where states.base[group].count > 0 {
            let state = states.base[group]
            target[group] = Int64(truncatingIfNeeded: state.sum / Int128(state.count))
        }
        return Column(
            resultType,
            count: groupCount,
            validity: validity(groupCount) { states.base[$0].count > 0 },
            buffer: buffer
        )
    }

    override var byteCount: Int { states.byteCount }
}
