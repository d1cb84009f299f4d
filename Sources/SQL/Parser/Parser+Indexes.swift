extension Parser {
    /// `[UNIQUE] INDEX [IF NOT EXISTS] name ON t [USING method] (columns)`.
    mutating func parseCreateIndex(_ start: Token) throws(SQLError) -> Statement {
        let isUnique = take(.unique)
        try expectWord("index")
        let isIfNotExists = try takeIfNotExists()
        let name = try parseIdentifier("a name for the index")
        try expect(.on)
        let table = try parseObjectName("a table name")
        if take(.using) {
            let method = try parseIdentifier("a method")
            // They all make values quick to find, which is what an index is here.
            guard ["art", "bloom", "btree", "hash"].contains(method.name.lowercased()) else {
                throw error(
                    "there are no indexes of the kind \(method.name)",
                    at: token,
                    hint: "Leave USING out."
                )
            }
        }
        let columns = try parenthesised { (parser) throws(SQLError) in
            let column = parser.token
            let expression = try parser.parseExpression()
            guard case .column(let path) = expression.node, path.count == 1 else {
                throw parser.error(
                    "an index is over columns: indexes of expressions are not supported",
                    at: column,
                    hint: "Index a generated column that holds the expression."
                )
            }
            if !parser.take(.asc) { _ = parser.take(.desc) }
            return path[0]
        }
        return .createIndex(
            CreateIndex(
                name: name,
                isUnique: isUnique,
                isIfNotExists: isIfNotExists,
                table: table,
                columns: columns,
                span: span(from: start)
            )
        )
    }

    /// `DROP INDEX …`, from behind `INDEX` on.
    mutating func parseDropIndex(_ start: Token) throws(SQLError) -> Statement {
        let isIfExists = try takeIfExists()
        let names = try list { (parser) throws(SQLError) in
            try parser.parseObjectName("the name of an index")
        }
        if !take(.cascade) { _ = take(.restrict) }
        return .dropIndex(
            DropIndex(names: names, isIfExists: isIfExists, span: span(from: start))
        )
    }
}
