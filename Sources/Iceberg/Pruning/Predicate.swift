/// A condition on a row's columns, which are named by field id.
///
/// Rows match as in SQL: a comparison with null is not true, and so is its negation. Comparisons follow
/// `Datum.compared(to:)`: NaN equals itself and is greater than any number. Where readers differ about
/// nulls (Iceberg's own `not equal` matches them) and NaNs, pruning stays on the safe side of both.
package indirect enum Predicate: Sendable, Hashable {
    /// Every row matches.
    case always
    /// No row matches.
    case never
    case and([Predicate])
    case or([Predicate])
    case not(Predicate)
    case isNull(Int)
    case notNull(Int)
    case isNaN(Int)
    case notNaN(Int)
    case compare(Int, Comparison, Datum)
    case `in`(Int, [Datum])
    case notIn(Int, [Datum])
    /// The string in the column begins with this text.
    case startsWith(Int, String)
    case notStartsWith(Int, String)

    /// How a column is compared with a value: the column is on the left.
    package enum Comparison: Sendable, Hashable, CaseIterable {
        case equal
        case notEqual
        case less
        case lessOrEqual
        case greater
        case greaterOrEqual

        var negated: Comparison {
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

    /// How deep predicates may be nested for pruning; deeper ones count as `always`.
    static let depthMax = 200
}

extension Predicate {
    /// The same condition without `not`: it is moved down to the leaves, which have their opposites.
    package var withoutNot: Predicate { pushed(negate: false, depth: 0) ?? .always }

    /// nil when the predicate is nested too deep.
    private func pushed(negate: Bool, depth: Int) -> Predicate? {
        if depth > Self.depthMax { return nil }
        switch self {
        case .always: return negate ? .never : .always
        case .never: return negate ? .always : .never
        case .and(let parts), .or(let parts):
            var pushed: [Predicate] = []
            for part in parts {
                guard let part = part.pushed(negate: negate, depth: depth + 1) else { return nil }
                pushed.append(part)
            }
            if case .and = self { return negate ? .or(pushed) : .and(pushed) }
            return negate ? .and(pushed) : .or(pushed)
        case .not(let part): return part.pushed(negate: !negate, depth: depth + 1)
        default: return negate ? opposite : self
        }
    }

    private var opposite: Predicate {
        switch self {
        case .isNull(let id): .notNull(id)
        case .notNull(let id): .isNull(id)
        case .isNaN(let id): .notNaN(id)
        case .notNaN(let id): .isNaN(id)
        case .compare(let id, let comparison, let value): .compare(id, comparison.negated, value)
        case .in(let id, let values): .notIn(id, values)
        case .notIn(let id, let values): .in(id, values)
        case .startsWith(let id, let prefix): .notStartsWith(id, prefix)
        case .notStartsWith(let id, let prefix): .startsWith(id, prefix)
        default: self
        }
    }

    /// The conjunction, without parts that say nothing.
    package static func all(_ parts: [Predicate]) -> Predicate {
        var rest: [Predicate] = []
        for part in parts where part != .always {
            if part == .never { return .never }
            rest.append(part)
        }
        return rest.isEmpty ? .always : rest.count == 1 ? rest[0] : .and(rest)
    }

    /// The disjunction, without parts that cannot match.
    package static func any(_ parts: [Predicate]) -> Predicate {
        var rest: [Predicate] = []
        for part in parts where part != .never {
            if part == .always { return .always }
            rest.append(part)
        }
        return rest.isEmpty ? .never : rest.count == 1 ? rest[0] : .or(rest)
    }

    /// The column that a leaf is about; nil for what is no leaf.
    var fieldID: Int? {
        switch self {
        case .always, .never, .and, .or, .not: nil
        case .isNull(let id), .notNull(let id), .isNaN(let id), .notNaN(let id),
            .compare(let id, _, _), .in(let id, _), .notIn(let id, _), .startsWith(let id, _),
            .notStartsWith(let id, _):
            id
        }
    }

    /// Combines the answers for the leaves of a predicate without `not`.
    func evaluate(_ leaf: (Predicate) -> Bool) -> Bool {
        switch self {
        case .always: true
        case .never: false
        case .and(let parts): parts.allSatisfy { $0.evaluate(leaf) }
        case .or(let parts): parts.contains { $0.evaluate(leaf) }
        default: leaf(self)
        }
    }

    /// Replaces the leaves of a predicate without `not`.
    func mapLeaves(_ leaf: (Predicate) -> Predicate) -> Predicate {
        switch self {
        case .always, .never: self
        case .and(let parts): .all(parts.map { $0.mapLeaves(leaf) })
        case .or(let parts): .any(parts.map { $0.mapLeaves(leaf) })
        default: leaf(self)
        }
    }
}
