import Bytes

// Reports of scans and commits name snapshots of Iceberg tables. Of tables of this warehouse it is known which
// snapshots there are; what a report says beyond that is no version.

/// A snapshot that a report names.
package struct ReportedSnapshot: Hashable, Sendable {
    package var dataset: EntityName
    package var id: Int64
}

extension OpenLineageEvent {
    /// The datasets of which a report names a snapshot.
    package var datasetsWithReports: [Dataset] {
        (inputs + outputs).filter { $0.reportedSnapshotID != nil }
    }

    /// Takes away what reports say of snapshots that do not exist.
    package mutating func removeReports(of missing: Set<ReportedSnapshot>) {
        for index in inputs.indices { inputs[index].removeReport(of: missing) }
        for index in outputs.indices { outputs[index].removeReport(of: missing) }
    }
}

extension OpenLineageEvent.Dataset {
    /// What was read or written: the snapshot that a report names, or what the facet `version` says.
    package var version: String? { reportedSnapshotID.map { String($0) } ?? statedVersion }

    package var reportedSnapshot: ReportedSnapshot? {
        reportedSnapshotID.map { ReportedSnapshot(dataset: name, id: $0) }
    }

    fileprivate mutating func removeReport(of missing: Set<ReportedSnapshot>) {
        guard let reportedSnapshot, missing.contains(reportedSnapshot) else { return }
        reportedSnapshotID = nil
        namesMissingSnapshot = true
    }
}

extension OpenLineageModel {
    /// All names of the dataset that has one of these names; these when there is none.
    package func allNames(of dataset: OpenLineageEvent.Dataset) -> [EntityName] {
        let given = [dataset.name] + dataset.symlinks
        return given.flatMap { name in self.dataset(name).map { names(of: $0) } ?? [name] }
    }

    /// Whether one of these names is of a table that commits of this warehouse wrote to.
    package func isOwnTable(_ names: [EntityName]) -> Bool {
        names.contains { name in dataset(name).map { datasets[$0].isOwn } ?? false }
    }

    /// Whether a dataset of one of these names is known to have had a version.
    package func hasVersion(_ version: String, _ names: [EntityName]) -> Bool {
        names.contains { name in
            dataset(name).map { datasets[$0].versions[version] != nil } ?? false
        }
    }
}

extension LineageGraph {
    /// Whether a commit made a snapshot a table's current one, however long ago.
    package func hadSnapshot(_ id: Int64, ofTable uuid: String) -> Bool {
        storage.read { index in
            index.findDataset(uuid, isFile: false).map { index.findSnapshot(id, of: $0) != nil }
                ?? false
        }
    }
}
