import Ambient
import Bytes
import Catalog
import Engine
import HTTPTypes
import Iceberg

extension IcebergRoutes {
    func tableRoutes(_ base: String) -> [Route] {
        let namespace = "\(base)/namespaces/{namespace}"
        let one = "\(namespace)/tables/{table}"
        return [
            Route(.get, "\(namespace)/tables") { try await listTables($0) },
            Route(.post, "\(namespace)/tables", effect: .change) { try await createTable($0) },
            Route(.post, "\(namespace)/register", effect: .change) { try await register($0) },
            Route(.get, one, namespaceMeansTable: true, isQuick: true) { try await loadTable($0) },
            Route(.head, one, namespaceMeansTable: true, isQuick: true) {
                try await tableExists($0)
            },
            Route(.post, one, effect: .commit, namespaceMeansTable: true) {
                try await commitTable($0)
            },
            Route(.delete, one, effect: .change, namespaceMeansTable: true) {
                try await dropTable($0)
            },
            Route(.post, "\(one)/metrics", namespaceMeansTable: true) {
                try await takeMetrics($0)
            },
            Route(.post, "\(one)/unregister", effect: .change, namespaceMeansTable: true) {
                try await unregister($0)
            },
            Route(.post, "\(base)/tables/rename", effect: .change) { try await rename($0) },
        ]
    }

    private func listTables(_ request: ServerRequest) async throws -> Reply {
        let namespace = try namespace(request)
        let state = try await parts.snapshot(request.catalogName).state
        let page = try Page(of: try state.tables(in: namespace), request.target) { $0.name }
        var object: JSONObject = ["identifiers": .array(page.elements.map(\.json))]
        page.put(into: &object)
        return .json(.object(object))
    }

    // MARK: - Making

    private func createTable(_ request: ServerRequest) async throws -> Reply {
        let namespace = try namespace(request)
        let body = try await request.object()
        let table = try TableIdentifier(namespace, try body.string("name"))
        let catalog = try await parts.catalog()
        let uuid = parts.ambient.uuidV4()
        let location =
            try body.optionalString("location") ?? catalog.defaultLocation(of: table, uuid: uuid)
        let metadata = try TableMetadata.create(
            schema: try IcebergError.reading { () throws(IcebergError) in
                try Schema(json: body["schema"] ?? .null)
            },
            spec: try body["partition-spec"].map { json in
                try IcebergError.reading { () throws(IcebergError) in
                    try UnboundPartitionSpec(json: json)
                }
            },
            sortOrder: try body["write-order"].map { json in
                try IcebergError.reading { () throws(IcebergError) in try SortOrder(json: json) }
            },
            location: location,
            properties: try body.stringMap("properties"),
            uuid: uuid,
            now: parts.ambient.time.nowMicros() / 1000
        )
        if try body.flag("stage-create") {
            let state = try await parts.snapshot(request.catalogName).state
            _ = try state.properties(of: namespace)
            if state.table(table) != nil {
                throw CatalogError(.alreadyExists, "table \(table) exists already")
            }
            return parts.clientConfiguration.reply(
                staged: metadata,
                try await access(to: metadata, table, request)
            )
        }
        let receipt = try await parts.commit(
            [.createTable(table, metadata: metadata)],
            for: request
        ) { change in
            if case .createTable(table, _, _) = change { true } else { false }
        }
        return try await reply(receipt, table, request)
    }

    private func register(_ request: ServerRequest) async throws -> Reply {
        let body = try await request.object()
        let table = try TableIdentifier(try namespace(request), try body.string("name"))
        let receipt = try await parts.commit(
            [
                .registerTable(
                    table,
                    metadataLocation: try body.string("metadata-location"),
                    overwrite: try body.flag("overwrite")
                )
            ],
            for: request
        ) { change in
            switch change {
            case .createTable(table, _, _), .replaceTable(table, _, _, _): true
            default: false
            }
        }
        return try await reply(receipt, table, request)
    }

    /// What a commit left of a table; a commit that changed nothing left it as it is now.
    private func reply(
        _ receipt: CommitReceipt,
        _ table: TableIdentifier,
        _ request: ServerRequest
    ) async throws -> Reply {
        var loaded = receipt.tables.last { $0.identifier == table }
        if loaded == nil {
            loaded = try await parts.catalog().load(
                table,
                in: try await parts.snapshot(request.catalogName)
            )
        }
        guard let loaded else { throw CatalogError(.tableNotFound, "there is no table \(table)") }
        let configuration = parts.clientConfiguration
        // What is done is done, with credentials or without: the client can ask for them again.
        let access = try? await access(to: loaded.metadata, table, request)
        return configuration.reply(
            loaded,
            .all,
            access ?? TableAccess(config: configuration.table, mark: configuration.mark)
        )
    }

    private func access(
        to metadata: TableMetadata,
        _ table: TableIdentifier,
        _ request: ServerRequest
    ) async throws -> TableAccess {
        try await parts.delegation.access(
            to: metadata,
            named: table,
            try await parts.catalog(),
            wanting: request.delegations
        )
    }

    // MARK: - Reading

    private func loadTable(_ request: ServerRequest) async throws -> Reply {
        let table = try table(request)
        let choice = try SnapshotChoice(request.target)
        let catalog = try await parts.catalog()
        let snapshot = try await parts.snapshot(request.catalogName)
        let loaded: LoadedTable
        if let remembered = try catalog.remembered(table, in: snapshot) {
            loaded = remembered
        } else {
            loaded = try await onPool { try await catalog.load(table, in: snapshot) }
        }
        let access = try await access(to: loaded.metadata, table, request)
        let key = TableAnswers.Key(
            table: table,
            metadataLocation: loaded.metadataLocation,
            choice: choice,
            mark: access.mark
        )
        let known = parts.tableAnswers.find(key)
        let tag = known?.entityTag ?? parts.clientConfiguration.entityTag(loaded, choice, access)
        if parts.clientConfiguration.isKnown(tag, request.headers) {
            var reply = Reply(status: 304)
            reply.headers[.eTag] = tag
            return reply
        }
        guard let known else {
            let reply = await onPool { parts.clientConfiguration.reply(loaded, choice, access) }
            parts.tableAnswers.remember(key, .init(entityTag: tag, body: reply.body))
            return reply
        }
        var reply = Reply(status: 200)
        reply.headers[.contentType] = "application/json"
        reply.headers[.eTag] = tag
        reply.body = known.body
        return reply
    }

    private func tableExists(_ request: ServerRequest) async throws -> Reply {
        _ = try await parts.snapshot(request.catalogName).state.existingTable(try table(request))
        return .noContent
    }

    // MARK: - Changing

    private func commitTable(_ request: ServerRequest) async throws -> Reply {
        let table = try table(request)
        let body = try await request.object()
        if body["identifier"] != nil, try identifier(try body.fields("identifier")) != table {
            throw ServerError(.badRequest, "the body's identifier is not the path's table \(table)")
        }
        let operation = try await parts.engine.rebasing(
            try update(table, body),
            unlessTableSays: parts.configuration.rebasesAppends,
            on: request.catalogName
        )
        let receipt = try await parts.commit([operation], for: request) { change in
            change.isWrite(of: table)
        }
        return try await reply(receipt, table, request)
    }

    /// The requirements and updates of a body.
    func update(_ table: TableIdentifier, _ body: RequestFields) throws -> CatalogOperation {
        let requirements = try TableRequirement.list(json: body["requirements"] ?? [])
        let updates = try TableUpdate.list(json: try body.required("updates"))
        return .updateTable(
            table,
            requirements: requirements,
            updates: requirements.contains(.assertCreate) ? schemaFirst(updates) : updates
        )
    }

    /// Updates that make a table, with its schema current before specs and orders are made on it.
    ///
    /// DuckDB sends `set-current-schema` last. Before a table exists nobody can mean another schema than the
    /// one added before, so putting it earlier changes nothing but that it can be applied.
    private func schemaFirst(_ updates: [TableUpdate]) -> [TableUpdate] {
        var isAdd: [Bool] = []
        var setting: Int?
        for (index, update) in updates.enumerated() {
            var adds = false
            if case .addSchema = update { adds = true }
            if case .setCurrentSchema = update, setting == nil { setting = index }
            isAdd.append(adds)
        }
        guard let setting, let added = isAdd[..<setting].lastIndex(of: true) else { return updates }
        var ordered = updates
        ordered.insert(ordered.remove(at: setting), at: added + 1)
        return ordered
    }

    private func dropTable(_ request: ServerRequest) async throws -> Reply {
        let table = try table(request)
        let purge = try request.target.flag("purgeRequested")
        _ = try await parts.commit([.dropTable(table, purge: purge)], for: request) { change in
            if case .dropTable(table, _, _) = change { true } else { false }
        }
        return .noContent
    }

    private func rename(_ request: ServerRequest) async throws -> Reply {
        let body = try await request.object()
        let source = try identifier(try body.fields("source"))
        let target = try identifier(try body.fields("destination"))
        // Here a missing namespace is the target's, unless the source's is missing too.
        let state = try await parts.snapshot(request.catalogName).state
        if !state.hasNamespace(source.namespace) {
            throw CatalogError(.tableNotFound, "there is no table \(source)")
        }
        _ = try await parts.commit([.renameTable(source, to: target)], for: request) { change in
            if case .renameTable(source, target, _) = change { true } else { false }
        }
        return .noContent
    }

    /// Forgets a table, and tells the client what it was; its files stay for another catalog.
    private func unregister(_ request: ServerRequest) async throws -> Reply {
        let table = try table(request)
        // The body says nothing, but a retry must send the same.
        _ = try await request.bytes()
        let receipt = try await parts.commit(
            [.dropTable(table, purge: false)],
            for: request
        ) { change in
            if case .dropTable(table, _, false) = change { true } else { false }
        }
        for case .dropTable(table, let entry, _) in receipt.changes {
            let last = try await parts.catalog().load(table, at: entry)
            return .json([
                "metadata-location": .string(last.metadataLocation),
                "metadata": last.metadata.json,
            ])
        }
        throw CatalogError(.tableNotFound, "there is no table \(table)")
    }

    /// Keeps a client's report of a scan or commit among the latest.
    private func takeMetrics(_ request: ServerRequest) async throws -> Reply {
        let table = try table(request)
        let body = try await request.object()
        let kind = try body.string("report-type")
        guard ["scan-report", "commit-report"].contains(kind) else {
            throw body.wrong("report-type", "scan-report or commit-report")
        }
        _ = try body.string("table-name")
        guard try body.required("metrics").object != nil else {
            throw body.wrong("metrics", "an object")
        }
        guard let snapshotID = try body.required("snapshot-id").int64 else {
            throw body.wrong("snapshot-id", "a whole number")
        }
        _ = try await parts.snapshot(request.catalogName).state.existingTable(table)
        parts.engine.metricsReports.add(
            MetricsReport(
                receivedMicros: parts.ambient.time.nowMicros(),
                kind: kind,
                namespace: table.namespace.description,
                tableName: table.name,
                reportedBy: request.principal,
                snapshotID: snapshotID,
                report: .object(body.object)
            )
        )
        return .noContent
    }
}

extension CatalogChange {
    /// Whether the change makes a table or gives it new metadata.
    func isWrite(of table: TableIdentifier) -> Bool { written?.table == table }
}

extension IcebergError {
    /// Runs `body` on JSON of a request: what is wrong there is the client's to correct.
    static func reading<Value>(
        _ body: () throws(IcebergError) -> Value
    ) throws(IcebergError) -> Value {
        do throws(IcebergError) {
            return try body()
        } catch {
            var error = error
            if error.code == .corrupt { error.code = .invalid }
            throw error
        }
    }
}
