/// A constant as it was written; numbers stay text until the binder knows which type they need.
package enum Literal: Sendable, Hashable {
    /// `NULL`
    case null
    /// `TRUE`, `FALSE`
    case boolean(Bool)
    /// Decimal digits only, of any length; underscores are removed and `0x1F` is already `31`.
    case integer(String)
    /// Digits with a point, an exponent (`1e10`) or both, underscores removed.
    case decimal(String)
    /// A string, escapes undone.
    case string(String)
    /// `X'0AFF'`
    case blob([UInt8])
    /// A string that a type name stands before: `DATE '2024-01-01'`, `TIMESTAMP '…'`, `UUID '…'`.
    case typed(TypeName, String)
}

/// A part of a date or time, as `INTERVAL '1' DAY` names it.
package enum IntervalField: String, Sendable, Hashable, CaseIterable {
    case millennium, century, decade, year, quarter, month, week, day, hour, minute, second
    case millisecond, microsecond
}

/// `INTERVAL value [field [TO lastField]]`.
package struct IntervalExpression: Sendable, Hashable {
    /// A string literal (`INTERVAL '1 day 2 hours'`), a number or any other expression.
    package var value: Expression
    /// The field the value counts; nil when the string names its own.
    package var field: IntervalField?
    /// The second field of `YEAR TO MONTH`.
    package var lastField: IntervalField?

    package init(value: Expression, field: IntervalField? = nil, lastField: IntervalField? = nil) {
        self.value = value
        self.field = field
        self.lastField = lastField
    }
}

/// A place that a value is given for when the statement runs.
package enum Parameter: Sendable, Hashable {
    /// `?` or `$1`, counted from 1; `?` counts itself by its place in the statement.
    case numbered(Int)
    /// `$name` or `:name`
    case named(String)
}

extension Parameter: CustomStringConvertible {
    /// As it is written: `$1`, `$name`.
    package var description: String {
        switch self {
        case .numbered(let number): "$\(number)"
        case .named(let name): "$\(name)"
        }
    }
}
