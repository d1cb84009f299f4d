import Columnar
import SQL

/// ASOF joins: for each row of the left the nearest one of the right.
extension Binder {
    /// Both sides together, ordered by the key that need not be equal: each left row then finds the
    /// last right row before it in the partition of its other keys.
    mutating func asOf(
        _ left: LogicalPlan,
        _ right: LogicalPlan,
        _ conditions: [BoundExpression],
        _ join: SQL.Join
    ) throws -> LogicalPlan {
        let leftIDs = Set(left.columns.map(\.id))
        let rightIDs = Set(right.columns.map(\.id))
        var keys: [(left: BoundExpression, right: BoundExpression)] = []
        var nearest: (op: ComparisonOperator, left: BoundExpression, right: BoundExpression)?
        for condition in conditions {
            guard case .compare(let op, let a, let b) = condition else {
                throw PlanError(
                    .unsupported,
                    "an ASOF join takes equalities and one inequality",
                    at: join.span
                )
            }
            let sides: (op: ComparisonOperator, left: BoundExpression, right: BoundExpression)
            if a.columnIDs.isSubset(of: leftIDs), b.columnIDs.isSubset(of: rightIDs) {
                sides = (op, a, b)
            } else if b.columnIDs.isSubset(of: leftIDs), a.columnIDs.isSubset(of: rightIDs) {
                sides = (op.swapped, b, a)
            } else {
                throw PlanError(
                    .unsupported,
                    "each condition of an ASOF join compares the left with the right",
                    at: join.span
                )
            }
            switch sides.op {
            case .equal: keys.append((sides.left, sides.right))
            case .notEqual:
                throw PlanError(.invalid, "an ASOF join cannot use <>", at: join.span)
            default:
                guard nearest == nil else {
                    throw PlanError(
                        .invalid,
                        "an ASOF join takes one inequality only",
                        at: join.span
                    )
                }
                nearest = sides
            }
        }
        guard let nearest else {
            throw PlanError(.invalid, "an ASOF join needs an inequality", at: join.span)
        }
        let isAfter = nearest.op == .greater || nearest.op == .greaterOrEqual
        let isStrict = nearest.op == .greater || nearest.op == .less
        // Of rows with the same key those of the right come first where they match.
        let side = newColumn("side", .int32, isNullable: false)
        let marker = newColumn("marker", .int32)
        let place = newColumn("key", nearest.left.type)
        let partition = keys.map { newColumn("key", $0.left.type) }
        let leftCopies = left.columns.map { newColumn($0.name, $0.type) }
        let rightCopies = right.columns.map { newColumn($0.name, $0.type) }
        let all = partition + [place, side, marker] + leftCopies + rightCopies
        func number(_ value: Int32) -> BoundExpression { .constant(.int32(value), .int32) }
        func rows(_ values: [BoundExpression], _ input: LogicalPlan) -> LogicalPlan {
            .project(
                zip(values, all).map {
                    LogicalPlan.Projection($0, newColumn($1.name, $1.type))
                },
                input
            )
        }
        let leftRows = rows(
            keys.map(\.left) + [nearest.left, number(isStrict ? 0 : 1)]
                + [.constant(.null, .int32)] + left.columns.map(\.reference)
                + right.columns.map { .constant(.null, $0.type) },
            left
        )
        let known = (keys.map(\.right) + [nearest.right]).map {
            BoundExpression.isNull($0, isNegated: true)
        }
        let rightRows = rows(
            keys.map(\.right) + [nearest.right, number(isStrict ? 1 : 0), number(1)]
                + left.columns.map { .constant(.null, $0.type) } + right.columns.map(\.reference),
            .filter(.and(known + [.constant(.boolean(true), .boolean)]), right)
        )
        let both = LogicalPlan.setOperation(
            LogicalPlan.SetOperation(
                kind: .union,
                isAll: true,
                inputs: [leftRows, rightRows],
                columns: all
            )
        )
        let frame = Planner.WindowFrame(
            unit: .rows,
            start: .unboundedPreceding,
            end: .currentRow
        )
        func last(_ value: PlanColumn) -> (call: WindowCall, column: PlanColumn) {
            (
                WindowCall(
                    function: .lastMarked,
                    arguments: [value.reference, marker.reference],
                    frame: frame,
                    type: value.type
                ), newColumn(value.name, value.type)
            )
        }
        let found = last(marker)
        let values = rightCopies.map { last($0) }
        let window = LogicalPlan.window(
            LogicalPlan.Window(
                partition: partition.map(\.reference),
                order: [
                    SortKey(
                        expression: place.reference,
                        isDescending: !isAfter,
                        nullsFirst: false
                    ),
                    SortKey(
                        expression: side.reference,
                        isDescending: false,
                        nullsFirst: false
                    ),
                ],
                calls: [found] + values,
                input: both
            )
        )
        // A row without a key is nowhere near.
        let isPlaced = BoundExpression.isNull(place.reference, isNegated: true)
        var kept: [BoundExpression] = [.isNull(marker.reference, isNegated: false)]
        if join.kind == .asof {
            kept += [isPlaced, .isNull(found.column.reference, isNegated: true)]
        }
        return .project(
            zip(left.columns, leftCopies).map { LogicalPlan.Projection($1.reference, $0) }
                + zip(right.columns, values).map { column, value in
                    var shown = column
                    shown.isNullable = true
                    return LogicalPlan.Projection(
                        .conditional(
                            [
                                BoundExpression.Branch(
                                    condition: isPlaced,
                                    value: value.column.reference
                                )
                            ],
                            otherwise: nil,
                            column.type
                        ),
                        shown
                    )
                },
            .filter(.and(kept + [.constant(.boolean(true), .boolean)]), window)
        )
    }
}
