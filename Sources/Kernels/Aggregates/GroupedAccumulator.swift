package import Columnar

/// The states of one aggregate for many groups.
///
/// One worker owns it and calls `update` per batch; at the end the workers' accumulators are merged
/// in a fixed order. Not thread-safe.
package class GroupedAccumulator {
    package let resultType: DataType

    init(resultType: DataType) {
        self.resultType = resultType
    }

    /// An accumulator of `function` over columns of `input`.
    ///
    /// - Parameter result: what `finish` gives; `function.resultType` by default. Sums of integers
    ///   may also be asked for as int64.
    package static func make(
        _ function: AggregateFunction,
        input: DataType,
        result: DataType? = nil
    ) throws(KernelError) -> GroupedAccumulator {
        let natural = try function.resultType(input)
        let type = result ?? natural
        if function == .countRows { return CountAccumulator(rows: true) }
        if function == .count { return CountAccumulator(rows: false) }
        if input == .null, function != .list { return NullAccumulator(resultType: type) }
        switch function {
        case .countRows, .count:
            return CountAccumulator(rows: function == .countRows)
        case .sum, .average:
            return sums(input, type, function == .average ? .average : .sum)
        case .minimum, .maximum:
            return minMax(input, type, isMaximum: function == .maximum)
        case .booleanAnd, .booleanOr:
            return BooleanAccumulator(isOr: function == .booleanOr)
        case .first, .anyValue, .last:
            return PickAccumulator(
                resultType: type,
                isLast: function == .last,
                skipsNulls: function == .anyValue
            )
        case .varianceSample, .variancePopulation, .deviationSample, .deviationPopulation:
            return VarianceAccumulator(function)
        case .list:
            return ListAccumulator(resultType: type)
        case .median:
            return QuantileAccumulator(resultType: type, fraction: 0.5, isContinuous: true)
        }
    }

    /// The sum and the average of numbers, as a struct of both.
    ///
    /// - Parameter result: a struct of the type of the sum, as `make` knows it, and DOUBLE.
    package static func sumAndAverage(
        of input: DataType,
        result: DataType
    ) -> GroupedAccumulator {
        sums(input, result, .both)
    }

    private static func sums(
        _ input: DataType,
        _ type: DataType,
        _ result: SumResult
    ) -> GroupedAccumulator {
        if input.isFloating { return FloatSumAccumulator(resultType: type, result: result) }
        return ExactSumAccumulator(input: input, resultType: type, result: result)
    }

    /// The value below which a fraction of the values lies.
    ///
    /// - Parameters:
    ///   - fraction: from 0 to 1.
    ///   - isContinuous: `quantile_cont`: between two values, as DOUBLE, of numbers only; otherwise
    ///     `quantile_disc`: one of the values, of any flat type.
    package static func quantile(
        _ fraction: Double,
        isContinuous: Bool,
        input: DataType
    ) throws(KernelError) -> GroupedAccumulator {
        guard fraction >= 0, fraction <= 1 else {
            throw KernelError(.outOfRange, "a quantile lies between 0 and 1, not at \(fraction)")
        }
        if input == .null { return NullAccumulator(resultType: .null) }
        let isMoment = input == .time || input == .timestamp || input == .timestamptz
        guard isContinuous ? input.isNumeric || isMoment : !input.isNested else {
            throw KernelError(.unsupported, "no quantile of \(input)")
        }
        return QuantileAccumulator(
            resultType: isContinuous && !isMoment ? .float64 : input,
            fraction: fraction,
            isContinuous: isContinuous
        )
    }

    /// `string_agg(text, separator)` in the order of the rows; null texts are left out.
    package static func joinedText(separator: String) -> GroupedAccumulator {
        TextJoinAccumulator(separator: separator)
    }

    private static func minMax(
        _ input: DataType,
        _ type: DataType,
        isMaximum: Bool
    ) -> GroupedAccumulator {
        switch input.physical {
        case .list, .structure, .map:
            NestedMinMaxAccumulator(resultType: type, isMaximum: isMaximum)
        case .bit: BooleanAccumulator(isOr: isMaximum)
        case .int32: MinMaxAccumulator<Int32>(resultType: type, isMaximum: isMaximum)
        case .int64: MinMaxAccumulator<Int64>(resultType: type, isMaximum: isMaximum)
        case .float32: MinMaxAccumulator<Float>(resultType: type, isMaximum: isMaximum)
        case .float64: MinMaxAccumulator<Double>(resultType: type, isMaximum: isMaximum)
        case .int128 where input == .interval:
            MinMaxAccumulator<IntervalLane>(resultType: type, isMaximum: isMaximum)
        case .int128: MinMaxAccumulator<Int128>(resultType: type, isMaximum: isMaximum)
        default: TextMinMaxAccumulator(resultType: type, isMaximum: isMaximum)
        }
    }

    /// Adds a batch: row `i` belongs to group `groups[i]`, below `groupCount`.
    package func update(
        groups: UnsafePointer<UInt32>,
        groupCount: Int,
        column: Column,
        count: Int
    ) throws(KernelError) {
        preconditionFailure("abstract")
    }

    /// Adds a batch to group 0: an aggregate without GROUP BY.
    package func update(column: Column) throws(KernelError) {
        let groups = Buffer(zeroedByteCount: column.count * 4)
        try update(
            groups: UnsafePointer(groups.mutable(as: UInt32.self)),
            groupCount: 1,
            column: column,
            count: column.count
        )
        withExtendedLifetime(groups) {}
    }

    /// Adds another accumulator of the same kind: its group `i` is our group `mapping[i]`.
    package func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        preconditionFailure("abstract")
    }

    /// One row a group.
    ///
    /// The accumulator is used up. Like `merge` and `partials` it leaves off midway through many groups when
    /// nobody wants them any more: whoever calls it has to `Interruption.check` before using the result.
    package func finish(groupCount: Int) throws(KernelError) -> Column {
        preconditionFailure("abstract")
    }

    /// Memory held, for the budget.
    package var byteCount: Int { 0 }

    // MARK: States that leave memory

    /// Whether `partials` and `restore` work; where they do not, whoever runs short of memory has to keep
    /// the rows themselves instead of the states.
    package var hasPartials: Bool { false }

    /// The states of the groups as columns, one row a group.
    ///
    /// Only for `restore` of the same build of this program. The accumulator is used up.
    package func partials(groupCount: Int) throws(KernelError) -> [Column] {
        preconditionFailure("abstract")
    }

    /// Takes up states that `partials` of an accumulator of the same kind gave, as groups 0 ..< count.
    ///
    /// To be called on a fresh accumulator.
    package func restore(_ partials: [Column], count: Int) throws(KernelError) {
        preconditionFailure("abstract")
    }
}

extension KernelError {
    static let foreignPartials = KernelError(
        .unsupported,
        "states of an aggregate do not have the form that they were written in"
    )
}

/// Any aggregate of bare nulls.
final class NullAccumulator: GroupedAccumulator {
    override func update(
        groups: UnsafePointer<UInt32>,
        groupCount: Int,
        column: Column,
        count: Int
    ) throws(KernelError) {}

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {}

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        .nulls(resultType, count: groupCount)
    }

    override var hasPartials: Bool { true }

    override func partials(groupCount: Int) throws(KernelError) -> [Column] { [] }

    override func restore(_ partials: [Column], count: Int) throws(KernelError) {}
}

/// Flags or bits of the groups that have a value, as validity.
///
/// When nobody wants it any more (`Interruption`) the rest of many groups is left null.
@inline(__always)
func validity(_ groupCount: Int, _ isValid: (Int) -> Bool) -> Bitmap? {
    let step = Interruption.rowCount
    if groupCount <= step { return normalized(buildBits(groupCount, isValid)) }
    let all = Buffer(zeroedByteCount: Bitmap.wordCount(groupCount) * 8)
    for start in stride(from: 0, to: groupCount, by: step) {
        if Interruption.isRaised { break }
        let part = buildBits(min(step, groupCount - start)) { isValid(start &+ $0) }
        (all.base + start / 8).copyMemory(from: part.words, byteCount: part.wordCount * 8)
        withExtendedLifetime(part) {}
    }
    return normalized(Bitmap(buffer: all, count: groupCount))
}
