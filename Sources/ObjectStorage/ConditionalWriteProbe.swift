import Ambient

/// What the start-up probe tries.
package struct ProbeOptions: Sendable, Equatable {
    /// Where the probe's objects go for a moment.
    package var prefix: String
    /// How often many creators fight for one key.
    package var raceCount: Int
    /// How many creators fight.
    package var creatorCount: Int
    /// Whether a store is taken that was not shown to have one winner of a race.
    ///
    /// For stand-ins in tests that decide without a lock; with such a store only one writer at a time
    /// is safe.
    package var allowsUnprovenRaces: Bool

    package init(
        prefix: String = "_varve/probe",
        raceCount: Int = 5,
        creatorCount: Int = 20,
        allowsUnprovenRaces: Bool = false
    ) {
        self.prefix = prefix
        self.raceCount = raceCount
        self.creatorCount = creatorCount
        self.allowsUnprovenRaces = allowsUnprovenRaces
    }
}

/// Finds out whether a store honours conditional writes, on which every commit depends.
///
/// Creates a key twice, replaces with a stale and with the right entity tag, and lets many creators and
/// replacers at once fight for one key, several rounds. Removes what it wrote, also after a failure.
///
/// - Parameter id: unique among all probes of the store.
/// - Throws: `unsupported` with what failed and what to do; other errors when the store could not be
///   reached or said no.
package func probeConditionalWrites(
    _ store: any ObjectStore,
    id: String,
    options: ProbeOptions = ProbeOptions()
) async throws {
    let probe = ConditionalWriteProbe(
        store: store,
        prefix: "\(options.prefix)/\(id)",
        options: options
    )
    let result: Result<Void, any Error>
    do {
        try await probe.run()
        result = .success(())
    } catch {
        result = .failure(error)
    }
    // A task of its own, so that a cancelled probe cleans up too; it is waited for.
    let cleanup = Task { try await probe.cleanUp() }
    let cleaned = await cleanup.result
    try result.get()
    try cleaned.get()
}

private struct ConditionalWriteProbe {
    let store: any ObjectStore
    let prefix: String
    let options: ProbeOptions

    func run() async throws {
        do {
            try await createTwice()
            if !options.allowsUnprovenRaces {
                for round in 0..<max(options.raceCount, 1) { try await raceToCreate(round) }
            }
            try await replaceByTag()
            if !options.allowsUnprovenRaces { try await raceToReplace() }
        } catch let error as ObjectStoreError where error.code == .unsupported && !error.key.isEmpty
        {
            // The store's own words about one request.
            throw refusal(error.message)
        }
    }

    func cleanUp() async throws {
        try await store.delete(try await store.listAll(prefix: "\(prefix)/").map(\.key))
    }

    private func refusal(_ what: String) -> ObjectStoreError {
        ObjectStoreError(
            .unsupported,
            "this store cannot hold a warehouse that several programs write: \(what). "
                + "Use a store that honours If-None-Match and If-Match on PUT (Amazon S3, Cloudflare R2, "
                + "MinIO, Ceph, or a local folder), or upgrade this one; a gateway or proxy between "
                + "may drop these headers too. Where only one program at a time ever writes, "
                + "VARVE_UNPROVEN_STORE=allow skips the races of this test",
            store: store.root
        )
    }

    /// Whether a write was done; false when it was refused as `code` says.
    private func succeeds(
        refusedAs code: ObjectStoreError.Code,
        _ write: () async throws -> ObjectMetadata
    ) async throws -> ObjectMetadata? {
        do {
            return try await write()
        } catch let error as ObjectStoreError where error.code == code {
            return nil
        }
    }

    private func createTwice() async throws {
        let key = "\(prefix)/create"
        guard
            try await succeeds(
                refusedAs: .alreadyExists,
                { try await store.putIfAbsent(key, Array("first".utf8)) }
            ) != nil
        else { throw refusal("creating a new key was refused as if it existed") }
        guard
            try await succeeds(
                refusedAs: .alreadyExists,
                { try await store.putIfAbsent(key, Array("second".utf8)) }
            ) == nil
        else { throw refusal("a key could be created twice") }
        guard try await store.get(key).bytes == Array("first".utf8) else {
            throw refusal("a refused write changed the object")
        }
    }

    private func replaceByTag() async throws {
        let key = "\(prefix)/replace"
        let first = try await store.put(key, Array("first".utf8))
        guard
            let second = try await succeeds(
                refusedAs: .preconditionFailed,
                {
                    try await store.replace(key, Array("second".utf8), ifMatch: first.entityTag)
                }
            )
        else { throw refusal("replacing with the right entity tag was refused") }
        guard
            try await succeeds(
                refusedAs: .preconditionFailed,
                { try await store.replace(key, Array("third".utf8), ifMatch: first.entityTag) }
            ) == nil
        else { throw refusal("an object could be replaced with a stale entity tag") }
        let now = try await store.get(key)
        guard now.bytes == Array("second".utf8), now.metadata.entityTag == second.entityTag else {
            throw refusal("what was written with an entity tag is not what is there")
        }
    }

    /// Lets many writers loose at one key; gives the numbers of those who were told that they won.
    private func race(
        refusedAs code: ObjectStoreError.Code,
        _ write: @escaping @Sendable (Int) async throws -> ObjectMetadata
    ) async throws -> [Int] {
        let count = max(options.creatorCount, 2)
        let isWinner = try await mapBounded(Array(0..<count), countMax: count) { number in
            do {
                _ = try await write(number)
                return true
            } catch let error as ObjectStoreError
                where error.code == code || error.code == .unknownOutcome
            {
                return false
            }
        }
        return isWinner.indices.filter { isWinner[$0] }
    }

    private func raceToCreate(_ round: Int) async throws {
        let (store, key) = (store, "\(prefix)/race-\(round)")
        let winners = try await race(refusedAs: .alreadyExists) { number in
            try await store.putIfAbsent(key, Array("creator \(number)".utf8))
        }
        guard winners.count == 1, let winner = winners.first else {
            throw refusal(
                "of \(options.creatorCount) creators of one key at once \(winners.count) won"
            )
        }
        guard try await store.get(key).bytes == Array("creator \(winner)".utf8) else {
            throw refusal("the object is not that of the creator who won")
        }
    }

    private func raceToReplace() async throws {
        let (store, key) = (store, "\(prefix)/race-replace")
        let tag = try await store.put(key, Array("start".utf8)).entityTag
        let winners = try await race(refusedAs: .preconditionFailed) { number in
            try await store.replace(key, Array("writer \(number)".utf8), ifMatch: tag)
        }
        guard winners.count <= 1 else {
            throw refusal(
                "of \(options.creatorCount) writers with the same entity tag \(winners.count) won"
            )
        }
    }
}
