import Ambient
import Catalog
import Columnar
import Iceberg
import Lineage
import Planner
import SQL
import Tables

/// Binds views at one state of the catalog, to know what they read; of tables only schemas are looked at.
///
/// Another view is to a view what a table is, so that one that many read is bound once.
struct ViewBinding {
    /// View metadata that are read at once.
    private static let parallelCountMax = 32

    /// One that has neither macros nor tables nor views of its own: what a new session would see.
    let session: Session
    let snapshot: CatalogSnapshot
    let catalog: WarehouseCatalog
    let memory: ViewMemory
    private var bound: [TableIdentifier: BoundView] = [:]
    /// Each after those that it reads.
    private var order: [TableIdentifier] = []
    private var found: [TableRequest: BoundView.Outcome] = [:]
    /// Views that are being bound, each by the one before.
    private var open: [TableIdentifier] = []
    /// What cannot be told to be the same later: views that read files, and those that contain themselves.
    private var unkept: Set<TableIdentifier> = []

    init(_ session: Session, _ snapshot: CatalogSnapshot, _ catalog: WarehouseCatalog) {
        (self.session, self.snapshot, self.catalog) = (session, snapshot, catalog)
        memory = session.engine.viewMemory
    }

    /// Whether all that was bound is good for the same state again.
    var isAllKept: Bool { unkept.isEmpty }

    /// What views read, and those that they read, each after those.
    ///
    /// - Throws: `CancellationError`, and what is no fault of a view's.
    mutating func readings(of views: [TableIdentifier]) async throws -> [ViewReading] {
        let (catalog, snapshot, memory) = (catalog, snapshot, memory)
        let unread = try views.filter {
            memory.view(at: try snapshot.state.existingView($0).metadataLocation) == nil
        }
        // They come from where they are kept when they are needed, and so do errors.
        _ = try await mapBounded(unread, countMax: Self.parallelCountMax) {
            try? await catalog.loadView($0, in: snapshot)
        }
        for view in views { _ = try await bind(view) }
        return order.compactMap { bound[$0]?.reading }
    }

    private mutating func bind(_ view: TableIdentifier) async throws -> BoundView {
        if let known = bound[view] { return known }
        try Task.checkCancellation()
        let location = try snapshot.state.existingView(view).metadataLocation
        open.append(view)
        let result: BoundView
        if let kept = memory.view(at: location), kept.view == view, try await isCurrent(kept) {
            result = kept
        } else {
            result = try await make(view)
            if !unkept.contains(view) { memory.note(result, at: location) }
        }
        open.removeLast()
        bound[view] = result
        order.append(view)
        return result
    }

    private mutating func isCurrent(_ view: BoundView) async throws -> Bool {
        for dependency in view.dependencies {
            let now = try await outcome(of: dependency.request)
            if !now.isSame(as: dependency.outcome) { return false }
        }
        return true
    }

    // MARK: One view

    private mutating func make(_ view: TableIdentifier) async throws -> BoundView {
        var dependencies: [BoundView.Dependency] = []
        let metadata: ViewMetadata
        do {
            metadata = try await catalog.loadView(view, in: snapshot)
        } catch {
            try Self.rethrowCancellation(error)
            // What its text mentions is not known: it may be anything.
            unkept.insert(view)
            return failed(view, nil, error, dependencies)
        }
        do {
            let plan = try await plan(try metadata.definition(of: view), view, &dependencies)
            return BoundView(
                stamp: memory.makeStamp(),
                view: view,
                reading: reading(view, metadata, plan, dependencies),
                schema: Columnar.Schema(
                    plan.columns.map { Field($0.name, $0.type, isNullable: $0.isNullable) }
                ),
                dependencies: dependencies
            )
        } catch {
            try Self.rethrowCancellation(error)
            return failed(view, metadata, error, dependencies)
        }
    }

    private static func rethrowCancellation(_ error: any Error) throws {
        if error is CancellationError { throw error }
    }

    private func failed(
        _ view: TableIdentifier,
        _ metadata: ViewMetadata?,
        _ error: any Error,
        _ dependencies: [BoundView.Dependency]
    ) -> BoundView {
        var reason = (error as? PlanError)?.message ?? "\(error)"
        let prefix = "view \(view): "
        if reason.hasPrefix(prefix) { reason.removeFirst(prefix.count) }
        let reading = ViewReading(
            name: view.namespace.levels + [view.name],
            uuid: metadata?.viewUUID ?? snapshot.state.view(view)?.uuid ?? "",
            columns: metadata?.currentSchema.fields.map(\.name) ?? [],
            failure: reason.split(separator: "\n").joined(separator: " "),
            texts: metadata?.currentVersion.representations.map(\.sql)
        )
        return BoundView(
            stamp: memory.makeStamp(),
            view: view,
            reading: reading,
            schema: nil,
            dependencies: dependencies
        )
    }

    private mutating func plan(
        _ definition: ViewDefinition,
        _ view: TableIdentifier,
        _ dependencies: inout [BoundView.Dependency]
    ) async throws -> LogicalPlan {
        let parts = view.namespace.levels + [view.name]
        let query = Query(
            body: .table(parts.map { Identifier($0, isQuoted: true) }),
            span: .none
        )
        var environment = await session.environment([:])
        environment.views[parts] = definition
        while true {
            do {
                var binder = Binder(environment: environment)
                return try binder.bind(query: query)
            } catch let missing as MissingTable {
                let outcome = try await outcome(of: missing.request)
                dependencies.append(
                    BoundView.Dependency(request: missing.request, outcome: outcome)
                )
                switch outcome {
                case .failure(let error): environment.tables[missing.request] = .failure(error)
                case .seen(let seen): environment.tables[missing.request] = .success(seen.table)
                }
            } catch let needed as NeededRows {
                throw EngineError(
                    .unsupported,
                    "which columns it has depends on rows: \(needed.what) are known only when it runs"
                )
            }
        }
    }

    private func reading(
        _ view: TableIdentifier,
        _ metadata: ViewMetadata,
        _ plan: LogicalPlan,
        _ dependencies: [BoundView.Dependency]
    ) -> ViewReading {
        var sources: [ViewReading.Source] = []
        var origins = LineageOrigins()
        for dependency in dependencies {
            guard case .seen(let seen) = dependency.outcome, let source = seen.source,
                !origins.has(seen.name)
            else { continue }
            sources.append(source)
            if !seen.isAbout { origins.add(seen.name, sources.count - 1, seen.schema) }
        }
        let lineage = ColumnLineage(plan)
        let outputs = zip(plan.columns, lineage.columnEdges).map { column, edges in
            ColumnMap.Output(name: column.name, origins: origins.origins(edges))
        }
        return ViewReading(
            name: view.namespace.levels + [view.name],
            uuid: metadata.viewUUID,
            columns: plan.columns.map(\.name),
            sources: sources,
            map: ColumnMap(outputs: outputs, rows: origins.origins(lineage.rowEdges))
        )
    }

    // MARK: What views name

    private mutating func outcome(of request: TableRequest) async throws -> BoundView.Outcome {
        if case .named(let parts, nil) = request,
            let view = try await session.findView(parts, snapshot.state)
        {
            return try await outcome(of: view)
        }
        if let known = found[request] { return known }
        let outcome: BoundView.Outcome
        do {
            outcome = .seen(try await source(request))
        } catch {
            try Self.rethrowCancellation(error)
            outcome = .failure(error)
        }
        found[request] = outcome
        if !Self.isKept(request) { unkept.formUnion(open) }
        return outcome
    }

    /// Whether what a request means depends on the catalog's state alone.
    private static func isKept(_ request: TableRequest) -> Bool {
        switch request {
        // A time may be counted from now.
        case .named(_, let version): if case .timestamp? = version { false } else { true }
        case .file: false
        case .function(let name, _, _):
            LineageFunction(rawValue: name) != nil || name == "range" || name == "generate_series"
        }
    }

    private mutating func outcome(of view: TableIdentifier) async throws -> BoundView.Outcome {
        if let start = open.firstIndex(of: view), bound[view] == nil {
            unkept.formUnion(open)
            let circle = (open[start...] + [view]).map(\.description).joined(separator: " -> ")
            return .failure(PlanError(.invalid, "it contains itself: \(circle)"))
        }
        let bound = try await bind(view)
        if unkept.contains(view) { unkept.formUnion(open) }
        guard let schema = bound.schema else {
            let reason = bound.reading.failure ?? ""
            return .failure(
                PlanError(.invalid, "it reads view \(view), which cannot be bound: \(reason)")
            )
        }
        return .seen(
            BoundView.Seen(
                name: view.description,
                schema: schema,
                source: .view(name: bound.reading.name),
                stamp: bound.stamp
            )
        )
    }

    private func source(_ request: TableRequest) async throws -> BoundView.Seen {
        switch request {
        case .named(let parts, let version): return try await table(parts, version)
        case .function(let name, _, _):
            // Asking it would ask for views again.
            if let function = LineageFunction(rawValue: name) {
                return BoundView.Seen(name: name, schema: function.schema)
            }
        case .file: break
        }
        let resolver = SourceResolver(session: session)
        let table = try await resolver.resolve(request).get()
        return BoundView.Seen(
            name: table.name,
            schema: table.schema,
            source: resolver.inputs.last?.path.map { .file($0) }
        )
    }

    private func table(
        _ parts: [String],
        _ version: Planner.TableVersion?
    ) async throws -> BoundView.Seen {
        let state = snapshot.state
        let full = try await session.identifier(parts)
        if state.table(full) == nil {
            if let system = SystemTable(rawValue: parts.joined(separator: ".")) {
                return BoundView.Seen(name: system.rawValue, schema: system.schema)
            }
            if let last = parts.last, let kind = MetadataTable(rawValue: last),
                let table = try? await session.openTable(Array(parts.dropLast()), in: snapshot)
            {
                return BoundView.Seen(
                    name: parts.joined(separator: "."),
                    schema: try kind.schema(table.metadata),
                    source: source(table, nil),
                    isAbout: true
                )
            }
        }
        let table = try await session.openTable(parts, in: snapshot)
        let current = await session.defaultVersion(of: table.metadata)
        let reader = try TableReader(
            table.metadata,
            at: version.map { Tables.TableVersion($0) } ?? current,
            storage: table.storage,
            metadataFile: table.metadataLocation
        )
        let columns = try reader.columns()
        let pinned = version == nil ? nil : reader.snapshot?.snapshotID
        return BoundView.Seen(
            name: table.identifier.description + (pinned.map { "@\($0)" } ?? ""),
            schema: table.seenSchema(columns),
            source: source(table, pinned),
            rowNumberPosition: columns.count,
            hasRowLineage: table.hasRowLineage
        )
    }

    private func source(_ table: OpenTable, _ snapshotID: Int64?) -> ViewReading.Source {
        .table(
            uuid: table.metadata.tableUUID,
            name: table.identifier.namespace.levels + [table.identifier.name],
            snapshotID: snapshotID
        )
    }
}

extension BoundView.Seen {
    /// As a binder takes it; nobody scans it.
    fileprivate var table: SourceTable {
        SourceTable(
            sourceID: 0,
            name: name,
            schema: schema,
            isRowCountExact: false,
            rowNumberPosition: rowNumberPosition,
            rowLineage: hasRowLineage
                ? rowNumberPosition.map {
                    RowLineagePositions(rowID: $0 + 1, lastUpdated: $0 + 2)
                } : nil
        )
    }
}
