import Columnar
import SQL

extension Binder {
    /// `current_setting('name')`, `current_setting('name', true)`: what SET has said, or stands by
    /// default; nil for another function.
    mutating func bindSetting(
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        guard call.name.count == 1, call.name[0].name.lowercased() == "current_setting",
            call.over == nil
        else { return nil }
        guard (1...2).contains(call.arguments.count),
            case .string(let name) = try constant(call.arguments[0].value, as: .string)
        else {
            throw PlanError(.invalid, "current_setting takes the name of a setting", at: span)
        }
        if let value = environment.settings[name.lowercased()] {
            if let number = Int64(value) { return .constant(.int64(number), .int64) }
            return .constant(.string(value), .string)
        }
        if call.arguments.count == 2,
            try constant(call.arguments[1].value, as: .boolean) == .boolean(true)
        {
            return .constant(.null, .string)
        }
        throw PlanError(
            .invalid,
            "there is no setting \"\(name)\"",
            hint: nearest(to: name, among: environment.settings.keys.sorted())
                .map { "Did you mean \($0)?" } ?? "SHOW ALL lists the settings.",
            at: call.arguments[0].value.span
        )
    }
}

extension Binder {
    /// Says so where it is the table of a qualified name that is not there, not the column.
    func checkQualifier(_ name: ObjectName, _ scope: Scope) throws {
        let qualifier = Array(name.dropLast())
        guard !qualifier.isEmpty else { return }
        let all = scope.columns + outerLevels.flatMap { $0.scope.columns }
        if all.contains(where: { Scope.qualifies(qualifier, $0.qualifier) }) { return }
        let text = qualifier.map(\.name).joined(separator: ".")
        var tables: [String] = []
        for column in all {
            if let table = column.qualifier.last, !tables.contains(table) { tables.append(table) }
        }
        let near = nearest(to: qualifier.last?.name ?? "", among: tables)
        throw PlanError(
            .invalid,
            "there is no table \"\(text)\" in FROM",
            hint: near.map { "Did you mean \"\($0)\"?" }
                ?? (tables.isEmpty ? nil : "There are: \(tables.joined(separator: ", "))."),
            at: name.span
        )
    }
}

extension Binder {
    func unknownFunction(_ name: String, at span: SourceSpan) -> PlanError {
        let near = nearest(
            to: name,
            among: FunctionCatalog.names + Self.windowOnly.sorted()
                + environment.macros.keys.sorted()
        )
        return PlanError(
            .invalid,
            "function \(name) does not exist",
            hint: near.map { "Did you mean \($0)?" },
            at: span
        )
    }

    /// Says what is wrong with `f(*)` of a function that is no aggregate.
    func refuseStar(in call: FunctionCall, _ name: String) throws {
        for argument in call.arguments {
            guard case .star = argument.value.node else { continue }
            guard FunctionCatalog.names.contains(name) else {
                throw unknownFunction(name, at: call.name.span)
            }
            throw PlanError(.invalid, "\(name) does not take *", at: argument.value.span)
        }
    }
}
