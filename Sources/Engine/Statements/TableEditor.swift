import Columnar
import Iceberg
import Planner
import SQL
import Tables

/// Applies the actions of ALTER TABLE to a table's metadata.
struct TableEditor: Sendable {
    private let actions: [AlterTableAction]

    init(session: Session, actions: [AlterTableAction]) {
        self.actions = actions
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
        return (requirements, updates)
    }

    private func edit(
        _ table: TableMetadata,
        _ action: AlterTableAction
    ) throws -> (requirements: [TableRequirement], updates: [TableUpdate]) {
        switch action {
        case .addColumn, .dropColumn, .renameColumn, .alterColumn, .setIdentifierFields,
            .dropIdentifierFields:
            var change = try SchemaChange(table: table)
            try edit(&change, action, table)
            return (change.requirements, try change.updates())
        case .addPartitionField, .dropPartitionField, .replacePartitionField:
            var change = try PartitionSpecChange(table: table)
            try edit(&change, action, table)
            return (change.requirements, change.updates())
        case .setProperties(let properties):
            return (
                [],
                [
                    .setProperties(
                        Dictionary(
                            properties.map { ($0.key, $0.value) },
                            uniquingKeysWith: { $1 }
                        )
                    )
                ]
            )
        case .unsetProperties(let keys, let isIfExists):
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

    private func name(_ path: ObjectName, _ table: TableMetadata) throws -> String {
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
            if definition.defaultValue != nil {
                throw PlanError(
                    .unsupported,
                    "DEFAULT is not supported yet",
                    at: definition.span
                )
            }
            try change.addColumn(
                definition.name.name,
                parent: parent,
                type: try IcebergType(try DataType(type)),
                required: definition.isNotNull,
                doc: definition.comment,
                position: try position(add.place, table, beside: add.parent)
            )
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
            case .setNotNull: try change.makeRequired(column)
            case .dropNotNull: try change.makeOptional(column)
            case .comment(let text): try change.setDoc(column, text)
            case .place(let place):
                try change.moveColumn(
                    column,
                    to: try position(place, table, beside: path.dropLast())
                )
            case .setDefault, .dropDefault:
                throw PlanError(.unsupported, "DEFAULT is not supported yet", at: path.span)
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
