import Ambient
import Bytes
import Columnar
import Foundation
import Glibc
import Iceberg
import ObjectStorage
import Testing

import Tables

/// A folder that goes when the test is over.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/varve-tables-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TablesError(.invalid, "no temporary folder") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func store() throws -> any ObjectStore {
        try openStore(url: path, options: StoreOptions(syncsFolders: false))
    }
}

/// A table without a catalog: commits are applied in memory, metadata files are written when asked.
struct TestTable {
    var metadata: TableMetadata
    let storage: TableStorage
    var now: Int64 = 1_700_000_000_000

    init(
        _ store: any ObjectStore,
        columns: Columnar.Schema,
        spec: UnboundPartitionSpec? = nil,
        properties: [String: String] = [:]
    ) throws {
        storage = TableStorage(store)
        metadata = try TableMetadata.create(
            schema: try Iceberg.Schema(numbering: columns),
            spec: spec,
            location: store.url(of: "ns/t"),
            properties: properties,
            uuid: "9c12d441-03fe-4693-9a96-a0705ddf69c1",
            now: 1_700_000_000_000
        )
    }

    func write(
        _ batches: [RecordBatch],
        options: TableWriterOptions? = nil
    ) async throws -> [DataFile] {
        let writer = try TableWriter(
            metadata,
            storage: storage,
            options: options,
            ambient: .system
        )
        for batch in batches { try await writer.write(batch) }
        return try await writer.finish()
    }

    mutating func commit(_ change: TableChange) async throws -> PreparedChange {
        let prepared = try await change.prepare(metadata)
        try await commit(prepared)
        return prepared
    }

    mutating func commit(_ prepared: PreparedChange) async throws {
        for file in prepared.sideFiles {
            _ = try await storage.store.putIfAbsent(file.key, file.bytes)
        }
        now += 1000
        metadata = try TableMetadata.apply(
            prepared.updates,
            requiring: prepared.requirements,
            to: metadata,
            now: now
        )
    }

    mutating func append(_ batches: [RecordBatch]) async throws {
        let files = try await write(batches)
        _ = try await commit(
            TableChange(.append, added: files, base: metadata, storage: storage)
        )
    }

    mutating func apply(_ updates: [TableUpdate]) throws {
        now += 1000
        metadata = try TableMetadata.apply(updates, to: metadata, now: now)
    }

    /// Writes the metadata file, for other programs to read.
    func writeMetadata() async throws -> String {
        let key = try storage.key(of: metadata.metadataLocation + "/00001-test.metadata.json")
        try await storage.store.put(key, metadata.json.serialized())
        return storage.location(of: key)
    }

    func read(
        _ predicate: TablePredicate = .always,
        at version: TableVersion = .current,
        fieldIDs: [Int]? = nil,
        options: ScanOptions = ScanOptions(),
        meter: ScanMeter = ScanMeter()
    ) async throws -> [[Value]] {
        let reader = try TableReader(metadata, at: version, storage: storage)
        return try await rows(
            of: reader,
            predicate,
            fieldIDs: fieldIDs ?? reader.schema.fields.map(\.id),
            options: options,
            meter: meter
        )
    }
}

/// All rows of a table, in no particular order.
func rows(
    of reader: TableReader,
    _ predicate: TablePredicate = .always,
    fieldIDs: [Int],
    options: ScanOptions = ScanOptions(),
    meter: ScanMeter = ScanMeter()
) async throws -> [[Value]] {
    try await FetchService.withFetchService { service in
        let plan = try await reader.plan(predicate, meter: meter)
        let scan = try await reader.openScan(
            plan,
            fieldIDs: fieldIDs,
            options: options,
            service: service,
            meter: meter
        )
        return try await rows(of: scan)
    }
}

private let threads = WorkerPool(threadCountMax: 8)

/// All rows of a scan, read by three threads at once.
func rows(of scan: ParquetScan) async throws -> [[Value]] {
    let workerCount = 3
    return try await withThrowingTaskGroup(of: [[Value]].self) { group in
        for worker in 0..<workerCount {
            group.addTask {
                try await threads.run {
                    var rows: [[Value]] = []
                    var index = worker
                    while index < scan.morselCount {
                        let morsel = try scan.morsel(index)
                        while true {
                            let count = try morsel.advance()
                            if count == 0 { break }
                            let columns = try scan.columns.indices.map { try morsel.read($0) }
                            for column in columns { precondition(column.count == count) }
                            for row in 0..<count { rows.append(columns.map { $0.value(at: row) }) }
                        }
                        index += workerCount
                    }
                    return rows
                }
            }
        }
        var all: [[Value]] = []
        for try await part in group { all += part }
        return all
    }
}

/// A batch from rows of values.
func batch(_ schema: Columnar.Schema, _ rows: [[Value]]) -> RecordBatch {
    RecordBatch(
        schema: schema,
        columns: schema.fields.indices.map { index in
            Column(schema[index].type, rows.map { $0[index] })
        },
        rowCount: rows.count
    )
}

/// How often each row occurs: rows without their order.
func counted(_ rows: [[Value]]) -> [String: Int] {
    var counts: [String: Int] = [:]
    // NaN equals nothing, but is printed the same.
    for row in rows { counts["\(row)", default: 0] += 1 }
    return counts
}

/// What a piece of work throws; nil when it does not.
func failure<Output>(_ work: () async throws -> Output) async -> (any Error)? {
    do {
        _ = try await work()
        return nil
    } catch {
        return error
    }
}
