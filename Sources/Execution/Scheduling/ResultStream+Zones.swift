package import Columnar
import Kernels

extension ResultStream {
    /// The schema of the rows for people: instants are texts where the zone is not UTC.
    package var shownSchema: Schema {
        if timeZone == "UTC" { return schema }
        return Schema(
            schema.fields.map { Field($0.name, shownType($0.type), isNullable: $0.isNullable) }
        )
    }

    /// A batch for people: instants as the clocks of the zone show them.
    package func shown(_ batch: RecordBatch) throws -> RecordBatch {
        if timeZone == "UTC" { return batch }
        let rules = try TimeZones.rules(timeZone)
        let columns = try batch.columns.map { try zoned($0, rules) }
        return RecordBatch(schema: shownSchema, columns: columns, rowCount: batch.rowCount)
    }

    private func shownType(_ type: DataType) -> DataType {
        func shown(_ field: Field) -> Field {
            Field(field.name, shownType(field.type), isNullable: field.isNullable, id: field.id)
        }
        return switch type {
        case .timestamptz: .string
        case .list(let element): .list(shown(element))
        case .structure(let fields): .structure(fields.map(shown))
        case .map(let key, let value): .map(key: shown(key), value: shown(value))
        default: type
        }
    }

    /// A column with its instants, also those inside of its values, as texts.
    private func zoned(_ column: Column, _ rules: ZoneRules) throws -> Column {
        let type = shownType(column.type)
        if type == column.type { return column }
        if column.type == .timestamptz { return try Temporal.zonedText(column, rules) }
        let storage: Column.Storage
        switch column.storage {
        case .constant(let box):
            storage = .constant(ColumnBox(try zoned(box.column, rules)))
        case .dictionary(let codes, let dictionary):
            let values = ColumnDictionary(try zoned(dictionary.values, rules))
            storage = .dictionary(codes: codes, values)
        case .list(let offsets, let elements):
            let shown = ColumnBox(try zoned(elements.column, rules))
            storage = .list(offsets: offsets, elements: shown)
        case .structure(let columns):
            storage = .structure(try columns.map { try zoned($0, rules) })
        case .map(let offsets, let keys, let values):
            storage = .map(
                offsets: offsets,
                keys: ColumnBox(try zoned(keys.column, rules)),
                values: ColumnBox(try zoned(values.column, rules))
            )
        default: storage = column.storage
        }
        return Column(type: type, count: column.count, validity: column.validity, storage: storage)
    }
}
