package import Columnar

/// A condition on the rows of a table, in the words that pruning understands.
///
/// Columns are named by field id (of a plain file: by the ids that its scan's columns were given).
/// Values are of the column's own type; where they are not, the condition prunes nothing. A row
/// matches when the condition is true: comparing null gives neither true nor false, as in SQL. Floats
/// are ordered as the engine orders them: NaN equals itself and comes after every number, -0.0 equals
/// 0.0.
package indirect enum TablePredicate: Sendable, Hashable {
    package enum Comparison: Sendable, Hashable {
        case equal
        case notEqual
        case less
        case lessOrEqual
        case greater
        case greaterOrEqual
    }

    case always
    case never
    case and([TablePredicate])
    case or([TablePredicate])
    case not(TablePredicate)
    case compare(Int, Comparison, Value)
    case isNull(Int)
    case isNotNull(Int)
    case isIn(Int, [Value])
    case startsWith(Int, String)
    /// Something that pruning cannot see into: any row may match, or not.
    case unknown

    /// The columns that it speaks of.
    package var fieldIDs: Set<Int> {
        switch self {
        case .always, .never, .unknown: []
        case .and(let parts), .or(let parts):
            parts.reduce(into: []) { $0.formUnion($1.fieldIDs) }
        case .not(let part): part.fieldIDs
        case .compare(let id, _, _), .isNull(let id), .isNotNull(let id), .isIn(let id, _),
            .startsWith(let id, _):
            [id]
        }
    }
}
