import ArgumentParser
import Bytes
import CommitLog
import Engine

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "List the commits of a table, or of the whole warehouse, newest first.",
        discussion: """
            Pages of the log are read until there are as many as --limit; filters go together.

            Examples:
              varve history
              varve history sales.orders --format json
              varve history sales.orders --column total --since 2024-05-01
              varve history sales.orders --kind delete,overwrite --actor alice
            """
    )

    @OptionGroup var options: HistoryOptions

    @Argument(help: "The table: NS.TABLE, or TABLE in --namespace; without one the warehouse.")
    var table: String?

    func run() async throws { try await options.list(table: table) }
}

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Prove that history was not rewritten, and say who did what.",
        discussion: """
            Examples:
              varve audit verify
              varve audit log --limit 20 --format csv
              varve audit explain sales.orders --where "order_id = 17"
            """,
        subcommands: [Verify.self, Log.self, Explain.self]
    )

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Walk the log's hash chain, and check metadata and data files.",
            discussion: """
                Every entry's checksum and link to the one before it, archived ones too; every
                checkpoint against the state that the entries give; the hashes of every lineage
                index, and with --lineage each byte of it against the lineage that the log gives,
                folded again from its first entry; in the same way the log of the events of OpenLineage,
                every one of which must be an event, and have the hash of its content as its id; every
                metadata file against
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

        @Flag(help: "Fold the lineage again from the log's first entry, and compare its indexes.")
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
                Filters go together: a commit is listed when all of them let it through. --table
                finds a table through all its names, one that was dropped too.

                Examples:
                  varve audit log --limit 20 --format json
                  varve audit log --actor alice --since 2024-05-01 --until 2024-06-01
                  varve audit log --table sales.orders --kind schema,drop,rename
                  varve audit log --run 0190c3a2-7d1e-7000-8000-000000000001 --full
                """
        )

        @OptionGroup var options: HistoryOptions

        @Option(help: "Only commits that changed this table or view, under whatever name.")
        var table: String?

        func run() async throws { try await options.list(table: table) }
    }

    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Which commits, runs, inputs and people made these rows, with what proves it.",
            discussion: """
                Rows are named by --where, or by --row-id in tables of format version 3; without
                either the whole table is told by commit. Rows that an UPDATE, DELETE, MERGE or
                compaction wrote to new files are followed to the commit that gave them their
                values: by their row ids where these were kept, else by equal values in the files
                before. A row id that is gone is told with the commit that removed it.

                The report names for each commit the entry of the log and its hash, the runs, what
                they read and where that came from; and the files that hold the rows, with hashes.

                Examples:
                  varve audit explain sales.orders --where "order_id = 17"
                  varve audit explain sales.orders --row-id 4711 --format json
                  varve audit explain sales.orders --as-of '2024-05-31 23:59:59+00' --format html --output may.html
                """
        )

        /// How the report is written.
        enum Format: String, ExpressibleByArgument, CaseIterable {
            case text, json, html
        }

        @OptionGroup var global: GlobalOptions

        @Argument(help: "The table: NS.TABLE, or TABLE in --namespace.")
        var table: String

        @Option(
            name: .customLong("row-id"),
            help: "The row with this id (format version 3)."
        )
        var rowID: Int64?

        @Option(name: .customLong("where"), help: "The rows that meet this SQL condition.")
        var condition: String?

        @Option(help: "How many rows are listed and followed at most; all are counted.")
        var limit = 100

        @Option(help: "How many steps upstream are told; without it as far as it leads.")
        var depth: Int?

        @Flag(help: "Read the data files to their last byte, for their SHA-256.")
        var hashData = false

        @Option(help: "How the report is written: text, json, html.")
        var format = Format.text

        @Option(help: "The file that it is written to, instead of standard output.")
        var output: String?

        func run() async throws {
            if let depth, depth < 1 { throw Failure(usage: "--depth is 1 or more") }
            guard (0...100_000).contains(limit) else {
                throw Failure(usage: "--limit is 0 to 100000, not \(limit)")
            }
            if rowID != nil, condition != nil {
                throw Failure(usage: "--row-id and --where exclude each other")
            }
            var request = ExplainRequest(table: table)
            request.rowID = rowID
            request.predicate = condition
            request.listedCountMax = limit
            request.hashesData = hashData
            request.depth = depth
            let line = ProgressLine()
            let session = try await global.session()
            let report = try await session.explain(request) { line.show($0.words) }
            line.clear()
            let text =
                switch format {
                case .text: report.text
                case .json: try report.json().text(pretty: true) + "\n"
                case .html: report.html
                }
            writeAll(Array(text.utf8), to: try openOutput(output))
        }
    }
}

extension ExplainProgress {
    fileprivate var words: String {
        switch self {
        case .readingLog(let entries): "\(entries) entries of the log read"
        case .findingRows: "finding the rows"
        case .followingRows: "following the rows"
        case .hashing(let files): "\(files) data files hashed"
        }
    }
}
