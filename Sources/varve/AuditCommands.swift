import ArgumentParser
import Catalog
import Columnar
import CommitLog
import Engine
import TextFiles

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "List the commits of a table, or of the whole warehouse, newest first.",
        discussion: """
            Examples:
              varve history
              varve history sales.orders --format json
            """
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The table: NS.TABLE, or TABLE in --namespace; without one the warehouse.")
    var table: String?

    @Option(help: "How many commits at most.")
    var limit = 100

    @Option(help: "How rows are written: \(OutputFormat.names).")
    var format = OutputFormat.table

    func run() async throws {
        let session = try await global.session()
        try show(try await session.history(of: table, limit: limit), format)
    }
}

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Prove that history was not rewritten, and say who did what.",
        discussion: """
            Examples:
              varve audit verify
              varve audit log --limit 20 --format csv
            """,
        subcommands: [Verify.self, Log.self]
    )

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Walk the log's hash chain, and check metadata and data files.",
            discussion: """
                Every entry's checksum and link to the one before it, archived ones too; every
                checkpoint against the state that the entries give; the hashes of every lineage
                index, and with --lineage each byte of it against the lineage that the log gives,
                folded again from its first entry; every metadata file against
                the hash in the log; of every snapshot the manifest list and manifests; and of
                every data and delete file the footer, the page index and every page, with their
                checksums, and what the manifest says of it: size, rows, values, nulls and bounds.
                Files of other writers have fewer checksums, or none. Exit status 1 when something
                is wrong.

                Examples:
                  varve audit verify
                  varve audit verify --quick --warehouse s3://bucket/lake
                  varve audit verify --quick --lineage
                """
        )

        @OptionGroup var global: GlobalOptions

        @Flag(help: "Check the log, current metadata and manifests only, no data files.")
        var quick = false

        @Flag(help: "Fold the lineage again from the log's first entry, and compare indexes with it.")
        var lineage = false

        func run() async throws {
            let session = try await global.session()
            let report = try await session.verify(readsData: !quick, rebuildsLineage: lineage)
            print(
                "Log: \(report.log.last) entries, \(report.log.commitCount) commits, head "
                    + report.log.hash
            )
            for line in report.checked { print(line) }
            for fault in report.faults { print("FAULT \(fault.place): \(fault.message)") }
            if !report.isSound { throw Failure("\(report.faults.count) faults were found") }
            print("Everything is sound.")
        }
    }

    struct Log: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Who did what, when and why: commits, newest first.",
            discussion: """
                Example:
                  varve audit log --limit 20 --format json
                """
        )

        @OptionGroup var global: GlobalOptions

        @Option(help: "How many commits at most.")
        var limit = 100

        @Option(help: "How rows are written: \(OutputFormat.names).")
        var format = OutputFormat.table

        func run() async throws {
            let session = try await global.session()
            try show(try await session.history(of: nil, limit: limit), format)
        }
    }
}

/// Writes commits as rows.
private func show(_ commits: [HistoricCommit], _ format: OutputFormat) throws {
    let schema = Schema([
        Field("position", .int64, isNullable: false),
        Field("time", .timestamptz, isNullable: false),
        Field("actor", .string, isNullable: false), Field("changes", .string, isNullable: false),
        Field("message", .string), Field("commit_id", .string, isNullable: false),
    ])
    let columns = [
        Column(.int64, commits.map { .int64($0.position) }),
        Column(.timestamptz, commits.map { .timestamptz($0.timeMillis * 1000) }),
        Column(.string, commits.map { .string($0.actor) }),
        Column(
            .string,
            commits.map { .string($0.summary) }
        ),
        Column(.string, commits.map { $0.message.map { .string($0) } ?? .null }),
        Column(.string, commits.map { .string($0.id) }),
    ]
    if format == .parquet { throw Failure(usage: "--format parquet is for varve sql") }
    var writer = try RowWriter(format: format, schema: schema, to: 1)
    try writer.write(RecordBatch(schema: schema, columns: columns, rowCount: commits.count))
    try writer.finish()
}

extension HistoricCommit {
    /// What it changed, and on which branch, in a few words.
    fileprivate var summary: String {
        let isMerge = changes.contains { if case .mergeBranch = $0 { true } else { false } }
        let place = isMerge ? "" : branch.map { "on \($0): " } ?? ""
        return place + changes.map(\.summary).joined(separator: ", ")
    }
}

extension CatalogChange {
    /// The change in a few words.
    fileprivate var summary: String {
        switch self {
        case .createNamespace(let namespace, _): "create namespace \(namespace)"
        case .dropNamespace(let namespace): "drop namespace \(namespace)"
        case .updateNamespace(let namespace, _, _): "change namespace \(namespace)"
        case .createTable(let table, _, _): "create \(table)"
        case .updateTable(let table, _, _, let snapshot, _),
            .replaceTable(let table, _, _, let snapshot):
            "change \(table)" + (snapshot.map { " (snapshot \($0))" } ?? "")
        case .dropTable(let table, _, _): "drop \(table)"
        case .renameTable(let table, let to, _): "rename \(table) to \(to)"
        case .createView(let view, _): "create view \(view)"
        case .updateView(let view, _, _): "change view \(view)"
        case .dropView(let view, _): "drop view \(view)"
        case .renameView(let view, let to, _): "rename view \(view) to \(to)"
        case .onBranch(let branch, let changes):
            "on \(branch): " + changes.map(\.summary).joined(separator: ", ")
        case .createBranch(let start): "create branch \(start.name) from \(start.source)"
        case .dropBranch(let branch): "drop branch \(branch)"
        case .mergeBranch(let branch, let target, _): "merge branch \(branch) into \(target)"
        case .createTag(let start): "create tag \(start.name) of \(start.source)"
        case .dropTag(let tag): "drop tag \(tag)"
        }
    }
}
