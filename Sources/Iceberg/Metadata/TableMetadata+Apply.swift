import Bytes

extension TableMetadata {
    /// The table after `updates`, applied in order; nothing is changed when one of them cannot be.
    ///
    /// The same arguments give the same result: ids are counted, the time is passed in.
    ///
    /// - Parameters:
    ///   - base: The table as it is; nil makes a new one, for which the updates must give everything.
    ///   - now: The time in milliseconds since 1970; the table's time never goes back, whatever it is.
    ///   - previousMetadataFile: Where `base` is stored, for the metadata log.
    /// - Throws: `invalid` for a change against the rules, `conflict` when the table moved on since the
    ///   change was made (a sequence number or row id is taken), `unsupported` for encryption keys and
    ///   format versions that cannot be written.
    package static func apply(
        _ updates: [TableUpdate],
        to base: TableMetadata?,
        now: Int64,
        previousMetadataFile: String? = nil
    ) throws(IcebergError) -> TableMetadata {
        var change = MetadataChange(base: base, updates: updates, now: now)
        for (index, update) in updates.enumerated() {
            try IcebergError.during("update \(index)") { () throws(IcebergError) in
                try change.apply(update)
            }
        }
        return try change.finish(previousMetadataFile: previousMetadataFile)
    }

    /// The table after `updates`, once all `requirements` hold.
    ///
    /// - Throws: as `apply(_:to:now:previousMetadataFile:)` does, and `conflict` for a requirement.
    package static func apply(
        _ updates: [TableUpdate],
        requiring requirements: [TableRequirement],
        to base: TableMetadata?,
        now: Int64,
        previousMetadataFile: String? = nil
    ) throws(IcebergError) -> TableMetadata {
        for requirement in requirements { try requirement.check(base) }
        return try apply(updates, to: base, now: now, previousMetadataFile: previousMetadataFile)
    }
}

/// One commit's change of a table's metadata, update by update.
///
/// Invariants: ids that were given out are never given out again; `last…` numbers and times only grow;
/// what `-1` means is what this very commit added last.
private struct MetadataChange {
    private let base: TableMetadata?
    private var table: TableMetadata
    private let now: Int64
    private var lastAddedSchemaID: Int?
    private var lastAddedSpecID: Int?
    private var lastAddedOrderID: Int?
    private var addedSnapshotIDs: Set<Int64> = []
    private var removedSnapshots = false

    init(base: TableMetadata?, updates: [TableUpdate], now: Int64) {
        self.base = base
        // A new table has the version it is first upgraded to, so that nothing counts as a downgrade.
        var formatVersion = 2
        for case .upgradeFormatVersion(let version) in updates {
            formatVersion = version
            break
        }
        table =
            base
            ?? TableMetadata(
                formatVersion: formatVersion,
                tableUUID: "",
                location: "",
                lastSequenceNumber: 0,
                lastUpdatedMillis: 0,
                lastColumnID: 0,
                schemas: [],
                currentSchemaID: -1,
                partitionSpecs: [],
                defaultSpecID: -1,
                lastPartitionID: PartitionSpec.lastFieldIDOfNone,
                sortOrders: [],
                defaultSortOrderID: -1,
                properties: [:],
                currentSnapshotID: nil,
                snapshots: [],
                refs: [:],
                snapshotLog: [],
                metadataLog: [],
                statistics: [],
                partitionStatistics: [],
                nextRowID: formatVersion >= 3 ? 0 : nil,
                additional: JSONObject()
            )
        self.now = max(now, table.lastUpdatedMillis)
    }

    private func invalid(_ message: String) -> IcebergError { IcebergError(.invalid, message) }

    mutating func apply(_ update: TableUpdate) throws(IcebergError) {
        switch update {
        case .assignUUID(let uuid): try assign(uuid: uuid)
        case .upgradeFormatVersion(let version): try upgrade(to: version)
        case .addSchema(let schema, let last): try add(schema, lastColumnID: last)
        case .setCurrentSchema(let id): try setCurrentSchema(id)
        case .addSpec(let spec): try add(spec)
        case .setDefaultSpec(let id): try setDefaultSpec(id)
        case .addSortOrder(let order): try add(order)
        case .setDefaultSortOrder(let id): try setDefaultSortOrder(id)
        case .addSnapshot(let snapshot): try add(snapshot)
        case .setSnapshotRef(let name, let ref): try set(ref, name: name)
        case .removeSnapshots(let ids): remove(snapshots: Set(ids))
        case .removeSnapshotRef(let name): remove(ref: name)
        case .setLocation(let location): try set(location: location)
        case .setProperties(let properties):
            table.properties.merge(properties) { _, new in new }
        case .removeProperties(let names):
            for name in names { table.properties[name] = nil }
        case .setStatistics(let file):
            table.statistics.removeAll { $0.snapshotID == file.snapshotID }
            table.statistics.append(file)
        case .removeStatistics(let id): table.statistics.removeAll { $0.snapshotID == id }
        case .setPartitionStatistics(let file):
            table.partitionStatistics.removeAll { $0.snapshotID == file.snapshotID }
            table.partitionStatistics.append(file)
        case .removePartitionStatistics(let id):
            table.partitionStatistics.removeAll { $0.snapshotID == id }
        case .removePartitionSpecs(let ids): try remove(specs: Set(ids))
        case .removeSchemas(let ids): try remove(schemas: Set(ids))
        case .addEncryptionKey, .removeEncryptionKey:
            throw IcebergError(.unsupported, "table encryption is not supported")
        }
    }

    // MARK: - Table

    private mutating func assign(uuid: String) throws(IcebergError) {
        guard Datum.uuid(uuid) != nil else { throw invalid("\"\(uuid)\" is not a uuid") }
        if !table.tableUUID.isEmpty, table.tableUUID.lowercased() != uuid.lowercased() {
            throw invalid("the table's uuid is \(table.tableUUID) and cannot become \(uuid)")
        }
        if table.tableUUID.isEmpty { table.tableUUID = uuid.lowercased() }
    }

    private mutating func upgrade(to version: Int) throws(IcebergError) {
        // Tables of v1 can be read and updated, but no new ones are made.
        let isKept = base != nil && version == table.formatVersion
        guard isKept || TableMetadata.formatVersionsWritten.contains(version) else {
            throw IcebergError(.unsupported, "format version \(version) (2 and 3 can be written)")
        }
        guard version >= table.formatVersion else {
            throw invalid("a table of version \(table.formatVersion) cannot go back to \(version)")
        }
        table.formatVersion = version
        if version >= 3, table.nextRowID == nil { table.nextRowID = 0 }
    }

    private mutating func set(location: String) throws(IcebergError) {
        var location = location
        // Files are named by location + "/" + …: a slash at the end would double.
        while location.hasSuffix("/"), !location.hasSuffix("://"), location.count > 1 {
            location.removeLast()
        }
        guard !location.isEmpty else { throw invalid("the location is empty") }
        table.location = location
    }

    // MARK: - Schemas

    private mutating func add(_ schema: Schema, lastColumnID: Int?) throws(IcebergError) {
        if let lastColumnID, lastColumnID < table.lastColumnID {
            throw invalid(
                "last-column-id \(lastColumnID) is less than the table's \(table.lastColumnID)"
            )
        }
        for id in schema.fieldIDs {
            guard let field = schema.field(id: id) else { continue }
            if field.type.formatVersionMin > table.formatVersion || hasDefault(field) {
                throw invalid(
                    "field \(field.name): type \(field.type), or a default, needs format version 3"
                )
            }
        }
        let last = max(table.lastColumnID, schema.highestFieldID, lastColumnID ?? 0)
        guard last <= Schema.fieldIDMax else {
            throw invalid("last-column-id \(last) is too large")
        }
        table.lastColumnID = last
        if let same = table.schemas.first(where: { $0.hasSameFields(as: schema) }) {
            lastAddedSchemaID = same.schemaID
            return
        }
        let id = try next(table.schemas.map(\.schemaID).max(), "schema")
        table.schemas.append(schema.with(schemaID: id))
        lastAddedSchemaID = id
    }

    private func hasDefault(_ field: NestedField) -> Bool {
        // Readers of v1 and v2 would give null instead; a write default alone harms nobody.
        table.formatVersion < 3 && field.initialDefault != nil
    }

    private mutating func setCurrentSchema(_ id: Int) throws(IcebergError) {
        let id = try resolved(id, lastAddedSchemaID, "schema")
        guard table.schema(id: id) != nil else { throw invalid("there is no schema \(id)") }
        table.currentSchemaID = id
    }

    /// The id after the greatest one; ids are never given twice, and have 32 bits.
    private func next(_ greatest: Int?, _ what: String) throws(IcebergError) -> Int {
        let id = (greatest ?? -1) + 1
        guard id <= Int(Int32.max) else { throw invalid("the table has no \(what) ids left") }
        return id
    }

    private func resolved(
        _ id: Int,
        _ lastAdded: Int?,
        _ what: String
    ) throws(IcebergError) -> Int {
        if id != TableUpdate.lastAdded { return id }
        guard let lastAdded else {
            throw invalid("-1 means the last added \(what), but none has been added")
        }
        return lastAdded
    }

    private mutating func remove(schemas ids: Set<Int>) throws(IcebergError) {
        if ids.contains(table.currentSchemaID) {
            throw invalid(
                "schema \(table.currentSchemaID) is the current one: it cannot be removed"
            )
        }
        table.schemas.removeAll { ids.contains($0.schemaID) }
    }

    // MARK: - Partition specs

    private mutating func add(_ unbound: UnboundPartitionSpec) throws(IcebergError) {
        guard table.schema(id: table.currentSchemaID) != nil else {
            throw invalid("a partition spec needs a current schema")
        }
        var fields: [PartitionField] = []
        var last = table.lastPartitionID
        for field in unbound.fields {
            var bound = PartitionField(
                sourceIDs: field.sourceIDs,
                fieldID: field.fieldID ?? -1,
                name: field.name,
                transform: field.transform
            )
            if let fieldID = field.fieldID {
                try checkUse(of: fieldID, by: bound)
            } else if let same = equivalent(bound), !fields.contains(where: { $0.fieldID == same })
            {
                bound.fieldID = same
            } else {
                last += 1
                bound.fieldID = last
            }
            last = max(last, bound.fieldID)
            fields.append(bound)
        }
        guard last <= Int(Int32.max) else {
            throw invalid("partition field id \(last) is too large")
        }
        var spec = PartitionSpec(specID: 0, fields: fields)
        try spec.validate(schema: table.currentSchema)
        for field in fields where field.transform.isUnknown {
            throw invalid("transform \(field.transform) of field \(field.name) is not known")
        }
        if let same = table.partitionSpecs.first(where: { $0.isEquivalent(to: spec) }) {
            lastAddedSpecID = same.specID
            return
        }
        spec.specID = try next(table.partitionSpecs.map(\.specID).max(), "partition spec")
        table.partitionSpecs.append(spec)
        table.lastPartitionID = last
        lastAddedSpecID = spec.specID
    }

    /// The id of a field of any spec that is made the same way.
    private func equivalent(_ field: PartitionField) -> Int? {
        for spec in table.partitionSpecs {
            for other in spec.fields
            where other.sourceIDs == field.sourceIDs && other.transform == field.transform {
                return other.fieldID
            }
        }
        return nil
    }

    /// A field id stays with what it was first given to, or manifests would be misread.
    private func checkUse(of fieldID: Int, by field: PartitionField) throws(IcebergError) {
        guard fieldID > PartitionSpec.lastFieldIDOfNone else {
            throw invalid("partition field \(field.name) has id \(fieldID), below 1000")
        }
        for spec in table.partitionSpecs {
            for other in spec.fields where other.fieldID == fieldID {
                let isSame = other.sourceIDs == field.sourceIDs
                let isVoid = other.transform == .void || field.transform == .void
                if !isSame || (other.transform != field.transform && !isVoid) {
                    throw invalid(
                        "partition field id \(fieldID) belongs to \(other.transform) of column \(other.sourceID)"
                    )
                }
            }
        }
    }

    private mutating func setDefaultSpec(_ id: Int) throws(IcebergError) {
        let id = try resolved(id, lastAddedSpecID, "partition spec")
        guard table.partitionSpec(id: id) != nil else {
            throw invalid("there is no partition spec \(id)")
        }
        table.defaultSpecID = id
    }

    private mutating func remove(specs ids: Set<Int>) throws(IcebergError) {
        if ids.contains(table.defaultSpecID) {
            throw invalid(
                "partition spec \(table.defaultSpecID) is the default: it cannot be removed"
            )
        }
        table.partitionSpecs.removeAll { ids.contains($0.specID) }
    }

    // MARK: - Sort orders

    private mutating func add(_ order: SortOrder) throws(IcebergError) {
        guard table.schema(id: table.currentSchemaID) != nil else {
            throw invalid("a sort order needs a current schema")
        }
        try order.validate(schema: table.currentSchema)
        if let same = table.sortOrders.first(where: { $0.fields == order.fields }) {
            lastAddedOrderID = same.orderID
            return
        }
        // 0 is reserved for the unsorted order.
        let id =
            try order.fields.isEmpty
            ? 0 : next(max(0, table.sortOrders.map(\.orderID).max() ?? 0), "sort order")
        table.sortOrders.append(SortOrder(orderID: id, fields: order.fields))
        lastAddedOrderID = id
    }

    private mutating func setDefaultSortOrder(_ id: Int) throws(IcebergError) {
        let id = try resolved(id, lastAddedOrderID, "sort order")
        guard table.sortOrder(id: id) != nil else { throw invalid("there is no sort order \(id)") }
        table.defaultSortOrderID = id
    }

    // MARK: - Snapshots

    private mutating func add(_ snapshot: Snapshot) throws(IcebergError) {
        let id = snapshot.snapshotID
        guard !table.schemas.isEmpty, !table.partitionSpecs.isEmpty, !table.sortOrders.isEmpty
        else {
            throw invalid("a snapshot needs a schema, a partition spec and a sort order")
        }
        guard table.snapshot(id: id) == nil else {
            throw invalid("there is a snapshot \(id) already")
        }
        if table.formatVersion > 1 {
            guard snapshot.manifestList != nil, snapshot.operation != nil else {
                throw invalid(
                    "snapshot \(id) needs a manifest-list and a summary with an operation"
                )
            }
            guard snapshot.sequenceNumber > table.lastSequenceNumber else {
                throw IcebergError(
                    .conflict,
                    "snapshot \(id) has sequence number \(snapshot.sequenceNumber), but the table is at \(table.lastSequenceNumber)"
                )
            }
            table.lastSequenceNumber = snapshot.sequenceNumber
        }
        if let schemaID = snapshot.schemaID, table.schema(id: schemaID) == nil {
            throw invalid("snapshot \(id) has schema \(schemaID), which the table does not have")
        }
        if table.formatVersion >= 3 { try assignRows(snapshot) }
        table.snapshots.append(snapshot)
        addedSnapshotIDs.insert(id)
    }

    private mutating func assignRows(_ snapshot: Snapshot) throws(IcebergError) {
        guard let first = snapshot.firstRowID, let added = snapshot.addedRows else {
            throw invalid("snapshot \(snapshot.snapshotID) needs first-row-id and added-rows (v3)")
        }
        let next = table.nextRowID ?? 0
        guard first >= next else {
            throw IcebergError(
                .conflict,
                "snapshot \(snapshot.snapshotID) has first-row-id \(first), but the table is at \(next)"
            )
        }
        let (sum, overflow) = first.addingReportingOverflow(added)
        guard !overflow, added >= 0 else { throw invalid("added-rows \(added) is out of range") }
        table.nextRowID = sum
    }

    private mutating func set(_ ref: SnapshotRef, name: String) throws(IcebergError) {
        guard !name.isEmpty else { throw invalid("a ref without a name") }
        guard let snapshot = table.snapshot(id: ref.snapshotID) else {
            throw invalid("ref \(name): there is no snapshot \(ref.snapshotID)")
        }
        if table.refs[name] == ref { return }
        if name == SnapshotRef.main {
            guard ref.kind == .branch else { throw invalid("main must be a branch") }
            if table.currentSnapshotID != ref.snapshotID {
                // Going back to an older snapshot happens now; a new one has its own time.
                let isNew = addedSnapshotIDs.contains(ref.snapshotID)
                let time = isNew ? snapshot.timestampMillis : now
                table.snapshotLog.append(
                    SnapshotLogEntry(
                        timestampMillis: max(time, table.snapshotLog.last?.timestampMillis ?? time),
                        snapshotID: ref.snapshotID
                    )
                )
            }
            table.currentSnapshotID = ref.snapshotID
        }
        table.refs[name] = ref
    }

    private mutating func remove(ref name: String) {
        table.refs[name] = nil
        if name == SnapshotRef.main { table.currentSnapshotID = nil }
    }

    private mutating func remove(snapshots ids: Set<Int64>) {
        let count = table.snapshots.count
        table.snapshots.removeAll { ids.contains($0.snapshotID) }
        if table.snapshots.count < count { removedSnapshots = true }
        table.statistics.removeAll { ids.contains($0.snapshotID) }
        table.partitionStatistics.removeAll { ids.contains($0.snapshotID) }
        for (name, ref) in table.refs where ids.contains(ref.snapshotID) { remove(ref: name) }
    }

    // MARK: - The end

    mutating func finish(previousMetadataFile: String?) throws(IcebergError) -> TableMetadata {
        if table == base { return table }
        guard !table.tableUUID.isEmpty else { throw invalid("the table has no uuid") }
        guard !table.location.isEmpty else { throw invalid("the table has no location") }
        trimSnapshotLog()
        table.lastUpdatedMillis = max(now, table.snapshotLog.last?.timestampMillis ?? now)
        if let base, let previousMetadataFile {
            table.metadataLog.append(
                MetadataLogEntry(
                    timestampMillis: max(
                        base.lastUpdatedMillis,
                        table.metadataLog.last?.timestampMillis ?? 0
                    ),
                    metadataFile: previousMetadataFile
                )
            )
            let countMax = max(
                1,
                table.property("write.metadata.previous-versions-max", default: 100)
            )
            table.metadataLog.removeFirst(max(0, table.metadataLog.count - countMax))
        }
        do {
            try table.checkInvariants()
        } catch {
            throw error.blaming(.invalid)
        }
        return table
    }

    /// Drops what the log must not say: snapshots that `main` only passed through within this commit, and
    /// everything before a snapshot that is gone.
    private mutating func trimSnapshotLog() {
        var passed: Set<Int64> = []
        if let current = table.currentSnapshotID {
            passed = addedSnapshotIDs.subtracting([current])
        }
        guard removedSnapshots || !passed.isEmpty else { return }
        let known = Set(table.snapshots.map(\.snapshotID))
        var log: [SnapshotLogEntry] = []
        for entry in table.snapshotLog {
            if !known.contains(entry.snapshotID) {
                if removedSnapshots { log.removeAll() }
            } else if !passed.contains(entry.snapshotID) {
                log.append(entry)
            }
        }
        table.snapshotLog = log
    }
}
