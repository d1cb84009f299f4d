import Ambient
import Bytes
import CommitLog
import Lineage
import ObjectStorage
import TestSupport
import Testing

private typealias EventLog = SharedLog<EventMachine>

private func open(
    _ store: any ObjectStore,
    seed: UInt64 = 1,
    options: LogOptions = LogOptions()
) async throws -> EventLog {
    let ambient = AmbientSources(time: ManualTime(), random: SeededRandom(seed: seed))
    let own = PrefixedStore(store, prefix: EventMachine.rootKey)
    let (warehouse, _) = try await Warehouse.openOrCreate(in: own, ambient: ambient)
    return try await EventLog.open(
        store: own,
        warehouse: warehouse,
        machine: EventMachine(),
        ambient: ambient,
        options: options
    )
}

private func request(_ number: Int) throws -> EventRequest {
    EventRequest(event: try AcceptedEvent(JSONView(runEvent(job: "job-\(number)"))), actor: "ada")
}

@Suite("Log of events") struct EventLogTests {
    @Test("lies under a root of its own, and says what was sent")
    func places() async throws {
        let store = MemoryStore()
        let log = try await open(store)
        let receipt = try await log.commit(try request(1))
        #expect(receipt.position == 1)
        #expect(!receipt.isReplay)
        let keys = try await store.listAll(prefix: "").map(\.key)
        #expect(keys.allSatisfy { $0.hasPrefix("_varve/lineage/events/_varve/") })
        let key = "_varve/lineage/events/_varve/log/00000000000000000001.json"
        let commit = try JSON.parse(try await store.get(key).bytes)["commits"]?[0]
        #expect(commit?["id"]?.string == receipt.id)
        #expect(commit?["changes"]?[0]?["event"] == runEvent(job: "job-1"))
    }

    @Test("takes an event once, however often and at once it is sent")
    func idempotence() async throws {
        let log = try await open(MemoryStore())
        let receipts = try await withThrowingTaskGroup(of: EventReceipt.self) { group in
            for number in 0..<60 {
                group.addTask { try await log.commit(try request(number % 3)) }
            }
            var all: [EventReceipt] = []
            for try await receipt in group { all.append(receipt) }
            return all
        }
        #expect(receipts.count == 60)
        #expect(Set(receipts.map(\.id)).count == 3)
        #expect(receipts.count { !$0.isReplay } == 3)
        #expect(try await log.read().state.eventCount == 3)
    }

    @Test("has what it acknowledged, once, whatever the store does", arguments: 0..<8)
    func faults(seed: UInt64) async throws {
        let (inner, count) = (MemoryStore(), 40)
        _ = try await open(inner)
        let faulty = FaultyStore(
            inner,
            seed: seed,
            rates: FaultyStore.Rates(before: 0.1, after: 0.1)
        )
        var log: EventLog?
        var acknowledged: Set<String> = []
        for number in 0..<count {
            let request = try request(number)
            for attempt in 0..<50 {
                do {
                    // Now and then another process.
                    if log == nil || attempt % 7 == 6 { log = try await open(faulty, seed: seed) }
                    guard let log else { continue }
                    acknowledged.insert(try await log.commit(request).id)
                    break
                } catch is ObjectStoreError {
                } catch let error as CommitLogError {
                    let mayBeTriedAgain = error.code == .unknownOutcome || error.code == .busy
                    #expect(mayBeTriedAgain, "\(error)")
                }
            }
        }
        #expect(acknowledged.count == count)
        let entries = try await open(inner).entries(from: 1, countMax: 1000)
        let ids = entries.flatMap(\.commits).map(\.id)
        #expect(Set(ids) == acknowledged)
        #expect(ids.count == count)
    }

    @Test("starts from a checkpoint with its count and the ids that it knows")
    func checkpoints() async throws {
        let store = MemoryStore()
        let log = try await open(store)
        for number in 0..<5 { _ = try await log.commit(try request(number)) }
        try await log.writeCheckpoint()
        let again = try await open(store, seed: 2)
        #expect(again.known.state.eventCount == 5)
        #expect(try await again.commit(try request(3)).isReplay)
        #expect(try await again.commit(try request(9)).isReplay == false)
        #expect(try await log.read().state.eventCount == 6)
    }

    @Test("reads an event beside which a later version has put something")
    func unknownMembers() throws {
        let event = runEvent()
        let commit = LoggedCommit(
            id: "c",
            actor: "ada",
            changes: [["change": "add-event", "later": 1, "event": event]]
        )
        #expect(try EventMachine.event(of: commit).json == event)
    }

    @Test("says what its entries say, or refuses them, whatever their bytes are", arguments: 0..<8)
    func damagedEntries(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let store = MemoryStore()
        let log = try await open(store)
        _ = try await log.commit(try request(1))
        let key = "_varve/lineage/events/_varve/log/00000000000000000001.json"
        let sound = try await store.get(key).bytes
        var readCount = 0
        for _ in 0..<150 {
            var body = Array(sound.dropLast(23))
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                let place = Int.random(in: 0..<body.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: body[place] = UInt8.random(in: 0...255, using: &random)
                case 1: body.remove(at: place)
                default: body[place] = sound[Int.random(in: 0..<body.count, using: &random)]
                }
            }
            // With the right checksum, so that only what it says can be wrong.
            let bytes = sealed(body)
            try await store.put(key, bytes)
            let events: [JSON]
            do {
                let entries = try await open(store).entries(from: 1, countMax: 10)
                events = try entries.flatMap(\.commits).map { try EventMachine.event(of: $0).json }
            } catch {
                continue
            }
            readCount += 1
            let commits = try JSON.parse(bytes)["commits"]?.array ?? []
            #expect(events == commits.map { $0["changes"]?[0]?["event"] ?? .null })
        }
        // Letters of names may be others.
        #expect(readCount > 0)
    }

    @Test("an audit finds what is wrong with an event, and walks on")
    func walk() async throws {
        let store = MemoryStore()
        let log = try await open(store)
        for number in 0..<3 { _ = try await log.commit(try request(number)) }
        var seen = 0
        let found = try await log.verify { seen += $0.commits.count }
        #expect(found.fault == nil)
        #expect(seen == 3)
        let entries = try await log.entries(from: 1, countMax: 10)
        for commit in entries.flatMap(\.commits) {
            #expect(AcceptedEvent.id(of: try EventMachine.event(of: commit)) == commit.id)
        }
        // Read on from a tip, the same entries come.
        let (first, tip) = try await log.entries(after: ChainTip(log.warehouse), countMax: 2)
        let (rest, end) = try await log.entries(after: tip, countMax: 2)
        #expect(first + rest == entries)
        #expect(end.sequence == 3)
        #expect(try await log.entries(after: end, countMax: 2).entries.isEmpty)
    }

    @Test("refuses changes that it does not know")
    func unknownChanges() throws {
        let machine = EventMachine()
        var state = machine.initialState
        let header = LogEntry.Header(sequence: 1, previous: "", timeMillis: 1, server: "s")
        for changes in [[], [["change": "other"]], [["change": "add-event"]]] as [[JSON]] {
            let commit = LoggedCommit(id: "c", actor: "ada", changes: changes)
            #expect(throws: LineageError.self) {
                try machine.apply(commit, of: header, to: &state)
            }
        }
        #expect(state == machine.initialState)
    }
}
