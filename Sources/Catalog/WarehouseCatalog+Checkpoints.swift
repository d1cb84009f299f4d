package import CommitLog

extension WarehouseCatalog {
    /// Writes a checkpoint of the newest state, so that later starts need not read the whole log.
    ///
    /// - Throws: what the store throws; nothing is lost then.
    @discardableResult
    package func writeCheckpoint() async throws -> CheckpointReport {
        try await CatalogError.translating {
            _ = try await log.read()
            return try await log.writeCheckpoint()
        }
    }

    /// Waits until a checkpoint that is written in the background is finished, but not longer than said.
    package func finishCheckpoint(waitMillisMax: Int64) async {
        await log.finishCheckpoint(waitMillisMax: waitMillisMax)
    }

    /// Checkpoints that this process found damaged, and did without: the log is the truth.
    package var checkpointFaults: [LogVerification.Fault] { log.checkpointFaults }

    /// Why the last checkpoint in the background was not written; nil when it was.
    package var checkpointFailure: String? { log.checkpointFailure }

    /// How many checkpoints in the background were not written.
    package var checkpointFailureCount: Int { log.checkpointFailureCount }

    /// Calls somebody for every checkpoint in the background that is not written, with the reason.
    package func observeCheckpointFailures(_ observer: @escaping @Sendable (String) -> Void) {
        log.observeCheckpointFailures(observer)
    }

    /// Removes old checkpoints that nobody starts from; see `SharedLog.sweepCheckpoints`.
    package func sweepCheckpoints(
        graceMillis: Int64,
        isDry: Bool = false
    ) async throws -> CheckpointSweep {
        try await CatalogError.translating {
            try await log.sweepCheckpoints(graceMillis: graceMillis, isDry: isDry)
        }
    }

    /// How this process's entries fared beside those of others.
    package var contention: CommitContention { log.contention }
}

extension WarehouseCatalog {
    /// SHA-256 of the log's entry at a position; nil when there is none.
    package func entryHash(at position: Int64) async throws -> String? {
        try await CatalogError.translating { try await log.entryHash(at: position) }
    }

    /// Moves entries of the log up to a time to archives, from which they can still be read, and removes
    /// from the log those that were archived long enough ago; see `SharedLog.archive`.
    package func archive(
        throughMillis time: Int64,
        graceMillis: Int64,
        isDry: Bool = false
    ) async throws -> ArchiveReport {
        try await CatalogError.translating {
            try await log.archive(throughMillis: time, graceMillis: graceMillis, isDry: isDry)
        }
    }
}
