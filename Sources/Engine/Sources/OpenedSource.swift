import Columnar
import Execution
import Kernels
import Planner
import Synchronization
import Tables

/// Something a statement reads, found once and scanned any number of times.
protocol OpenedSource: Sendable {
    /// A scan of some columns; called on a query thread, which it may block.
    ///
    /// - Parameters:
    ///   - service: does what must wait for storage, as long as the statement runs.
    ///   - meter: counts what is read.
    func open(
        _ request: ScanRequest,
        _ service: FetchService,
        _ meter: ScanMeter
    ) throws -> any ScanSource
}

/// The sources of one statement, by the number that plans know them by.
final class StatementSources: ScanProvider {
    private let sources = Mutex<[any OpenedSource]>([])
    private let service = Mutex<FetchService?>(nil)
    private let meter: ScanMeter

    /// - Parameter meter: counts what the scans of the statement read.
    init(meter: ScanMeter = ScanMeter()) {
        self.meter = meter
    }

    /// Takes a source in and gives its number.
    func add(_ source: any OpenedSource) -> Int {
        sources.withLock { sources in
            sources.append(source)
            return sources.count - 1
        }
    }

    /// Puts another source in the place of one, for plans made from now on.
    func replace(_ id: Int, with source: any OpenedSource) {
        sources.withLock { $0[id] = source }
    }

    func open(_ request: ScanRequest) throws -> any ScanSource {
        let source = sources.withLock { sources in
            sources.indices.contains(request.table.sourceID)
                ? sources[request.table.sourceID] : nil
        }
        guard let source else {
            preconditionFailure("a plan reads a source of another statement")
        }
        guard let service = service.withLock({ $0 }) else {
            preconditionFailure("a statement's sources are read inside serving()")
        }
        return try source.open(request, service, meter)
    }

    /// Serves the scans of a statement while `body` runs it.
    func serving<R: Sendable>(
        _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        try await FetchService.withFetchService { service in
            self.service.withLock { $0 = service }
            defer { self.service.withLock { $0 = nil } }
            return try await body()
        }
    }
}

extension RecordBatch {
    /// The batch of rows that have a value a field each.
    init(_ schema: Columnar.Schema, _ rows: [[Value]]) {
        self.init(
            schema: schema,
            columns: schema.fields.enumerated().map { index, field in
                Column(field.type, rows.map { $0[index] })
            },
            rowCount: rows.count
        )
    }
}

/// Rows that are in memory: metadata tables, and what statements say about themselves.
struct BatchSource: OpenedSource {
    let batches: [RecordBatch]

    func open(
        _ request: ScanRequest,
        _ service: FetchService,
        _ meter: ScanMeter
    ) throws -> any ScanSource {
        BatchScan(batches: batches, positions: request.positions)
    }
}

private final class BatchScan: ScanSource {
    private let batches: [RecordBatch]
    private let positions: [Int]

    init(batches: [RecordBatch], positions: [Int]) {
        self.batches = batches
        self.positions = positions
    }

    var morselCount: Int { batches.count }

    func morsel(_ index: Int) throws -> any Morsel {
        BatchMorsel(batches[index], positions: positions)
    }
}

/// One batch as a morsel.
private final class BatchMorsel: Morsel {
    private let batch: RecordBatch
    private let positions: [Int]
    private var window = 0..<0

    init(_ batch: RecordBatch, positions: [Int]) {
        self.batch = batch
        self.positions = positions
    }

    func advance() throws -> Int {
        let end = min(batch.rowCount, window.upperBound + RecordBatch.rowCountMax)
        window = window.upperBound..<end
        return window.count
    }

    func read(_ column: Int) throws -> Column {
        batch.columns[positions[column]].slice(window)
    }

    func read(_ column: Int, _ selection: Selection) throws -> Column {
        Take.take(try read(column), selection)
    }
}
