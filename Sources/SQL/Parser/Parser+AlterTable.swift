extension Parser {
    mutating func parseAlterTable() throws(SQLError) -> AlterTable {
        let start = advance()
        let isView = take(.view)
        guard isView || take(.table) else {
            throw unexpected("TABLE or VIEW", candidates: [.table, .view])
        }
        let isIfExists = try takeIfExists()
        let name = try parseObjectName("a table name")
        let actions = try list { (parser) throws(SQLError) in try parser.parseAction() }
        return AlterTable(
            name: name,
            isView: isView,
            isIfExists: isIfExists,
            actions: actions,
            span: span(from: start)
        )
    }

    private mutating func parseAction() throws(SQLError) -> AlterTableAction {
        switch token.kind {
        case .keyword(.add): return try parseAdd()
        case .keyword(.drop): return try parseDropAction()
        case .keyword(.rename): return try parseRename()
        case .keyword(.alter): return try parseAlterColumn()
        case .keyword(.set): return try parseSetAction()
        case .keyword(.unset): return try parseUnset()
        case .keyword(.replace):
            if peek().kind == .keyword(.partition) { return try parseReplacePartitionField() }
            return try parseCreateReference()
        case .keyword(.create): return try parseCreateReference()
        case .keyword(.write): return try parseWriteOrder()
        default:
            throw unexpected(
                "ADD, DROP, RENAME, ALTER, SET, UNSET, REPLACE, CREATE or WRITE",
                candidates: [
                    .add, .drop, .rename, .alter, .set, .unset, .replace, .create, .write,
                ]
            )
        }
    }

    // MARK: Columns

    private mutating func parseAdd() throws(SQLError) -> AlterTableAction {
        advance()
        if take(.partition, .field) { return .addPartitionField(try parsePartitionField()) }
        if let constraint = try parseTableConstraint() { return .addConstraint(constraint) }
        _ = take(.column)
        let isIfNotExists = try takeIfNotExists()
        let start = token
        var path = try parseObjectName("a column name")
        let name = path.removeLast()
        let definition = try parseColumnRest(name, from: start)
        guard definition.type != nil else { throw unexpected("a data type") }
        let column = AddColumn(
            isIfNotExists: isIfNotExists,
            parent: path,
            definition: definition,
            place: try parsePlace()
        )
        return .addColumn(column)
    }

    /// `FIRST`, `AFTER column` or nothing.
    private mutating func parsePlace() throws(SQLError) -> ColumnPlace? {
        if take(.first) { return .first }
        guard take(.after) else { return nil }
        return .after(try parseIdentifier("a column name"))
    }

    private mutating func parseDropAction() throws(SQLError) -> AlterTableAction {
        advance()
        if take(.partition, .field) {
            return .dropPartitionField(PartitionFieldReference(transform: try parseTransform()))
        }
        if take(.identifier, .fields) { return .dropIdentifierFields(try parseColumnPaths()) }
        if (at(.branch) || at(.tag)) && (isName(peek()) || peek().kind == .keyword(.if)) {
            let kind: ReferenceKind = at(.branch) ? .branch : .tag
            advance()
            let isIfExists = try takeIfExists()
            let name = try parseReferenceName(kind)
            return .dropReference(kind, name, isIfExists: isIfExists)
        }
        if take(.constraint) {
            let isIfExists = try takeIfExists()
            let name = try parseIdentifier("the name of a constraint")
            if !take(.cascade) { _ = take(.restrict) }
            return .dropConstraint(name, isIfExists: isIfExists)
        }
        _ = take(.column)
        let isIfExists = try takeIfExists()
        let column = try parseObjectName("a column name")
        if !take(.cascade) { _ = take(.restrict) }
        return .dropColumn(column, isIfExists: isIfExists)
    }

    private mutating func parseRename() throws(SQLError) -> AlterTableAction {
        advance()
        if take(.to) { return .renameTable(to: try parseObjectName("a table name")) }
        _ = take(.column)
        let column = try parseObjectName("a column name or TO")
        try expect(.to)
        return .renameColumn(column, to: try parseIdentifier("a column name"))
    }

    private mutating func parseAlterColumn() throws(SQLError) -> AlterTableAction {
        advance()
        _ = take(.column)
        let column = try parseObjectName("a column name")
        return .alterColumn(column, try parseColumnChange())
    }

    private mutating func parseColumnChange() throws(SQLError) -> ColumnChange {
        if let place = try parsePlace() { return .place(place) }
        if take(.type) { return try parseNewType() }
        if take(.comment) {
            return .comment(take(.null) ? nil : try parseString("a comment or NULL"))
        }
        if take(.set) {
            if take(.default) { return .setDefault(try parseExpression()) }
            if take(.not) {
                try expect(.null)
                return .setNotNull
            }
            _ = take(.data)
            guard take(.type) else {
                throw unexpected(
                    "DATA TYPE, NOT NULL or DEFAULT",
                    candidates: [.data, .type, .not, .default]
                )
            }
            return try parseNewType()
        }
        guard take(.drop) else {
            throw unexpected(
                "TYPE, SET, DROP, COMMENT, FIRST or AFTER",
                candidates: [.type, .set, .drop, .comment, .first, .after]
            )
        }
        if take(.default) { return .dropDefault }
        guard take(.not) else {
            throw unexpected("NOT NULL or DEFAULT", candidates: [.not, .default])
        }
        try expect(.null)
        return .dropNotNull
    }

    /// `type [USING expression]`.
    private mutating func parseNewType() throws(SQLError) -> ColumnChange {
        let type = try parseTypeName()
        return take(.using) ? .typeUsing(type, try parseExpression()) : .type(type)
    }

    private mutating func parseColumnPaths() throws(SQLError) -> [ObjectName] {
        try list { (parser) throws(SQLError) in try parser.parseObjectName("a column name") }
    }

    // MARK: Properties and layout

    private mutating func parseSetAction() throws(SQLError) -> AlterTableAction {
        advance()
        if take(.location) { return .setLocation(try parseString("a location")) }
        if take(.identifier, .fields) { return .setIdentifierFields(try parseColumnPaths()) }
        guard take(.tblproperties) || at(.leftParenthesis) else {
            throw unexpected(
                "TBLPROPERTIES, LOCATION or IDENTIFIER FIELDS",
                candidates: [.tblproperties, .location, .identifier]
            )
        }
        return .setProperties(try parseProperties())
    }

    private mutating func parseUnset() throws(SQLError) -> AlterTableAction {
        advance()
        try expect(.tblproperties)
        let isIfExists = try takeIfExists()
        let keys = try parenthesised { (parser) throws(SQLError) in
            try parser.parsePropertyKey()
        }
        return .unsetProperties(keys, isIfExists: isIfExists)
    }

    private mutating func parseReplacePartitionField() throws(SQLError) -> AlterTableAction {
        advance()
        advance()
        try expect(.field)
        let old = PartitionFieldReference(transform: try parseTransform())
        try expect(.with)
        return .replacePartitionField(old, with: try parsePartitionField())
    }

    /// `WRITE [LOCALLY] ORDERED BY …`, `WRITE UNORDERED`.
    private mutating func parseWriteOrder() throws(SQLError) -> AlterTableAction {
        advance()
        if take(.unordered) { return .writeOrderedBy([]) }
        _ = take(.locally)
        guard take(.ordered) else {
            throw unexpected("ORDERED BY or UNORDERED", candidates: [.ordered, .unordered])
        }
        try expect(.by)
        return .writeOrderedBy(try parseMaybeParenthesisedSortFields())
    }

    // MARK: Branches and tags

    mutating func parseReferenceName(_ kind: ReferenceKind) throws(SQLError) -> Identifier {
        if case .string = token.kind {
            let start = token
            let name = try parseString("a name")
            guard !name.isEmpty else { throw error("a name must not be empty", at: start) }
            return Identifier(name, isQuoted: true, span: span(from: start))
        }
        return try parseIdentifier("a \(kind.rawValue.lowercased()) name")
    }

    private mutating func parseCreateReference() throws(SQLError) -> AlterTableAction {
        let start = token
        let isCreate = take(.create)
        var isReplace = false
        if isCreate {
            if take(.or) {
                try expect(.replace)
                isReplace = true
            }
        } else {
            advance()
            isReplace = true
        }
        let kind: ReferenceKind
        if take(.branch) {
            kind = .branch
        } else {
            guard take(.tag) else {
                throw unexpected("BRANCH or TAG", candidates: [.branch, .tag])
            }
            kind = .tag
        }
        let isIfNotExists = try takeIfNotExists()
        var reference = CreateReference(
            kind: kind,
            name: try parseReferenceName(kind),
            isReplace: isReplace,
            isCreate: isCreate,
            isIfNotExists: isIfNotExists,
            snapshotID: nil,
            retainMillis: nil,
            snapshotsMin: nil,
            snapshotAgeMillis: nil,
            span: start.span
        )
        if take(.as) {
            try expect(.of)
            try expect(.version)
            reference.snapshotID = Int64(try parseCount("a snapshot id"))
        }
        if take(.retain) { reference.retainMillis = try parseDuration() }
        if kind == .branch, at(.with) { try parseSnapshotRetention(&reference) }
        reference.span = span(from: start)
        return .createReference(reference)
    }

    /// `WITH SNAPSHOT RETENTION [n SNAPSHOTS] [n DAYS]`.
    private mutating func parseSnapshotRetention(
        _ reference: inout CreateReference
    ) throws(SQLError) {
        advance()
        try expect(.snapshot)
        try expect(.retention)
        if peek().kind == .keyword(.snapshots) {
            reference.snapshotsMin = Int64(try parseCount("a number of snapshots"))
            advance()
            guard token.kind == .integer else { return }
        }
        reference.snapshotAgeMillis = try parseDuration()
    }

    /// `7 DAYS`, in milliseconds.
    private mutating func parseDuration() throws(SQLError) -> Int64 {
        let numberToken = token
        let count = Int64(try parseCount("a number of days, hours or minutes"))
        let unitMillis: Int64
        if take(.days) || take(.day) {
            unitMillis = 86_400_000
        } else if take(.hours) {
            unitMillis = 3_600_000
        } else {
            guard take(.minutes) else {
                throw unexpected("DAYS, HOURS or MINUTES", candidates: [.days, .hours, .minutes])
            }
            unitMillis = 60_000
        }
        let (millis, overflow) = count.multipliedReportingOverflow(by: unitMillis)
        guard !overflow else { throw error("this is too long a time", at: numberToken) }
        return millis
    }
}
