/// A named, typed place in a schema or in a nested type.
package struct Field: Sendable, Hashable {
    package var name: String
    package var type: DataType
    /// Whether values may be null.
    package var isNullable: Bool
    /// Iceberg's field id, by which columns of tables are found; nil where there is none.
    package var id: Int?

    package init(_ name: String, _ type: DataType, isNullable: Bool = true, id: Int? = nil) {
        self.name = name
        self.type = type
        self.isNullable = isNullable
        self.id = id
    }
}

/// The fields of a record batch, a file or a query's result, in order.
///
/// Names may repeat in results.
package struct Schema: Sendable, Hashable {
    package var fields: [Field]

    package init(_ fields: [Field]) {
        self.fields = fields
    }

    package var count: Int { fields.count }

    package subscript(index: Int) -> Field { fields[index] }

    /// The first field of this name, by exact spelling.
    package func index(named name: String) -> Int? {
        fields.firstIndex { $0.name == name }
    }
}
