import Ambient
import Bytes
import CommitLog
import ObjectStorage
import Synchronization
import Testing
import TestSupport

/// Opens a log whose commits have files, which its entries carry.
func openCarrying(
    _ store: any ObjectStore,
    seed: UInt64 = 1,
    time: any TimeSource = ManualTime(),
    options: LogOptions = .carrying
) async throws -> Ledger {
    let ambient = AmbientSources(time: time, random: SeededRandom(seed: seed))
    let (warehouse, _) = try await Warehouse.openOrCreate(in: store, ambient: ambient)
    var machine = LedgerMachine()
    machine.files = .init(store, name: "of \(seed)")
    return try await Ledger.open(
        store: store,
        warehouse: warehouse,
        machine: machine,
        ambient: ambient,
        options: options
    )
}

extension LogOptions {
    static var carrying: LogOptions {
        var options = LogOptions()
        options.carriesAlways = true
        options.checkpointEntryCount = 0
        return options
    }
}

/// The files that the entries up to a position refer to and that are not in a store.
func missingFiles(
    _ store: any ObjectStore,
    through last: Int64 = .max
) async throws -> [String] {
    var missing: [String] = []
    for object in try await store.listAll(prefix: LogEntry.keyPrefix)
    where LogEntry.sequence(ofKey: object.key) ?? 0 <= last {
        let json = try JSON.parse(try await store.get(object.key).bytes)
        for commit in json["commits"]?.array ?? [] {
            for change in commit["changes"]?.array ?? [] {
                guard let key = change["file"]?.string else { continue }
                let bytes = try? await store.get(key).bytes
                if bytes != Array("file of \(change["item"]?.string ?? "")".utf8) {
                    missing.append(key)
                }
            }
        }
    }
    return missing
}

/// Seals an entry as the format says.
func sealedEntry(_ object: JSONObject) -> [UInt8] {
    var object = object
    object["checksum"] = nil
    let bytes = Array(JSON.object(object).serialized().dropLast())
    let digits = String(bytes.withUnsafeBytes { crc32($0) }, radix: 16)
    let padded = String(repeating: "0", count: 8 - digits.count) + digits
    return bytes + Array(",\"checksum\":\"\(padded)\"}".utf8)
}

/// A store in which writing files goes wrong, as told.
private final class FileTrouble: ForwardingStore {
    enum Trouble: Sendable { case none, denied, unavailable, once }

    let below: any ObjectStore
    private let state = Mutex<(trouble: Trouble, headCount: Int)>((.none, 0))
    /// Called with the number of each `head`.
    private let onHead: @Sendable (Int) async throws -> Void

    init(
        _ below: any ObjectStore,
        _ trouble: Trouble,
        onHead: @escaping @Sendable (Int) async throws -> Void = { _ in }
    ) {
        self.below = below
        self.onHead = onHead
        state.withLock { $0.trouble = trouble }
    }

    var headCount: Int { state.withLock { $0.headCount } }

    func end() { state.withLock { $0.trouble = .none } }

    func head(_ key: String) async throws -> ObjectMetadata {
        let count = state.withLock { state in
            state.headCount += 1
            return state.headCount
        }
        try await onHead(count)
        return try await below.head(key)
    }

    func put(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        let trouble = state.withLock { state in
            defer { if state.trouble == .once { state.trouble = .none } }
            return key.hasPrefix("files/") ? state.trouble : .none
        }
        switch trouble {
        case .none: return try await below.put(key, bytes)
        case .denied: throw ObjectStoreError(.denied, "no", key: key)
        case .unavailable, .once: throw ObjectStoreError(.unavailable, "not now", key: key)
        }
    }
}

/// A store far away whose every creation takes a time.
private final class FarStore: ForwardingStore {
    let below: any ObjectStore
    private let time: ManualTime
    private let millis: Int64

    init(_ below: any ObjectStore, _ time: ManualTime, millis: Int64) {
        self.below = below
        self.time = time
        self.millis = millis
    }

    var root: String { "s3://far/lake" }

    func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        time.advance(byNanos: millis * 1_000_000)
        return try await below.putIfAbsent(key, bytes)
    }
}

@Suite struct CarriedFileTests {
    private func code(_ body: () async throws -> Void) async -> CommitLogError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? CommitLogError
        }
    }

    /// A log of some entries, the last of which lacks its file.
    private func makeIncomplete(_ memory: MemoryStore, entryCount: Int) async throws {
        let good = try await openCarrying(memory)
        for index in 1..<max(entryCount, 1) { _ = try await good.commit(request("\(index)")) }
        let bad = try await openCarrying(FileTrouble(memory, .unavailable), seed: 2)
        let error = await code { _ = try await bad.commit(request("last")) }
        #expect(error?.code == .unknownOutcome)
        #expect(bad.known.tip.sequence == Int64(entryCount - 1))
        #expect(try await missingFiles(memory).count == 1)
    }

    /// A log of two entries, the last of which lacks its file, and what that entry says.
    private func lastEntryOfTwo() async throws -> (
        memory: MemoryStore, key: String, entry: JSONObject, file: JSONObject, data: String
    ) {
        let memory = MemoryStore()
        try await makeIncomplete(memory, entryCount: 2)
        let key = LogEntry.key(of: 2)
        let entry = try #require(try JSON.parse(try await memory.get(key).bytes).object)
        let file = try #require(entry["files"]?[0]?.object)
        return (memory, key, entry, file, try #require(file["data"]?.string))
    }

    @Test(
        "an entry carries the files of its commits, marked so that no other reader takes it for its own"
    )
    func entryBytes() async throws {
        let store = MemoryStore()
        let log = try await openCarrying(store)
        _ = try await log.commit(request("one"))
        let entry = try JSON.parse(try await store.get(LogEntry.key(of: 1)).bytes)
        let members = try #require(entry.object?.members.map(\.key))
        #expect(
            members == ["sequence", "previous", "time", "server", "commits", "files", "checksum"]
        )
        let changes = try #require(entry["commits"]?[0]?["changes"]?.array)
        #expect(changes.count == 2)
        #expect(changes[0] == ["change": "carry-files"])
        let file = try #require(entry["files"]?[0])
        let key = try #require(file["key"]?.string)
        #expect(key == changes[1]["file"]?.string)
        let bytes = try await store.get(key).bytes
        #expect(bytes == Array("file of item-one".utf8))
        #expect(file["sha256"]?.string == sha256Text(bytes))
        // Nobody above the log sees the mark.
        let read = try await log.entries(from: 1, countMax: 1)
        #expect(read[0].commits[0].changes == [changes[1]])
        #expect(try await openCarrying(store).known.state == log.known.state)
        #expect(try await log.verify().fault == nil)
    }

    @Test("entries carry files only far away, where that takes time, and while no others are near")
    func whenItPays() async throws {
        let (memory, time) = (MemoryStore(), ManualTime())
        let far = FarStore(memory, time, millis: 20)
        func carries(_ position: Int64) async throws -> Bool {
            let bytes = try await memory.get(LogEntry.key(of: position)).bytes
            return try JSON.parse(bytes)["files"] != nil
        }
        let log = try await openCarrying(far, time: time, options: LogOptions())
        // Nobody knows how long it takes, nor whether the folder can be written to.
        _ = try await log.commit(request("1"))
        #expect(try await !carries(1))
        _ = try await log.commit(request("2"))
        #expect(try await carries(2))
        let other = try await openCarrying(far, seed: 2, time: time, options: LogOptions())
        _ = try await other.commit(request("3"))
        _ = try await log.read()
        _ = try await log.commit(request("4"))
        #expect(try await !carries(4))
        time.advance(byNanos: 11_000_000_000)
        _ = try await log.commit(request("5"))
        #expect(try await carries(5))
        var never = LogOptions()
        never.carriedBytesMax = 0
        for (position, options, store) in [
            (6, never, far as any ObjectStore), (8, LogOptions(), memory),
            (10, LogOptions(), FarStore(memory, time, millis: 7)),
        ] as [(Int64, LogOptions, any ObjectStore)] {
            let log = try await openCarrying(
                store,
                seed: UInt64(position),
                time: time,
                options: options
            )
            for offset in 0...1 {
                _ = try await log.commit(request("\(position) and \(offset)"))
                #expect(try await !carries(position + Int64(offset)))
            }
        }
        var small = LogOptions()
        small.carriedBytesMax = 600
        let bounded = try await openCarrying(far, seed: 12, time: time, options: small)
        for id in ["a", "b"] { _ = try await bounded.commit(request(id)) }
        #expect(try await carries(13))
        // Together they are too large.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<20 {
                group.addTask { _ = try await bounded.commit(request("many \(index)")) }
            }
            try await group.waitForAll()
        }
        for object in try await memory.listAll(prefix: LogEntry.keyPrefix) {
            let json = try JSON.parse(try await memory.get(object.key).bytes)
            #expect(json["files"]?.array?.count ?? 0 <= 4)
        }
        #expect(try await missingFiles(memory).isEmpty)
    }

    @Test(
        "who reads an entry whose writer died before its files writes them first",
        arguments: [1, 2, 5, 40]
    )
    func completion(entryCount: Int) async throws {
        let memory = MemoryStore()
        try await makeIncomplete(memory, entryCount: entryCount)
        let fresh = try await openCarrying(memory, seed: 3)
        #expect(try await missingFiles(memory).isEmpty)
        #expect(fresh.known.tip.sequence == Int64(entryCount))
        // Its maker asks again.
        #expect(try await fresh.commit(request("last")).position == Int64(entryCount))
    }

    @Test("whoever knew the log before completes it by looking, committing or verifying")
    func completionLater() async throws {
        for what in 0..<3 {
            let memory = MemoryStore()
            let early = try await openCarrying(memory, seed: 9)
            try await makeIncomplete(memory, entryCount: 3)
            switch what {
            case 0: #expect(try await early.read().tip.sequence == 3)
            case 1: #expect(try await early.commit(request("next")).position == 4)
            default: #expect(try await early.verify().fault == nil)
            }
            #expect(try await missingFiles(memory).isEmpty)
        }
    }

    @Test("a commit whose entry landed and whose files then failed is answered as landed")
    func lateFailure() async throws {
        let memory = MemoryStore()
        let log = try await openCarrying(FileTrouble(memory, .once))
        #expect(try await log.commit(request("one")).position == 1)
        #expect(try await missingFiles(memory).isEmpty)
        #expect(try await log.commit(request("two")).position == 2)
        // Also when it takes long until they can be written.
        let trouble = FileTrouble(memory, .denied)
        var options = LogOptions.carrying
        options.completionMillisMax = 50
        let other = try await openCarrying(trouble, seed: 2, options: options)
        let error = await code { _ = try await other.commit(request("three")) }
        #expect(error?.code == .unknownOutcome)
        let refused = await code { _ = try await other.commit(request("four")) }
        // What lies there could be its own.
        #expect(refused?.code == .unknownOutcome)
        trouble.end()
        #expect(try await other.commit(request("three")).position == 3)
        #expect(try await other.commit(request("four")).position == 4)
        #expect(try await missingFiles(memory).isEmpty)
    }

    @Test("who may not write waits for others, and says which file is missing if nobody comes")
    func deniedCompleter() async throws {
        let memory = MemoryStore()
        try await makeIncomplete(memory, entryCount: 4)
        let key = try #require(try await missingFiles(memory).first)
        let error = await code {
            _ = try await openCarrying(FileTrouble(memory, .denied), seed: 4)
        }
        #expect(error?.code == .busy)
        #expect(error?.key == LogEntry.key(of: 4))
        #expect(error?.message.contains(key) == true)
        #expect(try await missingFiles(memory) == [key])
        // This time somebody writes it while it waits.
        let helped = FileTrouble(memory, .denied) { count in
            if count == 6 { try await memory.put(key, Array("file of item-last".utf8)) }
        }
        let reader = try await openCarrying(helped, seed: 5)
        #expect(reader.known.tip.sequence == 4)
        // Once is enough.
        let headCount = helped.headCount
        _ = try await reader.read()
        #expect(helped.headCount == headCount)
    }

    @Test(
        "a successor proves that the files were there: what was removed since is not written again"
    )
    func successor() async throws {
        let memory = MemoryStore()
        let log = try await openCarrying(memory)
        for index in 0..<3 { _ = try await log.commit(request("\(index)")) }
        let keys = try await memory.listAll(prefix: "files/").map(\.key).sorted()
        try await memory.delete([keys[0], keys[1]])
        for seed in 2...4 as ClosedRange<UInt64> {
            let fresh = try await openCarrying(memory, seed: seed)
            #expect(fresh.known.tip.sequence == 3)
            #expect(try await fresh.verify().fault == nil)
            #expect(try await fresh.verify(to: 2).fault == nil)
            #expect(try await fresh.snapshot(at: 1).tip.sequence == 1)
        }
        #expect(try await missingFiles(memory).count == 2)
    }

    @Test("several who complete an entry at once do no harm")
    func manyCompleters() async throws {
        for seed in 0..<20 as Range<UInt64> {
            let memory = MemoryStore(time: ManualTime())
            try await makeIncomplete(memory, entryCount: 3)
            try await SimulationExecutor.run(seed: seed) {
                var rates = SimulatedFaults.all(0.1)
                rates.retriesInside = 0
                let store = SimulatedStore(memory, seed: seed, rates: rates)
                await withTaskGroup(of: Void.self) { group in
                    for number in 0..<4 as Range<UInt64> {
                        group.addTask {
                            for _ in 0..<50 {
                                let log = try? await openCarrying(store, seed: 10 + number)
                                guard let log else { continue }
                                #expect(log.known.tip.sequence == 3)
                                #expect((try? await missingFiles(memory))?.isEmpty == true)
                                return
                            }
                            Issue.record("never opened")
                        }
                    }
                }
                await store.settle()
            }
            #expect(try await missingFiles(memory).isEmpty)
        }
    }

    @Test("damaged files of an entry are found by verify, and before they are written")
    func damage() async throws {
        let (memory, key, entry, file, data) = try await lastEntryOfTwo()
        let other = try CarriedBytes(Array("another".utf8))
        func damaged(_ change: (inout JSONObject) -> Void) -> [UInt8] {
            var (file, entry) = (file, entry)
            change(&file)
            entry["files"] = [.object(file)]
            return sealedEntry(entry)
        }
        // What cannot be looked into is seen when it is needed.
        let late: [[UInt8]] = [
            damaged { $0["data"] = .string(other.text) },
            damaged { $0["data"] = .string(String(data.dropLast(4))) },
            damaged { $0["data"] = .string(data + "A") },
            damaged { $0["data"] = .string("*" + data.dropFirst()) },
            damaged { $0["data"] = "" },
            damaged { $0["sha256"] = .string(String(repeating: "0", count: 64)) },
        ]
        // What no entry has is seen at once.
        var noMark = entry
        noMark["commits"] = .array(
            (entry["commits"]?.array ?? []).map { commit in
                var object = commit.object ?? JSONObject()
                object["changes"] = .array(Array((object["changes"]?.array ?? []).dropFirst()))
                return .object(object)
            }
        )
        var (noFiles, twice, none) = (entry, entry, entry)
        noFiles["files"] = nil
        twice["files"] = [.object(file), .object(file)]
        none["files"] = []
        let early: [[UInt8]] = [
            damaged { $0["data"] = nil },
            damaged { $0["data"] = 7 },
            damaged { $0["sha256"] = "00" },
            damaged { $0["sha256"] = .string(String(repeating: "G", count: 64)) },
            damaged { $0["key"] = "_varve/log/00000000000000000003.json" },
            damaged { $0["key"] = "../files/x" },
            damaged { $0["key"] = "" },
            damaged { $0["key"] = nil },
            sealedEntry(noMark), sealedEntry(noFiles), sealedEntry(twice), sealedEntry(none),
        ]
        for (index, bytes) in (late + early).enumerated() {
            try await memory.put(key, bytes)
            let error = await code { _ = try await openCarrying(memory, seed: 3) }
            #expect(error?.code == .corrupt, "\(index): \(String(describing: error))")
            #expect(error?.key == key)
            #expect(try await memory.listAll(prefix: "files/").count == 1)
        }
        // Where the file is there, nobody needs them; verify looks all the same.
        let written = try #require(file["key"]?.string)
        try await memory.put(written, Array("file of item-last".utf8))
        try await memory.put(key, late[0])
        let log = try await openCarrying(memory, seed: 4)
        #expect(try await log.commit(request("next")).position == 3)
        let report = try await log.verify()
        #expect(report.fault?.key == key && report.last == 1)
    }

    @Test("random changes of carried files never trap", arguments: 0..<6 as Range<UInt64>)
    func fuzz(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let (memory, key, entry, file, data) = try await lastEntryOfTwo()
        let wanted = Array("file of item-last".utf8)
        for _ in 0..<150 {
            var compressed = try #require(
                Array(data.utf8).withUnsafeBytes { base64Decoded($0) }
            )
            var text = data
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let at = Int.random(in: 0..<compressed.count, using: &random)
                    compressed[at] = UInt8.random(in: 0...255, using: &random)
                }
                text = base64Text(compressed)
            case 1:
                compressed.removeLast(Int.random(in: 1...compressed.count, using: &random))
                text = base64Text(compressed)
            case 2: text = base64Text(randomBytes(upTo: 200, using: &random))
            default:
                var bytes = Array(text.utf8)
                let at = Int.random(in: 0..<bytes.count, using: &random)
                bytes[at] = UInt8.random(in: 0x23...0x7E, using: &random)
                text = String(decoding: bytes, as: UTF8.self)
            }
            var (changed, object) = (entry, file)
            object["data"] = .string(text)
            changed["files"] = [.object(object)]
            try await memory.put(key, sealedEntry(changed))
            let written = object["key"]?.string ?? ""
            do {
                _ = try await openCarrying(memory, seed: 3)
                // Another text of the same bytes.
                #expect(try await memory.get(written).bytes == wanted)
                try await memory.delete(written)
            } catch let error as CommitLogError {
                #expect(error.code == .corrupt && error.key == key)
            }
        }
    }

    @Test("a file that claims to be huge is refused before it takes memory")
    func bomb() async throws {
        let memory = MemoryStore()
        try await makeIncomplete(memory, entryCount: 1)
        let key = LogEntry.key(of: 1)
        var entry = try #require(try JSON.parse(try await memory.get(key).bytes).object)
        var file = try #require(entry["files"]?[0]?.object)
        let bomb = try CarriedBytes([UInt8](repeating: 0, count: 65 << 20))
        #expect(bomb.text.utf8.count < 100_000)
        file["data"] = .string(bomb.text)
        file["sha256"] = .string(bomb.sha256)
        entry["files"] = [.object(file)]
        try await memory.put(key, sealedEntry(entry))
        let error = await code { _ = try await openCarrying(memory, seed: 3) }
        #expect(error?.code == .corrupt || error?.code == .unsupported)
        #expect(error?.key == key)
    }

    @Test("entries with files are archived, and logs started from checkpoints, as others are")
    func archive() async throws {
        let (memory, time) = (MemoryStore(time: ManualTime()), ManualTime())
        let log = try await openCarrying(memory, time: time)
        for index in 0..<12 {
            time.advance(byNanos: 1_000_000_000)
            _ = try await log.commit(request("\(index)", "list-\(index % 3)"))
        }
        let before = try await log.entries(from: 1, countMax: 100)
        _ = try await log.archive(throughMillis: before[8].header.timeMillis)
        time.advance(byNanos: 2 * 3_600_000_000_000)
        let report = try await log.archive(throughMillis: .max)
        #expect(report.removedEntryCount == 9)
        // The last one lacks its file again, as if its writer had died.
        let trouble = FileTrouble(memory, .unavailable)
        let bad = try await openCarrying(trouble, seed: 7, time: time)
        #expect(await code { _ = try await bad.commit(request("last")) }?.code == .unknownOutcome)
        for startsFromCheckpoint in [true, false] {
            var options = LogOptions.carrying
            options.startsFromCheckpoint = startsFromCheckpoint
            let fresh = try await openCarrying(memory, seed: 8, time: time, options: options)
            #expect(fresh.known.tip.sequence == 13)
            #expect(try await missingFiles(memory).isEmpty)
            #expect(try await fresh.entries(from: 1, countMax: 12) == before)
            let found = try await fresh.verify()
            #expect(found.fault == nil && found.last == 13 && found.checkpointFaults.isEmpty)
        }
    }

    @Test("base 64 reads back, and has one form", arguments: 0..<4 as Range<UInt64>)
    func base64(seed: UInt64) throws {
        func decoded(_ text: String) -> [UInt8]? {
            Array(text.utf8).withUnsafeBytes { base64Decoded($0) }
        }
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let bytes = randomBytes(upTo: 70, using: &random)
            #expect(decoded(base64Text(bytes)) == bytes)
        }
        #expect(base64Text(Array("foobar".utf8)) == "Zm9vYmFy")
        #expect(base64Text(Array("fooba".utf8)) == "Zm9vYmE=")
        #expect(base64Text(Array("foob".utf8)) == "Zm9vYg==")
        for text in ["A", "AA", "AAA", "AB==", "AAB=", "====", "A===", "AA=A", "Zm9v\n", "Zm9-"] {
            #expect(decoded(text) == nil, "\(text)")
        }
    }
}

/// Bytes as an entry carries them.
private struct CarriedBytes {
    let text: String
    let sha256: String

    init(_ bytes: [UInt8]) throws {
        text = base64Text(try bytes.withUnsafeBytes { try compress(.zstd, $0) })
        sha256 = sha256Text(bytes)
    }
}

@Suite struct CarryingSimulationTests {
    /// Where writers were told that their commits are.
    private final class Told: Sendable {
        private let state = Mutex<[String: Int64]>([:])

        var positions: [String: Int64] { state.withLock { $0 } }

        func add(_ id: String, _ position: Int64) { state.withLock { $0[id] = position } }
    }

    @Test(
        "whatever goes wrong, nobody is told of a commit whose file is not there",
        arguments: 0..<60 as Range<UInt64>
    )
    func faults(seed: UInt64) async throws {
        let rate = [0.02, 0.1, 0.25][Int(seed % 3)]
        try await SimulationExecutor.run(seed: seed) {
            let memory = MemoryStore(time: ManualTime())
            _ = try await Warehouse.openOrCreate(in: memory, ambient: .virtual(seed: seed))
            let store = SimulatedStore(memory, seed: seed, rates: delays(0.5))
            var servers: [Ledger] = []
            for index in 0..<3 as Range<UInt64> {
                var options = LogOptions.carrying
                // Together with who does not carry.
                options.carriesAlways = index < 2
                let clock = ManualTime(startMicros: 1_700_000_000_000_000)
                servers.append(
                    try await openCarrying(
                        store,
                        seed: seed * 10 + index,
                        time: clock,
                        options: options
                    )
                )
            }
            store.setRates(.all(rate))
            let told = Told()
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<6 {
                    let log = servers[writer % 3]
                    group.addTask {
                        for number in 0..<5 {
                            let id = "\(writer)-\(number)"
                            for _ in 0..<3 {
                                var position: Int64 = 0
                                if let outcome = try? await log.commit(request(id)) {
                                    told.add(id, outcome.position)
                                    position = outcome.position
                                } else if let snapshot = try? await log.read() {
                                    position = snapshot.tip.sequence
                                }
                                let missing = try? await missingFiles(memory, through: position)
                                #expect(missing == [], "at \(position)")
                                if told.positions[id] != nil { break }
                            }
                        }
                    }
                    group.addTask {
                        // Gives up again and again.
                        for number in 0..<4 {
                            await withTaskGroup(of: Void.self) { inner in
                                let id = "\(writer)-given up-\(number)"
                                inner.addTask { _ = try? await log.commit(request(id)) }
                                for _ in 0..<number * 9 { await Task.yield() }
                                inner.cancelAll()
                            }
                        }
                    }
                }
            }
            await store.settle()
            let fresh = try await openCarrying(memory, seed: 999)
            #expect(try await fresh.verify().fault == nil)
            #expect(try await missingFiles(memory).isEmpty)
            let items = fresh.known.state["a"] ?? []
            #expect(Set(items).count == items.count, "a commit landed twice")
            for (id, position) in told.positions {
                #expect(try await fresh.commit(request(id)).position == position)
            }
        }
    }
}
