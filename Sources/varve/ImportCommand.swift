import ArgumentParser
import Engine
import Glibc

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Import files into a table, in one atomic commit.",
        discussion: """
            CSV, NDJSON, JSON, Parquet and Arrow files are recognised by their names, also when
            compressed (.gz, .zst). Columns and types are found out from the files.

            Examples:
              varve import flights.csv.gz --into flights
              varve import day1.parquet day2.parquet --into sales.orders --mode append
              varve import messy.csv --into t --on-error quarantine
            """
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The files; patterns such as 'data/*.csv' are expanded.")
    var files: [String]

    @Option(help: "The table: NS.TABLE, or TABLE in --namespace.")
    var into: String

    @Option(help: "create a new table, append to one, or overwrite its rows.")
    var mode = ImportRequest.Mode.create

    @Option(help: "What the files hold: csv, ndjson, json, parquet or arrow.")
    var format: String?

    @Option(
        name: .customLong("on-error"),
        help: "What to do with rows that cannot be read: fail, skip or quarantine."
    )
    var onError = ImportRequest.ErrorPolicy.fail

    func run() async throws {
        var fileFormat: FileFormat?
        if let format {
            guard let known = FileFormat(rawValue: format == "ndjson" ? "json" : format) else {
                throw Failure(usage: "--format is csv, ndjson, json, parquet or arrow")
            }
            fileFormat = known
        }
        let request = ImportRequest(
            paths: files,
            table: into,
            mode: mode,
            format: fileFormat,
            onError: onError
        )
        let session = try await global.session(
            message: "import of \(files.joined(separator: ", "))"
        )
        let progress = ImportProgress()
        let receipt = try await withProgress(progress) {
            try await session.importFiles(request, progress: progress)
        }
        var line = "Imported \(receipt.rowCount) rows into \(receipt.table)"
        line += "  (log position \(receipt.position))"
        print(line)
        if receipt.rejectedRowCount > 0 {
            writeError(
                "varve: \(receipt.rejectedRowCount) rows could not be read and were "
                    + (onError == .quarantine ? "kept in \(receipt.table)_rejected" : "left out")
                    + "\n"
            )
        }
    }
}

extension ImportRequest.Mode: ExpressibleByArgument {}
extension ImportRequest.ErrorPolicy: ExpressibleByArgument {}

/// Shows a progress bar on a terminal while `body` runs; nothing on a pipe.
func withProgress<R: Sendable>(
    _ progress: ImportProgress,
    _ body: @Sendable @escaping () async throws -> R
) async throws -> R {
    guard isatty(2) == 1 else { return try await body() }
    return try await withThrowingTaskGroup(of: R?.self) { group in
        group.addTask {
            while !Task.isCancelled {
                try? await Task.sleep(nanoseconds: 200_000_000)
                if Task.isCancelled { break }
                writeError("\r" + bar(progress) + "\u{1B}[K")
            }
            writeError("\r\u{1B}[K")
            return nil
        }
        group.addTask { try await body() }
        defer { group.cancelAll() }
        while let one = try await group.next() {
            if let one { return one }
        }
        throw CancellationError()
    }
}

private func bar(_ progress: ImportProgress) -> String {
    let rows = "\(progress.rowCount) rows"
    guard let total = progress.bytesTotal, total > 0, progress.bytesRead > 0 else { return rows }
    let share = min(1, Double(progress.bytesRead) / Double(total))
    let filled = Int(share * 30)
    let cells = String(repeating: "█", count: filled) + String(repeating: "░", count: 30 - filled)
    return "\(cells) \(Int(share * 100)) %  \(rows)"
}
