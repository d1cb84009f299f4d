import Columnar

/// Computes `sum(x + 1)`, `sum(x + 2)`, … of integers from one sum and one count: `sum(x) + 1 * count(x)`.
///
/// Only where it is known that no `x + c` overflows, for that is an error: from the bounds of the column, or because a
/// narrower column was widened. Sums are 128 bits wide, so that nothing else differs.
enum SumsOfOffsets {
    /// From this many sums of one column on it pays.
    private static let callCountMin = 3

    static func share(_ plan: PhysicalPlan) -> PhysicalPlan {
        let plan = plan.mapInputs { share($0) }
        guard case .aggregate(let groups, let calls, let input) = plan, groups.isEmpty else {
            return plan
        }
        let sums = calls.map { Sum($0, input) }
        var callCounts: [BoundExpression: Int] = [:]
        for case let sum? in sums { callCounts[sum.base, default: 0] += 1 }
        guard callCounts.values.contains(where: { $0 >= callCountMin }) else { return plan }
        var kept: [AggregateCall] = []
        func column(_ call: AggregateCall) -> BoundExpression {
            let place = kept.firstIndex(of: call) ?? kept.count
            if place == kept.count { kept.append(call) }
            return .column(ColumnID(place), call.type)
        }
        let output = zip(calls, sums).map { call, sum -> BoundExpression in
            guard let sum, callCounts[sum.base, default: 0] >= callCountMin else {
                return column(call)
            }
            var plain = call
            plain.argument = sum.base
            let total = column(plain)
            if sum.offset == 0 { return total }
            let digits = DataType.decimal(precision: 19, scale: 0)
            let count = column(AggregateCall(function: .count, argument: sum.base, type: .int64))
            return .arithmetic(
                .add,
                total,
                .arithmetic(
                    .multiply,
                    .cast(count, digits, isTry: false),
                    .constant(.decimal(Int128(sum.offset)), digits),
                    call.type
                ),
                call.type
            )
        }
        return .project(output, .aggregate(groups: groups, calls: kept, input))
    }

    /// A sum of an expression and a constant; of the expression alone when the constant is 0.
    private struct Sum {
        var base: BoundExpression
        var offset: Int64

        init?(_ call: AggregateCall, _ input: PhysicalPlan) {
            guard call.function == .sum, !call.isDistinct, call.filter == nil, call.order.isEmpty,
                call.others.isEmpty, call.type == .decimal(precision: 38, scale: 0),
                let argument = call.argument?.unlocated, argument.type.isInteger,
                argument.isDeterministic
            else { return nil }
            guard case .arithmetic(let op, let left, let right, let type) = argument else {
                (base, offset) = (argument, 0)
                return
            }
            let number: Int64
            switch (op, left.unlocated, right.unlocated) {
            case (.add, let operand, .constant(let value, _)),
                (.add, .constant(let value, _), let operand),
                (.subtract, let operand, .constant(let value, _)):
                guard let found = value.wholeNumber, found != .min else { return nil }
                (base, number) = (operand, op == .subtract ? -found : found)
            default: return nil
            }
            guard base.type == type, let range = Self.range(base, input) else { return nil }
            let (least, below) = range.lowerBound.addingReportingOverflow(number)
            let (greatest, above) = range.upperBound.addingReportingOverflow(number)
            if below || above { return nil }
            if type == .int32 {
                guard least >= Int64(Int32.min), greatest <= Int64(Int32.max) else { return nil }
            }
            offset = number
        }

        /// Between which numbers the values of an expression are.
        private static func range(
            _ expression: BoundExpression,
            _ input: PhysicalPlan
        ) -> ClosedRange<Int64>? {
            switch expression {
            case .cast(let inner, .int64, _) where inner.type == .int32:
                return Int64(Int32.min)...Int64(Int32.max)
            case .column(let id, let type):
                guard let bounds = input.bounds(ofColumn: id.number, type),
                    let lower = bounds.lower?.wholeNumber, let upper = bounds.upper?.wholeNumber,
                    lower <= upper
                else { return nil }
                return lower...upper
            default: return nil
            }
        }
    }
}

extension Value {
    /// An integer of either width.
    fileprivate var wholeNumber: Int64? {
        switch self {
        case .int32(let number): Int64(number)
        case .int64(let number): number
        default: nil
        }
    }
}

extension PhysicalPlan {
    /// What is known of the values of a column that comes unchanged from a table.
    fileprivate func bounds(ofColumn column: Int, _ type: DataType) -> ColumnBounds? {
        switch self {
        case .scan(let scan):
            let position = scan.positions[scan.output[column]]
            guard scan.table.schema[position].type == type else { return nil }
            return scan.table.bounds[position]
        case .filter(_, let output, let input):
            return input.bounds(ofColumn: output[column], type)
        case .project(let expressions, let input):
            guard case .column(let id, _) = expressions[column] else { return nil }
            return input.bounds(ofColumn: id.number, type)
        case .sort(_, _, let input), .limit(_, _, let input):
            return input.bounds(ofColumn: column, type)
        default: return nil
        }
    }
}
