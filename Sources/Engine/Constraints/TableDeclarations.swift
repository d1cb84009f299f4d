import Bytes
import Columnar
import Iceberg
import Planner
import SQL

/// What a table's declarations say of its rows: keys, checks, defaults, generated columns.
///
/// They are table properties whose names begin with `varve.`; columns are named by field id, so that they
/// follow renames, whoever renames.
///
/// - Spec: Formats/table-format, "Declarations".
struct TableDeclarations: Sendable, Equatable {
    /// An expression over columns, which it names as they were called when it was declared.
    struct RowExpression: Sendable, Equatable {
        var text: String
        /// The table's name then, which may stand before a column.
        var table: String
        /// Field ids by the names in the text.
        var columns: [String: Int]
    }

    struct ForeignKey: Sendable, Equatable {
        var columns: [Int]
        var tableUUID: String
        /// For messages: tables are found by their uuid.
        var tableName: [String]
        /// Field ids of the other table, in the order of `columns`.
        var referenced: [Int]
    }

    enum Rule: Sendable, Equatable {
        case primaryKey([Int])
        case unique([Int])
        case check(RowExpression)
        case foreignKey(ForeignKey)

        /// The fields of a key that no two rows share.
        var key: [Int]? {
            switch self {
            case .primaryKey(let columns), .unique(let columns): columns
            case .check, .foreignKey: nil
            }
        }

        /// The fields that the rule is about.
        var fieldIDs: Set<Int> {
            switch self {
            case .primaryKey(let columns), .unique(let columns): Set(columns)
            case .check(let expression): Set(expression.columns.values)
            case .foreignKey(let key): Set(key.columns)
            }
        }
    }

    struct Constraint: Sendable, Equatable {
        var name: String
        var rule: Rule
    }

    struct Column: Sendable, Equatable {
        /// The text of an expression without columns.
        var defaultText: String?
        var generated: RowExpression?
        /// As declared; the values are stored in any case.
        var isStored = false
        /// How its texts are compared; nil for by their bytes.
        var collation: Collation?
    }

    /// A table with a foreign key to this one.
    struct Referrer: Sendable, Equatable {
        var tableUUID: String
        var tableName: [String]
    }

    var constraints: [Constraint] = []
    /// By field id.
    var columns: [Int: Column] = [:]
    var referrers: [Referrer] = []

    static let constraintsKey = "varve.constraints"
    static let columnsKey = "varve.columns"
    static let referrersKey = "varve.referenced-by"
    static let keys = [constraintsKey, columnsKey, referrersKey]

    init() {}

    var isEmpty: Bool { constraints.isEmpty && columns.isEmpty && referrers.isEmpty }

    /// Whether a table has any, without reading them.
    static func exist(in properties: [String: String]) -> Bool {
        keys.contains { properties[$0] != nil }
    }

    /// Whether two states of a table declare the same.
    static func areEqual(_ one: [String: String], _ other: [String: String]) -> Bool {
        keys.allSatisfy { one[$0] == other[$0] }
    }

    // MARK: JSON

    /// - Throws: for declarations that cannot be read, or of kinds that this program does not know: it
    ///   must not write to the table then.
    init(_ table: TableMetadata) throws {
        guard Self.exist(in: table.properties) else { return }
        if let text = table.properties[Self.constraintsKey] {
            guard let array = try Self.parse(text).array else { throw Self.wrong(text) }
            constraints = try array.map { try Self.constraint($0) }
        }
        if let text = table.properties[Self.columnsKey] {
            guard let object = try Self.parse(text).object else { throw Self.wrong(text) }
            for member in object.members {
                guard let id = Int(member.key) else { throw Self.wrong(text) }
                var column = Column()
                column.defaultText = member.value["default"]?.string
                column.generated = try member.value["generated"].map {
                    try Self.expression($0)
                }
                column.isStored = member.value["stored"]?.bool ?? false
                column.collation = member.value["collation"]?.string.flatMap { Collation([$0]) }
                columns[id] = column
            }
        }
        if let text = table.properties[Self.referrersKey] {
            guard let array = try Self.parse(text).array else { throw Self.wrong(text) }
            referrers = try array.map { json in
                guard let uuid = json["table-uuid"]?.string else { throw Self.wrong(text) }
                return Referrer(tableUUID: uuid, tableName: Self.texts(json["table"]))
            }
        }
    }

    private static func parse(_ text: String) throws -> JSON {
        guard let json = try? JSON.parse(Array(text.utf8)) else { throw wrong(text) }
        return json
    }

    private static func wrong(_ text: String) -> EngineError {
        EngineError(
            .unsupported,
            "the declarations of the table cannot be read, so it is not written to: \(text.prefix(200))",
            hint: "Another program, or a later version, wrote its properties that begin with varve."
        )
    }

    private static func texts(_ json: JSON?) -> [String] {
        (json?.array ?? []).compactMap(\.string)
    }

    private static func numbers(_ json: JSON?) throws -> [Int] {
        guard let array = json?.array else { throw wrong("a list of fields") }
        let numbers = array.compactMap(\.int32).map { Int($0) }
        guard !numbers.isEmpty, numbers.count == array.count else {
            throw wrong("a list of fields")
        }
        return numbers
    }

    private static func expression(_ json: JSON) throws -> RowExpression {
        guard let text = json["expression"]?.string, let columns = json["columns"]?.object else {
            throw wrong(json.text())
        }
        var ids: [String: Int] = [:]
        for member in columns.members {
            guard let id = member.value.int32 else { throw wrong(json.text()) }
            ids[member.key] = Int(id)
        }
        return RowExpression(text: text, table: json["table"]?.string ?? "", columns: ids)
    }

    private static func constraint(_ json: JSON) throws -> Constraint {
        guard let name = json["name"]?.string, let kind = json["type"]?.string else {
            throw wrong(json.text())
        }
        switch kind {
        case "primary-key":
            return Constraint(name: name, rule: .primaryKey(try numbers(json["columns"])))
        case "unique": return Constraint(name: name, rule: .unique(try numbers(json["columns"])))
        case "check": return Constraint(name: name, rule: .check(try expression(json)))
        case "foreign-key":
            let key = ForeignKey(
                columns: try numbers(json["columns"]),
                tableUUID: json["references-uuid"]?.string ?? "",
                tableName: texts(json["references"]),
                referenced: try numbers(json["referenced-columns"])
            )
            guard key.columns.count == key.referenced.count else { throw wrong(json.text()) }
            return Constraint(name: name, rule: .foreignKey(key))
        default: throw wrong(json.text())
        }
    }

    /// The properties that say this; nil for those that there need not be.
    var properties: [String: String?] {
        func text(_ json: JSON) -> String { json.text() }
        var map: [String: String?] = [:]
        map.updateValue(
            constraints.isEmpty ? nil : text(.array(constraints.map(\.json))),
            forKey: Self.constraintsKey
        )
        var object = JSONObject()
        for (id, column) in columns.sorted(by: { $0.key < $1.key }) {
            var members = JSONObject()
            if let value = column.defaultText { members["default"] = .string(value) }
            if let generated = column.generated {
                members["generated"] = generated.json
                members["stored"] = .bool(column.isStored)
            }
            if let collation = column.collation { members["collation"] = .string(collation.name) }
            if !members.isEmpty { object[String(id)] = .object(members) }
        }
        map.updateValue(
            object.isEmpty ? nil : text(.object(object)),
            forKey: Self.columnsKey
        )
        map.updateValue(
            referrers.isEmpty
                ? nil
                : text(
                    .array(
                        referrers.map {
                            [
                                "table-uuid": .string($0.tableUUID),
                                "table": .strings($0.tableName),
                            ]
                        }
                    )
                ),
            forKey: Self.referrersKey
        )
        return map
    }

    /// How the texts of columns are compared, by their place.
    func collations(_ columns: Columnar.Schema) -> [Int: Collation] {
        var found: [Int: Collation] = [:]
        for (position, field) in columns.fields.enumerated() {
            if let id = field.id { found[position] = self.columns[id]?.collation }
        }
        return found
    }

    /// The updates that make a table declare this.
    var updates: [TableUpdate] {
        let (map, removed) = (properties, properties.filter { $0.value == nil }.keys.sorted())
        let set = map.compactMapValues { $0 }
        var updates: [TableUpdate] = []
        if !set.isEmpty { updates.append(.setProperties(set)) }
        if !removed.isEmpty { updates.append(.removeProperties(removed)) }
        return updates
    }
}

extension TableDeclarations.RowExpression {
    fileprivate var json: JSON {
        var names = JSONObject()
        for (name, id) in columns.sorted(by: { $0.key < $1.key }) { names[name] = .integer(id) }
        return [
            "expression": .string(text), "table": .string(table), "columns": .object(names),
        ]
    }

    /// The expression bound over rows of a schema's columns, by their positions.
    func bound(
        over schema: Iceberg.Schema,
        _ types: [Int: (position: Int, type: Columnar.DataType)],
        _ environment: BindingEnvironment,
        clause: String
    ) throws -> BoundExpression {
        let names = try columns.map { name, id -> RowColumn in
            guard let place = types[id] else {
                throw EngineError(
                    .invalid,
                    "\(clause) (\(text)) names column \"\(name)\", which the table has not any more",
                    hint: "Drop the constraint or the column that needs it."
                )
            }
            return RowColumn(name: name, position: place.position, type: place.type)
        }
        var binder = Binder(environment: environment)
        return try binder.rowExpression(
            try Parser.parseExpression(text),
            over: names,
            table: table.isEmpty ? [] : [table],
            clause: clause
        )
    }
}

extension TableDeclarations.Constraint {
    fileprivate var json: JSON {
        switch rule {
        case .primaryKey(let columns):
            [
                "name": .string(name), "type": "primary-key",
                "columns": .array(columns.map { .integer($0) }),
            ]
        case .unique(let columns):
            [
                "name": .string(name), "type": "unique",
                "columns": .array(columns.map { .integer($0) }),
            ]
        case .check(let expression):
            [
                "name": .string(name), "type": "check", "expression": .string(expression.text),
                "table": .string(expression.table), "columns": expression.json["columns"] ?? [:],
            ]
        case .foreignKey(let key):
            [
                "name": .string(name), "type": "foreign-key",
                "columns": .array(key.columns.map { .integer($0) }),
                "references-uuid": .string(key.tableUUID), "references": .strings(key.tableName),
                "referenced-columns": .array(key.referenced.map { .integer($0) }),
            ]
        }
    }
}
