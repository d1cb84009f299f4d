import Bytes
import Columnar
import TextFiles

/// A reader of files that are taken in from the beginning: bytes in, batches out.
protocol RowReader: AnyObject {
    /// The columns; nil until enough has been seen.
    var schema: Schema? { get }
    func feed(_ bytes: [UInt8])
    /// Says that the file ends here.
    func end() throws
    /// The next batch; nil when more bytes are needed, or at the end.
    func nextBatch() throws -> RecordBatch?
    /// The rows left out since the last call.
    func takeRejected() -> [RejectedRow]
    var rejectedRowCount: Int { get }
}

extension CSVReader: RowReader {
    func end() { finish() }
    func nextBatch() throws -> RecordBatch? { try next() }
    func takeRejected() -> [RejectedRow] { takeRejectedRows() }
}

extension JSONReader: RowReader {
    func end() { finish() }
    func nextBatch() throws -> RecordBatch? { try next() }
    func takeRejected() -> [RejectedRow] { takeRejectedRows() }
}

/// Arrow IPC, in the stream format or the file format (which is a stream between a magic word and a
/// footer).
final class ArrowRowReader: RowReader {
    private let reader = IPCStreamReader()
    private var isFirst = true
    private var head: [UInt8] = []

    var schema: Schema? { reader.schema }
    var rejectedRowCount: Int { 0 }

    private static let magic = Array("ARROW1\0\0".utf8)

    func feed(_ bytes: [UInt8]) {
        guard isFirst else {
            reader.feed(bytes)
            return
        }
        head += bytes
        guard head.count >= Self.magic.count else { return }
        isFirst = false
        // The stream of a file begins behind its magic word; it ends like any stream.
        reader.feed(head.starts(with: Self.magic) ? Array(head.dropFirst(8)) : head)
        head = []
    }

    func end() throws {
        if isFirst {
            isFirst = false
            reader.feed(head)
        }
        try reader.finish()
    }

    func nextBatch() throws -> RecordBatch? { try reader.next() }
    func takeRejected() -> [RejectedRow] { [] }
}

/// How files of rows are read.
enum RowFormat: Sendable {
    case csv(CSVOptions, CSVFormat?)
    case json(JSONOptions, JSONFormat?)
    case arrow

    func makeReader() throws -> any RowReader {
        switch self {
        case .csv(let options, let format?):
            try CSVReader(format: format, options: options)
        case .csv(let options, nil): try CSVReader(options: options)
        case .json(let options, let format?):
            try JSONReader(format: format, options: options)
        case .json(let options, nil): try JSONReader(options: options)
        case .arrow: ArrowRowReader()
        }
    }

    /// The same with what a reader found out about the file.
    func known(_ reader: any RowReader) -> RowFormat {
        switch (self, reader) {
        case (.csv(let options, _), let reader as CSVReader): .csv(options, reader.format)
        case (.json(let options, _), let reader as JSONReader): .json(options, reader.format)
        default: self
        }
    }
}
