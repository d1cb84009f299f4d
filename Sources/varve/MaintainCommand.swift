import ArgumentParser
import Catalog
import CommitLog
import Engine
import Lineage

struct MaintainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "maintain",
        abstract:
            "Expire snapshots, remove orphaned files, put small files together; tend the log.",
        discussion: """
            --expire removes snapshots that no branch or tag keeps, following the table's
            history.expire.* properties. --orphans then deletes files below the table's location that
            nothing refers to, and that are older than --older-than. --compact rewrites small files of
            a partition to one. Several of them are done in the order compact, expire, orphans.

            --checkpoint and --archive are about the log of the whole warehouse, and in the same way about
            that of the events of OpenLineage, where there is one. --checkpoint writes its
            state down, and the lineage that it gives, so that starts need not read all of it (servers do
            so by themselves), and removes old checkpoints --grace after a later one was written, but for
            a few for AS OF, and old lineage indexes but the last two. --archive
            packs entries older than --archive-older-than together; they can still be read, also for
            AS OF and audits. Archived entries are removed from the log by the first --archive that
            comes --grace later. Varve versions that do not know archives cannot read such a log.

            Examples:
              varve maintain --expire --orphans --dry-run
              varve maintain sales.orders --compact
              varve maintain sales.orders --orphans --older-than 7d
              varve maintain --checkpoint --archive --archive-older-than 90d
            """
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The table: NS.TABLE, or TABLE in --namespace; without one every table.")
    var table: String?

    @Flag(help: "Put small data files together.")
    var compact = false

    @Flag(help: "Remove snapshots that have had their time.")
    var expire = false

    @Flag(help: "Delete files that nothing refers to.")
    var orphans = false

    @Flag(help: "Write a checkpoint of the log.")
    var checkpoint = false

    @Flag(help: "Archive old entries of the log.")
    var archive = false

    @Flag(help: "Say what would be done, and do nothing.")
    var dryRun = false

    @Option(
        help: "How old an orphan must be: 3d, 12h, 30m. Less than a day endangers running writers."
    )
    var olderThan = "3d"

    @Option(help: "How old a log entry must be to be archived: 30d, 12h.")
    var archiveOlderThan = "30d"

    @Option(help: "How long archived entries and superseded checkpoints stay: 1h at least.")
    var grace = "1d"

    func run() async throws {
        guard compact || expire || orphans || checkpoint || archive else {
            throw Failure(
                usage: "say what to do: --compact, --expire, --orphans, --checkpoint, --archive"
            )
        }
        let ageMillisMin = try Self.millis(olderThan)
        let session = try await global.session(message: nil)
        if checkpoint || archive { try await tendLog(session) }
        guard compact || expire || orphans else { return }
        let tables = try await session.maintainedTables(table)
        var failures = 0
        if compact {
            for table in tables {
                do {
                    let report = try await session.compact(table, isDry: dryRun)
                    var line = "\(table): \(report.compactedFileCount) small files"
                    line += " (\(RunMeasurement.bytes(Int(report.compactedByteCount)))) "
                    if report.compactedFileCount == 0 {
                        line = "\(table): no small files to put together"
                    } else if dryRun {
                        line += "would be put together"
                    } else {
                        line += "put together to \(report.writtenFileCount)"
                        line += Self.position(report.position)
                    }
                    print(line)
                } catch let error as EngineError {
                    // The other tables may still be compacted.
                    if tables.count == 1 { throw error }
                    Failure.report("\(table): \(error)")
                    failures += 1
                }
            }
        }
        if expire {
            for report in try await session.expireSnapshots(of: tables, isDry: dryRun) {
                var line = "\(report.table): \(report.expiredSnapshotIDs.count) snapshots"
                if !report.expiredReferences.isEmpty {
                    line +=
                        " and the references \(report.expiredReferences.joined(separator: ", "))"
                }
                print(line + " \(would)expired" + Self.position(report.position))
            }
        }
        if orphans {
            for table in tables {
                do {
                    let report = try await session.removeOrphans(
                        of: table,
                        ageMillisMin: ageMillisMin,
                        isDry: dryRun
                    )
                    let byteCount = report.orphans.reduce(0) { $0 + $1.byteCount }
                    print(
                        "\(table): \(report.orphans.count) orphaned files "
                            + "(\(RunMeasurement.bytes(byteCount))) \(would)deleted"
                    )
                    for orphan in report.orphans { print("  \(orphan.location)") }
                } catch let error as EngineError {
                    if tables.count == 1 { throw error }
                    Failure.report("\(table): \(error)")
                    failures += 1
                }
            }
        }
        if failures > 0 { throw Failure("\(failures) tables were left as they are") }
    }

    private func tendLog(_ session: Session) async throws {
        let archiveAge = try Self.millis(archiveOlderThan, option: "--archive-older-than")
        let graceMillis = try Self.millis(grace, option: "--grace")
        guard table == nil else {
            throw Failure(usage: "--checkpoint and --archive are about the whole warehouse")
        }
        let hasEvents = try await session.hasEvents()
        if checkpoint, dryRun {
            print("log: a checkpoint would be written")
            print("lineage: an index would be written")
            if hasEvents { print("events: a checkpoint would be written") }
        } else if checkpoint {
            let report = try await session.writeCheckpoint()
            Self.tell(
                report,
                of: "log",
                having: "\(report.recordCount) namespaces, tables and views"
            )
            if let report = try await session.writeLineageIndex() {
                var line = "lineage: index at position \(report.position), "
                line += "\(report.commitCount) commits "
                line += "(\(RunMeasurement.bytes(report.byteCount))); "
                line +=
                    report.wasThere
                    ? "it was there already"
                    : "\(report.writtenObjectCount) objects written "
                        + "(\(RunMeasurement.bytes(report.writtenByteCount)))"
                print(line)
            }
            if let report = try await session.writeEventCheckpoint() {
                Self.tell(report, of: "events", having: "the ids of the latest events")
            }
        }
        if checkpoint {
            tell(
                try await session.sweepCheckpoints(graceMillis: graceMillis, isDry: dryRun),
                of: "log"
            )
            let swept = try await session.sweepLineageIndexes(
                graceMillis: graceMillis,
                isDry: dryRun
            )
            print(
                "lineage: \(swept.removedIndexCount) old indexes and "
                    + "\(swept.removedChunkCount) chunks "
                    + "(\(RunMeasurement.bytes(swept.removedByteCount))) "
                    + "\(would)removed, \(swept.keptIndexCount) indexes kept"
            )
            let events = try await session.sweepEventCheckpoints(
                graceMillis: graceMillis,
                isDry: dryRun
            )
            if let events { tell(events, of: "events") }
        }
        if archive {
            tell(
                try await session.archiveLog(
                    ageMillisMin: archiveAge,
                    graceMillis: graceMillis,
                    isDry: dryRun
                ),
                of: "log"
            )
            let events = try await session.archiveEvents(
                ageMillisMin: archiveAge,
                graceMillis: graceMillis,
                isDry: dryRun
            )
            if let events { tell(events, of: "events") }
        }
    }

    private var would: String { dryRun ? "would be " : "" }

    private static func tell(_ report: CheckpointReport, of log: String, having what: String) {
        var line = "\(log): checkpoint at position \(report.position), \(what) "
        line += "in \(report.segmentCount) segments; "
        line +=
            report.isNew
            ? "\(report.writtenObjectCount) objects written "
                + "(\(RunMeasurement.bytes(report.writtenByteCount)))"
            : "it was there already"
        print(line)
    }

    private func tell(_ swept: CheckpointSweep, of log: String) {
        print(
            "\(log): \(swept.removedCheckpointCount) old checkpoints and "
                + "\(swept.removedSegmentCount) segments "
                + "(\(RunMeasurement.bytes(swept.removedByteCount))) \(would)removed, "
                + "\(swept.keptCheckpointCount) checkpoints kept"
        )
    }

    private func tell(_ report: ArchiveReport, of log: String) {
        var line = "\(log): \(report.archivedEntryCount) entries \(would)archived"
        if report.writtenObjectCount > 0 {
            line += " in \(report.writtenObjectCount) objects "
            line += "(\(RunMeasurement.bytes(report.writtenByteCount)))"
        }
        line += ", \(report.removedEntryCount) archived earlier \(would)removed"
        if report.waitingEntryCount > 0 {
            line += ", \(report.waitingEntryCount) wait for that"
        }
        print(line)
    }

    private static func position(_ position: Int64?) -> String {
        position.map { "  (log position \($0))" } ?? ""
    }

    /// `3d`, `12h`, `30m` or `45s` in milliseconds.
    private static func millis(
        _ text: String,
        option: String = "--older-than"
    ) throws -> Int64 {
        let units: [Character: Int64] = ["d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000]
        guard let last = text.last, let unit = units[last], let number = Int64(text.dropLast()),
            (0...36_500).contains(number)
        else { throw Failure(usage: "\(option) is a time such as 3d, 12h or 30m") }
        return number * unit
    }
}
