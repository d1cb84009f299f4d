/// One change of a table's metadata, as the REST catalog's commit carries it.
///
/// - Spec: REST catalog, `TableUpdate`.
package enum TableUpdate: Sendable, Hashable {
    /// Only for a table that has no uuid yet.
    case assignUUID(String)
    case upgradeFormatVersion(Int)
    /// Adds a schema, or finds the equal one that is there; its `schemaID` is not used.
    case addSchema(Schema, lastColumnID: Int?)
    /// -1 is the schema that was added last in the same commit.
    case setCurrentSchema(Int)
    /// Adds a partition spec, or finds the equivalent one; its `specID` is not used.
    case addSpec(UnboundPartitionSpec)
    /// -1 is the spec that was added last in the same commit.
    case setDefaultSpec(Int)
    /// Adds a sort order, or finds the equal one; its `orderID` is not used.
    case addSortOrder(SortOrder)
    /// -1 is the order that was added last in the same commit.
    case setDefaultSortOrder(Int)
    case addSnapshot(Snapshot)
    case setSnapshotRef(name: String, SnapshotRef)
    case removeSnapshots([Int64])
    case removeSnapshotRef(String)
    case setLocation(String)
    case setProperties([String: String])
    case removeProperties([String])
    case setStatistics(StatisticsFile)
    case removeStatistics(snapshotID: Int64)
    case setPartitionStatistics(PartitionStatisticsFile)
    case removePartitionStatistics(snapshotID: Int64)
    case removePartitionSpecs([Int])
    case removeSchemas([Int])
    /// Read and written, but applying it is not supported.
    case addEncryptionKey(EncryptedKey)
    /// Read and written, but applying it is not supported.
    case removeEncryptionKey(String)

    /// What refers to the schema, spec or order that was added last.
    package static let lastAdded = -1
}

/// A key of an encrypted table (v3).
package struct EncryptedKey: Sendable, Hashable {
    /// The id of the key.
    package var keyID: String
    /// In base64.
    package var encryptedKeyMetadata: String
    /// The key that this one is encrypted with.
    package var encryptedByID: String?
    /// Names and values, all text.
    package var properties: [String: String]

    package init(
        keyID: String,
        encryptedKeyMetadata: String,
        encryptedByID: String? = nil,
        properties: [String: String] = [:]
    ) {
        self.keyID = keyID
        self.encryptedKeyMetadata = encryptedKeyMetadata
        self.encryptedByID = encryptedByID
        self.properties = properties
    }
}
