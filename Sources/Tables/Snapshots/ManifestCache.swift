import Iceberg
import ObjectStorage

/// Reads manifest lists and manifests, and keeps those read last.
package final class ManifestCache: Sendable {
    /// What entries are made from: the file, what its list says of it, and the types of the table.
    private struct Key: Hashable {
        var store: String
        var path: String
        var sequenceNumber: Int64
        var firstRowID: Int64?
        var table: String
        var schemaID: Int
    }

    private let manifests: LeastRecentlyUsedCache<Key, [ManifestEntry]>
    private let lists: LeastRecentlyUsedCache<Key, [ManifestFile]>

    /// The cache of this process: up to 64 MiB of manifests and 16 MiB of lists, as they are stored.
    package static let shared = ManifestCache(byteCountMax: 64 << 20)

    package init(byteCountMax: Int) {
        manifests = LeastRecentlyUsedCache(byteCountMax: byteCountMax)
        lists = LeastRecentlyUsedCache(byteCountMax: byteCountMax / 4)
    }

    /// Manifests being read at once.
    static let parallelCount = 16

    /// The manifests of a snapshot.
    func manifests(
        of snapshot: Snapshot,
        table: TableMetadata,
        storage: TableStorage
    ) async throws -> [ManifestFile] {
        guard let path = snapshot.manifestList else {
            return try await legacyManifests(of: snapshot, storage: storage)
        }
        let key = key(path, table, storage)
        if let key, let list = lists.find(key) { return list }
        let bytes = try await storage.store.get(try storage.key(of: path)).bytes
        let list: [ManifestFile]
        do {
            list = try ManifestListReader.read(bytes)
        } catch {
            throw error.at(path)
        }
        if let key { lists.insert(list, for: key, byteCount: bytes.count) }
        return list
    }

    /// Version 1 tables may name manifests in the snapshot itself, without saying anything of them.
    private func legacyManifests(
        of snapshot: Snapshot,
        storage: TableStorage
    ) async throws -> [ManifestFile] {
        try await mapBounded(snapshot.manifests ?? [], countMax: Self.parallelCount) { path in
            let bytes = try await storage.store.get(try storage.key(of: path)).bytes
            do throws(IcebergError) {
                let header = try ManifestReader(bytes: bytes).header
                return ManifestFile(
                    manifestPath: path,
                    manifestLengthBytes: Int64(bytes.count),
                    partitionSpecID: header.specID ?? 0,
                    content: .data,
                    sequenceNumber: 0,
                    minSequenceNumber: 0,
                    addedSnapshotID: snapshot.snapshotID
                )
            } catch {
                throw error.at(path)
            }
        }
    }

    /// All entries of a manifest, deleted ones too.
    func entries(
        of manifest: ManifestFile,
        table: TableMetadata,
        storage: TableStorage
    ) async throws -> [ManifestEntry] {
        var key = key(manifest.manifestPath, table, storage)
        key?.sequenceNumber = manifest.sequenceNumber
        key?.firstRowID = manifest.firstRowID
        if let key, let entries = manifests.find(key) { return entries }
        guard manifest.keyMetadata == nil else {
            throw TablesError(
                .unsupported,
                "the manifest is encrypted",
                context: [manifest.manifestPath]
            )
        }
        let bytes = try await storage.store.get(try storage.key(of: manifest.manifestPath)).bytes
        do {
            var reader = try ManifestReader(bytes: bytes, manifest: manifest, table: table)
            let entries = try reader.entries()
            if let key { manifests.insert(entries, for: key, byteCount: bytes.count) }
            return entries
        } catch {
            throw error.at(manifest.manifestPath)
        }
    }

    /// nil for stores in memory, whose keys may mean something else in the next one.
    private func key(_ path: String, _ table: TableMetadata, _ storage: TableStorage) -> Key? {
        if storage.store.root.hasPrefix("memory:") { return nil }
        return Key(
            store: storage.store.root,
            path: path,
            sequenceNumber: 0,
            firstRowID: nil,
            table: table.tableUUID,
            schemaID: table.currentSchemaID
        )
    }
}

extension IcebergError {
    /// The same error with the file in front of its context.
    func at(_ path: String) -> IcebergError {
        var error = self
        error.context.insert(path, at: 0)
        return error
    }
}
