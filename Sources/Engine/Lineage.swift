import Ambient
import Bytes
import Catalog
import Columnar
import Iceberg
package import Lineage
import Planner
import Synchronization
import Tables

/// What made the rows of a commit.
struct LineageJob: Sendable {
    /// `sql`, `transform` or `import`.
    var kind: String
    /// The transform's name; nil for what is named after its output.
    var name: String?
    /// Tells versions of a transform apart.
    var version: String?
    /// Names the execution; nil for a new one.
    var runID: String?
}

/// The column maps that this process has made lately, and those it knows the log to carry: a commit that needs one of
/// these names it only.
///
/// Nothing is read for it. A process that makes one commit carries its maps, as the first one to need them does
/// (Formats/lineage-facts, "Column maps"); one that makes many carries each once.
final class CarriedColumnMaps: Sendable {
    /// A hash and what it takes to keep it are some hundred bytes.
    private static let countMax = 65_536
    private let carried = Mutex<Set<String>>([])
    /// Hashes of maps: making one costs as much as all else that is recorded, and where the same statements come again
    /// and again few maps differ.
    private let known = LeastRecentlyUsedCache<ColumnMap, String>(byteCountMax: 4 << 20)

    /// A map's hash.
    func hash(of map: ColumnMap) -> String {
        if let hash = known.find(map) { return hash }
        let hash = map.hash
        let origins = map.outputs.reduce(map.rows.count) { $0 + 1 + $1.origins.count }
        known.insert(hash, for: map, byteCount: 256 + 128 * origins)
        return hash
    }

    /// What a commit says of where its data came from, with those maps that are not known to be in the log.
    func entry(of lineage: CommitLineage?) throws(LineageError) -> JSON? {
        guard let lineage else { return nil }
        let needed = carried.withLock { known in lineage.omittingMaps { known.contains($0) } }
        return try needed.encoded()
    }

    /// Notes that a commit with these facts is in the log.
    func note(_ lineage: CommitLineage?, _ receipt: CommitReceipt) {
        // A repetition's entry is another's, and may name maps that are carried nowhere else.
        guard let lineage, !receipt.isReplay else { return }
        carried.withLock { known in
            if known.count + lineage.columnMaps.count > Self.countMax { known = [] }
            known.formUnion(lineage.columnMaps.keys)
        }
    }
}

extension Session {
    /// The facts of a write: which snapshots were read, and which columns came from which.
    ///
    /// - Parameters:
    ///   - outputs: the table's field of each column of the query.
    ///   - replaces: whether nothing of the table's rows is left.
    func lineage(
        of prepared: PreparedQuery,
        outputs: [Field],
        table: OpenTable,
        job: LineageJob,
        replaces: Bool = false,
        operation: String? = nil
    ) -> CommitLineage {
        var inputs: [LineageFacts.Input] = []
        var origins = LineageOrigins()
        for source in prepared.inputs {
            if origins.has(source.table.name) { continue }
            let dataset: LineageFacts.Dataset
            if let origin = source.origin {
                dataset = .table(
                    uuid: origin.uuid,
                    name: origin.identifier.namespace.levels + [origin.identifier.name]
                )
            } else if let path = source.path {
                dataset = .file(path)
            } else {
                continue
            }
            origins.add(source.table.name, inputs.count, source.table.schema)
            inputs.append(
                LineageFacts.Input(dataset, snapshotID: source.origin?.snapshotID)
            )
        }
        let columns = ColumnLineage(prepared.bound)
        let map = ColumnMap(
            outputs: zip(outputs, columns.columnEdges).map { field, edges in
                ColumnMap.Output(
                    name: field.name,
                    fieldID: field.id.flatMap { Int32(exactly: $0) },
                    origins: origins.origins(edges)
                )
            },
            rows: origins.origins(columns.rowEdges)
        )
        let name = (table.identifier.namespace.levels + [table.identifier.name])
        let facts = LineageFacts(
            job: LineageFacts.Job(
                kind: job.kind,
                name: job.name ?? name.joined(separator: "."),
                version: job.version
            ),
            runID: job.runID ?? engine.options.ambient.uuidV7(),
            inputs: inputs,
            output: LineageFacts.Output(
                .table(uuid: table.metadata.tableUUID, name: name),
                snapshotID: table.branchSnapshotID,
                operation: operation ?? (replaces ? "overwrite" : "append"),
                // What is replaced on a branch is still there on others.
                replacesContents: replaces && tableBranch == nil && reference == nil
            )
        )
        var lineage = CommitLineage()
        lineage.add(facts, map: map, hash: engine.carriedMaps.hash(of: map))
        return lineage
    }

    /// The facts of a statement that leaves some of tables' rows out: what stays of each came from
    /// the table as it was.
    func lineage(
        ofRemovalFrom tables: [OpenTable],
        operation: String
    ) -> CommitLineage {
        var lineage = CommitLineage()
        let runID = engine.options.ambient.uuidV7()
        for table in tables {
            let name = table.identifier.namespace.levels + [table.identifier.name]
            let dataset = LineageFacts.Dataset.table(uuid: table.metadata.tableUUID, name: name)
            let outputs = table.metadata.currentSchema.fields.map { field in
                let id = Int32(exactly: field.id)
                let origin = ColumnMap.Origin(
                    input: 0,
                    column: field.name,
                    fieldID: id,
                    kind: .direct,
                    subtype: ColumnLineage.Subtype.identity.rawValue
                )
                return ColumnMap.Output(name: field.name, fieldID: id, origins: [origin])
            }
            let facts = LineageFacts(
                job: LineageFacts.Job(kind: "sql", name: name.joined(separator: ".")),
                runID: runID,
                inputs: [
                    LineageFacts.Input(dataset, snapshotID: currentSnapshotID(of: table.metadata))
                ],
                output: LineageFacts.Output(
                    dataset,
                    snapshotID: table.branchSnapshotID,
                    operation: operation,
                    replacesContents: false
                )
            )
            let map = ColumnMap(outputs: outputs, rows: [])
            lineage.add(facts, map: map, hash: engine.carriedMaps.hash(of: map))
        }
        return lineage
    }

    /// Where data came from and where it went, folded from the log.
    package func lineageGraph() async throws -> LineageGraph { try await engine.lineageGraph() }

    /// The state of the log that questions about lineage are about.
    package var lineageInstant: LineageInstant {
        asOf.map { LineageInstant($0) } ?? .newest
    }
}

extension LineageInstant {
    /// A state of the catalog, as lineage knows it.
    package init(_ instant: CatalogInstant) {
        switch instant {
        case .position(let position): self = .position(position)
        case .millis(let millis): self = .timeMillis(millis)
        }
    }
}

extension HistoricCommit {
    /// The changes of names and contents that lineage, which knows one name of each table, is to hear of.
    ///
    /// What happens to rows on a branch is told as it happens there; that the table is renamed or dropped
    /// there says nothing of its name elsewhere. When the branch is merged the rows are known already: names are
    /// all that is new.
    fileprivate var lineageChanges: [CatalogChange] {
        let isMerge = changes.contains { if case .mergeBranch = $0 { true } else { false } }
        if isMerge { return branch == nil ? changes.flatMap(\.namesAlone) : [] }
        if branch == nil { return changes.filter { !$0.isAboutReferences } }
        return changes.compactMap { change in
            switch change {
            case .createTable, .updateTable: change
            case .replaceTable(let table, _, let entry, let snapshotID):
                .createTable(table, entry, snapshotID: snapshotID)
            default: nil
            }
        }
    }
}

extension CatalogChange {
    /// What a change of a merge says of names.
    fileprivate var namesAlone: [CatalogChange] {
        switch self {
        case .createTable(let table, let entry, _): [.renameTable(table, to: table, entry)]
        case .replaceTable(let table, let old, let new, _):
            [.dropTable(table, old, purge: false), .renameTable(table, to: table, new)]
        case .updateTable: []
        default: isAboutReferences ? [] : [self]
        }
    }
}

extension LineageCommit {
    /// A commit as the catalog's history gives it.
    init(_ commit: HistoricCommit) {
        self.init(
            position: commit.position,
            index: commit.index,
            timeMillis: commit.timeMillis,
            id: commit.id,
            actor: commit.actor,
            message: commit.message,
            changes: commit.lineageChanges.map(\.json),
            lineage: commit.lineage
        )
    }
}
