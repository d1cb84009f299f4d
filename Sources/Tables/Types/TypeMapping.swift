package import Columnar
package import Iceberg

// Which column type holds the values of which Iceberg type. The two sets are nearly the same:
// nanosecond timestamps are read as microseconds (files with finer values are refused by the reader),
// variants and geometries cannot be read, intervals cannot be stored.

extension DataType {
    /// The type of columns that hold values of an Iceberg type.
    ///
    /// - Throws: `unsupported` for variants and geometries.
    package init(_ type: IcebergType) throws(TablesError) {
        switch type {
        case .boolean: self = .boolean
        case .int: self = .int32
        case .long: self = .int64
        case .float: self = .float32
        case .double: self = .float64
        case .decimal(let precision, let scale):
            self = .decimal(precision: precision, scale: scale)
        case .date: self = .date
        case .time: self = .time
        case .timestamp, .timestampNanos: self = .timestamp
        case .timestamptz, .timestamptzNanos: self = .timestamptz
        case .string: self = .string
        case .uuid: self = .uuid
        case .fixed(let length): self = .fixed(length)
        case .binary: self = .binary
        case .unknown: self = .null
        case .variant, .geospatial:
            throw TablesError(.unsupported, "columns of type \(type) cannot be read yet")
        case .struct(let type):
            var fields: [Field] = []
            for field in type.fields { fields.append(try Field(field)) }
            self = .structure(fields)
        case .list(let type): self = .list(try Field(type.elementField))
        case .map(let type):
            self = .map(key: try Field(type.keyField), value: try Field(type.valueField))
        }
    }
}

extension Field {
    /// A field of a table as a column's: same name and id, null unless required.
    ///
    /// - Throws: `unsupported`, naming the field, when its type has no column type.
    package init(_ field: NestedField) throws(TablesError) {
        do {
            self.init(
                field.name,
                try DataType(field.type),
                isNullable: !field.required,
                id: field.id
            )
        } catch {
            var error = error
            error.context.insert(field.name, at: 0)
            throw error
        }
    }
}

extension Columnar.Schema {
    /// The columns of a table's schema.
    ///
    /// - Throws: `unsupported`, naming the field, when a type has no column type.
    package init(_ schema: Iceberg.Schema) throws(TablesError) {
        var fields: [Field] = []
        for field in schema.fields { fields.append(try Field(field)) }
        self.init(fields)
    }
}

/// Makes Iceberg fields from columns, giving ids to those that have none.
private struct FieldNumbering {
    var nextID: Int
    /// Whether ids that columns carry are kept.
    let keepsIDs: Bool

    private mutating func id(_ field: Field) -> Int {
        if keepsIDs, let id = field.id { return id }
        defer { nextID += 1 }
        return nextID
    }

    mutating func field(_ field: Field) throws(TablesError) -> NestedField {
        do {
            return NestedField(
                id: id(field),
                name: field.name,
                required: !field.isNullable,
                type: try type(field.type)
            )
        } catch {
            var error = error
            error.context.insert(field.name, at: 0)
            throw error
        }
    }

    mutating func type(_ type: DataType) throws(TablesError) -> IcebergType {
        switch type {
        case .null: return .unknown
        case .boolean: return .boolean
        case .int32: return .int
        case .int64: return .long
        case .float32: return .float
        case .float64: return .double
        case .decimal(let precision, let scale):
            return .decimal(precision: precision, scale: scale)
        case .date: return .date
        case .time: return .time
        case .timestamp: return .timestamp
        case .timestamptz: return .timestamptz
        case .interval:
            throw TablesError(.unsupported, "tables cannot hold intervals; store two timestamps")
        case .string: return .string
        case .binary: return .binary
        case .fixed(let length): return .fixed(length: length)
        case .uuid: return .uuid
        case .list(let element):
            let field = try field(element)
            return .list(
                ListType(
                    elementID: field.id,
                    element: field.type,
                    elementRequired: field.required
                )
            )
        case .structure(let fields):
            var nested: [NestedField] = []
            for field in fields { nested.append(try self.field(field)) }
            return .struct(StructType(fields: nested))
        case .map(let key, let value):
            let keyField = try field(key)
            let valueField = try field(value)
            return .map(
                MapType(
                    keyID: keyField.id,
                    key: keyField.type,
                    valueID: valueField.id,
                    value: valueField.type,
                    valueRequired: valueField.required
                )
            )
        }
    }
}

extension Iceberg.Schema {
    /// A table schema for columns, with new ids from 1 on in the order of the fields.
    ///
    /// `TableMetadata.create` and `addSchema` choose ids of their own.
    ///
    /// - Throws: `unsupported` for intervals, `IcebergError` when names repeat.
    package init(numbering columns: Columnar.Schema) throws {
        var numbering = FieldNumbering(nextID: 1, keepsIDs: false)
        var fields: [NestedField] = []
        for column in columns.fields { fields.append(try numbering.field(column)) }
        try self.init(fields: fields)
    }
}

extension IcebergType {
    /// The type of table columns that hold values of a column type; nested fields without an id get one
    /// from `firstID` on.
    ///
    /// - Throws: `unsupported` for intervals.
    package init(_ type: DataType, firstID: Int = 1) throws(TablesError) {
        var numbering = FieldNumbering(nextID: firstID, keepsIDs: true)
        self = try numbering.type(type)
    }
}
