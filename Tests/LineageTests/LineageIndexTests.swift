import Ambient
import Bytes
import CommitLog
import Foundation
import Lineage
import ObjectStorage
import TestSupport
import Testing

/// Indexes of logs that lie nowhere: an entry's hash is a text made of its position.
private struct IndexFixture {
    static let prefix = "_varve/lineage/index/"
    let store: any ObjectStore
    var log = "a"

    init(_ store: any ObjectStore = MemoryStore()) { self.store = store }

    var indexes: LineageIndexStore {
        let log = log
        return LineageIndexStore(store: store, warehouseID: "w") { position in
            sha256Text(Array("\(log) \(position)".utf8))
        }
    }

    @discardableResult
    func write(
        _ graph: LineageGraph,
        base: IndexHeader? = nil
    ) async throws -> (header: IndexHeader, report: LineageIndexStore.Report) {
        let image = try #require(IndexImage(graph, chunkByteCount: 64 << 10))
        return try await indexes.write(image, base: base)
    }

    func load() async throws -> LineageIndexStore.Loaded {
        let (loaded, faults) = try await indexes.loadNewest()
        #expect(faults == [])
        return try #require(loaded)
    }

    /// All objects and their bytes.
    func objects() async throws -> [String: [UInt8]] {
        var objects: [String: [UInt8]] = [:]
        for object in try await store.listAll(prefix: Self.prefix) {
            objects[object.key] = try await store.get(object.key).bytes
        }
        return objects
    }

    static func key(_ position: Int) -> String {
        prefix + String(repeating: "0", count: 20 - String(position).count) + "\(position).index"
    }

    /// Puts another header in the place of an index's, with a checksum that fits.
    func rewrite(
        _ position: Int,
        _ change: (inout JSONObject, inout [UInt8]) -> Void
    ) async throws {
        let key = Self.key(position)
        let bytes = try await store.get(key).bytes
        let end = try #require(bytes.firstIndex(of: 10))
        var header = try unsealed(Array(bytes[..<end]), key: key)
        header["checksum"] = nil
        var tails = Array(bytes[(end + 1)...])
        change(&header, &tails)
        try await store.put(key, sealed(JSON.object(header).serialized().dropLast()) + [10] + tails)
    }
}

private func graph(_ commits: ArraySlice<LineageCommit>) throws -> LineageGraph {
    let graph = LineageGraph()
    try graph.apply(commits)
    return graph
}

@Suite("Lineage index") struct LineageIndexTests {
    @Test(
        "is the same whether the log was folded at once, or by several processes one after the other",
        arguments: 0..<12
    )
    func deterministic(seed: UInt64) async throws {
        let random = RandomLog(
            seed: seed,
            commitCount: 600,
            columnCountMax: seed % 3 == 0 ? 150 : 12
        )
        let commits = random.log.commits
        let atOnce = IndexFixture()
        let whole = try graph(commits[...])
        try await atOnce.write(whole)
        let expected = try await atOnce.objects()
        // Of some logs regions are larger than a chunk; of the others there is one object.
        #expect(seed % 3 == 0 ? expected.count > 3 : expected.count == 1)

        let folder = try TemporaryFolder()
        let stepwise = IndexFixture(
            seed % 2 == 0 ? MemoryStore() : try FolderStore(path: folder.path)
        )
        var first = try graph(commits.prefix(60))
        var written = try await stepwise.write(first)
        for end in [61, 200, 399, 600] {
            let loaded = try await stepwise.load()
            #expect(loaded.header == written.header)
            first = loaded.graph
            try first.apply(commits.prefix(end))
            written = try await stepwise.write(first, base: loaded.header)
        }
        let found = try await stepwise.objects()
        let missing = expected.filter { found[$0.key] != $0.value }.map(\.key)
        #expect(missing == [])
        let loaded = try await stepwise.load()
        let same = whole.answers(about: random.nodes) == loaded.graph.answers(about: random.nodes)
        #expect(same)
        #expect(try await stepwise.indexes.difference(at: 600, from: whole) == nil)
        let earlier = try graph(commits.prefix(399))
        #expect(try await stepwise.indexes.difference(at: 399, from: earlier) == nil)
        let other = try await stepwise.indexes.difference(at: 600, from: earlier)
        #expect(other != nil)
    }

    @Test("of a folder is mapped, and goes on without the files")
    func mapped() async throws {
        let folder = try TemporaryFolder()
        let fixture = IndexFixture(try FolderStore(path: folder.path))
        let random = RandomLog(seed: 5, commitCount: 500, columnCountMax: 100)
        let whole = try graph(random.log.commits[...])
        try await fixture.write(try graph(random.log.commits.prefix(400)))
        let loaded = try await fixture.load()
        for key in try await fixture.objects().keys { try await fixture.store.delete(key) }
        try loaded.graph.apply(random.log.commits)
        let same = whole.answers(about: random.nodes) == loaded.graph.answers(about: random.nodes)
        #expect(same)
    }

    @Test("writes chunks that changed, and no others")
    func chunks() async throws {
        let fixture = IndexFixture()
        let random = RandomLog(seed: 9, commitCount: 1500, columnCountMax: 60)
        let commits = random.log.commits
        let graph = try graph(commits.prefix(1400))
        let (header, first) = try await fixture.write(graph)
        #expect(first.writtenObjectCount > 10)
        // The same once more.
        let again = try await fixture.write(graph, base: header).report
        #expect(again.wasThere)
        #expect(again.writtenObjectCount == 0)
        try graph.apply(commits.prefix(1410))
        let more = try await fixture.write(graph, base: header).report
        #expect(!more.wasThere)
        #expect(more.writtenByteCount < first.writtenByteCount)
        // Without a base everything is written, over what is there.
        let anew = try await fixture.write(graph).report
        #expect(anew.writtenObjectCount > more.writtenObjectCount)
        #expect(anew.wasThere)
    }

    @Test("goes on being asked and folded while it is written")
    func concurrent() async throws {
        let random = RandomLog(seed: 11, commitCount: 1200, columnCountMax: 40)
        let commits = random.log.commits
        let graph = try graph(commits.prefix(200))
        let fixture = IndexFixture()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for end in stride(from: 200, through: 1200, by: 10) {
                    try graph.apply(commits.prefix(end))
                }
            }
            group.addTask { for _ in 0..<10 { _ = graph.answers(about: ["ns.t1", "ns.t2"]) } }
            group.addTask {
                var base: IndexHeader?
                for _ in 0..<20 { base = try await fixture.write(graph, base: base).header }
            }
            try await group.waitForAll()
        }
        for position in try await fixture.indexes.positions() {
            let rebuilt = LineageGraph()
            try rebuilt.apply(commits.prefix(Int(position)))
            #expect(try await fixture.indexes.difference(at: position, from: rebuilt) == nil)
        }
        #expect(try await fixture.indexes.verify().faults == [])
    }

    // MARK: What is wrong with them

    @Test("that is damaged gives way to the one before, and that to the log")
    func damaged() async throws {
        let random = RandomLog(seed: 3, commitCount: 600, columnCountMax: 100)
        let commits = random.log.commits
        let fixture = IndexFixture()
        let old = try await fixture.write(try graph(commits.prefix(500))).header
        let new = try await fixture.write(try graph(commits[...]), base: old).header
        let own = try #require(Set(new.chunks).subtracting(old.chunks).first)
        let shared = try #require(Set(new.chunks).intersection(old.chunks).first)
        #expect(try await fixture.indexes.loadNewest().loaded?.header == new)

        func damage(_ key: String) async throws -> [UInt8] {
            let bytes = try await fixture.store.get(key).bytes
            var wrong = bytes
            wrong[bytes.count / 3] ^= 4
            try await fixture.store.put(key, wrong)
            return bytes
        }
        let bytes = try await damage(own.key)
        var found = try await fixture.indexes.loadNewest()
        #expect(found.loaded?.header == old)
        #expect(found.faults.map(\.key) == [own.key])
        #expect(try await fixture.indexes.verify().faults.map(\.key) == [own.key])
        try await fixture.store.put(own.key, bytes)

        let index = try await damage(new.key)
        found = try await fixture.indexes.loadNewest()
        #expect(found.loaded?.header == old)
        #expect(found.faults.map(\.key) == [new.key])
        try await fixture.store.put(new.key, index)

        try await fixture.store.delete(shared.key)
        found = try await fixture.indexes.loadNewest()
        #expect(found.loaded == nil)
        #expect(found.faults.map(\.key) == [shared.key, shared.key])
        // Whoever has the log writes it anew.
        try await fixture.write(try graph(commits[...]))
        #expect(try await fixture.load().header == new)
    }

    @Test("of another log, warehouse or version is not used")
    func foreign() async throws {
        let commits = RandomLog(seed: 4, commitCount: 80).log.commits
        var fixture = IndexFixture()
        try await fixture.write(try graph(commits[...]))
        fixture.log = "b"
        #expect(try await fixture.indexes.loadNewest().loaded == nil)
        fixture.log = "a"
        let other = LineageIndexStore(store: fixture.store, warehouseID: "v") { position in
            sha256Text(Array("a \(position)".utf8))
        }
        #expect(try await other.loadNewest().loaded == nil)
        let gone = LineageIndexStore(store: fixture.store, warehouseID: "w") { _ in nil }
        #expect(try await gone.loadNewest().loaded == nil)
        for version in [0, 2] {
            try await fixture.rewrite(80) { header, _ in
                header["format-version"] = .integer(version)
            }
            let found = try await fixture.indexes.loadNewest()
            #expect(found.loaded == nil)
            #expect(found.faults.map(\.message).joined().contains("version"))
        }
        // It is put right by whoever writes the next one.
        try await fixture.write(try graph(commits[...]))
        _ = try await fixture.load()
    }

    @Test(
        "only throws on bytes that anybody may have written, or answers and goes on",
        arguments: 0..<40
    )
    func fuzzed(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let log = RandomLog(seed: seed / 4, commitCount: 120)
        let commits = log.log.commits
        let fixture = IndexFixture()
        try await fixture.write(try graph(commits.prefix(90)))
        let sound = try await fixture.store.get(IndexFixture.key(90)).bytes
        var (loadedCount, refusedCount) = (0, 0)
        for round in 0..<25 {
            try await fixture.store.put(IndexFixture.key(90), sound)
            try await fixture.rewrite(90) { header, tails in
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let place = Int.random(in: 0..<tails.count, using: &random)
                    if round % 4 == 0 {
                        tails[place] = UInt8.random(in: 0...255, using: &random)
                        continue
                    }
                    // Places of records: small, none, or near to what was there.
                    let at = min(place & ~3, tails.count - 4)
                    var value = tails[at..<at + 4].reversed().reduce(UInt32(0)) {
                        $0 << 8 | UInt32($1)
                    }
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: value = .max
                    case 1: value = UInt32.random(in: 0..<100, using: &random)
                    default: value &+= UInt32.random(in: 0..<9, using: &random) &- 4
                    }
                    for byte in 0..<4 {
                        tails[at + byte] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(byte)))
                    }
                }
                header["tails-sha256"] = .string(sha256Text(tails))
            }
            guard let loaded = try await fixture.indexes.loadNewest().loaded else {
                refusedCount += 1
                continue
            }
            loadedCount += 1
            let nodes = Array(log.nodes.shuffled(using: &random).prefix(16))
            _ = loaded.graph.answers(about: nodes, depth: 6)
            // What the log says next is folded or refused, but nothing is outside of what is there.
            try? loaded.graph.apply(commits)
            _ = loaded.graph.answers(about: Array(nodes.prefix(4)))
            try await fixture.write(loaded.graph)
            for position in try await fixture.indexes.positions() where position != 90 {
                try await fixture.store.delete(IndexFixture.key(Int(position)))
            }
        }
        #expect(loadedCount > 0)
        #expect(refusedCount > 0)
    }

    @Test("headers that anybody may have written are only refused", arguments: 0..<8)
    func fuzzedHeaders(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let commits = RandomLog(seed: 2, commitCount: 90).log.commits
        let fixture = IndexFixture()
        try await fixture.write(try graph(commits[...]))
        let sound = try await fixture.store.get(IndexFixture.key(90)).bytes
        for _ in 0..<60 {
            try await fixture.store.put(IndexFixture.key(90), sound)
            try await fixture.rewrite(90) { header, _ in
                var regions = header["regions"]?.array ?? []
                let at = Int.random(in: 0..<regions.count, using: &random)
                var region = regions[at].object ?? [:]
                let counts: [Int] = [-1, 0, 1, 1 << 20, 1 << 34, .max]
                switch Int.random(in: 0..<4, using: &random) {
                case 0: region["size"] = .integer(counts.randomElement(using: &random) ?? 0)
                case 1: region["chunks"] = [["sha256": "", "xxh64": "0"]]
                default:
                    let old = region["count"]?.int ?? 0
                    let isNear = Bool.random(using: &random)
                    let near = old + Int.random(in: -2...2, using: &random)
                    region["count"] = .integer(
                        isNear ? near : counts.randomElement(using: &random) ?? 0
                    )
                }
                regions[at] = .object(region)
                header["regions"] = .array(regions)
            }
            if let loaded = try await fixture.indexes.loadNewest().loaded {
                #expect(loaded.graph.commitCount == 90)
            }
        }
    }

    // MARK: Sweeping

    @Test("old ones are swept, but not the newest two, nor what they need")
    func sweeping() async throws {
        let time = ManualTime()
        let fixture = IndexFixture(MemoryStore(time: time))
        let commits = RandomLog(seed: 8, commitCount: 900, columnCountMax: 60).log.commits
        var base: IndexHeader?
        for end in [500, 600, 700, 800] {
            base = try await fixture.write(try graph(commits.prefix(end)), base: base).header
            try await time.sleep(nanoseconds: 1_000_000_000)
        }
        let hour: Int64 = 60 * 60 * 1000
        await #expect(throws: LineageError.self) {
            try await fixture.indexes.sweep(graceMillis: hour - 1, isDry: false)
        }
        // All are young.
        var swept = try await fixture.indexes.sweep(graceMillis: hour, isDry: false)
        #expect(swept.removedIndexCount == 0)
        #expect(swept.removedChunkCount == 0)
        #expect(swept.keptIndexCount == 4)
        try await time.sleep(nanoseconds: 2 * hour * 1_000_000)
        let last = try graph(commits[...])
        base = try await fixture.write(last, base: base).header
        let dry = try await fixture.indexes.sweep(graceMillis: hour, isDry: true)
        #expect(dry.removedIndexCount == 3)
        #expect(try await fixture.indexes.positions() == [500, 600, 700, 800, 900])
        swept = try await fixture.indexes.sweep(graceMillis: hour, isDry: false)
        #expect(swept == dry)
        #expect(swept.removedChunkCount > 0)
        #expect(try await fixture.indexes.positions() == [800, 900])
        #expect(try await fixture.indexes.verify().faults == [])
        #expect(try await fixture.indexes.difference(at: 900, from: last) == nil)
        #expect(
            try await fixture.indexes.difference(at: 800, from: graph(commits.prefix(800))) == nil
        )
    }

    @Test("one whose base was swept away meanwhile is taken back")
    func lostBase() async throws {
        let fixture = IndexFixture()
        let commits = RandomLog(seed: 8, commitCount: 300).log.commits
        let base = try await fixture.write(try graph(commits.prefix(200))).header
        try await fixture.store.delete(base.key)
        await #expect(throws: LineageError.self) {
            try await fixture.write(try graph(commits[...]), base: base)
        }
        #expect(try await fixture.indexes.positions() == [])
    }

    @Test("an index of a later version is left alone")
    func laterVersion() async throws {
        let time = ManualTime()
        let fixture = IndexFixture(MemoryStore(time: time))
        let commits = RandomLog(seed: 8, commitCount: 300).log.commits
        for end in [100, 200, 250] {
            try await fixture.write(try graph(commits.prefix(end)))
        }
        try await fixture.rewrite(100) { header, _ in header["format-version"] = 99 }
        try await time.sleep(nanoseconds: 5 * 3_600_000_000_000)
        try await fixture.write(try graph(commits[...]))
        let swept = try await fixture.indexes.sweep(graceMillis: 3_600_000, isDry: false)
        #expect(swept.removedIndexCount == 1)
        #expect(try await fixture.indexes.positions() == [100, 250, 300])
    }

    // MARK: The format

    @Test("is written and read as the vector has it")
    func golden() async throws {
        let folder = LineageFactsTests.folder.deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("lineage-index/vectors")
        var log = LogBuilder()
        for name in ["a", "b"] { log.create(name) }
        log.run("a", from: ["data/a.csv"], map: identityMap(["x", "ü"]))
        log.run("b", from: ["a"], map: identityMap(["x"], rows: ["ü"]), replaces: true)
        log.run("b", from: ["a"], map: identityMap(["x"], rows: ["ü"]))
        log.rename("b", to: "c")
        log.changeSilently("c", snapshot: 50)
        log.changeSilently("c", snapshot: 4)
        let graph = try log.graph()
        let fixture = IndexFixture()
        try await fixture.write(graph)
        let key = IndexFixture.key(8)
        let bytes = try await fixture.store.get(key).bytes
        let file = folder.appendingPathComponent("\(key.dropFirst(IndexFixture.prefix.count))")
        if ProcessInfo.processInfo.environment["VARVE_WRITE_VECTORS"] != nil {
            try Data(bytes).write(to: file)
        }
        let vector = Array(try Data(contentsOf: file))
        #expect(bytes == vector)
        let other = IndexFixture()
        try await other.store.put(key, vector)
        let loaded = try await other.load()
        let nodes = ["ns.a", "ns.b", "ns.c", "ns.c.x", "data/a.csv"]
        #expect(loaded.graph.answers(about: nodes) == graph.answers(about: nodes))
    }
}
