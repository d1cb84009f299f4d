import Columnar
package import Iceberg

/// A predicate made ready for pruning: values as data of the columns' types, `not` pushed down.
package struct BoundTablePredicate: Sendable {
    /// Every row that matches what was bound matches this; the reverse holds when `isExact`.
    package let predicate: Predicate
    /// Whether no part had to be replaced because it could not be understood.
    package let isExact: Bool

    /// - Parameter type: the type of a column by its field id; nil when it is not known.
    package init(_ predicate: TablePredicate, type: (_ fieldID: Int) -> IcebergType?) {
        var isExact = true
        self.predicate = Self.bind(predicate, negated: false, type, &isExact, depth: 0)
        self.isExact = isExact
    }

    /// Deeper predicates count as not understood.
    private static let depthMax = 200

    private static func bind(
        _ predicate: TablePredicate,
        negated: Bool,
        _ type: (Int) -> IcebergType?,
        _ isExact: inout Bool,
        depth: Int
    ) -> Predicate {
        func unknown() -> Predicate {
            isExact = false
            return .always
        }
        if depth > depthMax { return unknown() }
        switch predicate {
        case .always: return negated ? .never : .always
        case .never: return negated ? .always : .never
        case .unknown: return unknown()
        case .and(let parts), .or(let parts):
            let bound = parts.map {
                bind($0, negated: negated, type, &isExact, depth: depth + 1)
            }
            if case .and = predicate { return negated ? .any(bound) : .all(bound) }
            return negated ? .all(bound) : .any(bound)
        case .not(let part):
            return bind(part, negated: !negated, type, &isExact, depth: depth + 1)
        case .isNull(let id): return negated ? .notNull(id) : .isNull(id)
        case .isNotNull(let id): return negated ? .isNull(id) : .notNull(id)
        case .compare(let id, let comparison, let value):
            if value.isNull { return .never }
            guard let type = type(id), let datum = Datum(value, type: type) else {
                return unknown()
            }
            return .compare(id, comparison.bound(negated: negated), datum)
        case .isIn(let id, let values):
            let present = values.filter { !$0.isNull }
            // NOT IN a list with a null is never true.
            if negated && present.count < values.count { return .never }
            guard let type = type(id) else { return unknown() }
            let data = present.compactMap { Datum($0, type: type) }
            guard data.count == present.count else { return unknown() }
            if data.isEmpty { return negated ? unknown() : .never }
            return negated ? .notIn(id, data) : .in(id, data)
        case .startsWith(let id, let prefix):
            guard type(id) == .string else { return unknown() }
            return negated ? .notStartsWith(id, prefix) : .startsWith(id, prefix)
        }
    }
}

extension TablePredicate.Comparison {
    fileprivate func bound(negated: Bool) -> Predicate.Comparison {
        switch self {
        case .equal: negated ? .notEqual : .equal
        case .notEqual: negated ? .equal : .notEqual
        case .less: negated ? .greaterOrEqual : .less
        case .lessOrEqual: negated ? .greater : .lessOrEqual
        case .greater: negated ? .lessOrEqual : .greater
        case .greaterOrEqual: negated ? .less : .greaterOrEqual
        }
    }
}

extension Predicate {
    /// Whether a row may match, going by what is known of each column; without `not`.
    ///
    /// - Parameter excludes: whether no row has a value in a column; as far as that is known.
    func mayMatch(
        range: (_ fieldID: Int) -> ValueRange,
        excludes: (_ fieldID: Int, Datum) -> Bool = { _, _ in false }
    ) -> Bool {
        switch self {
        case .always: return true
        case .never: return false
        case .and(let parts):
            return parts.allSatisfy { $0.mayMatch(range: range, excludes: excludes) }
        case .or(let parts):
            return parts.contains { $0.mayMatch(range: range, excludes: excludes) }
        case .not: return true
        case .compare(let id, .equal, let value):
            return range(id).mayMatch(self) && !excludes(id, value)
        case .in(let id, let values):
            return range(id).mayMatch(self) && !values.allSatisfy { excludes(id, $0) }
        case .isNull(let id), .notNull(let id), .isNaN(let id), .notNaN(let id),
            .compare(let id, _, _), .notIn(let id, _), .startsWith(let id, _),
            .notStartsWith(let id, _):
            return range(id).mayMatch(self)
        }
    }

    /// The columns that are compared for equality somewhere; without `not`.
    var equalityFieldIDs: Set<Int> {
        switch self {
        case .and(let parts), .or(let parts):
            parts.reduce(into: []) { $0.formUnion($1.equalityFieldIDs) }
        case .compare(let id, .equal, _), .in(let id, _): [id]
        default: []
        }
    }
}
