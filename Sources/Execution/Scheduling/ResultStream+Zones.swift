package import Columnar
import Kernels

extension ResultStream {
    /// The schema of the rows for people: instants are texts where the zone is not UTC.
    package var shownSchema: Schema {
        if timeZone == "UTC" { return schema }
        return Schema(
            schema.fields.map {
                $0.type == .timestamptz ? Field($0.name, .string, isNullable: $0.isNullable) : $0
            }
        )
    }

    /// A batch for people: instants as the clocks of the zone show them.
    package func shown(_ batch: RecordBatch) throws -> RecordBatch {
        if timeZone == "UTC" { return batch }
        let rules = try TimeZones.rules(timeZone)
        var columns: [Column] = []
        for column in batch.columns {
            columns.append(
                column.type == .timestamptz ? try Temporal.zonedText(column, rules) : column
            )
        }
        return RecordBatch(schema: shownSchema, columns: columns, rowCount: batch.rowCount)
    }
}
