import Bytes
import Catalog
import Columnar
import CommitLog
import Iceberg
import Lineage

/// What somebody wants to have explained: rows of a table, or all of it.
package struct ExplainRequest: Sendable {
    package var table: String
    /// The row with this id (format version 3).
    package var rowID: Int64?
    /// The rows that meet an SQL condition.
    package var predicate: String?
    /// Rows that are listed and followed, at most; all are counted.
    package var listedCountMax = 100
    /// Whether data files are read to their last byte for their hashes.
    package var hashesData = false
    /// Steps that the way upstream is followed; nil for as far as it leads.
    package var depth: Int?

    /// Commits that are described, at most.
    static let commitCountMax = 1000
    /// Commits whose upstream is told, at most.
    static let upstreamCountMax = 100
    /// Data files that are listed, at most.
    static let fileCountMax = 1000

    package init(table: String) {
        self.table = table
    }
}

/// How far an explanation is.
package enum ExplainProgress: Sendable {
    case readingLog(entries: Int)
    case findingRows
    case followingRows
    case hashing(files: Int)
}

/// Which commits, runs, inputs and people made rows, as of when, with what proves it.
///
/// - Spec: Formats/audit-report/README.md
package struct AuditExplanation: Sendable {
    /// A file and what its bytes hash to.
    struct HashedFile: Sendable {
        var path: String
        var byteCount: Int
        /// nil where it was not asked for.
        var sha256: String?
    }

    /// The table as it was read.
    struct Table: Sendable {
        var identifier: TableIdentifier
        var uuid: String
        var formatVersion: Int
        var location: String
        var metadata: Metadata
        /// nil when it has no rows yet.
        var snapshot: Snapshot?
        var schemaID: Int
        var hasRowLineage: Bool
        /// The branch or tag of the table itself; nil for `main`.
        var branch: String?
    }

    /// A metadata file, what the log says of it and what its bytes hash to now.
    struct Metadata: Sendable {
        var location: String
        /// nil where the log does not say.
        var loggedSHA256: String?
        /// nil when the file is gone.
        var foundSHA256: String?
    }

    /// A row that was asked for.
    struct Row: Sendable {
        var values: JSON
        var rowID: Int64?
        var lastUpdatedSequenceNumber: Int64?
        var place: RowPlace
        /// The snapshot that added the file.
        var fileSnapshotID: Int64?
        /// Ids of commits: that wrote it (one, unless equal rows cannot be told apart), that moved it since,
        /// newest first, and that gave it its id.
        var writers: [String]
        var carriers: [String]
        var inserter: String?
        var evidence: RowTrace.Evidence
        var isCertain: Bool
    }

    /// A row that was there and is there no more.
    struct Absence: Sendable {
        var rowID: Int64
        /// The last snapshot that had it.
        var lastSnapshot: Snapshot
        var row: Row
        /// The snapshot that did not have it any more, and the commit that made it.
        var removingSnapshot: Snapshot?
        var remover: String?
        /// Ids of rows with the same values that the same snapshot added: rows that were written anew by
        /// somebody who does not keep ids.
        var successors: [Int64]
    }

    /// What a commit has to do with the rows.
    enum Role: String, Sendable, CaseIterable {
        /// It wrote rows that are listed.
        case wrote
        /// Rows that were asked for lie in files that it added.
        case holds
        /// It moved listed rows to other files.
        case moved
        /// Its rows may be among those that a commit which holds rows took over from files before.
        case mayHaveWritten = "may-have-written"
        /// It gave listed rows their ids.
        case inserted
        /// It brought what another commit did to the branch that was read.
        case merged
        /// It took the row away.
        case removed
    }

    /// What an origin's way upstream looks like.
    struct Upstream: Sendable {
        var node: String
        /// nil when lineage does not know the node.
        var answer: LineageAnswer?
        var trouble: String?
    }

    struct Commit: Sendable {
        var commit: HistoricCommit
        var roles: Set<Role>
        /// How many of the rows lie in files that it added.
        var heldCount: Int
        /// Snapshots of the table that it made, as far as they matter here.
        var snapshots: [Snapshot]
        /// The flows that wrote the table.
        var flows: [LineageFacts]
        var upstream: [Upstream]
        /// Where the entry is read from.
        var entryKey: String
        var metadata: Metadata?
        /// Whether it gave a name to a table that may be older than the log.
        var isRegistration: Bool
    }

    /// A data file that holds rows.
    struct File: Sendable {
        var file: HashedFile
        var recordCount: Int64
        var heldCount: Int
        var snapshotID: Int64?
        var sequenceNumber: Int64?
        var firstRowID: Int64?
        var manifest: String?
        var deleteFiles: [String]
    }

    /// A position of the log and the hash of its entry.
    struct LogPlace: Sendable {
        var position: Int64
        var timeMillis: Int64
        var sha256: String
        var key: String
    }

    var request: ExplainRequest
    var madeMillis: Int64
    var madeBy: String
    var warehouseURL: String
    var warehouseID: String
    /// The state that was read.
    var asOf: LogPlace
    /// The branch or tag of the catalog that was read; nil for `main`.
    var reference: String?
    var table: Table
    var columns: [String]
    /// How many rows there are; all of them, whatever is listed.
    var rowCount = 0
    var rows: [Row] = []
    var absence: Absence?
    /// Newest first.
    var commits: [Commit] = []
    var commitCount = 0
    var files: [File] = []
    var fileCount = 0
    var manifestList: HashedFile?
    var manifests: [HashedFile] = []
    /// The end of the log when the report was made.
    var head: LogPlace
    /// Why something may be missing.
    var gaps: [String] = []

    /// Whether everything that was asked for is in the report.
    package var isComplete: Bool {
        gaps.isEmpty
            && commits.allSatisfy { commit in
                commit.upstream.allSatisfy { $0.answer?.isComplete ?? false }
            }
    }
}
