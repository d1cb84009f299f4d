import Ambient
import Catalog
import Columnar
import Iceberg
import Synchronization
import Tables

/// Rows of a statement that are few enough to wait in memory for the commit, where those of all statements
/// that are committed together become one data file.
final class HeldRows: AppendedRows {
    private let batches: [RecordBatch]
    let rowCount: Int
    let byteCount: Int
    /// The table as the statement saw it, for which the rows were checked.
    private let table: OpenTable
    private let ambient: AmbientSources
    /// What was written last, and with which others.
    private let last = Mutex<(others: [ObjectIdentifier], written: WrittenAppends)?>(nil)

    /// Rows of a statement that are held, and what they take.
    static let rowCountMax = 10_000
    static let byteCountMax = 1 << 20

    /// - Parameter batches: in the order of the table's columns, as `TableWriter.arranged` gives them.
    init(_ batches: [RecordBatch], byteCount: Int, table: OpenTable, ambient: AmbientSources) {
        self.batches = batches
        rowCount = batches.reduce(0) { $0 + $1.rowCount }
        self.byteCount = byteCount
        self.table = table
        self.ambient = ambient
    }

    func written(with others: [any AppendedRows]) async throws -> WrittenAppends {
        let all = [self] + others.compactMap { $0 as? HeldRows }
        guard all.count == others.count + 1 else {
            throw EngineError(.invalid, "rows of another kind are to be written to the table")
        }
        let identities = all.map { ObjectIdentifier($0) }
        if let last = last.withLock({ $0 }), last.others == identities { return last.written }
        var written = WrittenAppends(files: [], unwritten: [], places: [])
        var start = 0
        while start < all.count {
            let end = all[start...].firstIndex { !$0.isWritten(as: all[start]) } ?? all.count
            try await all[start].write(all[start..<end], into: &written)
            start = end
        }
        let result = written
        last.withLock { $0 = (identities, result) }
        return written
    }

    /// Whether both are of the same columns, to be written in the same way.
    private func isWritten(as other: HeldRows) -> Bool {
        let (a, b) = (table.metadata, other.table.metadata)
        return a.currentSchemaID == b.currentSchemaID && a.defaultSpecID == b.defaultSpecID
            && a.location == b.location && a.properties == b.properties
    }

    private func write(_ rows: ArraySlice<HeldRows>, into all: inout WrittenAppends) async throws {
        var below = table.storage.store
        if let held = below as? HeldFiles { below = held.below }
        let files = HeldFiles(below: below)
        let writer = try TableWriter(
            table.metadata,
            storage: TableStorage(files),
            ambient: ambient
        )
        do {
            var runs: [[WrittenRun]] = []
            for one in rows { runs.append(try await writer.writeNoting(one.batches)) }
            let written = try await writer.finish()
            let counts = Dictionary(
                written.map { ($0.filePath, $0.recordCount) },
                uniquingKeysWith: { first, _ in first }
            )
            all.files += written
            all.unwritten += files.files
            all.places += zip(rows, runs).map { one, runs in
                // Who has a file alone need not say where in it.
                let isAlone = runs.allSatisfy { $0.rowCount == counts[$0.location] }
                return AddedFiles(
                    locations: runs.map(\.location),
                    recordCount: Int64(one.rowCount),
                    rows: isAlone ? nil : runs.map { $0.firstRow..<($0.firstRow + $0.rowCount) }
                )
            }
        } catch {
            let keys = await writer.abandon()
            try? await files.delete(keys)
            throw error
        }
    }
}

extension RecordBatch {
    /// The bytes that the columns keep in memory, about; what several share counts several times.
    var keptByteCount: Int { columns.reduce(0) { $0 + $1.keptByteCount } }
}

extension Column {
    fileprivate var keptByteCount: Int {
        let values =
            switch storage {
            case .null: 0
            case .bits: count / 8
            case .fixed(let slice): slice.buffer.byteCount
            case .views(let slice, let owners):
                owners.buffers.reduce(slice.buffer.byteCount) { $0 + $1.byteCount }
            case .dictionary(let codes, let dictionary):
                codes.buffer.byteCount + dictionary.values.keptByteCount
            case .constant(let box): box.column.keptByteCount
            case .list(let offsets, let elements):
                offsets.buffer.byteCount + elements.column.keptByteCount
            case .structure(let columns): columns.reduce(0) { $0 + $1.keptByteCount }
            case .map(let offsets, let keys, let values):
                offsets.buffer.byteCount + keys.column.keptByteCount + values.column.keptByteCount
            }
        return values + count / 8
    }
}
