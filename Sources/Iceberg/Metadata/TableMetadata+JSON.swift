package import Bytes

extension TableMetadata {
    private static let keys: Set<String> = [
        "format-version", "table-uuid", "location", "last-sequence-number", "last-updated-ms",
        "last-column-id", "schema", "schemas", "current-schema-id", "partition-spec",
        "partition-specs", "default-spec-id", "last-partition-id", "sort-orders",
        "default-sort-order-id", "properties", "current-snapshot-id", "snapshots", "refs",
        "snapshot-log", "metadata-log", "statistics", "partition-statistics", "next-row-id",
    ]

    /// Reads the bytes of a metadata file, which may be compressed with gzip.
    ///
    /// - Parameter sizeMax: How many bytes a compressed file may have when it is decompressed.
    /// - Throws: `corrupt` when a field is missing or wrong, with its name; `unsupported` for a format
    ///   version that this program cannot read.
    package init(bytes: [UInt8], sizeMax: Int = 1 << 30) throws(IcebergError) {
        var text = bytes
        if bytes.starts(with: [0x1f, 0x8b]) {
            text = try IcebergError.bytes { () throws(BytesError) in
                try decompressed(.gzip, bytes, sizeMax: sizeMax)
            }
        }
        let json = try IcebergError.bytes { () throws(BytesError) in try JSON.parse(text) }
        try self.init(json: json)
    }

    /// Reads table metadata from its JSON form.
    ///
    /// - Throws: `corrupt` when a field is missing or wrong, with its name; `unsupported` for a format
    ///   version that this program cannot read.
    /// - Spec: Appendix C, "Table Metadata and Snapshots"; Appendix E for what v1 leaves out.
    package init(json: JSON) throws(IcebergError) {
        let fields = try JSONFields(json, "table metadata")
        formatVersion = try fields.int("format-version")
        guard Self.formatVersionsRead.contains(formatVersion) else {
            throw IcebergError(
                .unsupported,
                "format version \(formatVersion) (1 to 3 can be read)",
                context: [fields.place]
            )
        }
        let isV1 = formatVersion == 1
        // v1 did not require a uuid. Deriving one would be wrong: the empty text says there is none.
        tableUUID =
            try isV1 ? fields.optionalString("table-uuid") ?? "" : fields.string("table-uuid")
        location = try fields.string("location")
        lastSequenceNumber =
            try isV1
            ? fields.optionalLong("last-sequence-number") ?? 0 : fields.long("last-sequence-number")
        lastUpdatedMillis = try fields.long("last-updated-ms")
        lastColumnID = try fields.int("last-column-id")
        (schemas, currentSchemaID) = try Self.schemas(fields)
        (partitionSpecs, defaultSpecID) = try Self.partitionSpecs(fields)
        let highest = partitionSpecs.map(\.lastFieldID).max() ?? PartitionSpec.lastFieldIDOfNone
        lastPartitionID =
            try isV1
            ? fields.optionalInt("last-partition-id") ?? highest : fields.int("last-partition-id")
        (sortOrders, defaultSortOrderID) = try Self.sortOrders(fields)
        properties = try fields.optionalStringMap("properties") ?? [:]
        snapshots = []
        for json in try fields.optionalArray("snapshots") ?? [] {
            let snapshot = try IcebergError.during(fields.place) { () throws(IcebergError) in
                try Snapshot(json: json)
            }
            snapshots.append(snapshot)
        }
        let current = try fields.optionalLong("current-snapshot-id")
        currentSnapshotID = current == -1 ? nil : current
        refs = try Self.refs(fields, currentSnapshotID: currentSnapshotID)
        snapshotLog = []
        for json in try fields.optionalArray("snapshot-log") ?? [] {
            snapshotLog.append(try SnapshotLogEntry(json: json))
        }
        metadataLog = []
        for json in try fields.optionalArray("metadata-log") ?? [] {
            metadataLog.append(try MetadataLogEntry(json: json))
        }
        statistics = []
        for json in try fields.optionalArray("statistics") ?? [] {
            statistics.append(try StatisticsFile(json: json))
        }
        partitionStatistics = []
        for json in try fields.optionalArray("partition-statistics") ?? [] {
            partitionStatistics.append(try PartitionStatisticsFile(json: json))
        }
        nextRowID = try fields.optionalLong("next-row-id")
        if formatVersion >= 3, nextRowID == nil { throw fields.wrong("next-row-id", "an integer") }
        guard (nextRowID ?? 0) >= 0, lastSequenceNumber >= 0, lastColumnID >= 0 else {
            throw IcebergError(.corrupt, "table metadata: a number is negative that cannot be")
        }
        additional = fields.others(than: Self.keys)
        try checkInvariants()
    }

    private static func schemas(
        _ fields: JSONFields
    ) throws(IcebergError) -> (schemas: [Schema], currentID: Int) {
        var schemas: [Schema] = []
        guard let array = try fields.optionalArray("schemas"), !array.isEmpty else {
            // v1 metadata may have the current schema only.
            guard try fields.int("format-version") == 1 else {
                throw fields.wrong("schemas", "given")
            }
            let schema = try Schema(json: try fields.required("schema"))
            return ([schema], schema.schemaID)
        }
        for json in array {
            let schema = try IcebergError.during(fields.place) { () throws(IcebergError) in
                try Schema(json: json)
            }
            schemas.append(schema)
        }
        return (schemas, try fields.int("current-schema-id"))
    }

    private static func partitionSpecs(
        _ fields: JSONFields
    ) throws(IcebergError) -> (specs: [PartitionSpec], defaultID: Int) {
        guard let array = try fields.optionalArray("partition-specs") else {
            // v1 metadata may have the fields of the current spec only.
            guard try fields.int("format-version") == 1 else {
                throw fields.wrong("partition-specs", "given")
            }
            let spec = try PartitionSpec(
                specID: 0,
                fieldsJSON: try fields.required("partition-spec")
            )
            return ([spec], 0)
        }
        var specs: [PartitionSpec] = []
        for json in array {
            specs.append(try PartitionSpec(json: json))
        }
        return (specs, try fields.int("default-spec-id"))
    }

    private static func sortOrders(
        _ fields: JSONFields
    ) throws(IcebergError) -> (orders: [SortOrder], defaultID: Int) {
        guard let array = try fields.optionalArray("sort-orders"), !array.isEmpty else {
            if try fields.int("format-version") > 1, fields.optional("sort-orders") == nil {
                throw fields.wrong("sort-orders", "an array")
            }
            return ([.unsorted], 0)
        }
        var orders: [SortOrder] = []
        for json in array { orders.append(try SortOrder(json: json)) }
        return (orders, try fields.int("default-sort-order-id"))
    }

    private static func refs(
        _ fields: JSONFields,
        currentSnapshotID: Int64?
    ) throws(IcebergError) -> [String: SnapshotRef] {
        var refs: [String: SnapshotRef] = [:]
        if let value = fields.optional("refs") {
            guard let object = value.object else { throw fields.wrong("refs", "an object") }
            for member in object.members {
                refs[member.key] = try IcebergError.during("ref \(member.key)") {
                    () throws(IcebergError) in try SnapshotRef(json: member.value)
                }
            }
        }
        // Files of older writers have no refs, but a current snapshot is always the main branch.
        if let currentSnapshotID, refs[SnapshotRef.main] == nil {
            refs[SnapshotRef.main] = SnapshotRef(snapshotID: currentSnapshotID)
        }
        return refs
    }

    /// The JSON form, of the table's own format version.
    package var json: JSON {
        var object: JSONObject = [
            "format-version": .integer(formatVersion), "table-uuid": .string(tableUUID),
            "location": .string(location),
        ]
        if formatVersion > 1 { object["last-sequence-number"] = .integer(lastSequenceNumber) }
        object["last-updated-ms"] = .integer(lastUpdatedMillis)
        object["last-column-id"] = .integer(lastColumnID)
        if formatVersion == 1 {
            // Required in v1, and left out from v2 on.
            object["schema"] = currentSchema.json
            object["partition-spec"] = defaultSpec.fieldsJSON
        }
        object["current-schema-id"] = .integer(currentSchemaID)
        object["schemas"] = .array(schemas.map(\.json))
        object["default-spec-id"] = .integer(defaultSpecID)
        object["partition-specs"] = .array(partitionSpecs.map(\.json))
        object["last-partition-id"] = .integer(lastPartitionID)
        object["default-sort-order-id"] = .integer(defaultSortOrderID)
        object["sort-orders"] = .array(sortOrders.map(\.json))
        object["properties"] = .stringMap(properties)
        // Up to v2 readers expect -1 for "no snapshot", from v3 on null.
        object["current-snapshot-id"] =
            currentSnapshotID.map { .integer($0) } ?? (formatVersion < 3 ? -1 : .null)
        if formatVersion >= 3 { object["next-row-id"] = .integer(nextRowID ?? 0) }
        var refs = JSONObject()
        for (name, ref) in self.refs.sorted(by: { $0.key < $1.key }) { refs[name] = ref.json }
        object["refs"] = .object(refs)
        object["snapshots"] = .array(
            snapshots.map { snapshot in
                // Required in v2, 0 included.
                guard formatVersion > 1, snapshot.sequenceNumber == 0,
                    case .object(var object) = snapshot.json
                else { return snapshot.json }
                object["sequence-number"] = 0
                return .object(object)
            }
        )
        object["statistics"] = .array(statistics.map(\.json))
        object["partition-statistics"] = .array(partitionStatistics.map(\.json))
        object["snapshot-log"] = .array(snapshotLog.map(\.json))
        object["metadata-log"] = .array(metadataLog.map(\.json))
        object.appendMissing(additional)
        return .object(object)
    }
}
