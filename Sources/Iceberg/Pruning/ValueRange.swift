/// What is known of the values of one column in some rows.
///
/// Everything is on the safe side: a bound of nil is not known, `mayBe…` is false only when it is sure.
package struct ValueRange: Sendable, Hashable {
    /// Not greater than any value that is neither null nor NaN.
    package var lower: Datum?
    /// Not less than any value that is neither null nor NaN.
    package var upper: Datum?
    /// Whether there may be nulls.
    package var mayBeNull: Bool
    /// Whether there may be NaNs.
    package var mayBeNaN: Bool
    /// Whether there may be values that are neither null nor NaN.
    package var mayHaveValues: Bool

    package init(
        lower: Datum? = nil,
        upper: Datum? = nil,
        mayBeNull: Bool = true,
        mayBeNaN: Bool = true,
        mayHaveValues: Bool = true
    ) {
        self.lower = lower
        self.upper = upper
        self.mayBeNull = mayBeNull
        self.mayBeNaN = mayBeNaN
        self.mayHaveValues = mayHaveValues
    }

    /// Nothing is known.
    package static let unknown = ValueRange()

    /// All rows have this one value, nil for null.
    package init(only value: Datum?) {
        let isNumber = value.map { !$0.isNaN } ?? false
        self.init(
            lower: isNumber ? value : nil,
            upper: isNumber ? value : nil,
            mayBeNull: value == nil,
            mayBeNaN: value?.isNaN ?? false,
            mayHaveValues: isNumber
        )
    }

    /// What is known when both are.
    package func intersection(_ other: ValueRange) -> ValueRange {
        var range = self
        if let bound = other.lower {
            range.lower = lower.map { ($0.compared(to: bound) ?? 0) < 0 ? bound : $0 } ?? bound
        }
        if let bound = other.upper {
            range.upper = upper.map { ($0.compared(to: bound) ?? 0) > 0 ? bound : $0 } ?? bound
        }
        range.mayBeNull = mayBeNull && other.mayBeNull
        range.mayBeNaN = mayBeNaN && other.mayBeNaN
        range.mayHaveValues = mayHaveValues && other.mayHaveValues
        return range
    }

    /// The signs of lower and upper against a value; nil where that is not known.
    private func signs(_ value: Datum) -> (lower: Int?, upper: Int?) {
        (lower?.compared(to: value), upper?.compared(to: value))
    }
}

// MARK: - May a row match?

extension ValueRange {
    /// Whether a row may match the leaf of a predicate; false only when it is sure that none does.
    package func mayMatch(_ leaf: Predicate) -> Bool {
        switch leaf {
        case .isNull: mayBeNull
        case .notNull: mayHaveValues || mayBeNaN
        case .isNaN: mayBeNaN
        case .notNaN: mayHaveValues || mayBeNull
        case .compare(_, let comparison, let value): mayMatch(comparison, value)
        case .in(_, let values): values.contains { mayMatch(.equal, $0) }
        case .notIn(_, let values):
            mayBeNull || mayBeNaN || (mayHaveValues && !values.contains { isOnly($0) })
        case .startsWith(_, let prefix): mayHaveValues && !isOutside(prefix: prefix)
        case .notStartsWith(_, let prefix):
            mayBeNull || (mayHaveValues && !isInside(prefix: prefix))
        case .always: true
        case .never: false
        // Not a leaf: nothing can be said.
        case .and, .or, .not: true
        }
    }

    private func mayMatch(_ comparison: Predicate.Comparison, _ value: Datum) -> Bool {
        if value.isNaN { return mayMatchNaN(comparison) }
        let (lower, upper) = signs(value)
        switch comparison {
        case .equal:
            return mayHaveValues && (lower ?? 0) <= 0 && (upper ?? 0) >= 0
        case .notEqual:
            return mayBeNull || mayBeNaN || (mayHaveValues && !isOnly(value))
        case .less: return mayHaveValues && (lower ?? -1) < 0
        case .lessOrEqual: return mayHaveValues && (lower ?? -1) <= 0
        // NaN is greater than anything else.
        case .greater: return mayBeNaN || (mayHaveValues && (upper ?? 1) > 0)
        case .greaterOrEqual: return mayBeNaN || (mayHaveValues && (upper ?? 1) >= 0)
        }
    }

    private func mayMatchNaN(_ comparison: Predicate.Comparison) -> Bool {
        switch comparison {
        case .equal, .greaterOrEqual: mayBeNaN
        // By IEEE 754 a NaN does not equal itself.
        case .notEqual: true
        case .less: mayHaveValues
        case .lessOrEqual: mayHaveValues || mayBeNaN
        case .greater: false
        }
    }

    /// Whether all values, but nulls and NaNs, are this one.
    private func isOnly(_ value: Datum) -> Bool {
        // What lies between two equal bounds equals them, even when they were cut off.
        let (lower, upper) = signs(value)
        return lower == 0 && upper == 0
    }

    /// Whether no value begins with the prefix.
    private func isOutside(prefix: String) -> Bool {
        if case .string(let text)? = upper, Datum.string(text).compared(to: .string(prefix)) == -1 {
            return true
        }
        // Beyond the prefix, and not beginning with it: then nothing greater begins with it either.
        if case .string(let text)? = lower, Datum.string(text).compared(to: .string(prefix)) == 1 {
            return !text.utf8.starts(with: prefix.utf8)
        }
        return false
    }

    /// Whether all values begin with the prefix.
    private func isInside(prefix: String) -> Bool {
        guard case .string(let low)? = lower, case .string(let high)? = upper else { return false }
        return low.utf8.starts(with: prefix.utf8) && high.utf8.starts(with: prefix.utf8)
    }
}

// MARK: - Do all rows match?

extension ValueRange {
    /// Whether all rows match the leaf of a predicate; true only when that is sure.
    package func allMatch(_ leaf: Predicate) -> Bool {
        switch leaf {
        case .isNull: !mayHaveValues && !mayBeNaN
        case .notNull: !mayBeNull
        case .isNaN: !mayBeNull && !mayHaveValues
        case .notNaN: !mayBeNull && !mayBeNaN
        case .compare(_, let comparison, let value): hasOnlyValues && allMatch(comparison, value)
        case .in(_, let values): hasOnlyValues && values.contains { allMatch(.equal, $0) }
        case .notIn(_, let values): hasOnlyValues && values.allSatisfy { allMatch(.notEqual, $0) }
        case .startsWith(_, let prefix): hasOnlyValues && isInside(prefix: prefix)
        case .notStartsWith(_, let prefix): hasOnlyValues && isOutside(prefix: prefix)
        case .always: true
        case .never, .and, .or, .not: false
        }
    }

    /// Neither nulls, which match nothing, nor NaNs, which not everybody compares alike.
    private var hasOnlyValues: Bool { !mayBeNull && !mayBeNaN }

    private func allMatch(_ comparison: Predicate.Comparison, _ value: Datum) -> Bool {
        if value.isNaN { return false }
        let (lower, upper) = signs(value)
        return switch comparison {
        case .equal: lower == 0 && upper == 0
        case .notEqual: lower == 1 || upper == -1
        case .less: upper == -1
        case .lessOrEqual: upper.map { $0 <= 0 } ?? false
        case .greater: lower == 1
        case .greaterOrEqual: lower.map { $0 >= 0 } ?? false
        }
    }
}
