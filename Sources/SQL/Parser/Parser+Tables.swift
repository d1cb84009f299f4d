extension Parser {
    /// The list after `FROM`.
    mutating func parseFrom() throws(SQLError) -> [TableReference] {
        try list { (parser) throws(SQLError) in try parser.parseTableReference() }
    }

    /// A table with everything joined to it.
    @inline(never)
    mutating func parseTableReference() throws(SQLError) -> TableReference {
        try enter()
        let outerHeight = height
        height = 0
        let table = try continueJoins(try parseTablePrimary())
        height = max(outerHeight, height)
        leave()
        return table
    }

    /// The source of a `MERGE`, one table: a join needs parentheses, or it would take the `ON`.
    mutating func parseMergeSource() throws(SQLError) -> TableReference {
        try parseTablePrimary()
    }

    // MARK: Joins

    private struct JoinWords {
        var kind: Join.Kind
        var isNatural = false

        var needsCondition: Bool { kind != .cross && kind != .positional && !isNatural }
    }

    /// Whether the words of a join come next.
    @inline(never)
    private mutating func startsJoin() -> Bool {
        switch token.kind {
        case .keyword(.join), .keyword(.inner), .keyword(.left), .keyword(.right), .keyword(.full),
            .keyword(.cross), .keyword(.natural):
            true
        case .keyword(.semi), .keyword(.anti), .keyword(.positional):
            peek().kind == .keyword(.join)
        case .keyword(.asof):
            switch peek().kind {
            case .keyword(.join), .keyword(.left), .keyword(.inner): true
            default: false
            }
        default: false
        }
    }

    /// The words of a join up to and with `JOIN`; nil when none starts here.
    @inline(never)
    private mutating func takeJoin() throws(SQLError) -> JoinWords? {
        guard startsJoin() else { return nil }
        if take(.cross) {
            try expect(.join)
            return JoinWords(kind: .cross)
        }
        if take(.positional) {
            try expect(.join)
            return JoinWords(kind: .positional)
        }
        if take(.asof) {
            let isLeft = take(.left)
            if isLeft { _ = take(.outer) } else { _ = take(.inner) }
            try expect(.join)
            return JoinWords(kind: isLeft ? .asofLeft : .asof)
        }
        let isNatural = take(.natural)
        var kind = Join.Kind.inner
        if take(.left) {
            kind = .left
        } else if take(.right) {
            kind = .right
        } else if take(.full) {
            kind = .full
        } else if !take(.inner) {
            if take(.semi) { kind = .semi } else if take(.anti) { kind = .anti }
        }
        if kind == .left, take(.semi) {
            kind = .semi
        } else if kind == .left, take(.anti) {
            kind = .anti
        } else if kind == .left || kind == .right || kind == .full {
            _ = take(.outer)
        }
        try expect(.join)
        return JoinWords(kind: kind, isNatural: isNatural)
    }

    @inline(never)
    private mutating func parseJoin(
        _ left: TableReference,
        _ words: JoinWords
    ) throws(SQLError) -> TableReference {
        try enter()
        var right = try parseTablePrimary()
        var condition: Join.Condition? = words.isNatural ? .natural : nil
        if words.needsCondition {
            // a JOIN b JOIN c ON x ON y: the inner condition comes first.
            while !at(.on), !at(.using), let inner = try takeJoin() {
                // As deep as the parentheses it is printed with.
                try enter(2)
                right = try parseJoin(right, inner)
                leave(2)
            }
            condition = try parseJoinCondition()
        }
        // Two levels: comparing and freeing joins takes that much.
        try grow(2)
        leave()
        return .join(
            Join(
                kind: words.kind,
                left: left,
                right: right,
                condition: condition,
                span: left.span.through(previous.span)
            )
        )
    }

    /// `ON condition` or `USING (columns)`.
    @inline(never)
    mutating func parseJoinCondition() throws(SQLError) -> Join.Condition {
        if take(.on) { return .on(try parseExpression()) }
        guard at(.using), peek().kind == .symbol(.leftParenthesis) else {
            throw unexpected("ON or USING", candidates: [.on, .using])
        }
        advance()
        return .using(try parseColumnNames())
    }

    // MARK: Tables

    @inline(never)
    private mutating func parseTablePrimary() throws(SQLError) -> TableReference {
        let start = token
        if isName(token), peek().kind == .symbol(.colon) { return try parsePrefixedTable() }
        if at(.leftParenthesis) { return try parseParenthesisedPrimary() }
        if take(.lateral) {
            if at(.leftParenthesis) {
                let query = try parseParenthesisedQuery()
                return try finishDerived(query, isLateral: true, from: start)
            }
            let name = try parseObjectName("a query or a table function")
            return try parseTableFunction(name, isLateral: true, from: start)
        }
        if case .string = token.kind {
            let path = try parseString("a file name")
            let (alias, sample) = try parseAliasAndSample()
            return .file(
                FileTable(path: path, alias: alias, sample: sample, span: span(from: start))
            )
        }
        if at(.values), peek().kind == .symbol(.leftParenthesis) {
            let query = try parseQuery()
            return try finishDerived(query, isLateral: false, from: start)
        }
        let name: ObjectName
        if case .keyword(let keyword) = token.kind, keyword.role == .function,
            peek().kind == .symbol(.leftParenthesis)
        {
            name = [identifier(advance())]
        } else {
            name = try parseObjectName("a table name")
        }
        if at(.leftParenthesis) {
            return try parseTableFunction(name, isLateral: false, from: start)
        }
        return try parseNamedTable(name, from: start)
    }

    /// `a: table` names what follows.
    @inline(never)
    private mutating func parsePrefixedTable() throws(SQLError) -> TableReference {
        let alias = TableAlias(name: identifier(advance()))
        advance()
        guard !(isName(token) && peek().kind == .symbol(.colon)) else {
            throw error("this table has a name already")
        }
        switch try parseTablePrimary() {
        case .table(var table) where table.alias == nil:
            table.alias = alias
            return .table(table)
        case .file(var file) where file.alias == nil:
            file.alias = alias
            return .file(file)
        case .function(var function) where function.alias == nil:
            function.alias = alias
            return .function(function)
        case .derived(var derived) where derived.alias == nil:
            derived.alias = alias
            return .derived(derived)
        case .join(var join) where join.alias == nil:
            join.alias = alias
            return .join(join)
        default: throw error("this table has a name already")
        }
    }

    @inline(never)
    private mutating func parseNamedTable(
        _ name: ObjectName,
        from start: Token
    ) throws(SQLError) -> TableReference {
        var asOf = try parseTimeTravel()
        let alias = try parseTableAlias()
        if asOf == nil { asOf = try parseTimeTravel() }
        let sample = try parseTableSample()
        return .table(
            NamedTable(
                name: name,
                asOf: asOf,
                alias: alias,
                sample: sample,
                span: span(from: start)
            )
        )
    }

    @inline(never)
    private mutating func parseTableFunction(
        _ name: ObjectName,
        isLateral: Bool,
        from start: Token
    ) throws(SQLError) -> TableReference {
        try expect(.leftParenthesis)
        var arguments: [FunctionArgument] = []
        if !at(.rightParenthesis) {
            arguments = try list { (parser) throws(SQLError) in try parser.parseArgument() }
        }
        try expect(.rightParenthesis)
        try grow()
        let isWithOrdinality = take(.with, .ordinality)
        let (alias, sample) = try parseAliasAndSample()
        return .function(
            TableFunction(
                isLateral: isLateral,
                call: FunctionCall(name: name, arguments: arguments),
                isWithOrdinality: isWithOrdinality,
                alias: alias,
                sample: sample,
                span: span(from: start)
            )
        )
    }

    // MARK: Parentheses

    private indirect enum ParenthesisedTable {
        case query(Query)
        case table(TableReference)
    }

    @inline(never)
    private mutating func parseParenthesisedPrimary() throws(SQLError) -> TableReference {
        let start = token
        switch try parseParenthesisedTable() {
        case .query(let query):
            return try finishDerived(query, isLateral: false, from: start)
        case .table(let table):
            return try finishParenthesised(table)
        }
    }

    /// A query or joined tables in parentheses; see `parseParenthesised` for expressions.
    @inline(never)
    private mutating func parseParenthesisedTable() throws(SQLError) -> ParenthesisedTable {
        try enter()
        try expect(.leftParenthesis)
        let result: ParenthesisedTable
        if startsQuery() {
            result = try parseQueryInside()
        } else if startsDescription() {
            result = .table(.description(try parseDescription()))
        } else if at(.leftParenthesis) {
            let innerStart = token
            let inner = try parseParenthesisedTable()
            result = try continueInside(inner, from: innerStart)
        } else {
            result = .table(try parseTableReference())
        }
        try expect(.rightParenthesis)
        leave()
        return result
    }

    @inline(never)
    private mutating func parseQueryInside() throws(SQLError) -> ParenthesisedTable {
        .query(try parseQuery())
    }

    /// Goes on after inner parentheses.
    @inline(never)
    private mutating func continueInside(
        _ inner: ParenthesisedTable,
        from start: Token
    ) throws(SQLError) -> ParenthesisedTable {
        switch inner {
        case .query(let query):
            if continuesQuery() { return .query(try continueQuery(query, from: start)) }
            if at(.rightParenthesis) { return inner }
            let first = try finishDerived(query, isLateral: false, from: start)
            return .table(try continueJoins(first))
        case .table(let table):
            return .table(try continueJoins(try finishParenthesised(table)))
        }
    }

    private mutating func continueJoins(_ first: TableReference) throws(SQLError) -> TableReference
    {
        var table = first
        while true {
            if let kind = try takeJoin() {
                table = try parseJoin(table, kind)
            } else if startsTablePivot() {
                table = try parseTablePivot(table)
            } else {
                return table
            }
        }
    }

    @inline(never)
    private mutating func finishDerived(
        _ query: Query,
        isLateral: Bool,
        from start: Token
    ) throws(SQLError) -> TableReference {
        try grow()
        let (alias, sample) = try parseAliasAndSample()
        return .derived(
            DerivedTable(
                isLateral: isLateral,
                query: query,
                alias: alias,
                sample: sample,
                span: span(from: start)
            )
        )
    }

    /// The alias of joined tables in parentheses.
    @inline(never)
    private mutating func finishParenthesised(
        _ table: TableReference
    ) throws(SQLError) -> TableReference {
        if case .description(var description) = table {
            description.alias = try parseTableAlias()
            return .description(description)
        }
        if case .pivot(var pivot) = table, pivot.alias == nil {
            pivot.alias = try parseTableAlias()
            return .pivot(pivot)
        }
        if case .unpivot(var unpivot) = table, unpivot.alias == nil {
            unpivot.alias = try parseTableAlias()
            return .unpivot(unpivot)
        }
        guard case .join(var join) = table else {
            if at(.as) || startsBareAlias() {
                throw error("only a join or a query in parentheses can be named here")
            }
            return table
        }
        if let alias = try parseTableAlias() {
            guard join.alias == nil else { throw error("this join has a name already") }
            join.alias = alias
        }
        return .join(join)
    }

    // MARK: Aliases, samples, time travel

    @inline(never)
    private mutating func startsBareAlias() -> Bool {
        guard isName(token) else { return false }
        switch token.kind {
        case .keyword(.semi), .keyword(.anti), .keyword(.positional), .keyword(.asof):
            return !startsJoin()
        case .keyword(.at):
            return !startsAt()
        case .keyword(.version), .keyword(.timestamp), .keyword(.systemVersion),
            .keyword(.systemTime):
            return !(peek().kind == .keyword(.as) && peek(2).kind == .keyword(.of))
        case .keyword(.set):
            // UPDATE t SET: nobody calls a table so without AS.
            return false
        default:
            return true
        }
    }

    @inline(never)
    mutating func parseTableAlias() throws(SQLError) -> TableAlias? {
        let name: Identifier
        if take(.as) {
            name = try parseIdentifier("a name for the table")
        } else {
            guard startsBareAlias() else { return nil }
            name = identifier(advance())
        }
        let columns = at(.leftParenthesis) ? try parseColumnNames() : []
        return TableAlias(name: name, columns: columns)
    }

    @inline(never)
    private mutating func parseAliasAndSample() throws(SQLError) -> (TableAlias?, TableSample?) {
        let alias = try parseTableAlias()
        return (alias, try parseTableSample())
    }

    @inline(never)
    private mutating func parseTableSample() throws(SQLError) -> TableSample? {
        guard at(.tablesample) else { return nil }
        return try parseSampleRest(from: advance())
    }

    /// `[method] (size [PERCENT | ROWS])`, `size%`, with `REPEATABLE (seed)` or `(method, seed)`.
    @inline(never)
    mutating func parseSampleRest(from start: Token) throws(SQLError) -> TableSample {
        var method: Identifier?
        if isName(token) { method = identifier(advance()) }
        let hasParentheses = method != nil || at(.leftParenthesis)
        if hasParentheses { try expect(.leftParenthesis) }
        let size = try parsePrimary()
        var unit: TableSample.Unit
        if take(Keyword.percent) || take(Symbol.percent) {
            unit = .percent
        } else if take(.rows) {
            unit = .rows
        } else {
            let isReservoir = method?.name.lowercased() == "reservoir"
            unit = method == nil || isReservoir ? .rows : .percent
        }
        if hasParentheses { try expect(.rightParenthesis) }
        var seed: Expression?
        if method == nil, take(.leftParenthesis) {
            method = try parseIdentifier("a sampling method")
            if take(.comma) { seed = try parsePrimary() }
            try expect(.rightParenthesis)
        }
        if seed == nil, take(.repeatable) {
            try expect(.leftParenthesis)
            seed = try parsePrimary()
            try expect(.rightParenthesis)
        }
        return TableSample(
            method: method,
            size: size,
            unit: unit,
            seed: seed,
            span: span(from: start)
        )
    }

    private mutating func startsAt() -> Bool {
        guard at(.at, .leftParenthesis) else { return false }
        switch peek(2).kind {
        case .keyword(.version), .keyword(.timestamp): break
        default: return false
        }
        return peek(3).kind == .symbol(.rightArrow)
    }

    /// `FOR VERSION AS OF x`, `VERSION AS OF x`, `AT (VERSION => x)` and the same for times.
    @inline(never)
    private mutating func parseTimeTravel() throws(SQLError) -> TimeTravel? {
        if startsAt() {
            advance()
            advance()
            let isVersion = advance().kind == .keyword(.version)
            advance()
            let value = try parseExpression()
            try expect(.rightParenthesis)
            return isVersion ? .version(value) : .timestamp(value)
        }
        let hasFor = take(.for)
        let isVersion: Bool
        switch token.kind {
        case .keyword(.version), .keyword(.systemVersion): isVersion = true
        case .keyword(.timestamp), .keyword(.systemTime): isVersion = false
        default:
            guard hasFor else { return nil }
            throw unexpected(
                "VERSION AS OF or TIMESTAMP AS OF",
                candidates: [.version, .timestamp, .systemVersion, .systemTime]
            )
        }
        if !hasFor {
            guard peek().kind == .keyword(.as), peek(2).kind == .keyword(.of) else { return nil }
        }
        advance()
        try expect(.as)
        try expect(.of)
        // A sum at most: what follows may be an alias or a condition, never a comparison.
        let value = try parseExpression(Precedence.other)
        return isVersion ? .version(value) : .timestamp(value)
    }
}
