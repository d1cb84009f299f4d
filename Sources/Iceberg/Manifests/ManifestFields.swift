/// The structs that manifests and manifest lists are made of, with the ids of the specification.
///
/// Readers go by id. Names matter only to files without ids, and to readers that look at them.
///
/// - Spec: "Manifest Entry Fields", "Data File Fields", "Manifest Lists".
enum ManifestFields {
    // Ids of manifest_entry.
    static let status = 0
    static let snapshotID = 1
    static let dataFile = 2
    static let sequenceNumber = 3
    static let fileSequenceNumber = 4

    // Ids of data_file.
    static let content = 134
    static let filePath = 100
    static let fileFormat = 101
    static let partition = 102
    static let recordCount = 103
    static let fileSizeBytes = 104
    static let columnSizes = 108
    static let valueCounts = 109
    static let nullValueCounts = 110
    static let nanValueCounts = 137
    static let lowerBounds = 125
    static let upperBounds = 128
    static let keyMetadata = 131
    static let splitOffsets = 132
    static let equalityIDs = 135
    static let sortOrderID = 140
    static let firstRowID = 142
    static let referencedDataFile = 143
    static let contentOffset = 144
    static let contentSizeBytes = 145

    // Ids of manifest_file.
    static let manifestPath = 500
    static let manifestLength = 501
    static let partitionSpecID = 502
    static let addedSnapshotID = 503
    static let addedFilesCount = 504
    static let existingFilesCount = 505
    static let deletedFilesCount = 506
    static let partitions = 507
    static let addedRowsCount = 512
    static let existingRowsCount = 513
    static let deletedRowsCount = 514
    static let manifestSequenceNumber = 515
    static let minSequenceNumber = 516
    static let manifestContent = 517
    static let manifestKeyMetadata = 519
    static let manifestFirstRowID = 520

    // Ids of field_summary.
    static let containsNull = 509
    static let lowerBound = 510
    static let upperBound = 511
    static let containsNaN = 518

    private static func required(_ id: Int, _ name: String, _ type: IcebergType) -> NestedField {
        NestedField(id: id, name: name, required: true, type: type)
    }

    private static func optional(_ id: Int, _ name: String, _ type: IcebergType) -> NestedField {
        NestedField(id: id, name: name, required: false, type: type)
    }

    private static func map(_ keyID: Int, _ valueID: Int, _ value: IcebergType) -> IcebergType {
        .map(MapType(keyID: keyID, key: .int, valueID: valueID, value: value, valueRequired: true))
    }

    private static func list(_ elementID: Int, _ element: IcebergType) -> IcebergType {
        .list(ListType(elementID: elementID, element: element, elementRequired: true))
    }

    /// The struct `manifest_entry`.
    static func entry(partitionType: StructType, formatVersion: Int) -> StructType {
        StructType(fields: [
            required(status, "status", .int),
            optional(snapshotID, "snapshot_id", .long),
            optional(sequenceNumber, "sequence_number", .long),
            optional(fileSequenceNumber, "file_sequence_number", .long),
            required(
                dataFile,
                "data_file",
                .struct(file(partitionType: partitionType, formatVersion: formatVersion))
            ),
        ])
    }

    /// The struct `data_file`.
    static func file(partitionType: StructType, formatVersion: Int) -> StructType {
        var fields = [
            required(content, "content", .int),
            required(filePath, "file_path", .string),
            required(fileFormat, "file_format", .string),
            required(partition, "partition", .struct(partitionType)),
            required(recordCount, "record_count", .long),
            required(fileSizeBytes, "file_size_in_bytes", .long),
            optional(columnSizes, "column_sizes", map(117, 118, .long)),
            optional(valueCounts, "value_counts", map(119, 120, .long)),
            optional(nullValueCounts, "null_value_counts", map(121, 122, .long)),
            optional(nanValueCounts, "nan_value_counts", map(138, 139, .long)),
            optional(lowerBounds, "lower_bounds", map(126, 127, .binary)),
            optional(upperBounds, "upper_bounds", map(129, 130, .binary)),
            optional(keyMetadata, "key_metadata", .binary),
            optional(splitOffsets, "split_offsets", list(133, .long)),
            optional(equalityIDs, "equality_ids", list(136, .int)),
            optional(sortOrderID, "sort_order_id", .int),
        ]
        if formatVersion >= 3 { fields.append(optional(firstRowID, "first_row_id", .long)) }
        fields.append(optional(referencedDataFile, "referenced_data_file", .string))
        if formatVersion >= 3 {
            fields.append(optional(contentOffset, "content_offset", .long))
            fields.append(optional(contentSizeBytes, "content_size_in_bytes", .long))
        }
        return StructType(fields: fields)
    }

    /// The struct `manifest_file`.
    static func manifestFile(formatVersion: Int) -> StructType {
        var fields = [
            required(manifestPath, "manifest_path", .string),
            required(manifestLength, "manifest_length", .long),
            required(partitionSpecID, "partition_spec_id", .int),
            required(manifestContent, "content", .int),
            required(manifestSequenceNumber, "sequence_number", .long),
            required(minSequenceNumber, "min_sequence_number", .long),
            required(addedSnapshotID, "added_snapshot_id", .long),
            required(addedFilesCount, "added_files_count", .int),
            required(existingFilesCount, "existing_files_count", .int),
            required(deletedFilesCount, "deleted_files_count", .int),
            required(addedRowsCount, "added_rows_count", .long),
            required(existingRowsCount, "existing_rows_count", .long),
            required(deletedRowsCount, "deleted_rows_count", .long),
            optional(partitions, "partitions", list(508, .struct(fieldSummary))),
            optional(manifestKeyMetadata, "key_metadata", .binary),
        ]
        if formatVersion >= 3 {
            fields.append(optional(manifestFirstRowID, "first_row_id", .long))
        }
        return StructType(fields: fields)
    }

    static let fieldSummary = StructType(fields: [
        required(containsNull, "contains_null", .boolean),
        optional(containsNaN, "contains_nan", .boolean),
        optional(lowerBound, "lower_bound", .binary),
        optional(upperBound, "upper_bound", .binary),
    ])

    /// The id of a field of an Avro record that has none, by its name and its record's purpose.
    static let entryNames = names(entry(partitionType: StructType(fields: []), formatVersion: 3))
    static let fileNames = names(file(partitionType: StructType(fields: []), formatVersion: 3))
    static let manifestFileNames = names(manifestFile(formatVersion: 3)).merging([
        // What the counts were called before 2020.
        "added_data_files_count": addedFilesCount,
        "existing_data_files_count": existingFilesCount,
        "deleted_data_files_count": deletedFilesCount,
    ]) { name, _ in name }
    static let fieldSummaryNames = names(fieldSummary)

    private static func names(_ type: StructType) -> [String: Int] {
        var names: [String: Int] = [:]
        for field in type.fields { names[field.name] = field.id }
        return names
    }
}

extension AvroCursor {
    /// The branch that holds the value of an optional field; nil when it is null.
    mutating func readOptional(_ schema: AvroSchema) throws(IcebergError) -> AvroSchema? {
        var schema = schema
        if case .union(let branches) = schema { schema = try readBranch(branches) }
        if case .null = schema { return nil }
        return schema
    }

    mutating func readOptionalLong(_ schema: AvroSchema) throws(IcebergError) -> Int64? {
        switch try readOptional(schema) {
        case nil: return nil
        case .long: return try readLong()
        case .int: return Int64(try readInt())
        default: throw corrupt("a field is no number")
        }
    }

    mutating func readOptionalInt(_ schema: AvroSchema) throws(IcebergError) -> Int? {
        guard let value = try readOptionalLong(schema) else { return nil }
        guard let int = Int32(exactly: value) else { throw corrupt("an int does not fit 32 bits") }
        return Int(int)
    }

    mutating func readOptionalString(_ schema: AvroSchema) throws(IcebergError) -> String? {
        switch try readOptional(schema) {
        case nil: return nil
        case .string: return try readString()
        default: throw corrupt("a field is no string")
        }
    }

    mutating func readOptionalBytes(_ schema: AvroSchema) throws(IcebergError) -> [UInt8]? {
        switch try readOptional(schema) {
        case nil: return nil
        case .bytes, .string: return try readBytes()
        case .fixed(_, let size, _): return try readFixed(size)
        default: throw corrupt("a field is no binary")
        }
    }

    mutating func readOptionalBoolean(_ schema: AvroSchema) throws(IcebergError) -> Bool? {
        switch try readOptional(schema) {
        case nil: return nil
        case .boolean: return try readBoolean()
        default: throw corrupt("a field is no boolean")
        }
    }

    mutating func readOptionalLongs(_ schema: AvroSchema) throws(IcebergError) -> [Int64]? {
        switch try readOptional(schema) {
        case nil: return nil
        case .array(let items, _, _):
            var values: [Int64] = []
            try readItems(sizeMin: items.sizeMin) { (cursor) throws(IcebergError) in
                if let value = try cursor.readOptionalLong(items) { values.append(value) }
            }
            return values
        default: throw corrupt("a field is no list")
        }
    }

    /// Reads the pairs of a map from ints, which Avro has as an array of records with two fields.
    private mutating func readPairs(
        _ schema: AvroSchema,
        _ body: (inout AvroCursor, Int32, AvroSchema) throws(IcebergError) -> Void
    ) throws(IcebergError) -> Bool {
        switch try readOptional(schema) {
        case nil: return false
        case .array(.record(let pair), _, _) where pair.fields.count == 2:
            let (key, value) = (pair.fields[0].schema, pair.fields[1].schema)
            try readItems(sizeMin: pair.sizeMin) { (cursor) throws(IcebergError) in
                guard let id = try cursor.readOptionalInt(key) else {
                    throw cursor.corrupt("a map has a null key")
                }
                try body(&cursor, Int32(truncatingIfNeeded: id), value)
            }
            return true
        default: throw corrupt("a field is no map from ints")
        }
    }

    mutating func readCounts(_ schema: AvroSchema) throws(IcebergError) -> ColumnCounts? {
        var counts = ColumnCounts()
        let isGiven = try readPairs(schema) { (cursor, id, schema) throws(IcebergError) in
            if let count = try cursor.readOptionalLong(schema) { counts.append(id, count) }
        }
        return isGiven ? counts : nil
    }

    mutating func readBounds(_ schema: AvroSchema) throws(IcebergError) -> ColumnBounds? {
        var bounds = ColumnBounds()
        let isGiven = try readPairs(schema) { (cursor, id, schema) throws(IcebergError) in
            guard let branch = try cursor.readOptional(schema) else { return }
            guard case .bytes = branch else { throw cursor.corrupt("a bound is no binary") }
            try bounds.append(id) { (bytes) throws(IcebergError) in
                try cursor.readBytes(appendingTo: &bytes)
            }
        }
        return isGiven ? bounds : nil
    }
}
