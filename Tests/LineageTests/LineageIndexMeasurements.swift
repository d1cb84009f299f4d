import Bytes
import Foundation
import Lineage
import ObjectStorage
import TestSupport
import Testing

/// Times of a large index: `VARVE_LINEAGE_EDGES=100000000 swift test -c release --filter LineageIndexMeasurements`.
///
/// A table of 100 columns each commit, made of two that were there, with 10 origins for each column.
@Suite("Lineage index, measured") struct LineageIndexMeasurements {
    static let edgeCount = ProcessInfo.processInfo.environment["VARVE_LINEAGE_EDGES"].flatMap(
        Int.init
    )

    private static func map(_ random: inout SeededGenerator) -> ColumnMap {
        ColumnMap(
            outputs: (0..<100).map { column in
                var seen: Set<Int> = []
                while seen.count < 10 { seen.insert(Int.random(in: 0..<200, using: &random)) }
                return ColumnMap.Output(
                    name: "c\(column)",
                    fieldID: Int32(column + 1),
                    origins: seen.sorted().map {
                        ColumnMap.Origin(
                            input: $0 / 100,
                            column: "c\($0 % 100)",
                            fieldID: Int32($0 % 100 + 1),
                            kind: $0 % 3 == 0 ? .indirect : .direct,
                            subtype: $0 % 3 == 0 ? "FILTER" : "TRANSFORMATION"
                        )
                    }
                )
            }
        )
    }

    @Test("as many edges as VARVE_LINEAGE_EDGES says", .enabled(if: edgeCount != nil))
    func measured() async throws {
        let edgeCount = try #require(Self.edgeCount)
        var random = SeededGenerator(seed: 1)
        let graph = LineageGraph()
        let clock = ContinuousClock()
        func report(_ what: String, _ time: Duration) { print("\(what): \(time)") }

        report(
            "fold",
            try clock.measure {
                for number in 0..<max(edgeCount / 1000, 1) {
                    var lineage = CommitLineage()
                    func table(_ number: Int) -> LineageFacts.Dataset {
                        .table(uuid: "uuid-\(number)", name: ["ns", "t\(number)"])
                    }
                    let facts = LineageFacts(
                        job: LineageFacts.Job(kind: "sql", name: "ns.t\(number)"),
                        runID: "run-\(number)",
                        inputs: (0..<2).map { _ in
                            let other = Int.random(in: 0...max(number - 1, 0), using: &random)
                            return LineageFacts.Input(table(other), snapshotID: Int64(other) + 1)
                        },
                        output: LineageFacts.Output(
                            table(number),
                            snapshotID: Int64(number) + 1,
                            operation: "append",
                            replacesContents: false
                        )
                    )
                    lineage.add(facts, map: Self.map(&random))
                    let commit = LineageCommit(
                        position: Int64(number) + 1,
                        index: 0,
                        timeMillis: Int64(number) + 1,
                        id: "commit-\(number)",
                        actor: "ada",
                        changes: [],
                        lineage: try lineage.encoded()
                    )
                    try graph.apply([commit])
                }
            }
        )
        let folder = try TemporaryFolder()
        let store = try FolderStore(path: folder.path)
        let indexes = LineageIndexStore(store: store, warehouseID: "w") { position in
            sha256Text(Array("\(position)".utf8))
        }
        print("index: \(graph.byteCount) bytes, \(graph.resolvedMapCount) maps")
        var image: IndexImage?
        report("copying under the lock", clock.measure { image = IndexImage(graph) })
        let taken = try #require(image)
        var header: IndexHeader?
        let writing = try await clock.measure {
            header = try await indexes.write(taken, base: nil).header
        }
        report("writing", writing)
        let again = try await clock.measure {
            let found = try await indexes.write(taken, base: header).report
            #expect(found.wasThere)
        }
        report("writing again", again)
        for isCold in [true, false, false] {
            if isCold { try Self.forget(folder.path) }
            let loading = try await clock.measure {
                let found = try await indexes.loadNewest()
                #expect(found.faults == [])
                #expect(found.loaded?.graph.commitCount == graph.commitCount)
            }
            report(isCold ? "loading, files not in memory" : "loading", loading)
        }
        let loaded = try #require(try await indexes.loadNewest().loaded).graph
        let node = try NodeName("ns.t\(max(edgeCount / 1000, 1) - 1).c1")
        let asking = try clock.measure {
            let depth = LineageOptions(depth: 3)
            let same = try loaded.upstream(of: node, depth) == graph.upstream(of: node, depth)
            #expect(same)
        }
        report("a question to both", asking)
    }

    /// Gives the pages of all files back, so that they are read from the disk.
    private static func forget(_ folder: String) throws {
        guard let files = FileManager.default.enumerator(atPath: folder) else { return }
        for case let file as String in files {
            let descriptor = open("\(folder)/\(file)", O_RDONLY)
            guard descriptor >= 0 else { continue }
            fsync(descriptor)
            posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
            close(descriptor)
        }
    }
}
