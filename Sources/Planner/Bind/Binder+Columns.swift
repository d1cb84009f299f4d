import Columnar
import SQL

/// `COLUMNS(…)`: an expression over several columns, one after the other.
extension Binder {
    /// What `COLUMNS` stands for: expressions and the names that they give.
    private typealias Chosen = [(expression: SQL.Expression, name: String)]

    /// A select item as the items it stands for.
    func expandColumns(_ item: SelectItem, _ scope: Scope) throws -> [SelectItem] {
        guard let unpacked = try unpacking(item.expression, scope) else {
            // `*COLUMNS(…)` alone is what it unpacks.
            guard case .function(let call) = item.expression.node,
                let columns = Self.columnsCall(in: call.arguments.first?.value)
            else { return [item] }
            return try chosen(columns, scope, at: item.expression.span).map {
                SelectItem(expression: $0.expression, alias: item.alias ?? Identifier($0.name))
            }
        }
        let (expressions, names, pattern) = try spread(unpacked, scope)
        guard let names else { return [SelectItem(expression: unpacked, alias: item.alias)] }
        return try zip(expressions, names).map { expression, name in
            var alias = item.alias?.name ?? name
            if let pattern, alias.contains("\\") { alias = try renamed(name, pattern, alias) }
            return SelectItem(expression: expression, alias: Identifier(alias))
        }
    }

    /// A condition with `COLUMNS`: it holds when it holds for every column.
    func expandCondition(_ condition: SQL.Expression, _ scope: Scope) throws -> SQL.Expression {
        guard let unpacked = try unpacking(condition, scope) else { return condition }
        let (expressions, names, _) = try spread(unpacked, scope)
        guard names != nil, expressions.count != 1 else { return expressions.first ?? unpacked }
        return SQL.Expression(.and(expressions), span: condition.span)
    }

    /// The call of `COLUMNS` that an expression is.
    private static func columnsCall(in expression: SQL.Expression?) -> FunctionCall? {
        guard let expression, case .function(let call) = expression.node,
            let name = call.name.last, !name.isQuoted, name.name.lowercased() == "columns",
            call.arguments.count == 1, call.over == nil
        else { return nil }
        return call
    }

    /// The columns of `*COLUMNS(…)` and `unpack(COLUMNS(…))`; nil for anything else.
    private static func unpackCall(in expression: SQL.Expression) -> FunctionCall? {
        guard case .function(let call) = expression.node, call.name.count == 1,
            call.name[0].name.lowercased() == "unpack"
        else { return nil }
        return columnsCall(in: call.arguments.first?.value)
    }

    /// The expression with every `*COLUMNS(…)` as so many arguments; nil when it is one itself.
    private func unpacking(_ expression: SQL.Expression, _ scope: Scope) throws -> SQL.Expression? {
        if Self.unpackCall(in: expression) != nil { return nil }
        let binder = self
        func unpacked(
            _ list: [SQL.Expression],
            _ rewriter: TreeRewriter
        ) throws -> [SQL.Expression] {
            var result: [SQL.Expression] = []
            for element in list {
                if let columns = Self.unpackCall(in: element) {
                    let chosen = try binder.chosen(columns, scope, at: element.span)
                    result += chosen.map { $0.expression }
                } else {
                    result.append(try rewriter.rewrite(element))
                }
            }
            return result
        }
        let rewriter = TreeRewriter(recursive: { part, rewriter in
            switch part.node {
            case .function(var call):
                guard call.arguments.contains(where: { Self.unpackCall(in: $0.value) != nil })
                else { return nil }
                call.arguments = try unpacked(call.arguments.map { $0.value }, rewriter).map {
                    FunctionArgument(value: $0)
                }
                return SQL.Expression(.function(call), span: part.span)
            case .inList(let operand, let list, let isNegated):
                let node = SQL.Expression.Node.inList(
                    try rewriter.rewrite(operand),
                    try unpacked(list, rewriter),
                    isNegated: isNegated
                )
                return SQL.Expression(node, span: part.span)
            case .list(let list):
                return SQL.Expression(.list(try unpacked(list, rewriter)), span: part.span)
            default: return try Self.queryOfItsOwn(part, rewriter)
            }
        })
        return try rewriter.rewrite(expression)
    }

    /// A query inside of an expression has columns of its own; nil for anything else.
    private static func queryOfItsOwn(
        _ part: SQL.Expression,
        _ rewriter: TreeRewriter
    ) throws -> SQL.Expression? {
        switch part.node {
        case .subquery, .exists, .listQuery: return part
        case .inQuery(let operand, let query, let isNegated):
            let node = SQL.Expression.Node.inQuery(
                try rewriter.rewrite(operand),
                query,
                isNegated: isNegated
            )
            return SQL.Expression(node, span: part.span)
        case .quantifiedQuery(let operand, let op, let quantifier, let query):
            let node = SQL.Expression.Node.quantifiedQuery(
                try rewriter.rewrite(operand),
                op,
                quantifier,
                query
            )
            return SQL.Expression(node, span: part.span)
        default: return nil
        }
    }

    /// The expression once for each column of its `COLUMNS`; without names where it has none.
    private func spread(
        _ expression: SQL.Expression,
        _ scope: Scope
    ) throws -> (expressions: [SQL.Expression], names: [String]?, pattern: String?) {
        var found: [(call: FunctionCall, span: SourceSpan)] = []
        _ = try TreeRewriter(recursive: { part, rewriter in
            guard let call = Self.columnsCall(in: part) else {
                return try Self.queryOfItsOwn(part, rewriter)
            }
            found.append((call, part.span))
            return part
        }).rewrite(expression)
        guard let call = found.first?.call else { return ([expression], nil, nil) }
        if let other = found.first(where: { $0.call != call }) {
            throw PlanError(
                .invalid,
                "one expression cannot have different COLUMNS",
                at: other.span
            )
        }
        let columns = try chosen(call, scope, at: expression.span)
        var pattern: String?
        if case .literal(.string(let text)) = call.arguments[0].value.node { pattern = text }
        var expressions: [SQL.Expression] = []
        for column in columns {
            let replacing = TreeRewriter(recursive: { part, rewriter in
                if Self.columnsCall(in: part) != nil { return column.expression }
                return try Self.queryOfItsOwn(part, rewriter)
            })
            expressions.append(try replacing.rewrite(expression))
        }
        return (expressions, columns.map { $0.name }, pattern)
    }

    private func chosen(_ call: FunctionCall, _ scope: Scope, at span: SourceSpan) throws -> Chosen
    {
        let qualifier = Array(call.name.dropLast())
        let argument = call.arguments[0].value
        if case .star(var star) = argument.node {
            if star.qualifier.isEmpty { star.qualifier = qualifier }
            let node = SQL.Expression(.star(star), span: argument.span)
            return try expandStarItem(SelectItem(expression: node), scope).map {
                ($0.expression, $0.alias?.name ?? "")
            }
        }
        let all: Chosen = try expandStarItem(
            SelectItem(
                expression: SQL.Expression(.star(Star(qualifier: qualifier)), span: span)
            ),
            scope
        ).map { ($0.expression, $0.alias?.name ?? "") }
        let names = all.map(\.name)
        switch argument.node {
        case .list(let elements):
            return try elements.map { element in
                let name: String
                switch element.node {
                case .literal(.string(let text)): name = text
                case .column(let parts): name = parts.last?.name ?? ""
                default:
                    throw PlanError(
                        .invalid,
                        "COLUMNS takes a list of names",
                        at: element.span
                    )
                }
                guard let one = all.first(where: { Identifier(name).means($0.name) }) else {
                    throw Self.unknownColumn(name, names, at: element.span)
                }
                return one
            }
        default: break
        }
        if let (parameters, body) = argument.lambdaParts, parameters.count == 1 {
            return try all.filter { one in
                let named = SQL.Expression(.literal(.string(one.name)), span: argument.span)
                let condition = try TreeRewriter(expression: { part in
                    guard case .column(let name) = part.node, name.count == 1,
                        parameters[0].means(name[0].name)
                    else { return nil }
                    return named
                }).rewrite(body)
                var binder = self
                return try binder.constant(condition, as: .boolean) == .boolean(true)
            }
        }
        var binder = self
        guard case .string(let pattern) = try binder.constant(argument, as: .string) else {
            throw PlanError(
                .invalid,
                "COLUMNS takes *, a regular expression, a list of names or a lambda",
                at: argument.span
            )
        }
        let matching = try all.filter {
            try matches($0.name, .regularExpression(ignoringCase: false, isWhole: false), pattern)
        }
        guard !matching.isEmpty else {
            throw PlanError(
                .invalid,
                "no column matches '\(pattern)'",
                hint: "There are: \(names.prefix(20).joined(separator: ", ")).",
                at: argument.span
            )
        }
        return matching
    }

    /// Whether a name matches a pattern.
    func matches(_ name: String, _ language: PatternLanguage, _ pattern: String) throws -> Bool {
        try environment.evaluate(
            .pattern(
                language,
                .constant(.string(name), .string),
                pattern: .constant(.string(pattern), .string),
                escape: nil,
                isNegated: false
            )
        ) == .boolean(true)
    }

    /// `'\1'` of an alias as what the pattern's group found in the name.
    private func renamed(_ name: String, _ pattern: String, _ alias: String) throws -> String {
        let value = try environment.evaluate(
            .call(
                .regexpReplace,
                [
                    .constant(.string(name), .string),
                    .constant(.string("^.*?(?:\(pattern)).*$"), .string),
                    .constant(.string(alias), .string),
                ],
                .string
            )
        )
        if case .string(let text) = value { return text }
        return alias
    }

    static func unknownColumn(
        _ name: String,
        _ names: [String],
        at span: SourceSpan
    ) -> PlanError {
        PlanError(
            .invalid,
            "column \"\(name)\" does not exist",
            hint: nearest(to: name, among: names).map { "Did you mean \"\($0)\"?" },
            at: span
        )
    }

    /// The columns whose names are like a pattern.
    func chosen(_ columns: [ScopeColumn], _ test: StarPattern) throws -> [ScopeColumn] {
        var binder = self
        guard case .string(let pattern) = try binder.constant(test.pattern, as: .string) else {
            throw PlanError(.invalid, "the pattern of a star is a text", at: test.pattern.span)
        }
        let language: PatternLanguage
        switch test.kind {
        case .like: language = .like(ignoringCase: false)
        case .ilike: language = .like(ignoringCase: true)
        case .similarTo: language = .regularExpression(ignoringCase: false, isWhole: true)
        case .glob: language = .glob
        }
        let chosen = try columns.filter {
            try matches($0.name, language, pattern) != test.isNegated
        }
        guard !chosen.isEmpty else {
            throw PlanError(
                .invalid,
                "no column is \(test.isNegated ? "not " : "")like '\(pattern)'",
                hint: "There are: \(columns.prefix(20).map(\.name).joined(separator: ", ")).",
                at: test.pattern.span
            )
        }
        return chosen
    }

    /// `ORDER BY COLUMNS(…)`: every column in turn.
    func expandOrder(_ item: OrderItem, _ scope: Scope) throws -> [OrderItem] {
        guard case .function = item.expression.node else { return [item] }
        return try expandColumns(SelectItem(expression: item.expression), scope).map {
            OrderItem(expression: $0.expression, direction: item.direction, nulls: item.nulls)
        }
    }
}
