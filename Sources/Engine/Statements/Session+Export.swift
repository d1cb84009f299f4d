import Bytes
import Columnar
import Execution
import Glibc
import ObjectStorage
import Parquet
import SQL
import TextFiles

/// What an export wrote.
package struct ExportReceipt: Sendable {
    package var path: String
    package var rowCount: Int
    package var byteCount: Int
}

extension Session {
    /// Writes the rows of a query to a file, which appears whole or not at all.
    ///
    /// - Parameters:
    ///   - text: one query; a table's name stands for all of it.
    ///   - path: a local path or an s3:// URL; its end tells the format and the compression.
    package func export(
        _ text: String,
        to path: String,
        format: FileFormat? = nil,
        parameters: Parameters = [:]
    ) async throws -> ExportReceipt {
        var options = CopyFormat()
        options.format = format
        return try await export(
            try Parser.parseQuery(text),
            to: path,
            options,
            parameters: parameters
        )
    }

    /// Writes the rows of a query to a file, which appears whole or not at all.
    func export(
        _ query: Query,
        to path: String,
        _ options: CopyFormat,
        parameters: Parameters
    ) async throws -> ExportReceipt {
        guard let format = options.format ?? ExternalFiles.format(of: path) else {
            throw EngineError(
                .invalid,
                "the format of \"\(path)\" cannot be told from its name",
                hint: "End it in .csv, .ndjson, .json, .parquet or .arrow."
            )
        }
        let prepared = try await prepare(query, parameters)
        let encoder = try FileEncoder(format, path: path, schema: prepared.schema, options)
        let upload = try await engine.beginExport(path)
        do {
            let receipt = try await withRows(of: prepared) { rows in
                var rowCount = 0
                var byteCount = 0
                func send(_ bytes: [UInt8]) async throws {
                    byteCount += bytes.count
                    if !bytes.isEmpty { try await upload.write(bytes) }
                }
                let file = encoder.begun()
                try await send(file.begin)
                while let batch = try await rows.next() {
                    rowCount += batch.rowCount
                    try await send(try file.encode(batch))
                }
                try await send(try file.end())
                return ExportReceipt(path: path, rowCount: rowCount, byteCount: byteCount)
            }
            _ = try await upload.finish()
            return receipt
        } catch {
            await upload.abort()
            throw error
        }
    }
}

extension Engine {
    /// An upload to a path or URL that a person names.
    fileprivate func beginExport(_ path: String) async throws -> any ObjectUpload {
        if path.hasPrefix("s3://") {
            let (store, key) = try file(path)
            return try await store.beginUpload(key)
        }
        let local = path.hasPrefix("file://") ? String(path.dropFirst(7)) : path
        return try LocalFileUpload(local)
    }
}

/// A local file that is written beside its place and moved there when it is whole.
///
/// `@unchecked Sendable`: one task at a time writes to it.
private final class LocalFileUpload: ObjectUpload, @unchecked Sendable {
    private let path: String
    private let temporary: String
    private var descriptor: Int32
    private var count = 0

    init(_ path: String) throws {
        self.path = path
        temporary = path + ".varve-\(getpid())"
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if descriptor < 0 {
            throw EngineError(
                .invalid,
                "\"\(path)\" cannot be written: \(String(cString: strerror(errno)))"
            )
        }
    }

    func write(_ bytes: [UInt8]) async throws {
        try bytes.withUnsafeBytes { buffer in
            var start = 0
            while start < buffer.count {
                let written = Glibc.write(
                    descriptor,
                    buffer.baseAddress.map { $0 + start },
                    buffer.count - start
                )
                if written < 0 {
                    if errno == EINTR { continue }
                    throw EngineError(
                        .invalid,
                        "writing \"\(path)\" failed: \(String(cString: strerror(errno)))"
                    )
                }
                start += written
            }
        }
        count += bytes.count
    }

    func finish() async throws -> ObjectMetadata {
        guard fsync(descriptor) == 0, close(descriptor) == 0, rename(temporary, path) == 0 else {
            throw EngineError(
                .invalid,
                "\"\(path)\" cannot be written: \(String(cString: strerror(errno)))"
            )
        }
        descriptor = -1
        return ObjectMetadata(key: path, size: count, entityTag: "", lastModifiedMicros: 0)
    }

    func abort() async {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        unlink(temporary)
    }
}

/// Makes files of rows: what is needed to begin one.
private struct FileEncoder: Sendable {
    private let format: FileFormat
    private let compression: StreamFormat?
    private let isArray: Bool
    private let delimiter: UInt8
    private let hasHeader: Bool
    private let schema: Columnar.Schema

    init(
        _ format: FileFormat,
        path: String,
        schema: Columnar.Schema,
        _ options: CopyFormat
    ) throws {
        self.format = format
        self.schema = schema
        let name = path.lowercased()
        compression =
            options.compression
            ?? (name.hasSuffix(".gz") ? .gzip : name.hasSuffix(".zst") ? .zstd : nil)
        isArray = options.isArray ?? (name.contains(".json") && !name.contains(".jsonl"))
        delimiter = options.delimiter ?? UInt8(ascii: name.contains(".tsv") ? "\t" : ",")
        hasHeader = options.hasHeader
        if compression != nil, format == .parquet {
            throw EngineError(.invalid, "a Parquet file is compressed inside, not as a whole")
        }
    }

    func begun() -> BegunFile { BegunFile(self) }

    /// A file on its way; used by one task.
    final class BegunFile {
        private enum Form {
            case csv(CSVWriter)
            case ndjson(NDJSONWriter)
            case array(NDJSONWriter)
            case parquet(ParquetWriter)
            case arrow(IPCFileWriter)
            case failed(any Error)
        }

        private var form: Form
        private var compressor: StreamCompressor?
        private var rowCount = 0
        /// The first bytes of the file.
        private(set) var begin: [UInt8] = []

        init(_ encoder: FileEncoder) {
            do {
                var first: [UInt8] = []
                switch encoder.format {
                case .csv:
                    form = .csv(
                        try CSVWriter(
                            schema: encoder.schema,
                            delimiter: encoder.delimiter,
                            hasHeader: encoder.hasHeader
                        )
                    )
                case .json where encoder.isArray:
                    form = .array(NDJSONWriter(schema: encoder.schema))
                    first = [UInt8(ascii: "["), 10]
                case .json: form = .ndjson(NDJSONWriter(schema: encoder.schema))
                case .parquet:
                    form = .parquet(try ParquetWriter(schema: encoder.schema))
                case .arrow:
                    var writer = IPCFileWriter(schema: encoder.schema)
                    first = try writer.begin()
                    form = .arrow(writer)
                }
                if let format = encoder.compression {
                    compressor = try StreamCompressor(format)
                }
                begin = try packed(first)
            } catch {
                form = .failed(error)
            }
        }

        private func packed(_ bytes: [UInt8]) throws -> [UInt8] {
            guard let compressor else { return bytes }
            var result: [UInt8] = []
            try bytes.withUnsafeBytes { try compressor.compress($0, into: &result) }
            return result
        }

        func encode(_ batch: RecordBatch) throws -> [UInt8] {
            defer { rowCount += batch.rowCount }
            switch form {
            case .csv(let writer): return try packed(writer.encode(batch))
            case .ndjson(let writer): return try packed(writer.encode(batch))
            case .array(let writer):
                // Lines become elements: a comma before each but the first.
                var lines = writer.encode(batch)
                if lines.last == 10 { lines.removeLast() }
                var text: [UInt8] = []
                if rowCount > 0 { text += [UInt8(ascii: ","), 10] }
                for byte in lines {
                    if byte == 10 { text.append(UInt8(ascii: ",")) }
                    text.append(byte)
                }
                return try packed(text)
            case .parquet(let writer):
                try writer.write(batch)
                return writer.drain()
            case .arrow(var writer):
                let bytes = try writer.encode(batch)
                form = .arrow(writer)
                return try packed(bytes)
            case .failed(let error): throw error
            }
        }

        func end() throws -> [UInt8] {
            var last: [UInt8] = []
            switch form {
            case .csv(let writer): last = writer.end()
            case .ndjson: break
            case .array: last = Array("\n]\n".utf8)
            case .parquet(let writer): return try writer.finish().bytes
            case .arrow(let writer): last = try writer.end()
            case .failed(let error): throw error
            }
            var bytes = try packed(last)
            if let compressor { try compressor.finish(into: &bytes) }
            return bytes
        }
    }
}
