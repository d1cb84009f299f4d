import Columnar
import Lineage
import Planner
import Tables

/// What of a query's sources its columns come from, as facts of lineage say it.
struct LineageOrigins {
    /// Of each source's name, its place among the inputs and its columns.
    private var places: [String: (index: Int, schema: Columnar.Schema)] = [:]

    func has(_ name: String) -> Bool { places[name] != nil }

    mutating func add(_ name: String, _ index: Int, _ schema: Columnar.Schema) {
        places[name] = (index, schema)
    }

    func origins(_ edges: [ColumnLineage.Edge]) -> [ColumnMap.Origin] {
        edges.compactMap { edge in
            guard let place = places[edge.inputTable] else { return nil }
            let field = place.schema.fields.first { $0.name == edge.inputColumn }
            // The number of a row, and its lineage, come from none of its columns.
            if field?.id == MetadataColumn.rowNumber.id
                || MetadataColumn.rowLineage.contains(where: { $0.id == field?.id })
            {
                return nil
            }
            return ColumnMap.Origin(
                input: place.index,
                column: edge.inputColumn,
                fieldID: field?.id.flatMap { Int32(exactly: $0) },
                kind: edge.type == .direct ? .direct : .indirect,
                subtype: edge.subtype.rawValue
            )
        }
    }
}
