import Columnar
import Foundation
import Parquet
import TestSupport

/// The package's root.
let packageRoot = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// The shared test data, or nil when this machine does not have it.
let sharedRoot: URL? = {
    let path =
        ProcessInfo.processInfo.environment["VARVE_SHARED"].map { URL(fileURLWithPath: $0) }
        ?? packageRoot.deletingLastPathComponent().appendingPathComponent("shared")
    return FileManager.default.fileExists(atPath: path.path) ? path : nil
}()

/// The Python with pyarrow, DuckDB and Polars that oracles run in, or nil.
let python: String? = {
    let path =
        ProcessInfo.processInfo.environment["VARVE_PYTHON"]
        ?? packageRoot.appendingPathComponent(".venv/bin/python").path
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
}()

/// Why a test failed that has no better words.
struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// Runs one of the scripts in `oracle`, and gives what it prints.
func runOracle(_ script: String, _ arguments: [String]) throws -> String {
    guard let python else { throw Failure("no Python") }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    let path = packageRoot.appendingPathComponent("Tests/ParquetTests/oracle/\(script)").path
    process.arguments = [path] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let text = String(decoding: output, as: UTF8.self)
    if process.terminationStatus != 0 { throw Failure("\(script) failed: \(text.suffix(2000))") }
    return text
}

/// A folder that is removed when the closure ends.
func withTemporaryFolder<T>(_ body: (URL) throws -> T) throws -> T {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("varve-parquet-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer {
        // To look at what a failing oracle got.
        if ProcessInfo.processInfo.environment["VARVE_KEEP_FILES"] == nil {
            try? FileManager.default.removeItem(at: folder)
        }
    }
    return try body(folder)
}

func load(_ url: URL) throws -> Buffer {
    let data = try Data(contentsOf: url)
    return data.withUnsafeBytes { Buffer(copying: $0) }
}

/// A whole file in memory, read as a scan would.
struct LoadedFile {
    let bytes: Buffer
    let metadata: ParquetMetadata

    init(_ bytes: Buffer) throws {
        self.bytes = bytes
        switch try ParquetFile.parse(suffix: bytes, fileSize: bytes.byteCount) {
        case .complete(let metadata): self.metadata = metadata
        case .needs: throw Failure("the whole file is not enough")
        }
    }

    init(_ bytes: [UInt8]) throws {
        try self.init(bytes.withUnsafeBytes { Buffer(copying: $0) })
    }

    func reader(
        rowGroup: Int,
        column: Int,
        as type: DataType? = nil,
        options: ParquetReadOptions = ParquetReadOptions(),
        context: ParquetReadContext = ParquetReadContext()
    ) throws -> RowGroupColumnReader {
        let locations = try metadata.chunkLocations(rowGroup: rowGroup, columns: [column])
        return try RowGroupColumnReader(
            metadata: metadata,
            rowGroup: rowGroup,
            column: column,
            as: type,
            bytes: locations.map {
                ChunkBytes(bytes, byteOffset: $0.byteRange.lowerBound, count: $0.byteRange.count)
            },
            options: options,
            context: context
        )
    }

    /// All rows of a column, read `batch` at a time.
    func values(
        column: Int,
        as type: DataType? = nil,
        batch: Int = 2048,
        options: ParquetReadOptions = ParquetReadOptions()
    ) throws -> [Value] {
        var result: [Value] = []
        let context = ParquetReadContext()
        for group in metadata.rowGroups.indices {
            let reader = try reader(
                rowGroup: group,
                column: column,
                as: type,
                options: options,
                context: context
            )
            while reader.remainingRows > 0 {
                result.append(contentsOf: try reader.read(rows: batch).values)
            }
        }
        return result
    }
}

private let hexDigits = Array("0123456789abcdef".utf8)

func hex(_ bytes: some Sequence<UInt8>) -> String {
    var result: [UInt8] = []
    for byte in bytes {
        result.append(hexDigits[Int(byte >> 4)])
        result.append(hexDigits[Int(byte & 15)])
    }
    return String(decoding: result, as: UTF8.self)
}

/// A value as the oracle scripts write it.
func canonical(_ value: Value) -> String {
    switch value {
    case .null: return "~"
    case .boolean(let value): return value ? "true" : "false"
    case .int32(let value), .date(let value): return "\(value)"
    case .int64(let value), .time(let value), .timestamp(let value), .timestamptz(let value):
        return "\(value)"
    case .float32(let value):
        return value.isNaN ? "nan" : hex(bigEndianBytes(value.bitPattern))
    case .float64(let value):
        return value.isNaN ? "nan" : hex(bigEndianBytes(value.bitPattern))
    case .decimal(let value): return "\(value)"
    case .interval(let value): return "\(value.months)/\(value.days)/\(value.micros)"
    case .string(let value): return hex(value.utf8)
    case .binary(let value), .fixed(let value): return hex(value)
    case .uuid(let value): return hex(UUIDBits.bytes(fromOrdered: value))
    case .list(let values): return "[" + values.map(canonical).joined(separator: ",") + "]"
    case .structure(let values): return "(" + values.map(canonical).joined(separator: ",") + ")"
    case .map(let entries):
        return "{"
            + entries.map { canonical($0.key) + ":" + canonical($0.value) }
            .joined(separator: ",") + "}"
    }
}

private func bigEndianBytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
}

/// What an oracle script says is in a file: per column its name and its values as text.
struct ExpectedFile {
    struct ExpectedColumn {
        var name: String
        /// Nil when the oracle itself could not read the column.
        var values: [Substring]?
    }

    var columns: [ExpectedColumn] = []

    init(_ url: URL) throws {
        let text = try String(contentsOf: url, encoding: .utf8)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        while let head = lines.popFirst(), !head.isEmpty {
            let parts = head.split(separator: "\t")
            guard parts.count == 3, let count = Int(parts[2]) else { throw Failure("bad \(head)") }
            if parts[1] == "unreadable" {
                columns.append(ExpectedColumn(name: String(parts[0]), values: nil))
            } else {
                columns.append(
                    ExpectedColumn(name: String(parts[0]), values: Array(lines.prefix(count)))
                )
                lines = lines.dropFirst(count)
            }
        }
    }
}

/// The first row in which the lists differ, in words; nil when they are equal.
func firstDifference(_ expected: [Substring], _ actual: [Value]) -> String? {
    if expected.count != actual.count {
        return "\(actual.count) rows instead of \(expected.count)"
    }
    for (row, pair) in zip(expected, actual).enumerated() where pair.0 != canonical(pair.1) {
        return "row \(row): expected \(pair.0), read \(canonical(pair.1))"
    }
    return nil
}
