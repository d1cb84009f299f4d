import Ambient
package import Catalog
package import CommitLog
import Columnar
import Execution
import Iceberg
import Planner
import SQL
import Synchronization
import Tables

/// What an audit found.
package struct AuditReport: Sendable {
    package struct Fault: Sendable {
        /// The file or table at fault.
        package var place: String
        package var message: String
    }

    package var log: LogVerification
    package var tableCount = 0
    package var fileCount = 0
    package var faults: [Fault] = []

    package var isSound: Bool { faults.isEmpty }
}

extension Session {
    /// Commits, newest first: of the whole warehouse, or of one table through all its names.
    package func history(of table: String?, limit: Int = 1000) async throws -> [HistoricCommit] {
        let catalog = try await engine.catalog(creating: false)
        var uuid: String?
        if let table {
            let name = try Parser.parseObjectName(table).map(\.folded)
            uuid = try await openTable(
                name,
                in: try await catalogSnapshot(creating: false)
            ).metadata.tableUUID
        }
        var commits: [HistoricCommit] = []
        var before: Int64?
        repeat {
            let page = try await catalog.history(ofTable: uuid, before: before)
            commits += page.commits
            before = page.next
        } while before != nil && commits.count < limit
        return Array(commits.prefix(limit))
    }

    /// Checks everything that can be checked: the log's hash chain, that every table's metadata is
    /// there, and (with `readsData`) every page of every data file of every snapshot.
    package func verify(readsData: Bool) async throws -> AuditReport {
        let catalog = try await engine.catalog(creating: false)
        var report = AuditReport(log: try await catalog.verify())
        if let fault = report.log.fault {
            report.faults.append(AuditReport.Fault(place: fault.key, message: fault.message))
            return report
        }
        let snapshot = try await catalog.read()
        for (table, fault) in try await catalog.verifyTables(of: snapshot) {
            report.faults.append(
                AuditReport.Fault(place: table.description, message: fault.message)
            )
        }
        let broken = Set(report.faults.map(\.place))
        for table in try snapshot.state.allTables() {
            report.tableCount += 1
            guard !broken.contains(table.description) else { continue }
            let open = try await openTable(
                table.namespace.levels + [table.name],
                in: snapshot
            )
            try await verify(open, readsData: readsData, &report)
        }
        return report
    }

    private func verify(
        _ table: OpenTable,
        readsData: Bool,
        _ report: inout AuditReport
    ) async throws {
        var seen: Set<String> = []
        for snapshot in table.metadata.snapshots {
            try Task.checkCancellation()
            do {
                let reader = try TableReader(
                    table.metadata,
                    at: .snapshotID(snapshot.snapshotID),
                    storage: table.storage
                )
                var plan = try await reader.plan()
                plan.files.removeAll { !seen.insert($0.file.filePath).inserted }
                report.fileCount += plan.files.count
                if readsData {
                    for file in plan.files {
                        var one = plan
                        one.files = [file]
                        if let fault = await Self.fault(of: one, reader, engine) {
                            report.faults.append(
                                AuditReport.Fault(place: file.file.filePath, message: fault)
                            )
                        }
                    }
                }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                report.faults.append(
                    AuditReport.Fault(
                        place: "\(table.identifier) snapshot \(snapshot.snapshotID)",
                        message: "\(error)"
                    )
                )
            }
        }
    }

    /// Reads every page of a file and counts its rows; what is wrong with it, or nil.
    private static func fault(
        of plan: TablePlan,
        _ reader: TableReader,
        _ engine: Engine
    ) async -> String? {
        do {
            // The schema that the file was read with when its snapshot was made.
            let ids = reader.schema.fields.map(\.id)
            let expected = plan.files.reduce(0) { $0 + Int($1.file.recordCount) }
            let found = try await FetchService.withFetchService { service in
                let scan = try await reader.openScan(plan, fieldIDs: ids, service: service)
                return try await engine.options.query.threads.run {
                    var rowCount = 0
                    for index in 0..<scan.morselCount {
                        let morsel = try scan.morsel(index)
                        while true {
                            let count = try morsel.advance()
                            if count == 0 { break }
                            rowCount += count
                            for column in ids.indices { _ = try morsel.read(column) }
                        }
                    }
                    return rowCount
                }
            }
            if plan.files.allSatisfy({ $0.deletes.isEmpty }), found != expected {
                return "the manifest says \(expected) rows, the file has \(found)"
            }
            return nil
        } catch {
            return "\(error)"
        }
    }
}
