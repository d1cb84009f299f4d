/// A value to compute, and where it was written.
///
/// Parentheses leave no trace: the shape of the tree says what binds to what. Long chains of `AND`,
/// `OR` and `||` are one node; every other chain is bounded by the parser (`Parser.heightMax`), so
/// a parsed tree can be walked by plain recursion.
package struct Expression: Sendable, Hashable {
    package var node: Node
    package var span: SourceSpan

    package init(_ node: Node, span: SourceSpan = .none) {
        self.node = node
        self.span = span
    }

    /// Where the expression starts, for a message.
    package var position: SourcePosition { span.position }

    /// What an expression can be.
    package indirect enum Node: Sendable, Hashable {
        case literal(Literal)
        /// `a`, `t.a`, `ns.t.a.b`: the binder finds out which part is the column.
        case column(ObjectName)
        /// `*`, `t.*`, `* EXCLUDE (a)`; in a select list, or as an argument: `count(*)`.
        case star(Star)
        case parameter(Parameter)
        /// `DEFAULT`, only as a value that is inserted or set.
        case defaultValue

        case unary(UnaryOperator, Expression)
        case binary(BinaryOperator, Expression, Expression)
        /// At least two operands, none of which is itself a conjunction.
        case and([Expression])
        /// At least two operands, none of which is itself a disjunction.
        case or([Expression])
        case not(Expression)
        /// `a || b || c`: at least two operands, the first of which is not a concatenation.
        case concatenation([Expression])

        case isTest(Expression, IsTest, isNegated: Bool)
        /// `a IS [NOT] DISTINCT FROM b`; negated means `NOT DISTINCT`.
        case isDistinct(Expression, Expression, isNegated: Bool)
        case between(Between)
        case inList(Expression, [Expression], isNegated: Bool)
        case inQuery(Expression, Query, isNegated: Bool)
        /// `a IN b` without parentheses: `b` is a list or a map.
        case inValue(Expression, Expression, isNegated: Bool)
        case pattern(PatternTest)
        /// `a < ANY (SELECT …)`
        case quantifiedQuery(Expression, QuantifiedOperator, Quantifier, Query)
        /// `a = ANY (list)`
        case quantifiedValue(Expression, QuantifiedOperator, Quantifier, Expression)

        case cased(CaseExpression)
        /// `CAST(a AS t)`, `a::t`; `isTry` makes what cannot be converted NULL.
        case cast(Expression, TypeName, isTry: Bool)
        case function(FunctionCall)
        case interval(IntervalExpression)
        case atTimeZone(Expression, zone: Expression)
        case collate(Expression, ObjectName)

        /// `(SELECT …)` as one value.
        case subquery(Query)
        /// `EXISTS (SELECT …)`
        case exists(Query)
        /// `ARRAY(SELECT …)`
        case listQuery(Query)

        /// `(a, b)`, `ROW(a, b)`
        case row([Expression])
        /// `{'a': 1, b: 2}`
        case structure([StructureEntry])
        /// `[1, 2]`, `ARRAY[1, 2]`
        case list([Expression])
        /// `MAP {'k': v}`
        case map([MapEntry])
        /// `a[i]`
        case element(Expression, Expression)
        /// `a[lower:upper:step]`; nil where nothing was written.
        case slice(Expression, lower: Expression?, upper: Expression?, step: Expression?)
        /// `(a).b`, `f(x).b`; a plain `a.b` is a `column`.
        case field(Expression, Identifier)
        /// `LAMBDA x, y: body`; an arrow `x -> body` is a `binary`, see `lambdaParts`.
        case lambda(parameters: [Identifier], body: Expression)
    }

    /// The parameters and the body when this is a lambda in either spelling, where one may stand.
    ///
    /// `x -> x + 1` looks like the JSON arrow; only who knows the function called can tell.
    package var lambdaParts: (parameters: [Identifier], body: Expression)? {
        switch node {
        case .lambda(let parameters, let body):
            return (parameters, body)
        case .binary(.arrow, let left, let body):
            switch left.node {
            case .column(let name):
                guard name.count == 1 else { return nil }
                return (name, body)
            case .row(let names):
                var parameters: [Identifier] = []
                for part in names {
                    guard case .column(let name) = part.node, name.count == 1 else { return nil }
                    parameters += name
                }
                return (parameters, body)
            default:
                return nil
            }
        default:
            return nil
        }
    }
}

/// `*` with what was left out, replaced and renamed.
package struct Star: Sendable, Hashable {
    /// `t` of `t.*`; empty for a bare `*`.
    package var qualifier: ObjectName
    /// `EXCLUDE (a, t.b)`.
    package var excluded: [ObjectName]
    /// `REPLACE (a + 1 AS a)`.
    package var replaced: [StarReplacement]
    /// `RENAME (a AS b)`.
    package var renamed: [StarRenaming]
    /// `LIKE 'a%'`: which names are meant.
    package var pattern: StarPattern?

    package init(
        qualifier: ObjectName = [],
        excluded: [ObjectName] = [],
        replaced: [StarReplacement] = [],
        renamed: [StarRenaming] = [],
        pattern: StarPattern? = nil
    ) {
        self.qualifier = qualifier
        self.excluded = excluded
        self.replaced = replaced
        self.renamed = renamed
        self.pattern = pattern
    }
}

/// `* [NOT] LIKE pattern` and its kin.
package struct StarPattern: Sendable, Hashable {
    package var kind: PatternKind
    package var pattern: Expression
    package var isNegated: Bool
}

/// `expression AS name` of `* REPLACE (…)`.
package struct StarReplacement: Sendable, Hashable {
    package var expression: Expression
    package var name: ObjectName
}

/// `old AS new` of `* RENAME (…)`.
package struct StarRenaming: Sendable, Hashable {
    package var old: ObjectName
    package var new: Identifier
}

/// `operand [NOT] BETWEEN [SYMMETRIC] lower AND upper`.
package struct Between: Sendable, Hashable {
    package var operand: Expression
    package var lower: Expression
    package var upper: Expression
    package var isNegated: Bool
    package var isSymmetric: Bool
}

/// `operand [NOT] LIKE pattern [ESCAPE escape]` and its kin.
package struct PatternTest: Sendable, Hashable {
    package var kind: PatternKind
    package var operand: Expression
    package var pattern: Expression
    package var escape: Expression?
    package var isNegated: Bool
}

/// The operator before `ANY` or `ALL`.
package enum QuantifiedOperator: Sendable, Hashable {
    case binary(BinaryOperator)
    case pattern(PatternKind, isNegated: Bool)
}

/// `CASE [operand] WHEN … THEN … [ELSE …] END`.
package struct CaseExpression: Sendable, Hashable {
    /// What each `WHEN` is compared with; nil when each is a condition.
    package var operand: Expression?
    package var branches: [CaseBranch]
    package var otherwise: Expression?
}

/// `WHEN condition THEN result`.
package struct CaseBranch: Sendable, Hashable {
    package var condition: Expression
    package var result: Expression
}

/// `'name': value` of a struct literal.
package struct StructureEntry: Sendable, Hashable {
    package var name: Identifier
    package var value: Expression
}

/// `key: value` of a map literal.
package struct MapEntry: Sendable, Hashable {
    package var key: Expression
    package var value: Expression
}
