/// `CREATE [OR REPLACE] [TEMP] TABLE [IF NOT EXISTS] t (…) … [AS query]`.
package struct CreateTable: Sendable, Hashable {
    package var name: ObjectName
    package var isOrReplace: Bool
    package var isIfNotExists: Bool
    package var isTemporary: Bool
    /// May be empty when a query gives the columns.
    package var columns: [ColumnDefinition]
    package var constraints: [TableConstraint]
    /// `USING iceberg`.
    package var format: Identifier?
    package var partitionedBy: [PartitionField]
    /// `ORDERED BY`, `SORTED BY`.
    package var sortedBy: [SortField]
    package var location: String?
    package var comment: String?
    /// `TBLPROPERTIES (…)`, `WITH (…)`.
    package var properties: [Property]
    package var query: Query?
    /// False for `AS query WITH NO DATA`.
    package var isWithData: Bool
    package var span: SourceSpan
    /// `LIKE t`: the columns and rules of another table.
    package var like: ObjectName?
}

/// `name type [NOT NULL] [DEFAULT …] [COMMENT '…'] [PRIMARY KEY]`.
package struct ColumnDefinition: Sendable, Hashable {
    package var name: Identifier
    /// nil only where `CREATE TABLE t (a, b) AS query` gives it.
    package var type: TypeName?
    package var isNotNull: Bool
    package var isPrimaryKey: Bool
    package var isUnique: Bool
    package var defaultValue: Expression?
    package var check: Expression?
    package var comment: String?
    package var span: SourceSpan
    package var generated: GeneratedColumn?
    package var reference: ForeignKeyTarget?
    /// `COLLATE name`.
    package var collation: ObjectName?
}

/// A rule that stands beside the columns of a table.
package enum TableConstraint: Sendable, Hashable {
    /// Iceberg's identifier fields.
    case primaryKey([Identifier])
    case unique([Identifier])
    case check(Expression, name: Identifier?)
    case foreignKey([Identifier], ForeignKeyTarget)
    /// `CONSTRAINT name …` of what has no name of its own.
    indirect case named(Identifier, TableConstraint)
}

/// A partition or sort transform: `day(ts)`, `bucket(16, id)`, `truncate(4, s)` or a bare column.
package struct Transform: Sendable, Hashable {
    /// As written (`day`, `days`, …); nil for a bare column.
    ///
    /// The binder knows which there are.
    package var name: Identifier?
    /// The number of `bucket` and `truncate`, which may stand on either side of the column.
    package var parameter: Int?
    /// `a` or, inside a struct, `a.b`.
    package var column: ObjectName
    package var span: SourceSpan

    package init(
        name: Identifier? = nil,
        parameter: Int? = nil,
        column: ObjectName,
        span: SourceSpan = .none
    ) {
        self.name = name
        self.parameter = parameter
        self.column = column
        self.span = span
    }
}

/// `transform [AS name]`.
package struct PartitionField: Sendable, Hashable {
    package var transform: Transform
    package var name: Identifier?

    package init(transform: Transform, name: Identifier? = nil) {
        self.transform = transform
        self.name = name
    }
}

/// `transform [ASC | DESC] [NULLS FIRST | LAST]`.
package struct SortField: Sendable, Hashable {
    package var transform: Transform
    package var direction: SortDirection?
    package var nulls: NullOrder?

    package init(
        transform: Transform,
        direction: SortDirection? = nil,
        nulls: NullOrder? = nil
    ) {
        self.transform = transform
        self.direction = direction
        self.nulls = nulls
    }
}

/// `'key' = 'value'`; a bare key `a.b` is the text `a.b`, a number or boolean its text.
package struct Property: Sendable, Hashable {
    package var key: String
    package var value: String
    package var span: SourceSpan
}

/// `CREATE [OR REPLACE] [TEMP] VIEW [IF NOT EXISTS] v [(columns)] AS query`.
package struct CreateView: Sendable, Hashable {
    package var name: ObjectName
    package var isOrReplace: Bool
    package var isIfNotExists: Bool
    package var isTemporary: Bool
    package var columns: [ViewColumn]
    package var comment: String?
    package var properties: [Property]
    package var query: Query
    package var span: SourceSpan
}

/// `name [COMMENT '…']` of a view.
package struct ViewColumn: Sendable, Hashable {
    package var name: Identifier
    package var comment: String?
}

/// `CREATE SCHEMA | NAMESPACE [IF NOT EXISTS] ns`.
package struct CreateSchema: Sendable, Hashable {
    package var name: ObjectName
    package var isIfNotExists: Bool
    package var location: String?
    package var comment: String?
    package var properties: [Property]
    package var span: SourceSpan
}

/// `ALTER SCHEMA | NAMESPACE ns SET PROPERTIES (…)`, `… UNSET PROPERTIES [IF EXISTS] (…)`.
package struct AlterSchema: Sendable, Hashable {
    package var name: ObjectName
    package var set: [Property]
    package var unset: [String]
    /// Whether it is no error that a property to unset is not there.
    package var isIfExists: Bool
    package var span: SourceSpan
}

/// `DROP TABLE | VIEW | SCHEMA [IF EXISTS] …`.
package struct Drop: Sendable, Hashable {
    /// What kind of thing goes.
    package enum Kind: String, Sendable, Hashable {
        case table = "TABLE"
        case view = "VIEW"
        /// Also written `NAMESPACE`.
        case schema = "SCHEMA"
    }

    package var kind: Kind
    package var isIfExists: Bool
    package var names: [ObjectName]
    /// `CASCADE`: with what depends on it.
    package var isCascade: Bool
    /// `PURGE`: data files too.
    package var isPurge: Bool
    package var span: SourceSpan
}

/// `COMMENT ON TABLE | VIEW | COLUMN | SCHEMA name IS 'text' | NULL`.
package struct CommentOn: Sendable, Hashable {
    /// What is commented on.
    package enum Kind: String, Sendable, Hashable {
        case table = "TABLE"
        case view = "VIEW"
        /// The name is the table's, then the column's, which may go into a struct.
        case column = "COLUMN"
        case schema = "SCHEMA"
    }

    package var kind: Kind
    package var name: ObjectName
    /// nil removes the comment.
    package var comment: String?
    package var span: SourceSpan
}
