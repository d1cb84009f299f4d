package import Columnar

/// Names one column of a bound query, wherever in the plan it flows.
///
/// Unique within a statement.
package struct ColumnID: Sendable, Hashable, Comparable {
    package let number: Int

    package init(_ number: Int) {
        self.number = number
    }

    package static func < (a: ColumnID, b: ColumnID) -> Bool { a.number < b.number }
}

/// A comparison of two values of one type.
package enum ComparisonOperator: String, Sendable, Hashable {
    case equal = "="
    case notEqual = "<>"
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="

    /// The operator that gives the same answer with the operands swapped.
    package var swapped: ComparisonOperator {
        switch self {
        case .equal, .notEqual: self
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        }
    }

    /// The operator that is true where this one is false (of values that are not null).
    package var negated: ComparisonOperator {
        switch self {
        case .equal: .notEqual
        case .notEqual: .equal
        case .less: .greaterOrEqual
        case .lessOrEqual: .greater
        case .greater: .lessOrEqual
        case .greaterOrEqual: .less
        }
    }
}

/// Arithmetic on numbers, and on dates and times with intervals.
package enum ArithmeticOperator: String, Sendable, Hashable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    /// Of floating-point numbers.
    case divide = "/"
    /// Of integers, cut toward zero.
    case integerDivide = "//"
    case modulo = "%"
}

/// Which pattern language a pattern is in.
package enum PatternLanguage: Sendable, Hashable {
    case like(ignoringCase: Bool)
    /// A regular expression that must match somewhere, or everywhere when `isWhole`.
    case regularExpression(ignoringCase: Bool, isWhole: Bool)
    case glob
}

/// An expression whose names and types are known: every operand has the type its operator wants.
///
/// In a logical plan `column` holds the id that flows from below; in a physical plan the number is
/// the position in the batch.
package indirect enum BoundExpression: Sendable, Hashable {
    case column(ColumnID, DataType)
    case constant(Value, DataType)
    case compare(ComparisonOperator, BoundExpression, BoundExpression)
    case isDistinct(BoundExpression, BoundExpression, isNegated: Bool)
    case and([BoundExpression])
    case or([BoundExpression])
    case not(BoundExpression)
    case isNull(BoundExpression, isNegated: Bool)
    /// `IS [NOT] TRUE | FALSE` of a boolean.
    case isTruth(BoundExpression, Bool, isNegated: Bool)
    case arithmetic(ArithmeticOperator, BoundExpression, BoundExpression, DataType)
    case negate(BoundExpression)
    case cast(BoundExpression, DataType, isTry: Bool)
    /// The value of the first branch whose condition is true; null without one and `otherwise`.
    case conditional([Branch], otherwise: BoundExpression?, DataType)
    /// Whether a value is one of constants (of its own type; a null among them as SQL says).
    case inSet(BoundExpression, [Value], isNegated: Bool)
    case pattern(
        PatternLanguage,
        BoundExpression,
        pattern: BoundExpression,
        escape: UInt8?,
        isNegated: Bool
    )
    case call(ScalarFunction, [BoundExpression], DataType)
    /// A function of lists, structs, maps or JSON; what its lambdas capture comes last.
    case nested(NestedFunction, [BoundExpression], DataType)
    /// An expression that may fail, with where the statement has it.
    case located(BoundExpression, ExpressionOrigin)

    package struct Branch: Sendable, Hashable {
        package var condition: BoundExpression
        package var value: BoundExpression

        package init(condition: BoundExpression, value: BoundExpression) {
            self.condition = condition
            self.value = value
        }
    }

    package var type: DataType {
        switch self {
        case .column(_, let type), .constant(_, let type), .arithmetic(_, _, _, let type),
            .cast(_, let type, _), .conditional(_, _, let type), .call(_, _, let type),
            .nested(_, _, let type):
            type
        case .compare, .isDistinct, .and, .or, .not, .isNull, .isTruth, .inSet, .pattern:
            .boolean
        case .negate(let operand), .located(let operand, _): operand.type
        }
    }

    /// The direct operands, left to right.
    package var children: [BoundExpression] {
        switch self {
        case .column, .constant: []
        case .compare(_, let a, let b), .isDistinct(let a, let b, _),
            .arithmetic(_, let a, let b, _):
            [a, b]
        case .and(let all), .or(let all), .call(_, let all, _), .nested(_, let all, _): all
        case .not(let a), .isNull(let a, _), .isTruth(let a, _, _), .negate(let a),
            .cast(let a, _, _), .inSet(let a, _, _), .located(let a, _):
            [a]
        case .conditional(let branches, let otherwise, _):
            branches.flatMap { [$0.condition, $0.value] } + (otherwise.map { [$0] } ?? [])
        case .pattern(_, let a, let pattern, _, _): [a, pattern]
        }
    }

    /// The same node over other operands: `transform` is called with each of `children`, in order.
    package func mapChildren<E: Error>(
        _ transform: (BoundExpression) throws(E) -> BoundExpression
    ) throws(E) -> BoundExpression {
        switch self {
        case .column, .constant: return self
        case .compare(let op, let a, let b):
            return .compare(op, try transform(a), try transform(b))
        case .isDistinct(let a, let b, let isNegated):
            return .isDistinct(try transform(a), try transform(b), isNegated: isNegated)
        case .and(let all):
            var new: [BoundExpression] = []
            for one in all { new.append(try transform(one)) }
            return .and(new)
        case .or(let all):
            var new: [BoundExpression] = []
            for one in all { new.append(try transform(one)) }
            return .or(new)
        case .not(let a): return .not(try transform(a))
        case .isNull(let a, let isNegated): return .isNull(try transform(a), isNegated: isNegated)
        case .isTruth(let a, let value, let isNegated):
            return .isTruth(try transform(a), value, isNegated: isNegated)
        case .arithmetic(let op, let a, let b, let type):
            return .arithmetic(op, try transform(a), try transform(b), type)
        case .negate(let a): return .negate(try transform(a))
        case .cast(let a, let type, let isTry): return .cast(try transform(a), type, isTry: isTry)
        case .conditional(let branches, let otherwise, let type):
            var new: [Branch] = []
            for branch in branches {
                new.append(
                    Branch(
                        condition: try transform(branch.condition),
                        value: try transform(branch.value)
                    )
                )
            }
            var newOtherwise: BoundExpression?
            if let otherwise { newOtherwise = try transform(otherwise) }
            return .conditional(new, otherwise: newOtherwise, type)
        case .inSet(let a, let values, let isNegated):
            return .inSet(try transform(a), values, isNegated: isNegated)
        case .pattern(let language, let a, let pattern, let escape, let isNegated):
            return .pattern(
                language,
                try transform(a),
                pattern: try transform(pattern),
                escape: escape,
                isNegated: isNegated
            )
        case .call(let function, let all, let type):
            var new: [BoundExpression] = []
            for one in all { new.append(try transform(one)) }
            return .call(function, new, type)
        case .nested(let function, let all, let type):
            var new: [BoundExpression] = []
            for one in all { new.append(try transform(one)) }
            return .nested(function, new, type)
        case .located(let a, let origin):
            let inner = try transform(a)
            // A constant cannot fail any more.
            return inner.isConstant ? inner : .located(inner, origin)
        }
    }

    /// The expression without where it stands.
    package var unlocated: BoundExpression {
        if case .located(let inner, _) = self { return inner.unlocated }
        return self
    }

    /// The columns it reads.
    package var columnIDs: Set<ColumnID> {
        var found: Set<ColumnID> = []
        collectColumns(into: &found)
        return found
    }

    private func collectColumns(into found: inout Set<ColumnID>) {
        if case .column(let id, _) = self { found.insert(id) }
        for child in children { child.collectColumns(into: &found) }
    }

    /// The same expression with columns replaced where `replacements` has them.
    package func substituting(_ replacements: [ColumnID: BoundExpression]) -> BoundExpression {
        if case .column(let id, _) = self { return replacements[id] ?? self }
        return mapChildren { $0.substituting(replacements) }
    }

    package var isConstant: Bool {
        if case .constant = self { return true }
        return false
    }

    /// The parts of a conjunction, or the expression itself.
    package var conjuncts: [BoundExpression] {
        if case .and(let all) = self { return all.flatMap(\.conjuncts) }
        return [self]
    }

    /// The conjunction of all; nil for none.
    package static func conjunction(_ all: [BoundExpression]) -> BoundExpression? {
        all.count > 1 ? .and(all) : all.first
    }

    /// Whether it gives the same answer for the same row each time it runs.
    package var isDeterministic: Bool {
        if case .call(let function, _, _) = self, function.isVolatile { return false }
        if case .nested(let function, _, _) = self, !function.isDeterministic { return false }
        return children.allSatisfy(\.isDeterministic)
    }

    /// Whether evaluating it can fail for some row: such work is not moved before a filter.
    package var canFail: Bool {
        switch self {
        // Dividing by zero is an error for every type.
        case .arithmetic(let op, _, _, let type)
        where type.isFloating && op != .divide && op != .modulo:
            break
        case .arithmetic, .negate: return true
        case .cast(let operand, let type, let isTry):
            if !isTry && !CoercionRules.isLossless(from: operand.type, to: type) { return true }
        case .call(let function, _, _): if function.canFail { return true }
        case .nested(let function, _, _): if function.canFail { return true }
        default: break
        }
        return children.contains(where: \.canFail)
    }
}
