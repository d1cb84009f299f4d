package import Bytes
package import Iceberg
import Synchronization

/// What somebody wants to commit: all of it or nothing.
package struct CatalogCommit: Sendable {
    /// A second commit with the same id changes nothing and gets the first one's receipt.
    package var id: String
    package var actor: String
    package var requestID: String?
    /// Why, in words for people.
    package var message: String?
    /// Where the data came from, as the lineage format says; the catalog only carries it.
    package var lineage: JSON?
    /// SHA-256 of what was asked, so that whoever uses the id again can be told whether it asked the same.
    package var requestHash: String?
    /// The branch whose names are read and changed; nil for `main`.
    package var branch: String?
    /// Done in this order, each on what those before it leave behind.
    ///
    /// Operations about branches and tags are in a commit of their own.
    package var operations: [CatalogOperation]

    package init(
        id: String,
        actor: String,
        branch: String? = nil,
        requestID: String? = nil,
        message: String? = nil,
        lineage: JSON? = nil,
        requestHash: String? = nil,
        operations: [CatalogOperation]
    ) {
        self.id = id
        self.actor = actor
        self.requestID = requestID
        self.message = message
        self.lineage = lineage
        self.requestHash = requestHash
        self.branch = branch
        self.operations = operations
    }
}

/// One step of a commit.
package enum CatalogOperation: Sendable {
    /// Fails with `alreadyExists`, or `namespaceNotFound` for the one around it.
    case createNamespace(Namespace, properties: [String: String])
    /// Fails with `notEmpty`; namespace `main` stays.
    case dropNamespace(Namespace)
    /// Removing a property that is not there is no error.
    case updateNamespace(Namespace, set: [String: String], remove: [String])
    /// Makes a table from metadata that has a uuid and a location; fails with `alreadyExists`.
    case createTable(TableIdentifier, metadata: TableMetadata)
    /// Gives a name to metadata that lies somewhere already.
    case registerTable(TableIdentifier, metadataLocation: String, overwrite: Bool)
    /// Forgets the name; files stay for older positions, `purge` asks maintenance to remove them.
    case dropTable(TableIdentifier, purge: Bool)
    case renameTable(TableIdentifier, to: TableIdentifier)
    /// Changes as the REST catalog sends them; with `assertCreate` the table is made of the updates.
    case updateTable(
        TableIdentifier,
        requirements: [TableRequirement],
        updates: [TableUpdate]
    )
    /// A change that is made again for each attempt, from the newest metadata.
    ///
    /// `prepare` may run in the task of another commit, at the same time as that of other tables, and
    /// holds up everybody who commits here: it reads and computes, and must not commit itself.
    /// `isAppend`: it only adds rows, so it means the same whatever others did to the table.
    case changeTable(
        TableIdentifier,
        isAppend: Bool = false,
        prepare: @Sendable (TableBase) async throws -> TableChange
    )
    /// Adds data files to a table; those of commits that do nothing else may share a snapshot.
    case append(TableIdentifier, TableAppend)
    /// Fails with `conflict` unless the names stand for these tables and views, or nil for nothing.
    case require([TableIdentifier: TableEntry?])
    /// Looks at tables as the operations before it leave them, and lets the commit fail by throwing.
    ///
    /// Runs where `prepare` of `changeTable` does, for each attempt.
    case verify([TableIdentifier], body: @Sendable (CatalogView) async throws -> Void)
    /// Makes a view, or with `replaces` gives one of that name a new version; fails with `alreadyExists`.
    case createView(TableIdentifier, metadata: ViewMetadata, replaces: Bool)
    /// Changes the properties of a view; nil removes one.
    case updateView(TableIdentifier, properties: [String: String?])
    /// Gives a view the metadata that `change` makes, for each attempt, of the newest and of the time of
    /// the attempt in milliseconds since 1970; fails with `tableNotFound`.
    case changeView(
        TableIdentifier,
        change: @Sendable (ViewMetadata, Int64) throws(IcebergError) -> ViewMetadata
    )
    /// Gives a name to view metadata that lie somewhere already; fails with `alreadyExists`.
    case registerView(TableIdentifier, metadataLocation: String)
    case dropView(TableIdentifier)
    case renameView(TableIdentifier, to: TableIdentifier)
    /// Gives a name to a table that was dropped, as it was then; fails with `alreadyExists`, and with
    /// `invalid` when its metadata file is gone or the table has another name.
    case restoreTable(TableIdentifier, TableEntry)
    /// Makes a branch of a branch or tag (nil: `main`), as it is at the commit or was at a position.
    case createBranch(String, from: String?, at: CatalogSnapshot?)
    /// Fails with `notEmpty` when branches were made from it that are there still.
    case dropBranch(String)
    /// Brings what was changed in a branch since it was made from the other, or last merged, into that other;
    /// the one of the two that is not `main` (nil) says which was made from which.
    ///
    /// Fails with `conflict`, listing the names, when one was changed on both sides to different ends.
    ///
    /// - `verify` looks at the merge for each attempt, and lets it fail by throwing.
    case mergeBranch(
        String?,
        into: String?,
        verify: (@Sendable (MergeView) async throws -> Void)? = nil
    )
    /// Makes a tag as `createBranch` a branch.
    case createTag(String, from: String?, at: CatalogSnapshot?)
    case dropTag(String)

    /// Whether it is about branches or tags.
    var isAboutReferences: Bool {
        switch self {
        case .createBranch, .dropBranch, .mergeBranch, .createTag, .dropTag: true
        default: false
        }
    }

    /// The table whose metadata is needed to prepare this, if any.
    var changedTable: TableIdentifier? {
        switch self {
        case .updateTable(let table, _, _), .changeTable(let table, _, _), .append(let table, _):
            table
        default: nil
        }
    }
}

/// What a change of a table is made from.
package struct TableBase: Sendable {
    /// The newest metadata; nil when there is no such table.
    package let metadata: TableMetadata?
    /// The time that the change's snapshots will carry, in milliseconds since 1970.
    package let timeMillis: Int64
    /// Files that the metadata may refer to and that are not in the store yet, by key.
    ///
    /// They belong to commits that will share the entry with this one. Look here before reading.
    package let unwritten: [String: [UInt8]]
}

/// Tables as the operations of a commit leave them, before it lands.
package struct CatalogView: Sendable {
    /// What is asked for and exists.
    package let tables: [TableIdentifier: LoadedTable]
    /// Files that the metadata may refer to and that are not in the store yet, by key.
    package let unwritten: [String: [UInt8]]
}

/// What to do to a table, made for the metadata it was made from.
package struct TableChange: Sendable {
    /// A file that the change refers to: a manifest, a manifest list.
    package struct File: Sendable {
        /// Relative to the warehouse's root; new for each attempt.
        package var key: String
        package var bytes: [UInt8]
        /// For a file that is the same in each attempt: whether one has written it; nil for others.
        package var written: WrittenMark?

        package init(key: String, bytes: [UInt8], written: WrittenMark? = nil) {
            self.key = key
            self.bytes = bytes
            self.written = written
        }
    }

    /// Whether a file is in the store.
    package final class WrittenMark: Sendable {
        private let state = Mutex(false)

        package init() {}

        var isSet: Bool { state.withLock { $0 } }

        func set() { state.withLock { $0 = true } }
    }

    package var requirements: [TableRequirement]
    package var updates: [TableUpdate]
    /// Written before the commit, in one wave with those of all commits that share its entry.
    package var files: [File]
    /// The table to begin with when there is none.
    package var create: TableMetadata?

    package init(
        requirements: [TableRequirement] = [],
        updates: [TableUpdate],
        files: [File] = [],
        create: TableMetadata? = nil
    ) {
        self.requirements = requirements
        self.updates = updates
        self.files = files
        self.create = create
    }
}

/// A table's metadata and where it was read or written.
package struct LoadedTable: Sendable {
    package let identifier: TableIdentifier
    package let entry: TableEntry
    package let metadata: TableMetadata

    /// The full URI of the metadata file.
    package var metadataLocation: String { entry.metadataLocation }
}

/// Proof of a commit that is in the log.
package struct CommitReceipt: Sendable {
    /// The entry that carries the commit.
    package let position: Int64
    /// The entry's time in milliseconds since 1970.
    package let timeMillis: Int64
    package let commitID: String
    /// What the commit that is in the log was asked for, as its maker hashed it.
    package let requestHash: String?
    /// The branch that was changed, or merged into; nil for `main`.
    package let branch: String?
    /// What the commit changed, in order; on a branch, the changes of its names.
    package let changes: [CatalogChange]
    /// The tables that it made or changed, as it left them.
    ///
    /// Where a snapshot is shared, what the others of the entry added is in it too.
    package let tables: [LoadedTable]
    /// Whether this is the outcome of an earlier commit with the same id.
    package let isReplay: Bool

    /// The current snapshot that the commit left a table with; nil when it has none, or was not changed.
    package func snapshotID(of table: TableIdentifier) -> Int64? {
        let last = changes.last { $0.written?.table == table }
        switch last {
        case .createTable(_, _, let id), .updateTable(_, _, _, let id, _),
            .replaceTable(_, _, _, let id):
            return id
        default: return nil
        }
    }

    /// How many rows the commit added to a table, as far as anybody noted it.
    package func addedRecordCount(of table: TableIdentifier) -> Int64? {
        let last = changes.last { $0.written?.table == table }
        if case .updateTable(_, _, _, _, let added?)? = last { return added.recordCount }
        let metadata = tables.last { $0.identifier == table }?.metadata
        let snapshot = snapshotID(of: table).flatMap { metadata?.snapshot(id: $0) }
        return snapshot?.summary["added-records"].flatMap { Int64($0) }
    }
}
