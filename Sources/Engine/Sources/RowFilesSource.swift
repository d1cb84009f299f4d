import Bytes
import Columnar
import Execution
import Kernels
import Synchronization
import Tables
import TextFiles

/// What reading files for an import has come to, for a progress bar and a report.
package final class ImportProgress: Sendable {
    private let bytes = Atomic<Int>(0)
    private let rows = Atomic<Int>(0)
    private let rejected = Mutex<[RejectedFileRow]>([])
    private let rejectedCount = Atomic<Int>(0)
    /// Bytes of all files, as they lie on disk; nil when it is not known.
    private let total = Mutex<Int?>(nil)

    /// A row that was left out, and the file it was in.
    package struct RejectedFileRow: Sendable {
        package var file: String
        package var line: Int
        package var column: Int?
        package var columnName: String?
        package var reason: String
        package var rawText: String
    }

    package init() {}

    package var bytesRead: Int { bytes.load(ordering: .relaxed) }
    package var rowCount: Int { rows.load(ordering: .relaxed) }
    package var rejectedRowCount: Int { rejectedCount.load(ordering: .relaxed) }
    package var bytesTotal: Int? { total.withLock { $0 } }

    func begin(bytesTotal: Int?) { total.withLock { $0 = bytesTotal } }

    func add(bytes count: Int, rows rowCount: Int) {
        bytes.wrappingAdd(count, ordering: .relaxed)
        rows.wrappingAdd(rowCount, ordering: .relaxed)
    }

    func reject(_ rows: [RejectedRow], countTotal: Int, in file: String) {
        rejectedCount.wrappingAdd(countTotal, ordering: .relaxed)
        guard !rows.isEmpty else { return }
        rejected.withLock { all in
            all += rows.map {
                RejectedFileRow(
                    file: file,
                    line: $0.line,
                    column: $0.column,
                    columnName: $0.columnName,
                    reason: $0.reason,
                    rawText: $0.rawText
                )
            }
        }
    }

    /// The rows that were kept aside, in the order of their files and lines.
    var rejectedRows: [RejectedFileRow] {
        rejected.withLock { $0 }.sorted { ($0.file, $0.line) < ($1.file, $1.line) }
    }
}

/// Files of rows (CSV, JSON, Arrow) that a statement or an import reads from their beginning.
struct RowFilesSource: OpenedSource {
    let paths: [String]
    let format: RowFormat
    let schema: Schema
    let progress: ImportProgress?

    /// Looks at the first file to find out what the files hold.
    init(paths: [String], format: RowFormat, progress: ImportProgress? = nil) throws {
        self.paths = paths
        self.progress = progress
        guard let first = paths.first else { throw EngineError(.notFound, "no file is named") }
        let input = try TextInput(first)
        let reader = try located(first) { try format.makeReader() }
        while reader.schema == nil, let bytes = try input.next() {
            reader.feed(bytes)
            _ = try located(first) { try reader.nextBatch() }
        }
        if reader.schema == nil {
            try located(first) {
                try reader.end()
                _ = try reader.nextBatch()
            }
        }
        guard let schema = reader.schema else {
            throw EngineError(.invalid, "file \"\(first)\" has no columns")
        }
        self.schema = schema
        self.format = format.known(reader)
    }

    func open(
        _ request: ScanRequest,
        _ service: FetchService,
        _ meter: ScanMeter
    ) throws -> any ScanSource {
        meter.add { $0.files += paths.count }
        return RowFilesScan(source: self, positions: request.positions, meter)
    }
}

private final class RowFilesScan: ScanSource {
    private let source: RowFilesSource
    private let positions: [Int]
    private let meter: ScanMeter

    init(source: RowFilesSource, positions: [Int], _ meter: ScanMeter) {
        self.source = source
        self.positions = positions
        self.meter = meter
    }

    var morselCount: Int { source.paths.count }

    func morsel(_ index: Int) throws -> any Morsel {
        try RowFileMorsel(source.paths[index], source, positions, meter)
    }
}

/// One file as a morsel: read and cut into batches as it goes.
private final class RowFileMorsel: Morsel {
    private let path: String
    private let input: TextInput
    private let reader: any RowReader
    private let schema: Schema
    private let positions: [Int]
    private let progress: ImportProgress?
    private let meter: ScanMeter
    private var batch: RecordBatch?
    private var window = 0..<0
    private var isFinished = false
    private var reportedBytes = 0
    private var reportedRejects = 0

    init(
        _ path: String,
        _ source: RowFilesSource,
        _ positions: [Int],
        _ meter: ScanMeter
    ) throws {
        self.path = path
        self.meter = meter
        self.positions = positions
        schema = source.schema
        progress = source.progress
        input = try TextInput(path)
        reader = try located(path) { try source.format.makeReader() }
    }

    func advance() throws -> Int {
        while true {
            // Batches of Arrow files may be larger than a window.
            if let batch, window.upperBound < batch.rowCount {
                let end = min(batch.rowCount, window.upperBound + RecordBatch.rowCountMax)
                window = window.upperBound..<end
                return window.count
            }
            batch = nil
            if let next = try located(path, { try reader.nextBatch() }) {
                guard next.schema.fields.map(\.type) == schema.fields.map(\.type) else {
                    throw EngineError(
                        .invalid,
                        "file \"\(path)\" has other columns than the first file"
                    )
                }
                report(rows: next.rowCount)
                batch = next
                window = 0..<0
                continue
            }
            if isFinished {
                report(rows: 0)
                return 0
            }
            if let bytes = try input.next() {
                reader.feed(bytes)
            } else {
                try located(path) { try reader.end() }
                isFinished = true
            }
        }
    }

    private func report(rows: Int) {
        let bytes = input.bytesRead - reportedBytes
        reportedBytes = input.bytesRead
        meter.add {
            $0.bytesRead += bytes
            $0.rows += rows
        }
        guard let progress else { return }
        progress.add(bytes: bytes, rows: rows)
        let rejected = reader.rejectedRowCount
        if rejected > reportedRejects {
            progress.reject(
                reader.takeRejected(),
                countTotal: rejected - reportedRejects,
                in: path
            )
            reportedRejects = rejected
        }
    }

    func read(_ column: Int) throws -> Column {
        guard let batch else { preconditionFailure("no window") }
        return batch.columns[positions[column]].slice(window)
    }

    func read(_ column: Int, _ selection: Selection) throws -> Column {
        Take.take(try read(column), selection)
    }
}

/// Names the file in an error about what it holds.
func located<T>(_ path: String, _ body: () throws -> T) throws -> T {
    do {
        return try body()
    } catch let error as TextFileError {
        throw EngineError(.invalid, "file \"\(path)\": \(error)")
    } catch let error as BytesError {
        throw EngineError(.invalid, "file \"\(path)\": \(error)")
    } catch let error as IPCError {
        throw EngineError(.invalid, "file \"\(path)\": \(error)")
    }
}
