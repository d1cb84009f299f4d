import Columnar
import Iceberg
import Planner
import SQL
import Tables

/// Applies the actions of ALTER TABLE to a table's metadata.
struct TableEditor: Sendable {
    private let actions: [AlterTableAction]
    private let environment: BindingEnvironment
    private let tableName: String

    init(session: isolated Session, actions: [AlterTableAction], tableName: String = "") {
        self.actions = actions
        self.tableName = tableName
        environment = session.environment([:])
    }

    /// What changes, and what must still be so when it does.
    func edit(
        _ table: TableMetadata
    ) throws -> (requirements: [TableRequirement], updates: [TableUpdate]) {
        var current = table
        var requirements: [TableRequirement] = [.assertTableUUID(table.tableUUID)]
        var updates: [TableUpdate] = []
        for action in actions {
            let step = try edit(current, action)
            if current == table { requirements += step.requirements }
            updates += step.updates
            current = try TableMetadata.apply(
                step.updates,
                to: current,
                now: current.lastUpdatedMillis
            )
        }
        updates += try TableIndexes.updates(from: table, to: current)
        return (requirements, updates)
    }

    private func edit(
        _ table: TableMetadata,
        _ action: AlterTableAction
    ) throws -> (requirements: [TableRequirement], updates: [TableUpdate]) {
        switch action {
        case .addConstraint, .dropConstraint, .alterColumn(_, .setDefault),
            .alterColumn(_, .dropDefault):
            return ([], try declare(action, table))
        case .alterColumn(let path, .type(let type)) where try !isWidening(path, type, table):
            return ([], try replaceColumn(path, type, table))
        case .alterColumn(let path, .typeUsing(let type, _)):
            return ([], try replaceColumn(path, type, table))
        case .addColumn, .dropColumn, .renameColumn, .alterColumn, .setIdentifierFields,
            .dropIdentifierFields:
            var change = try SchemaChange(table: table)
            try edit(&change, action, table)
            let declared = try declarations(after: action, table)
            return (change.requirements, try change.updates() + declared)
        case .addPartitionField, .dropPartitionField, .replacePartitionField:
            var change = try PartitionSpecChange(table: table)
            try edit(&change, action, table)
            return (change.requirements, change.updates())
        case .setProperties(let properties):
            try refuseReserved(properties.map(\.key))
            return ([], [.setProperties(properties.lastValues)])
        case .unsetProperties(let keys, let isIfExists):
            try refuseReserved(keys)
            for key in keys where !isIfExists && table.properties[key] == nil {
                throw PlanError(.invalid, "the table has no property \"\(key)\"")
            }
            return ([], [.removeProperties(keys)])
        case .setLocation(let location): return ([], [.setLocation(location)])
        case .createReference(let reference):
            return ([], try create(reference, table))
        case .dropReference(let kind, let name, let isIfExists):
            guard let found = table.refs[name.name],
                (found.kind == .branch) == (kind == .branch)
            else {
                if isIfExists { return ([], []) }
                throw PlanError(
                    .invalid,
                    "the table has no \(kind.rawValue.lowercased()) \"\(name.name)\"",
                    at: name.span
                )
            }
            return ([], [.removeSnapshotRef(name.name)])
        case .writeOrderedBy:
            throw PlanError(.unsupported, "WRITE ORDERED BY is not supported yet")
        case .renameTable:
            preconditionFailure("renaming is the catalog's work")
        }
    }

    private func create(
        _ reference: CreateReference,
        _ table: TableMetadata
    ) throws -> [TableUpdate] {
        if table.refs[reference.name.name] != nil {
            if reference.isIfNotExists { return [] }
            guard reference.isReplace else {
                throw PlanError(
                    .invalid,
                    "\"\(reference.name.name)\" exists already",
                    hint: "Use CREATE OR REPLACE.",
                    at: reference.name.span
                )
            }
        }
        guard let id = reference.snapshotID ?? table.currentSnapshotID else {
            throw PlanError(
                .invalid,
                "the table has no snapshot to name yet",
                at: reference.span
            )
        }
        let kind: SnapshotRef.Kind = reference.kind == .branch ? .branch : .tag
        return [
            .setSnapshotRef(
                name: reference.name.name,
                SnapshotRef(
                    snapshotID: id,
                    kind: kind,
                    snapshotsToKeepMin: reference.snapshotsMin.map { Int($0) },
                    snapshotAgeMaxMillis: reference.snapshotAgeMillis,
                    refAgeMaxMillis: reference.retainMillis
                )
            )
        ]
    }

    // MARK: Columns

    func name(_ path: ObjectName, _ table: TableMetadata) throws -> String {
        let text = path.map(\.name).joined(separator: ".")
        let schema = table.currentSchema
        if schema.field(named: text) != nil { return text }
        if path.allSatisfy({ !$0.isQuoted }), let found = schema.field(namedIgnoringCase: text),
            let full = schema.fullName(id: found.id)
        {
            return full
        }
        let near = nearest(to: text, among: schema.fields.map(\.name))
        throw PlanError(
            .invalid,
            "the table has no column \"\(text)\"",
            hint: near.map { "Did you mean \"\($0)\"?" },
            at: path.span
        )
    }

    private func position(
        _ place: ColumnPlace?,
        _ table: TableMetadata,
        beside path: ObjectName = []
    ) throws -> SchemaChange.Position {
        switch place {
        case nil: return .last
        case .first?: return .first
        case .after(let sibling)?:
            return .after(
                try name(path + [sibling], table).split(separator: ".").last
                    .map(String.init) ?? sibling.name
            )
        }
    }

    private func edit(
        _ change: inout SchemaChange,
        _ action: AlterTableAction,
        _ table: TableMetadata
    ) throws {
        switch action {
        case .addColumn(let add):
            let definition = add.definition
            let parent = try add.parent.isEmpty ? nil : name(add.parent, table)
            let full = ([parent].compactMap { $0 } + [definition.name.name])
                .joined(separator: ".")
            if add.isIfNotExists, table.currentSchema.field(namedIgnoringCase: full) != nil {
                return
            }
            guard let type = definition.type else {
                throw PlanError(.invalid, "a new column needs a type", at: definition.span)
            }
            try refuseRules(definition)
            let isRequired = definition.isNotNull
            try change.addColumn(
                definition.name.name,
                parent: parent,
                type: try IcebergType(try DataType(type)),
                required: false,
                doc: definition.comment,
                position: try position(add.place, table, beside: add.parent)
            )
            // Rows that exist get the default, which is written into their files.
            if isRequired {
                try change.makeRequired(full, isChecked: definition.defaultValue != nil)
            }
        case .dropColumn(let path, let isIfExists):
            let text = path.map(\.name).joined(separator: ".")
            if isIfExists, table.currentSchema.field(namedIgnoringCase: text) == nil { return }
            try change.dropColumn(try name(path, table))
        case .renameColumn(let path, let newName):
            try change.renameColumn(try name(path, table), to: newName.name)
        case .alterColumn(let path, let columnChange):
            let column = try name(path, table)
            switch columnChange {
            case .type(let type):
                try change.widenColumn(column, to: try IcebergType(try DataType(type)))
            // The session has looked at the rows, or looks before the commit.
            case .setNotNull: try change.makeRequired(column, isChecked: true)
            case .dropNotNull: try change.makeOptional(column)
            case .comment(let text): try change.setDoc(column, text)
            case .place(let place):
                try change.moveColumn(
                    column,
                    to: try position(place, table, beside: path.dropLast())
                )
            case .setDefault, .dropDefault, .typeUsing:
                preconditionFailure("no change of the schema alone")
            }
        case .setIdentifierFields(let paths):
            try change.setIdentifierColumns(try paths.map { try name($0, table) })
        case .dropIdentifierFields(let paths):
            let dropped = Set(try paths.map { try name($0, table) })
            let schema = table.currentSchema
            let kept = schema.identifierFieldIDs.compactMap { schema.fullName(id: $0) }
            try change.setIdentifierColumns(kept.filter { !dropped.contains($0) })
        default: preconditionFailure("not a change of columns")
        }
    }

    // MARK: Partitions

    private func edit(
        _ change: inout PartitionSpecChange,
        _ action: AlterTableAction,
        _ table: TableMetadata
    ) throws {
        switch action {
        case .addPartitionField(let field):
            try change.addField(
                try name(field.transform.column, table),
                try transform(field.transform),
                name: field.name?.name
            )
        case .dropPartitionField(let reference):
            try change.removeField(try fieldName(reference, table))
        case .replacePartitionField(let old, let field):
            try change.removeField(try fieldName(old, table))
            try change.addField(
                try name(field.transform.column, table),
                try transform(field.transform),
                name: field.name?.name
            )
        default: preconditionFailure("not a change of partitions")
        }
    }

    private func transform(_ transform: SQL.Transform) throws -> Iceberg.Transform {
        var text = transform.name?.folded ?? "identity"
        let plural = ["years": "year", "months": "month", "days": "day", "hours": "hour"]
        text = plural[text] ?? text
        if let parameter = transform.parameter { text += "[\(parameter)]" }
        return Iceberg.Transform(text: text)
    }

    /// The name of the field that a transform or a bare name means.
    private func fieldName(
        _ reference: PartitionFieldReference,
        _ table: TableMetadata
    ) throws -> String {
        let written = reference.transform
        let text = written.column.map(\.name).joined(separator: ".")
        if written.name == nil,
            let field = table.defaultSpec.fields.first(where: { $0.name == text })
        {
            return field.name
        }
        let source = table.currentSchema.field(named: try name(written.column, table))
        let wanted = try transform(written)
        guard
            let field = table.defaultSpec.fields.first(where: {
                $0.sourceID == source?.id && $0.transform == wanted
            })
        else {
            throw PlanError(
                .invalid,
                "the table is not partitioned by that",
                at: written.span
            )
        }
        return field.name
    }
}

// MARK: - Declarations

extension TableEditor {
    private func builder(_ table: TableMetadata) throws -> DeclarationBuilder {
        DeclarationBuilder(
            tableName: tableName,
            schema: table.currentSchema,
            environment: environment,
            declarations: try TableDeclarations(table)
        )
    }

    private func refuseReserved(_ keys: [String]) throws {
        if keys.contains(TableIndexes.key) {
            throw PlanError(
                .invalid,
                "the property \(TableIndexes.key) holds the table's indexes",
                hint: "Use CREATE INDEX and DROP INDEX."
            )
        }
        if let key = keys.first(where: { TableDeclarations.keys.contains($0) }) {
            throw PlanError(
                .invalid,
                "the property \(key) holds the table's constraints and defaults",
                hint: "Use ALTER TABLE … ADD CONSTRAINT, SET DEFAULT and their like."
            )
        }
    }

    private func refuseRules(_ definition: ColumnDefinition) throws {
        if definition.generated != nil {
            throw PlanError(
                .unsupported,
                "a generated column can only be declared when the table is made",
                at: definition.span
            )
        }
        if definition.isPrimaryKey || definition.isUnique || definition.check != nil
            || definition.reference != nil
        {
            throw PlanError(
                .unsupported,
                "a column is added without constraints",
                hint: "ALTER TABLE … ADD CONSTRAINT adds them then.",
                at: definition.span
            )
        }
    }

    /// Whether a column's values fit a type without being written anew.
    func isWidening(
        _ path: ObjectName,
        _ type: TypeName,
        _ table: TableMetadata
    ) throws -> Bool {
        guard let field = table.currentSchema.field(named: try name(path, table)) else {
            return false
        }
        let wanted = try IcebergType(try DataType(type))
        return field.type == wanted || field.type.isPrimitive && field.type.canPromote(to: wanted)
    }

    /// Another column of the same name in the same place; the rows are written anew for it.
    private func replaceColumn(
        _ path: ObjectName,
        _ type: TypeName,
        _ table: TableMetadata
    ) throws -> [TableUpdate] {
        let full = try name(path, table)
        let schema = table.currentSchema
        guard let index = schema.fields.firstIndex(where: { $0.name == full }) else {
            throw PlanError(
                .unsupported,
                "the type of a field inside a struct can only be widened",
                at: path.span
            )
        }
        let old = schema.fields[index]
        var declared = try TableDeclarations(table)
        for constraint in declared.constraints where constraint.rule.fieldIDs.contains(old.id) {
            throw PlanError(
                .invalid,
                "column \"\(full)\" is part of constraint \"\(constraint.name)\"",
                hint: "DROP CONSTRAINT first, and add it again then.",
                at: path.span
            )
        }
        for (id, column) in declared.columns
        where column.generated?.columns.values.contains(old.id) == true {
            throw PlanError(
                .invalid,
                "column \"\(schema.field(id: id)?.name ?? "")\" is generated from column \"\(full)\"",
                at: path.span
            )
        }
        var dropping = try SchemaChange(table: table)
        try dropping.dropColumn(full)
        var updates = try dropping.updates()
        var current = try TableMetadata.apply(updates, to: table, now: table.lastUpdatedMillis)
        var adding = try SchemaChange(table: current)
        try adding.addColumn(
            old.name,
            type: try IcebergType(try DataType(type)),
            doc: old.doc,
            position: index == 0 ? .first : .after(schema.fields[index - 1].name)
        )
        if old.required { try adding.makeRequired(old.name, isChecked: true) }
        let added = try adding.updates()
        updates += added
        current = try TableMetadata.apply(added, to: current, now: current.lastUpdatedMillis)
        if let column = declared.columns[old.id], let new = current.currentSchema.field(named: full)
        {
            declared.columns[old.id] = nil
            declared.columns[new.id] = column
            updates += declared.updates
        }
        return updates
    }

    /// The updates that ADD and DROP CONSTRAINT, SET and DROP DEFAULT come to.
    private func declare(
        _ action: AlterTableAction,
        _ table: TableMetadata
    ) throws -> [TableUpdate] {
        var builder = try builder(table)
        switch action {
        case .addConstraint(let constraint):
            return try add(constraint, nil, &builder, table)
        case .dropConstraint(let name, let isIfExists):
            guard
                let index = builder.declarations.constraints.firstIndex(where: {
                    name.means($0.name)
                })
            else {
                if isIfExists { return [] }
                throw PlanError(
                    .invalid,
                    "the table has no constraint \"\(name.name)\"",
                    hint: nearest(
                        to: name.name,
                        among: builder.declarations.constraints.map(\.name)
                    ).map { "Did you mean \"\($0)\"?" },
                    at: name.span
                )
            }
            let dropped = builder.declarations.constraints.remove(at: index)
            if dropped.rule.key != nil, !builder.declarations.referrers.isEmpty {
                let names = builder.declarations.referrers.map {
                    $0.tableName.joined(separator: ".")
                }
                throw PlanError(
                    .invalid,
                    "foreign keys of \(names.joined(separator: ", ")) need the key",
                    at: name.span
                )
            }
            guard case .primaryKey = dropped.rule else { return builder.declarations.updates }
            var change = try SchemaChange(table: table)
            try change.setIdentifierColumns([])
            return try change.updates() + builder.declarations.updates
        case .alterColumn(let path, let change):
            let full = try name(path, table)
            guard let field = table.currentSchema.fields.first(where: { $0.name == full }) else {
                throw PlanError(
                    .unsupported,
                    "a field inside a struct has no default",
                    at: path.span
                )
            }
            var column = builder.declarations.columns[field.id] ?? .init()
            if column.generated != nil {
                throw PlanError(.invalid, "a generated column has no default", at: path.span)
            }
            column.defaultText = nil
            if case .setDefault(let value) = change {
                column.defaultText = try builder.defaultText(value, for: try DataType(field.type))
            }
            builder.declarations.columns[field.id] = column.defaultText == nil ? nil : column
            return builder.declarations.updates
        default: preconditionFailure("declares nothing")
        }
    }

    private func add(
        _ constraint: TableConstraint,
        _ name: String?,
        _ builder: inout DeclarationBuilder,
        _ table: TableMetadata
    ) throws -> [TableUpdate] {
        switch constraint {
        case .named(let name, let inner):
            return try add(inner, name.name, &builder, table)
        case .unique(let columns):
            try builder.addUnique(columns, name: name, at: columns.first?.span ?? .none)
        case .check(let condition, let own):
            try builder.addCheck(condition, name: name ?? own?.name)
        case .primaryKey(let columns):
            try builder.addPrimaryKey(columns, name: name, at: columns.first?.span ?? .none)
            var change = try SchemaChange(table: table)
            var names: [String] = []
            for id in try builder.ids(columns) {
                guard let field = table.currentSchema.field(id: id) else { continue }
                names.append(field.name)
                try change.makeRequired(field.name, isChecked: true)
            }
            if Self.canIdentify(try builder.ids(columns), table.currentSchema) {
                try change.setIdentifierColumns(names)
            }
            return try change.updates() + builder.declarations.updates
        case .foreignKey:
            // The session knows the other table.
            return []
        }
        return builder.declarations.updates
    }

    /// Whether Iceberg lets fields identify rows.
    static func canIdentify(_ ids: [Int], _ schema: Iceberg.Schema) -> Bool {
        ids.allSatisfy { id in
            switch schema.field(id: id)?.type {
            case .float?, .double?, nil: false
            case let type?: type.isPrimitive
            }
        }
    }

    /// The declarations that a change of columns leaves.
    private func declarations(
        after action: AlterTableAction,
        _ table: TableMetadata
    ) throws -> [TableUpdate] {
        switch action {
        case .addColumn(let add):
            guard add.definition.defaultValue != nil || add.definition.collation != nil,
                add.parent.isEmpty, let type = add.definition.type
            else { return [] }
            if add.isIfNotExists,
                table.currentSchema.field(namedIgnoringCase: add.definition.name.name) != nil
            {
                return []
            }
            var builder = try builder(table)
            // The column that is added is the next field.
            let id = table.lastColumnID + 1
            let given = add.definition
            let dataType = try DataType(type)
            builder.declarations.columns[id] = TableDeclarations.Column(
                defaultText: try given.defaultValue.map {
                    try builder.defaultText($0, for: dataType)
                },
                collation: try given.collation.flatMap {
                    try DeclarationBuilder.collation($0, dataType)
                }
            )
            return builder.declarations.updates
        case .dropColumn(let path, let isIfExists):
            let text = path.map(\.name).joined(separator: ".")
            if isIfExists, table.currentSchema.field(namedIgnoringCase: text) == nil { return [] }
            guard TableDeclarations.exist(in: table.properties),
                let field = table.currentSchema.field(named: try name(path, table))
            else { return [] }
            var declared = try TableDeclarations(table)
            for constraint in declared.constraints
            where constraint.rule.fieldIDs.contains(field.id) {
                if case .check = constraint.rule, constraint.rule.fieldIDs.count == 1 { continue }
                throw PlanError(
                    .invalid,
                    "column \"\(text)\" is part of constraint \"\(constraint.name)\"",
                    hint: "DROP CONSTRAINT first.",
                    at: path.span
                )
            }
            for (id, column) in declared.columns
            where column.generated?.columns.values.contains(field.id) == true {
                throw PlanError(
                    .invalid,
                    "column \"\(table.currentSchema.field(id: id)?.name ?? "")\" is generated from "
                        + "column \"\(text)\"",
                    hint: "DROP that first.",
                    at: path.span
                )
            }
            declared.constraints.removeAll { $0.rule.fieldIDs == [field.id] }
            declared.columns[field.id] = nil
            return declared.updates
        default: return []
        }
    }
}
