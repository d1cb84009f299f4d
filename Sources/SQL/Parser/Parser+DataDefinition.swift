extension Parser {
    mutating func parseCreate() throws(SQLError) -> Statement {
        let start = advance()
        var isOrReplace = false
        if take(.or) {
            try expect(.replace)
            isOrReplace = true
        }
        var isTemporary = take(.temporary)
        if !isTemporary { isTemporary = take(.temp) }
        if startsMacro() {
            return .createMacro(
                try parseCreateMacro(start, isOrReplace: isOrReplace, isTemporary: isTemporary)
            )
        }
        switch token.kind {
        case .keyword(.table):
            return .createTable(
                try parseCreateTable(start, isOrReplace: isOrReplace, isTemporary: isTemporary)
            )
        case .keyword(.view):
            return .createView(
                try parseCreateView(start, isOrReplace: isOrReplace, isTemporary: isTemporary)
            )
        case .keyword(.schema), .keyword(.namespace), .keyword(.database):
            guard !isOrReplace, !isTemporary else { break }
            return .createSchema(try parseCreateSchema(start))
        case .keyword(.unique) where !isOrReplace && !isTemporary:
            return try parseCreateIndex(start)
        case .keyword(.branch), .keyword(.tag):
            guard !isOrReplace, !isTemporary else { break }
            return .createCatalogReference(try parseCreateCatalogReference(start))
        case .identifier where atWord("index", token):
            return try parseCreateIndex(start)
        case .identifier where atWord("sequence", token):
            throw error(
                "sequences are not supported: a counter that many writers share would make them wait",
                at: token,
                hint: "Use uuid(), or max(id) + row_number() OVER () in one INSERT."
            )
        default:
            break
        }
        throw unexpected("TABLE, VIEW or SCHEMA", candidates: [.table, .view, .schema, .namespace])
    }

    // MARK: CREATE TABLE

    private mutating func parseCreateTable(
        _ start: Token,
        isOrReplace: Bool,
        isTemporary: Bool
    ) throws(SQLError) -> CreateTable {
        advance()
        let isIfNotExists = try takeIfNotExists()
        let name = try parseObjectName("a table name")
        var table = CreateTable(
            name: name,
            isOrReplace: isOrReplace,
            isIfNotExists: isIfNotExists,
            isTemporary: isTemporary,
            columns: [],
            constraints: [],
            format: nil,
            partitionedBy: [],
            sortedBy: [],
            location: nil,
            comment: nil,
            properties: [],
            query: nil,
            isWithData: true,
            span: start.span
        )
        if at(.leftParenthesis), peek().kind == .keyword(.like) {
            advance()
            advance()
            table.like = try parseObjectName("a table name")
            try expect(.rightParenthesis)
        } else if take(.like) {
            table.like = try parseObjectName("a table name")
        } else if at(.leftParenthesis) {
            try parseTableElements(&table)
        }
        try parseTableClauses(&table)
        if take(.as) {
            guard startsQuery() || at(.leftParenthesis) else { throw unexpected("a query") }
            table.query = try parseQuery()
            if at(.with) {
                advance()
                table.isWithData = !take(.no)
                try expect(.data)
            }
        }
        guard !table.columns.isEmpty || table.query != nil || table.like != nil else {
            throw unexpected("\"(\" with columns or AS with a query", candidates: [.as])
        }
        if table.query == nil,
            let untyped = table.columns.first(where: { $0.type == nil && $0.generated == nil })
        {
            throw SQLError(
                code: .syntax,
                message: "the column \(untyped.name.name) has no type",
                span: untyped.span,
                token: untyped.name.name,
                hint: nil
            )
        }
        table.span = span(from: start)
        return table
    }

    private mutating func parseTableElements(_ table: inout CreateTable) throws(SQLError) {
        advance()
        repeat {
            if let constraint = try parseTableConstraint() {
                table.constraints.append(constraint)
            } else {
                table.columns.append(try parseColumnDefinition())
            }
        } while take(.comma)
        guard take(.rightParenthesis) else {
            throw unexpected("\",\" or \")\"", candidates: [.not, .comment, .default, .primary])
        }
    }

    /// `name [type] [NOT NULL] [DEFAULT …] [COMMENT '…'] [PRIMARY KEY] …`.
    mutating func parseColumnDefinition() throws(SQLError) -> ColumnDefinition {
        let start = token
        let name = try parseIdentifier("a column name")
        return try parseColumnRest(name, from: start)
    }

    /// A column definition after its name.
    mutating func parseColumnRest(
        _ name: Identifier,
        from start: Token
    ) throws(SQLError) -> ColumnDefinition {
        var column = ColumnDefinition(
            name: name,
            type: nil,
            isNotNull: false,
            isPrimaryKey: false,
            isUnique: false,
            defaultValue: nil,
            check: nil,
            comment: nil,
            span: start.span
        )
        if isName(token) || at(.array), !at(.comment), !startsGenerated() {
            column.type = try parseTypeName()
        }
        while try parseColumnOption(&column) {}
        column.span = span(from: start)
        return column
    }

    private mutating func parseColumnOption(
        _ column: inout ColumnDefinition
    ) throws(SQLError) -> Bool {
        switch token.kind {
        case .keyword(.not):
            advance()
            try expect(.null)
            column.isNotNull = true
        case .keyword(.null):
            advance()
        case .keyword(.default):
            advance()
            column.defaultValue = try parseExpression(Precedence.other)
        case .keyword(.comment):
            advance()
            column.comment = try parseString("a comment")
        case .keyword(.primary):
            advance()
            try expectWord("key")
            column.isPrimaryKey = true
        case .keyword(.unique):
            advance()
            column.isUnique = true
        case .keyword(.check):
            advance()
            try expect(.leftParenthesis)
            column.check = try parseExpression()
            try expect(.rightParenthesis)
        case .keyword(.references):
            advance()
            column.reference = try parseForeignKeyTarget()
        case .identifier, .keyword(.as):
            guard startsGenerated() else { return false }
            column.generated = try parseGenerated()
        case .keyword(.collate):
            advance()
            column.collation = try parseObjectName("a collation")
        default:
            return false
        }
        return true
    }

    private mutating func parseTableClauses(_ table: inout CreateTable) throws(SQLError) {
        while true {
            switch token.kind {
            case .keyword(.using):
                advance()
                table.format = try parseIdentifier("a table format")
            case .keyword(.partitioned):
                advance()
                try expect(.by)
                table.partitionedBy = try parenthesised { (parser) throws(SQLError) in
                    try parser.parsePartitionField()
                }
            case .keyword(.ordered), .keyword(.sorted):
                advance()
                try expect(.by)
                table.sortedBy = try parseMaybeParenthesisedSortFields()
            case .keyword(.location):
                advance()
                table.location = try parseString("a location")
            case .keyword(.comment):
                advance()
                table.comment = try parseString("a comment")
            case .keyword(.tblproperties), .keyword(.with):
                advance()
                table.properties += try parseProperties()
            default:
                return
            }
        }
    }

    // MARK: Transforms

    /// `transform [AS name]`.
    mutating func parsePartitionField() throws(SQLError) -> PartitionField {
        let transform = try parseTransform()
        let name = take(.as) ? try parseIdentifier("a name for the partition field") : nil
        return PartitionField(transform: transform, name: name)
    }

    /// `a.b`, `day(ts)`, `bucket(16, id)`, `bucket(id, 16)`.
    mutating func parseTransform() throws(SQLError) -> Transform {
        let start = token
        let name = try parseObjectName("a column or a transform")
        guard at(.leftParenthesis) else {
            return Transform(column: name, span: span(from: start))
        }
        guard let function = name.first, name.count == 1 else {
            throw error("a transform has a simple name", at: start)
        }
        advance()
        var parameter: Int?
        if token.kind == .integer {
            parameter = try parseCount("a number")
            try expect(.comma)
        }
        let column = try parseObjectName("a column name")
        if parameter == nil, take(.comma) { parameter = try parseCount("a number") }
        try expect(.rightParenthesis)
        return Transform(
            name: function,
            parameter: parameter,
            column: column,
            span: span(from: start)
        )
    }

    /// `transform [ASC | DESC] [NULLS FIRST | LAST], …`.
    mutating func parseSortFields() throws(SQLError) -> [SortField] {
        try list { (parser) throws(SQLError) in
            let transform = try parser.parseTransform()
            let direction = parser.takeDirection()
            let nulls = try parser.parseNullOrder()
            return SortField(transform: transform, direction: direction, nulls: nulls)
        }
    }

    mutating func parseMaybeParenthesisedSortFields() throws(SQLError) -> [SortField] {
        guard take(.leftParenthesis) else { return try parseSortFields() }
        let fields = try parseSortFields()
        try expect(.rightParenthesis)
        return fields
    }

    // MARK: CREATE VIEW, CREATE SCHEMA

    private mutating func parseCreateView(
        _ start: Token,
        isOrReplace: Bool,
        isTemporary: Bool
    ) throws(SQLError) -> CreateView {
        advance()
        let isIfNotExists = try takeIfNotExists()
        let name = try parseObjectName("a view name")
        var columns: [ViewColumn] = []
        if at(.leftParenthesis) {
            columns = try parenthesised { (parser) throws(SQLError) in
                let name = try parser.parseIdentifier("a column name")
                let comment = parser.take(.comment) ? try parser.parseString("a comment") : nil
                return ViewColumn(name: name, comment: comment)
            }
        }
        var comment: String?
        var properties: [Property] = []
        while !at(.as) {
            if take(.comment) {
                comment = try parseString("a comment")
            } else {
                guard take(.tblproperties) || take(.with) else {
                    throw unexpected("AS", candidates: [.as, .comment, .tblproperties])
                }
                properties += try parseProperties()
            }
        }
        advance()
        guard startsQuery() || at(.leftParenthesis) else { throw unexpected("a query") }
        let query = try parseQuery()
        return CreateView(
            name: name,
            isOrReplace: isOrReplace,
            isIfNotExists: isIfNotExists,
            isTemporary: isTemporary,
            columns: columns,
            comment: comment,
            properties: properties,
            query: query,
            span: span(from: start)
        )
    }

    private mutating func parseCreateSchema(_ start: Token) throws(SQLError) -> CreateSchema {
        advance()
        let isIfNotExists = try takeIfNotExists()
        var schema = CreateSchema(
            name: try parseObjectName("a schema name"),
            isIfNotExists: isIfNotExists,
            location: nil,
            comment: nil,
            properties: [],
            span: start.span
        )
        while true {
            if take(.location) {
                schema.location = try parseString("a location")
            } else if take(.comment) {
                schema.comment = try parseString("a comment")
            } else if take(.tblproperties) || take(.with) {
                takePropertiesWord()
                schema.properties += try parseProperties()
            } else {
                break
            }
        }
        schema.span = span(from: start)
        return schema
    }

    /// Whether a token says what we call a namespace.
    func isSchemaWord(_ token: Token) -> Bool {
        switch token.kind {
        case .keyword(.schema), .keyword(.namespace), .keyword(.database): true
        default: false
        }
    }

    mutating func parseAlterSchema() throws(SQLError) -> AlterSchema {
        let start = advance()
        advance()
        var alter = AlterSchema(
            name: try parseObjectName("a schema name"),
            set: [],
            unset: [],
            isIfExists: false,
            span: start.span
        )
        if take(.set) {
            takePropertiesWord()
            alter.set = try parseProperties()
        } else if take(.unset) {
            takePropertiesWord()
            alter.isIfExists = try takeIfExists()
            alter.unset = try parenthesised { (parser) throws(SQLError) in
                try parser.parsePropertyKey()
            }
        } else {
            throw unexpected("SET or UNSET", candidates: [.set, .unset])
        }
        alter.span = span(from: start)
        return alter
    }

    /// `PROPERTIES`, `DBPROPERTIES` or `TBLPROPERTIES`, which all mean the same.
    private mutating func takePropertiesWord() {
        if atWord("properties", token) || atWord("dbproperties", token) {
            advance()
        } else {
            _ = take(.tblproperties)
        }
    }

    // MARK: DROP, COMMENT ON

    mutating func parseDrop() throws(SQLError) -> Drop {
        let start = advance()
        let kind: Drop.Kind
        switch token.kind {
        case .keyword(.table): kind = .table
        case .keyword(.view): kind = .view
        case .keyword(.schema), .keyword(.namespace), .keyword(.database): kind = .schema
        default:
            throw unexpected(
                "TABLE, VIEW or SCHEMA",
                candidates: [.table, .view, .schema, .namespace]
            )
        }
        advance()
        let isIfExists = try takeIfExists()
        let names = try list { (parser) throws(SQLError) in try parser.parseObjectName("a name") }
        var isCascade = false
        var isPurge = false
        while true {
            if take(.cascade) {
                isCascade = true
            } else if take(.restrict) {
                isCascade = false
            } else if kind == .table, take(.purge) {
                isPurge = true
            } else {
                break
            }
        }
        return Drop(
            kind: kind,
            isIfExists: isIfExists,
            names: names,
            isCascade: isCascade,
            isPurge: isPurge,
            span: span(from: start)
        )
    }

    mutating func parseCommentOn() throws(SQLError) -> CommentOn {
        let start = advance()
        try expect(.on)
        let kind: CommentOn.Kind
        switch token.kind {
        case .keyword(.table): kind = .table
        case .keyword(.view): kind = .view
        case .keyword(.column): kind = .column
        case .keyword(.schema), .keyword(.namespace), .keyword(.database): kind = .schema
        default:
            throw unexpected(
                "TABLE, VIEW, COLUMN or SCHEMA",
                candidates: [.table, .view, .column, .schema]
            )
        }
        advance()
        let name = try parseObjectName("a name")
        if kind == .column, name.count < 2 {
            throw error("a column is named with its table: t.\(name[0].name)", at: previous)
        }
        try expect(.is)
        let comment = take(.null) ? nil : try parseString("a string or NULL")
        return CommentOn(kind: kind, name: name, comment: comment, span: span(from: start))
    }
}
