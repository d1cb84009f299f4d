package import Iceberg

/// A commit to a table, ready but for the writing of its metadata files.
package struct PreparedChange: Sendable {
    /// A metadata file to be written before the commit.
    package struct SideFile: Sendable {
        package var key: String
        package var bytes: [UInt8]
    }

    /// What must be so for the updates to be applied.
    package var requirements: [TableRequirement]
    package var updates: [TableUpdate]
    /// Manifests and the manifest list.
    ///
    /// Their names are new for each preparation, so after a conflict
    /// those of the attempt before can be deleted.
    package var sideFiles: [SideFile]
    /// nil when there was nothing to change.
    package var snapshot: Snapshot?
    /// The data files that go, for the caller's report.
    package var removedFiles: [DataFile]

    /// Whether there is nothing to commit.
    package var isEmpty: Bool { updates.isEmpty }
}

/// Which changes of others a change that removes files stands.
package enum TableIsolation: Sendable, Hashable {
    /// Others may add rows that the change would have touched: it did not see them.
    case snapshot
    /// They may not: the result is as if one commit came after the other.
    case serializable
}
