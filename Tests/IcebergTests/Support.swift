import Foundation
import Testing

import Bytes
import Iceberg
import TestSupport

/// Where data from elsewhere lies; tests that need it are skipped when it is absent.
enum Corpora {
    static let packageRoot = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let shared: URL = {
        if let path = ProcessInfo.processInfo.environment["VARVE_SHARED"] {
            return URL(fileURLWithPath: path)
        }
        return packageRoot.deletingLastPathComponent().appendingPathComponent("shared")
    }()

    static let fixtures = shared.appendingPathComponent("corpora/iceberg-fixtures")
    static let isPresent = FileManager.default.fileExists(atPath: fixtures.path)

    /// All fixture files whose name ends so, sorted.
    static func files(endingWith suffix: String) -> [URL] {
        let all = FileManager.default.enumerator(at: fixtures, includingPropertiesForKeys: nil)
        return (all?.allObjects as? [URL] ?? [])
            .filter { $0.lastPathComponent.hasSuffix(suffix) }
            .sorted { $0.path < $1.path }
    }

    static func bytes(_ url: URL) throws -> [UInt8] {
        Array(try Data(contentsOf: url))
    }
}

/// The Python with PyIceberg and fastavro; tests that need it are skipped when there is none.
enum Python {
    static let path: String? = {
        let given = ProcessInfo.processInfo.environment["VARVE_PYTHON"]
        let local = Corpora.packageRoot.appendingPathComponent(".venv/bin/python").path
        return [given, local].compactMap { $0 }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }()

    struct Failure: Error { let output: String }

    /// Runs a script with arguments and reads the JSON it prints.
    static func run(_ script: String, _ arguments: [String] = []) throws -> JSON {
        guard let path else { throw Failure(output: "no Python") }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["-W", "ignore", "-c", script] + arguments
        let output = Pipe()
        process.standardOutput = output
        let errorFile = FileManager.default.temporaryDirectory
            .appendingPathComponent(UUID().uuidString)
        _ = FileManager.default.createFile(atPath: errorFile.path, contents: nil)
        process.standardError = try FileHandle(forWritingTo: errorFile)
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let errorText = (try? String(contentsOf: errorFile, encoding: .utf8)) ?? ""
        try? FileManager.default.removeItem(at: errorFile)
        guard process.terminationStatus == 0 else { throw Failure(output: errorText) }
        return try JSON.parse(Array(data))
    }
}

/// A folder that is removed when the test is over.
final class TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory
            .appendingPathComponent("iceberg-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// Writes a file whose path may begin with `file://`.
    func write(_ bytes: [UInt8], to path: String) throws {
        let plain = path.hasPrefix("file://") ? String(path.dropFirst(7)) : path
        let url = URL(fileURLWithPath: plain)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(bytes).write(to: url)
    }
}

func column(
    _ id: Int,
    _ name: String,
    _ type: IcebergType,
    required: Bool = false
) -> NestedField {
    NestedField(id: id, name: name, required: required, type: type)
}

let testUUID = "9c12d441-03fe-4693-9a96-a0705ddf69c1"

/// A new table of these columns.
func makeTable(
    _ fields: [NestedField],
    spec: [(source: Int, transform: Transform, name: String)] = [],
    location: String = "s3://bucket/warehouse/t",
    properties: [String: String] = [:]
) throws -> TableMetadata {
    try TableMetadata.create(
        schema: Schema(fields: fields),
        spec: UnboundPartitionSpec(
            fields: spec.map {
                UnboundPartitionSpec.Field(
                    sourceIDs: [$0.source],
                    name: $0.name,
                    transform: $0.transform
                )
            }
        ),
        location: location,
        properties: properties,
        uuid: testUUID,
        now: 1_700_000_000_000
    )
}

/// Damages bytes in a few places.
func mutated(_ bytes: [UInt8], using random: inout SeededGenerator) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
        case 2: bytes.remove(at: index)
        case 3: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
        default: bytes.removeSubrange(index...)
        }
    }
    return bytes
}

extension IcebergError {
    /// The error that `body` throws; nil when it throws none.
    static func from(_ body: () throws -> Void) -> IcebergError? {
        do {
            try body()
            return nil
        } catch let error as IcebergError {
            return error
        } catch {
            Issue.record("another error: \(error)")
            return nil
        }
    }
}
