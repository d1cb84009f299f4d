import Columnar

/// Tells windows how many rows of each partition a filter above them can want: `row_number() OVER (…) <= 3`.
///
/// The filter stays, so that a window may give more rows than that.
enum PartitionLimits {
    /// Above this most partitions are wanted whole.
    private static let countMax: Int64 = 10_000

    static func limit(_ plan: PhysicalPlan) -> PhysicalPlan {
        let plan = plan.mapInputs { limit($0) }
        guard case .filter(let condition, let output, .window(var window)) = plan,
            let limit = limit(of: window, condition)
        else { return plan }
        window.limit = limit
        return .filter(condition, output: output, .window(window))
    }

    private static func limit(
        of window: PhysicalPlan.Window,
        _ condition: BoundExpression
    ) -> PhysicalPlan.Window.Limit? {
        // What looks at rows behind its own needs them.
        let looksBackOnly = window.calls.allSatisfy { call in
            switch call.function {
            case .rowNumber, .rank, .denseRank: true
            default: false
            }
        }
        guard looksBackOnly else { return nil }
        let inputCount = window.input.types.count
        var best: PhysicalPlan.Window.Limit?
        for conjunct in condition.conjuncts {
            guard let (column, last) = largest(conjunct), column >= inputCount,
                window.calls.indices.contains(column - inputCount), last <= countMax
            else { continue }
            let keepsEqual: Bool
            switch window.calls[column - inputCount].function {
            case .rowNumber: keepsEqual = false
            // All rows that nothing orders are first.
            case .rank where !window.order.isEmpty: keepsEqual = true
            default: continue
            }
            // A filter that no row passes still needs an operator that keeps something.
            let count = Int(max(1, last))
            guard let known = best else {
                best = PhysicalPlan.Window.Limit(count: count, keepsEqual: keepsEqual)
                continue
            }
            if (count, keepsEqual ? 1 : 0) < (known.count, known.keepsEqual ? 1 : 0) {
                best = PhysicalPlan.Window.Limit(count: count, keepsEqual: keepsEqual)
            }
        }
        return best
    }

    /// The column that a condition compares, and the largest number that it may have.
    private static func largest(_ condition: BoundExpression) -> (column: Int, last: Int64)? {
        switch condition {
        case .located(let inner, _): return largest(inner)
        case .compare(let op, .column(let id, .int64), .constant(.int64(let number), _)):
            return last(op, number).map { (id.number, $0) }
        case .compare(let op, .constant(.int64(let number), _), .column(let id, .int64)):
            return last(op.swapped, number).map { (id.number, $0) }
        case .inSet(.column(let id, .int64), let values, isNegated: false):
            var last: Int64 = 0
            for value in values {
                switch value {
                case .int64(let number): last = max(last, number)
                case .null: break
                default: return nil
                }
            }
            return (id.number, last)
        default: return nil
        }
    }

    private static func last(_ op: ComparisonOperator, _ number: Int64) -> Int64? {
        switch op {
        case .equal, .lessOrEqual: number
        case .less: number == .min ? number : number - 1
        default: nil
        }
    }
}
