import Columnar

/// Guesses how many rows operators give, from exact row counts and bounds of the tables below.
///
/// Only choices of order depend on it, never an answer.
struct Cardinality {
    /// What is known of the table a column comes from.
    struct Origin {
        var rowCount: Double
        var bounds: ColumnBounds?
        var type: DataType
    }

    private(set) var origins: [ColumnID: Origin] = [:]

    init(_ plan: LogicalPlan) {
        collect(plan)
    }

    private mutating func collect(_ plan: LogicalPlan) {
        for input in plan.inputs { collect(input) }
        switch plan {
        case .scan(let scan):
            for (position, column) in scan.columns {
                origins[column.id] = Origin(
                    rowCount: Double(scan.table.rowCount ?? 100_000),
                    bounds: scan.table.bounds[position],
                    type: column.type
                )
            }
        case .project(let projections, _):
            for projection in projections {
                if case .column(let id, _) = projection.expression {
                    origins[projection.column.id] = origins[id]
                }
            }
        case .aggregate(let aggregate):
            for group in aggregate.groups {
                if case .column(let id, _) = group.expression {
                    origins[group.column.id] = origins[id]
                }
            }
        default: break
        }
    }

    /// How many different values a column may have.
    func distinctCount(_ id: ColumnID) -> Double? {
        guard let origin = origins[id] else { return nil }
        if let bounds = origin.bounds, let low = bounds.lower?.magnitude,
            let high = bounds.upper?.magnitude, origin.type.physical != .view,
            !origin.type.isFloating
        {
            return max(1, min(origin.rowCount, high - low + 1))
        }
        return max(1, origin.rowCount)
    }

    func rows(_ plan: LogicalPlan) -> Double {
        switch plan {
        case .scan(let scan):
            let all = Double(scan.table.rowCount ?? 100_000)
            return max(1, scan.filters.reduce(all) { $0 * selectivity($1) })
        case .values(let values): return Double(values.rows.count)
        case .filter(let condition, let input):
            return max(1, rows(input) * selectivity(condition))
        case .project(_, let input): return rows(input)
        case .window(let window): return rows(window.input)
        case .unnest(let unnest): return rows(unnest.input) * 4
        case .aggregate(let aggregate):
            if aggregate.groups.isEmpty { return 1 }
            let input = rows(aggregate.input)
            let groups = aggregate.groups.reduce(1.0) { product, group in
                if case .column(let id, _) = group.expression {
                    return product * (distinctCount(id) ?? 100)
                }
                return product * 100
            }
            return max(1, min(input, groups))
        case .join(let join):
            let (left, right) = (rows(join.left), rows(join.right))
            switch join.kind {
            case .semi, .anti: return max(1, left / 2)
            case .mark, .single: return left
            case .cross: return left * right
            case .inner: return joined(left, right, join.conditions)
            case .left: return max(left, joined(left, right, join.conditions))
            case .right: return max(right, joined(left, right, join.conditions))
            case .full: return left + right
            }
        case .sort(_, let limit, let input): return min(rows(input), Double(limit ?? Int.max))
        case .limit(let count, _, let input): return min(rows(input), Double(count ?? Int.max))
        case .setOperation(let operation):
            return operation.inputs.reduce(0) { $0 + rows($1) }
        case .recursion(let recursion): return 10 * rows(recursion.anchor)
        case .workingTable: return 1000
        case .materialized(let common): return rows(common.input)
        case .numbering(let numbering): return rows(numbering.input)
        }
    }

    /// Rows of an inner join by these conditions.
    ///
    /// The keys of one side are taken to be among those of the other, and to have lost none to filters
    /// on other columns: |L| |R| / max(V(L), V(R)), where V counts different keys in the tables below.
    func joined(_ left: Double, _ right: Double, _ conditions: [BoundExpression]) -> Double {
        var result = left * right
        var keyCount = 1.0
        var keyCountMax = Double.infinity
        for condition in conditions {
            guard case .compare(.equal, .column(let a, _), .column(let b, _)) = condition else {
                result *= 0.3
                continue
            }
            let (ofA, ofB) = (distinctCount(a), distinctCount(b))
            keyCount *= max(ofA ?? 1, ofB ?? 1, ofA == nil && ofB == nil ? min(left, right) : 1)
            // Several columns together have no more keys than the smaller table has rows.
            let rows = min(
                origins[a]?.rowCount ?? .infinity,
                origins[b]?.rowCount ?? .infinity
            )
            keyCountMax = min(keyCountMax, max(rows, ofA ?? 1, ofB ?? 1))
        }
        return max(1, result / max(1, min(keyCount, keyCountMax)))
    }

    func selectivity(_ condition: BoundExpression) -> Double {
        switch condition {
        case .constant(.boolean(let value), _): return value ? 1 : 0
        case .and(let all): return all.reduce(1) { $0 * selectivity($1) }
        case .or(let all): return min(1, all.reduce(0) { $0 + selectivity($1) })
        case .not(let inner): return 1 - selectivity(inner)
        case .compare(let op, .column(let id, _), .constant(let value, _)):
            return compared(op, id, value)
        case .compare(.equal, _, _): return 0.1
        case .compare(.notEqual, _, _): return 0.9
        case .compare: return 0.3
        case .inSet(.column(let id, _), let values, let isNegated):
            let share = min(1, Double(values.count) * compared(.equal, id, nil))
            return isNegated ? 1 - share : share
        case .isNull(_, let isNegated): return isNegated ? 0.9 : 0.1
        case .pattern(_, _, _, _, let isNegated): return isNegated ? 0.9 : 0.1
        default: return 0.3
        }
    }

    private func compared(_ op: ComparisonOperator, _ id: ColumnID, _ value: Value?) -> Double {
        let isText = origins[id]?.type.physical == .view
        let equal = isText ? 0.05 : 1 / (distinctCount(id) ?? 20)
        switch op {
        case .equal: return max(equal, 1e-9)
        case .notEqual: return 1 - equal
        default: break
        }
        guard let bounds = origins[id]?.bounds, let low = bounds.lower?.magnitude,
            let high = bounds.upper?.magnitude, let at = value?.magnitude, high > low
        else { return 0.3 }
        let below = min(1, max(0, (at - low) / (high - low)))
        return max(1e-6, op == .less || op == .lessOrEqual ? below : 1 - below)
    }
}

extension Value {
    /// A number on a line, for guesses; nil for what has none.
    var magnitude: Double? {
        switch self {
        case .int32(let value), .date(let value): Double(value)
        case .int64(let value), .time(let value), .timestamp(let value), .timestamptz(let value):
            Double(value)
        case .float32(let value): Double(value)
        case .float64(let value): value
        case .decimal(let value): Double(value)
        default: nil
        }
    }
}
