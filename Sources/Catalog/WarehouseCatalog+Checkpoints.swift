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
}

extension WarehouseCatalog {
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
