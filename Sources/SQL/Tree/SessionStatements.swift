/// `SHOW …`.
package struct Show: Sendable, Hashable {
    /// What is shown.
    package enum Subject: Sendable, Hashable {
        /// `SHOW TABLES [FROM ns] [LIKE 'pattern']`
        case tables(ObjectName?, like: String?)
        /// `SHOW VIEWS [FROM ns] [LIKE 'pattern']`
        case views(ObjectName?, like: String?)
        /// `SHOW SCHEMAS`, `SHOW NAMESPACES [FROM ns] [LIKE 'pattern']`
        case schemas(ObjectName?, like: String?)
        case createTable(ObjectName)
        case createView(ObjectName)
        case columns(ObjectName)
        /// `SHOW BRANCHES`, `SHOW TAGS`: of the catalog.
        case references(ReferenceKind)
        /// `SHOW name`: a setting. `SHOW ALL` is the name `all`.
        case setting(ObjectName)
    }

    package var subject: Subject
    package var span: SourceSpan
}

/// `DESCRIBE t`, `DESCRIBE query`.
package struct Describe: Sendable, Hashable {
    /// What is described.
    package enum Subject: Sendable, Hashable {
        case table(ObjectName)
        case query(Query)
    }

    package var subject: Subject
    package var span: SourceSpan
}

/// `EXPLAIN [ANALYZE] [(FORMAT f)] statement`, `EXPLAIN LINEAGE query`.
package struct Explain: Sendable, Hashable {
    /// What is told.
    package enum Kind: Sendable, Hashable {
        case plan
        /// Runs the statement and tells what it took.
        case analyze
        case lineage
    }

    package var kind: Kind
    /// `FORMAT json`.
    package var format: Identifier?
    package var statement: Statement
    package var span: SourceSpan
}

/// `USE ns`.
package struct Use: Sendable, Hashable {
    package var name: ObjectName
    package var span: SourceSpan
}

/// `SET name = value, …`.
package struct SetSetting: Sendable, Hashable {
    package var name: ObjectName
    /// A bare word is a `column` of one part; `DEFAULT` is `defaultValue`.
    package var values: [Expression]
    package var span: SourceSpan
}

/// `RESET name`, `RESET ALL`.
package struct ResetSetting: Sendable, Hashable {
    /// nil for all.
    package var name: ObjectName?
    package var span: SourceSpan
}

/// `BEGIN`, `COMMIT`, `ROLLBACK`.
package struct TransactionCommand: Sendable, Hashable {
    /// Which of them.
    package enum Kind: String, Sendable, Hashable {
        /// Also `START TRANSACTION`.
        case begin = "BEGIN"
        /// Also `END`.
        case commit = "COMMIT"
        /// Also `ABORT`.
        case rollback = "ROLLBACK"
    }

    package var kind: Kind
    /// `READ ONLY` or `READ WRITE` after `BEGIN`; nil where nothing was written.
    package var isReadOnly: Bool?
    package var span: SourceSpan
}

/// `PREPARE name [(types)] AS statement`.
package struct Prepare: Sendable, Hashable {
    package var name: Identifier
    package var types: [TypeName]
    package var statement: Statement
    package var span: SourceSpan
}

/// `EXECUTE name [(arguments)]`.
package struct Execute: Sendable, Hashable {
    package var name: Identifier
    package var arguments: [FunctionArgument]
    package var span: SourceSpan
}

/// `DEALLOCATE [PREPARE] name | ALL`.
package struct Deallocate: Sendable, Hashable {
    /// nil for all.
    package var name: Identifier?
    package var span: SourceSpan
}
