package import Columnar

/// Sums of whole columns.
package enum Sum {
    /// The exact sum of the rows that are not null of an integer or decimal column, and how many
    /// they are; nil for other types.
    ///
    /// 64-bit values are summed as two halves of 32 bits, which cannot overflow within 2^31 rows
    /// and vectorise.
    package static func total(
        _ column: Column
    ) throws(KernelError) -> (sum: Int128, count: Int)? {
        let count = column.count - column.nullCount
        if count == 0 { return (0, 0) }
        if case .constant(let box) = column.storage {
            guard let one = try total(box.column) else { return nil }
            let (sum, overflow) = one.sum.multipliedReportingOverflow(by: Int128(column.count))
            if overflow { throw KernelError(.overflow, "a sum passes 128 bits") }
            return (sum, count)
        }
        let flat = column.flattened()
        guard case .fixed(let values) = flat.storage else { return nil }
        let rowCount = flat.count
        let words = flat.validity?.words
        defer { withExtendedLifetime(flat) {} }
        switch (flat.type, flat.type.physical) {
        case (.int32, _):
            let source = values.pointer(as: Int32.self)
            var sum: Int64 = 0
            forEachWord(words, rowCount) { start, end, word in
                if word == .max {
                    for row in start..<end { sum &+= Int64(source[row]) }
                } else {
                    for row in start..<end {
                        let keep = 0 &- Int64(truncatingIfNeeded: word &>> UInt64(row & 63) & 1)
                        sum &+= Int64(source[row]) & keep
                    }
                }
            }
            return (Int128(sum), count)
        case (.int64, _), (.decimal, .int64):
            let source = values.pointer(as: Int64.self)
            var high: Int64 = 0
            var low: UInt64 = 0
            forEachWord(words, rowCount) { start, end, word in
                if word == .max {
                    for row in start..<end {
                        let value = source[row]
                        high &+= value &>> 32
                        low &+= UInt64(UInt32(truncatingIfNeeded: value))
                    }
                } else {
                    for row in start..<end {
                        let keep = 0 &- Int64(truncatingIfNeeded: word &>> UInt64(row & 63) & 1)
                        let value = source[row] & keep
                        high &+= value &>> 32
                        low &+= UInt64(UInt32(truncatingIfNeeded: value))
                    }
                }
            }
            return (Int128(high) &<< 32 &+ Int128(low), count)
        case (.decimal, _):
            let source = values.pointer(as: Int128.self)
            var sum: Int128 = 0
            var overflowed = false
            forEachValid(flat.validity, rowCount) { row in
                let (next, overflow) = sum.addingReportingOverflow(source[row])
                sum = next
                overflowed = overflowed || overflow
            }
            if overflowed { throw KernelError(.overflow, "a sum passes 128 bits") }
            return (sum, count)
        default:
            return nil
        }
    }

    /// Calls `body` for blocks of rows with their validity word; once, all set, without nulls.
    @inline(__always)
    private static func forEachWord(
        _ words: UnsafePointer<UInt64>?,
        _ count: Int,
        _ body: (Int, Int, UInt64) -> Void
    ) {
        guard let words else { return body(0, count, .max) }
        for index in 0..<Bitmap.wordCount(count) {
            let start = index &<< 6
            if words[index] != 0 { body(start, min(start &+ 64, count), words[index]) }
        }
    }
}

/// What is made of sums at the end.
enum SumResult {
    case sum, average
    /// A struct of both.
    case both
}

/// Exact sums of integers and decimals, and their averages.
final class ExactSumAccumulator: GroupedAccumulator {
    struct State: BitwiseCopyable {
        var sum: Int128
        var count: Int
    }

    private var states = StateMemory<State>()
    private let input: DataType
    private let result: SumResult

    init(input: DataType, resultType: DataType, result: SumResult) {
        self.input = input
        self.result = result
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
        if groupCount <= Self.fewGroupCountMax, count >= 4 * groupCount {
            let isDone =
                switch column.type.physical {
                case .bit: false
                case .int32:
                    try updateFew(groups, groupCount, operand, operand.pointer(Int32.self), count)
                case .int64:
                    try updateFew(groups, groupCount, operand, operand.pointer(Int64.self), count)
                default:
                    try updateFew(groups, groupCount, operand, operand.pointer(Int128.self), count)
                }
            if isDone { return }
        }
        let states = states.base
        switch column.type.physical {
        case .bit:
            let bits = operand.bits
            let words = bits.words
            forEachValid(operand.validity, count) { row in
                let state = states + Int(groups[row])
                state.pointee.sum &+= Int128(bitOf(words, row))
                state.pointee.count &+= 1
            }
            withExtendedLifetime(bits) {}
        case .int32:
            let source = operand.pointer(Int32.self)
            forEachValid(operand.validity, count) { row in
                let state = states + Int(groups[row])
                state.pointee.sum &+= Int128(source[row & mask])
                state.pointee.count &+= 1
            }
        case .int64:
            // 2^63 rows of 64 bits stay inside 128.
            let source = operand.pointer(Int64.self)
            forEachValid(operand.validity, count) { row in
                let state = states + Int(groups[row])
                state.pointee.sum &+= Int128(source[row & mask])
                state.pointee.count &+= 1
            }
        default:
            let source = operand.pointer(Int128.self)
            var overflowed = false
            forEachValid(operand.validity, count) { row in
                let state = states + Int(groups[row])
                let (sum, overflow) =
                    state.pointee.sum.addingReportingOverflow(source[row & mask])
                state.pointee.sum = sum
                state.pointee.count &+= 1
                overflowed = overflowed || overflow
            }
            if overflowed { throw KernelError(.overflow, "a sum of \(input) passes 128 bits") }
        }
        withExtendedLifetime(operand) {}
    }

    /// With more groups their partial sums leave the fastest cache.
    private static let fewGroupCountMax = 64
    /// Neighbouring rows add to different partial sums, so that none waits for the one before.
    private static let laneCount = 4

    private struct Partial: BitwiseCopyable {
        var sum: Int64
        var count: Int64
    }

    /// Sums a batch in 64 bits, where its values are small enough for that to be exact.
    ///
    /// - Returns: false when they are not; then nothing has been added.
    @inline(__always)
    private func updateFew<T: FixedWidthInteger & BitwiseCopyable>(
        _ groups: UnsafePointer<UInt32>,
        _ groupCount: Int,
        _ operand: Operand,
        _ source: UnsafePointer<T>,
        _ count: Int
    ) throws(KernelError) -> Bool {
        let mask = operand.mask
        // A value that fits into b bits keeps 2^(63 - b) of its like inside 64.
        var used: T = 0
        for row in 0..<count {
            let value = source[row & mask]
            used |= value ^ (value >> (T.bitWidth - 1))
        }
        let usedBits = T.bitWidth - used.leadingZeroBitCount
        let countBits = Int.bitWidth - count.leadingZeroBitCount
        guard usedBits + countBits < 63 else { return false }
        let states = states.base
        var overflowed = false
        let partialCount = groupCount * Self.laneCount
        withUnsafeTemporaryAllocation(of: Partial.self, capacity: partialCount) { partials in
            guard let partial = partials.baseAddress else { return }
            partial.initialize(repeating: Partial(sum: 0, count: 0), count: partialCount)
            forEachValid(operand.validity, count) { row in
                let place = Int(groups[row]) &* Self.laneCount &+ (row & (Self.laneCount &- 1))
                partial[place].sum &+= Int64(truncatingIfNeeded: source[row & mask])
                partial[place].count &+= 1
            }
            for place in 0..<partialCount {
                let state = states + place / Self.laneCount
                let (sum, overflow) = state.pointee.sum.addingReportingOverflow(
                    Int128(partial[place].sum)
                )
                state.pointee.sum = sum
                state.pointee.count &+= Int(partial[place].count)
                overflowed = overflowed || overflow
            }
        }
        if overflowed { throw KernelError(.overflow, "a sum of \(input) passes 128 bits") }
        withExtendedLifetime(operand) {}
        return true
    }

    override func update(column: Column) throws(KernelError) {
        if column.type == .boolean {
            let trueCount = Filter.trueRows(column).trueCount
            states.grow(to: 1)
            states.base[0].sum += Int128(trueCount)
            states.base[0].count += column.count - column.nullCount
            return
        }
        guard let (sum, count) = try Sum.total(column) else {
            throw KernelError(.unsupported, "no exact sum of \(column.type)")
        }
        states.grow(to: 1)
        try add(sum, count, to: 0)
    }

    private func add(_ sum: Int128, _ count: Int, to group: Int) throws(KernelError) {
        let (total, overflow) = states.base[group].sum.addingReportingOverflow(sum)
        if overflow { throw KernelError(.overflow, "a sum of \(input) passes 128 bits") }
        states.base[group].sum = total
        states.base[group].count &+= count
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? ExactSumAccumulator else { preconditionFailure("other kind") }
        states.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.states.count) {
            if Interruption.isRaised(at: group) { break }
            let state = other.states.base[group]
            try add(state.sum, state.count, to: Int(mapping[group]))
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        states.grow(to: groupCount)
        switch result {
        case .sum: return try sums(groupCount, resultType)
        case .average: return averages(groupCount)
        case .both:
            guard case .structure(let fields) = resultType, fields.count == 2 else {
                throw KernelError(.unsupported, "a sum and an average as \(resultType)")
            }
            return Column(
                type: resultType,
                count: groupCount,
                validity: nil,
                storage: .structure([
                    try sums(groupCount, fields[0].type), averages(groupCount),
                ])
            )
        }
    }

    private var inputScale: Int {
        if case .decimal(_, let scale) = input { scale } else { 0 }
    }

    private func averages(_ groupCount: Int) -> Column {
        let states = states.base
        let buffer = Buffer(byteCount: groupCount * 8)
        let target = buffer.mutable(as: Double.self)
        let unit = Double(PowersOfTen.of(inputScale))
        for group in 0..<groupCount {
            if Interruption.isRaised(at: group) { break }
            let state = states[group]
            target[group] =
                state.count == 0 ? 0 : Double(nearest: state.sum) / Double(state.count) / unit
        }
        return Column(
            .float64,
            count: groupCount,
            validity: validity(groupCount) { states[$0].count > 0 },
            buffer: buffer
        )
    }

    private func sums(_ groupCount: Int, _ type: DataType) throws(KernelError) -> Column {
        let states = states.base
        let inputScale = inputScale
        let limit: Int128
        switch type {
        case .int64: limit = Int128(Int64.max)
        case .decimal(let precision, let scale) where scale == inputScale:
            limit = PowersOfTen.of(precision) - 1
        default:
            throw KernelError(.unsupported, "a sum of \(input) as \(type)")
        }
        let isNarrow = type.physical == .int64
        let buffer = Buffer(byteCount: groupCount * (isNarrow ? 8 : 16))
        for group in 0..<groupCount {
            if Interruption.isRaised(at: group) { break }
            let sum = states[group].sum
            guard sum <= limit, sum >= -limit || (type == .int64 && sum == -limit - 1)
            else {
                throw KernelError(
                    .overflow,
                    "the sum \(decimalText(sum, scale: inputScale)) does not fit \(type)"
                )
            }
            if isNarrow {
                buffer.mutable(as: Int64.self)[group] = Int64(truncatingIfNeeded: sum)
            } else {
                buffer.mutable(as: Int128.self)[group] = sum
            }
        }
        return Column(
            type,
            count: groupCount,
            validity: validity(groupCount) { states[$0].count > 0 },
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

/// Sums and averages of floating point numbers, added in the order of the rows, so that the same
/// batches in the same order give the same bits.
final class FloatSumAccumulator: GroupedAccumulator {
    struct State: BitwiseCopyable {
        var sum: Double
        var count: Int
    }

    private var states = StateMemory<State>()
    private let result: SumResult

    init(resultType: DataType, result: SumResult) {
        self.result = result
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
        let states = states.base
        if column.type == .float32 {
            let source = operand.pointer(Float.self)
            forEachValid(operand.validity, count) { row in
                let state = states + Int(groups[row])
                state.pointee.sum += Double(source[row & mask])
                state.pointee.count &+= 1
            }
        } else {
            let source = operand.pointer(Double.self)
            forEachValid(operand.validity, count) { row in
                let state = states + Int(groups[row])
                state.pointee.sum += source[row & mask]
                state.pointee.count &+= 1
            }
        }
        withExtendedLifetime(operand) {}
    }

    override func update(column: Column) throws(KernelError) {
        states.grow(to: 1)
        if column.isAllNull { return }
        let operand = Operand(column)
        let mask = operand.mask
        var state = states.base[0]
        if column.type == .float32 {
            let source = operand.pointer(Float.self)
            forEachValid(operand.validity, column.count) {
                state.sum += Double(source[$0 & mask])
            }
        } else {
            let source = operand.pointer(Double.self)
            forEachValid(operand.validity, column.count) { state.sum += source[$0 & mask] }
        }
        state.count += column.count - column.nullCount
        states.base[0] = state
        withExtendedLifetime(operand) {}
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? FloatSumAccumulator else { preconditionFailure("other kind") }
        states.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.states.count) {
            if Interruption.isRaised(at: group) { break }
            let state = other.states.base[group]
            states.base[Int(mapping[group])].sum += state.sum
            states.base[Int(mapping[group])].count &+= state.count
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        states.grow(to: groupCount)
        switch result {
        case .sum: return values(groupCount, isAverage: false)
        case .average: return values(groupCount, isAverage: true)
        case .both:
            return Column(
                type: resultType,
                count: groupCount,
                validity: nil,
                storage: .structure([
                    values(groupCount, isAverage: false), values(groupCount, isAverage: true),
                ])
            )
        }
    }

    private func values(_ groupCount: Int, isAverage: Bool) -> Column {
        let states = states.base
        let buffer = Buffer(byteCount: groupCount * 8)
        let target = buffer.mutable(as: Double.self)
        for group in 0..<groupCount {
            if Interruption.isRaised(at: group) { break }
            let state = states[group]
            target[group] =
                isAverage && state.count > 0 ? state.sum / Double(state.count) : state.sum
        }
        return Column(
            .float64,
            count: groupCount,
            validity: validity(groupCount) { states[$0].count > 0 },
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
