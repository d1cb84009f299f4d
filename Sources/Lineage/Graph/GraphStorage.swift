// What the graph keeps of the log. Everything is appended in log order and never changed, so that a
// question about an earlier position looks at prefixes. Commits, runs, datasets and columns are
// numbers: places in arrays.

/// Where a commit stands, without what it says.
struct FoldedCommit: Sendable {
    var position: Int64
    var index: Int
    var timeMillis: Int64
    var id: String
    var actor: String
    var message: String?
}

/// One flow, its datasets resolved.
struct FoldedRun: Sendable {
    struct Input: Sendable {
        var dataset: Int
        /// The last event of the dataset that the snapshot read holds; -1 when it held nothing.
        var bound: Int
        /// Whether the log knows the snapshot.
        var isExact: Bool
        var snapshotID: Int64?
        var schemaID: Int32?
    }

    var commit: Int
    var job: LineageFacts.Job
    var runID: String
    var inputs: [Input]
    var output: Int
    /// The event of the output dataset that this run is.
    var event: Int
    var snapshotID: Int64?
    var operation: String
    /// nil when the facts name none, or one that the log never carried.
    var map: Int?
    var columnMapHash: String?
}

/// A moment at which the contents of a dataset changed.
struct DatasetEvent: Sendable {
    enum Kind: Sendable {
        case run(Int)
        /// Something changed it and did not say from what.
        case gap(String)
        /// The contents are those that an earlier event left; -1 for none at all.
        case rollback(to: Int)
    }

    var commit: Int
    var kind: Kind
    /// Whether the contents of earlier events are gone.
    var replaces: Bool
    /// The first of the events before this one, up to this one, whose contents are still there.
    var segmentStart: Int
}

/// A column through all its names.
struct FoldedColumn: Sendable {
    var fieldID: Int32?
    /// Each with the commit from which on it was so called.
    var names: [(commit: Int, name: String)]

    func name(before commitCount: Int) -> String {
        names.last { $0.commit < commitCount }?.name ?? names.first?.name ?? ""
    }
}

/// A table through all its names, or a file.
struct FoldedDataset: Sendable {
    enum Identity: Sendable, Hashable {
        case table(String)
        case file(String)
    }

    var identity: Identity
    /// Each with the commit from which on it was so called; nil for dropped.
    var names: [(commit: Int, name: [String]?)] = []
    var events: [DatasetEvent] = []
    /// The event after which each snapshot was current.
    var snapshotEvents: [Int64: Int] = [:]
    var currentSnapshot: Int64?
    /// Whether the log has seen it being made.
    var isBorn = false
    /// The folder of the table's files, as its last metadata file tells.
    var location: String?
    var columns: [FoldedColumn] = []
    var columnsByID: [Int32: Int] = [:]
    /// The column that has the name now.
    var columnsByName: [String: Int] = [:]
    /// Runs that read it, in log order.
    var consumers: [Int] = []

    var isFile: Bool { if case .file = identity { true } else { false } }

    /// How many of the events the first commits made.
    func eventCount(before commitCount: Int) -> Int {
        var low = 0
        var high = events.count
        while low < high {
            let middle = (low + high) / 2
            if events[middle].commit < commitCount { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The name after the first commits, and whether it was dropped by then.
    func name(before commitCount: Int) -> (name: [String]?, isDropped: Bool) {
        let known = names.filter { $0.commit < commitCount }
        return (known.last { $0.name != nil }?.name, known.last.map { $0.name == nil } ?? false)
    }

    /// Appends an event.
    mutating func append(_ kind: DatasetEvent.Kind, commit: Int, replaces: Bool) {
        var start = events.count
        if !replaces, let last = events.last { start = last.segmentStart }
        if case .rollback = kind { start = events.count }
        events.append(
            DatasetEvent(commit: commit, kind: kind, replaces: replaces, segmentStart: start)
        )
    }

    /// The column of a name and id, made when it is new.
    ///
    /// The same id is the same column; where either side has no id, the same name is.
    mutating func column(_ name: String, _ fieldID: Int32?, commit: Int) -> Int {
        if let fieldID, let known = columnsByID[fieldID] {
            rename(known, name, commit)
            return known
        }
        if let known = columnsByName[name], fieldID == nil || columns[known].fieldID == nil {
            if let fieldID {
                columns[known].fieldID = fieldID
                columnsByID[fieldID] = known
            }
            return known
        }
        columns.append(FoldedColumn(fieldID: fieldID, names: [(commit, name)]))
        let index = columns.count - 1
        if let fieldID { columnsByID[fieldID] = index }
        columnsByName[name] = index
        return index
    }

    private mutating func rename(_ index: Int, _ name: String, _ commit: Int) {
        guard columns[index].names.last?.name != name else { return }
        if let old = columns[index].names.last?.name, columnsByName[old] == index {
            columnsByName[old] = nil
        }
        columns[index].names.append((commit, name))
        columnsByName[name] = index
    }

    /// The column that had the name after the first commits.
    func column(named name: String, before commitCount: Int) -> Int? {
        columns.indices.last { index in
            columns[index].names.contains { $0.commit < commitCount }
                && columns[index].name(before: commitCount) == name
        }
    }
}

/// A column map between certain datasets, both ways.
struct ResolvedMap: Sendable {
    struct Origin: Sendable {
        var input: Int
        var column: Int
        var kind: ColumnMap.Kind
        var subtype: String?
        var isMasked: Bool
    }

    struct Target: Sendable {
        /// `NodeKey.rows` for whole rows.
        var column: Int
        var kind: ColumnMap.Kind
        var subtype: String?
        var isMasked: Bool
    }

    /// By output column.
    var origins: [Int: [Origin]] = [:]
    var rows: [Origin] = []
    /// By input, then by its column.
    var targets: [[Int: [Target]]]
    /// Of each input, whether values flow from it.
    var isDirect: [Bool]

    init(inputCount: Int) {
        targets = Array(repeating: [:], count: inputCount)
        isDirect = Array(repeating: false, count: inputCount)
    }

    mutating func add(_ origin: Origin, to column: Int) {
        if column == NodeKey.rows {
            rows.append(origin)
        } else {
            origins[column, default: []].append(origin)
        }
        if origin.kind == .direct { isDirect[origin.input] = true }
        targets[origin.input][origin.column, default: []].append(
            Target(
                column: column,
                kind: origin.kind,
                subtype: origin.subtype,
                isMasked: origin.isMasked
            )
        )
    }
}

/// A node of the graph: a dataset, its rows, or one of its columns.
struct NodeKey: Hashable, Sendable {
    /// The dataset, without saying which of its columns.
    static let whole = -2
    /// Which rows the dataset has.
    static let rows = -1

    var dataset: Int
    var column: Int
}
