package import ObjectStorage

/// The records of a warehouse's webhooks: read, created and replaced on condition that nobody else did.
package struct WebhookRecords: Sendable {
    /// A record as it lies in the store.
    package struct Stored: Sendable, Equatable {
        package var record: WebhookRecord
        /// What names these bytes.
        package var entityTag: String
    }

    private let store: any ObjectStore
    private let warehouseID: String

    package init(store: any ObjectStore, warehouseID: String) {
        self.store = store
        self.warehouseID = warehouseID
    }

    /// What the store has; nil when there is none.
    ///
    /// - Throws: `CommitLogError` for a damaged record; what the store throws.
    package func read(_ name: String) async throws -> Stored? {
        do {
            let object = try await store.get(WebhookRecord.key(of: name))
            return Stored(
                record: try .decode(object.bytes, name: name, warehouseID: warehouseID),
                entityTag: object.metadata.entityTag
            )
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    /// Writes the first record of a webhook; nil when there is one.
    ///
    /// - Throws: what the store throws.
    package func create(_ record: WebhookRecord) async throws -> Stored? {
        try await write(record, isExpected: .alreadyExists) { key, bytes in
            try await store.putIfAbsent(key, bytes)
        }
    }

    /// Puts a record in the place of the one that was read or written last; nil when somebody else has.
    ///
    /// The record gets the next number of writing.
    ///
    /// - Throws: what the store throws.
    package func replace(_ stored: Stored, with record: WebhookRecord) async throws -> Stored? {
        var next = record
        // A number that has come from the store is less than the largest there is.
        next.writeCount = stored.record.writeCount &+ 1
        return try await write(next, isExpected: .preconditionFailed) { key, bytes in
            try await store.replace(key, bytes, ifMatch: stored.entityTag)
        }
    }

    private func write(
        _ record: WebhookRecord,
        isExpected refusal: ObjectStoreError.Code,
        _ body: (String, [UInt8]) async throws -> ObjectMetadata
    ) async throws -> Stored? {
        do {
            let written = try await body(WebhookRecord.key(of: record.name), record.encoded())
            return Stored(record: record, entityTag: written.entityTag)
        } catch let error as ObjectStoreError {
            guard error.code == refusal || error.code == .unknownOutcome else { throw error }
            // A lost answer may have been that to our own writing: holder and number tell.
            if let found = try await read(record.name), found.record == record { return found }
            if error.code == .unknownOutcome { throw error }
            return nil
        }
    }
}
