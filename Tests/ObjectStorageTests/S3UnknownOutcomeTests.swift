import Ambient
import ObjectStorage
import Testing

/// Conditional writes whose answers get lost, in every order of events that the store's state machine
/// knows.
@Suite struct S3UnknownOutcomeTests {
    /// Ways in which a write lands and the writer does not hear of it.
    static let lostAfter: [FaultyS3.Fault] = [
        .resetAfter, .answerAfter(status: 500), .answerAfter(status: 503), .dropMark,
    ]
    /// Ways in which a write does not land and the writer cannot know.
    static let lostBefore: [FaultyS3.Fault] = [
        .resetBefore, .refuse(status: 500), .refuse(status: 502), .refuse(status: 409),
        .refuse(status: 429),
    ]

    @Test(
        "a creation that landed without an answer is found to be ours",
        arguments: lostAfter.indices
    )
    func createdUnheard(fault: Int) async throws {
        let fixture = try FaultyS3Fixture()
        fixture.s3.fault("PUT", Self.lostAfter[fault])
        let metadata = try await fixture.store.putIfAbsent("k", [1, 2])
        #expect(metadata.size == 2 && !metadata.entityTag.isEmpty)
        #expect(fixture.s3.count("PUT") == 1)
        #expect(
            await fixture.code { try await fixture.store.putIfAbsent("k", [1, 2]) }
                == .alreadyExists
        )
    }

    @Test("a creation that did not land is tried again", arguments: lostBefore.indices)
    func notCreated(fault: Int) async throws {
        let fixture = try FaultyS3Fixture()
        fixture.s3.fault("PUT", Self.lostBefore[fault])
        try await fixture.store.putIfAbsent("k", [1, 2])
        #expect(fixture.s3.object("k") == [1, 2] && fixture.s3.count("PUT") == 2)
    }

    @Test("a creation overtaken by another's while in doubt is lost", arguments: lostBefore.indices)
    func overtaken(fault: Int) async throws {
        let fixture = try FaultyS3Fixture()
        fixture.s3.fault("PUT", Self.lostBefore[fault])
        // The same bytes: only the mark tells that they are not ours.
        fixture.s3.onFault { $0.setObject("k", [1, 2]) }
        #expect(
            await fixture.code { try await fixture.store.putIfAbsent("k", [1, 2]) }
                == .alreadyExists
        )
    }

    @Test("when reading back fails too, the outcome is unknown")
    func unknown() async throws {
        let fixture = try FaultyS3Fixture()
        fixture.s3.fault("PUT", .resetAfter)
        for _ in 0..<60 { fixture.s3.fault("GET", .refuse(status: 503)) }
        let error = await #expect(throws: ObjectStoreError.self) {
            try await fixture.store.putIfAbsent("k", [1])
        }
        #expect(error?.code == .unknownOutcome)
        let denied = try FaultyS3Fixture()
        denied.s3.fault("PUT", .resetAfter)
        denied.s3.fault("GET", .refuse(status: 403))
        #expect(
            await denied.code { try await denied.store.putIfAbsent("k", [1]) } == .unknownOutcome
        )
    }

    @Test("a store that breaks off every write and shows nothing leaves doubt, refusals do not")
    func neverLands() async throws {
        let fixture = try FaultyS3Fixture { $0.retries = RetryPolicy(tryCountMax: 4) }
        for _ in 0..<20 { fixture.s3.fault("PUT", .resetBefore) }
        #expect(
            await fixture.code { try await fixture.store.putIfAbsent("k", [1]) } == .unknownOutcome
        )
        let refused = try FaultyS3Fixture { $0.retries = RetryPolicy(tryCountMax: 4) }
        for _ in 0..<20 { refused.s3.fault("PUT", .refuse(status: 409)) }
        #expect(
            await refused.code { try await refused.store.putIfAbsent("k", [1]) } == .unavailable
        )
        #expect(refused.s3.count("PUT") == 4 && refused.s3.count("GET") == 0)
    }

    @Test("a request that the transport repeats on a dead connection is not taken for another's")
    func silentRepeat() async throws {
        // The connection is kept alive by a first request; the second reaches the server, which does
        // what it is asked and closes; libcurl then sends once more by itself and hears 412.
        let fixture = try FaultyS3Fixture()
        try await fixture.store.put("other", [0])
        fixture.s3.fault("PUT", .resetAfter)
        try await fixture.store.putIfAbsent("k", [1])
        #expect(fixture.s3.object("k") == [1])
        let puts = fixture.s3.requests.filter { $0.method == "PUT" && $0.target.hasSuffix("/k") }
        #expect((1...2).contains(puts.count))
    }

    @Test(
        "a replacement that landed without an answer is found to be ours",
        arguments: lostAfter.indices
    )
    func replacedUnheard(fault: Int) async throws {
        let fixture = try FaultyS3Fixture()
        let tag = try await fixture.store.put("k", [0]).entityTag
        fixture.s3.fault("PUT", Self.lostAfter[fault])
        let metadata = try await fixture.store.replace("k", [1], ifMatch: tag)
        #expect(metadata.entityTag != tag && fixture.s3.object("k") == [1])
        #expect(
            await fixture.code { try await fixture.store.replace("k", [2], ifMatch: tag) }
                == .preconditionFailed
        )
    }

    @Test("a replacement that did not land is tried again", arguments: lostBefore.indices)
    func notReplaced(fault: Int) async throws {
        let fixture = try FaultyS3Fixture()
        let tag = try await fixture.store.put("k", [0]).entityTag
        fixture.s3.fault("PUT", Self.lostBefore[fault])
        try await fixture.store.replace("k", [1], ifMatch: tag)
        #expect(fixture.s3.object("k") == [1])
    }

    @Test("a replacement in doubt over which another was written stays unknown")
    func replacedAndOverwritten() async throws {
        let fixture = try FaultyS3Fixture()
        let tag = try await fixture.store.put("k", [0]).entityTag
        fixture.s3.fault("PUT", .answerAfter(status: 500))
        fixture.s3.onFault { $0.setObject("k", [9]) }
        #expect(
            await fixture.code { try await fixture.store.replace("k", [1], ifMatch: tag) }
                == .unknownOutcome
        )
    }

    @Test("a plain write whose answers are all lost is unknown, one that was refused is not")
    func plainWrite() async throws {
        let fixture = try FaultyS3Fixture { $0.retries = RetryPolicy(tryCountMax: 3) }
        for _ in 0..<12 { fixture.s3.fault("PUT", .resetAfter) }
        #expect(await fixture.code { try await fixture.store.put("k", [1]) } == .unknownOutcome)
        let refused = try FaultyS3Fixture { $0.retries = RetryPolicy(tryCountMax: 3) }
        for _ in 0..<12 { refused.s3.fault("PUT", .refuse(status: 429)) }
        #expect(await refused.code { try await refused.store.put("k", [1]) } == .unavailable)
    }

    @Test("an upload whose joining was not heard of is found by its mark")
    func joinedUnheard() async throws {
        for fault in [FaultyS3.Fault.resetAfter, .answerAfter(status: 500)] {
            let fixture = try FaultyS3Fixture { $0.partBytes = 5 << 20 }
            let upload = try await fixture.store.beginUpload("k")
            let bytes = [UInt8](repeating: 7, count: 21 << 20)
            try await upload.write(bytes)
            fixture.s3.fault("POST", fault)
            let metadata = try await upload.finish()
            #expect(metadata.size == bytes.count && fixture.s3.object("k") == bytes)
        }
    }

    @Test("parts are tried again, and an upload that fails is aborted")
    func parts() async throws {
        let fixture = try FaultyS3Fixture { $0.partBytes = 5 << 20 }
        let bytes = (0..<24 << 20).map { UInt8(truncatingIfNeeded: $0 >> 9) }
        let good = try await fixture.store.beginUpload("k")
        fixture.s3.fault("PUT", .refuse(status: 503))
        fixture.s3.fault("PUT", .resetAfter)
        try await good.write(bytes)
        _ = try await good.finish()
        #expect(fixture.s3.object("k") == bytes)

        let bad = try await fixture.store.beginUpload("bad")
        fixture.s3.fault("PUT", .refuse(status: 403))
        #expect(await fixture.code { try await bad.write(bytes) } == .denied)
        #expect(fixture.s3.uploadCount == 0)
        #expect(await fixture.code { try await bad.finish() } == .invalid)
    }

    @Test("a cancelled upload can still be aborted")
    func cancelledUpload() async throws {
        let fixture = try FaultyS3Fixture { $0.partBytes = 5 << 20 }
        for _ in 0..<4 { fixture.s3.fault("PUT", .stall) }
        let upload = try await fixture.store.beginUpload("k")
        let task = Task {
            do {
                try await upload.write([UInt8](repeating: 1, count: 21 << 20))
            } catch {
                await upload.abort()
                throw error
            }
        }
        await fixture.s3.waitFor("PUT", count: 4)
        task.cancel()
        let result = await task.result
        #expect(throws: CancellationError.self) { try result.get() }
        #expect(fixture.s3.uploadCount == 0)
    }

    @Test("expired credentials are looked for again")
    func expired() async throws {
        let folder = try TemporaryFolder()
        func save(_ key: String) throws -> String {
            try folder.write(
                "credentials",
                "[default]\naws_access_key_id=\(key)\naws_secret_access_key=s\n"
            )
        }
        let s3 = FaultyS3()
        let server = try LoopbackServer { s3.respond($0) }
        let environment = [
            "AWS_SHARED_CREDENTIALS_FILE": try save("OLD"), "AWS_CONFIG_FILE": "/dev/null",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:\(server.port)",
        ]
        let store = try S3Store(
            url: "s3://b",
            options: StoreOptions(
                ambient: .virtual(seed: 1),
                environment: EnvironmentVariables(environment)
            )
        )
        s3.setObject("k", [1])
        _ = try save("NEW")
        s3.fault("GET", .refuse(status: 400, word: "ExpiredToken"))
        #expect(try await store.get("k").bytes == [1])
        #expect(
            s3.requests.map { $0.headers["authorization"]?.contains("Credential=NEW/") }
                == [false, true]
        )
        s3.fault("GET", .refuse(status: 400, word: "ExpiredToken"))
        let error = await #expect(throws: ObjectStoreError.self) { try await store.get("k") }
        #expect(error?.code == .denied)
    }
}
