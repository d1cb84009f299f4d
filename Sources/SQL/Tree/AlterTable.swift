/// `ALTER TABLE | VIEW [IF EXISTS] t action, …`.
package struct AlterTable: Sendable, Hashable {
    package var name: ObjectName
    package var isView: Bool
    package var isIfExists: Bool
    /// At least one, to be done in this order and all at once.
    package var actions: [AlterTableAction]
    package var span: SourceSpan
}

/// One change to a table.
///
/// Columns may be paths into structs: `a.b`.
package enum AlterTableAction: Sendable, Hashable {
    case addColumn(AddColumn)
    case dropColumn(ObjectName, isIfExists: Bool)
    case renameColumn(ObjectName, to: Identifier)
    case renameTable(to: ObjectName)
    case alterColumn(ObjectName, ColumnChange)

    case setProperties([Property])
    case unsetProperties([String], isIfExists: Bool)
    case setLocation(String)

    case addPartitionField(PartitionField)
    case dropPartitionField(PartitionFieldReference)
    case replacePartitionField(PartitionFieldReference, with: PartitionField)
    /// `WRITE ORDERED BY …`; empty for `WRITE UNORDERED`.
    case writeOrderedBy([SortField])
    case setIdentifierFields([ObjectName])
    case dropIdentifierFields([ObjectName])

    case createReference(CreateReference)
    case dropReference(ReferenceKind, Identifier, isIfExists: Bool)

    case addConstraint(TableConstraint)
    case dropConstraint(Identifier, isIfExists: Bool)
}

/// `ADD COLUMN [IF NOT EXISTS] definition [FIRST | AFTER column]`.
package struct AddColumn: Sendable, Hashable {
    package var isIfNotExists: Bool
    /// The path of the struct that the column goes into; empty for the table itself.
    package var parent: ObjectName
    package var definition: ColumnDefinition
    package var place: ColumnPlace?
}

/// Where among its siblings a column stands.
package enum ColumnPlace: Sendable, Hashable {
    case first
    case after(Identifier)
}

/// `ALTER COLUMN c …`.
package enum ColumnChange: Sendable, Hashable {
    case type(TypeName)
    /// `TYPE type USING expression`.
    case typeUsing(TypeName, Expression)
    case setNotNull
    case dropNotNull
    case setDefault(Expression)
    case dropDefault
    /// nil removes the comment.
    case comment(String?)
    case place(ColumnPlace)
}

/// A partition field, by its transform or by its name: `day(ts)` or `ts_day`.
///
/// A bare word may be either; the binder looks for the name first.
package struct PartitionFieldReference: Sendable, Hashable {
    package var transform: Transform
}

/// What names a snapshot.
package enum ReferenceKind: String, Sendable, Hashable {
    case branch = "BRANCH"
    case tag = "TAG"
}

/// `CREATE [OR REPLACE] BRANCH | TAG [IF NOT EXISTS] name [AS OF VERSION n] [RETAIN n DAYS] …`.
package struct CreateReference: Sendable, Hashable {
    package var kind: ReferenceKind
    package var name: Identifier
    /// `CREATE OR REPLACE`, `REPLACE`.
    package var isReplace: Bool
    /// False for `REPLACE BRANCH`, which wants the branch to exist.
    package var isCreate: Bool
    package var isIfNotExists: Bool
    /// The snapshot id; nil for the current one.
    package var snapshotID: Int64?
    /// `RETAIN n DAYS | HOURS | MINUTES`.
    package var retainMillis: Int64?
    /// `WITH SNAPSHOT RETENTION n SNAPSHOTS`, branches only.
    package var snapshotsMin: Int64?
    /// `WITH SNAPSHOT RETENTION n DAYS`, branches only.
    package var snapshotAgeMillis: Int64?
    package var span: SourceSpan
}
