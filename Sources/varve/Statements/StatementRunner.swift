import Columnar
import Engine
import Execution
import SQL
import Tables

/// Rows of a result, wherever they come from.
struct RowSource: Sendable {
    let schema: Schema
    /// The schema and the rows as people see them: instants by the clocks of the session's zone.
    let shownSchema: Schema
    let shown: @Sendable (RecordBatch) throws -> RecordBatch
    /// The next batch, to one reader at a time; nil after the last one.
    let next: @Sendable () async throws -> RecordBatch?

    init(
        schema: Schema,
        shownSchema: Schema? = nil,
        shown: @escaping @Sendable (RecordBatch) throws -> RecordBatch = { $0 },
        next: @escaping @Sendable () async throws -> RecordBatch?
    ) {
        self.schema = schema
        self.shownSchema = shownSchema ?? schema
        self.shown = shown
        self.next = next
    }
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
                let source = RowSource(
                    schema: rows.schema,
                    shownSchema: rows.shownSchema,
                    shown: { try rows.shown($0) },
                    next: { try await rows.next() }
                )
                try await consume(.rows(source))
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
