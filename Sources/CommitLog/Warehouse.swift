package import Ambient
import Bytes
package import ObjectStorage

/// What `_varve/warehouse.json` says: written once, when the warehouse is made, and never again.
///
/// - Spec: Formats/catalog-log/README.md, "The warehouse object".
package struct Warehouse: Sendable, Equatable {
    /// The version of the format that this program writes, and the highest it reads.
    package static let formatVersion = 1
    /// Where it lies, relative to the warehouse's root.
    package static let key = "_varve/warehouse.json"

    /// Names this warehouse for good, wherever it is copied or moved to.
    package var id: String
    /// Milliseconds since 1970.
    package var createdMillis: Int64
    /// SHA-256 of the object's bytes: what the first entry of the log follows.
    package var hash: String

    static func encode(id: String, createdMillis: Int64) -> [UInt8] {
        let object: JSON = [
            "format-version": .integer(formatVersion), "warehouse-id": .string(id),
            "created": .integer(createdMillis),
        ]
        return sealed(object.serialized().dropLast())
    }

    static func decode(_ bytes: [UInt8]) throws(CommitLogError) -> Warehouse {
        let object = try unsealed(bytes, key: key)
        guard let version = object["format-version"]?.int, version >= 1 else {
            throw CommitLogError(.corrupt, "no format-version", key: key)
        }
        guard version <= formatVersion else {
            let reader = object["reader"]?.string.map { ", which takes \($0)" } ?? ""
            throw CommitLogError(
                .unsupported,
                "the warehouse has format version \(version)\(reader); this program knows "
                    + "\(formatVersion): take a later version of Varve",
                key: key
            )
        }
        guard let id = object["warehouse-id"]?.string, !id.isEmpty,
            let created = object["created"]?.int64, (0..<Int64.max / 2).contains(created)
        else {
            throw CommitLogError(
                .corrupt,
                "warehouse-id or created is missing or makes no sense",
                key: key
            )
        }
        return Warehouse(id: id, createdMillis: created, hash: sha256Text(bytes))
    }

    /// Reads what the warehouse says about itself.
    ///
    /// - Throws: `notFound` when there is no warehouse; `corrupt` when entries lie there without it.
    package static func open(in store: any ObjectStore) async throws -> Warehouse {
        if let warehouse = try await find(in: store) { return warehouse }
        throw CommitLogError(.notFound, "there is no Varve warehouse in \(store.root)", key: key)
    }

    /// Reads the warehouse, or makes it; of many makers at once one wins and all get the same answer.
    ///
    /// - Returns: the warehouse, and whether this call made it.
    package static func openOrCreate(
        in store: any ObjectStore,
        ambient: AmbientSources
    ) async throws -> (warehouse: Warehouse, isNew: Bool) {
        if let warehouse = try await find(in: store) { return (warehouse, false) }
        let id = ambient.uuidV4()
        let bytes = encode(id: id, createdMillis: ambient.time.nowMicros() / 1000)
        var attempt = 0
        while true {
            attempt += 1
            do {
                try await store.putIfAbsent(key, bytes)
            } catch let error as ObjectStoreError {
                // Somebody was first, or we were and the answer was lost: what lies there decides.
                let isOpen = error.code == .alreadyExists || error.code == .unknownOutcome
                guard isOpen, attempt < 5 else { throw error }
            }
            if let warehouse = try await find(in: store) { return (warehouse, warehouse.id == id) }
        }
    }

    private static func find(in store: any ObjectStore) async throws -> Warehouse? {
        do {
            return try decode(try await store.get(key).bytes)
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
        }
        let page = try await store.list(prefix: LogEntry.keyPrefix, limit: 1)
        if let entry = page.objects.first {
            throw CommitLogError(.corrupt, "missing, but the log has \(entry.key)", key: key)
        }
        return nil
    }
}
