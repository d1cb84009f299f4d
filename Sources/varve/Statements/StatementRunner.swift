import Columnar
import Engine
import Execution
import SQL
import Tables

/// Rows of a result, wherever they come from.
struct RowSource: Sendable {
    let schema: Schema
    /// The next batch, to one reader at a time; nil after the last one.
    let next: @Sendable () async throws -> RecordBatch?
}

/// The outcome of one statement, handed over while it runs.
enum RunOutcome: Sendable {
    case rows(RowSource)
    case done(StatementSummary)
}

/// Runs statements one after the other: on the warehouse, or on a server.
protocol StatementRunner: Sendable {
    typealias Consumer = @Sendable (RunOutcome) async throws -> Void

    /// Runs one statement of a text.
    func run(
        _ statement: ParsedStatement,
        of text: String,
        consume: @escaping Consumer
    ) async throws

    /// Ends what the statements left open.
    ///
    /// - Returns: whether that were changes of a transaction, which are gone.
    func finish() async -> Bool

    /// What was read so far; nil when it is read elsewhere.
    var counters: ScanCounters? { get }

    /// Bytes written to temporary files so far; nil when it is done elsewhere.
    var spilledByteCount: Int? { get }

    /// What a person who types may mean.
    func names() async throws -> [String]
}

/// Statements on the warehouse itself.
struct LocalRunner: StatementRunner {
    let session: Session
    let parameters: Session.Parameters

    func run(
        _ statement: ParsedStatement,
        of text: String,
        consume: @escaping Consumer
    ) async throws {
        try await session.run(statement.statement, parameters: parameters) { outcome in
            switch outcome {
            case .rows(let rows):
                try await consume(
                    .rows(RowSource(schema: rows.schema) { try await rows.next() })
                )
            case .done(let summary): try await consume(.done(summary))
            }
        }
    }

    func finish() async -> Bool { await session.abandonTransaction() }

    var counters: ScanCounters? { session.meter.current }

    var spilledByteCount: Int? {
        session.engine.options.query.spills.writtenByteCount
    }

    func names() async throws -> [String] { try await session.names() }
}
