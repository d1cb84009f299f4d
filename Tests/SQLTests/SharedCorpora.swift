import Foundation

/// Statements from elsewhere, on machines that have them (`VARVE_SHARED`).
enum SharedCorpora {
    static let folder: URL = {
        if let path = ProcessInfo.processInfo.environment["VARVE_SHARED"] {
            return URL(fileURLWithPath: path)
        }
        let package = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return package.deletingLastPathComponent().appendingPathComponent("shared")
    }()

    static var hasLogicTests: Bool { exists("corpora/slt/duckdb") }
    static var hasBenchmarkQueries: Bool { exists("corpora/tpch/queries") }

    private static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: folder.appendingPathComponent(path).path)
    }

    /// A statement of a sqllogictest file that must succeed.
    struct LogicStatement {
        var file: String
        var text: String
    }

    /// Every statement and query that the files expect to succeed.
    static func logicStatements() throws -> [LogicStatement] {
        let root = folder.appendingPathComponent("corpora/slt/duckdb")
        let names = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String }
        var statements: [LogicStatement] = []
        for name in (names ?? []).sorted() where name.hasSuffix(".test") {
            let bytes = try Data(contentsOf: root.appendingPathComponent(name))
            let lines = String(decoding: bytes, as: UTF8.self)
                .split(separator: "\n", omittingEmptySubsequences: false)
            var index = 0
            while index < lines.count {
                let words = lines[index].split(separator: " ")
                index += 1
                let isQuery = words.first == "query"
                let isStatement = words.first == "statement" && words.dropFirst().first == "ok"
                guard isQuery || isStatement else { continue }
                var text: [Substring] = []
                while index < lines.count, !lines[index].isEmpty, lines[index] != "----" {
                    text.append(lines[index])
                    index += 1
                }
                statements.append(
                    LogicStatement(file: name, text: text.joined(separator: "\n"))
                )
            }
        }
        return statements
    }

    /// The 22 queries of TPC-H.
    static func benchmarkQueries() throws -> [String] {
        let root = folder.appendingPathComponent("corpora/tpch/queries")
        let names = try FileManager.default.contentsOfDirectory(atPath: root.path).sorted()
        return try names.filter { $0.hasSuffix(".sql") }.map { name in
            let bytes = try Data(contentsOf: root.appendingPathComponent(name))
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
