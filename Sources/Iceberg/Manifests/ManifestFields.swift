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

    /// Reads the branch of an optional field.
    ///
    /// - Parameter nullBranch: Which of two branches is null; negative when the field is not optional.
    @inline(__always)
    mutating func readIsNull(_ nullBranch: Int64) throws(IcebergError) -> Bool {
        if nullBranch < 0 { return false }
        let branch = try readLong()
        guard branch == 0 || branch == 1 else { throw corrupt("a union has no branch \(branch)") }
        return branch == nullBranch
    }

    /// Reads the pairs of a map from ints to longs.
    mutating func readCounts() throws(IcebergError) -> ColumnCounts {
        var counts = ColumnCounts()
        while true {
            let count = try readPairCount()
            if count == 0 { return counts }
            counts.reserve(count)
            for _ in 0..<count { counts.append(try readInt(), try readLong()) }
        }
    }

    /// Reads the pairs of a map from ints to binaries.
    mutating func readBounds() throws(IcebergError) -> ColumnBounds {
        var bounds = ColumnBounds()
        while true {
            let count = try readPairCount()
            if count == 0 { return bounds }
            bounds.reserve(count)
            for _ in 0..<count {
                try bounds.append(try readInt()) { (bytes) throws(IcebergError) in
                    try readBytes(appendingTo: &bytes)
                }
            }
        }
    }

    /// How many pairs of at least two bytes the next block of a map has; 0 at its end.
    private mutating func readPairCount() throws(IcebergError) -> Int {
        var count = try readLong()
        if count < 0 {
            _ = try readLong()
            guard count > Int64.min else { throw corrupt("a map's count is out of range") }
            count = -count
        }
        guard count <= Int64(remaining / 2) else {
            throw corrupt("a map has more pairs than there are bytes")
        }
        return Int(count)
    }
}

/// What a reader has to know of a record's field, worked out once for a file.
///
/// Looking into schemas for each value would cost more than the values do.
struct AvroFieldPlan: Sendable {
    /// The forms that manifests of all writers have; others are none of this program's fields.
    enum Form: UInt8, Sendable {
        case long
        case int
        case string
        case bytes
        /// A map from ints to longs.
        case counts
        /// A map from ints to binaries.
        case bounds
        case other
    }

    let id: Int?
    let schema: AvroSchema
    /// The schema of the value when it is not null.
    let value: AvroSchema
    let form: Form
    /// Which of two branches is null; negative when the field is not optional.
    let nullBranch: Int64

    init(_ field: AvroField, names: [String: Int]) {
        id = field.fieldID ?? names[field.name]
        schema = field.schema
        var branch: Int64 = -1
        var value = field.schema
        if case .union(let branches) = field.schema, branches.count == 2,
            let null = branches.firstIndex(of: .null), branches[1 - null] != .null
        {
            branch = Int64(null)
            value = branches[1 - null]
        }
        nullBranch = branch
        self.value = value
        form = Self.form(of: value)
    }

    private static func form(of schema: AvroSchema) -> Form {
        switch schema {
        case .long: return .long
        case .int: return .int
        case .string: return .string
        case .bytes: return .bytes
        case .array(.record(let pair), _, _) where pair.fields.count == 2:
            guard case .int = pair.fields[0].schema else { return .other }
            switch pair.fields[1].schema {
            case .long: return .counts
            case .bytes: return .bounds
            default: return .other
            }
        default: return .other
        }
    }

    static func plans(_ record: AvroRecord, names: [String: Int]) -> [AvroFieldPlan] {
        record.fields.map { AvroFieldPlan($0, names: names) }
    }
}

extension AvroCursor {
    private mutating func mismatch(_ expected: String) -> IcebergError {
        corrupt("a field is no \(expected)")
    }

    mutating func readLong(_ plan: AvroFieldPlan) throws(IcebergError) -> Int64? {
        if try readIsNull(plan.nullBranch) { return nil }
        switch plan.form {
        case .long: return try readLong()
        case .int: return Int64(try readInt())
        default: throw mismatch("number")
        }
    }

    mutating func readInt(_ plan: AvroFieldPlan) throws(IcebergError) -> Int? {
        guard let value = try readLong(plan) else { return nil }
        guard let int = Int32(exactly: value) else { throw corrupt("an int does not fit 32 bits") }
        return Int(int)
    }

    mutating func readString(_ plan: AvroFieldPlan) throws(IcebergError) -> String? {
        if try readIsNull(plan.nullBranch) { return nil }
        guard plan.form == .string else { throw mismatch("string") }
        return try readString()
    }

    mutating func readCounts(_ plan: AvroFieldPlan) throws(IcebergError) -> ColumnCounts? {
        if try readIsNull(plan.nullBranch) { return nil }
        guard plan.form == .counts else { throw mismatch("map from ints to longs") }
        return try readCounts()
    }

    mutating func readBounds(_ plan: AvroFieldPlan) throws(IcebergError) -> ColumnBounds? {
        if try readIsNull(plan.nullBranch) { return nil }
        guard plan.form == .bounds else { throw mismatch("map from ints to binaries") }
        return try readBounds()
    }
}
