import ArgumentParser
import Engine
import SQL

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Export a table or a query's rows to a file.",
        discussion: """
            The file's name tells the format: .csv, .tsv, .ndjson, .json, .parquet or .arrow; text
            may end in .gz or .zst. The file appears when it is whole.

            Examples:
              varve export flights --to flights.parquet
              varve export --sql "SELECT * FROM flights WHERE month = 1" --to january.csv.gz
            """
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The table: NS.TABLE, or TABLE in --namespace.")
    var table: String?

    @Option(help: "A query, instead of a table.")
    var sql: String?

    @Option(help: "The file: a path or s3://bucket/key.")
    var to: String

    func run() async throws {
        let query: String
        switch (table, sql) {
        case (let table?, nil): query = "TABLE " + table
        case (nil, let text?): query = text
        default: throw Failure(usage: "name a table, or give a query with --sql")
        }
        let session = try await global.session()
        do {
            let receipt = try await session.export(query, to: to)
            print(
                "Exported \(receipt.rowCount) rows to \(receipt.path), \(receipt.byteCount) bytes"
            )
        } catch let error as SQLError {
            throw Failure(error.rendered(in: query))
        }
    }
}
