package import Columnar

/// The schema of a file twice: the columns that queries see, and the leaf columns that are stored.
package struct ParquetSchema: Sendable {
    /// The fields of the root, in the file's order.
    package var columns: [ParquetColumn]
    /// The stored columns in depth-first order: as column chunks follow each other in row groups.
    package var leaves: [ParquetLeaf]

    /// The first column of this name.
    package func column(named name: String) -> Int? {
        columns.firstIndex { $0.name == name }
    }

    /// The column that carries this Iceberg field id.
    package func column(fieldID: Int) -> Int? {
        columns.firstIndex { $0.fieldID == fieldID }
    }

    /// The columns that can be read, as fields.
    ///
    /// - Throws: `unsupported`, naming the column, when one cannot be read.
    package func fields() throws(ParquetError) -> Schema {
        var fields: [Field] = []
        for column in columns { fields.append(try column.field()) }
        return Schema(fields)
    }
}

/// A field of the file's root: a leaf column, or the root of several.
package struct ParquetColumn: Sendable {
    package var name: String
    /// Iceberg's field id.
    package var fieldID: Int?
    package var isNullable: Bool
    /// Which leaf columns it is stored in.
    package var leaves: Range<Int>
    /// What its values are read as unless told otherwise; nil when they cannot be read.
    package var type: DataType?
    /// Why `type` is nil.
    package var unsupportedReason: String?
    /// How the column is put together from its leaves.
    var node: SchemaNode

    /// Whether it is stored in one leaf column and has no levels above "null or not".
    package var isFlat: Bool {
        if case .leaf = node.shape { return node.repetitionLevel == 0 }
        return false
    }

    /// The column as a field.
    ///
    /// - Throws: `unsupported` when it cannot be read.
    package func field() throws(ParquetError) -> Field {
        guard let type else {
            throw .unsupported("column \(name) cannot be read: \(unsupportedReason ?? "unknown")")
        }
        return Field(name, type, isNullable: isNullable, id: fieldID)
    }
}

/// A stored column.
package struct ParquetLeaf: Sendable {
    /// The names from the root to it, joined by points.
    package var name: String
    package var fieldID: Int?
    package var physical: ParquetPhysicalType
    /// Bytes of a value of `fixedLengthByteArray`.
    package var typeLength: Int
    package var logical: LogicalType?
    package var maxDefinitionLevel: Int
    package var maxRepetitionLevel: Int
    /// What its values are read as unless told otherwise; nil when they cannot be read.
    package var type: DataType?
    package var unsupportedReason: String?
}

/// A node of the schema's tree, with the levels that say whether it is there.
final class SchemaNode: Sendable {
    enum Shape: Sendable {
        case leaf(Int)
        case structure([SchemaNode])
        /// `elementLevel` is the definition level from which on there is an element.
        case list(element: SchemaNode, elementLevel: Int)
        case map(key: SchemaNode, value: SchemaNode, elementLevel: Int)
    }

    let name: String
    let fieldID: Int?
    let isNullable: Bool
    /// The definition level from which on the node is not null.
    let definitionLevel: Int
    /// How many repeated nodes are above it or are it.
    let repetitionLevel: Int
    let shape: Shape
    let leaves: Range<Int>
    let type: Result<DataType, Unsupported>

    struct Unsupported: Error {
        var reason: String
    }

    init(
        element: SchemaElement,
        isNullable: Bool,
        definitionLevel: Int,
        repetitionLevel: Int,
        shape: Shape,
        leaves: Range<Int>,
        type: Result<DataType, Unsupported>
    ) {
        name = element.name
        fieldID = element.fieldID
        self.isNullable = isNullable
        self.definitionLevel = definitionLevel
        self.repetitionLevel = repetitionLevel
        self.shape = shape
        self.leaves = leaves
        self.type = type
    }

    /// The node as a field of a nested type.
    func field() throws(Unsupported) -> Field {
        Field(name, try type.get(), isNullable: isNullable, id: fieldID)
    }
}
