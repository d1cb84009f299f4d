/// `CREATE [OR REPLACE] [TEMP] MACRO | FUNCTION [IF NOT EXISTS] name (parameters) AS …`.
package struct CreateMacro: Sendable, Hashable {
    /// What a call stands for.
    package enum Body: Sendable, Hashable {
        case expression(Expression)
        /// `AS TABLE query`
        case table(Query)
    }

    package struct Parameter: Sendable, Hashable {
        package var name: Identifier
        /// What stands for the parameter where no argument does: `name := value`.
        package var defaultValue: Expression?
    }

    /// `(parameters) AS body`; a macro may have several with different numbers of parameters.
    package struct Definition: Sendable, Hashable {
        package var parameters: [Parameter]
        package var body: Body
    }

    package var name: ObjectName
    package var isOrReplace: Bool
    package var isIfNotExists: Bool
    package var isTemporary: Bool
    package var definitions: [Definition]
    package var span: SourceSpan
}

/// `DROP MACRO [TABLE] | FUNCTION [IF EXISTS] name`.
package struct DropMacro: Sendable, Hashable {
    package var name: ObjectName
    package var isIfExists: Bool
    package var span: SourceSpan
}

/// `DESCRIBE query` or `SUMMARIZE query` where a table may stand.
package struct DescribedTable: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable {
        case columns = "DESCRIBE"
        case summary = "SUMMARIZE"
    }

    package var kind: Kind
    package var query: Query
    package var alias: TableAlias?
    package var span: SourceSpan

    package init(
        kind: Kind,
        query: Query,
        alias: TableAlias? = nil,
        span: SourceSpan = .none
    ) {
        self.kind = kind
        self.query = query
        self.alias = alias
        self.span = span
    }
}
