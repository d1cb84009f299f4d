import Columnar

/// Rewrites expressions to simpler ones that give the same answer for every row.
struct Simplifier {
    let evaluate: (BoundExpression) throws -> Value

    func simplify(_ expression: BoundExpression) -> BoundExpression {
        let inner = expression.mapChildren { simplify($0) }
        switch inner {
        case .column, .constant: return inner
        case .and(let all): return conjunction(all)
        case .or(let all): return disjunction(all)
        case .not(let operand): return negation(operand)
        case .compare(let op, let a, let b): return comparison(op, a, b)
        case .conditional(let branches, let otherwise, let type):
            return conditional(branches, otherwise, type)
        case .nested(.field(let position), let operands, _):
            // Not while binding: a struct may be what is grouped by.
            if case .nested(.structure, let values, _)? = operands.first { return values[position] }
            return folded(inner)
        case .located: return inner
        default: return folded(inner)
        }
    }

    /// The value of an expression over constants; itself where evaluating it fails: the error
    /// belongs to the rows, of which there may be none.
    private func folded(_ expression: BoundExpression) -> BoundExpression {
        guard expression.children.allSatisfy(\.isConstant), expression.isDeterministic,
            !expression.type.isNested, let value = try? evaluate(expression)
        else { return expression }
        return .constant(value, expression.type)
    }

    private func conjunction(_ all: [BoundExpression]) -> BoundExpression {
        var parts: [BoundExpression] = []
        for part in all.flatMap(\.conjuncts) {
            if case .constant(.boolean(true), _) = part { continue }
            if case .constant(.boolean(false), _) = part { return part }
            if !parts.contains(part) { parts.append(part) }
        }
        return BoundExpression.conjunction(parts) ?? .constant(.boolean(true), .boolean)
    }

    private func disjunction(_ all: [BoundExpression]) -> BoundExpression {
        var parts: [BoundExpression] = []
        for part in all {
            let inner: [BoundExpression]
            if case .or(let nested) = part { inner = nested } else { inner = [part] }
            for one in inner {
                if case .constant(.boolean(false), _) = one { continue }
                if case .constant(.boolean(true), _) = one { return one }
                if !parts.contains(one) { parts.append(one) }
            }
        }
        guard parts.count > 1 else {
            return parts.first ?? .constant(.boolean(false), .boolean)
        }
        // (a AND x) OR (a AND y) is a AND (x OR y): the common part can be pushed down.
        let first = parts[0].conjuncts
        let common = first.filter { one in parts.allSatisfy { $0.conjuncts.contains(one) } }
        guard !common.isEmpty else { return .or(parts) }
        let rests = parts.map { part in
            BoundExpression.conjunction(part.conjuncts.filter { !common.contains($0) })
        }
        let known = rests.compactMap { $0 }
        guard known.count == rests.count else { return conjunction(common) }
        return conjunction(common + [disjunction(known)])
    }

    private func negation(_ operand: BoundExpression) -> BoundExpression {
        switch operand {
        case .not(let inner): return inner
        case .compare(let op, let a, let b): return .compare(op.negated, a, b)
        case .isNull(let a, let isNegated): return .isNull(a, isNegated: !isNegated)
        case .isTruth(let a, let value, let isNegated):
            return .isTruth(a, value, isNegated: !isNegated)
        case .isDistinct(let a, let b, let isNegated):
            return .isDistinct(a, b, isNegated: !isNegated)
        case .inSet(let a, let values, let isNegated):
            return .inSet(a, values, isNegated: !isNegated)
        case .pattern(let language, let a, let pattern, let escape, let isNegated):
            return .pattern(
                language,
                a,
                pattern: pattern,
                escape: escape,
                isNegated: !isNegated
            )
        case .and(let all): return disjunction(all.map { negation($0) })
        case .or(let all): return conjunction(all.map { negation($0) })
        default: return folded(.not(operand))
        }
    }

    private func comparison(
        _ op: ComparisonOperator,
        _ a: BoundExpression,
        _ b: BoundExpression
    ) -> BoundExpression {
        if a.isConstant && b.isConstant { return folded(.compare(op, a, b)) }
        // The constant stands on the right, where pruning and kernels look for it.
        if a.isConstant { return comparison(op.swapped, b, a) }
        guard case .constant(let value, let type) = b else { return .compare(op, a, b) }
        if value.isNull { return .constant(.null, .boolean) }
        if let unwrapped = withoutCast(op, a, value, type) { return unwrapped }
        return .compare(op, a, b)
    }

    /// `CAST(column AS wider) op constant` as `column op narrower constant`, so that the column is
    /// compared as it is stored; nil where that would change the answer.
    private func withoutCast(
        _ op: ComparisonOperator,
        _ a: BoundExpression,
        _ value: Value,
        _ type: DataType
    ) -> BoundExpression? {
        guard case .cast(let inner, _, isTry: false) = a.unlocated else { return nil }
        switch (inner.type, value) {
        case (.date, .timestamp(let micros)):
            let day: Int64 = 86_400_000_000
            let days = micros >= 0 ? micros / day : (micros - day + 1) / day
            guard let date = Int32(exactly: days) else { return nil }
            let isMidnight = days * day == micros
            let constant = BoundExpression.constant(.date(date), .date)
            switch op {
            case .equal, .notEqual: return isMidnight ? .compare(op, inner, constant) : nil
            // A date is before some time of a day when it is that day's midnight or earlier.
            case .less: return .compare(isMidnight ? .less : .lessOrEqual, inner, constant)
            case .lessOrEqual: return .compare(.lessOrEqual, inner, constant)
            case .greater: return .compare(.greater, inner, constant)
            case .greaterOrEqual:
                return .compare(isMidnight ? .greaterOrEqual : .greater, inner, constant)
            }
        case (.int32, .int64(let number)):
            guard let narrow = Int32(exactly: number) else { return nil }
            return .compare(op, inner, .constant(.int32(narrow), .int32))
        case (.int32, .decimal(let digits)), (.int64, .decimal(let digits)):
            guard case .decimal(_, let scale) = type,
                let whole = wholeNumber(digits, scale: scale)
            else { return nil }
            if inner.type == .int32 {
                guard let narrow = Int32(exactly: whole) else { return nil }
                return .compare(op, inner, .constant(.int32(narrow), .int32))
            }
            guard let narrow = Int64(exactly: whole) else { return nil }
            return .compare(op, inner, .constant(.int64(narrow), .int64))
        case (.decimal(let precision, let innerScale), .decimal(let digits)):
            guard case .decimal(_, let scale) = type, scale >= innerScale,
                let narrow = wholeNumber(digits, scale: scale - innerScale),
                String(narrow.magnitude).count <= precision
            else { return nil }
            return .compare(op, inner, .constant(.decimal(narrow), inner.type))
        default: return nil
        }
    }

    private func wholeNumber(_ digits: Int128, scale: Int) -> Int128? {
        var rest = digits
        for _ in 0..<scale {
            guard rest % 10 == 0 else { return nil }
            rest /= 10
        }
        return rest
    }

    private func conditional(
        _ branches: [BoundExpression.Branch],
        _ otherwise: BoundExpression?,
        _ type: DataType
    ) -> BoundExpression {
        var kept: [BoundExpression.Branch] = []
        for branch in branches {
            switch branch.condition {
            case .constant(.boolean(true), _):
                if kept.isEmpty { return branch.value }
                return .conditional(kept, otherwise: branch.value, type)
            case .constant(.boolean(false), _), .constant(.null, _): continue
            default: kept.append(branch)
            }
        }
        if kept.isEmpty { return otherwise ?? .constant(.null, type) }
        return .conditional(kept, otherwise: otherwise, type)
    }
}
