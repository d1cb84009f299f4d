extension Parser {
    /// From `BRANCH` or `TAG` on; `CREATE` is `start`.
    @inline(never)
    mutating func parseCreateCatalogReference(
        _ start: Token
    ) throws(SQLError) -> CreateCatalogReference {
        let kind: ReferenceKind = advance().kind == .keyword(.branch) ? .branch : .tag
        let isIfNotExists = try takeIfNotExists()
        let name = try parseReferenceName(kind)
        var source: Identifier?
        if take(.from) { source = try parseReferenceName(.branch) }
        var asOf: TimeTravel?
        if take(.as) {
            try expect(.of)
            let isVersion = take(.version)
            guard isVersion || take(.timestamp) else {
                throw unexpected("VERSION or TIMESTAMP", candidates: [.version, .timestamp])
            }
            let value = try parseExpression()
            asOf = isVersion ? .version(value) : .timestamp(value)
        }
        return CreateCatalogReference(
            kind: kind,
            name: name,
            isIfNotExists: isIfNotExists,
            source: source,
            asOf: asOf,
            span: span(from: start)
        )
    }

    @inline(never)
    mutating func parseDropCatalogReference() throws(SQLError) -> DropCatalogReference {
        let start = advance()
        let kind: ReferenceKind = advance().kind == .keyword(.branch) ? .branch : .tag
        let isIfExists = try takeIfExists()
        return DropCatalogReference(
            kind: kind,
            name: try parseReferenceName(kind),
            isIfExists: isIfExists,
            span: span(from: start)
        )
    }

    @inline(never)
    mutating func parseMergeBranch() throws(SQLError) -> MergeBranch {
        let start = advance()
        advance()
        let source = try parseReferenceName(.branch)
        let target = take(.into) ? try parseReferenceName(.branch) : nil
        return MergeBranch(source: source, target: target, span: span(from: start))
    }

    @inline(never)
    mutating func parseUndropTable() throws(SQLError) -> UndropTable {
        let start = advance()
        advance()
        let name = try parseObjectName("a table name")
        let newName = take(.as) ? try parseObjectName("a table name") : nil
        return UndropTable(name: name, newName: newName, span: span(from: start))
    }

    /// `USE BRANCH name`, as the setting that says the same.
    @inline(never)
    mutating func parseUseBranch() throws(SQLError) -> SetSetting {
        let start = advance()
        let setting = identifier(advance())
        let name = try parseReferenceName(.branch)
        let whole = span(from: start)
        try grow(1)
        return SetSetting(
            name: [setting],
            values: [Expression(.literal(.string(name.name)), span: name.span)],
            span: whole
        )
    }
}
