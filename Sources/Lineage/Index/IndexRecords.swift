// What the lineage index keeps, as fixed-size records that refer to each other by place. Records are
// appended in the order of the log; what is about one dataset is linked backwards, from the newest, so a
// question about an earlier position passes over what came later.
//
// - Spec: Formats/lineage-index/README.md, "Records"

/// Stands for no record.
let none = UInt32.max

/// Where a commit stands, without what it says.
struct CommitRecord: BitwiseCopyable {
    var position: Int64
    var timeMillis: Int64
    /// Its place in the entry.
    var index: UInt32
    // Texts.
    var id: UInt32
    var actor: UInt32
    var message: UInt32
}

/// A table through all its names, or a file.
struct DatasetRecord: BitwiseCopyable {
    static let isFileFlag: UInt32 = 1
    /// The log has seen it being made.
    static let isBornFlag: UInt32 = 2
    static let hasSnapshotFlag: UInt32 = 4

    /// The text that is its identity: a uuid or a path.
    var identity: UInt32
    var flags: UInt32
    /// The newest of its names.
    var lastName: UInt32 = none
    /// The newest of its events.
    var lastEvent: UInt32 = none
    /// The newest of the inputs that read it.
    var lastReader: UInt32 = none
    /// Its columns are neighbours.
    var firstColumn: UInt32 = 0
    var columnCount: UInt32 = 0
    var columnCapacity: UInt32 = 0
    /// The text of the folder of the table's files, as its last metadata file tells.
    var location: UInt32 = none
    var reserved: UInt32 = 0
    var currentSnapshot: Int64 = 0

    var isFile: Bool { flags & Self.isFileFlag != 0 }
    var isBorn: Bool { flags & Self.isBornFlag != 0 }
}

/// What a dataset was called from a commit on.
struct NameRecord: BitwiseCopyable {
    var commit: UInt32
    /// The text of the name's parts; `none` from when it was dropped.
    var name: UInt32
    /// The one before.
    var earlier: UInt32
}

/// What a name stood for from a commit on.
struct NameUse: BitwiseCopyable {
    var commit: UInt32
    var name: UInt32
    /// `none` for nothing.
    var dataset: UInt32
    var earlier: UInt32
}

/// A column through all its names.
struct ColumnRecord: BitwiseCopyable {
    /// -1 when it has none.
    var fieldID: Int32
    /// The newest name's text, and the commit from which on it was so called.
    var name: UInt32
    var since: UInt32
    /// The name before.
    var earlier: UInt32
}

struct ColumnName: BitwiseCopyable {
    var name: UInt32
    var since: UInt32
    var earlier: UInt32
}

/// A moment at which the contents of a dataset changed.
struct EventRecord: BitwiseCopyable {
    /// `payload` is the run that changed it.
    static let run: UInt32 = 0
    /// Something changed it and did not say from what: `payload` is the text of why.
    static let gap: UInt32 = 1
    /// The contents are those that an earlier event left: `payload` is that event, or `none`.
    static let rollback: UInt32 = 2

    var commit: UInt32
    var kind: UInt32
    var payload: UInt32
    /// Whether the contents of earlier events are gone.
    var replaces: UInt32
    /// The one before of the same dataset.
    var earlier: UInt32
    /// One further back, so that any of n events is found in about log n steps.
    var jump: UInt32
    /// How many of the dataset came before.
    var number: UInt32
    /// The first of the events before this one, up to this one, whose contents are still there.
    var segmentStart: UInt32
}

/// The event after which a snapshot of a dataset was current.
struct SnapshotRecord: BitwiseCopyable {
    var id: Int64
    var dataset: UInt32
    var event: UInt32
}

struct JobRecord: BitwiseCopyable {
    // Texts.
    var kind: UInt32
    var name: UInt32
    var version: UInt32
}

/// One flow, its datasets resolved.
struct RunRecord: BitwiseCopyable {
    static let hasSnapshotFlag: UInt32 = 1

    var snapshotID: Int64
    var flags: UInt32
    var commit: UInt32
    var job: UInt32
    /// The text of the run's id.
    var runID: UInt32
    /// The flow before that has the same id.
    var earlierOfRun: UInt32
    var firstInput: UInt32
    var inputCount: UInt32
    var output: UInt32
    /// The event of the output that this run is.
    var event: UInt32
    var operation: UInt32
    /// `none` when the facts name none, or one that the log never carried.
    var map: UInt32
    /// What is known of the hash that the facts name; `none` when they name none.
    var hash: UInt32

    /// What the run made, if that is a snapshot.
    var knownSnapshotID: Int64? { flags & Self.hasSnapshotFlag != 0 ? snapshotID : nil }

    /// Stands for one that is not read yet.
    static let unread = RunRecord(
        snapshotID: 0,
        flags: 0,
        commit: none,
        job: none,
        runID: none,
        earlierOfRun: none,
        firstInput: 0,
        inputCount: 0,
        output: none,
        event: none,
        operation: none,
        map: none,
        hash: none
    )
}

/// A dataset as a run read it.
struct InputRecord: BitwiseCopyable {
    static let hasSnapshotFlag: UInt32 = 1
    static let hasSchemaFlag: UInt32 = 2
    /// The log knows the snapshot.
    static let isExactFlag: UInt32 = 4

    var snapshotID: Int64
    var schemaID: Int32
    var flags: UInt32
    var run: UInt32
    var dataset: UInt32
    /// The last event of the dataset that the snapshot read holds; `none` when it held nothing.
    var bound: UInt32
    /// The input before of the same dataset.
    var earlierReader: UInt32

    var isExact: Bool { flags & Self.isExactFlag != 0 }

    /// The snapshot read, if one was named.
    var knownSnapshotID: Int64? { flags & Self.hasSnapshotFlag != 0 ? snapshotID : nil }
}

/// A column map by its hash.
struct HashRecord: BitwiseCopyable {
    var a: UInt64
    var b: UInt64
    var c: UInt64
    var d: UInt64
    /// The run that first had it, whose datasets tell the names in it; `none` when there is none yet.
    var firstRun: UInt32 = none
    /// The text of its JSON, where a commit carried it and no flow had it; else `none`.
    var text: UInt32 = none
}

/// A column map between places: which columns of which inputs make which columns of an output.
///
/// Maps between different datasets that say the same are one.
struct MapRecord: BitwiseCopyable {
    var firstRow: UInt32
    var rowCount: UInt32
    var firstEdge: UInt32
    var edgeCount: UInt32
    var firstSource: UInt32
    var sourceCount: UInt32
    /// Of each input a byte: 1 when values flow from it.
    var firstInput: UInt32
    var inputCount: UInt32
}

/// An output column of a map, or which rows there are; ascending by column, the latter last.
struct RowRecord: BitwiseCopyable {
    private static let withoutIDFlag: UInt32 = 1 << 31

    var column: UInt32
    private var bits: UInt32

    /// - Parameter hasNoID: whether the map names the column by its name alone.
    init(column: UInt32, firstEdge: UInt32, hasNoID: Bool) {
        self.column = column
        bits = firstEdge | (hasNoID ? Self.withoutIDFlag : 0)
    }

    /// From the first edge of the map; its edges end where those of the next row begin.
    var firstEdge: UInt32 { bits & ~Self.withoutIDFlag }
    var hasNoID: Bool { bits & Self.withoutIDFlag != 0 }
}

/// An origin of a row.
struct EdgeRecord: BitwiseCopyable {
    var column: UInt32
    var input: UInt16
    var attributes: EdgeAttributes
}

/// A column of an input of a map, ascending by input and column.
struct SourceRecord: BitwiseCopyable {
    var input: UInt32
    var column: UInt32
    /// Its targets end where those of the next source begin.
    var firstTarget: UInt32
}

/// Where values of a source go.
struct TargetRecord: BitwiseCopyable {
    var column: UInt32
    var attributes: EdgeAttributes
    var reserved: UInt16 = 0
}

/// How an origin takes part.
struct EdgeAttributes: BitwiseCopyable, Hashable {
    private static let indirectFlag: UInt16 = 1
    private static let maskedFlag: UInt16 = 2
    private static let untracedFlag: UInt16 = 4
    private static let withoutIDFlag: UInt16 = 8
    /// Subtypes that an index may tell apart, at most; 0 stands for none.
    static let subtypeCountMax = 1 << 12

    private(set) var bits: UInt16

    /// - Parameters:
    ///   - subtype: a number of `IndexStorage.subtypes`, 0 for none.
    ///   - hasNoID: whether the map names the origin by its name alone.
    init(isIndirect: Bool, isMasked: Bool, subtype: Int = 0, hasNoID: Bool = false) {
        bits =
            (isIndirect ? Self.indirectFlag : 0) | (isMasked ? Self.maskedFlag : 0)
            | (hasNoID ? Self.withoutIDFlag : 0) | UInt16(truncatingIfNeeded: subtype << 4)
    }

    private init(bits: UInt16) { self.bits = bits }

    /// An edge whose kind is not known: between datasets, where columns were not traced.
    static let untraced = EdgeAttributes(bits: untracedFlag)
    static let indirect = EdgeAttributes(isIndirect: true, isMasked: false)
    static let direct = EdgeAttributes(isIndirect: false, isMasked: false)

    /// What edges of answers say: not how the map names its columns.
    var shown: EdgeAttributes { EdgeAttributes(bits: bits & ~Self.withoutIDFlag) }

    var isIndirect: Bool { bits & Self.indirectFlag != 0 }
    var isMasked: Bool { bits & Self.maskedFlag != 0 }
    var hasNoID: Bool { bits & Self.withoutIDFlag != 0 }
    var subtype: Int { Int(bits >> 4) }
    var isUntraced: Bool { bits & Self.untracedFlag != 0 }
    var isDirect: Bool { bits & (Self.indirectFlag | Self.untracedFlag) == 0 }
    var kind: ColumnMap.Kind? { isUntraced ? nil : isIndirect ? .indirect : .direct }
}

/// A node of the graph: a dataset, its rows, or one of its columns.
struct NodeKey: BitwiseCopyable, Hashable {
    /// Which rows the dataset has, as a column.
    static let rowsColumn = UInt32.max - 1
    /// The dataset, without saying which of its columns.
    static let wholeColumn = UInt32.max

    var dataset: UInt32
    var column: UInt32

    var isRows: Bool { column == Self.rowsColumn }
    var isWhole: Bool { column == Self.wholeColumn }
    var bits: UInt64 { UInt64(dataset) << 32 | UInt64(column) }

    init(_ dataset: UInt32, _ column: UInt32) {
        self.dataset = dataset
        self.column = column
    }

    static func rows(_ dataset: UInt32) -> NodeKey { NodeKey(dataset, rowsColumn) }
    static func whole(_ dataset: UInt32) -> NodeKey { NodeKey(dataset, wholeColumn) }
    /// No dataset's: the runs that a question is about.
    static let subject = NodeKey(none, wholeColumn)
}
