import Columnar
import Kernels
import Planner

extension ExpressionCompiler {
    /// A function of JSON; its path is understood once when it is a constant.
    static func jsonFunction(
        _ function: JSONFunction,
        _ arguments: [BoundExpression],
        _ type: DataType
    ) throws -> ([Column], Int) throws -> Column {
        func ask(_ question: JSONText.Question) throws -> ([Column], Int) throws -> Column {
            guard arguments.count > 1 else {
                return { columns, _ in try JSONText.ask(question, columns[0], at: nil) }
            }
            if case .constant(.string(let text), _) = arguments[1] {
                let path = try JSONPath(text)
                return { columns, _ in try JSONText.ask(question, columns[0], at: path) }
            }
            return { columns, _ in try JSONText.ask(question, columns[0], at: columns[1]) }
        }
        let marked = function.jsonArguments
        let isStrict = function.isStrict
        switch function.kind {
        case .check: return try ask(.json)
        case .extract: return try ask(.json)
        case .extractString: return try ask(.string)
        case .value: return try ask(.scalar)
        case .exists: return try ask(.exists)
        case .type: return try ask(.type)
        case .arrayLength: return try ask(.arrayLength)
        case .keys: return try ask(.keys)
        case .structure: return try ask(.structure)
        case .pretty: return try ask(.pretty)
        case .valid: return { columns, _ in try JSONText.isValid(columns[0]) }
        case .cast: return { columns, _ in try JSONText.checked(columns[0], isTry: !isStrict) }
        case .contains: return { columns, _ in try JSONText.contains(columns[0], columns[1]) }
        case .mergePatch: return { columns, _ in try JSONText.merged(columns[0], columns[1]) }
        case .object: return { try JSONText.object($0, marked, count: $1) }
        case .array: return { try JSONText.array($0, marked, count: $1) }
        case .toJSON:
            return { columns, _ in try JSONText.make(columns[0], isJSON: marked.contains(0)) }
        case .groupObject:
            return { columns, _ in
                try JSONText.object(
                    keys: columns[0],
                    values: columns[1],
                    isJSON: marked.contains(1)
                )
            }
        case .fromJSON:
            return { columns, _ in try JSONText.read(columns[0], as: type, isStrict: isStrict) }
        }
    }
}
