import Columnar
import Kernels
import Planner

/// A pattern made ready to match columns of text.
struct Matcher {
    init(_ language: PatternLanguage, _ pattern: String, _ escape: UInt8?) throws {
        throw ExecutionError(.unsupported, "patterns")
    }

    func matches(_ column: Column) throws -> Column { column }
}

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

extension ExpressionCompiler {
    func compileCall(
        _ function: ScalarFunction, _ arguments: [BoundExpression], _ operands: [ExpressionNode],
        _ type: DataType
    ) throws -> ExpressionNode {
        throw ExecutionError(.unsupported, "function \(function.rawValue)")
    }
}

/// The value of an expression without columns.
package func evaluateConstant(_ expression: BoundExpression) throws -> Value {
    let none = Chunk(columns: [], rowCount: 1)
    return try ExpressionCompiler().compile(expression).evaluate(none).value(at: 0)
}
