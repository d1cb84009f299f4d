import Ambient
import Bytes
import Columnar
import Execution
import Kernels
import ObjectStorage
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
    let files: [InputFile]
    let format: RowFormat
    let schema: Schema
    let progress: ImportProgress?
    /// What the only file is called, where its path says nothing to anybody.
    let name: String?

    /// Looks at the first file to find out what the files hold.
    ///
    /// - Parameters:
    ///   - name: what the only file is called, where its path says nothing to anybody.
    ///   - targets: the columns that the rows are for, where they are known.
    static func open(
        _ files: [InputFile],
        format: RowFormat,
        workers: WorkerPool,
        progress: ImportProgress? = nil,
        name: String? = nil,
        targets: [Field] = []
    ) async throws -> RowFilesSource {
        try await FetchService.withFetchService { service in
            try await workers.run {
                try RowFilesSource(files, format, service, progress, name, targets)
            }
        }
    }

    private init(
        _ files: [InputFile],
        _ format: RowFormat,
        _ service: FetchService,
        _ progress: ImportProgress?,
        _ name: String?,
        _ targets: [Field]
    ) throws {
        self.files = files
        self.progress = progress
        self.name = name
        guard let file = files.first else { throw EngineError(.notFound, "no file is named") }
        let title = Self.title(of: file.path, name)
        let input = try TextInput(file, title: title, service)
        let reader = try located(title) { try format.makeReader() }
        while reader.schema == nil, let bytes = try input.next() {
            reader.feed(bytes)
            _ = try located(title) { try reader.nextBatch() }
        }
        if reader.schema == nil {
            try located(title) {
                try reader.end()
                _ = try reader.nextBatch()
            }
        }
        guard reader.schema != nil else {
            throw EngineError(.badRows, "\(title) has no columns")
        }
        let known = format.known(reader).adjusted(to: targets)
        self.format = known
        schema = known.schema ?? reader.schema ?? Schema([])
    }

    static func title(of path: String, _ name: String?) -> String { name ?? "file \"\(path)\"" }

    func open(
        _ request: ScanRequest,
        _ service: FetchService,
        _ meter: ScanMeter
    ) throws -> any ScanSource {
        meter.add { $0.files += files.count }
        return RowFilesScan(source: self, positions: request.positions, service, meter)
    }
}

private final class RowFilesScan: ScanSource {
    private let source: RowFilesSource
    private let positions: [Int]
    private let service: FetchService
    private let meter: ScanMeter

    init(
        source: RowFilesSource,
        positions: [Int],
        _ service: FetchService,
        _ meter: ScanMeter
    ) {
        self.source = source
        self.positions = positions
        self.service = service
        self.meter = meter
    }

    var morselCount: Int { source.files.count }

    func morsel(_ index: Int) throws -> any Morsel {
        try RowFileMorsel(source.files[index], source, positions, service, meter)
    }
}

/// One file as a morsel: read and cut into batches as it goes.
private final class RowFileMorsel: Morsel {
    private let path: String
    private let title: String
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
        _ file: InputFile,
        _ source: RowFilesSource,
        _ positions: [Int],
        _ service: FetchService,
        _ meter: ScanMeter
    ) throws {
        path = source.name ?? file.path
        let title = RowFilesSource.title(of: file.path, source.name)
        self.title = title
        self.meter = meter
        self.positions = positions
        schema = source.schema
        progress = source.progress
        input = try TextInput(file, title: title, service)
        reader = try located(title) { try source.format.makeReader() }
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
            if let next = try located(title, { try reader.nextBatch() }) {
                guard next.schema.fields.map(\.type) == schema.fields.map(\.type) else {
                    throw EngineError(
                        .badRows,
                        "\(title) has other columns than the first file"
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
                try located(title) { try reader.end() }
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
func located<T>(_ title: String, _ body: () throws -> T) throws -> T {
    do {
        return try body()
    } catch let error as TextFileError {
        switch error.code {
        case .invalidOption: throw EngineError(.invalid, "\(title): \(error)")
        case .unsupported: throw EngineError(.unsupported, "\(title): \(error)")
        case .malformed, .badValue, .limit:
            throw EngineError(
                .badRows,
                "\(title): \(error)",
                row: EngineError.RowPlace(
                    line: error.line,
                    column: error.column,
                    columnName: error.columnName
                )
            )
        }
    } catch let error as BytesError {
        throw EngineError(.badRows, "\(title): \(error)")
    } catch let error as IPCError {
        throw EngineError(
            error.code == .unsupported ? .unsupported : .badRows,
            "\(title): \(error)"
        )
    }
}
