import Ambient
package import Columnar
import Kernels
package import Planner

func applyArithmetic(
    _ op: Planner.ArithmeticOperator,
    _ a: Column,
    _ b: Column,
    result: DataType
) throws -> Column {
    if a.type.isNumeric && b.type.isNumeric {
        return try Arithmetic.apply(op.kernel, a, b, to: result)
    }
    let isSubtraction = op == .subtract
    switch (a.type, b.type) {
    case (.date, .int32):
        return try Temporal.addDays(a, b, isSubtraction: isSubtraction)
    case (.interval, .interval):
        return try Temporal.combine(a, b, isSubtraction: isSubtraction)
    case (.interval, .int64), (.interval, .float64):
        return try Temporal.multiply(a, by: b, isDivision: op == .divide)
    case (_, .interval):
        return try Temporal.add(a, b, isSubtraction: isSubtraction)
    default:
        return try Temporal.subtract(a, b)
    }
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
        _ function: ScalarFunction,
        _ arguments: [BoundExpression],
        _ operands: [ExpressionNode],
        _ type: DataType
    ) throws -> ExpressionNode {
        if let node = try compileVarying(function, arguments, operands, type) { return node }
        switch function {
        case .regexpMatches, .regexpReplace, .regexpExtract, .regexpFullMatch:
            return try compileRegularExpression(function, arguments, operands, type)
        case .coalesce where arguments.dropFirst().contains(where: \.canFail):
            return CoalesceNode(operands, type: type)
        default: break
        }
        if let node = try compileWithConstant(function, arguments, operands, type) { return node }
        guard
            let apply = Self.text(function) ?? Self.choice(function, type)
                ?? Self.mathematics(function) ?? Self.temporal(function)
                ?? Self.moreText(function, type) ?? Self.moreNumbers(function)
                ?? Self.moreTime(function, type)
        else {
            throw ExecutionError(
                .unsupported,
                "function \(function.rawValue) is not supported yet"
            )
        }
        return ApplyNode(type, operands) { columns, _ in
            let result = try apply(columns)
            return result.type == type ? result : try Casting.cast(result, to: type)
        }
    }

    typealias Apply = ([Column]) throws -> Column

    private static func text(_ function: ScalarFunction) -> Apply? {
        switch function {
        case .lower: { StringFunctions.lower($0[0]) }
        case .upper: { StringFunctions.upper($0[0]) }
        case .initcap: { StringFunctions.initcap($0[0]) }
        case .reverse: { try TextShape.reverse($0[0]) }
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

    private static func trimmed(_ columns: [Column], _ side: StringFunctions.TrimSide) throws
        -> Column
    {
        try StringFunctions.trim(
            columns[0],
            characters: columns.count > 1 ? columns[1] : nil,
            side: side
        )
    }

    private static func padded(_ columns: [Column], isLeft: Bool) throws -> Column {
        try StringFunctions.pad(
            columns[0],
            to: columns[1],
            with: columns.count > 2 ? columns[2] : nil,
            isLeft: isLeft
        )
    }

    private static func choice(_ function: ScalarFunction, _ type: DataType) -> Apply? {
        switch function {
        case .coalesce: { Choice.coalesce($0) }
        case .nullif: { try Choice.nullIf($0[0], $0[1]) }
        case .greatest: { try Mathematics.greatest($0) }
        case .least: { try Mathematics.least($0) }
        case .abs: { try Arithmetic.absolute($0[0]) }
        case .sign: { try Arithmetic.sign($0[0]) }
        case .isNaN: { NullTests.isNaN($0[0]) }
        case .isInfinite: { NullTests.isInfinite($0[0]) }
        case .isFinite: { NullTests.isFinite($0[0]) }
        default: nil
        }
    }

    private static func mathematics(_ function: ScalarFunction) -> Apply? {
        let kernel: MathFunction
        switch function {
        case .sqrt: kernel = .squareRoot
        case .cbrt: kernel = .cubeRoot
        case .exp: kernel = .exponential
        case .ln: kernel = .logarithm
        case .log10: kernel = .logarithm10
        case .log2: kernel = .logarithm2
        case .sin: kernel = .sine
        case .cos: kernel = .cosine
        case .tan: kernel = .tangent
        case .asin: kernel = .arcSine
        case .acos: kernel = .arcCosine
        case .atan: kernel = .arcTangent
        case .degrees: kernel = .degrees
        case .radians: kernel = .radians
        case .sinh: kernel = .hyperbolicSine
        case .cosh: kernel = .hyperbolicCosine
        case .tanh: kernel = .hyperbolicTangent
        case .bitwiseAnd: return { try Bitwise.apply(.and, $0[0], $0[1]) }
        case .bitwiseOr: return { try Bitwise.apply(.or, $0[0], $0[1]) }
        case .bitwiseXor: return { try Bitwise.apply(.exclusiveOr, $0[0], $0[1]) }
        case .shiftLeft: return { try Bitwise.apply(.shiftLeft, $0[0], $0[1]) }
        case .shiftRight: return { try Bitwise.apply(.shiftRight, $0[0], $0[1]) }
        case .bitwiseNot: return { try Bitwise.not($0[0]) }
        case .power: return { try Mathematics.power($0[0], $0[1]) }
        case .atan2: return { try Mathematics.arcTangent2($0[0], $0[1]) }
        default: return nil
        }
        return { try Mathematics.apply(kernel, $0[0]) }
    }

    private static func temporal(_ function: ScalarFunction) -> Apply? {
        switch function {
        case .lastDay: { try Temporal.lastDay($0[0]) }
        case .dayName: { try Temporal.dayName($0[0]) }
        case .monthName: { try Temporal.monthName($0[0]) }
        case .makeDate:
            {
                $0.count == 1
                    ? try Temporal.fromDays($0[0]) : try Temporal.makeDate($0[0], $0[1], $0[2])
            }
        case .makeTimestamp:
            {
                if $0.count == 1 { return try Temporal.fromMicros($0[0]) }
                return try Temporal.makeTimestamp(
                    date: ($0[0], $0[1], $0[2]),
                    time: ($0[3], $0[4], $0[5])
                )
            }
        case .dateAdd: { try Temporal.add($0[0], $0[1]) }
        case .toTimestamp: { try Temporal.fromEpoch($0[0]) }
        default: nil
        }
    }

    /// Functions with an argument that says what they do: it must be a constant.
    private func compileWithConstant(
        _ function: ScalarFunction,
        _ arguments: [BoundExpression],
        _ operands: [ExpressionNode],
        _ type: DataType
    ) throws -> ExpressionNode? {
        func text(_ index: Int, _ what: String) throws -> String {
            guard case .constant(.string(let text), _) = arguments[index] else {
                throw ExecutionError(
                    .unsupported,
                    "\(what) of \(function.rawValue) must be a constant text"
                )
            }
            return text
        }
        func part() throws -> DatePart {
            let name = try text(0, "the part")
            guard let part = DatePart(name) else {
                throw ExecutionError(.data, "\"\(name)\" is no part of a date or time")
            }
            return part
        }
        switch function {
        case .pi:
            return ConstantNode(.float64(.pi), type)
        case .datePart:
            let part = try part()
            return ApplyNode(type, [operands[1]]) { columns, _ in
                try Casting.cast(try Temporal.extract(part, from: columns[0]), to: type)
            }
        case .dateTrunc:
            let part = try part()
            return ApplyNode(type, [operands[1]]) { columns, _ in
                if columns[0].type == .interval {
                    return try Temporal.truncateInterval(columns[0], to: part)
                }
                return try Casting.cast(try Temporal.truncate(columns[0], to: part), to: type)
            }
        case .dateSub:
            let part = try part()
            return ApplyNode(type, Array(operands[1...])) { columns, _ in
                try Temporal.wholeParts(part, from: columns[0], to: columns[1])
            }
        case .tryStrptime:
            let format = try TimeFormat(try text(1, "the format"))
            return ApplyNode(type, [operands[0]]) { columns, _ in
                try format.parse(columns[0], isTry: true)
            }
        case .printf, .format:
            let language: TextTemplate.Language = function == .printf ? .percent : .braces
            let template = try TextTemplate(try text(0, "the format"), language)
            return ApplyNode(type, Array(operands[1...])) { columns, count in
                try template.format(columns, count: count)
            }
        case .zoneLocal:
            let zone = try TimeZones.rules(try text(1, "the zone"))
            return ApplyNode(type, [operands[0]]) { columns, _ in
                try Temporal.local(columns[0], zone)
            }
        case .zoneInstant:
            let zone = try TimeZones.rules(try text(1, "the zone"))
            return ApplyNode(type, [operands[0]]) { columns, _ in
                try Temporal.instant(columns[0], zone)
            }
        case .zoneText:
            let zone = try TimeZones.rules(try text(1, "the zone"))
            return ApplyNode(type, [operands[0]]) { columns, _ in
                try Temporal.zonedText(columns[0], zone)
            }
        case .zoneOffset:
            let zone = try TimeZones.rules(try text(1, "the zone"))
            return ApplyNode(type, [operands[0]]) { columns, _ in
                try Temporal.zoneOffset(columns[0], zone)
            }
        case .zoneParse, .tryZoneParse:
            let zone = try TimeZones.rules(try text(1, "the zone"))
            return ApplyNode(type, [operands[0]]) { columns, _ in
                try Temporal.instants(
                    fromText: columns[0],
                    zone,
                    isTry: function == .tryZoneParse,
                    find: { try? TimeZones.rules($0) }
                )
            }
        case .zoneAdd, .zoneSubtract:
            let zone = try TimeZones.rules(try text(2, "the zone"))
            return ApplyNode(type, Array(operands[..<2])) { columns, _ in
                try Temporal.add(
                    columns[0],
                    columns[1],
                    isSubtraction: function == .zoneSubtract,
                    zone
                )
            }
        case .random:
            let random = RandomColumns()
            return ApplyNode(type, []) { _, count in random.doubles(count) }
        case .uuid, .uuidV7:
            let random = RandomColumns()
            let isOrdered = function == .uuidV7
            return ApplyNode(type, []) { _, count in
                random.uuids(count, millis: isOrdered ? SystemTime().nowMicros() / 1000 : nil)
            }
        case .hash:
            return ApplyNode(type, operands) { columns, count in
                try StableHash.hash(columns, count: count)
            }
        case .error:
            return ApplyNode(type, operands) { columns, count in
                for row in 0..<count {
                    if case .string(let text) = columns[0].value(at: row) {
                        throw KernelError(.outOfRange, text)
                    }
                }
                return .nulls(type, count: count)
            }
        case .try: return TryNode(operands[0])
        case .dateDiff:
            let part = try part()
            return ApplyNode(type, Array(operands[1...])) { columns, _ in
                guard columns[0].type == .time, columns[1].type == .time else {
                    return try Temporal.difference(part, from: columns[0], to: columns[1])
                }
                switch part {
                case .hour, .minute, .second, .millisecond, .microsecond: break
                default: throw KernelError(.unsupported, "a time has no \(part)")
                }
                return try Temporal.difference(
                    part,
                    from: columns[0].retyped(.timestamp),
                    to: columns[1].retyped(.timestamp)
                )
            }
        case .strftime:
            let format = try TimeFormat(try text(1, "the format"))
            return ApplyNode(type, [operands[0]]) { columns, _ in try format.format(columns[0]) }
        case .strptime:
            let format = try TimeFormat(try text(1, "the format"))
            return ApplyNode(type, [operands[0]]) { columns, _ in try format.parse(columns[0]) }
        case .round, .trunc, .floor, .ceil:
            var digits = 0
            if arguments.count > 1 {
                guard case .constant(.int32(let number), _) = arguments[1] else {
                    throw ExecutionError(
                        .unsupported,
                        "the digits of \(function.rawValue) must be a constant"
                    )
                }
                digits = Int(number)
            }
            let mode: RoundingMode =
                switch function {
                case .round: .nearest
                case .trunc: .truncate
                case .floor: .floor
                default: .ceiling
                }
            return ApplyNode(type, [operands[0]]) { columns, _ in
                let rounded = try Mathematics.round(columns[0], digits: digits, mode: mode)
                return rounded.type == type ? rounded : try Casting.cast(rounded, to: type)
            }
        case .epochMillis:
            return ApplyNode(type, operands) { columns, _ in
                guard columns[0].type == .int64 else {
                    return try Temporal.epoch(columns[0], microsPerUnit: 1000)
                }
                let micros = try Arithmetic.apply(
                    .multiply,
                    columns[0],
                    .constant(.int64(1000), .int64, count: columns[0].count),
                    to: .int64
                )
                return micros.retyped(.timestamp)
            }
        default: return nil
        }
    }

    private func compileRegularExpression(
        _ function: ScalarFunction,
        _ arguments: [BoundExpression],
        _ operands: [ExpressionNode],
        _ type: DataType
    ) throws -> ExpressionNode {
        func constantText(_ index: Int, _ what: String) throws -> String {
            guard arguments.count > index else { return "" }
            guard case .constant(.string(let text), _) = arguments[index] else {
                throw ExecutionError(
                    .unsupported,
                    "\(what) of \(function.rawValue) must be a constant text"
                )
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
        case .regexpFullMatch:
            let expression = try RegularExpression(pattern, options: constantText(2, "the options"))
            return ApplyNode(type, [operands[0]]) { columns, _ in
                try expression.matches(columns[0], whole: true)
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
                        .unsupported,
                        "the group of regexp_extract must be a constant number"
                    )
                }
                group = Int(number)
            }
            let expression = try RegularExpression(pattern, options: constantText(3, "the options"))
            return ApplyNode(type, [operands[0]]) { columns, _ in
                try expression.extract(columns[0], group: group)
            }
        }
    }
}
