import Columnar
import Engine
import Glibc
import SQL

/// Runs statements and writes their outcomes: rows to a file or standard output, the rest to
/// standard error.
final class StatementPrinter: Sendable {
    struct Options: Sendable {
        var format = OutputFormat.table
        /// Where rows go.
        var descriptor: Int32 = 1
        var measures = false
        /// How often each statement runs; rows are written by the last run only.
        var runCount = 1
        /// Whether people see what was done that gave no rows.
        var saysWhatWasDone = true
    }

    private let runner: any StatementRunner

    init(_ runner: any StatementRunner) {
        self.runner = runner
    }

    /// Runs all statements of a text; the first that fails ends it.
    func run(_ text: String, _ options: Options) async throws {
        do {
            let statements = try Parser.parseStatements(text)
            if options.format == .parquet, statements.filter(\.statement.givesRows).count > 1 {
                throw Failure(usage: "--format parquet takes one query: a file has one schema")
            }
            for (index, statement) in statements.enumerated() {
                for run in 1...max(1, options.runCount) {
                    try Task.checkCancellation()
                    try await self.run(statement, text, index + 1, run, options)
                }
            }
        } catch {
            guard let message = excerptedText(of: error, in: text) else { throw error }
            throw Failure(message)
        }
    }

    private func run(
        _ statement: ParsedStatement,
        _ text: String,
        _ number: Int,
        _ run: Int,
        _ options: Options
    ) async throws {
        let meter = RunMeter(runner)
        let rowCount = RowCount()
        // Every run does the same work, so that their times can be compared.
        let descriptor = run == options.runCount ? options.descriptor : nil
        try await runner.run(statement, of: text) { outcome in
            switch outcome {
            case .rows(let rows):
                var writer = try RowWriter(
                    format: options.format,
                    schema: options.format.isForPeople ? rows.shownSchema : rows.schema,
                    to: descriptor,
                    isPlan: statement.statement.givesPlan
                )
                while let batch = try await rows.next() {
                    rowCount.value += batch.rowCount
                    try writer.write(options.format.isForPeople ? rows.shown(batch) : batch)
                }
                try writer.finish()
            case .done(let summary):
                rowCount.value = summary.rowCount ?? 0
                if options.saysWhatWasDone { writeError(summary.line + "\n") }
            }
        }
        guard options.measures else { return }
        let measured = meter.finish(runner, rowCount: rowCount.value)
        writeError(
            (isatty(2) == 1 ? measured.line : measured.json(statement: number, run: run)) + "\n"
        )
    }
}

extension Statement {
    /// Whether its rows are the lines of a plan.
    fileprivate var givesPlan: Bool {
        guard case .explain(let explain) = self else { return false }
        return explain.kind != .lineage
    }
}

/// Counted by the one consumer of a statement.
private final class RowCount: @unchecked Sendable {
    var value = 0
}
