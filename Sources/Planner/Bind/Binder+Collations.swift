import Columnar
import SQL

// A collation belongs to columns, and to what COLLATE stands behind. Where texts are compared, grouped or ordered,
// they are replaced by keys that are equal where the texts are to be: `lower(x)` for NOCASE. What comes out of a
// group is its first text. Statements without collations pay nothing: `usesCollations` is false.

extension Binder {
    /// `operand COLLATE name`.
    mutating func bindCollate(
        _ operand: BoundExpression,
        _ name: ObjectName,
        at span: SourceSpan
    ) throws -> BoundExpression {
        guard let collation = Collation(name.map(\.name)) else {
            throw Self.unknownCollation(name)
        }
        guard operand.type == .string || operand.type == .null else {
            throw PlanError(
                .invalid,
                "COLLATE is for text, this is \(operand.type)",
                at: span
            )
        }
        usesCollations = true
        let text = try coerce(unmarked(operand), to: .string, at: span)
        // Of one value coalesce is the value: something to hang the collation on.
        let marked = BoundExpression.call(.coalesce, [text], .string)
        collationMarks[marked] = collation
        return marked
    }

    static func unknownCollation(_ name: ObjectName) -> PlanError {
        PlanError(
            .invalid,
            "collation \(name.map(\.name).joined(separator: ".")) does not exist",
            hint: "There are NOCASE, NOACCENT, NOCASE.NOACCENT and BINARY.",
            at: name.span
        )
    }

    /// The collation of a value; nil where there is none, or by bytes.
    func collation(of expression: BoundExpression) -> Collation? {
        guard usesCollations, let found = writtenCollation(of: expression), !found.isBinary else {
            return nil
        }
        return found
    }

    private func writtenCollation(of expression: BoundExpression) -> Collation? {
        guard expression.type == .string else { return nil }
        if let marked = collationMarks[expression] { return marked }
        switch expression {
        case .column(let id, _): return collations[id]
        case .cast(let inner, _, _): return writtenCollation(of: inner)
        default: return nil
        }
    }

    /// The value without what only carries its collation.
    private func unmarked(_ expression: BoundExpression) -> BoundExpression {
        if collationMarks[expression] != nil, case .call(.coalesce, let values, _) = expression,
            let value = values.first
        {
            return value
        }
        return expression
    }

    /// What is equal where two texts of a collation are equal, and ordered as they are.
    func key(_ expression: BoundExpression, _ collation: Collation?) -> BoundExpression {
        guard let collation, expression.type == .string else { return expression }
        var key = unmarked(expression)
        if collation.ignoresCase { key = .call(.lower, [key], .string) }
        if collation.ignoresAccents { key = .call(.stripAccents, [key], .string) }
        return key
    }

    /// What stands for a value where values are told apart or put in order.
    func collated(_ expression: BoundExpression) -> BoundExpression {
        usesCollations ? key(expression, collation(of: expression)) : expression
    }

    /// What stands for two values that are compared.
    ///
    /// - Throws: `invalid` when they have different collations and neither is written with COLLATE.
    func collated(
        _ a: BoundExpression,
        _ b: BoundExpression,
        at span: SourceSpan
    ) throws -> (BoundExpression, BoundExpression) {
        guard usesCollations, a.type == .string, b.type == .string else { return (a, b) }
        let common = try commonCollation(a, b, at: span)
        return (key(a, common), key(b, common))
    }

    /// The collation by which two values are compared; nil for their bytes.
    func commonCollation(
        _ a: BoundExpression,
        _ b: BoundExpression,
        at span: SourceSpan
    ) throws -> Collation? {
        guard usesCollations else { return nil }
        let (left, right) = (writtenCollation(of: a), writtenCollation(of: b))
        let (isLeftMarked, isRightMarked) = (
            collationMarks[a] != nil, collationMarks[b] != nil
        )
        var chosen = left ?? right
        if let left, let right, left != right {
            guard isLeftMarked != isRightMarked else {
                throw PlanError(
                    .invalid,
                    "texts of the collations \(left.name) and \(right.name) cannot be compared",
                    hint: "Write COLLATE behind one of them.",
                    at: span
                )
            }
            chosen = isLeftMarked ? left : right
        }
        guard let chosen, !chosen.isBinary else { return nil }
        return chosen
    }

    // MARK: Columns

    /// Takes in which columns of a plan have collations.
    mutating func noteCollations(_ plan: LogicalPlan) {
        guard usesCollations else { return }
        func copy(_ from: [PlanColumn], _ to: [PlanColumn]) {
            for (source, target) in zip(from, to) where collations[target.id] == nil {
                if let found = collations[source.id] { collations[target.id] = found }
            }
        }
        for input in plan.inputs { noteCollations(input) }
        switch plan {
        case .scan(let scan):
            for (position, column) in scan.columns {
                if let found = scan.table.collations[position] { collations[column.id] = found }
            }
        case .project(let projections, _): note(projections)
        case .aggregate(let aggregate):
            note(aggregate.groups)
            for (call, column) in aggregate.calls {
                switch call.function {
                case .first, .last, .anyValue, .min, .max, .mode:
                    if let found = call.argument.flatMap({ writtenCollation(of: $0) }) {
                        collations[column.id] = found
                    }
                default: break
                }
            }
        case .setOperation(let operation):
            for input in operation.inputs { copy(input.columns, operation.columns) }
        case .materialized(let common): copy(common.input.columns, common.columns)
        case .recursion(let recursion): copy(recursion.anchor.columns, recursion.columns)
        default: break
        }
    }

    mutating func note(_ projections: [LogicalPlan.Projection]) {
        guard usesCollations else { return }
        for projection in projections {
            if let found = writtenCollation(of: projection.expression) {
                collations[projection.column.id] = found
            }
        }
    }

    // MARK: Groups

    /// Groups by keys instead of texts: each text is then the first of its group.
    mutating func byKeys(
        _ groups: [LogicalPlan.Projection]
    ) -> (groups: [LogicalPlan.Projection], calls: [(call: AggregateCall, column: PlanColumn)]) {
        guard usesCollations else { return (groups, []) }
        var keyed = groups
        var calls: [(call: AggregateCall, column: PlanColumn)] = []
        for (index, group) in groups.enumerated() {
            guard let found = collation(of: group.expression) else { continue }
            let value = key(group.expression, found)
            keyed[index] = LogicalPlan.Projection(value, newColumn("key", .string))
            let first = AggregateCall(
                function: .first,
                argument: unmarked(group.expression),
                type: .string
            )
            calls.append((first, group.column))
            collations[group.column.id] = found
        }
        return (keyed, calls)
    }

    /// Each distinct row once, texts told apart by their collations; nil where no column has one.
    mutating func collatedDistinct(_ plan: LogicalPlan) -> LogicalPlan? {
        guard usesCollations else { return nil }
        noteCollations(plan)
        let columns = plan.columns
        guard columns.contains(where: { collation(of: $0.reference) != nil }) else { return nil }
        let plain = columns.map { column in
            var new = newColumn(column.name, column.type)
            new.isNullable = column.isNullable
            return LogicalPlan.Projection(column.reference, new)
        }
        let (groups, calls) = byKeys(plain)
        let aggregate = LogicalPlan.aggregate(
            LogicalPlan.Aggregate(groups: groups, calls: calls, input: plan)
        )
        return .project(
            plain.map { LogicalPlan.Projection($0.column.reference, $0.column) },
            aggregate
        )
    }

    /// EXCEPT or INTERSECT of texts with collations; nil where no column has one.
    mutating func collatedSetOperation(
        _ kind: LogicalPlan.SetOperation.Kind,
        isAll: Bool,
        _ left: LogicalPlan,
        _ right: LogicalPlan,
        at span: SourceSpan
    ) throws -> LogicalPlan? {
        guard usesCollations else { return nil }
        noteCollations(left)
        noteCollations(right)
        var common: [Collation?] = []
        for (a, b) in zip(left.columns, right.columns) {
            common.append(try commonCollation(a.reference, b.reference, at: span))
        }
        guard common.contains(where: { $0 != nil }) else { return nil }
        if isAll {
            throw PlanError(
                .unsupported,
                "\(kind.rawValue.uppercased()) ALL of texts with a collation is not supported",
                hint: "Leave ALL out, or write COLLATE BINARY.",
                at: span
            )
        }
        for (column, found) in zip(left.columns, common) {
            if let found { collations[column.id] = found }
        }
        let rows = collatedDistinct(left) ?? distinct(left)
        let conditions = zip(zip(rows.columns, right.columns), common).map {
            pair,
            found -> BoundExpression in
            .isDistinct(
                key(pair.0.reference, found),
                key(pair.1.reference, found),
                isNegated: true
            )
        }
        return .join(
            LogicalPlan.Join(
                kind: kind == .except ? .anti : .semi,
                left: rows,
                right: right,
                conditions: conditions
            )
        )
    }
}
