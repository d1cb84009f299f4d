import Columnar
import SQL

extension Binder {
    /// A condition: an expression of type boolean.
    mutating func bindBoolean(
        _ expression: SQL.Expression,
        _ context: inout ExpressionContext
    ) throws -> BoundExpression {
        let bound = try bind(expression, &context)
        if bound.type == .boolean { return bound }
        if bound.type == .null { return .constant(.null, .boolean) }
        if case .constant(.string, _) = bound {
            return try coerce(bound, to: .boolean, at: expression.span)
        }
        // A number is true unless it is 0.
        if bound.type.isInteger {
            let zero = BoundExpression.constant(.int32(0), .int32)
            return try compare(.notEqual, bound, zero, at: expression.span)
        }
        throw PlanError(
            .invalid,
            "\(context.clause) needs a condition, this is \(bound.type)",
            at: expression.span
        )
    }

    mutating func bind(
        _ expression: SQL.Expression,
        _ context: inout ExpressionContext
    ) throws -> BoundExpression {
        let bound = try bindUnlocated(expression, &context)
        switch bound {
        case .arithmetic, .negate, .cast, .call:
            guard bound.canFail else { return bound }
            return .located(bound, ExpressionOrigin(expression))
        default: return bound
        }
    }

    private mutating func bindUnlocated(
        _ expression: SQL.Expression,
        _ context: inout ExpressionContext
    ) throws -> BoundExpression {
        let span = expression.span
        if let test = try bindRowTest(expression, &context) { return test }
        switch expression.node {
        case .literal(let literal): return try bind(literal, at: span)
        case .column(let name): return try bindColumn(name, &context, at: span)
        case .star:
            throw PlanError(.invalid, "* is not a value", at: span)
        case .parameter(let parameter):
            guard let given = environment.parameters[parameter] else {
                throw PlanError(.invalid, "no value is given for parameter \(parameter)", at: span)
            }
            return .constant(given.value, given.type)
        case .defaultValue:
            throw PlanError(.invalid, "DEFAULT may only be inserted or set", at: span)
        case .unary(let op, let operand):
            return try bindUnary(op, try bind(operand, &context), at: span)
        case .binary(let op, let left, let right):
            let a = try bind(left, &context)
            let b = try bind(right, &context)
            return try bindBinary(op, a, b, at: span)
        case .and(let all):
            return .and(try all.map { try bindBoolean($0, &context) })
        case .or(let all):
            return .or(try all.map { try bindBoolean($0, &context) })
        case .not(let operand):
            return .not(try bindBoolean(operand, &context))
        case .concatenation(let all):
            var parts: [BoundExpression] = []
            for part in all { parts.append(try bind(part, &context)) }
            if let lists = try concatenatedLists(parts, at: span) { return lists }
            parts = try zip(parts, all).map { try coerce($0, to: .string, at: $1.span) }
            // `||` gives null when any operand is null, unlike concat().
            return parts.dropFirst().reduce(parts[0]) {
                .call(.concat, [$0, $1], .string)
            }
        case .isTest(let operand, let test, let isNegated):
            switch test {
            case .null: return .isNull(try bind(operand, &context), isNegated: isNegated)
            case .unknown: return .isNull(try bindBoolean(operand, &context), isNegated: isNegated)
            case .true, .false:
                let bound = try bindBoolean(operand, &context)
                return .isTruth(bound, test == .true, isNegated: isNegated)
            }
        case .isDistinct(let left, let right, let isNegated):
            let (a, b) = try unify(
                try bind(left, &context),
                try bind(right, &context),
                at: span
            )
            let (x, y) = try collated(a, b, at: span)
            return .isDistinct(x, y, isNegated: isNegated)
        case .between(let between):
            return try bindBetween(between, &context, at: span)
        case .inList(let operand, let list, let isNegated):
            return try bindInList(operand, list, isNegated, &context, at: span)
        case .inQuery(let operand, let query, let isNegated):
            return try bindInQuery(operand, query, isNegated, &context, at: span)
        case .exists(let query):
            return try bindExists(query, &context, at: span)
        case .subquery(let query):
            return try bindScalarSubquery(query, &context, at: span)
        case .quantifiedQuery(let operand, let op, let quantifier, let query):
            return try bindQuantified(operand, op, quantifier, query, &context, at: span)
        case .pattern(let test):
            return try bindPattern(test, &context, at: span)
        case .cased(let cased):
            return try bindCase(cased, &context, at: span)
        case .cast(let operand, let typeName, let isTry):
            let type = try DataType(typeName)
            let bound = try bind(operand, &context)
            if typeName.node == .json { return try castToJSON(bound, isTry: isTry, at: span) }
            if let read = try castFromJSON(bound, type, isTry: isTry, at: span) { return read }
            if bound.type == type {
                // What was JSON is text like any other now; of one value coalesce is the value.
                return isJSON(bound) ? .call(.coalesce, [bound], type) : bound
            }
            let cast = converted(bound, to: type, isTry: isTry)
            return bound.isConstant ? try folded(cast, at: span) : cast
        case .function(let call):
            return try bindFunction(call, &context, at: span)
        case .interval(let interval):
            return try bindInterval(interval, &context, at: span)
        case .row, .structure, .list, .map, .element, .slice, .field, .lambda, .listQuery, .inValue,
            .quantifiedValue:
            return try bindNested(expression, &context)
        case .atTimeZone(let operand, let zone):
            let moment = try bind(operand, &context)
            return try bindZone(moment, try bind(zone, &context), at: span)
        case .collate(let operand, let name):
            return try bindCollate(try bind(operand, &context), name, at: span)
        }
    }

    private func bind(_ literal: Literal, at span: SourceSpan) throws -> BoundExpression {
        switch literal {
        case .null: return .constant(.null, .null)
        case .boolean(let value): return .constant(.boolean(value), .boolean)
        case .integer(let text):
            if let small = Int32(text) { return .constant(.int32(small), .int32) }
            if let large = Int64(text) { return .constant(.int64(large), .int64) }
            if let digits = Int128(text), text.count <= 38 {
                return .constant(.decimal(digits), .decimal(precision: text.count, scale: 0))
            }
            throw PlanError(
                .invalid,
                "\(text) has more than 38 digits",
                hint: "Write it with an exponent to make it a DOUBLE.",
                at: span
            )
        case .decimal(let text):
            return try bindDecimal(text, at: span)
        case .string(let text): return .constant(.string(text), .string)
        case .blob(let bytes): return .constant(.binary(bytes), .binary)
        case .typed(let typeName, let text):
            let type = try DataType(typeName)
            return try folded(
                converted(.constant(.string(text), .string), to: type),
                at: span
            )
        }
    }

    private func bindDecimal(_ text: String, at span: SourceSpan) throws -> BoundExpression {
        if text.contains("e") || text.contains("E") {
            guard let value = Double(text), value.isFinite else {
                throw PlanError(.invalid, "\(text) is beyond what a DOUBLE holds", at: span)
            }
            return .constant(.float64(value), .float64)
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let whole = parts[0].drop { $0 == "0" }
        let fraction = parts.count > 1 ? parts[1] : ""
        let precision = max(1, whole.count + fraction.count)
        guard precision <= 38, let digits = Int128("0" + whole + fraction) else {
            throw PlanError(
                .invalid,
                "\(text) has more than 38 digits",
                hint: "Write it with an exponent to make it a DOUBLE.",
                at: span
            )
        }
        return .constant(
            .decimal(digits),
            .decimal(precision: precision, scale: fraction.count)
        )
    }

    private mutating func bindColumn(
        _ name: ObjectName,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        if let argument = try bindMacroArgument(name, &context) { return argument }
        let matches = context.scope.matches(name)
        if let match = matches.first {
            let ids = Set(matches.map(\.column.id))
            guard ids.count == 1 else {
                // An exact spelling beats others.
                let exact = matches.filter { $0.name == name.last?.name }
                if exact.count == 1 { return exact[0].column.reference }
                let text = name.map(\.name).joined(separator: ".")
                let relations = matches.map { ($0.qualifier + [$0.name]).joined(separator: ".") }
                throw PlanError(
                    .invalid,
                    "column \"\(text)\" is ambiguous",
                    hint: Set(relations).count < relations.count
                        ? "Two tables have one name, or one table has it twice: give them other names."
                        : "Write one of: \(relations.joined(separator: ", ")).",
                    at: span
                )
            }
            return match.column.reference
        }
        if name.count == 1,
            let alias = context.aliases.first(where: { name[0].means($0.name.name) }),
            context.openAliases.insert(alias.name.name).inserted
        {
            defer { context.openAliases.remove(alias.name.name) }
            return try bind(alias.expression, &context)
        }
        if let field = try bindFieldPath(name, context.scope, at: span) { return field }
        // The tables here come before those of queries around.
        if retriesRowNumbers, !exposesRowNumbers, let last = name.last,
            Self.pseudoColumnNames.contains(where: last.means)
        {
            throw NeededRowNumbers()
        }
        if let column = try outerColumn(name, at: span) { return column }
        if let column = try bindOuterAlias(name) { return column }
        for level in outerLevels.reversed() {
            if let field = try bindFieldPath(name, level.scope, at: span) { return field }
        }
        if let row = try bindWholeRow(name, context.scope, at: span) { return row }
        let text = name.map(\.name).joined(separator: ".")
        try checkQualifier(name, context.scope)
        let near = nearest(
            to: name.last?.name ?? "",
            among: context.scope.columns.map(\.name)
                + outerLevels.flatMap { level in
                    level.scope.columns.map(\.name)
                }
        )
        throw PlanError(
            .invalid,
            "column \"\(text)\" does not exist",
            hint: near.map { "Did you mean \"\($0)\"?" },
            at: span
        )
    }

    /// A column of a query around this one, the innermost that has the name.
    private func outerColumn(_ name: ObjectName, at span: SourceSpan) throws -> BoundExpression? {
        for level in outerLevels.reversed() {
            let matches = level.scope.matches(name)
            guard let match = matches.first else { continue }
            guard Set(matches.map(\.column.id)).count == 1 else {
                throw PlanError(
                    .invalid,
                    "column \"\(name.map(\.name).joined(separator: "."))\" is ambiguous",
                    at: span
                )
            }
            return match.column.reference
        }
        return nil
    }

    // MARK: Operators

    private func bindUnary(
        _ op: UnaryOperator,
        _ operand: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        switch op {
        case .plus, .minus:
            guard operand.type.isNumeric || operand.type == .interval || operand.type == .null
            else {
                throw PlanError(
                    .invalid,
                    "\(op.rawValue) needs a number, this is \(operand.type)",
                    at: span
                )
            }
            if op == .plus || operand.type == .null { return operand }
            // The least integers are written as a minus before a literal that is one too large.
            if case .constant(.int64(2_147_483_648), _) = operand {
                return .constant(.int32(.min), .int32)
            }
            if case .constant(.decimal(9_223_372_036_854_775_808), .decimal(_, 0)) = operand {
                return .constant(.int64(.min), .int64)
            }
            return operand.isConstant ? try folded(.negate(operand), at: span) : .negate(operand)
        case .bitwiseNot:
            return try call_(.bitwiseNot, [operand], "~", span)
        }
    }

    func bindBinary(
        _ op: BinaryOperator,
        _ a: BoundExpression,
        _ b: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        switch op {
        case .equal: return try compare(.equal, a, b, at: span)
        case .notEqual: return try compare(.notEqual, a, b, at: span)
        case .less: return try compare(.less, a, b, at: span)
        case .lessOrEqual: return try compare(.lessOrEqual, a, b, at: span)
        case .greater: return try compare(.greater, a, b, at: span)
        case .greaterOrEqual: return try compare(.greaterOrEqual, a, b, at: span)
        case .add:
            if let lists = try concatenatedLists([a, b], at: span) { return lists }
            return try arithmetic(.add, a, b, at: span)
        case .subtract: return try arithmetic(.subtract, a, b, at: span)
        case .multiply: return try arithmetic(.multiply, a, b, at: span)
        case .divide: return try arithmetic(.divide, a, b, at: span)
        case .integerDivide: return try arithmetic(.integerDivide, a, b, at: span)
        case .modulo: return try arithmetic(.modulo, a, b, at: span)
        case .power: return try call_(.power, [a, b], op.rawValue, span)
        case .regexMatches, .regexMatchesIgnoringCase, .regexMatchesNot,
            .regexMatchesNotIgnoringCase:
            let ignoringCase = op == .regexMatchesIgnoringCase || op == .regexMatchesNotIgnoringCase
            let isNegated = op == .regexMatchesNot || op == .regexMatchesNotIgnoringCase
            return .pattern(
                .regularExpression(ignoringCase: ignoringCase, isWhole: false),
                try text(a, at: span),
                pattern: try text(b, at: span),
                escape: nil,
                isNegated: isNegated
            )
        case .startsWith:
            return .call(
                .startsWith,
                [try text(a, at: span), try text(b, at: span)],
                .boolean
            )
        case .bitwiseAnd: return try call_(.bitwiseAnd, [a, b], op.rawValue, span)
        case .bitwiseOr: return try call_(.bitwiseOr, [a, b], op.rawValue, span)
        case .bitwiseXor: return try call_(.bitwiseXor, [a, b], op.rawValue, span)
        case .shiftLeft: return try call_(.shiftLeft, [a, b], op.rawValue, span)
        case .shiftRight: return try call_(.shiftRight, [a, b], op.rawValue, span)
        case .arrow: return try bindJSONPath(a, b, asText: false, at: span)
        case .arrowText: return try bindJSONPath(a, b, asText: true, at: span)
        case .contains: return try bind(ListFunction.hasAll, [a, b], op.rawValue, at: span)
        case .containedBy: return try bind(ListFunction.hasAll, [b, a], op.rawValue, at: span)
        case .overlaps: return try bind(ListFunction.hasAny, [a, b], op.rawValue, at: span)
        }
    }

    func compare(
        _ op: ComparisonOperator,
        _ a: BoundExpression,
        _ b: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let (x, y) = try unify(a, b, at: span)
        let (left, right) = try collated(x, y, at: span)
        return .compare(op, left, right)
    }

    /// Both operands at their common type; a literal follows the other side.
    func unify(
        _ a: BoundExpression,
        _ b: BoundExpression,
        at span: SourceSpan
    ) throws -> (BoundExpression, BoundExpression) {
        if a.type == b.type { return (a, b) }
        if case .constant(.string, .string) = a, b.type != .null {
            return (try coerce(a, to: b.type, at: span), b)
        }
        if case .constant(.string, .string) = b, a.type != .null {
            return (a, try coerce(b, to: a.type, at: span))
        }
        if let number = CoercionRules.number(beside: a.type, b.type) {
            return (try coerce(a, to: number, at: span), try coerce(b, to: number, at: span))
        }
        let (x, y) = (asNarrowDecimal(a, beside: b), asNarrowDecimal(b, beside: a))
        guard let type = CoercionRules.common(x.type, y.type) else {
            throw PlanError(
                .invalid,
                "\(a.type) and \(b.type) cannot be compared",
                hint: "Use CAST to make them one type.",
                at: span
            )
        }
        return (try coerce(x, to: type, at: span), try coerce(y, to: type, at: span))
    }

    /// An integer constant beside a decimal needs only as many digits as it has.
    private func asNarrowDecimal(
        _ expression: BoundExpression,
        beside other: BoundExpression
    ) -> BoundExpression {
        guard case .decimal = other.type else { return expression }
        let value: Int64
        switch expression {
        case .constant(.int32(let number), _): value = Int64(number)
        case .constant(.int64(let number), _): value = number
        default: return expression
        }
        let digits = max(1, String(value.magnitude).count)
        return .constant(.decimal(Int128(value)), .decimal(precision: digits, scale: 0))
    }

    private func arithmetic(
        _ op: ArithmeticOperator,
        _ left: BoundExpression,
        _ right: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        var (a, b) = (left, right)
        if let temporal = try temporalArithmetic(op, a, b, at: span) {
            return temporal.columnIDs.isEmpty ? try folded(temporal, at: span) : temporal
        }
        // A text literal beside a number is a number.
        if case .constant(.string, .string) = a, b.type.isNumeric {
            a = try coerce(a, to: b.type, at: span)
        }
        if case .constant(.string, .string) = b, a.type.isNumeric {
            b = try coerce(b, to: a.type, at: span)
        }
        if a.type == .null, b.type.isNumeric || b.type == .null { a = .constant(.null, .int32) }
        if b.type == .null, a.type.isNumeric { b = .constant(.null, .int32) }
        guard a.type.isNumeric, b.type.isNumeric else {
            throw PlanError(
                .invalid,
                "no operator \(op.rawValue) for \(a.type) and \(b.type)",
                hint: "Use CAST to make both numbers.",
                at: span
            )
        }
        (a, b) = (asNarrowDecimal(a, beside: b), asNarrowDecimal(b, beside: a))
        var type: DataType
        switch op {
        case .divide:
            type = a.type == .float32 && b.type == .float32 ? .float32 : .float64
        case .integerDivide where !(a.type.isInteger && b.type.isInteger):
            throw PlanError(.invalid, "// is for integers, use / here", at: span)
        case .integerDivide:
            type = a.type == .int64 || b.type == .int64 ? .int64 : .int32
        default:
            if a.type.isFloating || b.type.isFloating {
                type = CoercionRules.common(a.type, b.type) ?? .float64
            } else if let exact = CoercionRules.exactResult(op, a.type, b.type) {
                type = exact
            } else {
                throw PlanError(
                    .invalid,
                    "\(a.type) \(op.rawValue) \(b.type) has more than 38 digits behind the point",
                    hint: "CAST an operand to fewer digits, or to DOUBLE.",
                    at: span
                )
            }
        }
        // Decimals are multiplied as they are; everything else works on operands of one type.
        switch (op, type) {
        case (.multiply, .decimal):
            (a, b) = (try asDecimal(a, at: span), try asDecimal(b, at: span))
        case (_, .decimal(_, let scale)):
            func rescaled(_ side: BoundExpression) throws -> BoundExpression {
                guard let digits = CoercionRules.decimalDigits(side.type) else { return side }
                let precision = min(38, digits.precision - digits.scale + scale)
                return try coerce(
                    side,
                    to: .decimal(precision: precision, scale: scale),
                    at: span
                )
            }
            (a, b) = (try rescaled(a), try rescaled(b))
        default:
            (a, b) = (try coerce(a, to: type, at: span), try coerce(b, to: type, at: span))
        }
        let result = BoundExpression.arithmetic(op, a, b, type)
        if a.isConstant && b.isConstant { return try folded(result, at: span) }
        return result
    }

    private func asDecimal(
        _ expression: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        guard let digits = CoercionRules.decimalDigits(expression.type) else { return expression }
        return try coerce(
            expression,
            to: .decimal(precision: digits.precision, scale: digits.scale),
            at: span
        )
    }

    /// Dates, times and intervals; nil when neither operand is one.
    private func temporalArithmetic(
        _ op: ArithmeticOperator,
        _ a: BoundExpression,
        _ b: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        func result(_ a: BoundExpression, _ b: BoundExpression, _ type: DataType)
            -> BoundExpression
        {
            .arithmetic(op, a, b, type)
        }
        switch (op, a.type, b.type) {
        case (.add, .date, let other) where other.isInteger,
            (.subtract, .date, let other) where other.isInteger:
            return result(a, try coerce(b, to: .int32, at: span), .date)
        case (.add, let other, .date) where other.isInteger:
            return result(b, try coerce(a, to: .int32, at: span), .date)
        case (.subtract, .date, .date):
            return result(a, b, .int64)
        case (.add, .date, .interval), (.subtract, .date, .interval):
            return result(try coerce(a, to: .timestamp, at: span), b, .timestamp)
        case (.add, .interval, .date):
            return result(try coerce(b, to: .timestamp, at: span), a, .timestamp)
        case (.add, .timestamptz, .interval) where !isUniversal,
            (.subtract, .timestamptz, .interval) where !isUniversal:
            let function: ScalarFunction = op == .add ? .zoneAdd : .zoneSubtract
            return .call(function, [a, b, zoneConstant], .timestamptz)
        case (.add, .interval, .timestamptz) where !isUniversal:
            return .call(.zoneAdd, [b, a, zoneConstant], .timestamptz)
        case (.add, .timestamp, .interval), (.subtract, .timestamp, .interval),
            (.add, .timestamptz, .interval), (.subtract, .timestamptz, .interval),
            (.add, .time, .interval), (.subtract, .time, .interval):
            return result(a, b, a.type)
        case (.add, .interval, .timestamp), (.add, .interval, .timestamptz),
            (.add, .interval, .time):
            return result(b, a, b.type)
        case (.add, .interval, .interval), (.subtract, .interval, .interval):
            return result(a, b, .interval)
        case (.add, .date, .time):
            return .call(.combineDateTime, [a, b], .timestamp)
        case (.add, .time, .date):
            return .call(.combineDateTime, [b, a], .timestamp)
        case (.multiply, .interval, let other) where other.isNumeric && !other.isInteger:
            return result(a, try coerce(b, to: .float64, at: span), .interval)
        case (.multiply, let other, .interval) where other.isNumeric && !other.isInteger:
            return result(b, try coerce(a, to: .float64, at: span), .interval)
        case (.divide, .interval, let other) where other.isNumeric:
            return result(a, try coerce(b, to: .float64, at: span), .interval)
        case (.subtract, .time, .time):
            return result(a, b, .interval)
        case (.multiply, .interval, let other) where other.isInteger:
            return result(a, try coerce(b, to: .int64, at: span), .interval)
        case (.multiply, let other, .interval) where other.isInteger:
            return result(b, try coerce(a, to: .int64, at: span), .interval)
        case (.subtract, let x, let y) where x.isTemporal && y.isTemporal:
            guard x != .time, y != .time, let type = CoercionRules.common(x, y) else { break }
            return result(
                try coerce(a, to: type, at: span),
                try coerce(b, to: type, at: span),
                .interval
            )
        case (.add, let x, .string) where x.isTemporal,
            (.subtract, let x, .string) where x.isTemporal:
            if case .constant = b {
                let other: DataType = op == .subtract ? x : .interval
                return try temporalArithmetic(op, a, try coerce(b, to: other, at: span), at: span)
            }
        case (_, let x, .null) where x.isTemporal || x == .interval,
            (_, .null, let x) where x.isTemporal || x == .interval:
            return .constant(.null, x)
        default: break
        }
        if a.type.isTemporal || b.type.isTemporal || a.type == .interval || b.type == .interval {
            throw PlanError(
                .invalid,
                "no operator \(op.rawValue) for \(a.type) and \(b.type)",
                at: span
            )
        }
        return nil
    }

    private mutating func bindInterval(
        _ interval: IntervalExpression,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let value = try bind(interval.value, &context)
        if let first = interval.field, let last = interval.lastField {
            guard case .constant(.string(let text), _) = value else {
                throw PlanError(.invalid, "INTERVAL … TO … takes a text in quotes", at: span)
            }
            if let parsed = try compoundInterval(text, first, last, at: span) {
                return .constant(.interval(parsed), .interval)
            }
            return try folded(.cast(value, .interval, isTry: false), at: span)
        }
        guard let field = interval.field else {
            return try folded(.cast(value, .interval, isTry: false), at: span)
        }
        var unit: Interval
        switch field {
        case .millennium: unit = Interval(months: 12_000)
        case .century: unit = Interval(months: 1200)
        case .decade: unit = Interval(months: 120)
        case .year: unit = Interval(months: 12)
        case .quarter: unit = Interval(months: 3)
        case .month: unit = Interval(months: 1)
        case .week: unit = Interval(days: 7)
        case .day: unit = Interval(days: 1)
        case .hour: unit = Interval(micros: 3_600_000_000)
        case .minute: unit = Interval(micros: 60_000_000)
        case .second: unit = Interval(micros: 1_000_000)
        case .millisecond: unit = Interval(micros: 1000)
        case .microsecond: unit = Interval(micros: 1)
        }
        // Seconds may have a fraction; everything else is counted whole.
        if field == .second, case .constant(.string(let text), _) = value, text.contains(".") {
            let micros = try folded(
                .cast(value, .decimal(precision: 18, scale: 6), isTry: false),
                at: span
            )
            guard case .constant(.decimal(let digits), _) = micros,
                let exact = Int64(exactly: digits)
            else { throw PlanError(.invalid, "\(text) is not a number of seconds", at: span) }
            unit = Interval(micros: exact)
            return .constant(.interval(unit), .interval)
        }
        let count = try coerce(value, to: .int64, at: span)
        let product = BoundExpression.arithmetic(
            .multiply,
            .constant(.interval(unit), .interval),
            count,
            .interval
        )
        return count.isConstant ? try folded(product, at: span) : product
    }

    // MARK: Predicates

    private mutating func bindBetween(
        _ between: Between,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let operand = try bind(between.operand, &context)
        let lower = try bind(between.lower, &context)
        let upper = try bind(between.upper, &context)
        let inside = BoundExpression.and([
            try compare(.greaterOrEqual, operand, lower, at: span),
            try compare(.lessOrEqual, operand, upper, at: span),
        ])
        var result = inside
        if between.isSymmetric {
            let swapped = BoundExpression.and([
                try compare(.greaterOrEqual, operand, upper, at: span),
                try compare(.lessOrEqual, operand, lower, at: span),
            ])
            result = .or([inside, swapped])
        }
        return between.isNegated ? .not(result) : result
    }

    private mutating func bindInList(
        _ operand: SQL.Expression,
        _ list: [SQL.Expression],
        _ isNegated: Bool,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let value = try bind(operand, &context)
        let items = try list.map { try bind($0, &context) }
        var type = value.type
        for (item, source) in zip(items, list) {
            if let number = CoercionRules.number(beside: type, item.type) {
                type = number
                continue
            }
            let narrow = asNarrowDecimal(item, beside: value)
            type = try unified(type, narrow, at: source.span)
        }
        let isCollated = ([value] + items).contains { collation(of: $0) != nil }
        if items.allSatisfy(\.isConstant), type != .null, !type.isNested, !isCollated {
            let left = try coerce(value, to: type, at: span)
            var values: [Value] = []
            for (item, source) in zip(items, list) {
                let constant = try coerce(item, to: type, at: source.span)
                guard case .constant(let one, _) = constant else {
                    throw PlanError(.invalid, "IN needs constants here", at: source.span)
                }
                values.append(one)
            }
            return .inSet(left, values, isNegated: isNegated)
        }
        let any = BoundExpression.or(
            try zip(items, list).map { try compare(.equal, value, $0, at: $1.span) }
        )
        let result = items.count == 1 ? any.children[0] : any
        return isNegated ? .not(result) : result
    }

    private mutating func bindPattern(
        _ test: PatternTest,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let operand = try text(try bind(test.operand, &context), at: test.operand.span)
        let pattern = try text(try bind(test.pattern, &context), at: test.pattern.span)
        var escape: UInt8?
        if let written = test.escape {
            guard case .constant(.string(let text), _) = try bind(written, &context),
                text.utf8.count <= 1
            else {
                throw PlanError(
                    .invalid,
                    "ESCAPE needs one ASCII character or an empty string",
                    at: written.span
                )
            }
            escape = text.utf8.first
        }
        return .pattern(
            Self.language(of: test.kind),
            operand,
            pattern: pattern,
            escape: escape,
            isNegated: test.isNegated
        )
    }

    static func language(of kind: PatternKind) -> PatternLanguage {
        switch kind {
        case .like: .like(ignoringCase: false)
        case .ilike: .like(ignoringCase: true)
        case .similarTo: .regularExpression(ignoringCase: false, isWhole: true)
        case .glob: .glob
        }
    }

    func text(_ expression: BoundExpression, at span: SourceSpan) throws -> BoundExpression {
        switch expression.type {
        case .string: return expression
        case .null: return .constant(.null, .string)
        default:
            throw PlanError(
                .invalid,
                "text is needed here, this is \(expression.type)",
                hint: "Use CAST(… AS VARCHAR).",
                at: span
            )
        }
    }

    private mutating func bindCase(
        _ cased: CaseExpression,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let operand = try cased.operand.map { try bind($0, &context) }
        guardedDepth += 1
        defer { guardedDepth -= 1 }
        var branches: [BoundExpression.Branch] = []
        var type = DataType.null
        for branch in cased.branches {
            let condition: BoundExpression
            if let operand {
                condition = try compare(
                    .equal,
                    operand,
                    try bind(branch.condition, &context),
                    at: branch.condition.span
                )
            } else {
                condition = try bindBoolean(branch.condition, &context)
            }
            let value = try bind(branch.result, &context)
            type = try unified(type, value, at: branch.result.span)
            branches.append(BoundExpression.Branch(condition: condition, value: value))
        }
        var otherwise = try cased.otherwise.map { try bind($0, &context) }
        if let value = otherwise {
            type = try unified(type, value, at: cased.otherwise?.span ?? span)
        }
        for index in branches.indices {
            branches[index].value = try coerce(
                branches[index].value,
                to: type,
                at: cased.branches[index].result.span
            )
        }
        otherwise = try otherwise.map { try coerce($0, to: type, at: span) }
        return .conditional(branches, otherwise: otherwise, type)
    }

    // MARK: Coercion

    /// The expression at another type, without being asked: only where values keep their meaning,
    /// or the expression is a literal that says what it can be.
    func coerce(
        _ expression: BoundExpression,
        to type: DataType,
        at span: SourceSpan
    ) throws -> BoundExpression {
        if expression.type == type { return expression }
        if case .constant(.null, _) = expression { return .constant(.null, type) }
        let cast = converted(expression, to: type)
        return expression.isConstant ? try folded(cast, at: span) : cast
    }

    /// A constant expression as its value.
    func folded(_ expression: BoundExpression, at span: SourceSpan) throws -> BoundExpression {
        guard expression.columnIDs.isEmpty else { return expression }
        do {
            return .constant(try environment.evaluate(expression), expression.type)
        } catch {
            if guardedDepth > 0 { return expression }
            throw PlanError(.invalid, "\(error)", at: span)
        }
    }
}
