import Ambient
package import Iceberg
import ObjectStorage
import Parquet

/// How many files of a kind were checked, and how many bytes of them were read.
package struct VerifiedFiles: Sendable, Hashable {
    package var fileCount = 0
    package var byteCount = 0

    package init(fileCount: Int = 0, byteCount: Int = 0) {
        self.fileCount = fileCount
        self.byteCount = byteCount
    }

    mutating func add(_ byteCount: Int) {
        fileCount += 1
        self.byteCount += byteCount
    }

    package static func += (left: inout VerifiedFiles, right: VerifiedFiles) {
        left.fileCount += right.fileCount
        left.byteCount += right.byteCount
    }
}

/// What a walk over a table's files found.
package struct TableVerification: Sendable {
    /// What is wrong with a file.
    package struct Fault: Sendable {
        /// The file's location, and what refers to it.
        package let place: String
        package let message: String
    }

    package var manifestLists = VerifiedFiles()
    package var manifests = VerifiedFiles()
    /// Data and delete files; the bytes are those of footers, page indexes and pages.
    package var dataFiles = VerifiedFiles()
    package var deleteFiles = VerifiedFiles()
    /// Page indexes among them.
    package var pageIndexes = VerifiedFiles()
    /// Rows of the data files.
    package var rowCount: Int64 = 0
    package var faults: [Fault] = []

    package init() {}

    package static func += (left: inout TableVerification, right: TableVerification) {
        left.manifestLists += right.manifestLists
        left.manifests += right.manifests
        left.dataFiles += right.dataFiles
        left.deleteFiles += right.deleteFiles
        left.pageIndexes += right.pageIndexes
        left.rowCount += right.rowCount
        left.faults += right.faults
    }
}

/// Checks everything that a table's metadata refers to, from the store and past all caches.
///
/// Manifest lists and manifests of every snapshot, with their checksums and what lists say of manifests;
/// and of data and delete files what `DataFileVerifier` checks. Every file is checked once, however many
/// snapshots have it.
package struct TableVerifier: Sendable {
    private let metadata: TableMetadata
    private let metadataFile: String
    private let storage: TableStorage

    /// Data files being checked at once.
    private static let parallelCount = 8
    /// Manifest lists and manifests being read at once: stores may be far away.
    private static let parallelReadsMax = 32
    /// Snapshots whose lists are in memory at once.
    private static let snapshotCountMax = 64

    package init(_ metadata: TableMetadata, metadataFile: String, storage: TableStorage) {
        self.metadata = metadata
        self.metadataFile = metadataFile
        self.storage = storage
    }

    /// What a manifest holds, for the sums of snapshots.
    private struct Contents {
        var liveRowCount: Int64
        var entries: [ManifestEntry]
    }

    /// Walks over all snapshots.
    ///
    /// - Parameter readsData: whether data and delete files are opened and all of their pages read.
    /// - Throws: `CancellationError` only; everything else is a fault.
    package func verify(readsData: Bool) async throws -> TableVerification {
        var report = TableVerification()
        var contents: [String: Contents?] = [:]
        var seen: Set<String> = []
        let (all, step) = (metadata.snapshots, Self.snapshotCountMax)
        for start in stride(from: 0, to: all.count, by: step) {
            let snapshots = Array(all[start..<min(start + step, all.count)])
            let lists = try await mapBounded(snapshots, countMax: Self.parallelReadsMax) {
                snapshot in
                var report = TableVerification()
                let list = try await self.manifests(of: snapshot, self.place(of: snapshot), &report)
                return (report: report, manifests: list)
            }
            // What no snapshot before these has.
            var new: [(manifest: ManifestFile, place: String)] = []
            for (snapshot, list) in zip(snapshots, lists) {
                report += list.report
                for manifest in list.manifests ?? [] where contents[manifest.manifestPath] == nil {
                    contents[manifest.manifestPath] = .some(nil)
                    new.append((manifest, place(of: snapshot)))
                }
            }
            let read = try await mapBounded(new, countMax: Self.parallelReadsMax) {
                manifest,
                place in
                var report = TableVerification()
                let contents = try await self.entries(of: manifest, in: place, &report)
                return (report: report, contents: contents)
            }
            var files: [ManifestEntry] = []
            for (one, found) in zip(new, read) {
                report += found.report
                contents[one.manifest.manifestPath] = .some(found.contents)
                files += (found.contents?.entries ?? []).filter {
                    $0.isLive && seen.insert($0.file.filePath).inserted
                }
            }
            if readsData { try await verify(files, &report) }
            for (snapshot, list) in zip(snapshots, lists) {
                guard let manifests = list.manifests else { continue }
                check(snapshot, manifests, contents, &report)
            }
        }
        return report
    }

    private func place(of snapshot: Snapshot) -> String {
        snapshot.manifestList.map {
            "manifest list \($0) of snapshot \(snapshot.snapshotID) in \(metadataFile)"
        } ?? "snapshot \(snapshot.snapshotID) in \(metadataFile)"
    }

    /// Holds a snapshot's sum of rows against its manifests.
    private func check(
        _ snapshot: Snapshot,
        _ manifests: [ManifestFile],
        _ contents: [String: Contents?],
        _ report: inout TableVerification
    ) {
        checkRowIDs(of: snapshot, manifests, contents, &report)
        guard let claimed = snapshot.summary["total-records"].flatMap({ Int64($0) }),
            !manifests.contains(where: { $0.content == .deletes })
        else { return }
        var liveRowCount: Int64 = 0
        for manifest in manifests {
            guard let read = contents[manifest.manifestPath], let read else { return }
            liveRowCount &+= read.liveRowCount
        }
        guard claimed != liveRowCount else { return }
        report.faults.append(
            .init(
                place: place(of: snapshot),
                message: "the snapshot's summary says \(claimed) rows, its manifests "
                    + "\(liveRowCount)"
            )
        )
    }

    /// Holds the row ids that files of a snapshot give against each other: no two rows may have one.
    ///
    /// Only for the snapshots that branches and tags are at; files without ids of their own are left out.
    private func checkRowIDs(
        of snapshot: Snapshot,
        _ manifests: [ManifestFile],
        _ contents: [String: Contents?],
        _ report: inout TableVerification
    ) {
        guard snapshot.firstRowID != nil,
            snapshot.snapshotID == metadata.currentSnapshotID
                || metadata.refs.values.contains(where: { $0.snapshotID == snapshot.snapshotID })
        else { return }
        var files: [DataFile] = []
        for manifest in manifests where manifest.content == .data {
            guard let read = contents[manifest.manifestPath], let read else { return }
            files += read.entries.filter { $0.isLive && $0.file.firstRowID != nil }.map(\.file)
        }
        files.sort { ($0.firstRowID ?? 0) < ($1.firstRowID ?? 0) }
        var next: Int64 = 0
        for file in files {
            let first = file.firstRowID ?? 0
            let (end, overflow) = first.addingReportingOverflow(file.recordCount)
            var message: String?
            if overflow || end > metadata.nextRowID ?? 0 {
                message = "its rows have ids from \(first), not all of which the table has given"
            } else if first < next {
                message = "its rows have ids from \(first), which rows of another file have, too"
            }
            if let message {
                report.faults.append(
                    .init(
                        place: "\(file.filePath) in \(place(of: snapshot))",
                        message: message
                    )
                )
            }
            next = overflow ? next : max(next, end)
        }
    }

    /// Runs a check; what it throws becomes a fault, and the result nil.
    private func noting<Value>(
        _ place: String,
        _ report: inout TableVerification,
        _ body: () async throws -> Value
    ) async throws -> Value? {
        do {
            return try await body()
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            report.faults.append(.init(place: place, message: "\(error)"))
            return nil
        }
    }

    private func manifests(
        of snapshot: Snapshot,
        _ place: String,
        _ report: inout TableVerification
    ) async throws -> [ManifestFile]? {
        let cache = ManifestCache(byteCountMax: 0)
        guard let path = snapshot.manifestList else {
            return try await noting(place, &report) {
                try await cache.manifests(
                    of: snapshot,
                    table: metadata,
                    storage: storage,
                    metadataFile: metadataFile
                )
            }
        }
        let bytes = try await noting(place, &report) {
            try await TablesError.fetching(path) {
                try await storage.store.get(try storage.key(of: path)).bytes
            }
        }
        guard let bytes else { return nil }
        report.manifestLists.add(bytes.count)
        return try await noting(place, &report) { try ManifestListReader.read(bytes) }
    }

    private func entries(
        of manifest: ManifestFile,
        in list: String,
        _ report: inout TableVerification
    ) async throws -> Contents? {
        let path = manifest.manifestPath
        let place = "manifest \(path) in \(list)"
        let bytes = try await noting(place, &report) {
            try await TablesError.fetching(path) {
                try await storage.store.get(try storage.key(of: path)).bytes
            }
        }
        guard let bytes else { return nil }
        report.manifests.add(bytes.count)
        let result: Contents? = try await noting(place, &report) {
            guard manifest.keyMetadata == nil else {
                throw TablesError(.unsupported, "the manifest is encrypted")
            }
            var reader = try ManifestReader(bytes: bytes, manifest: manifest, table: metadata)
            let entries = try reader.entries()
            let rows = entries.lazy.filter { $0.isLive }.reduce(Int64(0)) {
                $0 &+ $1.file.recordCount
            }
            return Contents(liveRowCount: rows, entries: entries)
        }
        if let result {
            for message in disagreements(manifest, bytes.count, result.entries) {
                report.faults.append(.init(place: place, message: message))
            }
        }
        return result
    }

    /// What a manifest list says of a manifest and the manifest does not.
    private func disagreements(
        _ manifest: ManifestFile,
        _ byteCount: Int,
        _ entries: [ManifestEntry]
    ) -> [String] {
        var result: [String] = []
        func compare(_ claimed: (some BinaryInteger)?, _ found: some BinaryInteger, _ what: String)
        {
            guard let claimed, claimed != found else { return }
            result.append("the manifest list says \(claimed) \(what), the manifest has \(found)")
        }
        // Lists of version 1 that a snapshot holds itself say nothing.
        compare(manifest.manifestLengthBytes, byteCount, "bytes")
        for (status, files, rows, name) in [
            (
                ManifestEntryStatus.added, manifest.addedFilesCount, manifest.addedRowsCount,
                "added"
            ),
            (.existing, manifest.existingFilesCount, manifest.existingRowsCount, "existing"),
            (.deleted, manifest.deletedFilesCount, manifest.deletedRowsCount, "deleted"),
        ] {
            let mine = entries.lazy.filter { $0.status == status }
            compare(files, mine.count, "\(name) files")
            compare(rows, mine.reduce(Int64(0)) { $0 &+ $1.file.recordCount }, "\(name) rows")
        }
        return result
    }

    private func verify(
        _ entries: [ManifestEntry],
        _ report: inout TableVerification
    ) async throws {
        let (metadata, storage) = (metadata, storage)
        let reports = try await mapBounded(entries, countMax: Self.parallelCount) { entry in
            try await DataFileVerifier(entry, metadata: metadata, storage: storage).verify()
        }
        for one in reports { report += one }
    }
}
