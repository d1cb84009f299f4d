/// A function, aggregate or window function with everything that may follow its arguments.
///
/// Calls with words between the arguments come as plain calls, as PostgreSQL rewrites them:
///
/// | written | call |
/// | --- | --- |
/// | `EXTRACT(year FROM x)` | `extract('year', x)` |
/// | `SUBSTRING(x FROM a FOR b)` | `substring(x, a, b)`; without `FROM`, `a` is 1 |
/// | `POSITION(a IN x)` | `position(x, a)` |
/// | `OVERLAY(x PLACING y FROM a FOR b)` | `overlay(x, y, a, b)` |
/// | `TRIM(LEADING c FROM x)`, `TRAILING`, `BOTH` | `ltrim(x, c)`, `rtrim`, `trim` |
/// | `CURRENT_DATE`, `CURRENT_TIMESTAMP`, … | `current_date()`, `current_timestamp()`, … |
/// | `(x).f(y)` | `f(x, y)` |
///
/// `EXTRACT`, `POSITION`, `OVERLAY` and `CURRENT_…` are printed with their words again, which is how
/// other engines know them.
package struct FunctionCall: Sendable, Hashable {
    package var name: ObjectName
    package var arguments: [FunctionArgument]
    package var isDistinct: Bool
    /// `ORDER BY` inside the parentheses.
    package var orderBy: [OrderItem]
    /// `WITHIN GROUP (ORDER BY …)`.
    package var withinGroup: [OrderItem]
    /// `FILTER (WHERE …)`.
    package var filter: Expression?
    /// `IGNORE NULLS` or `RESPECT NULLS`; nil where nothing was written.
    package var nullTreatment: NullTreatment?
    /// `OVER`: this is a window function call.
    package var over: WindowReference?

    package init(
        name: ObjectName,
        arguments: [FunctionArgument],
        isDistinct: Bool = false,
        orderBy: [OrderItem] = [],
        withinGroup: [OrderItem] = [],
        filter: Expression? = nil,
        nullTreatment: NullTreatment? = nil,
        over: WindowReference? = nil
    ) {
        self.name = name
        self.arguments = arguments
        self.isDistinct = isDistinct
        self.orderBy = orderBy
        self.withinGroup = withinGroup
        self.filter = filter
        self.nullTreatment = nullTreatment
        self.over = over
    }
}

/// One argument, with the name of `name => value` or `name := value`.
package struct FunctionArgument: Sendable, Hashable {
    package var name: Identifier?
    package var value: Expression

    package init(name: Identifier? = nil, value: Expression) {
        self.name = name
        self.value = value
    }
}

/// What a window function does with NULL values of its argument.
package enum NullTreatment: String, Sendable, Hashable {
    case ignore = "IGNORE NULLS"
    case respect = "RESPECT NULLS"
}

/// The window after `OVER`.
package indirect enum WindowReference: Sendable, Hashable {
    /// A name from the `WINDOW` clause.
    case named(Identifier)
    case specification(WindowSpecification)
}

/// `([base] [PARTITION BY …] [ORDER BY …] [frame])`.
package struct WindowSpecification: Sendable, Hashable {
    /// The named window that this one extends.
    package var base: Identifier?
    package var partitionBy: [Expression]
    package var orderBy: [OrderItem]
    /// nil where nothing was written.
    package var frame: WindowFrame?

    package init(
        base: Identifier? = nil,
        partitionBy: [Expression] = [],
        orderBy: [OrderItem] = [],
        frame: WindowFrame? = nil
    ) {
        self.base = base
        self.partitionBy = partitionBy
        self.orderBy = orderBy
        self.frame = frame
    }
}

/// `ROWS BETWEEN start AND end EXCLUDE …`; `end` is the current row where only one bound stands.
package struct WindowFrame: Sendable, Hashable {
    /// What bounds count.
    package enum Unit: String, Sendable, Hashable {
        case rows = "ROWS"
        case range = "RANGE"
        case groups = "GROUPS"
    }

    /// One end of the frame.
    package enum Bound: Sendable, Hashable {
        case unboundedPreceding
        case preceding(Expression)
        case currentRow
        case following(Expression)
        case unboundedFollowing
    }

    /// Rows around the current one that are left out.
    package enum Exclusion: String, Sendable, Hashable {
        case noOthers = "NO OTHERS"
        case currentRow = "CURRENT ROW"
        case group = "GROUP"
        case ties = "TIES"
    }

    package var unit: Unit
    package var start: Bound
    package var end: Bound
    package var exclusion: Exclusion
    package var span: SourceSpan
}

/// `expression [ASC | DESC] [NULLS FIRST | LAST]`; nil where nothing was written.
package struct OrderItem: Sendable, Hashable {
    package var expression: Expression
    package var direction: SortDirection?
    package var nulls: NullOrder?

    package init(
        expression: Expression,
        direction: SortDirection? = nil,
        nulls: NullOrder? = nil
    ) {
        self.expression = expression
        self.direction = direction
        self.nulls = nulls
    }
}

/// The direction of a sort.
package enum SortDirection: String, Sendable, Hashable {
    case ascending = "ASC"
    case descending = "DESC"
}

/// Where a sort puts NULL.
package enum NullOrder: String, Sendable, Hashable {
    case first = "NULLS FIRST"
    case last = "NULLS LAST"
}
