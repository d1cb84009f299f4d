package import Columnar

extension ParquetSchema {
    /// Finds a table's fields in the file: by Iceberg field id, or by names where the file has none.
    ///
    /// - Parameters:
    ///   - fields: the fields to find, each with its id.
    ///   - nameMapping: per field id, the names that it may have in files without ids (Iceberg's
    ///     `schema.name-mapping.default`).
    /// - Returns: per field the index of the file's column, nil when the file does not have it.
    /// - Spec: Iceberg table specification, "Column Projection".
    package func resolve(fields: [Field], nameMapping: [Int: [String]]) -> [Int?] {
        let hasIDs = columns.contains { $0.fieldID != nil }
        if hasIDs {
            var byID: [Int: Int] = [:]
            for (index, column) in columns.enumerated() {
                if let id = column.fieldID, byID[id] == nil { byID[id] = index }
            }
            return fields.map { field in field.id.flatMap { byID[$0] } }
        }
        var byName: [String: Int] = [:]
        for (index, column) in columns.enumerated() where byName[column.name] == nil {
            byName[column.name] = index
        }
        return fields.map { field in
            guard let id = field.id, let names = nameMapping[id] else { return nil }
            return names.lazy.compactMap { byName[$0] }.first
        }
    }

    /// Reads columns of bytes without annotation as text, as old writers meant them.
    package mutating func readBinaryAsString() {
        for index in leaves.indices
        where leaves[index].physical == .byteArray && leaves[index].logical == nil {
            leaves[index].type = .string
        }
        for index in columns.indices where columns[index].isFlat {
            columns[index].type = leaves[columns[index].leaves.lowerBound].type
        }
    }
}
