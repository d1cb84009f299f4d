import Foundation
import Testing

/// Asks DuckDB (in Python) what SQL expressions give, as text.
///
/// Python is `VARVE_PYTHON` or `.venv/bin/python` in the package root, and must have duckdb; without
/// it the tests that ask are skipped.
enum DuckDBOracle {
    enum Answer: Equatable {
        case null
        case error
        case text(String)
    }

    static let python: String? = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let own = root.appendingPathComponent(".venv/bin/python").path
        let path = ProcessInfo.processInfo.environment["VARVE_PYTHON"] ?? own
        guard FileManager.default.isExecutableFile(atPath: path) else { return nil }
        let probe = Process()
        probe.executableURL = URL(fileURLWithPath: path)
        probe.arguments = ["-c", "import duckdb"]
        probe.standardError = FileHandle.nullDevice
        guard (try? probe.run()) != nil else { return nil }
        probe.waitUntilExit()
        return probe.terminationStatus == 0 ? path : nil
    }()

    static var isAbsent: Comment { "no Python with duckdb (VARVE_PYTHON or .venv)" }

    private static let script = """
        import duckdb, json, sys
        c = duckdb.connect()
        c.execute("set timezone='UTC'")
        out = []
        for expression in json.load(open(sys.argv[1])):
            try:
                value = c.execute("select (" + expression + ")::varchar").fetchone()[0]
                out.append(None if value is None else [value])
            except Exception:
                out.append([])
        json.dump(out, open(sys.argv[2], "w"))
        """

    /// The answers to expressions, in order.
    static func ask(_ expressions: [String]) throws -> [Answer] {
        let python = try #require(python)
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("varve-oracle-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (questions, answers) = (
            folder.appendingPathComponent("in"), folder.appendingPathComponent("out")
        )
        try JSONEncoder().encode(expressions).write(to: questions)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = ["-c", script, questions.path, answers.path]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        let found = try JSONDecoder().decode(
            [[String]?].self,
            from: Data(contentsOf: answers)
        )
        try #require(found.count == expressions.count)
        return found.map { answer in
            guard let answer else { return .null }
            return answer.first.map { .text($0) } ?? .error
        }
    }

    /// A text as an SQL literal.
    static func literal(_ text: String) -> String {
        "'" + text.replacingOccurrences(of: "'", with: "''") + "'"
    }
}
