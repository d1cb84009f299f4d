/// `INSERT INTO t [(columns)] [BY NAME] query`.
package struct Insert: Sendable, Hashable {
    /// What is inserted.
    package enum Source: Sendable, Hashable {
        /// Also `VALUES`, whose rows may hold `DEFAULT`.
        case query(Query)
        case defaultValues
    }

    package var with: WithClause?
    package var table: ObjectName
    package var alias: Identifier?
    /// Empty when all columns are meant, in their order.
    package var columns: [Identifier]
    /// `BY NAME`: columns of the query are matched by their names.
    package var isByName: Bool
    /// `INSERT OVERWRITE`: replaces the partitions that the query has rows for.
    package var isOverwrite: Bool
    package var source: Source
    package var returning: [SelectItem]
    package var span: SourceSpan
    package var conflict: InsertConflict?
}

/// `path, … = value`.
package struct Assignment: Sendable, Hashable {
    /// One path (`a` or `a.b`), or several of `(a, b) = (1, 2)`.
    package var targets: [ObjectName]
    package var value: Expression
}

/// `UPDATE t SET … [FROM …] [WHERE …]`.
package struct Update: Sendable, Hashable {
    package var with: WithClause?
    package var table: ObjectName
    package var alias: Identifier?
    package var assignments: [Assignment]
    package var from: [TableReference]
    package var filter: Expression?
    package var returning: [SelectItem]
    package var span: SourceSpan
}

/// `DELETE FROM t [USING …] [WHERE …]`.
package struct Delete: Sendable, Hashable {
    package var with: WithClause?
    package var table: ObjectName
    package var alias: Identifier?
    package var using: [TableReference]
    package var filter: Expression?
    package var returning: [SelectItem]
    package var span: SourceSpan
}

/// `MERGE INTO t USING source ON condition WHEN …`.
package struct Merge: Sendable, Hashable {
    package var with: WithClause?
    package var table: ObjectName
    package var alias: Identifier?
    package var source: TableReference
    package var condition: Join.Condition
    package var clauses: [MergeClause]
    package var returning: [SelectItem]
    package var span: SourceSpan
}

/// `WHEN … [AND condition] THEN action`.
package struct MergeClause: Sendable, Hashable {
    /// Which rows the clause is for.
    package enum Match: String, Sendable, Hashable {
        case matched = "MATCHED"
        /// Rows of the source that no row of the target matches.
        case notMatchedByTarget = "NOT MATCHED"
        /// Rows of the target that no row of the source matches.
        case notMatchedBySource = "NOT MATCHED BY SOURCE"
    }

    /// What happens to them.
    package enum Action: Sendable, Hashable {
        case update([Assignment])
        /// `UPDATE SET *`, `UPDATE` or `UPDATE BY NAME`: every column, by name.
        case updateAll
        case delete
        /// `INSERT (columns) VALUES (…)`; no columns mean all, in their order.
        case insert(columns: [Identifier], values: [Expression])
        /// `INSERT *` or `INSERT`: every column, by name.
        case insertAll
        /// `INSERT BY NAME`: the columns that the source has; the others get their defaults.
        case insertByName
        case insertDefaultValues
        case doNothing
    }

    package var match: Match
    package var condition: Expression?
    package var action: Action
    package var span: SourceSpan
}

/// `TRUNCATE [TABLE] t, …`.
package struct Truncate: Sendable, Hashable {
    package var tables: [ObjectName]
    package var span: SourceSpan
}

/// `COPY what TO | FROM 'file' (options)`.
package struct Copy: Sendable, Hashable {
    /// What is copied.
    package enum Subject: Sendable, Hashable {
        case table(ObjectName, columns: [Identifier])
        /// Only `TO`.
        case query(Query)
    }

    /// Which way.
    package enum Direction: String, Sendable, Hashable {
        case from = "FROM"
        case to = "TO"
    }

    package var subject: Subject
    package var direction: Direction
    package var path: String
    package var options: [Option]
    package var span: SourceSpan

    /// `(FORMAT parquet, HEADER)`.
    package struct Option: Sendable, Hashable {
        package var name: Identifier
        /// A bare word is a `column` of one part; nil where only the name stands.
        package var value: Expression?
    }
}
