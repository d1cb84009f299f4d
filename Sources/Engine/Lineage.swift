import Bytes
import Columnar
import Planner

/// What made the rows of a commit.
struct LineageJob: Sendable {
    /// The transform's name; nil for a statement without one.
    var name: String?
    /// `sql`, `transform` or `import`.
    var kind: String
}

/// What a commit's log entry says of where its rows came from.
struct LineageRecord: Sendable {
    var json: JSON
}

extension Session {
    /// The facts of a write: input snapshots, output table, and which columns came from which.
    func lineage(
        of prepared: PreparedQuery, outputs: [Field], table: OpenTable, job: LineageJob
    ) throws -> LineageRecord? {
        nil
    }
}
