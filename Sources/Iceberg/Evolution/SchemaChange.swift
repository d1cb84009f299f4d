import Bytes

/// Changes a table's schema step by step, and says which updates a commit needs for it.
///
/// Each step is checked when it is made, and names mean the schema as the steps before left it. A name
/// with dots is a path: `point.x`; through lists and maps also `points.element.x` or `points.x`.
///
/// - Spec: "Schema Evolution".
package struct SchemaChange: Sendable {
    /// Where among its siblings a column goes.
    package enum Position: Sendable, Hashable {
        case first
        case last
        /// After the sibling with this name, without its path.
        case after(String)
        /// Before the sibling with this name, without its path.
        case before(String)
    }

    private let table: TableMetadata
    /// The schema as changed so far.
    package private(set) var schema: Schema
    /// The highest id given out so far.
    package private(set) var lastColumnID: Int
    private var mapping: NameMapping?

    /// Starts from the table's current schema.
    package init(table: TableMetadata) throws(IcebergError) {
        self.table = table
        schema = table.currentSchema
        lastColumnID = table.lastColumnID
        mapping = try table.nameMapping()
    }

    /// Rows exist that new rules would be wrong for.
    private var hasRows: Bool { !table.snapshots.isEmpty }

    private func invalid(_ message: String) -> IcebergError { IcebergError(.invalid, message) }

    // MARK: - Steps

    /// Adds a column, or a field to the struct, list of structs or map of structs that `parent` names.
    ///
    /// - Parameters:
    ///   - type: Its nested fields get new ids, whatever theirs are.
    ///   - defaultValue: What rows that exist already have, and new rows that do not say (v3 only).
    /// - Throws: `invalid` when the name is taken or has a dot, or the column is required, rows exist and
    ///   there is no default.
    package mutating func addColumn(
        _ name: String,
        parent: String? = nil,
        type: IcebergType,
        required: Bool = false,
        doc: String? = nil,
        defaultValue: Datum? = nil,
        position: Position = .last
    ) throws(IcebergError) {
        guard !name.isEmpty, !name.contains(".") else {
            throw invalid("a new column cannot be named \"\(name)\": empty, or with a dot in it")
        }
        if required, defaultValue == nil, hasRows {
            throw invalid(
                "column \(name) cannot be required: the rows that exist have no value for it"
            )
        }
        if let defaultValue {
            guard table.formatVersion >= 3 else {
                throw invalid("column \(name): a default needs format version 3")
            }
            guard defaultValue.isValid(for: type), defaultValue.json != nil else {
                throw invalid("column \(name): the default is no value of type \(type)")
            }
        }
        let parentID = try parentID(parent)
        var ids = FreshFieldIDs(last: lastColumnID + 1)
        let field = NestedField(
            id: lastColumnID + 1,
            name: name,
            required: required,
            type: ids.type(type),
            doc: doc,
            initialDefault: defaultValue?.json,
            writeDefault: defaultValue?.json
        )
        var changed = schema.fields
        var isFound = parentID == nil
        if let parentID {
            isFound = try FieldTree.editFields(of: parentID, in: &changed) {
                (siblings) throws(IcebergError) in
                try Self.insert(field, position, &siblings)
            }
        } else {
            try Self.insert(field, position, &changed)
        }
        guard isFound else { throw invalid("column \(parent ?? "") is no struct") }
        try set(changed)
        lastColumnID = ids.last
        mapping?.add(field, parentID: parentID)
    }

    /// Drops a column and all that is nested in it.
    ///
    /// - Throws: `invalid` when it identifies rows, or the default partition spec or sort order uses it.
    package mutating func dropColumn(_ name: String) throws(IcebergError) {
        let dropped = try structField(name)
        let ids = Set(FieldTree.ids(of: dropped))
        if let id = schema.identifierFieldIDs.first(where: { ids.contains($0) }) {
            throw invalid(
                "column \(schema.fullName(id: id) ?? name) identifies rows: drop that first"
            )
        }
        for field in table.defaultSpec.fields
        where field.transform != .void && !ids.isDisjoint(with: field.sourceIDs) {
            throw invalid("column \(name) is the source of partition field \(field.name)")
        }
        for field in table.defaultSortOrder.fields where !ids.isDisjoint(with: field.sourceIDs) {
            throw invalid("column \(name) is used by the table's sort order")
        }
        try editSiblings(of: dropped) { siblings, index in
            _ = siblings.remove(at: index)
        }
    }

    /// Gives a column another name; its path stays.
    package mutating func renameColumn(_ name: String, to newName: String) throws(IcebergError) {
        guard !newName.isEmpty, !newName.contains(".") else {
            throw invalid("a column cannot be named \"\(newName)\": empty, or with a dot in it")
        }
        let field = try structField(name)
        try editSiblings(of: field) { siblings, index in
            siblings[index].name = newName
        }
        mapping?.addName(newName, fieldID: field.id)
    }

    /// Moves a column among its siblings.
    package mutating func moveColumn(_ name: String, to position: Position) throws(IcebergError) {
        let field = try structField(name)
        try editSiblings(of: field) { (siblings, index) throws(IcebergError) in
            let moved = siblings.remove(at: index)
            try Self.insert(moved, position, &siblings)
        }
    }

    /// Gives a column a wider type: int to long, float to double, a decimal more digits.
    ///
    /// - Throws: `invalid` for any other change.
    package mutating func widenColumn(_ name: String, to type: IcebergType) throws(IcebergError) {
        let field = try self.field(name)
        if field.type == type { return }
        guard field.type.isPrimitive, field.type.canPromote(to: type) else {
            throw invalid("column \(name) cannot change from \(field.type) to \(type)")
        }
        try edit(field) { $0.type = type }
    }

    /// Lets a column be null.
    package mutating func makeOptional(_ name: String) throws(IcebergError) {
        try edit(try field(name)) { $0.required = false }
    }

    /// Forbids nulls in a column, which is possible only while the table has no snapshot.
    ///
    /// - Parameter isChecked: the caller has looked at all rows, and none has null in it.
    package mutating func makeRequired(
        _ name: String,
        isChecked: Bool = false
    ) throws(IcebergError) {
        let field = try field(name)
        if !field.required, hasRows, !isChecked {
            throw invalid(
                "column \(name) cannot become required: rows that exist may have null in it"
            )
        }
        try edit(field) { $0.required = true }
    }

    /// Sets or removes a column's comment.
    package mutating func setDoc(_ name: String, _ doc: String?) throws(IcebergError) {
        try edit(try field(name)) { $0.doc = doc }
    }

    /// Sets what new rows get that do not give the column a value (v3); nil removes it.
    package mutating func setWriteDefault(_ name: String, _ value: Datum?) throws(IcebergError) {
        let field = try field(name)
        guard table.formatVersion >= 3 else { throw invalid("a default needs format version 3") }
        if let value, !value.isValid(for: field.type) || value.json == nil {
            throw invalid("column \(name): the default is no value of type \(field.type)")
        }
        if value == nil, field.required, field.initialDefault != nil {
            throw invalid("column \(name) is required: its default can change, but not go")
        }
        try edit(field) { $0.writeDefault = value?.json }
    }

    /// Sets the columns that identify a row.
    package mutating func setIdentifierColumns(_ names: [String]) throws(IcebergError) {
        var ids: [Int] = []
        for name in names { ids.append(try field(name).id) }
        schema = try Schema(
            schemaID: schema.schemaID,
            fields: schema.fields,
            identifierFieldIDs: ids,
            additional: schema.additional
        )
    }

    // MARK: - The outcome

    /// What a commit has to apply; empty when nothing changed.
    ///
    /// - Throws: `invalid` when the table's partition spec does not fit the changed schema.
    package func updates() throws(IcebergError) -> [TableUpdate] {
        if schema.hasSameFields(as: table.currentSchema) { return [] }
        try table.defaultSpec.validate(schema: schema)
        var updates: [TableUpdate] = [
            .addSchema(schema, lastColumnID: lastColumnID),
            .setCurrentSchema(TableUpdate.lastAdded),
        ]
        if let mapping, mapping != (try table.nameMapping()) {
            updates.append(.setProperties([NameMapping.property: mapping.json.text()]))
        }
        return updates
    }

    /// What must not have changed until the commit.
    package var requirements: [TableRequirement] {
        [
            .assertTableUUID(table.tableUUID), .assertCurrentSchemaID(table.currentSchemaID),
            .assertLastAssignedFieldID(table.lastColumnID),
        ]
    }

    // MARK: - Details

    private func field(_ name: String) throws(IcebergError) -> NestedField {
        guard let field = schema.field(named: name) else {
            throw invalid("there is no column \(name)")
        }
        return field
    }

    /// A column or the field of a struct, not a list's element nor a map's key or value.
    private func structField(_ name: String) throws(IcebergError) -> NestedField {
        let field = try field(name)
        guard let location = schema.location(id: field.id), let parentID = location.parentID,
            let parent = schema.field(id: parentID)
        else { return field }
        if case .struct = parent.type { return field }
        throw invalid("\(name) is part of a \(parent.type): it cannot be dropped, renamed or moved")
    }

    private func parentID(_ name: String?) throws(IcebergError) -> Int? {
        guard let name else { return nil }
        let parent = try field(name)
        switch parent.type {
        case .struct: return parent.id
        case .list(let list): return list.elementID
        case .map(let map): return map.valueID
        default: throw invalid("column \(name) of type \(parent.type) cannot have fields")
        }
    }

    private mutating func set(_ fields: [NestedField]) throws(IcebergError) {
        schema = try Schema(
            schemaID: schema.schemaID,
            fields: fields,
            identifierFieldIDs: schema.identifierFieldIDs,
            additional: schema.additional
        )
    }

    private mutating func edit(
        _ field: NestedField,
        _ body: (inout NestedField) -> Void
    ) throws(IcebergError) {
        if let location = schema.location(id: field.id), let parentID = location.parentID,
            case .map(let map) = schema.field(id: parentID)?.type, map.keyID == field.id
        {
            throw invalid("\(location.fullName) is the key of a map: it cannot change")
        }
        var fields = schema.fields
        FieldTree.edit(field.id, in: &fields, body)
        try set(fields)
    }

    private mutating func editSiblings(
        of field: NestedField,
        _ body: (inout [NestedField], Int) throws(IcebergError) -> Void
    ) throws(IcebergError) {
        var fields = schema.fields
        try FieldTree.editSiblings(of: field.id, in: &fields, body)
        try set(fields)
    }

    private static func insert(
        _ field: NestedField,
        _ position: Position,
        _ siblings: inout [NestedField]
    ) throws(IcebergError) {
        func index(of name: String) throws(IcebergError) -> Int {
            guard let index = siblings.firstIndex(where: { $0.name == name }) else {
                throw IcebergError(
                    .invalid,
                    "\(field.name) has no sibling \(name) to be put next to"
                )
            }
            return index
        }
        switch position {
        case .first: siblings.insert(field, at: 0)
        case .last: siblings.append(field)
        case .after(let name): siblings.insert(field, at: try index(of: name) + 1)
        case .before(let name): siblings.insert(field, at: try index(of: name))
        }
    }
}

/// Walks and edits the fields of a schema at any depth.
enum FieldTree {
    /// The ids of a field and of all that is nested in it.
    static func ids(of field: NestedField) -> [Int] {
        switch field.type {
        case .struct(let type): [field.id] + type.fields.flatMap { ids(of: $0) }
        case .list(let type): [field.id] + ids(of: type.elementField)
        case .map(let type): [field.id] + ids(of: type.keyField) + ids(of: type.valueField)
        default: [field.id]
        }
    }

    /// Edits the field with this id, wherever it is; of elements, keys and values only the type and
    /// whether they are required can change.
    static func edit(
        _ id: Int,
        in fields: inout [NestedField],
        _ body: (inout NestedField) -> Void
    ) {
        for index in fields.indices { edit(id, in: &fields[index], body) }
    }

    private static func edit(
        _ id: Int,
        in field: inout NestedField,
        _ body: (inout NestedField) -> Void
    ) {
        if field.id == id {
            body(&field)
            return
        }
        switch field.type {
        case .struct(var type):
            edit(id, in: &type.fields, body)
            field.type = .struct(type)
        case .list(var type):
            var element = type.elementField
            edit(id, in: &element, body)
            type.element = element.type
            type.elementRequired = element.required
            field.type = .list(type)
        case .map(var type):
            var (key, value) = (type.keyField, type.valueField)
            edit(id, in: &key, body)
            edit(id, in: &value, body)
            type.key = key.type
            type.value = value.type
            type.valueRequired = value.required
            field.type = .map(type)
        default: break
        }
    }

    /// Edits the fields of the struct that is the field, element or value with this id.
    ///
    /// - Returns: Whether there is such a struct.
    static func editFields(
        of id: Int,
        in fields: inout [NestedField],
        _ body: (inout [NestedField]) throws(IcebergError) -> Void
    ) throws(IcebergError) -> Bool {
        var isFound = false
        var failure: IcebergError?
        edit(id, in: &fields) { field in
            guard case .struct(var type) = field.type else { return }
            isFound = true
            do throws(IcebergError) {
                try body(&type.fields)
                field.type = .struct(type)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return isFound
    }

    /// Edits the fields among which the one with this id is, at its index.
    static func editSiblings(
        of id: Int,
        in fields: inout [NestedField],
        _ body: (inout [NestedField], Int) throws(IcebergError) -> Void
    ) throws(IcebergError) {
        if let index = fields.firstIndex(where: { $0.id == id }) {
            try body(&fields, index)
            return
        }
        for index in fields.indices {
            fields[index].type = try editSiblings(of: id, in: fields[index].type, body)
        }
    }

    private static func editSiblings(
        of id: Int,
        in type: IcebergType,
        _ body: (inout [NestedField], Int) throws(IcebergError) -> Void
    ) throws(IcebergError) -> IcebergType {
        switch type {
        case .struct(var type):
            try editSiblings(of: id, in: &type.fields, body)
            return .struct(type)
        case .list(var type):
            type.element = try editSiblings(of: id, in: type.element, body)
            return .list(type)
        case .map(var type):
            type.key = try editSiblings(of: id, in: type.key, body)
            type.value = try editSiblings(of: id, in: type.value, body)
            return .map(type)
        default: return type
        }
    }
}
