import Columnar

/// The best value of a group so far.
struct ExtremeState<Lane: OrderedLane>: BitwiseCopyable {
    var value: Lane
    var seen: UInt8
}

/// The loops of min and max.
///
/// Methods of a generic class are not specialised for the class's types; these functions are, and
/// a call from the class finds the right one by a look at the type.
enum ExtremeLoops {
    @_specialize(where Lane == Int32)
    @_specialize(where Lane == Int64)
    @_specialize(where Lane == Int128)
    @_specialize(where Lane == Float)
    @_specialize(where Lane == Double)
    static func grouped<Lane: OrderedLane>(
        _ source: UnsafePointer<Lane>,
        _ mask: Int,
        _ validity: Bitmap?,
        _ count: Int,
        _ groups: UnsafePointer<UInt32>,
        _ states: UnsafeMutablePointer<ExtremeState<Lane>>,
        _ isMaximum: Bool
    ) {
        if isMaximum {
            forEachValid(validity, count) { row in
                let state = states + Int(groups[row])
                let value = source[row & mask]
                if state.pointee.seen == 0 || Lane.before(state.pointee.value, value) {
                    state.pointee = ExtremeState(value: value, seen: 1)
                }
            }
        } else {
            forEachValid(validity, count) { row in
                let state = states + Int(groups[row])
                let value = source[row & mask]
                if state.pointee.seen == 0 || Lane.before(value, state.pointee.value) {
                    state.pointee = ExtremeState(value: value, seen: 1)
                }
            }
        }
    }

    @_specialize(where Lane == Int32)
    @_specialize(where Lane == Int64)
    @_specialize(where Lane == Int128)
    @_specialize(where Lane == Float)
    @_specialize(where Lane == Double)
    static func whole<Lane: OrderedLane>(
        _ source: UnsafePointer<Lane>,
        _ validity: Bitmap?,
        _ count: Int,
        _ start: Lane,
        _ isMaximum: Bool
    ) -> Lane {
        var best = start
        if isMaximum {
            forEachValid(validity, count) {
                best = Lane.before(best, source[$0]) ? source[$0] : best
            }
        } else {
            forEachValid(validity, count) {
                best = Lane.before(source[$0], best) ? source[$0] : best
            }
        }
        return best
    }
}

/// min and max of values of fixed width.
final class MinMaxAccumulator<Lane: OrderedLane>: GroupedAccumulator {
    typealias State = ExtremeState<Lane>

    private var states = StateMemory<State>()
    private let isMaximum: Bool

    init(resultType: DataType, isMaximum: Bool) {
        self.isMaximum = isMaximum
        super.init(resultType: resultType)
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
        ExtremeLoops.grouped(
            operand.pointer(Lane.self),
            operand.mask,
            operand.validity,
            count,
            groups,
            states.base,
            isMaximum
        )
        withExtendedLifetime(operand) {}
    }

    override func update(column: Column) throws(KernelError) {
        states.grow(to: 1)
        guard column.nullCount < column.count else { return }
        let operand = Operand(column)
        let source = operand.pointer(Lane.self)
        var state = states.base[0]
        let isMaximum = isMaximum
        let count = operand.isConstant ? 1 : column.count
        if state.seen == 0 {
            var first = 0
            while column.isNull(first) { first += 1 }
            state = State(value: source[first & operand.mask], seen: 1)
        }
        let best = ExtremeLoops.whole(source, operand.validity, count, state.value, isMaximum)
        states.base[0] = State(value: best, seen: 1)
        withExtendedLifetime(operand) {}
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? MinMaxAccumulator<Lane> else {
            preconditionFailure("other kind")
        }
        states.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.states.count) {
            if Interruption.isRaised(at: group) { break }
            let theirs = other.states.base[group]
            let own = states.base + Int(mapping[group])
            guard theirs.seen != 0 else { continue }
            let isBetter =
                isMaximum
                ? Lane.before(own.pointee.value, theirs.value)
                : Lane.before(theirs.value, own.pointee.value)
            if own.pointee.seen == 0 || isBetter { own.pointee = theirs }
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        states.grow(to: groupCount)
        let states = states.base
        let buffer = Buffer(byteCount: groupCount * MemoryLayout<Lane>.stride)
        let target = buffer.mutable(as: Lane.self)
        for group in 0..<groupCount {
            if Interruption.isRaised(at: group) { break }
            target[group] = states[group].value
        }
        return Column(
            resultType,
            count: groupCount,
            validity: validity(groupCount) { states[$0].seen != 0 },
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

/// min and max of text and bytes, which are copied out of the batches.
final class TextMinMaxAccumulator: GroupedAccumulator {
    struct State: BitwiseCopyable {
        var view: StringView
        var seen: UInt8
    }

    private var states = StateMemory<State>()
    private var arena = ByteArena()
    /// Bytes handed to the arena, and those of them that a state still shows.
    private var usedBytes = 0
    private var liveBytes = 0
    private let isMaximum: Bool

    init(resultType: DataType, isMaximum: Bool) {
        self.isMaximum = isMaximum
        super.init(resultType: resultType)
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
        let mask = operand.mask
        let source = operand.views
        forEachValid(operand.validity, count) { row in
            offer(source[row & mask], to: Int(groups[row]))
        }
        withExtendedLifetime(operand) {}
        collectGarbage()
    }

    @inline(__always)
    private func offer(_ view: StringView, to group: Int) {
        let state = states.base + group
        if state.pointee.seen != 0 {
            let order = viewsOrder(view, state.pointee.view)
            if isMaximum ? order <= 0 : order >= 0 { return }
        }
        replace(state, view)
    }

    private func replace(_ state: UnsafeMutablePointer<State>, _ view: StringView) {
        if state.pointee.view.length > 12 { liveBytes -= Int(state.pointee.view.length) }
        if view.length > 12 {
            usedBytes += Int(view.length)
            liveBytes += Int(view.length)
        }
        state.pointee = State(view: arena.intern(view), seen: 1)
    }

    /// Copies what is live when most of the arena is not.
    private func collectGarbage() {
        guard usedBytes > 2 * liveBytes + (1 << 20) else { return }
        var fresh = ByteArena()
        for group in 0..<states.count {
            states.base[group].view = fresh.intern(states.base[group].view)
        }
        arena = fresh
        usedBytes = liveBytes
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? TextMinMaxAccumulator else {
            preconditionFailure("other kind")
        }
        states.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.states.count) {
            if Interruption.isRaised(at: group) { break }
            guard other.states.base[group].seen != 0 else { continue }
            offer(other.states.base[group].view, to: Int(mapping[group]))
        }
        withExtendedLifetime(other) {}
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        states.grow(to: groupCount)
        let states = states.base
        // Views that are not reached are empty.
        let buffer = Buffer(zeroedByteCount: groupCount * 16)
        let target = buffer.mutable(as: StringView.self)
        for group in 0..<groupCount {
            if Interruption.isRaised(at: group) { break }
            target[group] = states[group].view
        }
        return Column(
            type: resultType,
            count: groupCount,
            validity: validity(groupCount) { states[$0].seen != 0 },
            storage: .views(BufferSlice(buffer), owners: arena.owners)
        )
    }

    override var byteCount: Int { states.byteCount + arena.byteCount }

    override var hasPartials: Bool { true }

    override func partials(groupCount: Int) throws(KernelError) -> [Column] {
        [try finish(groupCount: groupCount)]
    }

    override func restore(_ partials: [Column], count: Int) throws(KernelError) {
        guard partials.count == 1, partials[0].count == count else { throw .foreignPartials }
        let groups = (0..<UInt32(count)).map { $0 }
        try groups.withUnsafeBufferPointer { (groups) throws(KernelError) in
            guard let base = groups.baseAddress else { return }
            try update(groups: base, groupCount: count, column: partials[0], count: count)
        }
    }
}

/// bool_and and bool_or, which are also min and max of booleans.
final class BooleanAccumulator: GroupedAccumulator {
    /// 0 nothing yet, 1 false, 2 true.
    private var states = StateMemory<UInt8>()
    private let isOr: Bool

    init(isOr: Bool) {
        self.isOr = isOr
        super.init(resultType: .boolean)
    }

    @inline(__always)
    private static func combine(_ old: UInt8, _ new: UInt8, _ isOr: Bool) -> UInt8 {
        old == 0 ? new : (isOr ? max(old, new) : min(old, new))
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
        let bits = operand.bits
        let words = bits.words
        let states = states.base
        let isOr = isOr
        forEachValid(operand.validity, count) { row in
            let group = Int(groups[row])
            let new = UInt8(truncatingIfNeeded: bitOf(words, row)) &+ 1
            states[group] = Self.combine(states[group], new, isOr)
        }
        withExtendedLifetime((operand, bits)) {}
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? BooleanAccumulator else { preconditionFailure("other kind") }
        states.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.states.count) {
            if Interruption.isRaised(at: group) { break }
            guard other.states.base[group] != 0 else { continue }
            let own = Int(mapping[group])
            states.base[own] =
                Self.combine(states.base[own], other.states.base[group], isOr)
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        states.grow(to: groupCount)
        let states = states.base
        return Column(
            bits: buildBits(groupCount) { states[$0] == 2 },
            validity: validity(groupCount) { states[$0] != 0 }
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
