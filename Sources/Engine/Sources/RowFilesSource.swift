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
    /// What the only file is called, where its path says nothing to anybody.
    let name: String?

    /// Looks at the first file to find out what the files hold.
    ///
    /// - Parameter targets: the columns that the rows are for, where they are known.
    init(
        paths: [String],
        format: RowFormat,
        progress: ImportProgress? = nil,
        name: String? = nil,
        targets: [Field] = []
    ) throws {
        self.paths = paths
        self.progress = progress
        self.name = name
        guard let first = paths.first else { throw EngineError(.notFound, "no file is named") }
        let title = Self.title(of: first, name)
        let input = try TextInput(first, title: title)
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

    func open(_ request: ScanRequest, _ service: FetchService) throws -> any ScanSource {
        RowFilesScan(source: self, positions: request.positions)
    }
}

private final class RowFilesScan: ScanSource {
    private let source: RowFilesSource
    private let positions: [Int]

    init(source: RowFilesSource, positions: [Int]) {
        self.source = source
        self.positions = positions
    }

    var morselCount: Int { source.paths.count }

    func morsel(_ index: Int) throws -> any Morsel {
        try RowFileMorsel(source.paths[index], source, positions)
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
    private var batch: RecordBatch?
    private var window = 0..<0
    private var isFinished = false
    private var reportedBytes = 0
    private var reportedRejects = 0

    init(_ path: String, _ source: RowFilesSource, _ positions: [Int]) throws {
        self.path = source.name ?? path
        let title = RowFilesSource.title(of: path, source.name)
        self.title = title
        self.positions = positions
        schema = source.schema
        progress = source.progress
        input = try TextInput(path, title: title)
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
        guard let progress else { return }
        progress.add(bytes: input.bytesRead - reportedBytes, rows: rows)
        reportedBytes = input.bytesRead
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
