package import Columnar

/// Writes a query's result as one JSON document.
///
/// ```
/// {"columns": [{"name": "a", "type": "BIGINT", "nullable": true}], "rows": [[1]], "row_count": 1}
/// ```
///
/// So that no reader rounds them, integers beyond 2^53 and all decimals are strings. Dates and times
/// are strings in ISO 8601, bytes are base64, NaN and infinities the strings `NaN`, `Infinity` and
/// `-Infinity`. The pieces come in order: `begin`, any number of `encode`, `end`.
package final class JSONResultWriter {
    package let schema: Schema
    private let output = OutputBuffer()
    private var rowCount = 0

    package init(schema: Schema) {
        self.schema = schema
    }

    /// The columns, and the beginning of the rows.
    package func begin() -> [UInt8] {
        output.append("{\"columns\":[" as StaticString)
        for (place, field) in schema.fields.enumerated() {
            if place > 0 { output.append(UInt8(ascii: ",")) }
            output.append("{\"name\":" as StaticString)
            var name = field.name
            name.withUTF8 { output.append(jsonString: $0) }
            output.append(",\"type\":" as StaticString)
            var type = field.type.description
            type.withUTF8 { output.append(jsonString: $0) }
            output.append(
                field.isNullable ? ",\"nullable\":true}" : ",\"nullable\":false}" as StaticString
            )
        }
        output.append("],\"rows\":[" as StaticString)
        return output.take()
    }

    /// The rows of a batch.
    package func encode(_ batch: RecordBatch) -> [UInt8] {
        precondition(batch.schema.count == schema.count)
        let columns = batch.columns.map { ColumnText($0) }
        for row in 0..<batch.rowCount {
            output.append(rowCount == 0 && row == 0 ? "\n[" : ",\n[" as StaticString)
            for (place, column) in columns.enumerated() {
                if place > 0 { output.append(UInt8(ascii: ",")) }
                column.appendJSON(row, .strings, to: output)
            }
            output.append(UInt8(ascii: "]"))
        }
        rowCount += batch.rowCount
        return output.take()
    }

    /// The end of the rows, and how many there were.
    package func end() -> [UInt8] {
        output.append("],\"row_count\":" as StaticString)
        output.append(decimal: Int64(rowCount))
        output.append("}\n" as StaticString)
        return output.take()
    }
}
