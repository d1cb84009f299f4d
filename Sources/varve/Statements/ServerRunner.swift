import Ambient
import Bytes
import Columnar
import Engine
import ObjectStorage
import SQL
import Synchronization
import Tables

/// Statements on a `varve serve`, with rows as Arrow streams.
///
/// A server knows no sessions: USE, SET and RESET are sent again before every later statement.
final class ServerRunner: StatementRunner {
    private let client: StreamingClient
    private let url: String
    private let token: String?
    private let namespace: String
    private let asOf: JSON?
    private let branch: String?
    private let tableBranch: String?
    /// Pieces of an answer that wait to be read, at most.
    private static let pieceCountMax = 64
    private let parameters: JSON?
    /// The statements that settings were made by.
    private let settings = Mutex("")

    /// - Parameter parameters: as texts by name; numbers where all names are numbers.
    init(
        url: String,
        token: String?,
        namespace: String,
        asOf: String?,
        branch: String?,
        tableBranch: String?,
        parameters: [(name: String, value: Value, text: String)]
    ) throws {
        var base = url
        while base.hasSuffix("/") { base.removeLast() }
        guard base.hasPrefix("http://") || base.hasPrefix("https://") else {
            throw Failure(usage: "--server is the URL of a varve serve, such as http://host:8181")
        }
        self.url = base + "/varve/v1/query"
        self.token = token
        self.namespace = namespace
        self.asOf = asOf.map { text in Int64(text).map { .integer($0) } ?? .string(text) }
        self.branch = branch
        self.tableBranch = tableBranch
        self.parameters = try Self.json(parameters)
        client = StreamingClient(certificateFile: environmentValue("VARVE_CA_FILE"))
    }

    private static func json(
        _ parameters: [(name: String, value: Value, text: String)]
    ) throws -> JSON? {
        if parameters.isEmpty { return nil }
        func value(_ value: Value, _ text: String) -> JSON {
            switch value {
            case .null: .null
            case .boolean(let flag): .bool(flag)
            case .int32(let number): .integer(number)
            case .int64(let number): .integer(number)
            case .float64(let number): .double(number) ?? .string(text)
            case .string(let text): .string(text)
            default: .string(text)
            }
        }
        let numbers = parameters.compactMap { Int($0.name) }
        if numbers.isEmpty {
            var object = JSONObject()
            for one in parameters { object[one.name] = value(one.value, one.text) }
            return .object(object)
        }
        guard numbers.sorted() == Array(1...parameters.count) else {
            throw Failure(
                usage: "a server takes parameters by name, or by numbers from 1 without a gap"
            )
        }
        let sorted = parameters.sorted { (Int($0.name) ?? 0) < (Int($1.name) ?? 0) }
        return .array(sorted.map { value($0.value, $0.text) })
    }

    /// The server refuses texts that end inside a transaction.
    func finish() async -> Bool { false }

    var counters: ScanCounters? { nil }

    var spilledByteCount: Int? { nil }

    func names() async throws -> [String] { [] }

    func run(
        _ statement: ParsedStatement,
        of text: String,
        consume: @escaping Consumer
    ) async throws {
        let own = text.part(statement.span)
        try await send(settings.withLock { $0 } + own, executed(statement.statement), consume)
        switch statement.statement {
        case .use, .set, .reset, .prepare, .deallocate, .createMacro, .dropMacro:
            settings.withLock { $0 += own + ";\n" }
        default: break
        }
    }

    /// What EXECUTE runs; any other statement is itself.
    private func executed(_ statement: Statement) -> Statement {
        guard case .execute(let execute) = statement else { return statement }
        let earlier = (try? Parser.parseStatements(settings.withLock { $0 })) ?? []
        for parsed in earlier.reversed() {
            if case .prepare(let prepare) = parsed.statement,
                prepare.name.name.lowercased() == execute.name.name.lowercased()
            {
                return prepare.statement
            }
        }
        return statement
    }

    private func send(
        _ sql: String,
        _ statement: Statement,
        _ consume: @escaping Consumer
    ) async throws {
        var body: JSONObject = ["sql": .string(sql), "namespace": .string(namespace)]
        if let asOf { body["as_of"] = asOf }
        if let branch { body["branch"] = .string(branch) }
        if let tableBranch { body["table_branch"] = .string(tableBranch) }
        if let parameters { body["parameters"] = parameters }
        var headers = [
            (name: "content-type", value: "application/json"),
            (name: "accept", value: "application/vnd.apache.arrow.stream"),
        ]
        if let token { headers.append((name: "authorization", value: "Bearer \(token)")) }
        let (client, url) = (client, url)
        let (bytes, sent) = (JSON.object(body).serialized(), headers)
        let queue = BoundedQueue<[UInt8]>(countMax: Self.pieceCountMax)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    let answer = try await client.post(url, headers: sent, body: bytes) {
                        queue.send(Array($0))
                    }
                    guard answer.status == 200 else {
                        throw Self.failure(answer.status, answer.body)
                    }
                    queue.finish(.success(()))
                } catch let error as StreamingClient.Failure {
                    queue.finish(.failure(Failure("the server did not answer: \(error)")))
                } catch {
                    queue.finish(.failure(error))
                }
            }
            group.addTask {
                defer { queue.abandon() }
                let rows = ArrowRows(queue)
                guard let schema = try await rows.readSchema() else {
                    throw Failure("the server's answer is no Arrow stream")
                }
                if statement.givesRows {
                    try await consume(
                        .rows(RowSource(schema: schema, next: { try await rows.next() }))
                    )
                    return
                }
                var summary = StatementSummary(tag: "DONE")
                while let batch = try await rows.next() {
                    if batch.rowCount > 0, batch.columns.count >= 4 {
                        summary = StatementSummary(batch)
                    }
                }
                try await consume(.done(summary))
            }
            try await group.waitForAll()
        }
    }

    private static func failure(_ status: Int, _ body: [UInt8]) -> Failure {
        let message = (try? JSON.parse(body))?["error"]?["message"]?.string
        switch (status, message) {
        case (401, _): return Failure("the server wants a valid token: set VARVE_TOKEN")
        case (_, let message?): return Failure(message)
        case (_, nil): return Failure("the server answered with status \(status)")
        }
    }
}

/// The batches of an Arrow stream that comes in pieces; used by one task.
private final class ArrowRows: @unchecked Sendable {
    private let queue: BoundedQueue<[UInt8]>
    private let reader = IPCStreamReader()
    private var isFinished = false
    private var ahead: RecordBatch?

    init(_ queue: BoundedQueue<[UInt8]>) {
        self.queue = queue
    }

    func readSchema() async throws -> Schema? {
        while reader.schema == nil, !isFinished { ahead = try await step() }
        return reader.schema
    }

    func next() async throws -> RecordBatch? {
        if let batch = ahead {
            ahead = nil
            return batch
        }
        while true {
            if let batch = try await step() { return batch }
            if isFinished { return nil }
        }
    }

    private func step() async throws -> RecordBatch? {
        do {
            if let batch = try reader.next() { return batch }
            if isFinished { return nil }
            if let piece = try await queue.next() {
                reader.feed(piece)
            } else {
                isFinished = true
                try reader.finish()
            }
            return try reader.next()
        } catch let error as IPCError {
            throw Failure("the server's answer is damaged or was cut short: \(error)")
        }
    }
}

extension Statement {
    /// Whether its outcome is rows.
    var givesRows: Bool {
        switch self {
        case .query, .explain, .describe, .show: true
        default: false
        }
    }
}

extension StatementSummary {
    /// What a server says of a statement without rows.
    fileprivate init(_ batch: RecordBatch) {
        func number(_ column: Int) -> Int64? {
            if case .int64(let number) = batch.columns[column].value(at: 0) { return number }
            return nil
        }
        var tag = "DONE"
        if case .string(let text) = batch.columns[0].value(at: 0) { tag = text }
        self.init(
            tag: tag,
            rowCount: number(1).map { Int($0) },
            position: number(2),
            snapshotID: number(3)
        )
    }
}

extension String {
    /// The text of a span.
    func part(_ span: SourceSpan) -> String {
        let bytes = Array(utf8)
        let end = min(bytes.count, span.endBytes)
        return String(decoding: bytes[min(span.offsetBytes, end)..<end], as: UTF8.self)
    }
}
