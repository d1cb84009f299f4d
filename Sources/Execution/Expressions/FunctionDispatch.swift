import Columnar
import Kernels
import Planner

func applyArithmetic(
    _ op: Planner.ArithmeticOperator, _ a: Column, _ b: Column, result: DataType
) throws -> Column {
    try Arithmetic.apply(op.kernel, a, b, to: result)
}

extension Planner.ArithmeticOperator {
    var kernel: Kernels.ArithmeticOperator {
        switch self {
        case .add: .add
        case .subtract: .subtract
        case .multiply: .multiply
        case .divide: .divide
        case .integerDivide: .integerDivide
        case .modulo: .modulo
        }
    }
}

/// The value of an expression without columns.
package func evaluateConstant(_ expression: BoundExpression) throws -> Value {
    let none = Chunk(columns: [], rowCount: 1)
    return try ExpressionCompiler().compile(expression).evaluate(none).value(at: 0)
}

extension ExpressionCompiler {
    /// A call of a function whose operands are compiled.
    func compileCall(
        _ function: ScalarFunction, _ arguments: [BoundExpression], _ operands: [ExpressionNode],
        _ type: DataType
    ) throws -> ExpressionNode {
        if function == .regexpMatches || function == .regexpReplace || function == .regexpExtract {
            return try compileRegularExpression(function, arguments, operands, type)
        }
        guard let apply = Self.text(function) ?? Self.choice(function, type) else {
            throw ExecutionError(
                .unsupported, "function \(function.rawValue) is not supported yet")
        }
        return ApplyNode(type, operands) { columns, _ in try apply(columns) }
    }

    private typealias Apply = ([Column]) throws -> Column

    private static func text(_ function: ScalarFunction) -> Apply? {
        switch function {
        case .lower: { StringFunctions.lower($0[0]) }
        case .upper: { StringFunctions.upper($0[0]) }
        case .initcap: { StringFunctions.initcap($0[0]) }
        case .reverse: { StringFunctions.reverse($0[0]) }
        case .length: { StringFunctions.length($0[0]) }
        case .octetLength: { StringFunctions.octetLength($0[0]) }
        case .ascii: { try Casting.cast(StringFunctions.ascii($0[0]), to: .int32) }
        case .chr: { try StringFunctions.character($0[0]) }
        case .substring:
            { try StringFunctions.substring($0[0], from: $0[1], for: $0.count > 2 ? $0[2] : nil) }
        case .trim: { try trimmed($0, .both) }
        case .ltrim: { try trimmed($0, .leading) }
        case .rtrim: { try trimmed($0, .trailing) }
        case .replace: { try StringFunctions.replace($0[0], $0[1], with: $0[2]) }
        case .translate: { try StringFunctions.translate($0[0], from: $0[1], to: $0[2]) }
        case .left: { try StringFunctions.left($0[0], $0[1]) }
        case .right: { try StringFunctions.right($0[0], $0[1]) }
        case .lpad: { try padded($0, isLeft: true) }
        case .rpad: { try padded($0, isLeft: false) }
        case .position: { try StringFunctions.position($0[0], of: $0[1]) }
        case .startsWith: { try StringFunctions.startsWith($0[0], $0[1]) }
        case .endsWith: { try StringFunctions.endsWith($0[0], $0[1]) }
        case .contains: { try StringFunctions.contains($0[0], $0[1]) }
        case .repeated: { try StringFunctions.repeated($0[0], $0[1]) }
        case .splitPart:
            { try StringFunctions.splitPart($0[0], separator: $0[1], index: $0[2]) }
        case .concat:
            { columns in
                try columns.dropFirst().reduce(columns[0]) {
                    try StringFunctions.concatenate($0, $1)
                }
            }
        case .concatWS:
            { try StringFunctions.concatenate(Array($0.dropFirst()), separator: $0[0]) }
        default: nil
        }
    }

    private static func trimmed(_ columns: [Column], _ side: TrimSide) throws -> Column {
        try StringFunctions.trim(
            columns[0], characters: columns.count > 1 ? columns[1] : nil, side: side)
    }

    private static func padded(_ columns: [Column], isLeft: Bool) throws -> Column {
        try StringFunctions.pad(
            columns[0], to: columns[1], with: columns.count > 2 ? columns[2] : nil,
            isLeft: isLeft)
    }

    private static func choice(_ function: ScalarFunction, _ type: DataType) -> Apply? {
        switch function {
        case .coalesce: { Choice.coalesce($0) }
        case .nullif: { try Choice.nullIf($0[0], $0[1]) }
        case .greatest: { try extreme($0, .greater) }
        case .least: { try extreme($0, .less) }
        case .abs: { try Arithmetic.absolute($0[0]) }
        case .sign: { try Arithmetic.sign($0[0]) }
        case .isNaN: { NullTests.isNaN($0[0]) }
        case .isInfinite: { NullTests.isInfinite($0[0]) }
        case .isFinite: { NullTests.isFinite($0[0]) }
        default: nil
        }
    }

    /// The greatest or least of the values that are not null, as in PostgreSQL and DuckDB.
    private static func extreme(
        _ columns: [Column], _ op: Kernels.ComparisonOperator
    ) throws -> Column {
        try columns.dropFirst().reduce(columns[0]) { best, next in
            let wins = Logic.or(
                NullTests.isNull(best), NullTests.isTrue(try Comparison.compare(op, next, best)))
            let mask = Logic.and(wins, NullTests.isNotNull(next))
            return Choice.select(mask, next, best)
        }
    }

    private func compileRegularExpression(
        _ function: ScalarFunction, _ arguments: [BoundExpression], _ operands: [ExpressionNode],
        _ type: DataType
    ) throws -> ExpressionNode {
        func constantText(_ index: Int, _ what: String) throws -> String {
            guard arguments.count > index else { return "" }
            guard case .constant(.string(let text), _) = arguments[index] else {
                throw ExecutionError(
                    .unsupported, "\(what) of \(function.rawValue) must be a constant text")
            }
            return text
        }
        let pattern = try constantText(1, "the pattern")
        switch function {
        case .regexpMatches:
            let options = try constantText(2, "the options")
            let expression = try RegularExpression(pattern, options: options)
            return ApplyNode(type, [operands[0]]) { columns, _ in
                try expression.matches(columns[0])
            }
        case .regexpReplace:
            let replacement = try constantText(2, "the replacement")
            var options = try constantText(3, "the options")
            let isGlobal = options.contains("g")
            options.removeAll { $0 == "g" }
            let expression = try RegularExpression(pattern, options: options)
            return ApplyNode(type, [operands[0]]) { columns, _ in
                try expression.replace(columns[0], with: replacement, isGlobal: isGlobal)
            }
        default:
            var group = 0
            if arguments.count > 2 {
                guard case .constant(.int32(let number), _) = arguments[2] else {
                    throw ExecutionError(
                        .unsupported, "the group of regexp_extract must be a constant number")
                }
                group = Int(number)
            }
            let expression = try RegularExpression(pattern)
            return ApplyNode(type, [operands[0]]) { columns, _ in
                try expression.extract(columns[0], group: group)
            }
        }
    }
}
