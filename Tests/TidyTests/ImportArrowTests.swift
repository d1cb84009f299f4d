import Foundation
import Testing

/// The floors of docs/architecture.md: a target may import only targets on lower floors.
private let floors: [String: Int] = [
    "CZstd": 0, "CSnappy": 0, "CLZ4": 0, "CZlib": 0, "CPCRE2": 0, "CCurl": 0, "CMalloc": 0,
    "Bytes": 0, "Ambient": 0, "SQL": 0,
    "Columnar": 1, "ObjectStorage": 1,
    "Parquet": 2, "Iceberg": 2, "Planner": 2, "Kernels": 2, "CommitLog": 2, "TextFiles": 2,
    "Catalog": 3, "Tables": 3, "Execution": 3, "Lineage": 3,
    "Pipelines": 4, "Governance": 4,
    "Engine": 5,
    "VarveServer": 6,
    "varve": 7,
]

@Suite("Import arrows")
struct ImportArrowTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Of each target the modules that its files import.
    private static func imports() throws -> [String: Set<String>] {
        var result: [String: Set<String>] = [:]
        let sources = root.appendingPathComponent("Sources")
        for target in try FileManager.default.contentsOfDirectory(atPath: sources.path) {
            let folder = sources.appendingPathComponent(target)
            guard let files = FileManager.default.enumerator(atPath: folder.path) else { continue }
            result[target] = []
            for case let file as String in files where file.hasSuffix(".swift") {
                let text = try String(
                    contentsOf: folder.appendingPathComponent(file),
                    encoding: .utf8
                )
                for line in text.split(separator: "\n") {
                    let words = line.split(separator: " ")
                    guard let index = words.firstIndex(of: "import"), index <= 1,
                        index == 0 || ["package", "public", "internal"].contains(words[0]),
                        words.count > index + 1
                    else { continue }
                    result[target]?.insert(String(words[index + 1]))
                }
            }
        }
        return result
    }

    @Test("point down only")
    func pointDown() throws {
        for (target, modules) in try Self.imports() where target != "TestSupport" {
            guard let floor = floors[target] else {
                Issue.record("\(target) has no floor: give it one here and in docs/architecture.md")
                continue
            }
            for module in modules {
                guard let other = floors[module] else { continue }
                let isShim = module.hasPrefix("C") && other == 0 && module != "Columnar"
                #expect(other < floor || isShim, "\(target) must not import \(module)")
            }
        }
    }

    @Test("keep Foundation out of the targets that decode and compute")
    func noFoundation() throws {
        let imports = try Self.imports()
        for target in ["Bytes", "Columnar", "Kernels", "Parquet", "SQL", "Planner"] {
            let found = imports[target] ?? []
            #expect(!found.contains("Foundation") && !found.contains("FoundationEssentials"))
        }
    }

    @Test("keep Execution from Tables and Planner from Catalog")
    func cuts() throws {
        let imports = try Self.imports()
        #expect(imports["Execution"]?.contains("Tables") == false)
        #expect(imports["Planner"]?.contains("Catalog") == false)
        #expect(imports["Parquet"]?.contains("ObjectStorage") == false)
        #expect(imports["Iceberg"]?.contains("ObjectStorage") == false)
    }
}
