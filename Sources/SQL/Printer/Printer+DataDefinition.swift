extension Printer {
    // MARK: CREATE

    private mutating func writeCreate(_ what: String, isOrReplace: Bool, isTemporary: Bool = false)
    {
        text += isOrReplace ? "CREATE OR REPLACE " : "CREATE "
        if isTemporary { text += "TEMPORARY " }
        text += "\(what) "
    }

    @inline(never)
    mutating func write(_ table: CreateTable) {
        writeCreate("TABLE", isOrReplace: table.isOrReplace, isTemporary: table.isTemporary)
        if table.isIfNotExists { text += "IF NOT EXISTS " }
        write(table.name)
        if let like = table.like {
            text += " LIKE "
            write(like)
        }
        if !table.columns.isEmpty || !table.constraints.isEmpty {
            text += " ("
            list(table.columns) { $0.write($1) }
            if !table.columns.isEmpty, !table.constraints.isEmpty { text += ", " }
            list(table.constraints) { $0.write($1) }
            text += ")"
        }
        if let format = table.format {
            text += " USING "
            write(format)
        }
        if !table.partitionedBy.isEmpty {
            text += " PARTITIONED BY "
            parenthesised(table.partitionedBy) { $0.write($1) }
        }
        if !table.sortedBy.isEmpty {
            text += " ORDERED BY "
            parenthesised(table.sortedBy) { $0.write($1) }
        }
        writeLocation(table.location)
        writeComment(table.comment)
        writeProperties(table.properties)
        guard let query = table.query else { return }
        text += " AS "
        write(query)
        if !table.isWithData { text += " WITH NO DATA" }
    }

    private mutating func writeLocation(_ location: String?) {
        guard let location else { return }
        text += " LOCATION "
        writeString(location)
    }

    private mutating func writeProperties(_ properties: [Property]) {
        guard !properties.isEmpty else { return }
        text += " TBLPROPERTIES "
        write(properties)
    }

    @inline(never)
    private mutating func write(_ properties: [Property]) {
        parenthesised(properties) { printer, property in
            printer.writeString(property.key)
            printer.text += " = "
            printer.writeString(property.value)
        }
    }

    @inline(never)
    private mutating func write(_ column: ColumnDefinition) {
        write(column.name)
        writeColumnRest(column)
    }

    private mutating func writeColumnRest(_ column: ColumnDefinition) {
        if let type = column.type {
            text += " "
            write(type)
        }
        if let collation = column.collation {
            text += " COLLATE "
            write(collation)
        }
        if column.isNotNull { text += " NOT NULL" }
        if let value = column.defaultValue {
            text += " DEFAULT "
            switch value.node {
            case .literal, .function, .cast, .list, .interval: write(value)
            default:
                text += "("
                write(value)
                text += ")"
            }
        }
        writeComment(column.comment)
        if column.isPrimaryKey { text += " PRIMARY KEY" }
        if column.isUnique { text += " UNIQUE" }
        if let check = column.check {
            text += " CHECK ("
            write(check)
            text += ")"
        }
        if let target = column.reference { write(target) }
        if let generated = column.generated {
            text += " GENERATED ALWAYS AS ("
            write(generated.expression)
            text += generated.isStored ? ") STORED" : ") VIRTUAL"
        }
    }

    @inline(never)
    private mutating func write(_ constraint: TableConstraint) {
        switch constraint {
        case .primaryKey(let columns):
            text += "PRIMARY KEY "
            writeNames(columns)
        case .unique(let columns):
            text += "UNIQUE "
            writeNames(columns)
        case .check(let condition, let name):
            if let name {
                text += "CONSTRAINT "
                write(name)
                text += " "
            }
            text += "CHECK ("
            write(condition)
            text += ")"
        case .foreignKey(let columns, let target):
            text += "FOREIGN KEY "
            writeNames(columns)
            write(target)
        case .named(let name, let inner):
            text += "CONSTRAINT "
            write(name)
            text += " "
            write(inner)
        }
    }

    private mutating func write(_ target: ForeignKeyTarget) {
        text += " REFERENCES "
        write(target.table)
        if !target.columns.isEmpty {
            text += " "
            writeNames(target.columns)
        }
    }

    @inline(never)
    mutating func write(_ transform: Transform) {
        guard let name = transform.name else { return write(transform.column) }
        write(name)
        text += "("
        if let parameter = transform.parameter { text += "\(parameter), " }
        write(transform.column)
        text += ")"
    }

    @inline(never)
    mutating func write(_ field: PartitionField) {
        write(field.transform)
        guard let name = field.name else { return }
        text += " AS "
        write(name)
    }

    @inline(never)
    mutating func write(_ field: SortField) {
        write(field.transform)
        writeOrder(field.direction, field.nulls)
    }

    @inline(never)
    mutating func write(_ view: CreateView) {
        writeCreate("VIEW", isOrReplace: view.isOrReplace, isTemporary: view.isTemporary)
        if view.isIfNotExists { text += "IF NOT EXISTS " }
        write(view.name)
        if !view.columns.isEmpty {
            text += " "
            parenthesised(view.columns) { printer, column in
                printer.write(column.name)
                printer.writeComment(column.comment)
            }
        }
        writeComment(view.comment)
        writeProperties(view.properties)
        text += " AS "
        write(view.query)
    }

    @inline(never)
    mutating func write(_ schema: CreateSchema) {
        writeCreate("SCHEMA", isOrReplace: false)
        if schema.isIfNotExists { text += "IF NOT EXISTS " }
        write(schema.name)
        writeLocation(schema.location)
        writeComment(schema.comment)
        writeProperties(schema.properties)
    }

    @inline(never)
    mutating func write(_ alter: AlterSchema) {
        text += "ALTER SCHEMA "
        write(alter.name)
        if alter.unset.isEmpty {
            text += " SET PROPERTIES "
            write(alter.set)
        } else {
            text += alter.isIfExists ? " UNSET PROPERTIES IF EXISTS " : " UNSET PROPERTIES "
            parenthesised(alter.unset) { $0.writeString($1) }
        }
    }

    // MARK: DROP, COMMENT ON

    @inline(never)
    mutating func write(_ drop: Drop) {
        text += "DROP \(drop.kind.rawValue) "
        if drop.isIfExists { text += "IF EXISTS " }
        list(drop.names) { $0.write($1) }
        if drop.isCascade { text += " CASCADE" }
        if drop.isPurge { text += " PURGE" }
    }

    @inline(never)
    mutating func write(_ comment: CommentOn) {
        text += "COMMENT ON \(comment.kind.rawValue) "
        write(comment.name)
        text += " IS "
        if let value = comment.comment { writeString(value) } else { text += "NULL" }
    }

    // MARK: ALTER

    @inline(never)
    mutating func write(_ alter: AlterTable) {
        text += alter.isView ? "ALTER VIEW " : "ALTER TABLE "
        if alter.isIfExists { text += "IF EXISTS " }
        write(alter.name)
        text += " "
        list(alter.actions) { $0.write($1) }
    }

    @inline(never)
    private mutating func write(_ action: AlterTableAction) {
        switch action {
        case .addColumn(let column):
            text += "ADD COLUMN "
            if column.isIfNotExists { text += "IF NOT EXISTS " }
            write(column.parent + [column.definition.name])
            writeColumnRest(column.definition)
            write(column.place)
        case .dropColumn(let column, let isIfExists):
            text += isIfExists ? "DROP COLUMN IF EXISTS " : "DROP COLUMN "
            write(column)
        case .renameColumn(let column, let name):
            text += "RENAME COLUMN "
            write(column)
            text += " TO "
            write(name)
        case .renameTable(let name):
            text += "RENAME TO "
            write(name)
        case .alterColumn(let column, let change):
            text += "ALTER COLUMN "
            write(column)
            write(change)
        case .setProperties, .unsetProperties, .setLocation, .addPartitionField,
            .dropPartitionField, .replacePartitionField, .writeOrderedBy, .setIdentifierFields,
            .dropIdentifierFields, .createReference, .dropReference:
            writeTableChange(action)
        case .addConstraint(let constraint):
            text += "ADD "
            write(constraint)
        case .dropConstraint(let name, let isIfExists):
            text += isIfExists ? "DROP CONSTRAINT IF EXISTS " : "DROP CONSTRAINT "
            write(name)
        }
    }

    @inline(never)
    private mutating func write(_ place: ColumnPlace?) {
        switch place {
        case .none: break
        case .first: text += " FIRST"
        case .after(let column):
            text += " AFTER "
            write(column)
        }
    }

    @inline(never)
    private mutating func write(_ change: ColumnChange) {
        switch change {
        case .type(let type):
            text += " SET DATA TYPE "
            write(type)
        case .typeUsing(let type, let value):
            text += " TYPE "
            write(type)
            writeClause(" USING ", value)
        case .setNotNull: text += " SET NOT NULL"
        case .dropNotNull: text += " DROP NOT NULL"
        case .setDefault(let value): writeClause(" SET DEFAULT ", value)
        case .dropDefault: text += " DROP DEFAULT"
        case .comment(let comment):
            if comment == nil { text += " COMMENT NULL" }
            writeComment(comment)
        case .place(let place): write(place)
        }
    }

    private mutating func writeTableChange(_ action: AlterTableAction) {
        switch action {
        case .setProperties(let properties):
            text += "SET TBLPROPERTIES "
            write(properties)
        case .unsetProperties(let keys, let isIfExists):
            text += isIfExists ? "UNSET TBLPROPERTIES IF EXISTS " : "UNSET TBLPROPERTIES "
            parenthesised(keys) { $0.writeString($1) }
        case .setLocation(let location):
            text += "SET"
            writeLocation(location)
        case .addPartitionField(let field):
            text += "ADD PARTITION FIELD "
            write(field)
        case .dropPartitionField(let reference):
            text += "DROP PARTITION FIELD "
            write(reference.transform)
        case .replacePartitionField(let old, let new):
            text += "REPLACE PARTITION FIELD "
            write(old.transform)
            text += " WITH "
            write(new)
        case .writeOrderedBy(let fields):
            text += fields.isEmpty ? "WRITE UNORDERED" : "WRITE ORDERED BY "
            if !fields.isEmpty { parenthesised(fields) { $0.write($1) } }
        case .setIdentifierFields(let columns):
            text += "SET IDENTIFIER FIELDS "
            list(columns) { $0.write($1) }
        case .dropIdentifierFields(let columns):
            text += "DROP IDENTIFIER FIELDS "
            list(columns) { $0.write($1) }
        case .createReference(let reference):
            write(reference)
        case .dropReference(let kind, let name, let isIfExists):
            text += "DROP \(kind.rawValue) "
            if isIfExists { text += "IF EXISTS " }
            write(name)
        default:
            break
        }
    }

    @inline(never)
    private mutating func write(_ reference: CreateReference) {
        if reference.isCreate { text += reference.isReplace ? "CREATE OR REPLACE " : "CREATE " }
        if !reference.isCreate { text += "REPLACE " }
        text += "\(reference.kind.rawValue) "
        if reference.isIfNotExists { text += "IF NOT EXISTS " }
        write(reference.name)
        if let snapshotID = reference.snapshotID { text += " AS OF VERSION \(snapshotID)" }
        if let millis = reference.retainMillis {
            text += " RETAIN "
            writeDuration(millis)
        }
        guard reference.snapshotsMin != nil || reference.snapshotAgeMillis != nil else { return }
        text += " WITH SNAPSHOT RETENTION"
        if let count = reference.snapshotsMin { text += " \(count) SNAPSHOTS" }
        if let millis = reference.snapshotAgeMillis {
            text += " "
            writeDuration(millis)
        }
    }

    /// The largest unit that divides the time; a time that is no whole minutes is rounded down.
    private mutating func writeDuration(_ millis: Int64) {
        if millis.isMultiple(of: 86_400_000) {
            text += "\(millis / 86_400_000) DAYS"
        } else if millis.isMultiple(of: 3_600_000) {
            text += "\(millis / 3_600_000) HOURS"
        } else {
            text += "\(millis / 60_000) MINUTES"
        }
    }
}
