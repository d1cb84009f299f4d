import Ambient
import Bytes
import CommitLog
import ObjectStorage
import Testing
import TestSupport

private func full() -> WebhookRecord {
    var record = WebhookRecord(
        warehouseID: "w",
        name: "audit",
        place: .init(position: 12, index: 3)
    )
    record.lease = .init(holder: "server/1", seconds: 20)
    record.failure = .init(sinceMillis: 5, attemptCount: 7, message: "no \"answer\" \u{1F600}")
    record.disabling = .init(settings: "abc", timeMillis: 9)
    return record
}

@Suite struct WebhookRecordTests {
    @Test("is read as it was written")
    func roundTrip() throws {
        let bare = WebhookRecord(warehouseID: "w", name: "audit", place: .init(position: 1))
        for record in [bare, full()] {
            #expect(
                try WebhookRecord.decode(record.encoded(), name: "audit", warehouseID: "w")
                    == record
            )
        }
    }

    @Test("of another webhook or warehouse is refused")
    func others() {
        #expect(throws: CommitLogError.self) {
            try WebhookRecord.decode(full().encoded(), name: "other", warehouseID: "w")
        }
        #expect(throws: CommitLogError.self) {
            try WebhookRecord.decode(full().encoded(), name: "audit", warehouseID: "v")
        }
    }

    @Test("has a name that is safe in keys, labels and paths")
    func names() {
        for name in ["a", "0", "audit-log_2", String(repeating: "a", count: 64)] {
            #expect(WebhookRecord.isName(name))
        }
        for name in ["", "-a", "_a", "A", "a/b", "a.b", "ä", String(repeating: "a", count: 65)] {
            #expect(!WebhookRecord.isName(name))
        }
    }

    @Test("never traps on any bytes, nor on changed records", arguments: 0..<16)
    func anyBytes(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let numbers: [JSON] = [
            0, -1, 1, 9_223_372_036_854_775_807, .number("-9223372036854775808"),
            .number("99999999999999999999"), .number("1.5"), .number("1e400"), "", "x", .null,
            .array([]), true, ["holder": ""],
        ]
        for _ in 0..<300 {
            let noise = randomBytes(upTo: 80, using: &random)
            #expect(throws: CommitLogError.self) {
                try WebhookRecord.decode(noise, name: "audit", warehouseID: "w")
            }
            // A flipped bit never passes the checksum.
            var flipped = full().encoded()
            flipped[Int.random(in: 0..<flipped.count, using: &random)] ^=
                1 << UInt8.random(in: 0..<8, using: &random)
            #expect(throws: CommitLogError.self) {
                try WebhookRecord.decode(flipped, name: "audit", warehouseID: "w")
            }
            // Other values under a checksum that is right.
            guard case .object(var object) = try JSON.parse(full().encoded()) else { continue }
            object["checksum"] = nil
            let keys = object.members.map(\.key)
            let key = keys[Int.random(in: 0..<keys.count, using: &random)]
            let value = numbers[Int.random(in: 0..<numbers.count, using: &random)]
            if case .object(var inner)? = object[key], Bool.random(using: &random) {
                let names = inner.members.map(\.key)
                inner[names[Int.random(in: 0..<names.count, using: &random)]] = value
                object[key] = .object(inner)
            } else {
                object[key] = value
            }
            let body = Array(JSON.object(object).serialized().dropLast())
            let digits = String(body.withUnsafeBytes { crc32($0) }, radix: 16)
            let sum = String(repeating: "0", count: 8 - digits.count) + digits
            let bytes = body + Array(",\"checksum\":\"\(sum)\"}".utf8)
            if let read = try? WebhookRecord.decode(bytes, name: "audit", warehouseID: "w") {
                #expect(read.place.position >= 1 && read.place.index >= 0)
            }
        }
    }
}

@Suite struct WebhookRecordsTests {
    @Test("are made once, and replaced only over what was read")
    func conditions() async throws {
        let records = WebhookRecords(store: MemoryStore(), warehouseID: "w")
        #expect(try await records.read("audit") == nil)
        let first = try #require(try await records.create(full()))
        #expect(
            try await records.create(
                WebhookRecord(
                    warehouseID: "w",
                    name: "audit",
                    place: .init(position: 1)
                )
            ) == nil
        )
        var next = full()
        next.place = .init(position: 13)
        let second = try #require(try await records.replace(first, with: next))
        #expect(second.record.writeCount == 2 && second.record.place.position == 13)
        next.place = .init(position: 5)
        #expect(try await records.replace(first, with: next) == nil)
        #expect(try await records.read("audit") == second)
    }

    @Test("a writing whose answer was lost is known as one's own")
    func lostAnswers() async throws {
        let store = MemoryStore()
        let records = WebhookRecords(store: store, warehouseID: "w")
        let first = try #require(try await records.create(full()))
        // What lies there is what this call writes: as after a try that landed and was not answered.
        var mine = full()
        mine.place = .init(position: 20)
        var landed = mine
        landed.writeCount = 2
        try await store.put(WebhookRecord.key(of: "audit"), landed.encoded())
        #expect(try await records.replace(first, with: mine)?.record == landed)
        // Another holder's is not.
        mine.lease = .init(holder: "server/2", seconds: 20)
        #expect(try await records.replace(first, with: mine) == nil)
    }
}
