package import Ambient
package import Iceberg

// A change of a table's files is described once and prepared again for each attempt to commit it: data
// files were written before and stay as they are, manifests and the snapshot are made anew on top of what
// the table is by then. Preparing decides whether the change still makes sense:
//
// | change    | an earlier commit by others ...                                              |
// | append    | never matters                                                                |
// | rewrite   | conflicts if a removed file is gone, if delete files came for one, and       |
// |           | (serializable) if files came in which rows match the predicate               |
// | overwrite | (snapshot) is overwritten too; (serializable) conflicts if matching files came |

/// A change of the files of a table.
package struct TableChange: Sendable {
    package enum Kind: Sendable {
        /// Adds data files.
        case append
        /// Removes the named data files and adds others: rows deleted or updated by rewriting files, or
        /// files put together.
        ///
        /// `predicate` says which rows were looked at: all that were deleted or updated match.
        case rewrite(removed: [DataFile], predicate: TablePredicate)
        /// Removes all files in which every row matches; it is an error if some other file may have a
        /// match too.
        case overwrite(TablePredicate)

        /// Whether rows of files that go are written to those that come.
        package var isRewrite: Bool {
            if case .rewrite = self { true } else { false }
        }
    }

    package var kind: Kind
    package var added: [DataFile]
    /// What the snapshot says it did; nil for what the files amount to.
    package var operation: SnapshotOperation?
    package var branch: String
    /// The id of the new snapshot, if the table has none of it; nil for a random one.
    package var snapshotID: Int64?
    package var isolation: TableIsolation
    /// More fields for the snapshot's summary.
    package var summary: [String: String]
    /// The snapshot of the branch that the change was made from; nil when there was none.
    package var base: Snapshot?
    package var storage: TableStorage
    package var ambient: AmbientSources
    let manifestCache: ManifestCache

    /// - Parameter base: the table as it was when the change was made.
    package init(
        _ kind: Kind,
        added: [DataFile] = [],
        operation: SnapshotOperation? = nil,
        base: TableMetadata,
        branch: String = SnapshotRef.main,
        snapshotID: Int64? = nil,
        isolation: TableIsolation = .serializable,
        summary: [String: String] = [:],
        storage: TableStorage,
        ambient: AmbientSources = .system,
        manifestCache: ManifestCache = .shared
    ) {
        self.kind = kind
        self.added = added
        self.operation = operation
        self.branch = branch
        self.snapshotID = snapshotID
        self.isolation = isolation
        self.summary = summary
        self.base = base.snapshot(ref: branch) ?? base.currentSnapshot
        self.storage = storage
        self.ambient = ambient
        self.manifestCache = manifestCache
    }

    /// Makes manifests and a snapshot on top of the table as it is now.
    ///
    /// - Throws: `TablesError.conflict` or `IcebergError.conflict` when another commit came between that
    ///   the change does not stand; `invalid` when an overwrite meets files that only partly match.
    package func prepare(_ table: TableMetadata) async throws -> PreparedChange {
        let reader = try TableReader(
            table,
            at: table.refs[branch] == nil ? .current : .ref(branch),
            storage: storage,
            manifestCache: manifestCache
        )
        let state = try await TableFiles(reader, readsEntries: needsEntries)
        let removed = try removedFiles(state, table)
        if removed.isEmpty && added.isEmpty {
            return PreparedChange(
                requirements: [],
                updates: [],
                sideFiles: [],
                snapshot: nil,
                removedFiles: []
            )
        }
        var production = try SnapshotProduction(
            table: table,
            branch: branch,
            snapshotID: newSnapshotID(table),
            manifests: state.manifests,
            now: ambient.time.nowMicros() / 1000
        )
        production.operation = operation
        production.summaryProperties = summary
        for file in added { try production.add(file) }
        try state.remove(Set(removed.map(\.filePath)), from: &production)

        let commitID = ambient.uuidV4()
        let merged = production.manifestsToMerge()
        var entries: [String: [ManifestEntry]] = [:]
        for (manifest, one) in zip(merged, try await reader.entries(of: merged)) {
            entries[manifest.manifestPath] = one
        }
        let output = try production.produce(commitID: commitID, entries: entries)
        for file in output.manifestFiles + [output.manifestList] {
            manifestCache.remember(file.bytes, at: file.path, table: table, storage: storage)
        }
        return PreparedChange(
            requirements: output.requirements,
            updates: output.updates,
            sideFiles: try (output.manifestFiles + [output.manifestList]).map {
                PreparedChange.SideFile(key: try storage.key(of: $0.path), bytes: $0.bytes)
            },
            snapshot: output.snapshot,
            removedFiles: removed
        )
    }

    private var needsEntries: Bool {
        if case .append = kind { return false }
        return true
    }

    private func newSnapshotID(_ table: TableMetadata) -> Int64 {
        if let snapshotID, table.snapshot(id: snapshotID) == nil { return snapshotID }
        while true {
            let id = ambient.snapshotID()
            if table.snapshot(id: id) == nil { return id }
        }
    }

    // MARK: What goes

    private func removedFiles(_ state: TableFiles, _ table: TableMetadata) throws -> [DataFile] {
        switch kind {
        case .append: return []
        case .rewrite(let removed, let predicate):
            try checkRewrite(removed, predicate, state, table)
            return removed
        case .overwrite(let predicate):
            let bound = BoundTablePredicate(predicate) { table.currentSchema.field(id: $0)?.type }
            let pruner = FilePruner(bound.predicate, table: table)
            if isolation == .serializable { try checkNoNewFiles(pruner, state) }
            var removed: [DataFile] = []
            for entry in state.dataEntries where pruner.mayMatch(entry.file) {
                guard bound.isExact && pruner.allMatch(entry.file) else {
                    throw TablesError(
                        .invalid,
                        "some rows of the file may match and others not: it must be rewritten",
                        context: [entry.file.filePath]
                    )
                }
                removed.append(entry.file)
            }
            return removed
        }
    }

    private func checkRewrite(
        _ removed: [DataFile],
        _ predicate: TablePredicate,
        _ state: TableFiles,
        _ table: TableMetadata
    ) throws {
        let live = Dictionary(
            state.dataEntries.map { ($0.file.filePath, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        for file in removed {
            guard let entry = live[file.filePath] else {
                throw TablesError(
                    .conflict,
                    "another commit removed a file that this change was to replace",
                    context: [file.filePath]
                )
            }
            // Rows that others deleted meanwhile would come back.
            let deletes = state.deletes.deletes(for: entry) {
                table.partitionSpec(id: $0)?.isUnpartitioned ?? false
            }
            if deletes.contains(where: isNew) {
                throw TablesError(
                    .conflict,
                    "another commit deleted rows of a file that this change was to replace",
                    context: [file.filePath]
                )
            }
        }
        guard isolation == .serializable else { return }
        let bound = BoundTablePredicate(predicate) { table.currentSchema.field(id: $0)?.type }
        try checkNoNewFiles(FilePruner(bound.predicate, table: table), state)
    }

    private func checkNoNewFiles(_ pruner: FilePruner, _ state: TableFiles) throws {
        for entry in state.dataEntries where isNew(entry) && pruner.mayMatch(entry.file) {
            throw TablesError(
                .conflict,
                "another commit added rows that this change would have had to look at",
                context: [entry.file.filePath]
            )
        }
    }

    /// Whether the file came after the change was made.
    private func isNew(_ entry: ManifestEntry) -> Bool {
        (entry.fileSequenceNumber ?? entry.sequenceNumber ?? 0) > (base?.sequenceNumber ?? 0)
    }
}

/// The files of a snapshot, manifest by manifest.
private struct TableFiles {
    let manifests: [ManifestFile]
    /// The entries of each manifest; empty when they were not read.
    let entries: [[ManifestEntry]]
    private(set) var deletes = DeleteIndex()

    init(_ reader: TableReader, readsEntries: Bool) async throws {
        manifests = try await reader.manifests()
        entries = readsEntries ? try await reader.entries(of: manifests) : []
        for entry in entries.joined() where entry.isLive && entry.file.content != .data {
            deletes.add(entry)
        }
    }

    /// The live data files.
    var dataEntries: [ManifestEntry] {
        entries.joined().filter { $0.isLive && $0.file.content == .data }
    }

    /// Takes files out of the manifests that list them, with the deletion vectors that belong to them.
    func remove(_ paths: Set<String>, from production: inout SnapshotProduction) throws {
        if paths.isEmpty { return }
        for (manifest, entries) in zip(manifests, entries) {
            var found: Set<String> = []
            for entry in entries where entry.isLive {
                let file = entry.file
                if file.content == .data {
                    if paths.contains(file.filePath) { found.insert(file.filePath) }
                } else if file.isDeletionVector, let data = file.referencedDataFile,
                    paths.contains(data)
                {
                    // One Puffin file may hold vectors of other data files, which must stay.
                    let others = entries.contains {
                        $0.isLive && $0.file.filePath == file.filePath
                            && !($0.file.referencedDataFile.map(paths.contains) ?? false)
                    }
                    if others {
                        throw TablesError(
                            .unsupported,
                            "a file of deletion vectors belongs to data files that go and others that stay",
                            context: [file.filePath]
                        )
                    }
                    found.insert(file.filePath)
                }
            }
            try production.remove(found, from: manifest, entries: entries)
        }
    }
}

// MARK: - Short forms

extension TableReader {
    /// Sorts planned files into those that a delete may drop whole and those it must rewrite.
    package func classify(
        _ plan: TablePlan
    ) -> (whole: [PlannedFile], partial: [PlannedFile]) {
        let bound = BoundTablePredicate(plan.predicate) { schema.field(id: $0)?.type }
        guard bound.isExact else { return ([], plan.files) }
        let pruner = FilePruner(bound.predicate, table: metadata, schema: schema)
        var (whole, partial): ([PlannedFile], [PlannedFile]) = ([], [])
        for file in plan.files {
            if pruner.allMatch(file.file) { whole.append(file) } else { partial.append(file) }
        }
        return (whole, partial)
    }
}

/// The usual changes by name.
package enum TableChanges {
    /// Adds data files; stands every commit that came between.
    package static func prepareAppend(
        _ table: TableMetadata,
        dataFiles: [DataFile],
        branch: String = SnapshotRef.main,
        summary: [String: String] = [:],
        storage: TableStorage,
        ambient: AmbientSources = .system
    ) async throws -> PreparedChange {
        try await TableChange(
            .append,
            added: dataFiles,
            base: table,
            branch: branch,
            summary: summary,
            storage: storage,
            ambient: ambient
        ).prepare(table)
    }
}
