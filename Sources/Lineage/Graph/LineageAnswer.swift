/// What a question about lineage may say besides its node.
package struct LineageOptions: Sendable {
    /// Which edges count.
    package enum Selection: Sendable {
        case all
        /// Only those along which values flow.
        case directOnly
    }

    /// How many steps to go; nil for as far as it leads.
    package var depth: Int?
    package var asOf: LineageInstant
    package var selection: Selection
    /// Whether a question about a dataset is one about all its columns.
    package var columns: Bool
    /// Whether flows count whose rows have been replaced since.
    package var includesReplaced: Bool
    /// Where names of one part are looked up.
    package var namespace: [String]
    /// Edges are those of runs of commits from here on, up to there, both included; nil for no bound.
    ///
    /// A window bounds what is shown, not what is looked at: behind an edge of another time may be one of the window.
    package var since: LineageInstant?
    package var until: LineageInstant?

    /// What the question is to know of views; nil for nothing.
    package var views: LineageViews?
    /// Whether an answer about impact says which jobs read what changes.
    package var jobs = false

    /// How many runs, and edges of theirs, are looked at before a question is given up with `tooMuchWork`: about ten
    /// in a microsecond.
    package var workMax = Int.max

    var hasWindow: Bool { since != nil || until != nil }

    package init(
        depth: Int? = nil,
        asOf: LineageInstant = .newest,
        selection: Selection = .all,
        columns: Bool = false,
        includesReplaced: Bool = false,
        namespace: [String] = ["main"],
        since: LineageInstant? = nil,
        until: LineageInstant? = nil
    ) {
        self.depth = depth
        self.asOf = asOf
        self.selection = selection
        self.columns = columns
        self.includesReplaced = includesReplaced
        self.namespace = namespace
        self.since = since
        self.until = until
    }
}

/// A part of the graph that answers a question, in an order that depends on the log alone.
package struct LineageAnswer: Sendable {
    /// Of nodes that are reached through such runs, nobody knows whether values or only conditions are.
    static let untracedReason = "a run on the way did not trace columns"

    /// What was asked.
    package enum Question: String, Sendable, Hashable {
        case upstream, downstream, path, impact
    }

    /// A dataset, the rows of one, or a column; or the runs that were asked about.
    package struct Node: Sendable, Hashable {
        package enum Kind: String, Sendable, Hashable {
            case table, file, view, column
            /// Which rows a dataset has: what filters and joins decide about.
            case rows
            /// What was asked about: a run, or all runs of a job.
            case run, job
        }

        package var kind: Kind
        /// As a question names it: `ns.table`, `ns.table.column`, `ns.table.*`, a path.
        package var name: String
        /// The name of the table or the path of the file; of runs and jobs, as `name`.
        package var dataset: String
        package var tableUUID: String?
        package var column: String?
        package var fieldID: Int32?
        /// Whether the table was dropped by then.
        package var isDropped: Bool
        /// Steps from the node asked about; 0 for itself.
        package var depth: Int
        /// Whether values flow between this node and the one asked about, along some way.
        package var isDirect: Bool
        /// Whether every way between them masks the values.
        package var isMasked: Bool
        /// Whether it is a view, or a part of one.
        package var isOfView = false
        /// Why nobody knows whether values flow: what a view reads is not known, or what a run did on the way.
        package var unknownReason: String?
    }

    /// From where data came to where it went, in one job; many runs of it are one edge.
    package struct Edge: Sendable, Hashable {
        /// Places in `nodes`.
        package var from: Int
        package var to: Int
        /// nil when columns were not traced.
        package var kind: ColumnMap.Kind?
        package var subtype: String?
        package var isMasked: Bool
        /// nil where the edge says only that columns stand in rows.
        package var run: Run?
        /// How many runs, the newest of which is `run`.
        package var runCount: Int
        /// The entry of the oldest of them.
        package var firstPosition: Int64?
    }

    /// The run behind an edge.
    package struct Run: Sendable, Hashable {
        package var jobKind: String
        package var jobName: String
        package var jobVersion: String?
        package var runID: String
        package var commitID: String
        package var actor: String
        package var position: Int64
        package var timeMillis: Int64
        package var operation: String
        package var inputSnapshotID: Int64?
        package var outputSnapshotID: Int64?
    }

    package var question: Question
    /// The node asked about, and where a path leads to; as in `nodes`.
    package var root: String
    package var target: String?
    /// The last entry that was looked at, 0 for an empty log, and its time.
    package var position: Int64
    package var timeMillis: Int64
    /// By depth, then by name; the one asked about first.
    package var nodes: Nodes
    package var edges: Edges
    /// Why something may be missing; empty when nothing is.
    package var gaps: [String]
    /// Whether there is more beyond the depth that was asked for.
    package var isCut: Bool
    /// The jobs that read what changes; nil when nobody asked for them.
    package var jobs: [Job]?
}
