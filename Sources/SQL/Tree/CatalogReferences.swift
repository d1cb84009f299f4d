/// `CREATE BRANCH | TAG [IF NOT EXISTS] name [FROM branch or tag] [AS OF VERSION position | TIMESTAMP time]`: of the
/// whole catalog, not of a table.
package struct CreateCatalogReference: Sendable, Hashable {
    package var kind: ReferenceKind
    package var name: Identifier
    package var isIfNotExists: Bool
    /// nil for the branch that the session is on.
    package var source: Identifier?
    /// A position of the log, or a time; nil for now.
    package var asOf: TimeTravel?
    package var span: SourceSpan
}

/// `DROP BRANCH | TAG [IF EXISTS] name`: of the whole catalog.
package struct DropCatalogReference: Sendable, Hashable {
    package var kind: ReferenceKind
    package var name: Identifier
    package var isIfExists: Bool
    package var span: SourceSpan
}

/// `MERGE BRANCH source [INTO target]`.
package struct MergeBranch: Sendable, Hashable {
    package var source: Identifier
    /// nil for the branch that it was made from.
    package var target: Identifier?
    package var span: SourceSpan
}

/// `UNDROP TABLE name [AS other]`.
package struct UndropTable: Sendable, Hashable {
    package var name: ObjectName
    /// The name that it gets; nil for the one that it had.
    package var newName: ObjectName?
    package var span: SourceSpan
}
