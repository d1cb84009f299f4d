import Columnar
import Kernels
import Planner

/// Makes expressions over positions ready to run.
struct ExpressionCompiler {
    func compile(_ expression: BoundExpression) throws -> ExpressionNode {
        let node = try compileNode(expression)
        // The largest part over a single column is done per dictionary entry.
        switch expression {
        case .column, .constant: return node
        default: break
        }
        // What fails must say where; a part of it may still be done per entry.
        let columns = expression.columnIDs
        guard columns.count == 1, let column = columns.first, expression.isDeterministic else {
            return node
        }
        return DictionaryNode(
            node,
            position: column.number,
            isStrict: expression.isStrict
        )
    }

    private func operands(_ expression: BoundExpression) throws -> [ExpressionNode] {
        // Inside a part over one column nothing more is gained by doing it per entry.
        let isInner = expression.columnIDs.count == 1
        return try expression.children.map { isInner ? try compileNode($0) : try compile($0) }
    }

    private func compileNode(_ expression: BoundExpression) throws -> ExpressionNode {
        let type = expression.type
        switch expression {
        case .column(let id, _): return ColumnNode(position: id.number, type: type)
        case .constant(let value, _): return ConstantNode(value, type)
        case .compare(let op, _, _):
            let kernel = op.kernel
            return ApplyNode(type, try operands(expression)) { columns, _ in
                try Comparison.compare(kernel, columns[0], columns[1])
            }
        case .isDistinct(_, _, let isNegated):
            return ApplyNode(type, try operands(expression)) { columns, _ in
                try Comparison.compare(
                    isNegated ? .notDistinct : .distinct,
                    columns[0],
                    columns[1]
                )
            }
        case .and(let all), .or(let all):
            var isAnd = false
            if case .and = expression { isAnd = true }
            let parts = try operands(expression)
            if all.dropFirst().contains(where: \.canFail) {
                return GuardedLogicNode(parts, isAnd: isAnd)
            }
            return ApplyNode(type, parts) { columns, _ in
                columns.dropFirst().reduce(columns[0]) {
                    isAnd ? Logic.and($0, $1) : Logic.or($0, $1)
                }
            }
        case .not:
            return ApplyNode(type, try operands(expression)) { columns, _ in
                Logic.not(columns[0])
            }
        case .isNull(_, let isNegated):
            return ApplyNode(type, try operands(expression)) { columns, _ in
                isNegated ? NullTests.isNotNull(columns[0]) : NullTests.isNull(columns[0])
            }
        case .isTruth(_, let value, let isNegated):
            return ApplyNode(type, try operands(expression)) { columns, _ in
                let test =
                    value ? NullTests.isTrue(columns[0]) : NullTests.isFalse(columns[0])
                return isNegated ? Logic.not(test) : test
            }
        case .arithmetic(let op, _, _, _):
            return ApplyNode(type, try operands(expression)) { columns, _ in
                try applyArithmetic(op, columns[0], columns[1], result: type)
            }
        case .negate:
            return ApplyNode(type, try operands(expression)) { columns, _ in
                guard columns[0].type == .interval else { return try Arithmetic.negate(columns[0]) }
                let none = Column.constant(
                    .interval(Interval()),
                    .interval,
                    count: columns[0].count
                )
                return try Temporal.combine(none, columns[0], isSubtraction: true)
            }
        case .cast(_, _, let isTry):
            return ApplyNode(type, try operands(expression)) { columns, _ in
                try Casting.cast(columns[0], to: type, isTry: isTry)
            }
        case .conditional(let branches, let otherwise, _):
            let isHarmless = !expression.children.contains(where: \.canFail)
            return ConditionalNode(
                try branches.map { (try compile($0.condition), try compile($0.value)) },
                otherwise: try otherwise.map { try compile($0) },
                type: type,
                isHarmless: isHarmless
            )
        case .inSet(let operand, let values, let isNegated):
            let set = InSet(Column(operand.type, values))
            return ApplyNode(type, try operands(expression)) { columns, _ in
                let found = try set.contains(columns[0])
                return isNegated ? Logic.not(found) : found
            }
        case .pattern: return try compilePattern(expression)
        case .call(let function, let arguments, _):
            return try compileCall(function, arguments, try operands(expression), type)
        case .nested(let function, let arguments, _):
            return try compileNested(function, arguments, try operands(expression), type)
        case .located(let inner, let origin):
            return LocatedNode(try compileNode(inner), origin)
        }
    }

    private func compilePattern(_ expression: BoundExpression) throws -> ExpressionNode {
        guard case .pattern(let language, _, let pattern, let escape, let isNegated) = expression
        else { preconditionFailure("not a pattern") }
        let parts = try operands(expression)
        if case .constant(let value, _) = pattern {
            guard case .string(let text) = value else {
                return ApplyNode(.boolean, [parts[0]]) { _, count in
                    .nulls(.boolean, count: count)
                }
            }
            let matcher = try Matcher(language, text, escape)
            return ApplyNode(.boolean, [parts[0]]) { columns, _ in
                let found = try matcher.matches(columns[0])
                return isNegated ? Logic.not(found) : found
            }
        }
        // A pattern that differs by row is compiled once for each different one.
        return ApplyNode(.boolean, parts) { columns, count in
            var matchers: [String: Matcher] = [:]
            var result: [Value] = []
            result.reserveCapacity(count)
            for row in 0..<count {
                guard case .string(let text) = columns[1].value(at: row) else {
                    result.append(.null)
                    continue
                }
                let matcher = try matchers[text] ?? Matcher(language, text, escape)
                matchers[text] = matcher
                result.append(try matcher.matches(columns[0].slice(row..<row + 1)).value(at: 0))
            }
            let found = Column(.boolean, result)
            return isNegated ? Logic.not(found) : found
        }
    }
}

extension Planner.ComparisonOperator {
    var kernel: Kernels.ComparisonOperator {
        switch self {
        case .equal: .equal
        case .notEqual: .notEqual
        case .less: .less
        case .lessOrEqual: .lessOrEqual
        case .greater: .greater
        case .greaterOrEqual: .greaterOrEqual
        }
    }
}

extension BoundExpression {
    /// Whether a null operand always gives null.
    fileprivate var isStrict: Bool {
        switch self {
        case .column, .constant: return true
        case .isDistinct, .isNull, .isTruth, .and, .or, .conditional: return false
        case .call(let function, _, _):
            switch function {
            case .coalesce, .nullif, .greatest, .least, .concatWS, .hash, .try: return false
            default: break
            }
        case .nested: return false
        default: break
        }
        return children.allSatisfy(\.isStrict)
    }
}
