import Ambient
import Bytes
import Iceberg
package import ObjectStorage
import Synchronization

/// Opens, for reading, the store that a URI outside the warehouse lies in.
///
/// The argument is the URI of a folder; keys are relative to it.
package typealias StoreFactory = @Sendable (_ folder: String) throws -> any ObjectStore

/// Reads and names tables' metadata files, and remembers what the latest of them say.
///
/// A location's bytes never change (every file has a uuid in its name), so what is remembered is read
/// once, held against the hash that the log has of it; only which location is current changes, and that
/// the log says.
final class MetadataFiles: Sendable {
    private struct Remembered: Sendable {
        var metadata: TableMetadata
        var sha256: String
    }

    let locations: LocationMap
    private let store: any ObjectStore
    private let openOutside: StoreFactory?
    private let memory: LeastRecentlyUsedCache<String, Remembered>
    private let views = Mutex<[String: (metadata: ViewMetadata, sha256: String)]>([:])

    init(store: any ObjectStore, openOutside: StoreFactory?, byteCountMax: Int) {
        self.store = store
        self.openOutside = openOutside
        memory = LeastRecentlyUsedCache(byteCountMax: max(byteCountMax, 0))
        locations = LocationMap(root: store.root)
    }

    /// The metadata of a table.
    ///
    /// - Throws: `corrupt` when the file is gone, damaged, another table's, or not the one that the log
    ///   was told of.
    func load(_ table: TableIdentifier, _ entry: TableEntry) async throws -> TableMetadata {
        if let metadata = try remembered(table, entry) { return metadata }
        let location = entry.metadataLocation
        let bytes: [UInt8]
        do {
            bytes = try await self.bytes(of: location)
        } catch let error as CatalogError {
            guard error.code == .corrupt else { throw error }
            throw CatalogError(.corrupt, "\(error), to which the log refers for table \(table)")
        }
        let sum = sha256Text(bytes)
        // Before parsing: what is damaged is not worth another message.
        if let expected = entry.metadataSHA256, expected != sum {
            throw Self.damaged(table, entry, sum)
        }
        let metadata = try parse(bytes, location)
        try check(table, entry, metadata, sum)
        remember(location, metadata, sha256: sum, byteCount: bytes.count)
        return metadata
    }

    /// The metadata of a table, when it is in memory; else nil.
    ///
    /// - Throws: `corrupt` when it is another table's, or not the one that the log was told of.
    func remembered(
        _ table: TableIdentifier,
        _ entry: TableEntry
    ) throws(CatalogError) -> TableMetadata? {
        guard let (metadata, sum) = known(entry.metadataLocation) else { return nil }
        try check(table, entry, metadata, sum)
        return metadata
    }

    private func check(
        _ table: TableIdentifier,
        _ entry: TableEntry,
        _ metadata: TableMetadata,
        _ sum: String
    ) throws(CatalogError) {
        if let expected = entry.metadataSHA256, expected != sum {
            throw Self.damaged(table, entry, sum)
        }
        guard metadata.tableUUID.lowercased() == entry.uuid.lowercased() else {
            throw CatalogError(
                .corrupt,
                "table \(table) has uuid \(entry.uuid), but \(entry.metadataLocation) is of the "
                    + "table with uuid \(metadata.tableUUID)"
            )
        }
    }

    private static func damaged(
        _ table: TableIdentifier,
        _ entry: TableEntry,
        _ sum: String
    ) -> CatalogError {
        CatalogError(
            .corrupt,
            "the metadata file \(entry.metadataLocation) has SHA-256 \(sum), but the log has "
                + "\(entry.metadataSHA256 ?? "none") for table \(table): the file was damaged or replaced"
        )
    }

    /// The metadata that a file says, and the SHA-256 of its bytes.
    ///
    /// - Throws: `corrupt` when the file is gone or damaged; `unsupported` when it lies outside the
    ///   warehouse and nothing opens it there.
    func load(_ location: String) async throws -> (TableMetadata, sha256: String) {
        if let known = known(location) { return known }
        let bytes = try await bytes(of: location)
        let (metadata, sum) = (try parse(bytes, location), sha256Text(bytes))
        remember(location, metadata, sha256: sum, byteCount: bytes.count)
        return (metadata, sum)
    }

    /// Reads a metadata file anew, whatever is remembered, and holds it against what the log says.
    ///
    /// - Returns: how many bytes it has.
    /// - Throws: as `load`.
    func verify(_ table: TableIdentifier, _ entry: TableEntry) async throws -> Int {
        let bytes = try await bytes(of: entry.metadataLocation)
        let metadata = try parse(bytes, entry.metadataLocation)
        try check(table, entry, metadata, sha256Text(bytes))
        return bytes.count
    }

    /// The bytes of a file as they lie in the store; nil when it is gone.
    func bytesIfKept(_ location: String) async throws -> [UInt8]? {
        do {
            return try await read(location)
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    private func bytes(of location: String) async throws -> [UInt8] {
        do {
            return try await read(location)
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
            throw CatalogError(.corrupt, "the metadata file \(location) is missing")
        }
    }

    private func parse(_ bytes: [UInt8], _ location: String) throws(CatalogError) -> TableMetadata {
        do throws(IcebergError) {
            return try TableMetadata(bytes: bytes)
        } catch {
            throw CatalogError(error, location)
        }
    }

    func known(_ location: String) -> (TableMetadata, sha256: String)? {
        memory.find(location).map { ($0.metadata, $0.sha256) }
    }

    func remember(
        _ location: String,
        _ metadata: TableMetadata,
        sha256: String,
        byteCount: Int
    ) {
        // What it takes in memory is a few times its text.
        memory.insert(
            Remembered(metadata: metadata, sha256: sha256),
            for: location,
            byteCount: 4 * byteCount + 1024
        )
    }

    private func read(_ location: String) async throws -> [UInt8] {
        if let key = locations.key(of: location) { return try await store.get(key).bytes }
        guard let openOutside, let (folder, name) = LocationMap.split(location) else {
            throw CatalogError(
                .unsupported,
                "\(location) is outside the warehouse \(store.root) and cannot be opened from here"
            )
        }
        return try await openOutside(folder).get(name).bytes
    }

    // MARK: - New files

    /// A metadata file that is not written yet.
    struct New: Sendable {
        var location: String
        var key: String
        var metadata: TableMetadata
        var bytes: [UInt8]
        /// Of the bytes, for the log.
        var sha256: String

        /// Makes the bytes, and their hash.
        mutating func serialize() throws(CatalogError) {
            bytes = metadata.json.serialized()
            if MetadataFiles.place(metadata).suffix.hasPrefix(".gz") {
                do throws(BytesError) {
                    bytes = try bytes.withUnsafeBufferPointer { text throws(BytesError) in
                        try compress(.gzip, UnsafeRawBufferPointer(text))
                    }
                } catch {
                    throw CatalogError(.invalid, "\(error)")
                }
            }
            sha256 = sha256Text(bytes)
        }
    }

    /// Names and serialises the next metadata file of a table.
    ///
    /// - Parameters:
    ///   - previous: where the metadata before lies; nil for a new table.
    ///   - uuid: makes the name new for this attempt.
    /// - Throws: `invalid` when the table does not lie in the warehouse.
    func new(
        _ metadata: TableMetadata,
        after previous: String?,
        uuid: String
    ) throws(CatalogError) -> New {
        var file = try unwritten(metadata, after: previous, uuid: uuid)
        try file.serialize()
        return file
    }

    /// Names the next metadata file of a table, whose bytes are made later.
    ///
    /// - Throws: as `new`.
    func unwritten(
        _ metadata: TableMetadata,
        after previous: String?,
        uuid: String
    ) throws(CatalogError) -> New {
        _ = try locations.writableKey(of: metadata.location, "the table location")
        for property in ["write.data.path", "write.object-storage.path"] {
            guard let path = metadata.properties[property] else { continue }
            _ = try locations.writableKey(of: path, property)
        }
        let (folder, suffix) = Self.place(metadata)
        let version = previous.map { Self.version(of: $0, metadata) + 1 } ?? 0
        let digits = String(version)
        let padded = String(repeating: "0", count: max(0, 5 - digits.count)) + digits
        let location = "\(folder)/\(padded)-\(uuid)\(suffix)"
        return New(
            location: location,
            key: try locations.writableKey(of: location, "the metadata location"),
            metadata: metadata,
            bytes: [],
            sha256: Self.unknownSHA256
        )
    }

    /// Stands where the hash of a file will be that is not made yet.
    private static let unknownSHA256 = String(repeating: "0", count: 64)

    /// The folder of a table's metadata files, and how their names end.
    private static func place(_ metadata: TableMetadata) -> (folder: String, suffix: String) {
        let folder = metadata.properties["write.metadata.path"] ?? metadata.location + "/metadata"
        let codec = metadata.properties["write.metadata.compression-codec"] ?? "none"
        return (folder, codec.lowercased() == "gzip" ? ".gz.metadata.json" : ".metadata.json")
    }

    /// The number that a metadata file's name begins with (`00012-…` or `v12.…`), else how many files
    /// came before it.
    private static func version(of location: String, _ metadata: TableMetadata) -> Int {
        var name = LocationMap.split(location)?.name[...] ?? ""
        if name.hasPrefix("v") { name = name.dropFirst() }
        let digits = name.prefix { $0.isASCII && $0.isNumber }
        if let version = Int(digits), version < Int(Int32.max) { return version }
        return metadata.metadataLog.count
    }
}

// MARK: - Views

extension MetadataFiles {
    /// How many views' metadata are remembered.
    private static let viewCountMax = 4096

    /// A view metadata file that is not written yet.
    struct NewView: Sendable {
        var location: String
        var key: String
        var metadata: ViewMetadata
        var bytes: [UInt8]
        /// Of the bytes, for the log.
        var sha256: String
    }

    /// The metadata of a view.
    ///
    /// - Throws: `corrupt` when the file is gone, damaged, another view's, or not the one that the log
    ///   was told of.
    func load(view: TableIdentifier, _ entry: TableEntry) async throws -> ViewMetadata {
        let location = entry.metadataLocation
        if let known = views.withLock({ $0[location] }), known.sha256 == entry.metadataSHA256 {
            return known.metadata
        }
        let (metadata, sum, _) = try await read(view: view, entry)
        remember(view: location, metadata, sha256: sum)
        return metadata
    }

    /// Reads a view's metadata file anew and holds it against what the log says.
    ///
    /// - Returns: how many bytes it has.
    func verify(view: TableIdentifier, _ entry: TableEntry) async throws -> Int {
        try await read(view: view, entry).byteCount
    }

    private func read(
        view: TableIdentifier,
        _ entry: TableEntry
    ) async throws -> (ViewMetadata, sha256: String, byteCount: Int) {
        let location = entry.metadataLocation
        let bytes: [UInt8]
        do {
            bytes = try await self.bytes(of: location)
        } catch let error as CatalogError {
            guard error.code == .corrupt else { throw error }
            throw CatalogError(.corrupt, "\(error), to which the log refers for view \(view)")
        }
        let sum = sha256Text(bytes)
        if let expected = entry.metadataSHA256, expected != sum {
            throw CatalogError(
                .corrupt,
                "the metadata file \(location) has SHA-256 \(sum), but the log has \(expected) for "
                    + "view \(view): the file was damaged or replaced"
            )
        }
        let metadata: ViewMetadata
        do throws(IcebergError) {
            metadata = try ViewMetadata(bytes: bytes)
        } catch {
            throw CatalogError(error, location)
        }
        guard metadata.viewUUID.lowercased() == entry.uuid.lowercased() else {
            throw CatalogError(
                .corrupt,
                "view \(view) has uuid \(entry.uuid), but \(location) is of the view with uuid "
                    + metadata.viewUUID
            )
        }
        return (metadata, sum, bytes.count)
    }

    /// What the log says of a view whose metadata lie at `location`.
    ///
    /// - Throws: `corrupt` when the file is gone or no view metadata; `unsupported` when it lies where
    ///   nothing opens it.
    func entry(ofViewAt location: String) async throws -> TableEntry {
        let bytes = try await bytes(of: location)
        let metadata: ViewMetadata
        do throws(IcebergError) {
            metadata = try ViewMetadata(bytes: bytes)
        } catch {
            throw CatalogError(error, location)
        }
        guard !metadata.viewUUID.isEmpty else {
            throw CatalogError(.corrupt, "\(location) has no view-uuid")
        }
        let sum = sha256Text(bytes)
        remember(view: location, metadata, sha256: sum)
        return TableEntry(
            uuid: metadata.viewUUID,
            metadataLocation: location,
            metadataSHA256: sum
        )
    }

    func remember(view location: String, _ metadata: ViewMetadata, sha256: String) {
        views.withLock { views in
            if views.count >= Self.viewCountMax { views = [:] }
            views[location] = (metadata, sha256)
        }
    }

    /// Names and serialises the next metadata file of a view.
    ///
    /// - Throws: `invalid` when the view does not lie in the warehouse.
    func new(
        _ metadata: ViewMetadata,
        after previous: String?,
        uuid: String
    ) throws(CatalogError) -> NewView {
        _ = try locations.writableKey(of: metadata.location, "the view location")
        let bytes = metadata.json.serialized()
        let before = previous.flatMap { LocationMap.split($0)?.name.prefix { $0.isNumber } }
        let version = before.flatMap { Int($0) }.map { ($0 < Int(Int32.max) ? $0 : 0) + 1 } ?? 0
        let digits = String(version)
        let padded = String(repeating: "0", count: max(0, 5 - digits.count)) + digits
        let location = "\(metadata.location)/metadata/\(padded)-\(uuid).metadata.json"
        return NewView(
            location: location,
            key: try locations.writableKey(of: location, "the metadata location"),
            metadata: metadata,
            bytes: bytes,
            sha256: sha256Text(bytes)
        )
    }
}
