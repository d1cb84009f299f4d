/// `GENERATED ALWAYS AS (expression) [STORED | VIRTUAL]`.
package struct GeneratedColumn: Sendable, Hashable {
    package var expression: Expression
    package var isStored: Bool
}

/// `REFERENCES t [(columns)]`.
package struct ForeignKeyTarget: Sendable, Hashable {
    package var table: ObjectName
    /// Empty for the primary key of the table.
    package var columns: [Identifier]
    package var span: SourceSpan
}

/// `ON CONFLICT [(columns)] DO …`, `OR REPLACE`, `OR IGNORE` of an INSERT.
package struct InsertConflict: Sendable, Hashable {
    /// What happens to a row whose key is in the table already.
    package enum Action: Sendable, Hashable {
        case nothing
        case update([Assignment], filter: Expression?)
        /// Every column takes the new value.
        case replace
    }

    /// Empty for every unique key of the table.
    package var columns: [Identifier]
    package var action: Action
    package var span: SourceSpan
}

extension Assignment {
    /// `target = value`.
    package init(_ target: Identifier, _ value: Expression) {
        self.init(targets: [[target]], value: value)
    }
}

extension MergeClause {
    /// `WHEN match [AND condition] THEN action`.
    package init(
        _ match: Match,
        and condition: Expression? = nil,
        then action: Action,
        at span: SourceSpan
    ) {
        self.init(match: match, condition: condition, action: action, span: span)
    }
}

extension Merge {
    /// `MERGE INTO table [AS alias] USING source ON condition …`.
    package init(
        into table: ObjectName,
        alias: Identifier?,
        using source: TableReference,
        on condition: Expression,
        _ clauses: [MergeClause],
        at span: SourceSpan
    ) {
        self.init(
            with: nil,
            table: table,
            alias: alias,
            source: source,
            condition: .on(condition),
            clauses: clauses,
            returning: [],
            span: span
        )
    }
}

extension Insert {
    /// `INSERT INTO table [(columns)] [BY NAME] query`.
    package init(
        into table: ObjectName,
        columns: [Identifier],
        isByName: Bool,
        _ query: Query,
        at span: SourceSpan
    ) {
        self.init(
            with: nil,
            table: table,
            alias: nil,
            columns: columns,
            isByName: isByName,
            isOverwrite: false,
            source: .query(query),
            returning: [],
            span: span
        )
    }
}
