import Columnar
import SQL

/// Macros: calls that stand for an expression or a query with their arguments put in.
extension Binder {
    /// How deep macros may call macros.
    private static let macroDepthMax = 64

    /// What a call of a macro means; nil when there is no macro of that name.
    mutating func bindMacro(
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        guard let macro = macro(call.name) else { return nil }
        guard call.over == nil, !call.isDistinct, call.filter == nil, call.orderBy.isEmpty,
            call.withinGroup.isEmpty
        else {
            throw PlanError(
                .invalid,
                "\(macro.name.text) is a macro: DISTINCT, FILTER, ORDER BY and OVER go into it",
                at: span
            )
        }
        let (definition, values) = try chosen(macro, call.arguments, at: span)
        guard case .expression(let body) = definition.body else {
            throw PlanError(
                .invalid,
                "\(macro.name.text) is a table macro",
                hint: "Write SELECT … FROM \(macro.name.text)(…).",
                at: span
            )
        }
        macroDepth += 1
        defer { macroDepth -= 1 }
        guard macroDepth <= Self.macroDepthMax else { throw Self.tooDeep(macro, span) }
        let rewriter = rewriter(values, context.scope)
        defer { macroFrames.removeLast() }
        do {
            return try bind(try rewriter.rewrite(body), &context)
        } catch var error as PlanError {
            error.move(to: span)
            throw error
        }
    }

    /// The query that a call of a table macro stands for; nil when there is no macro of that name.
    mutating func bindTableMacro(_ function: TableFunction) throws -> LogicalPlan? {
        guard let macro = macro(function.call.name) else { return nil }
        let (definition, values) = try chosen(macro, function.call.arguments, at: function.span)
        guard case .table(let body) = definition.body else {
            throw PlanError(
                .invalid,
                "\(macro.name.text) is a macro of one value, no table",
                hint: "Write SELECT \(macro.name.text)(…).",
                at: function.span
            )
        }
        macroDepth += 1
        defer { macroDepth -= 1 }
        guard macroDepth <= Self.macroDepthMax else { throw Self.tooDeep(macro, function.span) }
        let rewriter = rewriter(values, nil)
        defer { macroFrames.removeLast() }
        do {
            return uniquelyNamed(try bind(query: try rewriter.rewrite(body)))
        } catch var error as PlanError {
            error.move(to: function.span)
            throw error
        }
    }

    private static func tooDeep(_ macro: CreateMacro, _ span: SourceSpan) -> PlanError {
        PlanError(
            .invalid,
            "macros call each other more than \(macroDepthMax) deep in \(macro.name.text)",
            at: span
        )
    }

    private func macro(_ name: ObjectName) -> CreateMacro? {
        guard !environment.macros.isEmpty, let last = name.last else { return nil }
        return environment.macros[last.name.lowercased()]
    }

    /// The definition that takes the arguments, and the value of each of its parameters.
    private func chosen(
        _ macro: CreateMacro,
        _ arguments: [FunctionArgument],
        at span: SourceSpan
    ) throws -> (CreateMacro.Definition, [String: SQL.Expression]) {
        for definition in macro.definitions {
            var values: [String: SQL.Expression] = [:]
            var places = definition.parameters[...]
            var fits = true
            for argument in arguments {
                if let name = argument.name {
                    guard definition.parameters.contains(where: { name.means($0.name.name) }),
                        values[name.name.lowercased()] == nil
                    else {
                        fits = false
                        break
                    }
                    values[name.name.lowercased()] = argument.value
                } else {
                    guard let next = places.popFirst() else {
                        fits = false
                        break
                    }
                    values[next.name.name.lowercased()] = argument.value
                }
            }
            for parameter in definition.parameters where fits {
                let key = parameter.name.name.lowercased()
                if values[key] == nil { values[key] = parameter.defaultValue }
                if values[key] == nil { fits = false }
            }
            if fits { return (definition, values) }
        }
        let forms = macro.definitions.map { definition in
            let parameters = definition.parameters.map { parameter in
                parameter.name.name
                    + (parameter.defaultValue.map { " := \(Printer.print($0))" } ?? "")
            }
            return "\(macro.name.text)(\(parameters.joined(separator: ", ")))"
        }
        throw PlanError(
            .invalid,
            "the macro \(macro.name.text) does not take these arguments",
            hint: "It is \(forms.joined(separator: " or ")).",
            at: span
        )
    }

    /// What the arguments of a macro under expansion mean where it is called.
    struct MacroFrame {
        var values: [String: SQL.Expression]
        /// The columns that the call sees; nil for a table macro, which sees only those around.
        var scope: Scope?
        var levelCount: Int
    }

    /// The first part of a name that stands for an argument: no text can write it.
    private static let argumentMark = "\u{0}"

    /// Begins a macro, whose parameters become names of the arguments: these mean what they mean at the
    /// call, also inside of subqueries that have columns of the same names.
    private mutating func rewriter(
        _ values: [String: SQL.Expression],
        _ scope: Scope?
    ) -> TreeRewriter {
        let frame = macroFrames.count
        macroFrames.append(
            MacroFrame(values: values, scope: scope, levelCount: outerLevels.count)
        )
        return TreeRewriter(expression: { part in
            guard case .column(let name) = part.node, name.count == 1,
                let value = values[name[0].name.lowercased()]
            else { return nil }
            switch value.node {
            case .literal, .parameter: return value
            default:
                let mark = Identifier("\(Self.argumentMark)\(frame)", isQuoted: true)
                return SQL.Expression(.column([mark, name[0]]), span: value.span)
            }
        })
    }

    /// The argument of a macro that a name stands for; nil for any other name.
    mutating func bindMacroArgument(
        _ name: ObjectName,
        _ context: inout ExpressionContext
    ) throws -> BoundExpression? {
        guard name.count == 2, name[0].name.hasPrefix(Self.argumentMark),
            let number = Int(name[0].name.dropFirst()), macroFrames.indices.contains(number),
            let value = macroFrames[number].values[name[1].name.lowercased()]
        else { return nil }
        let frame = macroFrames[number]
        if frame.scope != nil, outerLevels.count == frame.levelCount {
            return try bind(value, &context)
        }
        let saved = outerLevels
        outerLevels.removeLast(max(0, outerLevels.count - frame.levelCount))
        defer { outerLevels = saved }
        var outer = ExpressionContext(scope: frame.scope ?? Scope(), clause: context.clause)
        let bound = try bind(value, &outer)
        guard outer.attachments.isEmpty else {
            throw PlanError(
                .unsupported,
                "a subquery cannot be an argument that a macro uses inside of a subquery",
                at: value.span
            )
        }
        return bound
    }
}

extension PlanError {
    /// Puts the blame on a call: what it stands for is written somewhere else.
    fileprivate mutating func move(to span: SourceSpan) {
        position = span.lengthBytes > 0 ? span.position : nil
        lengthBytes = span.lengthBytes
    }
}

extension [Identifier] {
    /// The dotted name, for messages.
    fileprivate var text: String { map(\.name).joined(separator: ".") }
}

extension Binder {
    /// A name of the select list of a query around this one, as what it stands for there; nil where
    /// there is none, or where it is more than an expression of that query's columns.
    mutating func bindOuterAlias(_ name: ObjectName) throws -> BoundExpression? {
        guard name.count == 1 else { return nil }
        for index in outerLevels.indices.reversed() {
            let level = outerLevels[index]
            guard let alias = level.aliases.first(where: { name[0].means($0.name.name) }) else {
                continue
            }
            let saved = outerLevels
            outerLevels.removeLast(outerLevels.count - index)
            defer { outerLevels = saved }
            var outer = ExpressionContext(scope: level.scope, clause: "a subquery")
            outer.aliases = level.aliases
            outer.openAliases = [alias.name.name]
            let bound = try bind(alias.expression, &outer)
            return outer.attachments.isEmpty ? bound : nil
        }
        return nil
    }
}
