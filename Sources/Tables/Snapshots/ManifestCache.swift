import Ambient
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
    /// What this process made last, which the next commit to the same table asks for.
    private let made: LeastRecentlyUsedCache<Key, [UInt8]>

    /// The cache of this process: up to 64 MiB of manifests, 16 MiB of lists and 16 MiB of what was made
    /// here, as they are stored.
    package static let shared = ManifestCache(byteCountMax: 64 << 20)

    package init(byteCountMax: Int) {
        manifests = LeastRecentlyUsedCache(byteCountMax: byteCountMax)
        lists = LeastRecentlyUsedCache(byteCountMax: byteCountMax / 4)
        made = LeastRecentlyUsedCache(byteCountMax: byteCountMax / 4)
    }

    /// Manifests being read at once.
    static let parallelCount = 16

    /// The manifests of a snapshot.
    ///
    /// - Parameter metadataFile: what refers to them, for messages; nil when it is not known.
    func manifests(
        of snapshot: Snapshot,
        table: TableMetadata,
        storage: TableStorage,
        metadataFile: String?
    ) async throws -> [ManifestFile] {
        let referrer =
            "snapshot \(snapshot.snapshotID)" + (metadataFile.map { " in \($0)" } ?? "")
        guard let path = snapshot.manifestList else {
            return try await legacyManifests(of: snapshot, referrer, storage: storage)
        }
        let key = key(path, table, storage)
        if let key, let list = lists.find(key) { return list }
        let place = "manifest list \(path) of \(referrer)"
        let bytes = try await self.bytes(of: path, place, storage, key)
        let list: [ManifestFile]
        do throws(IcebergError) {
            list = try ManifestListReader.read(bytes)
        } catch {
            throw error.at(place)
        }
        if let key { lists.insert(list, for: key, byteCount: bytes.count) }
        return list
    }

    /// Version 1 tables may name manifests in the snapshot itself, without saying anything of them.
    private func legacyManifests(
        of snapshot: Snapshot,
        _ referrer: String,
        storage: TableStorage
    ) async throws -> [ManifestFile] {
        try await mapBounded(snapshot.manifests ?? [], countMax: Self.parallelCount) { path in
            let place = "manifest \(path) of \(referrer)"
            let bytes = try await self.bytes(of: path, place, storage)
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
                throw error.at(place)
            }
        }
    }

    /// All entries of a manifest, deleted ones too.
    ///
    /// - Parameter list: what refers to it, for messages.
    func entries(
        of manifest: ManifestFile,
        table: TableMetadata,
        storage: TableStorage,
        list: String?
    ) async throws -> [ManifestEntry] {
        var key = key(manifest.manifestPath, table, storage)
        key?.sequenceNumber = manifest.sequenceNumber
        key?.firstRowID = manifest.firstRowID
        if let key, let entries = manifests.find(key) { return entries }
        let place = "manifest \(manifest.manifestPath)" + (list.map { " in \($0)" } ?? "")
        guard manifest.keyMetadata == nil else {
            throw TablesError(.unsupported, "the manifest is encrypted", context: [place])
        }
        let bytes = try await self.bytes(
            of: manifest.manifestPath,
            place,
            storage,
            self.key(manifest.manifestPath, table, storage)
        )
        do throws(IcebergError) {
            var reader = try ManifestReader(bytes: bytes, manifest: manifest, table: table)
            let entries = try reader.entries()
            if let key { manifests.insert(entries, for: key, byteCount: bytes.count) }
            return entries
        } catch {
            throw error.at(place)
        }
    }

    private func bytes(
        of path: String,
        _ place: String,
        _ storage: TableStorage,
        _ known: Key? = nil
    ) async throws -> [UInt8] {
        if let known, let bytes = made.find(known) { return bytes }
        let key: String
        do throws(TablesError) {
            key = try storage.key(of: path)
        } catch {
            throw error.at(place)
        }
        return try await TablesError.fetching(place) { try await storage.store.get(key).bytes }
    }

    /// Keeps a manifest or a manifest list that is about to be written, under a name that is new.
    func remember(
        _ bytes: [UInt8],
        at path: String,
        table: TableMetadata,
        storage: TableStorage
    ) {
        guard let key = key(path, table, storage) else { return }
        made.insert(bytes, for: key, byteCount: bytes.count)
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
