package import Columnar

/// A function of list elements: its body over positions.
///
/// In `body`, column numbers are positions: the parameters first, then what is captured of the row
/// around, which stands among the arguments of the call from `captureStart` on.
package struct Lambda: Sendable, Hashable {
    package var body: BoundExpression
    package var parameterTypes: [DataType]
    package var captureStart: Int
    package var captureCount: Int

    /// Whether the body looks at a parameter.
    package func uses(_ parameter: Int) -> Bool {
        body.columnIDs.contains(ColumnID(parameter))
    }
}

/// The functions of lists, structs and maps.
package enum NestedFunction: Sendable, Hashable {
    /// A list of the arguments.
    case list
    /// A struct of the arguments.
    case structure
    /// A map of a list of keys and one of values.
    case map
    case mapFromEntries
    /// A field of a struct, by position.
    case field(Int)
    /// An element of a list, by its place from 1.
    case element
    /// Some elements of a list, or characters of a text: the list, then the bounds that are written.
    case slice(hasLower: Bool, hasUpper: Bool, hasStep: Bool)
    case textElement
    case textSlice(hasLower: Bool, hasUpper: Bool)
    case sort(isDescending: Bool, nullsFirst: Bool, givesPlaces: Bool)
    /// An aggregate of the elements; its argument is column 0.
    case aggregate(AggregateCall)
    case plain(ListFunction)
    /// Parts of text that a regular expression finds, or that lie between what it finds.
    case regexpExtractAll(pattern: String, options: String, group: Int)
    case regexpSplit(pattern: String, options: String)
    /// What a body gives for each element, of those only for which a condition is true.
    case transform(Lambda, condition: Lambda?)
    case filter(Lambda)
    /// The elements folded into one value; the second argument is the first value when there is one.
    case reduce(Lambda, hasInitial: Bool)
    case json(JSONFunction)

    /// The name in SQL, for people.
    package var name: String {
        switch self {
        case .list: "list_value"
        case .structure: "struct_pack"
        case .map: "map"
        case .mapFromEntries: "map_from_entries"
        case .field: "struct_extract"
        case .element, .textElement: "array_extract"
        case .slice, .textSlice: "array_slice"
        case .sort(_, _, let givesPlaces): givesPlaces ? "list_grade_up" : "list_sort"
        case .aggregate(let call): "list_\(call.function.rawValue)"
        case .plain(let function): function.rawValue
        case .regexpExtractAll: "regexp_extract_all"
        case .regexpSplit: "string_split_regex"
        case .transform: "list_transform"
        case .filter: "list_filter"
        case .reduce: "list_reduce"
        case .json(let function): function.name
        }
    }

    /// Whether a call may fail for some arguments.
    package var canFail: Bool {
        switch self {
        case .list, .structure, .field, .element, .textElement, .sort: false
        case .slice(_, _, let hasStep): hasStep
        case .textSlice: false
        case .transform(let lambda, let condition):
            lambda.body.canFail || condition?.body.canFail ?? false
        case .filter(let lambda): lambda.body.canFail
        case .plain(let function): function.canFail
        case .json(let function): function.canFail
        case .map, .mapFromEntries, .aggregate, .regexpExtractAll, .regexpSplit, .reduce: true
        }
    }

    /// Whether a call gives the same answer for the same arguments each time.
    package var isDeterministic: Bool {
        switch self {
        case .transform(let lambda, let condition):
            lambda.body.isDeterministic && condition?.body.isDeterministic ?? true
        case .filter(let lambda), .reduce(let lambda, _): lambda.body.isDeterministic
        default: true
        }
    }
}

/// The functions of lists and maps that take values only, by their canonical SQL names.
package enum ListFunction: String, Sendable, Hashable, CaseIterable {
    case length = "len"
    case contains = "list_contains"
    case position = "list_position"
    case concatenate = "list_concat"
    case reverse = "list_reverse"
    case distinct = "list_distinct"
    /// As `distinct`, with null among the values.
    case distinctWithNull = "list_distinct_with_null"
    case unique = "list_unique"
    case flatten
    case zip = "list_zip"
    case resize = "list_resize"
    case select = "list_select"
    case chosen = "list_where"
    case hasAny = "list_has_any"
    case hasAll = "list_has_all"
    case intersect = "list_intersect"
    case range
    case series = "generate_series"
    case join = "array_to_string"
    case split = "string_split"
    case distance = "list_distance"
    case innerProduct = "list_inner_product"
    case negativeInnerProduct = "list_negative_inner_product"
    case cosineSimilarity = "list_cosine_similarity"
    case cosineDistance = "list_cosine_distance"
    case cardinality
    case mapKeys = "map_keys"
    case mapValues = "map_values"
    case mapEntries = "map_entries"
    case mapConcat = "map_concat"
    case mapContains = "map_contains"
    case mapExtract = "map_extract"
    case mapExtractValue = "map_extract_value"

    var canFail: Bool {
        switch self {
        case .length, .contains, .position, .reverse, .distinct, .distinctWithNull, .unique,
            .hasAny, .hasAll,
            .intersect, .cardinality, .mapKeys, .mapValues, .mapContains, .mapExtract,
            .mapExtractValue:
            false
        default: true
        }
    }
}

/// The functions of JSON in texts.
package struct JSONFunction: Sendable, Hashable {
    /// What is done, by its canonical SQL name.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The text itself, which must be JSON.
        case check = "json"
        case extract = "json_extract"
        case extractString = "json_extract_string"
        case value = "json_value"
        case exists = "json_exists"
        case type = "json_type"
        case valid = "json_valid"
        case arrayLength = "json_array_length"
        case keys = "json_keys"
        case structure = "json_structure"
        case pretty = "json_pretty"
        case contains = "json_contains"
        case mergePatch = "json_merge_patch"
        case object = "json_object"
        case array = "json_array"
        case toJSON = "to_json"
        case fromJSON = "json_transform"
        case groupObject = "json_group_object"
        /// The text itself as it is, which must be JSON.
        case cast = "cast_to_json"
    }

    package var kind: Kind
    /// Whether a path gives a list of all it meets: one with wildcards.
    package var givesList = false
    /// Which arguments of a constructor are JSON already, by position.
    package var jsonArguments: Set<Int> = []
    /// Whether what does not fit a type is an error instead of null.
    package var isStrict = false

    package init(_ kind: Kind) { self.kind = kind }

    var name: String { kind.rawValue }

    var canFail: Bool { kind != .valid && kind != .object && kind != .array && kind != .toJSON }

    /// Whether the result is a JSON text.
    var givesJSON: Bool {
        switch kind {
        case .check, .extract, .structure, .mergePatch, .object, .array, .toJSON, .groupObject,
            .cast:
            !givesList
        default: false
        }
    }
}

extension DataType {
    /// A list of elements of a type, named as casts and literals name them.
    package static func list(of element: DataType) -> DataType { .list(Field("element", element)) }

    /// A map, named as casts and literals name it.
    package static func map(from key: DataType, to value: DataType) -> DataType {
        .map(key: Field("key", key, isNullable: false), value: Field("value", value))
    }
}
