/// Something that stands in `FROM`.
package indirect enum TableReference: Sendable, Hashable {
    case table(NamedTable)
    case file(FileTable)
    case function(TableFunction)
    case derived(DerivedTable)
    case join(Join)
    case pivot(Pivot)
    case unpivot(Unpivot)
    case description(DescribedTable)

    /// Where it stands.
    package var span: SourceSpan {
        switch self {
        case .table(let table): table.span
        case .file(let file): file.span
        case .function(let function): function.span
        case .derived(let derived): derived.span
        case .join(let join): join.span
        case .pivot(let pivot): pivot.span
        case .unpivot(let unpivot): unpivot.span
        case .description(let description): description.span
        }
    }

    /// Where it starts, for a message.
    package var position: SourcePosition { span.position }
}

/// `AS name (column, …)`.
package struct TableAlias: Sendable, Hashable {
    package var name: Identifier
    package var columns: [Identifier]

    package init(name: Identifier, columns: [Identifier] = []) {
        self.name = name
        self.columns = columns
    }
}

/// `ns.t FOR VERSION AS OF 12 AS alias TABLESAMPLE …`: a table, a view or a common table expression.
package struct NamedTable: Sendable, Hashable {
    package var name: ObjectName
    package var asOf: TimeTravel?
    package var alias: TableAlias?
    package var sample: TableSample?
    package var span: SourceSpan

    package init(
        name: ObjectName,
        asOf: TimeTravel? = nil,
        alias: TableAlias? = nil,
        sample: TableSample? = nil,
        span: SourceSpan = .none
    ) {
        self.name = name
        self.asOf = asOf
        self.alias = alias
        self.sample = sample
        self.span = span
    }
}

/// Which state of a table is read.
package enum TimeTravel: Sendable, Hashable {
    /// A snapshot id (an integer) or the name of a branch or tag (a string).
    case version(Expression)
    /// The state that was current at that time.
    case timestamp(Expression)
}

/// `FROM 'file.parquet'`.
package struct FileTable: Sendable, Hashable {
    package var path: String
    package var alias: TableAlias?
    package var sample: TableSample?
    package var span: SourceSpan
}

/// `[LATERAL] read_parquet('x', a => 1) [WITH ORDINALITY]`.
package struct TableFunction: Sendable, Hashable {
    package var isLateral: Bool
    package var call: FunctionCall
    package var isWithOrdinality: Bool
    package var alias: TableAlias?
    package var sample: TableSample?
    package var span: SourceSpan
}

/// `[LATERAL] (query)`, `(VALUES …)`.
package struct DerivedTable: Sendable, Hashable {
    package var isLateral: Bool
    package var query: Query
    package var alias: TableAlias?
    package var sample: TableSample?
    package var span: SourceSpan

    package init(
        isLateral: Bool = false,
        query: Query,
        alias: TableAlias? = nil,
        sample: TableSample? = nil,
        span: SourceSpan = .none
    ) {
        self.isLateral = isLateral
        self.query = query
        self.alias = alias
        self.sample = sample
        self.span = span
    }
}

/// `left JOIN right ON …`.
package struct Join: Sendable, Hashable {
    /// Which rows come out.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case inner = "INNER"
        case left = "LEFT"
        case right = "RIGHT"
        case full = "FULL"
        case cross = "CROSS"
        case semi = "SEMI"
        case anti = "ANTI"
        /// `ASOF JOIN`: the nearest row by one inequality.
        case asof = "ASOF"
        /// `ASOF LEFT JOIN`
        case asofLeft = "ASOF LEFT"
        /// `POSITIONAL JOIN`: row by row.
        case positional = "POSITIONAL"
    }

    /// Which rows match.
    package enum Condition: Sendable, Hashable {
        case on(Expression)
        case using([Identifier])
        /// `NATURAL`: by all columns of the same name.
        case natural
    }

    package var kind: Kind
    package var left: TableReference
    package var right: TableReference
    /// nil only for cross and positional joins.
    package var condition: Condition?
    /// `(a JOIN b ON …) AS alias`.
    package var alias: TableAlias?
    /// From the left operand to the condition.
    package var span: SourceSpan

    package init(
        kind: Kind,
        left: TableReference,
        right: TableReference,
        condition: Condition?,
        alias: TableAlias? = nil,
        span: SourceSpan = .none
    ) {
        self.kind = kind
        self.left = left
        self.right = right
        self.condition = condition
        self.alias = alias
        self.span = span
    }
}

/// `TABLESAMPLE method (size) [REPEATABLE (seed)]`.
package struct TableSample: Sendable, Hashable {
    /// What `size` counts.
    package enum Unit: String, Sendable, Hashable {
        case percent = "PERCENT"
        case rows = "ROWS"
    }

    /// `BERNOULLI`, `SYSTEM`, `RESERVOIR`; nil where nothing was written.
    package var method: Identifier?
    package var size: Expression
    package var unit: Unit
    package var seed: Expression?
    package var span: SourceSpan
}
