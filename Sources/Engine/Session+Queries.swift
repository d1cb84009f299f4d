import Ambient
import Catalog
import Columnar
import Execution
import ObjectStorage
import Planner
import SQL

/// A query that is ready to run.
struct PreparedQuery: Sendable {
    /// As it was bound: what lineage is read from.
    var bound: LogicalPlan
    var optimised: LogicalPlan
    var physical: PhysicalPlan
    var schema: Schema
    var sources: StatementSources
    /// What the plan reads, by source number.
    var inputs: [ResolvedSource]
    /// The views that the query goes through.
    var views: Set<TableIdentifier> = []
    /// How it runs.
    var options: QueryOptions
    /// The temporary views that it goes through.
    var usesTemporary: Set<String> = []
}

/// Rows that a query may name though no catalog has them.
struct GivenTable: Sendable {
    var name: String
    var schema: Schema
    var source: any OpenedSource
}

/// What a name in a statement turned out to be.
struct ResolvedSource: Sendable {
    var table: SourceTable
    /// The table and snapshot, for lineage; nil for files and metadata tables.
    var origin: TableOrigin?
    /// The file or pattern that was read, when it is no table.
    var path: String?
}

/// A table at one snapshot.
struct TableOrigin: Sendable, Hashable {
    var identifier: TableIdentifier
    var uuid: String
    /// nil for a table without data.
    var snapshotID: Int64?
}

extension Session {
    func environment(_ parameters: Parameters) -> BindingEnvironment {
        var environment = BindingEnvironment(
            parameters: parameters,
            nowMicros: engine.options.ambient.time.nowMicros(),
            evaluate: { try evaluateConstant($0) }
        )
        environment.version = Engine.version
        environment.user = context.actor
        environment.namespace = namespace
        environment.macros = macros
        environment.settings = settingValues
        environment.nullsFirst = settings.nullPlacement
        environment.isDescending = settings.isDescending
        environment.timeZone = timeZone
        if let tableBranch { environment.settings["table_branch"] = tableBranch }
        return environment
    }

    /// Binds a query, opening what it names as it turns out, all at one state of the catalog.
    ///
    /// - Parameter given: names that mean rows which are in no catalog.
    func prepare(
        _ query: Query,
        _ parameters: Parameters,
        given: [GivenTable] = []
    ) async throws -> PreparedQuery {
        let resolver = SourceResolver(session: self)
        var environment = environment(parameters)
        for given in given {
            let id = resolver.sources.add(given.source)
            environment.tables[.named([given.name], version: nil)] = .success(
                SourceTable(sourceID: id, name: given.name, schema: given.schema)
            )
        }
        while true {
            do {
                var binder = Binder(environment: environment)
                let bound = try binder.bind(query: query)
                return try finish(bound, resolver)
            } catch let missing as MissingTable {
                try await supply(missing, to: &environment, resolver)
            } catch let needed as NeededRows {
                try await answer(needed, resolver, &environment)
            }
        }
    }

    func finish(_ bound: LogicalPlan, _ resolver: SourceResolver) throws -> PreparedQuery {
        let optimiser = Optimiser(evaluate: { try evaluateConstant($0) })
        let optimised = optimiser.optimise(bound)
        let physical = try PhysicalPlanner().plan(optimised)
        let schema = Schema(
            bound.columns.map { Field($0.name, $0.type, isNullable: $0.isNullable) }
        )
        return PreparedQuery(
            bound: bound,
            optimised: optimised,
            physical: physical,
            schema: schema,
            sources: resolver.sources,
            inputs: resolver.inputs,
            views: resolver.views,
            options: queryOptions,
            usesTemporary: resolver.usesTemporary
        )
    }

    /// Runs a prepared query and hands its rows to `body`.
    nonisolated func withRows<R: Sendable>(
        of prepared: PreparedQuery,
        profile: QueryProfile? = nil,
        _ body: @Sendable @escaping (ResultStream) async throws -> R
    ) async throws -> R {
        try await prepared.sources.serving {
            try await withResult(
                of: prepared.physical,
                schema: prepared.schema,
                provider: prepared.sources,
                options: prepared.options,
                profile: profile,
                body
            )
        }
    }

    func runQuery(
        _ query: Query,
        _ parameters: Parameters,
        _ consume: @escaping Consumer
    ) async throws {
        let prepared = try await prepare(query, parameters)
        let zone = timeZone
        try await withRows(of: prepared) {
            $0.timeZone = zone
            try await consume(.rows($0))
        }
    }

    func runDescribe(
        _ describe: Describe,
        _ parameters: Parameters,
        _ consume: @escaping Consumer
    ) async throws {
        switch describe.subject {
        case .query(let query): try await self.describe(query, parameters, consume)
        case .table(let name):
            try await self.describe(
                Query(body: .table(name), span: describe.span),
                parameters,
                consume
            )
        }
    }

    /// The columns of a query.
    func describe(
        _ query: Query,
        _ parameters: Parameters,
        _ consume: @escaping Consumer
    ) async throws {
        let prepared = try await prepare(query, parameters)
        try await consumeRows(
            Schema([
                Field("column_name", .string), Field("column_type", .string),
                Field("nullable", .boolean),
            ]),
            prepared.schema.fields.map {
                [.string($0.name), .string($0.type.description), .boolean($0.isNullable)]
            },
            consume
        )
    }

    /// Hands over rows that are already there.
    func consumeRows(
        _ schema: Schema,
        _ rows: [[Value]],
        _ consume: @escaping Consumer
    ) async throws {
        let batch = RecordBatch(schema, rows)
        let sources = StatementSources()
        let id = sources.add(BatchSource(batches: [batch]))
        let plan = PhysicalPlan.scan(
            PhysicalPlan.Scan(
                id: 0,
                table: SourceTable(sourceID: id, name: "result", schema: schema),
                positions: Array(schema.fields.indices),
                types: schema.fields.map(\.type),
                filters: [],
                output: Array(schema.fields.indices)
            )
        )
        var options = engine.options.query
        options.threadCount = 1
        let queryOptions = options
        try await sources.serving {
            try await withResult(
                of: plan,
                schema: schema,
                provider: sources,
                options: queryOptions
            ) { try await consume(.rows($0)) }
        }
    }
}
