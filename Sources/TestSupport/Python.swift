import Foundation

/// A Python with pyarrow and duckdb, to compare with: `VARVE_PYTHON`, or `.venv/bin/python` in the
/// package's root. Tests that need it are skipped when it is absent.
package enum Python {
    /// The interpreter; nil when there is none.
    package static let path: String? = {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let stated = ProcessInfo.processInfo.environment["VARVE_PYTHON"]
        let candidates: [String?] = [stated, root.appendingPathComponent(".venv/bin/python").path]
        return candidates.compactMap { $0 }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }()

    /// Why a script did not give what was asked.
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    /// Runs a script in a fresh folder that holds `files`; gives what it printed, and the files that
    /// are there afterwards.
    package static func run(
        _ script: String,
        files: [String: [UInt8]] = [:]
    ) throws -> (output: String, files: [String: [UInt8]]) {
        guard let path else { throw Failure(description: "no Python") }
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("varve-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, bytes) in files {
            try Data(bytes).write(to: folder.appendingPathComponent(name))
        }
        let scriptFile = folder.appendingPathComponent("script.py")
        let outputFile = folder.appendingPathComponent("output.txt")
        try Data(script.utf8).write(to: scriptFile)
        _ = FileManager.default.createFile(atPath: outputFile.path, contents: nil)
        let handle = try FileHandle(forWritingTo: outputFile)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = [scriptFile.path]
        process.currentDirectoryURL = folder
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        process.waitUntilExit()
        let output = String(decoding: try Data(contentsOf: outputFile), as: UTF8.self)
        if process.terminationStatus != 0 { throw Failure(description: output) }
        var result: [String: [UInt8]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path)
        where name != "script.py" && name != "output.txt" {
            result[name] = Array(try Data(contentsOf: folder.appendingPathComponent(name)))
        }
        return (output, result)
    }
}
