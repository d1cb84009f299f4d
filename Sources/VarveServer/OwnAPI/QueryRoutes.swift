import Ambient
import Bytes
import Catalog
import Columnar
import Engine
import Execution
import HTTPTypes
import HummingbirdCore
import SQL
import Synchronization

/// Statements over HTTP.
///
/// A result is streamed as it is made: the client's pace is the query's pace, and when the client goes
/// away the query ends. The status is sent with the first rows, so whatever fails before has a status of
/// its own. What fails later can only be told by cutting the connection: the chunked body then has no
/// last chunk, which every HTTP client reports as an error, so that no part passes for the whole. (An Arrow
/// stream lacks its end marker, too, and a JSON document its end.)
struct QueryRoutes: Sendable {
    let parts: ServerParts

    var all: [Route] {
        [
            Route(.post, "/varve/v1/query", effect: .change, weight: .query) {
                try await run($0)
            }
        ]
    }

    /// How far a query came.
    private final class Progress: Sendable {
        private let counts = Mutex((statements: 0, rows: 0))
        private let answered = Mutex(false)

        /// Whether all of the answer but its end has been written: a client that has read it may go away
        /// before the server is done with the query.
        var isAnswered: Bool { answered.withLock { $0 } }

        func noteAnswer() { answered.withLock { $0 = true } }

        /// The number of the statement that now has an outcome, from 0.
        func nextStatement() -> Int {
            counts.withLock {
                $0.statements += 1
                return $0.statements - 1
            }
        }

        func add(rows: Int) { counts.withLock { $0.rows += rows } }

        var now: (statements: Int, rows: Int) { counts.withLock { $0 } }
    }

    private func run(_ request: ServerRequest) async throws -> Reply? {
        // Until the statements are known, nothing that ends the request can have changed anything.
        request.channel.effect = .read
        let format = try ResultFormat(accept: request.headers[.accept])
        let progress = Progress()
        do {
            try await request.cancellingWhenClientLeaves {
                let bytes = try await collect(request.body, bytesMax: request.bodyBytesMax)
                let query = try QueryRequest(try RequestFields(parsing: bytes, "the body"))
                try await run(query, format, request, progress)
            }
        } catch  where progress.isAnswered && isCancellation(error) {
            return nil
        } catch {
            if !progress.isAnswered {
                parts.metrics.queryEnded(
                    outcome: isCancellation(error) ? "cancelled" : "failed",
                    rows: progress.now.rows,
                    bytes: request.channel.byteCount
                )
            }
            throw error
        }
        return nil
    }

    /// Ends an answer, and counts the query before anybody can know that it has ended.
    private func finish(_ request: ServerRequest, _ progress: Progress) async throws {
        progress.noteAnswer()
        parts.metrics.queryEnded(
            outcome: "ok",
            rows: progress.now.rows,
            bytes: request.channel.byteCount
        )
        try await request.channel.finish()
    }

    private func run(
        _ query: QueryRequest,
        _ format: ResultFormat,
        _ request: ServerRequest,
        _ progress: Progress
    ) async throws {
        let statements = try Parser.parseStatements(query.sql)
        guard !statements.isEmpty else {
            throw ServerError(.badRequest, "there is no statement in \"sql\"")
        }
        request.channel.effect = statements.allSatisfy(\.statement.isRead) ? .read : .change
        if let retry = request.retry, request.channel.effect == .change {
            throw ServerError(
                .badRequest,
                "statements take no Idempotency-Key (\(retry.key)): look at /varve/v1/log for what "
                    + "became of one, or send rows to /varve/v1/tables/{namespace}/{table}/rows"
            )
        }
        let session = Session(
            engine: parts.engine,
            context: RequestContext(actor: request.principal, requestID: request.id)
        )
        if let namespace = query.namespace { await session.use(namespace: namespace) }
        if let asOf = query.asOf { await session.set(asOf: asOf) }
        await session.use(tableBranch: query.tableBranch)
        try await session.select(reference: query.branch)
        let count = statements.count
        do {
            try await session.run(query.sql, parameters: query.parameters) { outcome in
                let isLast = progress.nextStatement() == count - 1
                switch outcome {
                case .rows(let rows):
                    if isLast {
                        try await send(rows, format, request, progress)
                    } else {
                        // Earlier results are run, for their errors, but not sent.
                        while try await rows.next() != nil {}
                        try Task.checkCancellation()
                    }
                case .done(let summary):
                    if let position = summary.position {
                        parts.committed(
                            kind: "sql",
                            id: nil,
                            position: position,
                            request: request
                        )
                    }
                    if isLast { try await send(summary, format, request, progress) }
                }
            }
        } catch {
            await session.abandonTransaction()
            throw PlacedError(
                error: error,
                statement: count > 1 ? min(progress.now.statements + 1, count) : nil
            )
        }
    }

    private static let pieceBytesMin = 1 << 17

    private func send(
        _ rows: Execution.ResultStream,
        _ format: ResultFormat,
        _ request: ServerRequest,
        _ progress: Progress
    ) async throws {
        var encoder = try ResultEncoder(format, schema: rows.schema)
        // The first rows before the status: most of what can fail has failed by then.
        var next = try await rows.next()
        var piece = try encoder.begin()
        if let first = next { piece += try encoder.encode(first) }
        try Task.checkCancellation()
        try await begin(format, request)
        while let batch = next {
            progress.add(rows: batch.rowCount)
            if piece.count >= Self.pieceBytesMin {
                try await request.channel.write(piece)
                piece = []
            }
            next = try await rows.next()
            if let batch = next { piece += try encoder.encode(batch) }
        }
        // A query that is cancelled ends like one without more rows; it must not look complete.
        try Task.checkCancellation()
        try await request.channel.write(piece + encoder.end())
        try await finish(request, progress)
    }

    /// What a statement without rows did, as a result of one row.
    private func send(
        _ summary: StatementSummary,
        _ format: ResultFormat,
        _ request: ServerRequest,
        _ progress: Progress
    ) async throws {
        let fields = [
            Field("statement", .string, isNullable: false), Field("row_count", .int64),
            Field("log_position", .int64), Field("snapshot_id", .int64),
        ]
        let values: [Value] = [
            .string(summary.tag), summary.rowCount.map { .int64(Int64($0)) } ?? .null,
            summary.position.map { .int64($0) } ?? .null,
            summary.snapshotID.map { .int64($0) } ?? .null,
        ]
        let schema = Schema(fields)
        let batch = RecordBatch(
            schema: schema,
            columns: zip(fields, values).map { Column($0.type, [$1]) },
            rowCount: 1
        )
        var encoder = try ResultEncoder(format, schema: schema)
        var whole = try encoder.begin()
        whole += try encoder.encode(batch)
        whole += encoder.end()
        try await begin(format, request)
        progress.add(rows: 1)
        try await request.channel.write(whole)
        try await finish(request, progress)
    }

    private func begin(_ format: ResultFormat, _ request: ServerRequest) async throws {
        var headers = HTTPFields()
        headers[.contentType] = format.contentType
        headers[.cacheControl] = "no-store"
        try await request.channel.begin(status: 200, headers: headers)
    }
}

extension Statement {
    /// Whether it can change nothing that others see.
    fileprivate var isRead: Bool {
        switch self {
        case .query, .explain, .describe, .show, .use, .set, .reset, .deallocate, .createMacro,
            .dropMacro:
            true
        // What is prepared may be executed.
        case .prepare(let prepare): prepare.statement.isRead
        case .execute: true
        default: false
        }
    }
}
