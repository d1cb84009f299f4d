/// Columns of equal length: what flows between operators, and into and out of files.
package struct RecordBatch: Sendable {
    package let schema: Schema
    package let columns: [Column]
    package let rowCount: Int

    /// Rows that operators aim to have in a batch; readers and operators may give fewer, and only
    /// those that say so give more.
    package static let rowCountMax = 8192

    package init(schema: Schema, columns: [Column], rowCount: Int) {
        precondition(schema.count == columns.count)
        precondition(columns.allSatisfy { $0.count == rowCount })
        self.schema = schema
        self.columns = columns
        self.rowCount = rowCount
    }

    /// The rows of `rows`, sharing memory.
    package func slice(_ rows: Range<Int>) -> RecordBatch {
        RecordBatch(
            schema: schema,
            columns: columns.map { $0.slice(rows) },
            rowCount: rows.count
        )
    }
}

extension Column {
    /// The rows of `rows`, sharing the values (bitmaps are copied: they begin at bit 0).
    package func slice(_ rows: Range<Int>) -> Column {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= count)
        if rows == 0..<count { return self }
        let (start, newCount) = (rows.lowerBound, rows.count)
        let newStorage: Storage
        switch storage {
        case .null, .constant:
            newStorage = storage
        case .bits(let bits):
            newStorage = .bits(bits.slice(rows))
        case .fixed(let values):
            newStorage = .fixed(values.advanced(byBytes: start * type.physical.byteWidth))
        case .views(let views, let owners):
            let stride = MemoryLayout<StringView>.stride
            newStorage = .views(views.advanced(byBytes: start * stride), owners: owners)
        case .dictionary(let codes, let dictionary):
            newStorage = .dictionary(codes: codes.advanced(byBytes: start * 4), dictionary)
        case .list(let offsets, let elements):
            newStorage = .list(offsets: offsets.advanced(byBytes: start * 4), elements: elements)
        case .structure(let columns):
            newStorage = .structure(columns.map { $0.slice(rows) })
        case .map(let offsets, let keys, let values):
            newStorage = .map(
                offsets: offsets.advanced(byBytes: start * 4),
                keys: keys,
                values: values
            )
        }
        return Column(
            type: type,
            count: newCount,
            validity: validity?.slice(rows),
            storage: newStorage
        )
    }
}
