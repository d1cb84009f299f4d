import Catalog
package import CommitLog
import Iceberg
import Lineage
import Tables

/// What an audit found.
package struct AuditReport: Sendable {
    package struct Fault: Sendable {
        /// The file at fault, and what refers to it.
        package var place: String
        package var message: String
    }

    package var log: LogVerification
    package var tableCount = 0
    package var faults: [Fault] = []
    var metadataFiles = VerifiedFiles()
    /// What was found of the indexes of the lineage, if they were looked at; its faults are among `faults`.
    var lineage: LineageIndexStore.Verification?
    /// What was found in the log of events, if there is one; its faults are among `faults`.
    var events: EventLogVerification?
    /// What was found in the tables' own files; its faults are among `faults`.
    var tables = TableVerification()
    /// Whether data and delete files were read.
    var readsData: Bool

    init(log: LogVerification, readsData: Bool) {
        self.log = log
        self.readsData = readsData
    }

    package var isSound: Bool { faults.isEmpty }

    mutating func add(_ events: EventLogVerification) {
        self.events = events
        faults += events.faults.map { Fault(place: $0.place, message: $0.message) }
    }

    private var indexes: String {
        guard let lineage else { return "Lineage indexes: not read" }
        let compared = lineage.comparedCount
        return "Lineage indexes: \(lineage.indexCount), \(lineage.byteCount) bytes"
            + (compared > 0 ? ", \(compared) equal to the log's" : "")
    }

    /// What was checked behind the log, in lines for people.
    package var checked: [String] {
        func line(_ what: String, _ files: VerifiedFiles, _ more: String = "") -> String {
            "\(what): \(files.fileCount), \(files.byteCount) bytes\(more)"
        }
        var lines = [
            "Checkpoints: \(log.checkpointCount)", indexes, events?.line ?? "Events: none",
            "Tables: \(tableCount)",
            line("Metadata files", metadataFiles),
            line("Manifest lists", tables.manifestLists), line("Manifests", tables.manifests),
        ]
        guard readsData else { return lines + ["Data files: not read"] }
        lines.append(line("Data files", tables.dataFiles, ", \(tables.rowCount) rows"))
        lines.append(line("Delete files", tables.deleteFiles))
        lines.append(line("Page indexes in these", tables.pageIndexes))
        return lines
    }
}

extension Session {
    /// Checks everything that can be checked, from the store and past all caches.
    ///
    /// That is the log's hash chain; that checkpoints say what the log does, and with `rebuildsLineage` that indexes
    /// of the lineage do, whose hashes are checked in any case; the log of events in the same way, and every event in
    /// it; that every metadata file has the hash that the log says, with `readsData` those of the past too; every
    /// manifest list and manifest of every snapshot; and with `readsData` every data and delete file: footer, page
    /// index and pages, and what the manifests say of it.
    package func verify(
        readsData: Bool,
        rebuildsLineage: Bool = false
    ) async throws -> AuditReport {
        let catalog = try await engine.catalog(creating: false)
        var report = AuditReport(log: try await catalog.verify(), readsData: readsData)
        if let fault = report.log.fault {
            report.faults.append(AuditReport.Fault(place: fault.key, message: fault.message))
            return report
        }
        for fault in report.log.checkpointFaults {
            report.faults.append(AuditReport.Fault(place: fault.key, message: fault.message))
        }
        let lineage = try await engine.verifyLineage(rebuilds: rebuildsLineage)
        report.lineage = lineage
        for fault in lineage.faults {
            report.faults.append(AuditReport.Fault(place: fault.key, message: fault.message))
        }
        if let events = try await engine.verifyLineageEvents() {
            report.add(events)
        }
        let snapshot = try await catalog.read()
        let metadata = try await catalog.verifyMetadata(of: snapshot, includesPast: readsData)
        report.metadataFiles = VerifiedFiles(
            fileCount: metadata.fileCount,
            byteCount: metadata.byteCount
        )
        for fault in metadata.faults {
            report.faults.append(
                AuditReport.Fault(
                    place: "\(fault.location) of table \(fault.table)",
                    message: fault.message
                )
            )
        }
        let broken = Set(metadata.faults.map(\.location))
        var all = try snapshot.state.allTables().map {
            ($0, try snapshot.state.existingTable($0))
        }
        // What only a branch or tag of the catalog has is as much worth as what main has.
        for other in try snapshot.branched.contents(besides: snapshot.state) {
            if case .table(let entry) = other.content { all.append((other.name, entry)) }
        }
        for (table, entry) in all {
            report.tableCount += 1
            guard !broken.contains(entry.metadataLocation) else { continue }
            let loaded = try await catalog.load(table, at: entry)
            let verifier = TableVerifier(
                loaded.metadata,
                metadataFile: entry.metadataLocation,
                storage: try storage(of: loaded.metadata, catalog)
            )
            let found = try await verifier.verify(readsData: readsData)
            report.tables += found
            report.faults += found.faults.map {
                AuditReport.Fault(place: $0.place, message: $0.message)
            }
        }
        return report
    }
}
