import Ambient
import Columnar
import Execution
import Planner
import SQL
import Tables

extension Session {
    func runExplain(
        _ explain: Explain,
        _ parameters: Parameters,
        _ consume: @escaping Consumer
    ) async throws {
        let steps = try await steps(of: explain, parameters)
        guard let prepared = steps.last?.prepared else { return }
        switch explain.kind {
        case .plan:
            var lines: [String] = []
            for step in steps {
                let plan = PlanPrinter().print(step.prepared.optimised).split(separator: "\n")
                if let title = step.title { lines.append(title) }
                lines += plan.map { step.title == nil ? String($0) : "  " + $0 }
            }
            try await consumeRows(
                Schema([Field("plan", .string)]),
                lines.map { [.string($0)] },
                consume
            )
        case .analyze:
            guard steps.count == 1, steps[0].title == nil else {
                throw PlanError(
                    .unsupported,
                    "EXPLAIN ANALYZE is for queries: it would run the statement",
                    hint: "EXPLAIN shows what it would do.",
                    at: explain.span
                )
            }
            let lines = try await analysis(of: prepared)
            try await consumeRows(
                Schema([Field("plan", .string)]),
                lines.map { [.string($0)] },
                consume
            )
        case .lineage:
            let edges = ColumnLineage(prepared.bound).edges
            try await consumeRows(
                Schema([
                    Field("output_column", .string), Field("input_table", .string),
                    Field("input_column", .string), Field("type", .string),
                    Field("subtype", .string), Field("masked", .boolean),
                ]),
                edges.map {
                    [
                        .string($0.output), .string($0.inputTable), .string($0.inputColumn),
                        .string($0.type.rawValue), .string($0.subtype.rawValue), .boolean(false),
                    ]
                },
                consume
            )
        }
    }

    /// Runs a query to its end and tells what each operator did; its rows go nowhere.
    private func analysis(of prepared: PreparedQuery) async throws -> [String] {
        var watched = prepared
        let (plan, operators) = prepared.physical.profiled()
        watched.physical = plan
        let options = prepared.options
        let profile = QueryProfile(
            operatorCount: operators.count,
            workerCount: options.threadCount
        )
        let clock = engine.options.ambient.time
        let (before, spilled) = (meter.current, options.spills.writtenByteCount)
        let start = clock.monotonicNanos()
        try await withRows(of: watched, profile: profile) { rows in
            while try await rows.next() != nil {}
        }
        let nanoseconds = clock.monotonicNanos() - start
        var lines = zip(operators, profile.operators).map { planned, done in
            String(repeating: "  ", count: planned.depth) + planned.text
                + "  (\(done.rowCount) rows, \(Self.milliseconds(done.nanoseconds)))"
        }
        let after = meter.current
        let files = after.files - before.files
        let groups = after.rowGroups - before.rowGroups
        lines.append(
            "\(Self.milliseconds(UInt64(nanoseconds))) on \(options.threadCount) \(options.threadCount == 1 ? "thread" : "threads"); "
                + "the operators' times are those of all threads together"
        )
        lines.append(
            "\(files) files (\(after.filesPruned - before.filesPruned) left out), \(groups) row "
                + "groups (\(after.rowGroupsPruned - before.rowGroupsPruned) left out), "
                + "\(after.rows - before.rows) rows and \(after.bytesRead - before.bytesRead) bytes read"
        )
        let written = options.spills.writtenByteCount - spilled
        if written > 0 { lines.append("\(written) bytes did not fit into memory") }
        return lines
    }

    private static func milliseconds(_ nanoseconds: UInt64) -> String {
        let hundredths = (nanoseconds + 5_000) / 10_000
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) ms"
    }
}
