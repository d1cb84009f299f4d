import Ambient
import Columnar
import Engine
import Execution
import SQL
import Synchronization
import TestSupport

/// A session on a fresh warehouse in memory that runs the records of one sqllogictest file.
struct LogicSession {
    private let session: Session

    init() {
        session = Session(
            engine: Engine(warehouseURL: "memory:", options: Engine.Options()),
            context: RequestContext(actor: "test")
        )
    }

    /// Runs statements; gives the rows of the last one, or how many rows it changed.
    func run(_ text: String) async throws -> LogicTestAnswer {
        let found = Mutex(LogicTestAnswer(columns: [], rows: []))
        do {
            // One by one, as at the prompt: a transaction may stay open from record to record.
            for statement in try Parser.parseStatements(text) {
                try await session.run(statement.statement, parameters: [:]) { outcome in
                    let answer =
                        switch outcome {
                        case .rows(let stream): try await Self.answer(stream)
                        case .done(let summary): Self.answer(summary)
                        }
                    found.withLock { $0 = answer }
                }
            }
        } catch {
            throw Refusal(text: excerptedText(of: error, in: text) ?? "\(error)")
        }
        return found.withLock { $0 }
    }

    /// An error as people see it.
    private struct Refusal: Error, CustomStringConvertible {
        var text: String
        var description: String { text }
    }

    private static func answer(_ summary: StatementSummary) -> LogicTestAnswer {
        guard let count = summary.rowCount else { return LogicTestAnswer(columns: [], rows: []) }
        return LogicTestAnswer(columns: [.exact], rows: [["\(count)"]])
    }

    private static func answer(_ stream: ResultStream) async throws -> LogicTestAnswer {
        var rows: [[String?]] = []
        while let batch = try await stream.next() {
            let shown = try stream.shown(batch)
            for row in 0..<shown.rowCount {
                rows.append(
                    shown.columns.map { column in
                        if column.isNull(row) { return nil }
                        var text: [UInt8] = []
                        TextFormat.append(column, row: row, to: &text)
                        return String(decoding: text, as: UTF8.self)
                    }
                )
            }
        }
        return LogicTestAnswer(
            columns: stream.schema.fields.map { comparison($0.type) },
            rows: rows
        )
    }

    private static func comparison(_ type: DataType) -> LogicTestAnswer.Comparison {
        switch type {
        case .int32, .int64, .decimal: .exact
        case .float32, .float64: .floating
        case .boolean: .boolean
        default: .text
        }
    }
}
