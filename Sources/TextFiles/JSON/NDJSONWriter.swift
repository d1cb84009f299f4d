package import Columnar

/// Writes record batches as newline-delimited JSON, one object a row.
///
/// NULLs are written. Integers and decimals are JSON numbers with all their digits; dates and times
/// are strings in ISO 8601, bytes are base64, NaN and infinities the strings `NaN`, `Infinity` and
/// `-Infinity`; maps are objects whose keys are the keys' text.
package final class NDJSONWriter {
    package let schema: Schema
    private let names: [[UInt8]]
    private let output = OutputBuffer()

    package init(schema: Schema) {
        self.schema = schema
        names = schema.fields.map { ColumnText.jsonName($0.name) }
    }

    /// The lines of a batch.
    package func encode(_ batch: RecordBatch) -> [UInt8] {
        precondition(batch.schema.count == schema.count)
        let columns = batch.columns.map { ColumnText($0) }
        for row in 0..<batch.rowCount {
            output.append(UInt8(ascii: "{"))
            for (place, column) in columns.enumerated() {
                if place > 0 { output.append(UInt8(ascii: ",")) }
                output.append(names[place])
                column.appendJSON(row, .numbers, to: output)
            }
            output.append("}\n" as StaticString)
        }
        return output.take()
    }
}
