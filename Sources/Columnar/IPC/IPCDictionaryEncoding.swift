/// Columns as indices into dictionaries, for writing.
enum IPCDictionaryEncoding {
    /// The indices of a column's rows, and the dictionary that it has or that is made for it.
    ///
    /// Rows that are null have index 0. Making a dictionary costs a look-up a row.
    static func encode(
        _ column: Column
    ) -> (codes: BufferSlice, validity: Bitmap?, dictionary: ColumnDictionary) {
        if case .dictionary(let codes, let dictionary) = column.storage {
            return (codes, column.hasNulls ? column.validity : nil, dictionary)
        }
        var places: [Value: UInt32] = [:]
        let values = ColumnBuilder(column.type)
        let buffer = Buffer(zeroedByteCount: column.count * 4)
        let codes = buffer.mutable(as: UInt32.self)
        for row in 0..<column.count {
            let value = column.value(at: row)
            if value.isNull { continue }
            if let place = places[value] {
                codes[row] = place
            } else {
                let place = UInt32(values.count)
                places[value] = place
                values.append(value)
                codes[row] = place
            }
        }
        let flat = column.flattened()
        return (
            BufferSlice(buffer),
            flat.hasNulls ? flat.validity : nil,
            ColumnDictionary(values.finish())
        )
    }
}
