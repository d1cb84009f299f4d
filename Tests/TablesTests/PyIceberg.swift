import Bytes
import Columnar
import Foundation
import Testing

/// PyIceberg, where a Python with it is at hand: `VARVE_PYTHON`, or `.venv/bin/python` in the package.
enum PyIceberg {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let python: String? = {
        let given = ProcessInfo.processInfo.environment["VARVE_PYTHON"]
        let path = given ?? root.appendingPathComponent(".venv/bin/python").path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    static let shared: String? = {
        let given = ProcessInfo.processInfo.environment["VARVE_SHARED"]
        let path = given ?? root.deletingLastPathComponent().appendingPathComponent("shared").path
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }()

    /// The rows of a table, each as the JSON text of its cells.
    ///
    /// - Parameter folder: where relative paths in the metadata begin.
    static func rows(metadata: String, folder: String) throws -> [String] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(python))
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("oracle/rows.py").path
        process.arguments = [script, metadata]
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return try String(decoding: bytes, as: UTF8.self).split(separator: "\n").map {
            try JSON.parse(String($0)).text()
        }
    }

    /// A row as `rows.py` prints it.
    static func text(_ row: [Value]) -> String {
        JSON.array(row.map(json)).text()
    }

    private static func json(_ value: Value) -> JSON {
        switch value {
        case .null: .null
        case .boolean(let value): .bool(value)
        case .int32(let value), .date(let value): .string(String(value))
        case .int64(let value), .time(let value), .timestamp(let value), .timestamptz(let value):
            .string(String(value))
        case .float32(let value): .string(value.isNaN ? "NaN" : hex(value.bitPattern))
        case .float64(let value): .string(value.isNaN ? "NaN" : hex(value.bitPattern))
        case .decimal(let value): .string(String(value))
        case .string(let value): .string(value)
        case .binary(let value), .fixed(let value): .string(value.map(hex).joined())
        case .uuid(let value): .string(UUIDBits.bytes(fromOrdered: value).map(hex).joined())
        default: .string("\(value)")
        }
    }

    private static func hex<T: FixedWidthInteger & UnsignedInteger>(_ value: T) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: T.bitWidth / 4 - digits.count) + digits
    }
}
