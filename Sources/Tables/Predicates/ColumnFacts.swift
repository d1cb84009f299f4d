import Columnar
import Iceberg

/// What is known of the values of one column in some set of rows (a row group, a file, a partition).
///
/// Every fact is optional: absent means that nothing is known. Bounds may be wider than the values and
/// do not speak of NaNs.
struct ColumnFacts {
    /// No value is smaller, NaNs apart.
    var lower: Datum?
    /// No value is greater, NaNs apart.
    var upper: Datum?
    /// Whether some row may be null; nil when that is not known.
    var mayBeNull: Bool?
    /// Whether every row is null.
    var isAllNull = false
    /// Whether some value may be NaN; nil when that is not known (and the type has NaNs).
    var mayBeNaN: Bool?
    /// Whether every value is NaN or null.
    var isAllNaN = false
    /// Says of a value that no row has it: a bloom filter, a bucket.
    var excludes: ((Datum) -> Bool)?

    /// The facts of rows of which both `self` and `other` are true.
    func combined(with other: ColumnFacts) -> ColumnFacts {
        var facts = self
        if let bound = other.lower, facts.lower.map({ ($0.compared(to: bound) ?? 0) < 0 }) ?? true {
            facts.lower = bound
        }
        if let bound = other.upper, facts.upper.map({ ($0.compared(to: bound) ?? 0) > 0 }) ?? true {
            facts.upper = bound
        }
        if mayBeNull != false { facts.mayBeNull = other.mayBeNull ?? mayBeNull }
        if mayBeNaN != false { facts.mayBeNaN = other.mayBeNaN ?? mayBeNaN }
        facts.isAllNull = isAllNull || other.isAllNull
        facts.isAllNaN = isAllNaN || other.isAllNaN
        if let theirs = other.excludes {
            if let ours = excludes {
                facts.excludes = { ours($0) || theirs($0) }
            } else {
                facts.excludes = theirs
            }
        }
        return facts
    }
}

/// How many rows of a set can match a predicate.
enum PredicateOutcome: Sendable, Hashable {
    /// No row matches.
    case none
    /// It takes a look at the rows.
    case some
    /// Every row matches.
    case all
}

/// A predicate made ready for a table: values as data of the columns' types, negation pushed down to
/// the leaves, NaN spelled out.
///
/// A leaf that cannot be understood (another type, an unknown column) is `unknown`, so nothing is
/// ever left out because of it.
indirect enum BoundPredicate {
    case constant(PredicateOutcome)
    case and([BoundPredicate])
    case or([BoundPredicate])
    case less(Int, Datum, orEqual: Bool)
    /// Greater than a number; NaN is greater than all.
    case greater(Int, Datum, orEqual: Bool)
    case equal(Int, Datum)
    case notEqual(Int, Datum)
    case isIn(Int, [Datum])
    case isNotIn(Int, [Datum])
    case isNull(Int)
    case isNotNull(Int)
    case isNaN(Int)
    /// Neither null nor NaN.
    case isNumber(Int)
    case startsWith(Int, String)
    case startsNotWith(Int, String)

    init(_ predicate: TablePredicate, type: (_ fieldID: Int) -> IcebergType?) {
        self = Self.bind(predicate, negated: false, type: type)
    }

    private static func bind(
        _ predicate: TablePredicate,
        negated: Bool,
        type: (Int) -> IcebergType?
    ) -> BoundPredicate {
        switch predicate {
        case .always: return .constant(negated ? .none : .all)
        case .never: return .constant(negated ? .all : .none)
        case .unknown: return .constant(.some)
        case .and(let parts):
            let bound = parts.map { bind($0, negated: negated, type: type) }
            return negated ? .or(bound) : .and(bound)
        case .or(let parts):
            let bound = parts.map { bind($0, negated: negated, type: type) }
            return negated ? .and(bound) : .or(bound)
        case .not(let part): return bind(part, negated: !negated, type: type)
        case .isNull(let id): return negated ? .isNotNull(id) : .isNull(id)
        case .isNotNull(let id): return negated ? .isNull(id) : .isNotNull(id)
        case .compare(let id, let comparison, let value):
            if value.isNull { return .constant(.none) }
            guard let type = type(id), let datum = Datum(value, type: type) else {
                return .constant(.some)
            }
            return compare(id, negated ? comparison.negated : comparison, datum)
        case .isIn(let id, let values):
            guard let type = type(id) else { return .constant(.some) }
            let present = values.filter { !$0.isNull }
            // NOT IN a list with a null is never true.
            if negated && present.count < values.count { return .constant(.none) }
            let data = present.compactMap { Datum($0, type: type) }
            guard data.count == present.count else { return .constant(.some) }
            if data.contains(where: \.isNaN) {
                let parts = data.map { compare(id, negated ? .notEqual : .equal, $0) }
                return negated ? .and(parts) : .or(parts)
            }
            return negated ? .isNotIn(id, data) : .isIn(id, data)
        case .startsWith(let id, let prefix):
            guard type(id) == .string else { return .constant(.some) }
            return negated ? .startsNotWith(id, prefix) : .startsWith(id, prefix)
        }
    }

    private static func compare(
        _ id: Int,
        _ comparison: TablePredicate.Comparison,
        _ datum: Datum
    ) -> BoundPredicate {
        if datum.isNaN {
            switch comparison {
            case .equal, .greaterOrEqual: return .isNaN(id)
            case .notEqual, .less: return .isNumber(id)
            case .lessOrEqual: return .isNotNull(id)
            case .greater: return .constant(.none)
            }
        }
        switch comparison {
        case .equal: return .equal(id, datum)
        case .notEqual: return .notEqual(id, datum)
        case .less: return .less(id, datum, orEqual: false)
        case .lessOrEqual: return .less(id, datum, orEqual: true)
        case .greater: return .greater(id, datum, orEqual: false)
        case .greaterOrEqual: return .greater(id, datum, orEqual: true)
        }
    }

    /// How many of the rows that the facts are of match.
    func outcome(_ facts: (_ fieldID: Int) -> ColumnFacts) -> PredicateOutcome {
        switch self {
        case .constant(let outcome): return outcome
        case .and(let parts):
            var result = PredicateOutcome.all
            for part in parts {
                switch part.outcome(facts) {
                case .none: return .none
                case .some: result = .some
                case .all: break
                }
            }
            return result
        case .or(let parts):
            var result = PredicateOutcome.none
            for part in parts {
                switch part.outcome(facts) {
                case .all: return .all
                case .some: result = .some
                case .none: break
                }
            }
            return result
        case .isNull(let id):
            let facts = facts(id)
            if facts.isAllNull { return .all }
            return facts.mayBeNull == false ? .none : .some
        case .isNotNull(let id):
            let facts = facts(id)
            if facts.isAllNull { return .none }
            return facts.mayBeNull == false ? .all : .some
        case .less(let id, _, _), .greater(let id, _, _), .equal(let id, _), .notEqual(let id, _),
            .isIn(let id, _), .isNotIn(let id, _), .isNaN(let id), .isNumber(let id),
            .startsWith(let id, _), .startsNotWith(let id, _):
            return leafOutcome(facts(id))
        }
    }

    /// The outcome of a leaf that is never true of null.
    private func leafOutcome(_ facts: ColumnFacts) -> PredicateOutcome {
        if facts.isAllNull { return .none }
        var outcome = PredicateOutcome.none
        var isFirst = true
        func join(_ other: PredicateOutcome) {
            outcome = isFirst || outcome == other ? other : .some
            isFirst = false
        }
        if facts.mayBeNaN != false { join(nanOutcome) }
        if !facts.isAllNaN { join(numberOutcome(facts)) }
        // Null rows never match.
        if outcome == .all && facts.mayBeNull != false { return .some }
        return outcome
    }

    /// Whether NaN matches.
    private var nanOutcome: PredicateOutcome {
        switch self {
        case .greater, .notEqual, .isNotIn, .isNaN, .startsNotWith: .all
        default: .none
        }
    }

    /// The outcome for values that are neither null nor NaN.
    private func numberOutcome(_ facts: ColumnFacts) -> PredicateOutcome {
        switch self {
        case .less(_, let value, let orEqual):
            if let lower = facts.lower, let order = lower.compared(to: value) {
                if order > 0 || (order == 0 && !orEqual) { return .none }
            }
            if let upper = facts.upper, let order = upper.compared(to: value) {
                if order < 0 || (order == 0 && orEqual) { return .all }
            }
            return .some
        case .greater(_, let value, let orEqual):
            if let upper = facts.upper, let order = upper.compared(to: value) {
                if order < 0 || (order == 0 && !orEqual) { return .none }
            }
            if let lower = facts.lower, let order = lower.compared(to: value) {
                if order > 0 || (order == 0 && orEqual) { return .all }
            }
            return .some
        case .equal(_, let value): return facts.holds([value])
        case .notEqual(_, let value): return facts.holds([value]).inverted
        case .isIn(_, let values): return facts.holds(values)
        case .isNotIn(_, let values): return facts.holds(values).inverted
        case .isNaN: return .none
        case .isNumber: return .all
        case .startsWith(_, let prefix): return facts.begins(with: prefix)
        case .startsNotWith(_, let prefix): return facts.begins(with: prefix).inverted
        case .constant, .and, .or, .isNull, .isNotNull: return .some
        }
    }
}

extension PredicateOutcome {
    fileprivate var inverted: PredicateOutcome {
        switch self {
        case .none: .all
        case .some: .some
        case .all: .none
        }
    }
}

extension ColumnFacts {
    /// Which of the column's values are among `values`.
    fileprivate func holds(_ values: [Datum]) -> PredicateOutcome {
        let possible = values.filter { value in
            if let lower, let order = value.compared(to: lower), order < 0 { return false }
            if let upper, let order = value.compared(to: upper), order > 0 { return false }
            return !(excludes?(value) ?? false)
        }
        if possible.isEmpty { return .none }
        if let lower, let upper, lower.compared(to: upper) == 0,
            possible.contains(where: { $0.compared(to: lower) == 0 })
        {
            return .all
        }
        return .some
    }

    /// Which of the column's texts begin with `prefix`.
    fileprivate func begins(with prefix: String) -> PredicateOutcome {
        let prefix = Array(prefix.utf8)
        guard case .string(let lowerText)? = lower, case .string(let upperText)? = upper else {
            return .some
        }
        // Cut to the prefix's length, bounds keep their order.
        let low = Array(lowerText.utf8.prefix(prefix.count))
        let high = Array(upperText.utf8.prefix(prefix.count))
        if prefix.lexicographicallyPrecedes(low) || high.lexicographicallyPrecedes(prefix) {
            return .none
        }
        return low == prefix && high == prefix ? .all : .some
    }
}

extension TablePredicate.Comparison {
    /// What is true of a value exactly when this is false; null is neither.
    fileprivate var negated: TablePredicate.Comparison {
        switch self {
        case .equal: .notEqual
        case .notEqual: .equal
        case .less: .greaterOrEqual
        case .lessOrEqual: .greater
        case .greater: .lessOrEqual
        case .greaterOrEqual: .less
        }
    }
}
