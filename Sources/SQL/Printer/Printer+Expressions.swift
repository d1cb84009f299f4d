extension Printer {
    @inline(never)
    mutating func write(_ expression: Expression) {
        switch expression.node {
        case .literal(let literal): write(literal)
        case .column(let name): write(name)
        case .star(let star): write(star)
        case .parameter(.numbered(let number)): text += "$\(number)"
        case .parameter(.named(let name)): text += "$\(name)"
        case .defaultValue: text += "DEFAULT"
        case .unary, .binary, .and, .or, .not, .concatenation, .atTimeZone, .collate:
            writeOperator(expression)
        case .isTest, .isDistinct, .between, .inList, .inQuery, .inValue, .pattern,
            .quantifiedQuery, .quantifiedValue:
            writeTest(expression)
        case .cased(let cased): write(cased)
        case .cast(let operand, let type, let isTry):
            text += isTry ? "TRY_CAST(" : "CAST("
            write(operand)
            text += " AS "
            write(type)
            text += ")"
        case .function(let call): write(call)
        case .interval(let interval): write(interval)
        case .subquery(let query): writeParenthesised(query)
        case .exists(let query):
            text += "EXISTS "
            writeParenthesised(query)
        case .listQuery(let query):
            text += "ARRAY"
            writeParenthesised(query)
        case .row, .structure, .list, .map, .element, .slice, .field, .lambda:
            writeNested(expression)
        }
    }

    @inline(never)
    mutating func writeParenthesised(_ query: Query) {
        text += "("
        write(query)
        text += ")"
    }

    // MARK: Precedence

    private static func precedence(_ expression: Expression) -> Int {
        switch expression.node {
        case .or: Precedence.or
        case .and: Precedence.and
        case .not: Precedence.not
        case .isTest, .isDistinct: Precedence.isTest
        case .between, .inList, .inQuery, .inValue, .pattern: Precedence.matching
        case .quantifiedQuery(_, let quantified, _, _), .quantifiedValue(_, let quantified, _, _):
            precedence(quantified)
        // Inside an argument an arrow may be a lambda's, which takes all that follows.
        case .binary(.arrow, _, _), .lambda: Precedence.lowest
        case .binary(let binary, _, _): Precedence.of(binary)
        case .concatenation: Precedence.other
        case .unary(.bitwiseNot, _): Precedence.other
        case .unary: Precedence.sign
        case .atTimeZone: Precedence.atTimeZone
        case .collate: Precedence.collate
        default: Precedence.primary
        }
    }

    private static func precedence(_ quantified: QuantifiedOperator) -> Int {
        switch quantified {
        case .binary(let binary): Precedence.of(binary)
        case .pattern: Precedence.matching
        }
    }

    /// The expression, in parentheses unless it binds at least as tightly as `minimum`.
    @inline(never)
    private mutating func write(_ expression: Expression, atLeast minimum: Int) {
        guard Self.precedence(expression) < minimum else { return write(expression) }
        text += "("
        write(expression)
        text += ")"
    }

    // MARK: Operators

    @inline(never)
    private mutating func writeOperator(_ expression: Expression) {
        switch expression.node {
        case .unary(let unary, let operand):
            text += unary.rawValue
            // Two signs in a row would be a comment, a tilde and a star another operator.
            if case .unary = operand.node { text += " " }
            write(operand, atLeast: unary == .bitwiseNot ? Precedence.other : Precedence.sign)
        case .binary(.arrow, let left, let right):
            write(left, atLeast: Precedence.other)
            text += " -> "
            write(right, atLeast: Precedence.sum)
        case .binary(let binary, let left, let right):
            let precedence = Precedence.of(binary)
            let isComparison = precedence == Precedence.comparison
            write(left, atLeast: isComparison ? precedence + 1 : precedence)
            text += " \(binary.rawValue) "
            write(right, atLeast: precedence + 1)
        case .and(let operands):
            writeChain(operands, " AND ", first: Precedence.and + 1, rest: Precedence.and + 1)
        case .or(let operands):
            writeChain(operands, " OR ", first: Precedence.or + 1, rest: Precedence.or + 1)
        case .concatenation(let operands):
            writeChain(operands, " || ", first: Precedence.other, rest: Precedence.sum)
        case .not(let operand):
            text += "NOT "
            write(operand, atLeast: Precedence.not)
        case .atTimeZone(let operand, let zone):
            write(operand, atLeast: Precedence.atTimeZone)
            text += " AT TIME ZONE "
            write(zone, atLeast: Precedence.collate)
        case .collate(let operand, let collation):
            write(operand, atLeast: Precedence.collate)
            text += " COLLATE "
            write(collation)
        default:
            break
        }
    }

    @inline(never)
    private mutating func writeChain(
        _ operands: [Expression],
        _ separator: String,
        first: Int,
        rest: Int
    ) {
        for (index, operand) in operands.enumerated() {
            if index > 0 { text += separator }
            write(operand, atLeast: index == 0 ? first : rest)
        }
    }

    // MARK: Tests

    @inline(never)
    private mutating func writeTest(_ expression: Expression) {
        switch expression.node {
        case .isTest(let operand, let test, let isNegated):
            write(operand, atLeast: Precedence.isTest)
            text += isNegated ? " IS NOT " : " IS "
            text += test.rawValue
        case .isDistinct(let left, let right, let isNegated):
            write(left, atLeast: Precedence.isTest)
            text += isNegated ? " IS NOT DISTINCT FROM " : " IS DISTINCT FROM "
            write(right, atLeast: Precedence.comparison)
        case .between(let between):
            write(between.operand, atLeast: Precedence.matching)
            text += between.isNegated ? " NOT BETWEEN " : " BETWEEN "
            if between.isSymmetric { text += "SYMMETRIC " }
            write(between.lower, atLeast: Precedence.other)
            text += " AND "
            write(between.upper, atLeast: Precedence.other)
        case .inList(let operand, let values, let isNegated):
            write(operand, atLeast: Precedence.matching)
            text += isNegated ? " NOT IN (" : " IN ("
            write(values)
            text += ")"
        case .inQuery(let operand, let query, let isNegated):
            write(operand, atLeast: Precedence.matching)
            text += isNegated ? " NOT IN " : " IN "
            writeParenthesised(query)
        case .inValue(let operand, let value, let isNegated):
            write(operand, atLeast: Precedence.matching)
            text += isNegated ? " NOT IN " : " IN "
            writeBareValue(value)
        case .pattern(let test):
            write(test)
        case .quantifiedQuery(let operand, let quantified, let quantifier, let query):
            writeQuantified(operand, quantified, quantifier)
            writeParenthesised(query)
        case .quantifiedValue(let operand, let quantified, let quantifier, let value):
            writeQuantified(operand, quantified, quantifier)
            text += "("
            write(value)
            text += ")"
        default:
            break
        }
    }

    /// The right side of `IN` without parentheses: it must not start with one, so a chain of arrows
    /// goes without those that `precedence` asks for.
    @inline(never)
    private mutating func writeBareValue(_ value: Expression) {
        switch value.node {
        case .binary(let binary, let left, let right)
        where Precedence.of(binary) == Precedence.other:
            writeBareValue(left)
            text += " \(binary.rawValue) "
            write(right, atLeast: Precedence.sum)
        case .concatenation(let operands):
            guard let first = operands.first else { return }
            writeBareValue(first)
            for operand in operands.dropFirst() {
                text += " || "
                write(operand, atLeast: Precedence.sum)
            }
        default:
            write(value, atLeast: Precedence.other)
        }
    }

    @inline(never)
    private mutating func writeQuantified(
        _ operand: Expression,
        _ quantified: QuantifiedOperator,
        _ quantifier: Quantifier
    ) {
        let precedence = Self.precedence(quantified)
        switch quantified {
        case .binary(let binary):
            let isComparison = precedence == Precedence.comparison
            write(operand, atLeast: isComparison ? precedence + 1 : precedence)
            text += " \(binary.rawValue) "
        case .pattern(let kind, let isNegated):
            write(operand, atLeast: Precedence.other)
            text += isNegated ? " NOT \(kind.rawValue) " : " \(kind.rawValue) "
        }
        text += "\(quantifier.rawValue) "
    }

    @inline(never)
    private mutating func write(_ test: PatternTest) {
        write(test.operand, atLeast: Precedence.matching)
        text += test.isNegated ? " NOT \(test.kind.rawValue) " : " \(test.kind.rawValue) "
        write(test.pattern, atLeast: Precedence.other)
        guard let escape = test.escape else { return }
        text += " ESCAPE "
        write(escape, atLeast: Precedence.other)
    }

    // MARK: Constants

    @inline(never)
    private mutating func write(_ literal: Literal) {
        switch literal {
        case .null: text += "NULL"
        case .boolean(let value): text += value ? "TRUE" : "FALSE"
        case .integer(let digits), .decimal(let digits): text += digits
        case .string(let value): writeString(value)
        case .blob(let bytes):
            text += "X'"
            for byte in bytes {
                let digits = String(byte, radix: 16, uppercase: true)
                text += digits.utf8.count == 1 ? "0\(digits)" : digits
            }
            text += "'"
        case .typed(let type, let value):
            write(type)
            text += " "
            writeString(value)
        }
    }

    @inline(never)
    private mutating func write(_ interval: IntervalExpression) {
        text += "INTERVAL "
        switch interval.value.node {
        case .literal(.string), .literal(.integer), .literal(.decimal), .parameter:
            write(interval.value)
        default:
            text += "("
            write(interval.value)
            text += ")"
        }
        if let field = interval.field { text += " \(field.rawValue.uppercased())" }
        if let last = interval.lastField { text += " TO \(last.rawValue.uppercased())" }
    }

    // MARK: Nested values

    @inline(never)
    private mutating func writeNested(_ expression: Expression) {
        switch expression.node {
        case .row(let values):
            text += "ROW("
            write(values)
            text += ")"
        case .structure(let entries):
            text += "{"
            list(entries) { printer, entry in
                if entry.name.isQuoted {
                    printer.writeString(entry.name.name)
                } else {
                    printer.write(entry.name, isLabel: true)
                }
                printer.text += ": "
                printer.write(entry.value)
            }
            text += "}"
        case .list(let elements):
            text += "["
            write(elements)
            text += "]"
        case .map(let entries):
            text += "MAP {"
            list(entries) { printer, entry in
                printer.write(entry.key)
                printer.text += ": "
                printer.write(entry.value)
            }
            text += "}"
        case .element(let base, let index):
            writeBase(base)
            text += "["
            write(index)
            text += "]"
        case .slice(let base, let lower, let upper, let step):
            writeBase(base)
            writeSlice(lower, upper, step)
        case .field(let base, let name):
            writeFieldBase(base)
            text += "."
            write(name, isLabel: true)
        case .lambda(let parameters, let body):
            text += "LAMBDA "
            list(parameters) { $0.write($1) }
            text += ": "
            write(body)
        default:
            break
        }
    }

    @inline(never)
    private mutating func writeSlice(
        _ lower: Expression?,
        _ upper: Expression?,
        _ step: Expression?
    ) {
        text += "["
        if let lower { write(lower) }
        text += ":"
        if let upper { write(upper) }
        if let step {
            // An empty upper bound is a minus there: two colons would be a cast.
            text += upper == nil ? "-:" : ":"
            write(step)
        }
        text += "]"
    }

    /// What a subscript can follow without parentheses.
    @inline(never)
    private mutating func writeBase(_ base: Expression) {
        switch base.node {
        case .column, .element, .slice, .field, .list, .function, .cast, .parameter, .literal,
            .structure, .map, .row, .cased:
            write(base)
        default:
            text += "("
            write(base)
            text += ")"
        }
    }

    /// A column before a dot would become a longer name.
    @inline(never)
    private mutating func writeFieldBase(_ base: Expression) {
        switch base.node {
        case .element, .slice, .field, .list, .function, .cast, .parameter, .literal(.string),
            .structure, .map, .row, .cased:
            write(base)
        default:
            text += "("
            write(base)
            text += ")"
        }
    }

    @inline(never)
    private mutating func write(_ cased: CaseExpression) {
        text += "CASE"
        if let operand = cased.operand {
            text += " "
            write(operand)
        }
        for branch in cased.branches {
            text += " WHEN "
            write(branch.condition)
            text += " THEN "
            write(branch.result)
        }
        if let otherwise = cased.otherwise {
            text += " ELSE "
            write(otherwise)
        }
        text += " END"
    }

    @inline(never)
    mutating func write(_ star: Star) {
        if !star.qualifier.isEmpty {
            write(star.qualifier)
            text += "."
        }
        text += "*"
        if !star.excluded.isEmpty {
            text += " EXCLUDE "
            parenthesised(star.excluded) { $0.write($1) }
        }
        if !star.replaced.isEmpty {
            text += " REPLACE "
            parenthesised(star.replaced) { printer, replacement in
                printer.write(replacement.expression)
                printer.text += " AS "
                printer.write(replacement.name)
            }
        }
        if !star.renamed.isEmpty {
            text += " RENAME "
            parenthesised(star.renamed) { printer, renaming in
                printer.write(renaming.old)
                printer.text += " AS "
                printer.write(renaming.new)
            }
        }
        if let pattern = star.pattern { write(pattern) }
    }

    // MARK: Calls

    @inline(never)
    mutating func write(_ call: FunctionCall) {
        if !writeWorded(call) { writePlain(call) }
        if !call.withinGroup.isEmpty {
            text += " WITHIN GROUP ("
            writeOrderBy(call.withinGroup)
            text += ")"
        }
        if let filter = call.filter {
            text += " FILTER (WHERE "
            write(filter)
            text += ")"
        }
        if let treatment = call.nullTreatment { text += " \(treatment.rawValue)" }
        switch call.over {
        case .none: break
        case .named(let name):
            text += " OVER "
            write(name)
        case .specification(let window):
            text += " OVER "
            write(window)
        }
    }

    @inline(never)
    private mutating func writePlain(_ call: FunctionCall) {
        write(call.name)
        text += "("
        if call.isDistinct { text += "DISTINCT " }
        list(call.arguments) { $0.write($1) }
        if !call.orderBy.isEmpty {
            if !call.arguments.isEmpty { text += " " }
            writeOrderBy(call.orderBy)
        }
        text += ")"
    }

    /// Writes the calls that other engines know only with words between their arguments; false for
    /// all others.
    @inline(never)
    private mutating func writeWorded(_ call: FunctionCall) -> Bool {
        guard call.name.count == 1, !call.isDistinct, call.orderBy.isEmpty,
            call.nullTreatment == nil, call.arguments.allSatisfy({ $0.name == nil })
        else { return false }
        let name = call.name[0]
        guard !name.isQuoted else { return false }
        let arguments = call.arguments.map(\.value)
        for argument in arguments {
            if case .star = argument.node { return false }
        }
        let isBare = call.filter == nil && call.over == nil && call.withinGroup.isEmpty
        switch (name.name.lowercased(), arguments.count) {
        case ("extract", 2):
            guard case .literal(.string) = arguments[0].node else { return false }
            writeWorded(name, [("", arguments[0]), (" FROM ", arguments[1])])
        case ("position", 2):
            writeWorded(name, [("", arguments[1]), (" IN ", arguments[0])])
        case ("overlay", 3), ("overlay", 4):
            writeWorded(name, Array(zip(["", " PLACING ", " FROM ", " FOR "], arguments)))
        case ("current_catalog", 0), ("current_date", 0), ("current_role", 0),
            ("current_schema", 0), ("current_time", 0), ("current_timestamp", 0),
            ("current_user", 0), ("localtime", 0), ("localtimestamp", 0), ("session_user", 0),
            ("user", 0):
            guard isBare else { return false }
            text += name.name
        default:
            return false
        }
        return true
    }

    private mutating func writeWorded(_ name: Identifier, _ parts: [(String, Expression)]) {
        text += "\(name.name)("
        for (words, value) in parts {
            text += words
            // The first of POSITION stops at IN, and so may what is written for it.
            write(value, atLeast: Precedence.other)
        }
        text += ")"
    }

    @inline(never)
    mutating func write(_ argument: FunctionArgument) {
        if let name = argument.name {
            write(name, isLabel: true)
            text += " => "
        }
        write(argument.value)
    }

    @inline(never)
    mutating func write(_ window: WindowSpecification) {
        var parts: [String] = []
        func part(_ write: (inout Printer) -> Void) {
            var printer = Printer()
            write(&printer)
            parts.append(printer.text)
        }
        if let base = window.base { part { $0.write(base) } }
        if !window.partitionBy.isEmpty {
            part { printer in
                printer.text += "PARTITION BY "
                printer.write(window.partitionBy)
            }
        }
        if !window.orderBy.isEmpty { part { $0.writeOrderBy(window.orderBy) } }
        if let frame = window.frame { part { $0.write(frame) } }
        text += "(\(parts.joined(separator: " ")))"
    }

    @inline(never)
    private mutating func write(_ frame: WindowFrame) {
        text += "\(frame.unit.rawValue) BETWEEN "
        write(frame.start)
        text += " AND "
        write(frame.end)
        if frame.exclusion != .noOthers { text += " EXCLUDE \(frame.exclusion.rawValue)" }
    }

    @inline(never)
    private mutating func write(_ bound: WindowFrame.Bound) {
        switch bound {
        case .unboundedPreceding: text += "UNBOUNDED PRECEDING"
        case .preceding(let distance):
            write(distance, atLeast: Precedence.other)
            text += " PRECEDING"
        case .currentRow: text += "CURRENT ROW"
        case .following(let distance):
            write(distance, atLeast: Precedence.other)
            text += " FOLLOWING"
        case .unboundedFollowing: text += "UNBOUNDED FOLLOWING"
        }
    }

    @inline(never)
    mutating func writeOrderBy(_ items: [OrderItem]) {
        text += "ORDER BY "
        list(items) { printer, item in
            printer.write(item.expression)
            printer.writeOrder(item.direction, item.nulls)
        }
    }

    mutating func writeOrder(_ direction: SortDirection?, _ nulls: NullOrder?) {
        if let direction { text += " \(direction.rawValue)" }
        if let nulls { text += " \(nulls.rawValue)" }
    }
}
