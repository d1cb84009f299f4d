package import Columnar

/// How the bits of integers are put together.
package enum BitwiseFunction: Sendable, Hashable {
    case and, or, xor
}

extension GroupedAccumulator {
    /// `bit_and`, `bit_or` and `bit_xor` of an integer column.
    package static func bitwise(
        _ function: BitwiseFunction,
        of input: DataType
    ) -> GroupedAccumulator {
        BitwiseAccumulator(function, input)
    }

    /// `product(x)` of a DOUBLE column.
    package static func product() -> GroupedAccumulator { ProductAccumulator() }

    /// `mode(x)`: the most frequent value, the first met of equally frequent ones.
    package static func mode(of input: DataType) -> GroupedAccumulator {
        ModeAccumulator(resultType: input)
    }
}

final class BitwiseAccumulator: GroupedAccumulator {
    struct State: BitwiseCopyable {
        var bits: Int64
        var hasValue: Bool
    }

    private var states = StateMemory<State>()
    private let function: BitwiseFunction

    init(_ function: BitwiseFunction, _ input: DataType) {
        self.function = function
        super.init(resultType: input)
    }

    private func add(_ bits: Int64, to state: UnsafeMutablePointer<State>) {
        guard state.pointee.hasValue else {
            state.pointee = State(bits: bits, hasValue: true)
            return
        }
        switch function {
        case .and: state.pointee.bits &= bits
        case .or: state.pointee.bits |= bits
        case .xor: state.pointee.bits ^= bits
        }
    }

    override func update(
        groups: UnsafePointer<UInt32>,
        groupCount: Int,
        column: Column,
        count: Int
    ) throws(KernelError) {
        states.grow(to: groupCount)
        if column.isAllNull { return }
        let operand = Operand(try Casting.cast(column, to: .int64))
        let mask = operand.mask
        let source = operand.pointer(Int64.self)
        forEachValid(operand.validity, count) { row in
            add(source[row & mask], to: states.base + Int(groups[row]))
        }
        withExtendedLifetime(operand) {}
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? BitwiseAccumulator else { preconditionFailure("other kind") }
        states.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.states.count) {
            if Interruption.isRaised(at: group) { break }
            let theirs = other.states.base[group]
            if theirs.hasValue { add(theirs.bits, to: states.base + Int(mapping[group])) }
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        states.grow(to: groupCount)
        let values = (0..<groupCount).map { group in
            let state = states.base[group]
            return state.hasValue ? Value.int64(state.bits) : .null
        }
        return try Casting.cast(Column(.int64, values), to: resultType)
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

final class ProductAccumulator: GroupedAccumulator {
    struct State: BitwiseCopyable {
        var product: Double
        var hasValue: Bool
    }

    private var states = StateMemory<State>()

    init() {
        super.init(resultType: .float64)
    }

    private func add(_ value: Double, to state: UnsafeMutablePointer<State>) {
        state.pointee = State(
            product: state.pointee.hasValue ? state.pointee.product * value : value,
            hasValue: true
        )
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
            add(source[row & mask], to: states.base + Int(groups[row]))
        }
        withExtendedLifetime(operand) {}
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? ProductAccumulator else { preconditionFailure("other kind") }
        states.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.states.count) {
            if Interruption.isRaised(at: group) { break }
            let theirs = other.states.base[group]
            if theirs.hasValue { add(theirs.product, to: states.base + Int(mapping[group])) }
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        states.grow(to: groupCount)
        return Column(
            .float64,
            (0..<groupCount).map { group in
                let state = states.base[group]
                return state.hasValue ? Value.float64(state.product) : .null
            }
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

/// Keeps all values and counts the runs of their sorted groups.
final class ModeAccumulator: CollectingAccumulator {
    override func finish(groupCount: Int) throws(KernelError) -> Column {
        let (values, offsets) = grouped(groupCount, resultType)
        let bounds = offsets.mutable(as: Int32.self)
        let rows = Buffer(byteCount: groupCount * 4)
        let target = rows.mutable(as: Int32.self)
        for group in 0..<groupCount {
            let (start, end) = (Int(bounds[group]), Int(bounds[group + 1]))
            target[group] = -1
            if start == end { continue }
            let part = values.slice(start..<end)
            let sorted = SortKeys([part], [SortOrder()]).sorted()
            let ordered = Take.take(part, sorted)
            let boundaries = RowComparator.boundaries([ordered], count: ordered.count)
            var best = (row: Int32(0), count: 0)
            var run = (row: Int32(0), count: 0)
            // The sort is stable: a run begins with the value that came first.
            for index in 0..<ordered.count {
                if boundaries[index] { run = (sorted.rows[index], 0) }
                run.count += 1
                let isEarlier = run.count == best.count && run.row < best.row
                if run.count > best.count || isEarlier { best = run }
            }
            withExtendedLifetime(sorted) {}
            target[group] = Int32(truncatingIfNeeded: start) + best.row
        }
        return withExtendedLifetime((rows, offsets)) {
            Take.take(values, rows: UnsafePointer(target), count: groupCount, nullable: true)
        }
    }
}
