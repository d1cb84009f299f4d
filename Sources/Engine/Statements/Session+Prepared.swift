import Columnar
import Execution
import Planner
import SQL

/// Statements that are named and run later, and macros: both live as long as the session.
extension Session {
    /// The most of each that a session keeps.
    private static let namedCountMax = 10_000

    // MARK: PREPARE, EXECUTE, DEALLOCATE

    func runPrepare(_ prepare: Prepare, _ consume: @escaping Consumer) async throws {
        switch prepare.statement {
        case .prepare, .execute, .deallocate:
            throw PlanError(
                .invalid,
                "a statement about prepared statements cannot be prepared",
                at: prepare.span
            )
        default: break
        }
        // The types must be right even if nobody runs the statement.
        for type in prepare.types { _ = try DataType(type) }
        try checkRoom(preparedStatements.count, "prepared statements", at: prepare.span)
        preparedStatements[prepare.name.folded] = prepare
        try await consume(.done(StatementSummary(tag: "PREPARE")))
    }

    func runExecute(
        _ execute: Execute,
        _ parameters: Parameters,
        _ consume: @escaping Consumer
    ) async throws {
        guard let prepared = preparedStatements[execute.name.folded] else {
            throw PlanError(
                .invalid,
                "there is no prepared statement \"\(execute.name.name)\"",
                hint: nearest(to: execute.name.name, among: preparedStatements.keys)
                    .map { "Did you mean \"\($0)\"?" },
                at: execute.name.span
            )
        }
        var values: Parameters = [:]
        var number = 0
        for argument in execute.arguments {
            var binder = Binder(environment: environment(parameters))
            var (value, type) = try binder.typedConstant(argument.value)
            let parameter: Parameter
            if let name = argument.name {
                parameter = .named(name.name)
            } else {
                number += 1
                parameter = .numbered(number)
                if number <= prepared.types.count {
                    type = try DataType(prepared.types[number - 1])
                    value = try binder.constant(argument.value, as: type)
                }
            }
            guard values.updateValue((value, type), forKey: parameter) == nil else {
                throw PlanError(
                    .invalid,
                    "\(parameter) is given twice",
                    at: argument.value.span
                )
            }
        }
        let used = prepared.statement.parameters
        if let missing = used.first(where: { values[$0] == nil }) {
            throw PlanError(
                .invalid,
                "no value is given for parameter \(missing) of \"\(execute.name.name)\"",
                at: execute.span
            )
        }
        if let extra = values.keys.first(where: { !used.contains($0) }) {
            throw PlanError(
                .invalid,
                "\"\(execute.name.name)\" has no parameter \(extra)",
                hint: used.isEmpty
                    ? "It has no parameters."
                    : "It has \(used.map(\.description).joined(separator: ", ")).",
                at: execute.span
            )
        }
        do {
            try await run(prepared.statement, parameters: values, consume: consume)
        } catch var error as PlanError {
            // Its place is in another text.
            error.position = nil
            throw error
        }
    }

    func runDeallocate(_ statement: Deallocate, _ consume: @escaping Consumer) async throws {
        if let name = statement.name {
            guard preparedStatements.removeValue(forKey: name.folded) != nil else {
                throw PlanError(
                    .invalid,
                    "there is no prepared statement \"\(name.name)\"",
                    at: name.span
                )
            }
        } else {
            preparedStatements = [:]
        }
        try await consume(.done(StatementSummary(tag: "DEALLOCATE")))
    }

    private func checkRoom(_ count: Int, _ what: String, at span: SourceSpan) throws {
        guard count < Self.namedCountMax else {
            throw PlanError(
                .invalid,
                "a session keeps at most \(Self.namedCountMax) \(what)",
                at: span
            )
        }
    }

    // MARK: Macros

    func runCreateMacro(_ create: CreateMacro, _ consume: @escaping Consumer) async throws {
        guard let name = create.name.last, create.name.count <= 2 else {
            throw PlanError(.invalid, "a macro has a name of one part", at: create.span)
        }
        for definition in create.definitions {
            var names: Set<String> = []
            var hasDefault = false
            for parameter in definition.parameters {
                guard names.insert(parameter.name.name.lowercased()).inserted else {
                    throw PlanError(
                        .invalid,
                        "the parameter \"\(parameter.name.name)\" is there twice",
                        at: parameter.name.span
                    )
                }
                guard !hasDefault || parameter.defaultValue != nil else {
                    throw PlanError(
                        .invalid,
                        "a parameter without a default follows one that has it",
                        at: parameter.name.span
                    )
                }
                hasDefault = parameter.defaultValue != nil
            }
        }
        let key = name.name.lowercased()
        if macros[key] != nil, !create.isOrReplace {
            guard create.isIfNotExists else {
                throw PlanError(
                    .invalid,
                    "the macro \"\(name.name)\" exists already",
                    hint: "Write CREATE OR REPLACE MACRO to replace it.",
                    at: name.span
                )
            }
        } else {
            try checkRoom(macros.count, "macros", at: create.span)
            macros[key] = create
        }
        try await consume(.done(StatementSummary(tag: "CREATE MACRO")))
    }

    func runDropMacro(_ drop: DropMacro, _ consume: @escaping Consumer) async throws {
        let name = drop.name.last?.name ?? ""
        guard macros.removeValue(forKey: name.lowercased()) != nil || drop.isIfExists else {
            throw PlanError(
                .invalid,
                "there is no macro \"\(name)\"",
                hint: nearest(to: name, among: macros.keys).map { "Did you mean \($0)?" },
                at: drop.name.span
            )
        }
        try await consume(.done(StatementSummary(tag: "DROP MACRO")))
    }

    // MARK: Rows that a binder asks for

    /// Runs what must be known before a statement can be bound, and notes it in the environment.
    func answer(
        _ needed: NeededRows,
        _ resolver: SourceResolver,
        _ environment: inout BindingEnvironment
    ) async throws {
        try Task.checkCancellation()
        let prepared = try finish(needed.plan, resolver)
        let countMax = needed.rowCountMax
        let what = needed.what
        environment.answers[needed.number] = try await withRows(of: prepared) { stream in
            var rows: [[Value]] = []
            while let batch = try await stream.next() {
                guard rows.count + batch.rowCount <= countMax else {
                    throw PlanError(.invalid, "there are more than \(countMax) \(what)")
                }
                for row in 0..<batch.rowCount {
                    rows.append(batch.columns.map { $0.value(at: row) })
                }
            }
            return rows
        }
    }
}
