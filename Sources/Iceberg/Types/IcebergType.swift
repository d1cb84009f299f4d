package import Bytes

/// A type of the Iceberg specification.
///
/// - Spec: Iceberg table specification, "Schemas and Data Types".
package indirect enum IcebergType: Sendable, Hashable {
    case boolean
    case int
    case long
    case float
    case double
    case decimal(precision: Int, scale: Int)
    /// Days since 1970-01-01.
    case date
    /// Microseconds since midnight.
    case time
    /// Microseconds since 1970-01-01 00:00:00, in no time zone.
    case timestamp
    /// Microseconds since 1970-01-01 00:00:00 UTC.
    case timestamptz
    /// Nanoseconds since 1970-01-01 00:00:00, in no time zone (v3).
    case timestampNanos
    /// Nanoseconds since 1970-01-01 00:00:00 UTC (v3).
    case timestamptzNanos
    case string
    case uuid
    case fixed(length: Int)
    case binary
    /// Only nulls so far (v3).
    case unknown
    /// Semi-structured values (v3): read and written as a type only.
    case variant
    /// `geometry` or `geography` with its parameters as they were written (v3): a type only.
    case geospatial(String)
    case `struct`(StructType)
    case list(ListType)
    case map(MapType)

    /// Whether values of this type are single values: neither nested nor semi-structured.
    package var isPrimitive: Bool {
        switch self {
        case .struct, .list, .map, .variant: false
        default: true
        }
    }

    /// Whether values are float or double, and so may be NaN.
    package var isFloating: Bool { self == .float || self == .double }

    /// The format version that a table needs for this type, not counting what is nested in it.
    package var formatVersionMin: Int {
        switch self {
        case .timestampNanos, .timestamptzNanos, .unknown, .variant, .geospatial: 3
        default: 1
        }
    }

    /// The largest precision of a decimal.
    package static let precisionMax = 38

    /// Whether a column of this type may become one of type `wider` without rewriting data files.
    ///
    /// - Spec: "Schema Evolution", the promotions of v1 and v2, and those to `unknown` of v3.
    package func canPromote(to wider: IcebergType) -> Bool {
        switch (self, wider) {
        case (.int, .long), (.float, .double): true
        case (.decimal(let precision, let scale), .decimal(let widerPrecision, let widerScale)):
            scale == widerScale && widerPrecision >= precision
        case (.unknown, _): wider.isPrimitive
        default: self == wider
        }
    }

    /// How deep types may be nested in what this program reads.
    static let depthMax = 64
}

/// An ordered list of named, typed fields.
package struct StructType: Sendable, Hashable {
    /// In their order.
    package var fields: [NestedField]

    package init(fields: [NestedField]) {
        self.fields = fields
    }

    /// The field with this id among the fields themselves, not those nested in them.
    package func field(id: Int) -> NestedField? {
        fields.first { $0.id == id }
    }
}

/// A list of elements of one type.
package struct ListType: Sendable, Hashable {
    /// The field id of the elements.
    package var elementID: Int
    /// The type of the elements.
    package var element: IcebergType
    /// Whether elements are never null.
    package var elementRequired: Bool

    package init(elementID: Int, element: IcebergType, elementRequired: Bool) {
        self.elementID = elementID
        self.element = element
        self.elementRequired = elementRequired
    }

    /// The element as a field named `element`.
    package var elementField: NestedField {
        NestedField(id: elementID, name: "element", required: elementRequired, type: element)
    }
}

/// A map from keys, which are never null, to values.
package struct MapType: Sendable, Hashable {
    /// The field id of the keys.
    package var keyID: Int
    /// The type of the keys.
    package var key: IcebergType
    /// The field id of the values.
    package var valueID: Int
    /// The type of the values.
    package var value: IcebergType
    /// Whether values are never null.
    package var valueRequired: Bool

    package init(
        keyID: Int,
        key: IcebergType,
        valueID: Int,
        value: IcebergType,
        valueRequired: Bool
    ) {
        self.keyID = keyID
        self.key = key
        self.valueID = valueID
        self.value = value
        self.valueRequired = valueRequired
    }

    /// The key as a field named `key`.
    package var keyField: NestedField {
        NestedField(id: keyID, name: "key", required: true, type: key)
    }

    /// The value as a field named `value`.
    package var valueField: NestedField {
        NestedField(id: valueID, name: "value", required: valueRequired, type: value)
    }
}

/// A column of a schema, a field of a struct, or what a list or map is made of.
package struct NestedField: Sendable, Hashable {
    /// Unique among all fields of the table, for good.
    package var id: Int
    /// The name, without those of what it is nested in.
    package var name: String
    /// Whether it is never null.
    package var required: Bool
    /// What kind it is of.
    package var type: IcebergType
    /// A comment for people.
    package var doc: String?
    /// The value of rows that were written before the field was added (v3), in the single-value form.
    package var initialDefault: JSON?
    /// The value that writers fill in when none is given (v3), in the single-value form.
    package var writeDefault: JSON?
    /// Members that this program has no place for.
    package var additional: JSONObject

    package init(
        id: Int,
        name: String,
        required: Bool,
        type: IcebergType,
        doc: String? = nil,
        initialDefault: JSON? = nil,
        writeDefault: JSON? = nil,
        additional: JSONObject = JSONObject()
    ) {
        self.id = id
        self.name = name
        self.required = required
        self.type = type
        self.doc = doc
        self.initialDefault = initialDefault
        self.writeDefault = writeDefault
        self.additional = additional
    }

    /// The initial default as a single value; nil when there is none or the type is nested.
    package var initialValue: Datum? { datum(initialDefault) }

    /// The write default as a single value; nil when there is none or the type is nested.
    package var writeValue: Datum? { datum(writeDefault) }

    private func datum(_ json: JSON?) -> Datum? {
        guard let json else { return nil }
        return try? Datum(json: json, type: type)
    }
}
