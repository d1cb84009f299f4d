package import Columnar

/// Reads one column of a row group, flat or nested, from the first row to the last.
///
/// One thread at a time; an error ends its use.
package final class RowGroupColumnReader {
    private enum Form {
        case flat(ColumnChunkReader)
        case nested(NestedColumnReader)
    }

    private let form: Form

    /// - Parameters:
    ///   - column: which of `metadata.schema.columns`.
    ///   - type: what to read it as: its own type or one that it widens to; nil for its own. The
    ///     fields of structures are found by field id (by name where the file has no ids); those
    ///     that the file does not have are null.
    ///   - bytes: the bytes of the column's chunks, one a leaf, in the order of
    ///     `metadata.chunkLocations(rowGroup:columns:)`.
    /// - Throws: `unsupported` when the column cannot be read as `type`.
    package init(
        metadata: ParquetMetadata,
        rowGroup: Int,
        column columnIndex: Int,
        as type: DataType? = nil,
        bytes: [ChunkBytes],
        options: ParquetReadOptions = ParquetReadOptions(),
        context: ParquetReadContext
    ) throws(ParquetError) {
        let column = metadata.schema.columns[columnIndex]
        precondition(bytes.count == column.leaves.count, "a chunk a leaf")
        guard column.isFlat else {
            form = .nested(
                try NestedColumnReader(
                    metadata: metadata,
                    rowGroup: rowGroup,
                    column: column,
                    as: type,
                    bytes: bytes,
                    options: options,
                    context: context
                )
            )
            return
        }
        form = .flat(
            try ColumnChunkReader(
                metadata: metadata,
                rowGroup: rowGroup,
                leaf: column.leaves.lowerBound,
                as: type,
                bytes: bytes[0],
                options: options,
                context: context
            )
        )
    }

    /// The type of the columns that are read.
    package var type: DataType {
        switch form {
        case .flat(let reader): reader.type
        case .nested(let reader): reader.type
        }
    }

    /// Rows that have not been read or skipped.
    package var remainingRows: Int {
        switch form {
        case .flat(let reader): reader.remainingRows
        case .nested(let reader): reader.remainingRows
        }
    }

    /// The next `count` rows, or as many as are left.
    package func read(rows count: Int) throws(ParquetError) -> Column {
        switch form {
        case .flat(let reader): try reader.read(rows: count)
        case .nested(let reader): try reader.read(rows: count)
        }
    }

    /// Those of the next `count` rows (or as many as are left) that `selection` names; the others
    /// are passed over.
    package func read(rows count: Int, selection: Selection) throws(ParquetError) -> Column {
        switch form {
        case .flat(let reader): try reader.read(rows: count, selection: selection)
        case .nested(let reader): try reader.read(rows: count, selection: selection)
        }
    }

    /// Passes over the next `count` rows, or as many as are left.
    package func skip(rows count: Int) throws(ParquetError) {
        switch form {
        case .flat(let reader): try reader.skip(rows: count)
        case .nested(let reader): try reader.skip(rows: count)
        }
    }

    /// The dictionary of a flat column, when its first page is one: what codes count into.
    package func dictionary() throws(ParquetError) -> ColumnDictionary? {
        switch form {
        case .flat(let reader): try reader.dictionary()
        case .nested: nil
        }
    }
}
