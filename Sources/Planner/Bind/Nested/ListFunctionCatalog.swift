import Columnar
import SQL

/// Names in SQL of the functions of lists, structs and maps, and the types that they take.
enum ListFunctionCatalog {
    /// Names that mean a function of lists or maps whatever their arguments are.
    static let own: [String: ListFunction] = [
        "array_length": .length,
        "list_contains": .contains, "array_contains": .contains, "list_has": .contains,
        "array_has": .contains,
        "list_position": .position, "list_indexof": .position, "array_position": .position,
        "array_indexof": .position,
        "list_concat": .concatenate, "list_cat": .concatenate, "array_concat": .concatenate,
        "array_cat": .concatenate,
        "list_reverse": .reverse, "array_reverse": .reverse,
        "list_distinct": .distinct, "array_distinct": .distinct,
        "list_unique": .unique, "array_unique": .unique,
        "flatten": .flatten,
        "list_zip": .zip, "array_zip": .zip,
        "list_resize": .resize, "array_resize": .resize,
        "list_select": .select, "array_select": .select,
        "list_where": .chosen, "array_where": .chosen,
        "list_has_any": .hasAny, "array_has_any": .hasAny,
        "list_has_all": .hasAll, "array_has_all": .hasAll,
        "list_intersect": .intersect, "array_intersect": .intersect,
        "range": .range, "generate_series": .series,
        "array_to_string": .join, "list_to_string": .join,
        "string_split": .split, "str_split": .split, "split": .split, "string_to_array": .split,
        "list_distance": .distance, "array_distance": .distance,
        "list_inner_product": .innerProduct, "list_dot_product": .innerProduct,
        "array_inner_product": .innerProduct, "array_dot_product": .innerProduct,
        "list_negative_inner_product": .negativeInnerProduct,
        "list_negative_dot_product": .negativeInnerProduct,
        "list_cosine_similarity": .cosineSimilarity, "array_cosine_similarity": .cosineSimilarity,
        "list_cosine_distance": .cosineDistance, "array_cosine_distance": .cosineDistance,
        "cardinality": .cardinality,
        "map_keys": .mapKeys, "map_values": .mapValues, "map_entries": .mapEntries,
        "map_concat": .mapConcat, "map_contains": .mapContains,
        "element_at": .mapExtract, "map_extract": .mapExtract,
        "map_extract_value": .mapExtractValue,
    ]

    /// Names that mean a function of lists only when the first argument is one.
    static let shared: [String: ListFunction] = [
        "len": .length, "length": .length, "contains": .contains, "reverse": .reverse,
        "concat": .concatenate,
    ]

    /// Further names that are bound on their own.
    static let others: Set<String> = [
        "list_value", "list_pack", "row", "struct_pack", "map", "map_from_entries",
        "list_extract", "list_element", "array_extract", "struct_extract", "struct_extract_at",
        "list_slice", "array_slice", "list_append", "array_append", "array_push_back",
        "list_prepend", "array_prepend", "array_push_front", "array_pop_back", "array_pop_front",
        "list_sort", "array_sort", "list_reverse_sort", "array_reverse_sort", "list_grade_up",
        "array_grade_up", "list_aggregate", "list_aggr", "array_aggregate", "array_aggr",
        "aggregate", "regexp_extract_all", "string_split_regex", "str_split_regex",
        "regexp_split_to_array", "struct_insert", "struct_update", "struct_keys", "struct_values",
        "struct_concat", "struct_contains", "struct_has", "struct_position", "struct_indexof",
        "map_contains_value", "map_contains_entry", "unpivot_list",
    ]

    static let lambdaFunctions: Set<String> = [
        "list_transform", "array_transform", "list_apply", "array_apply", "apply",
        "list_comprehension", "list_filter", "array_filter", "filter", "list_reduce",
        "array_reduce", "reduce",
    ]

    /// Every name, for suggestions.
    static var names: [String] {
        Array(own.keys) + Array(others) + Array(lambdaFunctions) + ["unnest", "list", "array_agg"]
    }

    /// The aggregate that `list_sum` and its like mean.
    static func aggregate(named name: String) -> String? {
        for prefix in ["list_", "array_"] where name.hasPrefix(prefix) {
            let rest = String(name.dropFirst(prefix.count))
            if rest != "agg", AggregateFunction.named(rest) != nil { return rest }
        }
        return nil
    }
}
