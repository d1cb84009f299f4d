import Ambient
import Catalog
package import CommitLog
package import Lineage

extension Session {
    /// Writes a checkpoint of the catalog's log, so that later starts need not read the whole of it.
    package func writeCheckpoint() async throws -> CheckpointReport {
        try requirePresent()
        return try await engine.catalog(creating: false).writeCheckpoint()
    }

    /// Removes old checkpoints that nobody starts from, and what only they need.
    ///
    /// - Parameter graceMillis: how long a checkpoint stays after a later one was written: an hour at least.
    package func sweepCheckpoints(graceMillis: Int64, isDry: Bool) async throws -> CheckpointSweep {
        try requirePresent()
        return try await engine.catalog(creating: false).sweepCheckpoints(
            graceMillis: graceMillis,
            isDry: isDry
        )
    }

    /// Writes an index of the lineage up to the log's end, so that later questions need not read the whole of it.
    ///
    /// - Returns: nil for a log without commits.
    package func writeLineageIndex() async throws -> LineageIndexStore.Report? {
        try requirePresent()
        return try await engine.lineage.writeIndex(of: try await engine.catalog(creating: false))
    }

    /// Removes old indexes of the lineage, and what only they need.
    ///
    /// - Parameter graceMillis: nothing younger is removed: an hour at least.
    package func sweepLineageIndexes(
        graceMillis: Int64,
        isDry: Bool
    ) async throws -> LineageIndexStore.Sweep {
        try requirePresent()
        return try await LineageIndexStore(try await engine.catalog(creating: false)).sweep(
            graceMillis: graceMillis,
            isDry: isDry
        )
    }

    /// Moves entries of the catalog's log that are older than said to archives, from which they can still
    /// be read, and removes those that an earlier call archived.
    ///
    /// - Parameter graceMillis: how long archived entries stay in the log as well: an hour at least.
    package func archiveLog(
        ageMillisMin: Int64,
        graceMillis: Int64,
        isDry: Bool
    ) async throws -> ArchiveReport {
        try requirePresent()
        let now = engine.options.ambient.time.nowMicros() / 1000
        return try await engine.catalog(creating: false).archive(
            throughMillis: now - ageMillisMin,
            graceMillis: graceMillis,
            isDry: isDry
        )
    }
}
