import Bytes
import Catalog
import CommitLog
import Engine
import HTTPTypes
import Iceberg
import Lineage

/// What happened in the warehouse, and the proof that nobody rewrote it.
struct LogRoutes: Sendable {
    let parts: ServerParts

    var all: [Route] {
        [
            Route(.get, "/varve/v1/log") { try await log($0) },
            Route(.get, "/varve/v1/log/verify", weight: .query) { try await verify($0) },
            Route(
                .get,
                "/varve/v1/tables/{namespace}/{table}/history",
                namespaceMeansTable: true
            ) { try await history($0) },
        ]
    }

    /// Commits from a position on, oldest first; `limit` counts log entries, which carry one commit or more.
    private func log(_ request: ServerRequest) async throws -> Reply {
        let first = try request.target.integer("from", in: 0...Int64.max) ?? 1
        let limit = try request.target.integer("limit", in: 1...1000) ?? 100
        let catalog = try await parts.catalog()
        let newest = try await catalog.read().position
        var commits: [HistoricCommit] = []
        if first <= newest {
            commits = try await catalog.commits(
                from: max(first, 1),
                entryCountMax: Int(limit)
            )
        }
        let last = commits.last?.position ?? newest
        return .json([
            "commits": .array(commits.map(\.json)), "position": .integer(newest),
            "next": last < newest ? .integer(last + 1) : .null,
        ])
    }

    /// Walks the log from `from` to `to`.
    ///
    /// From 1 it checks the changes and checkpoints, too. `tables=true` also reads the metadata file of every table,
    /// `events=true` the log of the events of OpenLineage, and `lineage=true` the indexes of the lineage.
    private func verify(_ request: ServerRequest) async throws -> Reply {
        let first = try request.target.integer("from", in: 1...Int64.max) ?? 1
        let last = try request.target.integer("to", in: 1...Int64.max)
        let catalog = try await parts.catalog()
        let found = try await catalog.verify(from: first, to: last)
        var object = found.members
        var isRight = found.fault == nil && found.checkpointFaults.isEmpty
        if try request.target.flag("tables") {
            let faults = try await catalog.verifyMetadata(
                of: try await catalog.read(),
                includesPast: false
            ).faults
            object["table_faults"] = .array(
                faults.map { ["table": $0.table.json, "message": .string($0.message)] }
            )
            isRight = isRight && faults.isEmpty
        }
        if try request.target.flag("events") {
            let events = try await parts.engine.verifyLineageEvents()
            object["events"] = events?.log.map(\.json) ?? .null
            object["event_count"] = .integer(events?.eventCount ?? 0)
            object["event_faults"] = .array(
                (events?.faults ?? []).map {
                    ["place": .string($0.place), "message": .string($0.message)]
                }
            )
            isRight = isRight && events?.faults.isEmpty ?? true
        }
        if try request.target.flag("lineage") {
            let lineage = try await parts.engine.verifyLineage(rebuilds: false)
            object["lineage_index_count"] = .integer(lineage.indexCount)
            object["lineage_faults"] = .array(
                lineage.faults.map { ["key": .string($0.key), "message": .string($0.message)] }
            )
            isRight = isRight && lineage.faults.isEmpty
        }
        object["verified"] = .bool(isRight)
        return .json(.object(object))
    }

    /// A table's snapshots, and the commits that changed it under all its names, newest first.
    private func history(_ request: ServerRequest) async throws -> Reply {
        let limit = try request.target.integer("limit", in: 1...1000) ?? 100
        let before = try request.target.integer("before", in: 1...Int64.max)
        let catalog = try await parts.catalog()
        let snapshot = try await catalog.read()
        let table = try parts.table(request, snapshot.state)
        let loaded = try await catalog.load(table, in: snapshot)
        let page = try await catalog.history(
            ofTable: loaded.entry.uuid,
            before: before,
            countMax: Int(limit)
        )
        let metadata = loaded.metadata
        return .json([
            "table": table.json, "uuid": .string(loaded.entry.uuid),
            "metadata_location": .string(loaded.metadataLocation),
            "current_snapshot_id": metadata.currentSnapshotID.map { .integer($0) } ?? .null,
            "snapshots": .array(metadata.snapshots.reversed().map(\.json)),
            "commits": .array(page.commits.map(\.json)),
            "next_before": page.next.map { .integer($0) } ?? .null,
        ])
    }
}

extension ServerParts {
    /// The table of the path: levels are joined by 0x1F as in the REST catalog, or by dots where the
    /// whole is no namespace itself.
    func table(
        _ request: ServerRequest,
        _ state: CatalogState
    ) throws -> TableIdentifier {
        let text = try request.capture("namespace")
        var namespace = try Namespace(levels(text))
        if !state.hasNamespace(namespace), namespace.levels.count == 1 {
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            namespace = try Namespace(parts.map(String.init))
        }
        return try TableIdentifier(namespace, try request.capture("table"))
    }
}

extension LogVerification {
    fileprivate var members: JSONObject {
        [
            "from": .integer(first), "to": .integer(last), "hash": .string(hash),
            "commit_count": .integer(commitCount), "fault": fault?.json ?? .null,
            "checkpoint_count": .integer(checkpointCount),
            "checkpoint_faults": .array(checkpointFaults.map(\.json)),
        ]
    }

    fileprivate var json: JSON { .object(members) }
}

extension LogVerification.Fault {
    fileprivate var json: JSON { ["key": .string(key), "message": .string(message)] }
}
