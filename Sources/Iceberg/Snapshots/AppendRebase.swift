/// An append that another program made on top of a snapshot that its branch has left behind, to be put on
/// top of the newest one.
///
/// Pure: the caller reads manifest lists and manifests, and writes the list that comes out. Data files and
/// manifests stay as their maker wrote them: sequence numbers and row ids of what an append adds are
/// inherited from the manifest list, and only the list is made anew.
///
/// - Spec: "Sequence Number Inheritance", "First Row ID Inheritance", "Commit Conflict Resolution".
package struct AppendRebase: Sendable {
    /// The branch that the append is for.
    package let branch: String
    /// The snapshot as its maker has it.
    package let snapshot: Snapshot
    private let ref: SnapshotRef
    /// The requirements but that of the branch's snapshot.
    private let requirements: [TableRequirement]

    /// Recognises an append by its form: one new snapshot that adds files, one branch that is to refer to
    /// it, and the requirement that the branch still refers to the snapshot's parent.
    ///
    /// - Returns: nil for every other commit.
    package init?(requirements: [TableRequirement], updates: [TableUpdate]) {
        guard updates.count == 2, case .addSnapshot(let snapshot) = updates[0],
            case .setSnapshotRef(let branch, let ref) = updates[1], ref.kind == .branch,
            ref.snapshotID == snapshot.snapshotID, snapshot.operation == .append,
            snapshot.manifestList != nil
        else { return nil }
        var others: [TableRequirement] = []
        var isRequired = false
        for requirement in requirements {
            if case .assertRefSnapshotID(branch, let id) = requirement {
                guard id == snapshot.parentSnapshotID else { return nil }
                isRequired = true
            } else {
                others.append(requirement)
            }
        }
        // Who requires nothing of the branch means to commit whatever it refers to; that is not ours to guess.
        guard isRequired, !others.contains(.assertCreate) else { return nil }
        self.branch = branch
        self.snapshot = snapshot
        self.ref = ref
        self.requirements = others
    }

    /// Whether the commit fails on the table as it is for nothing but that others committed before it.
    ///
    /// A false answer means that the commit must be tried as it is: it lands, or fails for a reason that no
    /// rebase removes.
    package func isNeeded(on table: TableMetadata) -> Bool {
        guard let head = table.refs[branch] else { return false }
        let isBehind =
            head.snapshotID != snapshot.parentSnapshotID
            || snapshot.sequenceNumber <= table.lastSequenceNumber
            || (table.formatVersion >= 3 && (snapshot.firstRowID ?? 0) < table.nextRowID ?? 0)
        guard isBehind, head.kind == .branch, table.snapshot(id: head.snapshotID) != nil,
            table.snapshot(id: snapshot.snapshotID) == nil, snapshot.snapshotID > 0,
            TableMetadata.formatVersionsWritten.contains(table.formatVersion),
            snapshot.parentSnapshotID.map({ table.snapshot(id: $0) != nil }) ?? true
        else { return false }
        for requirement in requirements {
            do throws(IcebergError) {
                try requirement.check(table)
            } catch {
                return false
            }
        }
        return fitsSchema(of: table)
    }

    /// Whether rows of the append's schema are rows of the table's: field ids never change their meaning,
    /// but columns may have become required since.
    private func fitsSchema(of table: TableMetadata) -> Bool {
        guard let id = snapshot.schemaID, id != table.currentSchemaID else { return true }
        guard let written = table.schemas.first(where: { $0.schemaID == id }) else { return false }
        return Self.requiredIDs(.struct(StructType(fields: table.currentSchema.fields)))
            .isSubset(of: Self.requiredIDs(.struct(StructType(fields: written.fields))))
    }

    /// The ids of all fields in a type that are never null; a schema's depth is bounded.
    private static func requiredIDs(_ type: IcebergType) -> Set<Int> {
        switch type {
        case .struct(let type):
            var ids: Set<Int> = []
            for field in type.fields {
                if field.required { ids.insert(field.id) }
                ids.formUnion(requiredIDs(field.type))
            }
            return ids
        case .list(let type):
            let ids = requiredIDs(type.element)
            return type.elementRequired ? ids.union([type.elementID]) : ids
        case .map(let type):
            let ids = requiredIDs(type.key).union(requiredIDs(type.value))
            return type.valueRequired ? ids.union([type.valueID]) : ids
        default: return []
        }
    }

    // MARK: - What it adds

    /// The manifests that the append adds to those of its parent.
    ///
    /// - Parameters:
    ///   - own: the manifests of the append's list.
    ///   - parent: those of its parent's; empty when it has none.
    /// - Returns: nil when it does anything but add manifests of new data files.
    package func added(own: [ManifestFile], parent: [ManifestFile]) -> [ManifestFile]? {
        let before = Set(parent.map(\.manifestPath))
        let now = Set(own.map(\.manifestPath))
        let added = own.filter { !before.contains($0.manifestPath) }
        guard parent.allSatisfy({ now.contains($0.manifestPath) || !$0.hasLiveFiles }),
            own.count == now.count
        else { return nil }
        let isPlain = added.allSatisfy { manifest in
            manifest.content == .data && manifest.addedSnapshotID == snapshot.snapshotID
                && manifest.existingFilesCount == 0 && manifest.deletedFilesCount == 0
                && manifest.keyMetadata == nil
        }
        return isPlain ? added : nil
    }

    /// Whether a manifest holds added data files alone, with all numbers left to be inherited.
    ///
    /// - Throws: `corrupt` when it cannot be read.
    package func holdsOnlyNewFiles(
        _ bytes: [UInt8],
        _ manifest: ManifestFile
    ) throws(IcebergError) -> Bool {
        var reader = try ManifestReader(bytes: bytes)
        guard reader.header.specID ?? manifest.partitionSpecID == manifest.partitionSpecID else {
            return false
        }
        var (fileCount, rowCount): (Int, Int64) = (0, 0)
        while let entry = try reader.next() {
            guard entry.status == .added, entry.file.content == .data,
                entry.sequenceNumber == nil, entry.fileSequenceNumber == nil,
                entry.file.firstRowID == nil, entry.file.keyMetadata == nil,
                entry.snapshotID ?? snapshot.snapshotID == snapshot.snapshotID
            else { return false }
            fileCount += 1
            let (sum, overflow) = rowCount.addingReportingOverflow(entry.file.recordCount)
            if overflow || entry.file.recordCount < 0 { return false }
            rowCount = sum
        }
        // Row ids are given out by these counts.
        return manifest.addedFilesCount == fileCount && manifest.addedRowsCount == rowCount
    }

    // MARK: - On top of the newest

    /// What to write and to commit instead.
    package struct Output: Sendable {
        /// To be written before the commit.
        package let manifestList: SnapshotProduction.OutputFile
        package let requirements: [TableRequirement]
        package let updates: [TableUpdate]
    }

    /// Puts the append on top of the snapshot that the branch refers to.
    ///
    /// - Parameters:
    ///   - head: the manifests of that snapshot.
    ///   - added: what `added` gave, each checked by `holdsOnlyNewFiles`.
    ///   - commitID: text that no other attempt at any commit has, for the name of the list.
    /// - Throws: `invalid` when a manifest's spec is gone or numbers are used up.
    package func output(
        on table: TableMetadata,
        head: [ManifestFile],
        added: [ManifestFile],
        commitID: String
    ) throws(IcebergError) -> Output {
        guard let headRef = table.refs[branch], let parent = table.snapshot(id: headRef.snapshotID)
        else { throw IcebergError(.conflict, "branch \(branch) is gone") }
        let (sequenceNumber, overflow) = table.lastSequenceNumber.addingReportingOverflow(1)
        if overflow { throw IcebergError(.invalid, "the table has no sequence numbers left") }
        var fresh: [ManifestFile] = []
        for manifest in added {
            guard table.partitionSpec(id: manifest.partitionSpecID) != nil else {
                throw IcebergError(
                    .invalid,
                    "there is no partition spec \(manifest.partitionSpecID)"
                )
            }
            var manifest = manifest
            manifest.sequenceNumber = ManifestFile.unassigned
            manifest.minSequenceNumber = ManifestFile.unassigned
            manifest.firstRowID = nil
            fresh.append(manifest)
        }
        let firstRowID = table.formatVersion >= 3 ? table.nextRowID ?? 0 : nil
        let list = try ManifestListWriter.write(
            fresh + head.filter(\.hasLiveFiles),
            formatVersion: table.formatVersion,
            snapshotID: snapshot.snapshotID,
            parentSnapshotID: parent.snapshotID,
            sequenceNumber: sequenceNumber,
            firstRowID: firstRowID
        )
        let path = "\(table.metadataLocation)/snap-\(snapshot.snapshotID)-2-\(commitID).avro"
        var rebased = snapshot
        rebased.parentSnapshotID = parent.snapshotID
        rebased.sequenceNumber = sequenceNumber
        rebased.manifestList = path
        // With the rows of the branch it has their columns too.
        rebased.schemaID = table.currentSchemaID
        rebased.summary = summary(table, parent)
        rebased.firstRowID = firstRowID
        rebased.addedRows = firstRowID.map { (list.nextRowID ?? $0) - $0 }
        var newRef = headRef
        if ref.hasRetention { newRef = ref }
        newRef.snapshotID = snapshot.snapshotID
        return Output(
            manifestList: SnapshotProduction.OutputFile(path: path, bytes: list.bytes),
            requirements: requirements + [
                .assertRefSnapshotID(ref: branch, snapshotID: parent.snapshotID)
            ],
            updates: [.addSnapshot(rebased), .setSnapshotRef(name: branch, newRef)]
        )
    }

    private static let totals: [(total: String, added: String)] = [
        ("total-data-files", "added-data-files"), ("total-records", "added-records"),
        ("total-files-size", "added-files-size"), ("total-delete-files", "added-delete-files"),
        ("total-position-deletes", "added-position-deletes"),
        ("total-equality-deletes", "added-equality-deletes"),
    ]

    /// The summary with totals that count from the newest snapshot; those that it does not know go.
    private func summary(_ table: TableMetadata, _ parent: Snapshot) -> [String: String] {
        var summary = snapshot.summary
        for (total, added) in Self.totals {
            let here = Int64(summary[added] ?? "0")
            if let here, let before = parent.summary[total].flatMap({ Int64($0) }) {
                let (sum, overflow) = before.addingReportingOverflow(here)
                summary[total] = overflow ? nil : String(sum)
            } else {
                summary[total] = nil
            }
        }
        return summary
    }
}

extension SnapshotRef {
    fileprivate var hasRetention: Bool {
        snapshotsToKeepMin != nil || snapshotAgeMaxMillis != nil || refAgeMaxMillis != nil
    }
}
