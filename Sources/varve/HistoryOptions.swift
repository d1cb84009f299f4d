import ArgumentParser
import Bytes
import Catalog
import Columnar
import CommitLog
import Engine
import Glibc
import TextFiles

/// Which commits are listed, and how.
struct HistoryOptions: ParsableArguments {
    @OptionGroup var global: GlobalOptions

    @Option(help: "Only commits by this actor; may be given several times.")
    var actor: [String] = []

    @Option(help: "From this log position or time on, itself included.")
    var since: String?

    @Option(help: "Up to this log position or time, itself included.")
    var until: String?

    @Option(
        help:
            "Only commits that changed this column of the table, or wrote rows while it was there."
    )
    var column: String?

    @Option(
        help: """
            Only commits of these kinds, with commas between them: append, overwrite, delete, replace, \
            create, drop, rename, schema, partitioning, sort-order, properties, reference, expire, \
            namespace, view, branch, tag, merge, or what the log calls changes, such as update-table.
            """
    )
    var kind: [String] = []

    @Option(help: "Only commits whose message has this text, whatever the case.")
    var message: String?

    @Option(help: "Only commits that carry this run.")
    var run: String?

    @Option(help: "Only the commit whose id begins so.")
    var commit: String?

    @Option(help: "How many commits at most.")
    var limit = 100

    @Option(help: "How rows are written: \(OutputFormat.names).")
    var format = OutputFormat.table

    @Flag(
        help:
            "Write everything that each commit says as JSON, one commit a line, hashes and lineage too."
    )
    var full = false

    func list(table: String?) async throws {
        if format == .parquet { throw Failure(usage: "--format parquet is for varve sql") }
        if limit < 0 { throw Failure(usage: "--limit is 0 or more") }
        var request = HistoryRequest()
        request.table = table
        request.column = column
        request.actors = actor
        request.since = try since.map { try CatalogInstant($0) }
        request.until = try until.map { try CatalogInstant($0) }
        request.kinds = kind.flatMap { $0.split(separator: ",").map(String.init) }
        request.message = message
        request.runID = run
        request.idPrefix = commit
        let session = try await global.session()
        let query = try await session.historyQuery(request)
        var writer = full ? nil : try RowWriter(format: format, schema: Self.schema, to: 1)
        // Whoever looks for few in a long log sees that something is done.
        let line = ProgressLine()
        var (left, entryCount, before) = (limit, 0, Int64?.none)
        repeat {
            if left == 0 { break }
            let page = try await session.history(
                query,
                before: before,
                countMax: min(left, 1000),
                entryCountMax: 1024
            )
            let commits = Array(page.commits.prefix(left))
            left -= commits.count
            entryCount += page.entryCount
            before = page.next
            line.clear()
            if full {
                for commit in commits { writeAll(commit.json.serialized() + [10], to: 1) }
            } else if !commits.isEmpty {
                try writer?.write(Self.batch(commits))
            }
            if before != nil { line.show("\(entryCount) entries of the log read") }
        } while before != nil
        line.clear()
        try writer?.finish()
    }

    private static let schema = Schema([
        Field("position", .int64, isNullable: false),
        Field("time", .timestamptz, isNullable: false),
        Field("actor", .string, isNullable: false), Field("changes", .string, isNullable: false),
        Field("message", .string), Field("commit_id", .string, isNullable: false),
    ])

    private static func batch(_ commits: [HistoricCommit]) -> RecordBatch {
        let columns = [
            Column(.int64, commits.map { .int64($0.position) }),
            Column(.timestamptz, commits.map { .timestamptz($0.timeMillis * 1000) }),
            Column(.string, commits.map { .string($0.actor) }),
            Column(.string, commits.map { .string($0.summary) }),
            Column(.string, commits.map { $0.message.map { .string($0) } ?? .null }),
            Column(.string, commits.map { .string($0.id) }),
        ]
        return RecordBatch(schema: schema, columns: columns, rowCount: commits.count)
    }
}

/// One line on the terminal that says how far something is; nothing on a pipe.
struct ProgressLine: Sendable {
    private let isShown = isatty(2) == 1

    func show(_ text: String) {
        if isShown { writeError("\r" + text + "\u{1B}[K") }
    }

    func clear() {
        if isShown { writeError("\r\u{1B}[K") }
    }
}
