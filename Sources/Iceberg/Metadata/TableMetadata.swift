package import Bytes

/// Everything a table's metadata file says.
///
/// A value from `init(json:)` or `create` keeps the invariants that `checkInvariants()` names; it is
/// changed by applying updates, and setting a property by hand is for tests and for building others.
///
/// - Spec: "Table Metadata Fields".
package struct TableMetadata: Sendable, Hashable {
    /// The version of the specification: 1, 2 or 3.
    package var formatVersion: Int
    /// Lower case, as metadata files spell it.
    package var tableUUID: String
    /// The folder that the table lives in, without a slash at the end.
    package var location: String
    /// The greatest sequence number given to a snapshot.
    package var lastSequenceNumber: Int64
    /// When the table changed last, in milliseconds since 1970.
    package var lastUpdatedMillis: Int64
    /// The greatest id given to a column.
    package var lastColumnID: Int
    /// All schemas that snapshots or readers may need.
    package var schemas: [Schema]
    /// The schema that writers use.
    package var currentSchemaID: Int
    /// All specs that files are partitioned by.
    package var partitionSpecs: [PartitionSpec]
    /// The spec that writers use.
    package var defaultSpecID: Int
    /// The greatest id given to a partition field.
    package var lastPartitionID: Int
    /// All sort orders that files may have.
    package var sortOrders: [SortOrder]
    /// The order that writers should sort by.
    package var defaultSortOrderID: Int
    /// Names and values, all text.
    package var properties: [String: String]
    /// nil when the table has no snapshot yet; else what `main` refers to.
    package var currentSnapshotID: Int64?
    /// All snapshots whose files still exist.
    package var snapshots: [Snapshot]
    /// Branches and tags by name.
    package var refs: [String: SnapshotRef]
    /// When `main` referred to which snapshot, oldest first.
    package var snapshotLog: [SnapshotLogEntry]
    /// Metadata files that were the table's before, oldest first.
    package var metadataLog: [MetadataLogEntry]
    /// Puffin files with statistics.
    package var statistics: [StatisticsFile]
    /// Files with statistics of partitions.
    package var partitionStatistics: [PartitionStatisticsFile]
    /// The id that the next new row gets (v3).
    package var nextRowID: Int64?
    /// Members that this program has no place for, encryption keys among them.
    package var additional: JSONObject

    /// The format versions that can be read.
    package static let formatVersionsRead = 1...3
    /// The format versions that can be written.
    package static let formatVersionsWritten = 2...3
}

// MARK: - Lookup

extension TableMetadata {
    /// The schema that writers use.
    package var currentSchema: Schema { schema(id: currentSchemaID) ?? .empty }

    /// The schema with this id.
    package func schema(id: Int) -> Schema? {
        schemas.first { $0.schemaID == id }
    }

    /// The partition spec that writers use.
    package var defaultSpec: PartitionSpec { partitionSpec(id: defaultSpecID) ?? .unpartitioned }

    /// The partition spec with this id.
    package func partitionSpec(id: Int) -> PartitionSpec? {
        partitionSpecs.first { $0.specID == id }
    }

    /// The sort order that writers should use.
    package var defaultSortOrder: SortOrder { sortOrder(id: defaultSortOrderID) ?? .unsorted }

    /// The sort order with this id.
    package func sortOrder(id: Int) -> SortOrder? {
        sortOrders.first { $0.orderID == id }
    }

    /// The snapshot with this id.
    package func snapshot(id: Int64) -> Snapshot? {
        snapshots.last { $0.snapshotID == id }
    }

    /// The snapshot that `main` refers to; nil while the table has none.
    package var currentSnapshot: Snapshot? {
        currentSnapshotID.flatMap { snapshot(id: $0) }
    }

    /// The snapshot that a branch or tag refers to.
    package func snapshot(ref: String) -> Snapshot? {
        refs[ref].flatMap { snapshot(id: $0.snapshotID) }
    }

    /// The snapshot that was current at a time, nil when there was none yet.
    ///
    /// - Spec: Appendix F, "Point in Time Reads": by the snapshot log, not by snapshot times.
    package func snapshot(atMillis time: Int64) -> Snapshot? {
        let entry = snapshotLog.last { $0.timestampMillis <= time }
        return entry.flatMap { snapshot(id: $0.snapshotID) }
    }

    /// The schema that a snapshot's rows had; the current one when the snapshot does not say.
    package func schema(of snapshot: Snapshot) -> Schema {
        snapshot.schemaID.flatMap { schema(id: $0) } ?? currentSchema
    }

    /// The type of a column as it is, or as it last was when it is not in the current schema.
    package func columnType(id: Int) -> IcebergType? {
        if let field = currentSchema.field(id: id) { return field.type }
        let newestFirst = schemas.sorted { $0.schemaID > $1.schemaID }
        for schema in newestFirst {
            if let field = schema.field(id: id) { return field.type }
        }
        return nil
    }

    /// The struct of the partition tuples of files written with `spec`.
    package func partitionType(of spec: PartitionSpec) -> StructType {
        spec.partitionType { columnType(id: $0) }
    }

    /// The property as a number; `fallback` when it is missing or no number.
    package func property(_ name: String, default fallback: Int) -> Int {
        properties[name].flatMap { Int($0) } ?? fallback
    }

    /// The property as a boolean; `fallback` when it is missing.
    package func property(_ name: String, default fallback: Bool) -> Bool {
        properties[name].map { $0.lowercased() == "true" } ?? fallback
    }
}

// MARK: - Invariants

extension TableMetadata {
    /// Throws `corrupt` when what the parts say of each other is not so.
    package func checkInvariants() throws(IcebergError) {
        func check(_ holds: Bool, _ message: @autoclosure () -> String) throws(IcebergError) {
            if !holds { throw IcebergError(.corrupt, message(), context: ["table metadata"]) }
        }
        try check(
            schemas.contains { $0.schemaID == currentSchemaID },
            "current-schema-id \(currentSchemaID) is in no schema"
        )
        try check(
            partitionSpecs.contains { $0.specID == defaultSpecID },
            "default-spec-id \(defaultSpecID) is in no partition spec"
        )
        try check(
            sortOrders.contains { $0.orderID == defaultSortOrderID },
            "default-sort-order-id \(defaultSortOrderID) is in no sort order"
        )
        try check(Set(schemas.map(\.schemaID)).count == schemas.count, "two schemas have one id")
        try check(
            Set(partitionSpecs.map(\.specID)).count == partitionSpecs.count,
            "two partition specs have one id"
        )
        try check(
            Set(sortOrders.map(\.orderID)).count == sortOrders.count,
            "two sort orders have one id"
        )
        let snapshotIDs = Set(snapshots.map(\.snapshotID))
        try check(snapshotIDs.count == snapshots.count, "two snapshots have one id")
        for snapshot in snapshots {
            try check(
                snapshot.sequenceNumber <= lastSequenceNumber,
                "snapshot \(snapshot.snapshotID) has sequence number \(snapshot.sequenceNumber), beyond last-sequence-number \(lastSequenceNumber)"
            )
        }
        if let currentSnapshotID {
            try check(
                snapshotIDs.contains(currentSnapshotID),
                "current-snapshot-id \(currentSnapshotID) is not in snapshots"
            )
        }
        for (name, ref) in refs.sorted(by: { $0.key < $1.key }) {
            try check(
                snapshotIDs.contains(ref.snapshotID),
                "ref \(name) refers to snapshot \(ref.snapshotID), which is not in snapshots"
            )
        }
        try check(
            refs[SnapshotRef.main]?.snapshotID == currentSnapshotID,
            "current-snapshot-id is not what ref main refers to"
        )
        try check(
            currentSchema.highestFieldID <= lastColumnID,
            "last-column-id \(lastColumnID) is less than a column's id \(currentSchema.highestFieldID)"
        )
    }
}
