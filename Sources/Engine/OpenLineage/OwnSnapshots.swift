import Catalog
import CommitLog
import Iceberg
import Lineage
import Tables

/// Which snapshots the tables of this warehouse have, at one position of the catalog.
///
/// Metadata of tables are read when somebody asks for them, each once.
struct OwnSnapshots {
    private let catalog: WarehouseCatalog
    private let snapshot: CatalogSnapshot
    private let graph: LineageGraph
    /// By the names of their places, and by their names in the warehouse.
    private let tables: [EntityName: TableIdentifier]
    /// By the tables' ids; none where the metadata are damaged.
    private var snapshotIDs: [String: Set<Int64>] = [:]
    /// Metadata that are damaged.
    private var faults: [String] = []

    init(_ engine: Engine) async throws {
        catalog = try await engine.catalog(creating: false)
        snapshot = try await catalog.read()
        // Read later, so that it has all tables of that state.
        graph = try await engine.lineageGraph()
        let writer = OpenLineageWriter(namespace: engine.warehouseURL)
        var tables: [EntityName: TableIdentifier] = [:]
        for table in try snapshot.state.allTables() {
            let entry = try snapshot.state.existingTable(table)
            let names = writer.names(
                ofTable: entry.uuid,
                called: table.namespace.levels + [table.name],
                in: graph
            )
            for name in names { tables[name] = table }
        }
        self.tables = tables
    }

    /// Whether the table of one of these names has a snapshot, or had it: what was expired counts where a commit in the
    /// log made it current.
    ///
    /// - Returns: nil when none of them is a table's name.
    mutating func has(_ id: Int64, _ names: [EntityName]) async throws -> Bool? {
        guard let name = names.first(where: { [tables] in tables[$0] != nil }),
            let table = tables[name]
        else { return nil }
        let entry = try snapshot.state.existingTable(table)
        if graph.hadSnapshot(id, ofTable: entry.uuid) { return true }
        if let known = snapshotIDs[entry.uuid] { return known.contains(id) }
        let loaded = try await load(table)
        snapshotIDs[entry.uuid] = loaded
        return loaded.contains(id)
    }

    /// What was found to be damaged since this was asked last.
    mutating func takeFaults() -> [String] {
        defer { faults = [] }
        return faults
    }

    private mutating func load(_ table: TableIdentifier) async throws -> Set<Int64> {
        do {
            let metadata = try await catalog.load(table, in: snapshot).metadata
            return Set(metadata.snapshots.map(\.snapshotID))
        } catch let error as CatalogError {
            guard error.code == .corrupt else { throw error }
            faults.append(
                "the metadata of table \(table) cannot be read, so that of the snapshots that "
                    + "events name only those count that the log of commits knows: \(error). "
                    + "`varve audit verify` says what is damaged"
            )
            return []
        }
    }
}
