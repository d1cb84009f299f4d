import Ambient
import ObjectStorage
import Testing

@Suite struct S3RetryTests {
    @Test("reads survive refusals, resets, short answers and rubbish, on the clock of the ambient")
    func reads() async throws {
        let fixture = try FaultyS3Fixture()
        fixture.s3.setObject("k", [1, 2, 3, 4])
        for status in [500, 502, 503, 504, 429, 408] {
            fixture.s3.fault("GET", .refuse(status: status))
        }
        fixture.s3.fault("GET", .resetBefore)
        fixture.s3.fault("GET", .cutOff)
        #expect(try await fixture.store.get("k").bytes == [1, 2, 3, 4])
        // libcurl may repeat the one that was reset by itself.
        #expect(fixture.time.sleptNanos.count >= 7)
        fixture.s3.fault("GET", .cutOff)
        #expect(try await fixture.store.get("k", range: 1..<3) == [2, 3])
        fixture.s3.fault("HEAD", .refuse(status: 503))
        #expect(try await fixture.store.head("k").size == 4)
    }

    @Test("every try is signed anew")
    func signing() async throws {
        let fixture = try FaultyS3Fixture()
        fixture.s3.setObject("k", [1])
        // The clock jumps by what the server asks for, so the time in the signature must too.
        fixture.s3.fault("GET", .refuse(status: 503, headers: [("retry-after", "5")]))
        _ = try await fixture.store.get("k")
        let times = fixture.s3.requests.map { $0.headers["x-amz-date"] ?? "" }
        let proofs = fixture.s3.requests.map { $0.headers["authorization"] ?? "" }
        #expect(times.count == 2 && times[0] != times[1] && proofs[0] != proofs[1])
        #expect(proofs.allSatisfy { $0.hasPrefix("AWS4-HMAC-SHA256 Credential=test/") })
    }

    @Test("Retry-After is obeyed, in seconds and as a date")
    func retryAfter() async throws {
        let fixture = try FaultyS3Fixture()
        fixture.s3.setObject("k", [1])
        fixture.s3.fault("GET", .refuse(status: 503, headers: [("retry-after", "17")]))
        _ = try await fixture.store.get("k")
        #expect(fixture.time.sleptNanos.last == 17_000_000_000)
        // The clock began at 2023-11-14T22:13:20Z and is 17 seconds on.
        let date = "Tue, 14 Nov 2023 22:14:00 GMT"
        fixture.s3.fault("GET", .refuse(status: 429, headers: [("Retry-After", date)]))
        _ = try await fixture.store.get("k")
        #expect(fixture.time.sleptNanos.last == 23_000_000_000)
        // More than there is time for: not waited for at all.
        fixture.s3.fault("GET", .refuse(status: 503, headers: [("retry-after", "4000")]))
        #expect(await fixture.code { try await fixture.store.get("k") } == .unavailable)
        #expect(fixture.time.sleptNanos.count == 2)
    }

    @Test("a store that is down is tried for at least 30 seconds, and not for ever")
    func giveUp() async throws {
        let fixture = try FaultyS3Fixture()
        for _ in 0..<100 { fixture.s3.fault("GET", .refuse(status: 503, word: "SlowDown")) }
        let error = await #expect(throws: ObjectStoreError.self) {
            try await fixture.store.get("k")
        }
        #expect(error?.code == .unavailable && error?.status == 503 && error?.key == "k")
        #expect(error?.message.contains("SlowDown") == true)
        let total = fixture.time.sleptNanos.reduce(0, +)
        #expect(total >= 30_000_000_000 && total <= 60_000_000_000)
        #expect(fixture.s3.requests.count <= 30)
    }

    @Test(
        "what will not get better is not tried again",
        arguments: [
            (403, "AccessDenied", ObjectStoreError.Code.denied), (404, "NoSuchKey", .notFound),
            (404, "NoSuchBucket", .invalid), (400, "InvalidArgument", .invalid),
            (501, "NotImplemented", .unsupported), (301, "PermanentRedirect", .invalid),
        ]
    )
    func permanent(status: Int, word: String, code: ObjectStoreError.Code) async throws {
        let fixture = try FaultyS3Fixture()
        fixture.s3.fault("GET", .refuse(status: status, word: word))
        let error = await #expect(throws: ObjectStoreError.self) {
            try await fixture.store.get("k")
        }
        #expect(error?.code == code && error?.status == status)
        #expect(fixture.s3.requests.count == 1)
    }

    @Test("nobody listening is unavailable, and rubbish is not taken for an answer")
    func nobody() async throws {
        let (listener, port) = try LoopbackServer.listen()
        _ = listener
        let fixture = try FaultyS3Fixture {
            $0.endpoint = "http://127.0.0.1:1"
            $0.retries = RetryPolicy(tryCountMax: 2)
        }
        #expect(await fixture.code { try await fixture.store.get("k") } == .unavailable)
        #expect(await fixture.code { try await fixture.store.put("k", [1]) } == .unavailable)
        #expect(port > 0)
        let rubbish = try FaultyS3Fixture { $0.retries = RetryPolicy(tryCountMax: 1) }
        rubbish.s3.fault("GET", .rubbish)
        let code = await rubbish.code { try await rubbish.store.get("k") }
        #expect(code == .unavailable || code == .invalid)
    }

    @Test("a server that falls silent costs one attempt's time, and is tried again")
    func stall() async throws {
        let fixture = try FaultyS3Fixture { $0.attemptTimeoutMillis = 200 }
        fixture.s3.setObject("k", [1])
        fixture.s3.fault("GET", .stall)
        #expect(try await fixture.store.get("k").bytes == [1])
        #expect(fixture.s3.count("GET") >= 2)
    }

    @Test(
        "a request that the store lost is tried again soon, also when a slow one has more time",
        .timeLimit(.minutes(5))
    )
    func lostRequests() async throws {
        let fixture = try FaultyS3Fixture {
            $0.firstStallSeconds = [1]
            $0.stallSeconds = 3600
            $0.attemptTimeoutMillis = 3_600_000
        }
        fixture.s3.setObject("k", [1])
        fixture.s3.fault("GET", .stall)
        #expect(try await fixture.store.get("k").bytes == [1])
        #expect(fixture.s3.count("GET") >= 2)
        // Whether this one landed is found out before it is sent again.
        fixture.s3.fault("PUT", .stall)
        try await fixture.store.putIfAbsent("new", [2])
        #expect(try await fixture.store.get("new").bytes == [2])
        let code = await fixture.code { try await fixture.store.putIfAbsent("new", [3]) }
        #expect(code == .alreadyExists)
    }

    /// No attempt here ends by its own time, so the test ends only when cancelling ends the transfers.
    @Test("cancelling a task ends its transfer", .timeLimit(.minutes(10)))
    func cancelling() async throws {
        let fixture = try FaultyS3Fixture { $0.attemptTimeoutMillis = 3_600_000 }
        for _ in 0..<10 { fixture.s3.fault("GET", .stall) }
        let tasks = (0..<10).map { _ in Task { try await fixture.store.get("k") } }
        await fixture.s3.waitFor("GET", count: 10)
        for task in tasks { task.cancel() }
        for task in tasks {
            let result = await task.result
            #expect(throws: CancellationError.self) { try result.get() }
        }
    }

    @Test("an answer larger than asked for is cut short")
    func tooLarge() async throws {
        let fixture = try FaultyS3Fixture { $0.wholeObjectBytesMax = 2 << 20 }
        fixture.s3.setObject("k", [UInt8](repeating: 1, count: 3 << 20))
        #expect(await fixture.code { try await fixture.store.get("k") } == .invalid)
    }

    @Test("hundreds of requests at once share connections and all succeed")
    func many() async throws {
        let fixture = try FaultyS3Fixture { $0.requestCountMax = 16 }
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
        fixture.s3.setObject("k", bytes)
        // So few that even one request that meets them all is tried again in time.
        for _ in 0..<4 { fixture.s3.fault("GET", .refuse(status: 503)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<400 {
                group.addTask {
                    let range = number * 200..<number * 200 + 300
                    let part = try await fixture.store.get("k", range: range)
                    #expect(part == Array(bytes[range]))
                }
            }
            try await group.waitForAll()
        }
    }

    @Test(
        "a listing that is no listing is refused",
        arguments: ["", "<a/>", "<ListBucketResult>", "{}"]
    )
    func oddListing(text: String) async throws {
        let server = try LoopbackServer { _ in .answer(status: 200, body: Array(text.utf8)) }
        let fixture = try FaultyS3Fixture { $0.endpoint = "http://127.0.0.1:\(server.port)" }
        #expect(await fixture.code { try await fixture.store.list(prefix: "") } == .invalid)
        #expect(await fixture.code { try await fixture.store.delete(["a", "b"]) } == .invalid)
        withExtendedLifetime(server) {}
    }
}
