/// An operator before one operand.
package enum UnaryOperator: String, Sendable, Hashable, CaseIterable {
    case minus = "-"
    case plus = "+"
    case bitwiseNot = "~"
}

/// An operator between two operands, except `AND`, `OR` and `||`, which have nodes for many.
///
/// The raw value is the canonical spelling; `!=`, `==` and `**` are read as `<>`, `=` and `^`.
package enum BinaryOperator: String, Sendable, Hashable, CaseIterable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    /// `//`: division of integers that stays an integer.
    case integerDivide = "//"
    case modulo = "%"
    /// Binds to the left, as in PostgreSQL.
    case power = "^"
    case equal = "="
    case notEqual = "<>"
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case regexMatches = "~"
    case regexMatchesIgnoringCase = "~*"
    case regexMatchesNot = "!~"
    case regexMatchesNotIgnoringCase = "!~*"
    case bitwiseAnd = "&"
    case bitwiseOr = "|"
    case bitwiseXor = "#"
    case shiftLeft = "<<"
    case shiftRight = ">>"
    /// `json -> path`, or a lambda: see `Expression.lambdaParts`.
    case arrow = "->"
    /// `json ->> path`: the value as text.
    case arrowText = "->>"
    case contains = "@>"
    case containedBy = "<@"
    case overlaps = "&&"
    case startsWith = "^@"
}

/// What `IS [NOT]` asks.
package enum IsTest: String, Sendable, Hashable, CaseIterable {
    case null = "NULL"
    case `true` = "TRUE"
    case `false` = "FALSE"
    case unknown = "UNKNOWN"
}

/// Which pattern language a pattern is in.
package enum PatternKind: String, Sendable, Hashable, CaseIterable {
    case like = "LIKE"
    case ilike = "ILIKE"
    case similarTo = "SIMILAR TO"
    case glob = "GLOB"
}

/// `ANY` (also written `SOME`) or `ALL`.
package enum Quantifier: String, Sendable, Hashable, CaseIterable {
    case any = "ANY"
    case all = "ALL"
}
