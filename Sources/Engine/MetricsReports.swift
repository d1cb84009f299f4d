package import Bytes
import Columnar
import Synchronization

/// A report of a client about a scan that it planned or a commit that it made.
package struct MetricsReport: Sendable {
    package var receivedMicros: Int64
    /// `scan-report`, `commit-report`.
    package var kind: String
    package var namespace: String
    package var tableName: String
    package var reportedBy: String
    package var snapshotID: Int64?
    /// Everything that the client sent.
    package var report: JSON

    package init(
        receivedMicros: Int64,
        kind: String,
        namespace: String,
        tableName: String,
        reportedBy: String,
        snapshotID: Int64?,
        report: JSON
    ) {
        self.receivedMicros = receivedMicros
        self.kind = kind
        self.namespace = namespace
        self.tableName = tableName
        self.reportedBy = reportedBy
        self.snapshotID = snapshotID
        self.report = report
    }
}

/// The latest reports of clients, in memory: `varve.metrics_reports`.
package final class MetricsReports: Sendable {
    private struct State {
        var reports: [(report: MetricsReport, text: String)] = []
        var head = 0
        var byteCount = 0
    }

    /// How many reports are kept, and how many bytes of JSON; the oldest go first.
    package static let countMax = 10_000
    package static let byteCountMax = 16 << 20
    private let state = Mutex(State())

    package func add(_ report: MetricsReport) {
        let text = report.report.text()
        guard text.utf8.count <= Self.byteCountMax else { return }
        state.withLock { state in
            state.reports.append((report, text))
            state.byteCount += text.utf8.count
            while state.reports.count - state.head > Self.countMax
                || state.byteCount > Self.byteCountMax
            {
                state.byteCount -= state.reports[state.head].text.utf8.count
                state.reports[state.head].text = ""
                state.reports[state.head].report.report = .null
                state.head += 1
            }
            if state.head > Self.countMax {
                state.reports.removeFirst(state.head)
                state.head = 0
            }
        }
    }

    /// Oldest first.
    var rows: [[Value]] {
        let kept = state.withLock { Array($0.reports[$0.head...]) }
        return kept.map { one in
            let (report, text) = one
            func member(_ name: String) -> Value {
                report.report[name].map { .string($0.string ?? $0.text()) } ?? .null
            }
            return [
                .timestamptz(report.receivedMicros), .string(report.kind),
                .string(report.namespace), .string(report.tableName),
                .string(report.reportedBy), report.snapshotID.map { .int64($0) } ?? .null,
                member("operation"), member("filter"), member("metrics"), .string(text),
            ]
        }
    }

    static let schema = Schema([
        Field("received_at", .timestamptz, isNullable: false),
        Field("report_type", .string, isNullable: false),
        Field("namespace", .string, isNullable: false),
        Field("table_name", .string, isNullable: false),
        Field("reported_by", .string, isNullable: false), Field("snapshot_id", .int64),
        Field("operation", .string), Field("filter", .string), Field("metrics", .string),
        Field("report", .string, isNullable: false),
    ])
}
