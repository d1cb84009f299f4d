package import Columnar
package import Iceberg

/// A table about a table, with the columns of Iceberg's Spark integration; the `readable_metrics` of files
/// and entries are left out.
package enum MetadataTable: String, Sendable, CaseIterable {
    case snapshots
    case history
    case refs
    case manifests
    case files
    case dataFiles = "data_files"
    case deleteFiles = "delete_files"
    /// The data files of all snapshots; those of several occur several times.
    case allDataFiles = "all_data_files"
    case entries
    case partitions
    case metadataLogEntries = "metadata_log_entries"

    /// The columns, which for some tables depend on how the table is partitioned.
    ///
    /// - Throws: `unsupported` when a partition value's type has no column type.
    package func schema(_ table: TableMetadata) throws(TablesError) -> Columnar.Schema {
        let partition = try PartitionColumn(table)
        return Columnar.Schema(columns(partition))
    }

    private func columns(_ partition: PartitionColumn) -> [Field] {
        switch self {
        case .snapshots:
            [
                Field("committed_at", .timestamptz, isNullable: false),
                Field("snapshot_id", .int64, isNullable: false), Field("parent_id", .int64),
                Field("operation", .string), Field("manifest_list", .string),
                Field("summary", .dictionary(.string, .string)),
            ]
        case .history:
            [
                Field("made_current_at", .timestamptz, isNullable: false),
                Field("snapshot_id", .int64, isNullable: false), Field("parent_id", .int64),
                Field("is_current_ancestor", .boolean, isNullable: false),
            ]
        case .refs:
            [
                Field("name", .string, isNullable: false),
                Field("type", .string, isNullable: false),
                Field("snapshot_id", .int64, isNullable: false),
                Field("max_reference_age_in_ms", .int64), Field("min_snapshots_to_keep", .int32),
                Field("max_snapshot_age_in_ms", .int64),
            ]
        case .manifests: Self.manifestColumns
        case .files, .dataFiles, .deleteFiles, .allDataFiles: Self.fileColumns(partition)
        case .entries:
            [
                Field("status", .int32, isNullable: false), Field("snapshot_id", .int64),
                Field("sequence_number", .int64), Field("file_sequence_number", .int64),
                Field("data_file", .structure(Self.fileColumns(partition)), isNullable: false),
            ]
        case .partitions:
            partition.fields + [
                Field("spec_id", .int32, isNullable: false),
                Field("record_count", .int64, isNullable: false),
                Field("file_count", .int32, isNullable: false),
                Field("total_data_file_size_in_bytes", .int64, isNullable: false),
                Field("position_delete_record_count", .int64),
                Field("position_delete_file_count", .int32),
                Field("equality_delete_record_count", .int64),
                Field("equality_delete_file_count", .int32),
                Field("last_updated_at", .timestamptz), Field("last_updated_snapshot_id", .int64),
            ]
        case .metadataLogEntries:
            [
                Field("timestamp", .timestamptz, isNullable: false),
                Field("file", .string, isNullable: false), Field("latest_snapshot_id", .int64),
                Field("latest_schema_id", .int32), Field("latest_sequence_number", .int64),
            ]
        }
    }

    private static let manifestColumns = [
        Field("content", .int32, isNullable: false), Field("path", .string, isNullable: false),
        Field("length", .int64, isNullable: false),
        Field("partition_spec_id", .int32, isNullable: false),
        Field("added_snapshot_id", .int64, isNullable: false),
        Field("added_data_files_count", .int32), Field("existing_data_files_count", .int32),
        Field("deleted_data_files_count", .int32), Field("added_delete_files_count", .int32),
        Field("existing_delete_files_count", .int32), Field("deleted_delete_files_count", .int32),
        Field(
            "partition_summaries",
            .list(
                Field(
                    "element",
                    .structure([
                        Field("contains_null", .boolean, isNullable: false),
                        Field("contains_nan", .boolean), Field("lower_bound", .string),
                        Field("upper_bound", .string),
                    ])
                )
            )
        ),
    ]

    private static func fileColumns(_ partition: PartitionColumn) -> [Field] {
        [
            Field("content", .int32, isNullable: false),
            Field("file_path", .string, isNullable: false),
            Field("file_format", .string, isNullable: false),
            Field("spec_id", .int32, isNullable: false),
        ] + partition.fields + [
            Field("record_count", .int64, isNullable: false),
            Field("file_size_in_bytes", .int64, isNullable: false),
            Field("column_sizes", .dictionary(.int32, .int64)),
            Field("value_counts", .dictionary(.int32, .int64)),
            Field("null_value_counts", .dictionary(.int32, .int64)),
            Field("nan_value_counts", .dictionary(.int32, .int64)),
            Field("lower_bounds", .dictionary(.int32, .binary)),
            Field("upper_bounds", .dictionary(.int32, .binary)), Field("key_metadata", .binary),
            Field("split_offsets", .list(Field("element", .int64))),
            Field("equality_ids", .list(Field("element", .int32))),
            Field("sort_order_id", .int32), Field("first_row_id", .int64),
            Field("referenced_data_file", .string), Field("content_offset", .int64),
            Field("content_size_in_bytes", .int64),
        ]
    }
}

extension DataType {
    fileprivate static func dictionary(_ key: DataType, _ value: DataType) -> DataType {
        .map(key: Field("key", key, isNullable: false), value: Field("value", value))
    }
}

/// The partition tuples of all specs of a table as one struct column; none when all are empty.
struct PartitionColumn {
    /// By partition field id, ascending.
    private let parts: [NestedField]
    /// The column, or nothing.
    let fields: [Field]

    init(_ table: TableMetadata) throws(TablesError) {
        var parts: [Int: NestedField] = [:]
        // The newest spec's name for a field counts.
        for spec in table.partitionSpecs.sorted(by: { $0.specID < $1.specID }) {
            for field in table.partitionType(of: spec).fields {
                if parts[field.id] != nil && field.type == .unknown { continue }
                parts[field.id] = field
            }
        }
        let sorted = parts.values.sorted { $0.id < $1.id }
        var children: [Field] = []
        for part in sorted { children.append(try Field(part)) }
        self.parts = sorted
        fields =
            children.isEmpty ? [] : [Field("partition", .structure(children), isNullable: false)]
    }

    /// The value of the column for a file, or nothing.
    func values(_ partition: [Datum?], spec: PartitionSpec?) -> [Value] {
        if fields.isEmpty { return [] }
        var byID: [Int: Value] = [:]
        for (field, value) in zip(spec?.fields ?? [], partition) {
            byID[field.fieldID] = Value(value)
        }
        return [.structure(parts.map { $0.type == .unknown ? .null : byID[$0.id] ?? .null })]
    }
}
