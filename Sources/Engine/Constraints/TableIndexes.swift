import Bytes
import Iceberg
import Planner
import SQL
import Tables

/// The indexes of a table that are not unique: columns whose files carry bloom filters.
///
/// They are the property `varve.indexes`, which names columns by field id; what makes writers of any program
/// write the filters are Iceberg's own properties, which name columns by name and follow from it.
///
/// - Spec: Formats/table-format, "Indexes".
struct TableIndexes: Sendable, Equatable {
    struct Index: Sendable, Equatable {
        var name: String
        /// Field ids.
        var columns: [Int]
    }

    static let key = "varve.indexes"

    var indexes: [Index] = []

    init() {}

    /// - Throws: for a property that cannot be read.
    init(_ table: TableMetadata) throws {
        guard let text = table.properties[Self.key] else { return }
        guard let json = try? JSON.parse(Array(text.utf8)), let array = json.array else {
            throw Self.wrong(text)
        }
        indexes = try array.map { json in
            guard let name = json["name"]?.string, let ids = json["columns"]?.array else {
                throw Self.wrong(text)
            }
            let numbers = ids.compactMap(\.int32).map { Int($0) }
            guard !numbers.isEmpty, numbers.count == ids.count else { throw Self.wrong(text) }
            return Index(name: name, columns: numbers)
        }
    }

    private static func wrong(_ text: String) -> EngineError {
        EngineError(
            .unsupported,
            "the indexes of the table cannot be read: \(text.prefix(200))",
            hint: "Another program, or a later version, wrote its property \(key)."
        )
    }

    private var text: String {
        let array = indexes.map { index -> JSON in
            var object = JSONObject()
            object["name"] = .string(index.name)
            object["columns"] = .array(index.columns.map { JSON.integer($0) })
            return .object(object)
        }
        return JSON.array(array).text()
    }

    func find(_ name: String) -> Int? {
        indexes.firstIndex { $0.name.lowercased() == name.lowercased() }
    }

    /// The property that asks for the filters of a column.
    private static func filterKey(_ id: Int, _ schema: Iceberg.Schema) -> String? {
        schema.fullName(id: id).map { TableWriterOptions.bloomFilterPrefix + $0 }
    }

    /// What makes a table have these indexes instead of those that it has.
    ///
    /// A filter that somebody asked for by hand on a column without an index stays.
    func updates(_ table: TableMetadata) throws -> [TableUpdate] {
        let before = try TableIndexes(table)
        let schema = table.currentSchema
        let wanted = Set(indexes.flatMap(\.columns))
        var set: [String: String] = [:]
        var removed: [String] = []
        for id in wanted {
            if let key = Self.filterKey(id, schema), table.properties[key] != "true" {
                set[key] = "true"
            }
        }
        for id in Set(before.indexes.flatMap(\.columns)).subtracting(wanted) {
            if let key = Self.filterKey(id, schema), table.properties[key] != nil {
                removed.append(key)
            }
        }
        if indexes.isEmpty {
            if table.properties[Self.key] != nil { removed.append(Self.key) }
        } else if table.properties[Self.key] != text {
            set[Self.key] = text
        }
        var updates: [TableUpdate] = []
        if !set.isEmpty { updates.append(.setProperties(set)) }
        if !removed.isEmpty { updates.append(.removeProperties(removed.sorted())) }
        return updates
    }

    /// What keeps the indexes of a table true after its columns were changed.
    static func updates(from old: TableMetadata, to new: TableMetadata) throws -> [TableUpdate] {
        guard old.properties[key] != nil, old.currentSchema != new.currentSchema else { return [] }
        let (before, after) = (old.currentSchema, new.currentSchema)
        var kept = try TableIndexes(old)
        var removed: [String] = []
        for id in Set(kept.indexes.flatMap(\.columns)) {
            if let key = filterKey(id, before), key != filterKey(id, after) { removed.append(key) }
        }
        for index in kept.indexes.indices {
            kept.indexes[index].columns = kept.indexes[index].columns.compactMap { id in
                if after.fullName(id: id) != nil { return id }
                // A column that was made anew, with another type.
                return before.fullName(id: id).flatMap { after.field(named: $0)?.id }
            }
        }
        // What an index is over is gone, so it is.
        kept.indexes.removeAll(where: \.columns.isEmpty)
        var set: [String: String] = [:]
        for id in Set(kept.indexes.flatMap(\.columns)) {
            if let key = filterKey(id, after) { set[key] = "true" }
        }
        removed.removeAll { set[$0] != nil }
        if kept.indexes.isEmpty { removed.append(key) } else { set[key] = kept.text }
        var updates: [TableUpdate] = []
        if !set.isEmpty { updates.append(.setProperties(set)) }
        if !removed.isEmpty { updates.append(.removeProperties(removed.sorted())) }
        return updates
    }
}
