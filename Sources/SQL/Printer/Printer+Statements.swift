extension Printer {
    @inline(never)
    mutating func write(_ statement: Statement) {
        switch statement {
        case .query(let query): write(query)
        case .insert(let insert): write(insert)
        case .update(let update): write(update)
        case .delete(let delete): write(delete)
        case .merge(let merge): write(merge)
        case .truncate(let truncate):
            text += "TRUNCATE TABLE "
            list(truncate.tables) { $0.write($1) }
        case .copy(let copy): write(copy)
        case .createTable(let table): write(table)
        case .createView(let view): write(view)
        case .createSchema(let schema): write(schema)
        case .alterSchema(let alter): write(alter)
        case .drop(let drop): write(drop)
        case .alterTable(let alter): write(alter)
        case .comment(let comment): write(comment)
        case .show(let show): write(show)
        case .describe(let describe): write(describe)
        case .explain(let explain): write(explain)
        case .use, .set, .reset, .transaction, .prepare, .execute, .deallocate:
            writeSession(statement)
        case .createMacro(let macro): write(macro)
        case .dropMacro(let drop): write(drop)
        case .createIndex(let index): write(index)
        case .dropIndex(let drop): write(drop)
        case .createCatalogReference, .dropCatalogReference, .mergeBranch, .undropTable:
            writeReferences(statement)
        }
    }

    mutating func writeReturning(_ items: [SelectItem]) {
        guard !items.isEmpty else { return }
        text += " RETURNING "
        write(items)
    }

    // MARK: Data manipulation

    private mutating func writeTargetAlias(_ alias: Identifier?) {
        guard let alias else { return }
        text += " AS "
        write(alias)
    }

    @inline(never)
    private mutating func write(_ insert: Insert) {
        write(insert.with)
        switch insert.conflict {
        case let conflict? where conflict.action == .replace: text += "INSERT OR REPLACE INTO "
        default: text += insert.isOverwrite ? "INSERT OVERWRITE " : "INSERT INTO "
        }
        write(insert.table)
        writeTargetAlias(insert.alias)
        if !insert.columns.isEmpty {
            text += " "
            writeNames(insert.columns)
        }
        if insert.isByName { text += " BY NAME" }
        switch insert.source {
        case .query(let query):
            text += " "
            write(query)
        case .defaultValues:
            text += " DEFAULT VALUES"
        }
        if let conflict = insert.conflict { write(conflict) }
        writeReturning(insert.returning)
    }

    private mutating func write(_ conflict: InsertConflict) {
        switch conflict.action {
        case .replace: return
        case .nothing, .update: text += " ON CONFLICT"
        }
        if !conflict.columns.isEmpty {
            text += " "
            writeNames(conflict.columns)
        }
        guard case .update(let assignments, let filter) = conflict.action else {
            text += " DO NOTHING"
            return
        }
        text += " DO UPDATE SET "
        write(assignments)
        writeClause(" WHERE ", filter)
    }

    @inline(never)
    private mutating func write(_ assignments: [Assignment]) {
        list(assignments) { printer, assignment in
            if assignment.targets.count == 1 {
                printer.write(assignment.targets[0])
            } else {
                printer.parenthesised(assignment.targets) { $0.write($1) }
            }
            printer.text += " = "
            printer.write(assignment.value)
        }
    }

    @inline(never)
    private mutating func write(_ update: Update) {
        write(update.with)
        text += "UPDATE "
        write(update.table)
        writeTargetAlias(update.alias)
        text += " SET "
        write(update.assignments)
        if !update.from.isEmpty {
            text += " FROM "
            list(update.from) { $0.write($1) }
        }
        writeClause(" WHERE ", update.filter)
        writeReturning(update.returning)
    }

    @inline(never)
    private mutating func write(_ delete: Delete) {
        write(delete.with)
        text += "DELETE FROM "
        write(delete.table)
        writeTargetAlias(delete.alias)
        if !delete.using.isEmpty {
            text += " USING "
            list(delete.using) { $0.write($1) }
        }
        writeClause(" WHERE ", delete.filter)
        writeReturning(delete.returning)
    }

    @inline(never)
    private mutating func write(_ merge: Merge) {
        write(merge.with)
        text += "MERGE INTO "
        write(merge.table)
        writeTargetAlias(merge.alias)
        text += " USING "
        if case .join(let join) = merge.source, join.alias == nil {
            text += "("
            write(merge.source)
            text += ")"
        } else {
            write(merge.source)
        }
        write(merge.condition)
        for clause in merge.clauses { write(clause) }
        writeReturning(merge.returning)
    }

    @inline(never)
    private mutating func write(_ clause: MergeClause) {
        text += " WHEN \(clause.match.rawValue)"
        writeClause(" AND ", clause.condition)
        text += " THEN "
        switch clause.action {
        case .update(let assignments):
            text += "UPDATE SET "
            write(assignments)
        case .updateAll: text += "UPDATE SET *"
        case .delete: text += "DELETE"
        case .insert(let columns, let values):
            text += "INSERT "
            if !columns.isEmpty {
                writeNames(columns)
                text += " "
            }
            text += "VALUES ("
            write(values)
            text += ")"
        case .insertAll: text += "INSERT *"
        case .insertByName: text += "INSERT BY NAME"
        case .insertDefaultValues: text += "INSERT DEFAULT VALUES"
        case .doNothing: text += "DO NOTHING"
        }
    }

    @inline(never)
    private mutating func write(_ copy: Copy) {
        text += "COPY "
        switch copy.subject {
        case .table(let name, let columns):
            write(name)
            if !columns.isEmpty {
                text += " "
                writeNames(columns)
            }
        case .query(let query):
            writeParenthesised(query)
        }
        text += " \(copy.direction.rawValue) "
        writeString(copy.path)
        guard !copy.options.isEmpty else { return }
        text += " "
        parenthesised(copy.options) { printer, option in
            printer.write(option.name, isLabel: true)
            guard let value = option.value else { return }
            // The sign keeps apart what would read as one: FORMAT (a, b).
            printer.text += " = "
            printer.write(value)
        }
    }

    // MARK: Session

    @inline(never)
    private mutating func write(_ show: Show) {
        text += "SHOW "
        switch show.subject {
        case .tables(let namespace, let pattern): writeShow("TABLES", namespace, pattern)
        case .views(let namespace, let pattern): writeShow("VIEWS", namespace, pattern)
        case .schemas(let namespace, let pattern): writeShow("SCHEMAS", namespace, pattern)
        case .createTable(let name):
            text += "CREATE TABLE "
            write(name)
        case .createView(let name):
            text += "CREATE VIEW "
            write(name)
        case .columns(let name):
            text += "COLUMNS FROM "
            write(name)
        case .references(let kind): text += kind == .branch ? "BRANCHES" : "TAGS"
        case .setting(let name):
            if let word = name.first, name.count == 1, word.name.lowercased() == "all" {
                write(word, isLabel: true)
            } else {
                write(name)
            }
        }
    }

    private mutating func writeShow(_ what: String, _ namespace: ObjectName?, _ like: String?) {
        text += what
        if let namespace {
            text += " FROM "
            write(namespace)
        }
        if let like {
            text += " LIKE "
            writeString(like)
        }
    }

    @inline(never)
    private mutating func write(_ describe: Describe) {
        text += "DESCRIBE "
        switch describe.subject {
        case .table(let name):
            text += "TABLE "
            write(name)
        case .query(let query):
            // DESCRIBE TABLE t names a table, so a query that starts with the word is wrapped.
            if case .table = query.body, query.with == nil {
                writeParenthesised(query)
            } else {
                write(query)
            }
        }
    }

    @inline(never)
    private mutating func write(_ explain: Explain) {
        text += "EXPLAIN "
        switch explain.kind {
        case .plan: break
        case .analyze: text += "ANALYZE "
        case .lineage: text += "LINEAGE "
        }
        if let format = explain.format {
            text += "(FORMAT "
            write(format)
            text += ") "
        }
        write(explain.statement)
    }

    private mutating func writeSession(_ statement: Statement) {
        switch statement {
        case .use(let use):
            text += "USE "
            write(use.name)
        case .set(let set):
            text += "SET "
            write(set.name)
            text += " = "
            list(set.values) { $0.write($1) }
        case .reset(let reset):
            text += "RESET "
            if let name = reset.name { write(name) } else { text += "ALL" }
        case .transaction(let command):
            text += command.kind.rawValue
            if let isReadOnly = command.isReadOnly {
                text += isReadOnly ? " READ ONLY" : " READ WRITE"
            }
        case .prepare(let prepare):
            text += "PREPARE "
            write(prepare.name)
            if !prepare.types.isEmpty {
                text += " "
                parenthesised(prepare.types) { $0.write($1) }
            }
            text += " AS "
            write(prepare.statement)
        case .execute(let execute):
            text += "EXECUTE "
            write(execute.name)
            if !execute.arguments.isEmpty { parenthesised(execute.arguments) { $0.write($1) } }
        case .deallocate(let deallocate):
            text += "DEALLOCATE "
            if let name = deallocate.name { write(name) } else { text += "ALL" }
        default:
            break
        }
    }
}
