import Ambient
import Bytes
import Catalog
import Columnar
import CommitLog
import Iceberg
import Lineage
import ObjectStorage
import Planner
import SQL
import Tables
import TextFiles

// Rows first, then the commits behind them, then what proves it: who cannot read the table learns nothing, for the
// first step fails.

extension Session {
    /// Says which commits, runs, inputs and people made rows of a table, as of the session's instant and branch.
    ///
    /// Reads the log up to that instant, the rows that are asked for, and for those that are listed the files
    /// of before that held them.
    ///
    /// - Throws: `notFound` for tables that are not there and row ids that no row ever had; `invalid` for a
    ///   request without sense.
    package func explain(
        _ request: ExplainRequest,
        progress: @escaping @Sendable (ExplainProgress) -> Void = { _ in }
    ) async throws -> AuditExplanation {
        if request.rowID != nil, request.predicate != nil {
            throw EngineError(.invalid, "rows are named by an id or by a condition, not by both")
        }
        let snapshot = try await lakeSnapshot(creating: false)
        let parts = try Parser.parseObjectName(request.table).map(\.folded)
        let table = try await openTable(parts, in: snapshot)
        if table.isTemporary {
            throw EngineError(.invalid, "no log tells of temporary tables")
        }
        let catalog = try await engine.catalog(creating: false)
        let entry = try snapshot.state.existingTable(table.identifier)
        let reader = try TableReader(
            table.metadata,
            at: defaultVersion(of: table.metadata),
            storage: table.storage,
            metadataFile: table.metadataLocation
        )
        progress(.findingRows)
        var rows = try await foundRows(request, table, reader)
        let commits = try await TableCommits(
            ofTable: entry.uuid,
            to: snapshot.position,
            catalog
        ) { progress(.readingLog(entries: $0)) }
        var work = ExplanationWork(
            commits: commits,
            tracer: RowTracer(self, catalog, table, reader, commits),
            reference: reference,
            depth: request.depth
        )
        progress(.followingRows)
        if rows.listed.isEmpty, rows.count == 0, let id = request.rowID {
            rows.lost = try await lostRow(id, table, reader)
        }
        try await work.add(rows, table.metadata, catalog, self)
        var report = AuditExplanation(
            request: request,
            madeMillis: engine.options.ambient.time.nowMicros() / 1000,
            madeBy: "varve \(Engine.version)",
            warehouseURL: catalog.store.url(of: ""),
            warehouseID: catalog.warehouse.id,
            asOf: try await place(snapshot, catalog),
            reference: reference,
            table: AuditExplanation.Table(
                identifier: table.identifier,
                uuid: entry.uuid,
                formatVersion: table.metadata.formatVersion,
                location: table.metadata.location,
                metadata: try await metadata(entry, catalog),
                snapshot: reader.snapshot,
                schemaID: reader.schema.schemaID,
                hasRowLineage: table.metadata.formatVersion >= 3,
                branch: defaultVersion(of: table.metadata) == .current ? nil : tableBranch
            ),
            columns: rows.columns.map(\.name),
            head: try await place(try await catalog.read(), catalog)
        )
        report.rowCount = rows.count
        report.rows = try work.rows(rows)
        report.absence = try work.absence(rows)
        report.commitCount = work.roles.count
        let (described, untoldCount) = try await described(work, catalog, entry.uuid)
        report.commits = described
        try await addFiles(rows, table, reader, &report, progress)
        report.gaps = (work.gaps.union(work.tracer.gaps)).sorted()
        if work.roles.count > report.commits.count {
            report.gaps.append(
                "of \(work.roles.count) commits the newest \(report.commits.count) are described"
            )
        }
        if untoldCount > 0 {
            report.gaps.append(
                "where the data of \(untoldCount) snapshots came from is not told: that is done for the "
                    + "newest \(ExplainRequest.upstreamCountMax)"
            )
        }
        if report.fileCount > report.files.count {
            report.gaps.append(
                "of \(report.fileCount) data files with such rows \(report.files.count) are listed"
            )
        }
        return report
    }

    // MARK: Rows

    /// The rows that a request means: counted by file, and the first of them with their values.
    private func foundRows(
        _ request: ExplainRequest,
        _ table: OpenTable,
        _ reader: TableReader
    ) async throws -> FoundRows {
        let plan = try await reader.plan()
        let files = AuditedFiles(reader: reader, plan: plan)
        var found = FoundRows(files: files, columns: try reader.columns().fields)
        let condition: RowCondition
        let alias = table.identifier.name
        if let id = request.rowID {
            guard table.metadata.formatVersion >= 3 else {
                throw EngineError(
                    .invalid,
                    "rows of table \(table.identifier) have no ids: its format version is "
                        + "\(table.metadata.formatVersion), and ids come with 3",
                    hint: "Name rows by a condition: --where \"id = 7\"."
                )
            }
            condition = RowCondition(rowID: id, alias: alias)
        } else {
            condition = try RowCondition(
                predicate: request.predicate ?? "TRUE",
                alias: alias
            )
        }
        if plan.files.isEmpty { return found }
        if request.rowID == nil, request.predicate == nil, !plan.hasDeletes {
            for file in plan.files where file.file.recordCount > 0 {
                found.counts[file.file.filePath] = Int(clamping: file.file.recordCount)
            }
        } else {
            found.counts = try await auditedCounts(files, condition)
        }
        if request.rowID != nil || request.predicate != nil {
            let holding = found.holding
            found.listed = try await auditedRows(
                holding,
                condition,
                countMax: request.listedCountMax
            )
        }
        found.condition = condition
        return found
    }

    /// The last snapshot that had a row which is gone, and what became of it.
    private func lostRow(
        _ id: Int64,
        _ table: OpenTable,
        _ reader: TableReader
    ) async throws -> LostRow {
        let metadata = table.metadata
        guard id >= 0, id < metadata.nextRowID ?? 0 else {
            throw EngineError(
                .notFound,
                "no row of table \(table.identifier) has had the id \(id): ids up to "
                    + "\((metadata.nextRowID ?? 0) - 1) were given"
            )
        }
        let condition = RowCondition(rowID: id, alias: table.identifier.name)
        // A file is looked at once, however many snapshots have it.
        var examined: Set<[String]> = []
        var later: Snapshot?
        var next = reader.snapshot
        var seen: Set<Int64> = []
        while let snapshot = next, seen.insert(snapshot.snapshotID).inserted {
            try Task.checkCancellation()
            let older = try TableReader(
                metadata,
                at: .snapshotID(snapshot.snapshotID),
                storage: table.storage
            )
            var files = AuditedFiles(reader: reader, plan: try await older.plan())
            files = files.only { examined.insert($0.content).inserted }
            if !files.plan.files.isEmpty,
                let row = try await auditedRows(files, condition, countMax: 1).first
            {
                return LostRow(row: row, files: files, snapshot: snapshot, removing: later)
            }
            later = snapshot
            next = snapshot.parentSnapshotID.flatMap { metadata.snapshot(id: $0) }
        }
        throw EngineError(
            .notFound,
            "none of the \(seen.count) snapshots that table \(table.identifier) still has holds row \(id)",
            hint: "It was there in a snapshot that has expired, or was given to no row."
        )
    }

    // MARK: What proves it

    private func place(
        _ snapshot: CatalogSnapshot,
        _ catalog: WarehouseCatalog
    ) async throws -> AuditExplanation.LogPlace {
        AuditExplanation.LogPlace(
            position: snapshot.position,
            timeMillis: snapshot.timeMillis,
            sha256: snapshot.hash,
            key: try await catalog.key(ofEntry: snapshot.position)
        )
    }

    private func metadata(
        _ entry: TableEntry,
        _ catalog: WarehouseCatalog
    ) async throws -> AuditExplanation.Metadata {
        AuditExplanation.Metadata(
            location: entry.metadataLocation,
            loggedSHA256: entry.metadataSHA256,
            foundSHA256: try await catalog.metadataHash(at: entry.metadataLocation)
        )
    }

    /// The commits of a report, newest first, and how many snapshots are without the way upstream.
    private func described(
        _ work: ExplanationWork,
        _ catalog: WarehouseCatalog,
        _ uuid: String
    ) async throws -> (commits: [AuditExplanation.Commit], untoldCount: Int) {
        let chosen = work.roles.keys.sorted(by: >).prefix(ExplainRequest.commitCountMax)
        let graph = try await lineageGraph()
        var upstreamCount = 0
        var described: [AuditExplanation.Commit] = []
        for index in chosen {
            try Task.checkCancellation()
            let commit = work.commits.commits[index]
            let roles = work.roles[index] ?? []
            let state = work.commits.state(after: index)
            var one = AuditExplanation.Commit(
                commit: commit,
                roles: roles,
                heldCount: work.heldCounts[index] ?? 0,
                snapshots: work.snapshots(of: index),
                flows: commit.flows.filter { $0.output.dataset.isTable(uuid) },
                upstream: [],
                entryKey: try await catalog.key(ofEntry: commit.position),
                isRegistration: work.registrations.contains(index)
            )
            if let state { one.metadata = try await metadata(state.entry, catalog) }
            if !roles.isDisjoint(with: [.wrote, .holds, .mayHaveWritten]), let state {
                for snapshot in one.snapshots {
                    upstreamCount += 1
                    guard upstreamCount <= ExplainRequest.upstreamCountMax else { continue }
                    one.upstream.append(
                        upstream(of: snapshot, state.table, commit, work.depth, graph)
                    )
                }
            }
            described.append(one)
        }
        return (described, max(0, upstreamCount - ExplainRequest.upstreamCountMax))
    }

    private func upstream(
        of snapshot: Snapshot,
        _ table: TableIdentifier,
        _ commit: HistoricCommit,
        _ depth: Int?,
        _ graph: LineageGraph
    ) -> AuditExplanation.Upstream {
        let name = (table.namespace.levels + [table.name]).map(quotedName).joined(separator: ".")
        let node = "\(name)@\(snapshot.snapshotID)"
        var upstream = AuditExplanation.Upstream(node: node)
        do throws(LineageError) {
            upstream.answer = try graph.upstream(
                of: try NodeName(node),
                LineageOptions(depth: depth, asOf: .position(commit.position))
            )
        } catch {
            upstream.trouble = "\(error)"
        }
        return upstream
    }

    /// The files that hold the rows, and the manifests that name them, with their hashes.
    private func addFiles(
        _ rows: FoundRows,
        _ table: OpenTable,
        _ reader: TableReader,
        _ report: inout AuditExplanation,
        _ progress: @escaping @Sendable (ExplainProgress) -> Void
    ) async throws {
        guard let snapshot = reader.snapshot else { return }
        let storage = table.storage
        @Sendable func hashed(_ path: String) async throws -> AuditExplanation.HashedFile {
            let sum = try await storage.store.sha256(ofObject: try storage.key(of: path))
            return .init(path: path, byteCount: sum.byteCount, sha256: sum.text)
        }
        let holding = rows.files.plan.files.filter { rows.counts[$0.file.filePath] != nil }
        let listed = Array(holding.prefix(ExplainRequest.fileCountMax))
        report.fileCount = holding.count
        if let list = snapshot.manifestList {
            report.manifestList = try await hashed(list)
        }
        var manifests: Set<String> = []
        for planned in listed {
            for entry in [planned.entry] + planned.deletes {
                if let path = entry.manifestPath { manifests.insert(path) }
            }
        }
        report.manifests = try await mapBounded(manifests.sorted(), countMax: 16) {
            try await hashed($0)
        }
        for planned in listed {
            try Task.checkCancellation()
            let file = planned.file
            var sum = AuditExplanation.HashedFile(
                path: file.filePath,
                byteCount: Int(clamping: file.fileSizeBytes)
            )
            if report.request.hashesData {
                progress(.hashing(files: report.files.count))
                sum = try await hashed(file.filePath)
            }
            report.files.append(
                AuditExplanation.File(
                    file: sum,
                    recordCount: file.recordCount,
                    heldCount: rows.counts[file.filePath] ?? 0,
                    snapshotID: planned.entry.snapshotID,
                    sequenceNumber: planned.entry.sequenceNumber,
                    firstRowID: file.firstRowID,
                    manifest: planned.entry.manifestPath,
                    deleteFiles: planned.deletes.map(\.file.filePath)
                )
            )
        }
    }
}

/// The rows that somebody asked for.
struct FoundRows: Sendable {
    /// All files of the version that was read.
    var files: AuditedFiles
    var columns: [Field]
    /// How many of the rows are in which file.
    var counts: [String: Int] = [:]
    /// The first of them.
    var listed: [FoundRow] = []
    var condition: RowCondition?
    var lost: LostRow?

    var count: Int { counts.values.reduce(0, +) }

    /// The files that have some.
    var holding: AuditedFiles { files.only { counts[$0.file.filePath] != nil } }

    init(files: AuditedFiles, columns: [Field]) {
        self.files = files
        self.columns = columns
    }
}

/// A row that is gone.
struct LostRow: Sendable {
    var row: FoundRow
    var files: AuditedFiles
    /// The last snapshot that had it, and the one after that.
    var snapshot: Snapshot
    var removing: Snapshot?
}

extension PlannedFile {
    /// What decides about the rows that a file gives: itself and its deletes.
    var content: [String] {
        [file.filePath]
            + deletes.map { "\($0.file.filePath) \($0.file.contentOffset ?? 0)" }.sorted()
    }
}

extension WarehouseCatalog {
    /// The SHA-256 of a metadata file as it lies in the store; nil when it is gone.
    fileprivate func metadataHash(at location: String) async throws -> String? {
        try await metadataBytes(at: location).map { sha256Text($0) }
    }
}
