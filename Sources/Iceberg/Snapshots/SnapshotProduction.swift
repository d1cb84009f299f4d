/// Turns added and removed files into manifests, a manifest list, a snapshot and table updates.
///
/// Pure: the caller reads the manifests that are asked for, and writes what comes out. The road is
/// 1. make one from the table and the manifests of the branch's snapshot (`init`),
/// 2. `add` files; `remove` files, each from the manifest that lists it, with that manifest's entries,
/// 3. read the entries of `manifestsToMerge()`,
/// 4. `produce`, write the manifests and the list, and commit the updates.
/// When the commit meets a conflict, begin again with the new table; manifests of added files that were
/// written already may be passed to `produce` instead of being written again.
///
/// - Spec: "Snapshots", "Manifests", "Manifest Lists".
package struct SnapshotProduction: Sendable {
    /// A file to be written before the commit.
    package struct OutputFile: Sendable {
        /// Where it goes, with its scheme.
        package let path: String
        /// The bytes, whole.
        package let bytes: [UInt8]
    }

    /// What there is to write and to commit.
    package struct Output: Sendable {
        /// New and rewritten manifests, to be written first.
        package let manifestFiles: [OutputFile]
        /// The list, to be written after the manifests.
        package let manifestList: OutputFile
        /// The new snapshot.
        package let snapshot: Snapshot
        /// All manifests of the snapshot as its list says them.
        package let manifests: [ManifestFile]
        /// Manifests that hold only added files: they stay good when the commit is tried again.
        package let reusableManifests: [ManifestFile]
        /// What a commit has to apply.
        package let updates: [TableUpdate]
        /// What must not have changed until the commit.
        package let requirements: [TableRequirement]
    }

    private struct Rewrite: Sendable {
        var entries: [ManifestEntry]
        var removed: Set<String>
    }

    private struct Addition: Sendable {
        var file: DataFile
        var sequenceNumber: Int64?
    }

    private let table: TableMetadata
    private let branch: String
    private let snapshotID: Int64
    private let parent: Snapshot?
    private let manifests: [ManifestFile]
    private let now: Int64
    private var additions: [Addition] = []
    private var addedPaths: Set<String> = []
    private var rewrites: [String: Rewrite] = [:]

    /// What the snapshot says it did; nil for what the files amount to (compactions set `replace`).
    package var operation: SnapshotOperation?
    /// More fields for the snapshot's summary.
    package var summaryProperties: [String: String] = [:]
    /// Whether small manifests are merged when there are many of them.
    package var mergesManifests: Bool

    /// Begins a snapshot on top of a branch.
    ///
    /// - Parameters:
    ///   - branch: The branch that is to refer to it; made when it does not exist, from `main`'s snapshot.
    ///   - snapshotID: A new random positive number.
    ///   - manifests: The manifests of the snapshot that the branch refers to; empty when there is none.
    ///   - now: The time in milliseconds since 1970; the snapshot gets a later one if the table has.
    /// - Throws: `unsupported` for a v1 table; `invalid` when the id is taken or `branch` is a tag.
    package init(
        table: TableMetadata,
        branch: String = SnapshotRef.main,
        snapshotID: Int64,
        manifests: [ManifestFile],
        now: Int64
    ) throws(IcebergError) {
        guard TableMetadata.formatVersionsWritten.contains(table.formatVersion) else {
            throw IcebergError(
                .unsupported,
                "writing to a v\(table.formatVersion) table: upgrade it to v2 first"
            )
        }
        guard snapshotID > 0, table.snapshot(id: snapshotID) == nil else {
            throw IcebergError(.invalid, "snapshot id \(snapshotID) is taken, or not positive")
        }
        if table.refs[branch]?.kind == .tag {
            throw IcebergError(.invalid, "\(branch) is a tag: only branches can be committed to")
        }
        self.table = table
        self.branch = branch
        self.snapshotID = snapshotID
        parent = table.snapshot(ref: branch) ?? table.currentSnapshot
        self.manifests = manifests
        self.now = max(now, table.lastUpdatedMillis)
        mergesManifests = table.property("commit.manifest-merge.enabled", default: true)
    }

    // MARK: - Files

    /// Adds a data or delete file.
    ///
    /// - Parameter sequenceNumber: The age of its rows when they are older than this commit; nil for it.
    /// - Throws: `invalid` when a file with this path was added already, or its spec is not known.
    package mutating func add(
        _ file: DataFile,
        sequenceNumber: Int64? = nil
    ) throws(IcebergError) {
        guard addedPaths.insert(file.filePath).inserted else {
            throw IcebergError(.invalid, "file \(file.filePath) is added twice")
        }
        guard table.partitionSpec(id: file.specID) != nil else {
            throw IcebergError(
                .invalid,
                "file \(file.filePath) has partition spec \(file.specID), which the table does not have"
            )
        }
        if table.formatVersion >= 3, file.content == .positionDeletes, !file.isDeletionVector {
            throw IcebergError(
                .invalid,
                "v3 tables take deletion vectors, no new position delete files"
            )
        }
        additions.append(Addition(file: file, sequenceNumber: sequenceNumber))
    }

    /// Removes the files with these paths, all of which `manifest` must list as live.
    ///
    /// - Parameter entries: The manifest's entries as `ManifestReader` gives them with `manifest`.
    /// - Throws: `conflict` when a file is not there (any more); `invalid` when the manifest is not one of
    ///   the branch's.
    package mutating func remove(
        _ paths: Set<String>,
        from manifest: ManifestFile,
        entries: [ManifestEntry]
    ) throws(IcebergError) {
        if paths.isEmpty { return }
        let path = manifest.manifestPath
        guard manifests.contains(where: { $0.manifestPath == path }) else {
            throw IcebergError(.invalid, "manifest \(path) is not one of branch \(branch)")
        }
        let live = Set(entries.lazy.filter(\.isLive).map(\.file.filePath))
        if let missing = paths.first(where: { !live.contains($0) }) {
            throw IcebergError(.conflict, "file \(missing) is not in the table any more")
        }
        rewrites[path, default: Rewrite(entries: entries, removed: [])].removed.formUnion(paths)
    }

    // MARK: - Merging

    private struct Group: Hashable {
        var content: ManifestContent
        var specID: Int

        var order: Int { specID * 2 + Int(content.rawValue) }
    }

    /// Manifests that become one together with each other, and with the added files when they are first.
    private struct Bin {
        var group: Group
        var takesAdditions: Bool
        var manifests: [ManifestFile]
    }

    /// The manifests that will be merged; `produce` needs their entries.
    package func manifestsToMerge() -> [ManifestFile] {
        bins().flatMap(\.manifests)
    }

    /// Packs the manifests that stay as they are into bins of the target size, in their order.
    ///
    /// A bin of several is merged; the first one, which also takes what is added, only when it has as many
    /// as the table asks for, so that most commits write one small manifest.
    private func bins() -> [Bin] {
        guard mergesManifests else { return [] }
        let target = Int64(targetSizeBytes)
        let countMin = max(2, table.property("commit.manifest.min-count-to-merge", default: 100))
        let groups = Dictionary(grouping: kept) {
            Group(content: $0.content, specID: $0.partitionSpecID)
        }
        var bins: [Bin] = []
        for (group, manifests) in groups.sorted(by: { $0.key.order < $1.key.order }) {
            let hasAdditions = additions.contains { Self.group(of: $0.file) == group }
            var bin = Bin(group: group, takesAdditions: hasAdditions, manifests: [])
            var size: Int64 = 0
            func close() {
                let count = bin.manifests.count + (bin.takesAdditions ? 1 : 0)
                let countNeeded = bin.takesAdditions ? countMin : 2
                if !bin.manifests.isEmpty, count >= countNeeded { bins.append(bin) }
            }
            for manifest in manifests {
                // No file is longer than this, and sums of it do not overflow.
                let length = min(max(0, manifest.manifestLengthBytes), 1 << 40)
                if size + length > target, !bin.manifests.isEmpty {
                    close()
                    bin = Bin(group: group, takesAdditions: false, manifests: [])
                    size = 0
                }
                bin.manifests.append(manifest)
                size += length
            }
            // Without additions a last bin that is not full waits for more, as it would when it is first.
            if bin.takesAdditions || bin.manifests.count >= countMin { close() }
        }
        return bins
    }

    private static func group(of file: DataFile) -> Group {
        Group(content: file.content == .data ? .data : .deletes, specID: file.specID)
    }

    /// The branch's manifests that no file is removed from and that still list files.
    private var kept: [ManifestFile] {
        manifests.filter { rewrites[$0.manifestPath] == nil && $0.hasLiveFiles }
    }

    private var targetSizeBytes: Int {
        max(1, table.property("commit.manifest.target-size-bytes", default: 8 << 20))
    }

    // MARK: - Producing

    /// Makes the snapshot.
    ///
    /// - Parameters:
    ///   - commitID: Text that no other attempt at any commit has, for the names of the files.
    ///   - entries: The entries of each of `manifestsToMerge()`, by the manifest's path.
    ///   - written: Manifests of exactly the added files, from an earlier attempt with the same snapshot id.
    /// - Throws: `invalid` when entries are missing, or a file does not fit its partition spec.
    package func produce(
        commitID: String,
        entries: [String: [ManifestEntry]] = [:],
        written: [ManifestFile] = []
    ) throws(IcebergError) -> Output {
        var summary = SnapshotSummaryBuilder()
        for addition in additions { summary.add(addition.file) }
        var output = ManifestOutput(
            table: table,
            snapshotID: snapshotID,
            commitID: commitID,
            targetSizeBytes: targetSizeBytes
        )
        let bins = bins()
        try writeAdditions(bins, entries, written, &output)
        let added = output.manifests
        let reused = written.filter { added.contains($0) }
        let rewritten = try writeRewrites(&summary, &output)
        let merged = Set(bins.flatMap(\.manifests).map(\.manifestPath))

        // New manifests come first, then the old ones in their order, with what took their place.
        var all = added
        var keptCount = 0
        for manifest in manifests {
            if let replacements = rewritten[manifest.manifestPath] {
                all += replacements
            } else if manifest.hasLiveFiles, !merged.contains(manifest.manifestPath) {
                all.append(manifest)
                keptCount += 1
            }
        }
        var fields = summary.fields(parent: parent?.summary)
        fields["manifests-created"] = String(output.files.count + reused.count)
        fields["manifests-kept"] = String(keptCount)
        fields["manifests-replaced"] = String(merged.count + rewrites.count)
        fields.merge(summaryProperties) { _, given in given }
        let reusable = output.addedOnly + reused
        return try finish(all, reusable, output, fields, operation ?? summary.operation, commitID)
    }

    /// Writes the added files, together with the entries of manifests that are merged with them.
    private func writeAdditions(
        _ bins: [Bin],
        _ entries: [String: [ManifestEntry]],
        _ written: [ManifestFile],
        _ output: inout ManifestOutput
    ) throws(IcebergError) {
        let groups = Dictionary(grouping: additions) { Self.group(of: $0.file) }
        for (group, additions) in groups.sorted(by: { $0.key.order < $1.key.order }) {
            let isMerged = bins.contains { $0.takesAdditions && $0.group == group }
            if isMerged { continue }
            let reused = written.filter {
                $0.content == group.content && $0.partitionSpecID == group.specID
            }
            if !reused.isEmpty {
                try check(reused, hold: additions)
                output.manifests += reused
                continue
            }
            try output.begin(group.content, specID: group.specID, isReusable: true)
            for addition in additions {
                try output.roll()
                try output.writer?.add(addition.file, sequenceNumber: addition.sequenceNumber)
            }
            try output.end()
        }
        for bin in bins {
            try output.begin(bin.group.content, specID: bin.group.specID)
            if bin.takesAdditions {
                for addition in groups[bin.group] ?? [] {
                    try output.roll()
                    try output.writer?.add(addition.file, sequenceNumber: addition.sequenceNumber)
                }
            }
            for manifest in bin.manifests {
                guard let entries = entries[manifest.manifestPath] else {
                    throw IcebergError(
                        .invalid,
                        "manifest \(manifest.manifestPath) is to be merged, but its entries are not given"
                    )
                }
                for entry in entries where entry.isLive {
                    try output.roll()
                    try output.writer?.keep(entry)
                }
            }
            try output.end()
        }
    }

    private func check(
        _ written: [ManifestFile],
        hold additions: [Addition]
    ) throws(IcebergError) {
        let count = written.reduce(0) { $0 + ($1.addedFilesCount ?? 0) }
        guard count == additions.count, written.allSatisfy({ $0.addedSnapshotID == snapshotID })
        else {
            throw IcebergError(
                .invalid,
                "the manifests written before hold \(count) files of this snapshot, not \(additions.count)"
            )
        }
    }

    /// Writes the manifests that lose files, and says what takes the place of each.
    private func writeRewrites(
        _ summary: inout SnapshotSummaryBuilder,
        _ output: inout ManifestOutput
    ) throws(IcebergError) -> [String: [ManifestFile]] {
        var replacements: [String: [ManifestFile]] = [:]
        for manifest in manifests {
            guard let rewrite = rewrites[manifest.manifestPath] else { continue }
            let first = output.manifests.count
            try output.begin(manifest.content, specID: manifest.partitionSpecID)
            for entry in rewrite.entries where entry.isLive {
                if rewrite.removed.contains(entry.file.filePath) {
                    try output.writer?.delete(entry)
                    summary.remove(entry.file)
                } else {
                    try output.writer?.keep(entry)
                }
            }
            try output.end()
            replacements[manifest.manifestPath] = Array(output.manifests[first...])
        }
        return replacements
    }

    private func finish(
        _ manifests: [ManifestFile],
        _ reusable: [ManifestFile],
        _ output: ManifestOutput,
        _ summary: [String: String],
        _ operation: SnapshotOperation,
        _ commitID: String
    ) throws(IcebergError) -> Output {
        let (sequenceNumber, overflow) = table.lastSequenceNumber.addingReportingOverflow(1)
        if overflow { throw IcebergError(.invalid, "the table has no sequence numbers left") }
        let firstRowID = table.formatVersion >= 3 ? table.nextRowID ?? 0 : nil
        let list = try ManifestListWriter.write(
            manifests,
            formatVersion: table.formatVersion,
            snapshotID: snapshotID,
            parentSnapshotID: parent?.snapshotID,
            sequenceNumber: sequenceNumber,
            firstRowID: firstRowID
        )
        let path = "\(table.metadataLocation)/snap-\(snapshotID)-1-\(commitID).avro"
        var snapshot = Snapshot(
            snapshotID: snapshotID,
            parentSnapshotID: parent?.snapshotID,
            sequenceNumber: sequenceNumber,
            timestampMillis: now,
            manifestList: path,
            operation: operation,
            summary: summary,
            schemaID: table.currentSchemaID
        )
        if let firstRowID {
            snapshot.firstRowID = firstRowID
            snapshot.addedRows = (list.nextRowID ?? firstRowID) - firstRowID
        }
        var ref = table.refs[branch] ?? SnapshotRef(snapshotID: snapshotID)
        ref.snapshotID = snapshotID
        return Output(
            manifestFiles: output.files,
            manifestList: OutputFile(path: path, bytes: list.bytes),
            snapshot: snapshot,
            manifests: list.manifests,
            reusableManifests: reusable,
            updates: [.addSnapshot(snapshot), .setSnapshotRef(name: branch, ref)],
            requirements: [
                .assertTableUUID(table.tableUUID),
                .assertRefSnapshotID(ref: branch, snapshotID: table.refs[branch]?.snapshotID),
            ]
        )
    }
}

/// Writes manifests one after the other, closing each at the target size.
private struct ManifestOutput {
    let table: TableMetadata
    let snapshotID: Int64
    let commitID: String
    let targetSizeBytes: Int
    private(set) var files: [SnapshotProduction.OutputFile] = []
    var manifests: [ManifestFile] = []
    /// Those of `manifests` that hold added files alone.
    private(set) var addedOnly: [ManifestFile] = []
    var writer: ManifestWriter?
    private var content: ManifestContent = .data
    private var spec = PartitionSpec.unpartitioned
    private var isReusable = false

    init(table: TableMetadata, snapshotID: Int64, commitID: String, targetSizeBytes: Int) {
        self.table = table
        self.snapshotID = snapshotID
        self.commitID = commitID
        self.targetSizeBytes = targetSizeBytes
    }

    mutating func begin(
        _ content: ManifestContent,
        specID: Int,
        isReusable: Bool = false
    ) throws(IcebergError) {
        guard let spec = table.partitionSpec(id: specID) else {
            throw IcebergError(.invalid, "there is no partition spec \(specID)")
        }
        self.content = content
        self.spec = spec
        self.isReusable = isReusable
        try open()
    }

    private mutating func open() throws(IcebergError) {
        writer = try ManifestWriter(
            table: table,
            spec: spec,
            content: content,
            snapshotID: snapshotID
        )
    }

    /// Goes on in another manifest when this one is long enough.
    mutating func roll() throws(IcebergError) {
        guard let writer, writer.sizeBytes >= targetSizeBytes, writer.count > 0 else { return }
        try close()
        try open()
    }

    mutating func end() throws(IcebergError) {
        try close()
        writer = nil
    }

    private mutating func close() throws(IcebergError) {
        let path = "\(table.metadataLocation)/\(commitID)-m\(files.count).avro"
        guard let output = try writer?.finish(path: path) else { return }
        files.append(SnapshotProduction.OutputFile(path: path, bytes: output.bytes))
        manifests.append(output.manifest)
        if isReusable { addedOnly.append(output.manifest) }
    }
}

extension TableMetadata {
    /// Where metadata files go, without a slash at the end.
    package var metadataLocation: String { folder("write.metadata.path", "metadata") }

    /// Where data files go, without a slash at the end.
    package var dataLocation: String { folder("write.data.path", "data") }

    private func folder(_ property: String, _ name: String) -> String {
        guard var path = properties[property], !path.isEmpty else { return location + "/" + name }
        while path.hasSuffix("/"), path.count > 1 { path.removeLast() }
        // A path without a scheme lies below the table's own location.
        return path.contains(":") || path.hasPrefix("/") ? path : location + "/" + path
    }
}
