import Bytes
import Columnar
import Execution
import Kernels
import Tables
import TextFiles

/// CSV files that a statement reads.
struct CSVSource: OpenedSource {
    let paths: [String]
    let format: CSVFormat
    let options: CSVOptions

    /// Looks at the first file to find out what the files hold.
    init(paths: [String], options: CSVOptions) throws {
        self.paths = paths
        self.options = options
        guard let first = paths.first else { throw EngineError(.notFound, "no file is named") }
        let input = try TextInput(first)
        let reader = try CSVReader(options: options)
        while reader.schema == nil, let bytes = try input.next() {
            reader.feed(bytes)
            _ = try located(first) { try reader.next() }
        }
        if reader.schema == nil {
            reader.finish()
            _ = try located(first) { try reader.next() }
        }
        guard let format = reader.format else {
            throw EngineError(.invalid, "file \"\(first)\" has no columns")
        }
        self.format = format
    }

    func open(_ request: ScanRequest, _ service: FetchService) throws -> any ScanSource {
        TextScan(source: self, positions: request.positions)
    }
}

private final class TextScan: ScanSource {
    private let source: CSVSource
    private let positions: [Int]

    init(source: CSVSource, positions: [Int]) {
        self.source = source
        self.positions = positions
    }

    var morselCount: Int { source.paths.count }

    func morsel(_ index: Int) throws -> any Morsel {
        try CSVMorsel(source.paths[index], source, positions)
    }
}

/// One file as a morsel: read and cut into batches as it goes.
private final class CSVMorsel: Morsel {
    private let path: String
    private let input: TextInput
    private let reader: CSVReader
    private let positions: [Int]
    private var batch: RecordBatch?
    private var isFinished = false

    init(_ path: String, _ source: CSVSource, _ positions: [Int]) throws {
        self.path = path
        self.positions = positions
        input = try TextInput(path)
        reader = try CSVReader(format: source.format, options: source.options)
    }

    func advance() throws -> Int {
        while true {
            if let next = try located(path, { try reader.next() }) {
                if next.rowCount == 0 { continue }
                batch = next
                return next.rowCount
            }
            if isFinished { return 0 }
            if let bytes = try input.next() {
                reader.feed(bytes)
            } else {
                reader.finish()
                isFinished = true
            }
        }
    }

    func read(_ column: Int) throws -> Column {
        guard let batch else { preconditionFailure("no window") }
        return batch.columns[positions[column]]
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
    }
}

/// The plain bytes of a local file, piece by piece, whatever it is compressed with.
final class TextInput {
    private let path: String
    private let file: LocalFileReader
    private var decompressor: StreamDecompressor?
    private var isFirst = true
    private var isEnded = false

    init(_ path: String) throws {
        self.path = path
        file = try LocalFileReader(path)
    }

    /// Bytes of the file as it lies on disk that have been read.
    var bytesRead: Int { file.bytesRead }

    /// The next bytes; nil at the end.
    func next() throws -> [UInt8]? {
        while true {
            if let decompressor {
                let plain = try located(path) { try decompressor.drain(countMax: 1 << 18) }
                if !plain.isEmpty { return plain }
            }
            if isEnded { return nil }
            let bytes = try file.next()
            if bytes.isEmpty {
                isEnded = true
                if let decompressor {
                    try located(path) { try decompressor.finish() }
                    continue
                }
                return nil
            }
            if isFirst {
                isFirst = false
                if let format = bytes.withUnsafeBytes({ StreamFormat.detect($0) }) {
                    decompressor = try located(path) { try StreamDecompressor(format) }
                }
            }
            guard let decompressor else { return bytes }
            bytes.withUnsafeBytes { decompressor.feed($0) }
        }
    }
}
