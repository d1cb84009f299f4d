import Ambient
import ObjectStorage
import Testing
import TestSupport

/// The stores that must all behave alike.
enum StoreKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory, folder, s3
    /// A part of a store in memory.
    case prefixed
    /// A real store that whoever runs the tests named: `VARVE_TEST_S3=s3://bucket/prefix`, and the
    /// usual AWS variables.
    case named

    var testDescription: String { rawValue }
}

/// A fresh store of some kind, and what must live as long.
struct StoreFixture {
    var store: any ObjectStore
    private var folder: TemporaryFolder?

    /// - Parameter name: lower-case letters, unique among the tests.
    init(_ kind: StoreKind, _ name: String) async throws {
        switch kind {
        case .memory:
            store = MemoryStore()
        case .prefixed:
            store = PrefixedStore(MemoryStore(), prefix: "some/folder")
        case .folder:
            let folder = try TemporaryFolder()
            self.folder = folder
            store = try openStore(
                url: "file://\(folder.path)/lake",
                options: StoreOptions(syncsFolders: false)
            )
        case .s3:
            guard let moto = MotoServer.shared else {
                throw ObjectStoreError(.unavailable, "moto_server could not be started")
            }
            store = try await moto.store("varve-\(name)", prefix: "/some/prefix")
        case .named:
            let url = EnvironmentVariables.process["VARVE_TEST_S3"] ?? ""
            let s3 = try S3Store(url: "\(url)/\(name)-\(AmbientSources.system.uuidV7())")
            try? await s3.createBucket()
            store = s3
        }
    }
}

/// All kinds that can be tested here; S3 needs moto.
let availableKinds = StoreKind.allCases.filter { kind in
    switch kind {
    case .memory, .folder, .prefixed: true
    case .s3: MotoServer.binary != nil
    case .named: EnvironmentVariables.process["VARVE_TEST_S3"] != nil
    }
}

@Suite struct StoreConformanceTests {
    @Test(
        "S3 is tested against moto",
        .enabled(if: MotoServer.binary != nil, "no moto_server found")
    )
    func motoIsThere() {
        #expect(MotoServer.shared != nil)
    }

    private func code(
        _ body: () async throws -> some Any
    ) async -> ObjectStoreError.Code? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? ObjectStoreError)?.code
        }
    }

    @Test(
        "what is written can be read back whole, in parts and from its end",
        arguments: availableKinds
    )
    func reading(kind: StoreKind) async throws {
        let store = try await StoreFixture(kind, "reading").store
        let bytes = (0..<3000).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let key = "a/ü ß+%&$@=:,?#/x.parquet"
        let written = try await store.put(key, bytes)
        #expect(written.key == key && written.size == 3000 && !written.entityTag.isEmpty)

        let whole = try await store.get(key)
        #expect(whole.bytes == bytes && whole.metadata.entityTag == written.entityTag)
        let head = try await store.head(key)
        #expect(head == whole.metadata && head.size == 3000)
        #expect(head.lastModifiedMicros > 1_600_000_000_000_000)

        #expect(try await store.get(key, range: 10..<20) == Array(bytes[10..<20]))
        #expect(try await store.get(key, range: 2990..<4000) == Array(bytes[2990...]))
        #expect(try await store.get(key, range: 5..<5) == [])
        #expect(await code { try await store.get(key, range: 3000..<3001) } == .rangeNotSatisfiable)

        let ranges = [2000..<2100, 0..<1, 7..<7, 2999..<3000, 0..<3000]
        #expect(try await store.getRanges(key, ranges) == ranges.map { Array(bytes[$0]) })
        #expect(await code { try await store.getRanges(key, [0..<3001]) } == .rangeNotSatisfiable)

        let suffix = try await store.getSuffix(key, count: 8)
        #expect(suffix.bytes == Array(bytes.suffix(8)) && suffix.objectSize == 3000)
        #expect(suffix.entityTag == head.entityTag)
        let all = try await store.getSuffix(key, count: 5000)
        #expect(all.bytes == bytes && all.objectSize == 3000)
        #expect(try await store.getSuffix(key, count: 0).objectSize == 3000)
    }

    @Test("an empty object is an object", arguments: availableKinds)
    func empty(kind: StoreKind) async throws {
        let store = try await StoreFixture(kind, "empty").store
        try await store.put("e", [])
        #expect(try await store.get("e").bytes == [])
        #expect(try await store.head("e").size == 0)
        let suffix = try await store.getSuffix("e", count: 8)
        #expect(suffix.bytes == [] && suffix.objectSize == 0)
        #expect(await code { try await store.get("e", range: 0..<1) } == .rangeNotSatisfiable)
    }

    @Test("what is absent is not found", arguments: availableKinds)
    func absent(kind: StoreKind) async throws {
        let store = try await StoreFixture(kind, "absent").store
        try await store.put("there/x", [1])
        for key in ["nothing", "there", "there/x/y", "no/such/folder"] {
            #expect(await code { try await store.get(key) } == .notFound)
            #expect(await code { try await store.head(key) } == .notFound)
            #expect(await code { try await store.get(key, range: 0..<1) } == .notFound)
            #expect(await code { try await store.getSuffix(key, count: 1) } == .notFound)
        }
        #expect(
            await code { try await store.replace("nothing", [1], ifMatch: "x") }
                == .preconditionFailed
        )
        try await store.delete(["nothing", "there/x", "no/such"])
        #expect(await code { try await store.get("there/x") } == .notFound)
    }

    @Test("a key can be created once", arguments: availableKinds)
    func creating(kind: StoreKind) async throws {
        let store = try await StoreFixture(kind, "creating").store
        let first = try await store.putIfAbsent("log/1", [1])
        #expect(await code { try await store.putIfAbsent("log/1", [2]) } == .alreadyExists)
        #expect(await code { try await store.putIfAbsent("log/1", [1]) } == .alreadyExists)
        #expect(try await store.get("log/1").bytes == [1])
        #expect(try await store.head("log/1").entityTag == first.entityTag)
        try await store.delete("log/1")
        try await store.putIfAbsent("log/1", [3])
        #expect(try await store.get("log/1").bytes == [3])
    }

    @Test("replacing needs the entity tag of what is there", arguments: availableKinds)
    func replacing(kind: StoreKind) async throws {
        let store = try await StoreFixture(kind, "replacing").store
        var tags = [try await store.put("p", [0]).entityTag]
        for number in 1..<20 {
            let last = try #require(tags.last)
            let bytes = [UInt8(number)]
            for stale in tags.dropLast().suffix(3) {
                #expect(
                    await code { try await store.replace("p", bytes, ifMatch: stale) }
                        == .preconditionFailed
                )
            }
            tags.append(try await store.replace("p", bytes, ifMatch: last).entityTag)
            #expect(try await store.get("p").bytes == bytes)
        }
        #expect(Set(tags).count == tags.count)
        try await store.delete("p")
    }

    @Test("listings are complete, in byte order, whatever the page size", arguments: availableKinds)
    func listing(kind: StoreKind) async throws {
        let store = try await StoreFixture(kind, "listing").store
        let keys = [
            "a", "a.b", "a/b", "a/b/c", "a/é", "a/e\u{301}", "a0", "b/1", "b/10", "b/2", "b/x/1",
            "b/x/2", "b/y", "b=1/c d/e+f", "B", "z/deep/er/x", "~",
            // Slashes that are one character with what stands before or behind them.
            "q\u{600}/1", "q\u{600}/2/x", "r/\u{301}/1",
        ]
        // A folder cannot hold an object and a folder of one name.
        let usable = keys.filter { kind != .folder || !["a", "a/b"].contains($0) }
        for key in usable { try await store.put(key, Array(key.utf8)) }
        let sorted = usable.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }

        for prefix in [
            "", "a", "a/", "b/", "b/1", "b/x", "b/x/", "r/", "q\u{600}/", "none", "none/",
            "z/deep/",
        ] {
            for after in [nil, "a/b", "b/10", "b/x", "b/x/1", "zz"] {
                let wanted = sorted.filter { key in
                    key.utf8.starts(with: prefix.utf8)
                        && (after.map { $0.utf8.lexicographicallyPrecedes(key.utf8) } ?? true)
                }
                let (found, _) = try await pages(store, prefix, after, delimiter: false, limit: 2)
                #expect(
                    found.elementsEqual(wanted) { $0.utf8.elementsEqual($1.utf8) },
                    "\(prefix) \(after ?? "-")"
                )
            }
            let direct = sorted.filter { key in
                key.utf8.starts(with: prefix.utf8)
                    && !key.utf8.dropFirst(prefix.utf8.count).contains(UInt8(ascii: "/"))
            }
            let folders = sorted.filter { $0.utf8.starts(with: prefix.utf8) }.compactMap {
                key -> String? in
                let rest = key.utf8.dropFirst(prefix.utf8.count)
                guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { return nil }
                return String(decoding: key.utf8[...slash], as: UTF8.self)
            }
            for limit in [1, 3, 1000] {
                let (found, prefixes) = try await pages(
                    store,
                    prefix,
                    nil,
                    delimiter: true,
                    limit: limit
                )
                #expect(found.elementsEqual(direct) { $0.utf8.elementsEqual($1.utf8) }, "\(prefix)")
                #expect(prefixes == unique(folders), "\(prefix) \(limit)")
            }
        }
        let all = try await store.listAll(prefix: "")
        #expect(all.map(\.key).elementsEqual(sorted) { $0.utf8.elementsEqual($1.utf8) })
        for object in all.prefix(3) {
            #expect(object.size == object.key.utf8.count)
            #expect(try await store.head(object.key).entityTag == object.entityTag)
        }
    }

    private func unique(_ texts: [String]) -> [String] {
        texts.reduce(into: []) { if $0.last != $1 { $0.append($1) } }
    }

    private func pages(
        _ store: any ObjectStore,
        _ prefix: String,
        _ after: String?,
        delimiter: Bool,
        limit: Int
    ) async throws -> (keys: [String], prefixes: [String]) {
        var (keys, prefixes): ([String], [String]) = ([], [])
        var next: String?
        repeat {
            let page = try await store.list(
                prefix: prefix,
                startAfter: after,
                delimiter: delimiter,
                limit: limit,
                continuation: next
            )
            #expect(page.objects.count + page.commonPrefixes.count <= limit)
            keys += page.objects.map(\.key)
            prefixes += page.commonPrefixes
            next = page.next
        } while next != nil
        return (keys, prefixes)
    }

    @Test("many keys are deleted at once", arguments: availableKinds)
    func deleting(kind: StoreKind) async throws {
        let store = try await StoreFixture(kind, "deleting").store
        let keys = (0..<30).map { "d/\($0)&<>'\"" }
        for key in keys { try await store.put(key, [1]) }
        try await store.put("d/kept", [1])
        try await store.delete(keys + (0..<1100).map { "d/missing \($0)" })
        #expect(try await store.listAll(prefix: "").map(\.key) == ["d/kept"])
        try await store.delete([])
    }

    @Test(
        "keys that no store should hold are refused",
        arguments: availableKinds,
        ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "..", "a\0b", "a\nb", ".varve-store/x"]
    )
    func keys(kind: StoreKind, key: String) async throws {
        // What a store keeps for itself lies at its own root, not at that of a part of it.
        if kind == .prefixed, key == ".varve-store/x" { return }
        let store = try await StoreFixture(kind, "keys").store
        #expect(await code { try await store.get(key) } == .invalid)
        #expect(await code { try await store.put(key, []) } == .invalid)
        #expect(await code { try await store.putIfAbsent(key, []) } == .invalid)
        #expect(await code { try await store.replace(key, [], ifMatch: "x") } == .invalid)
        #expect(await code { try await store.get(key, range: 0..<1) } == .invalid)
        #expect(await code { try await store.getRanges(key, [0..<1]) } == .invalid)
        #expect(await code { try await store.getSuffix(key, count: 1) } == .invalid)
        #expect(await code { try await store.head(key) } == .invalid)
        #expect(await code { try await store.delete([key, "fine"]) } == .invalid)
        #expect(await code { try await store.beginUpload(key) } == .invalid)
    }

    @Test(
        "an upload shows nothing before it is finished, and then everything",
        arguments: availableKinds
    )
    func uploading(kind: StoreKind) async throws {
        let store = try await StoreFixture(kind, "uploading").store
        var random = SeededGenerator(seed: 5)
        // Nothing, one PUT's worth, and enough for several waves of parts in S3.
        for size in [0, 1000, 23 << 20, 75 << 20] {
            let key = "up/\(size)"
            let block = (0..<1021).map { _ in UInt8.random(in: 0...255, using: &random) }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(size)
            while bytes.count < size { bytes += block.prefix(size - bytes.count) }
            let upload = try await store.beginUpload(key)
            var at = 0
            while at < bytes.count {
                let count = min(Int.random(in: 0...(5 << 20), using: &random), bytes.count - at)
                try await upload.write(Array(bytes[at..<at + count]))
                at += count
            }
            #expect(await code { try await store.head(key) } == .notFound)
            #expect(try await store.listAll(prefix: "up/\(size)").isEmpty)
            let metadata = try await upload.finish()
            #expect(metadata.size == size)
            let read = try await store.get(key)
            #expect(read.bytes == bytes && read.metadata.entityTag == metadata.entityTag)
            #expect(await code { try await upload.write([1]) } == .invalid)
            #expect(await code { try await upload.finish() } == .invalid)
        }
    }

    @Test("an aborted upload leaves nothing", arguments: availableKinds)
    func aborting(kind: StoreKind) async throws {
        let store = try await StoreFixture(kind, "aborting").store
        for size in [10, 40 << 20] {
            let upload = try await store.beginUpload("gone")
            try await upload.write([UInt8](repeating: 1, count: size))
            await upload.abort()
            await upload.abort()
            #expect(await code { try await upload.finish() } == .invalid)
        }
        #expect(try await store.listAll(prefix: "").isEmpty)
        if let s3 = store as? S3Store {
            #expect(try await s3.countUploadsUnderWay() == 0)
        }
    }

    @Test("cancelled tasks get CancellationError", arguments: availableKinds)
    func cancelling(kind: StoreKind) async throws {
        let store = try await StoreFixture(kind, "cancelling").store
        try await store.put("x", [1])
        let task = Task {
            while true { _ = try await store.get("x") }
        }
        task.cancel()
        let result: Result<Void, any Error> = await task.result
        #expect(throws: CancellationError.self) { try result.get() }
    }

    @Test(
        "stores that honour conditional writes pass the probe, which leaves nothing",
        arguments: availableKinds
    )
    func probing(kind: StoreKind) async throws {
        let store = try await StoreFixture(kind, "probing").store
        // moto compares and writes without a lock, so its races prove nothing.
        let options = ProbeOptions(allowsUnprovenRaces: kind == .s3)
        try await probeConditionalWrites(store, id: "one", options: options)
        #expect(try await store.listAll(prefix: "").isEmpty)
    }
}
