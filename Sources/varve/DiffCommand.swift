import ArgumentParser
import Engine
import Execution

struct DiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Show the rows that differ between two versions of a table.",
        discussion: """
            A version is a snapshot id, a branch or tag, or a time. How many rows differ is said on
            standard error first; the rows follow with their change in _change_type: INSERT, DELETE,
            and with --key UPDATE_BEFORE and UPDATE_AFTER.

            Examples:
              varve diff flights 2024-05-01 main
              varve diff sales.orders 4712850135 8123650911 --key order_id --format csv
              varve diff sales.orders release main --counts
            """
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The table: NS.TABLE, or TABLE in --namespace.")
    var table: String

    @Argument(help: "The earlier version.")
    var from: String

    @Argument(help: "The later version.")
    var to: String

    @Option(help: "Columns, with commas between them, that say which rows belong together.")
    var key: String?

    @Flag(help: "Only say how many rows differ.")
    var counts = false

    @Option(help: "How rows are written: \(OutputFormat.names), or parquet, which needs --output.")
    var format = OutputFormat.table

    @Option(help: "The file that rows are written to, instead of standard output.")
    var output: String?

    func run() async throws {
        if format == .parquet, output == nil {
            throw Failure(usage: "--format parquet needs --output FILE")
        }
        let keys = key?.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        if let keys, keys.contains(where: \.isEmpty) {
            throw Failure(usage: "--key is a list of columns such as a,b")
        }
        let session = try await global.session()
        let (format, output, countsOnly) = (format, output, counts)
        try await session.diff(
            DiffRequest(table: table, from: from, to: to, keys: keys ?? []),
            counted: { counts in
                var line = "\(counts.table): \(counts.addedCount) rows added, "
                line += "\(counts.removedCount) removed"
                if keys != nil { line += ", \(counts.changedCount) changed" }
                let (from, to) = (counts.fromSnapshotID, counts.toSnapshotID)
                line += " (snapshot \(from.map(String.init) ?? "none")"
                line += " to \(to.map(String.init) ?? "none"))\n"
                // Who asks for nothing but the counts wants them as the output.
                if countsOnly { writeAll(Array(line.utf8), to: 1) } else { writeError(line) }
            },
            rows: { rows in
                if countsOnly { return }
                var writer = try RowWriter(
                    format: format,
                    schema: rows.schema,
                    to: try openOutput(output)
                )
                while let batch = try await rows.next() { try writer.write(batch) }
                try writer.finish()
            }
        )
    }
}
