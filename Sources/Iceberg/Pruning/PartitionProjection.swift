/// Turns a condition on rows into one on partition values: inclusive, so that it holds for the partition
/// of every row that matches.
///
/// - Spec: "Scan Planning", inclusive projection.
struct PartitionProjection {
    private let spec: PartitionSpec
    private let sourceType: (Int) -> IcebergType?

    /// - Parameter sourceType: The type of a column by its id, nil for one that is not known.
    init(spec: PartitionSpec, sourceType: @escaping (Int) -> IcebergType?) {
        self.spec = spec
        self.sourceType = sourceType
    }

    /// The condition on partition field ids.
    ///
    /// - Parameter predicate: Without `not`.
    func project(_ predicate: Predicate) -> Predicate {
        predicate.mapLeaves { leaf in
            let fields = spec.fields.filter {
                $0.sourceIDs.count == 1 && $0.sourceID == leaf.fieldID
            }
            // Each field says something of its own, and all of it must hold.
            return .all(fields.map { project(leaf, $0) })
        }
    }

    private func project(_ leaf: Predicate, _ field: PartitionField) -> Predicate {
        let id = field.fieldID
        switch (field.transform, leaf) {
        case (.void, _), (.unknown, _): return .always
        case (.identity, _): return leaf.moved(to: id)
        // All transforms give null for null, and for nothing else.
        case (_, .isNull): return .isNull(id)
        case (_, .notNull): return .notNull(id)
        case (_, .startsWith(_, let prefix)):
            guard case .truncate(let width) = field.transform else { return .always }
            let scalars = prefix.unicodeScalars
            if scalars.count < Int(width) { return .startsWith(id, prefix) }
            let start = String(String.UnicodeScalarView(scalars.prefix(Int(width))))
            return .compare(id, .equal, .string(start))
        case (_, .in(_, let values)):
            var results: [Datum] = []
            for value in values {
                guard let result = result(field, value) else { return .always }
                results += widened(result, field.transform)
            }
            return .in(id, results)
        case (_, .compare(_, let comparison, let value)):
            return project(comparison, value, field)
        default: return .always
        }
    }

    private func project(
        _ comparison: Predicate.Comparison,
        _ value: Datum,
        _ field: PartitionField
    ) -> Predicate {
        let id = field.fieldID
        if comparison == .equal {
            guard let result = result(field, value) else { return .always }
            let results = widened(result, field.transform)
            return results.count == 1 ? .compare(id, .equal, results[0]) : .in(id, results)
        }
        guard field.transform.preservesOrder, let type = sourceType(field.sourceID),
            let value = value.exactly(as: type)
        else { return .always }
        // A row less than 10 is at most 9 where there is nothing between: that makes bounds tighter.
        switch comparison {
        case .less, .lessOrEqual:
            let most = comparison == .less ? value.predecessor ?? value : value
            guard let result = result(field, most) else { return .always }
            let bound = widened(result, field.transform).last ?? result
            let inOrder = Predicate.compare(id, .lessOrEqual, bound)
            guard let wrapped = firstWrapped(field, type) else { return inOrder }
            return .any([inOrder, .compare(id, .greaterOrEqual, wrapped)])
        case .greater, .greaterOrEqual:
            let least = comparison == .greater ? value.successor ?? value : value
            guard let result = result(field, least) else { return .always }
            // A bound that wrapped around would leave out all that did not.
            if let order = result.compared(to: least), order > 0 { return .always }
            return .compare(id, .greaterOrEqual, result)
        case .equal, .notEqual: return .always
        }
    }

    /// The least result that the lowest numbers may have: truncating them wraps around to the top.
    private func firstWrapped(_ field: PartitionField, _ type: IcebergType) -> Datum? {
        guard case .truncate(let width) = field.transform else { return nil }
        switch type {
        case .int: return .int(Int32.max - width + 1)
        case .long: return .long(Int64.max - Int64(width) + 1)
        default: return nil
        }
    }

    /// What the transform gives for a value of the column's own type; nil when it is not one.
    private func result(_ field: PartitionField, _ value: Datum) -> Datum? {
        guard let type = sourceType(field.sourceID), let value = value.exactly(as: type) else {
            return nil
        }
        return (try? field.transform.apply(value)) ?? nil
    }

    /// Old writers rounded times before 1970 towards zero, so that files may be one partition too late.
    private func widened(_ result: Datum, _ transform: Transform) -> [Datum] {
        switch (transform, result) {
        case (.year, .int(let value)), (.month, .int(let value)), (.hour, .int(let value)):
            value < 0 ? [result, .int(value + 1)] : [result]
        case (.day, .date(let value)): value < 0 ? [result, .date(value + 1)] : [result]
        default: [result]
        }
    }
}

extension Predicate {
    /// The same leaf on another field.
    func moved(to id: Int) -> Predicate {
        switch self {
        case .isNull: .isNull(id)
        case .notNull: .notNull(id)
        case .isNaN: .isNaN(id)
        case .notNaN: .notNaN(id)
        case .compare(_, let comparison, let value): .compare(id, comparison, value)
        case .in(_, let values): .in(id, values)
        case .notIn(_, let values): .notIn(id, values)
        case .startsWith(_, let prefix): .startsWith(id, prefix)
        case .notStartsWith(_, let prefix): .notStartsWith(id, prefix)
        case .always, .never, .and, .or, .not: self
        }
    }
}

extension Datum {
    /// The same value as one of `type`; nil when the type has no such value.
    package func exactly(as type: IcebergType) -> Datum? {
        if let value = promoted(to: type) { return value }
        switch (self, type) {
        case (.long(let value), .int): return Int32(exactly: value).map { .int($0) }
        case (.double(let value), .float): return Float(exactly: value).map { .float($0) }
        case (.decimal(let unscaled, let scale), .decimal(_, let typeScale)):
            guard scale >= 0, abs(typeScale - scale) < Decimals.powers.count else { return nil }
            let rescaled: Datum
            if typeScale >= scale {
                let factor = Decimals.powers[typeScale - scale]
                let (value, overflow) = unscaled.multipliedReportingOverflow(by: factor)
                if overflow { return nil }
                rescaled = .decimal(value, scale: typeScale)
            } else {
                let factor = Decimals.powers[scale - typeScale]
                guard unscaled % factor == 0 else { return nil }
                rescaled = .decimal(unscaled / factor, scale: typeScale)
            }
            return rescaled.isValid(for: type) ? rescaled : nil
        default: return nil
        }
    }

    /// The next smaller value of a type without values between; nil when there is none.
    var predecessor: Datum? { moved(by: -1) }

    /// The next greater value of a type without values between; nil when there is none.
    var successor: Datum? { moved(by: 1) }

    private func moved(by step: Int32) -> Datum? {
        func next<T: FixedWidthInteger>(_ value: T) -> T? {
            let (next, overflow) = value.addingReportingOverflow(T(step))
            return overflow ? nil : next
        }
        return switch self {
        case .int(let value): next(value).map { .int($0) }
        case .long(let value): next(value).map { .long($0) }
        case .date(let value): next(value).map { .date($0) }
        case .time(let value): next(value).map { .time($0) }
        case .timestamp(let value): next(value).map { .timestamp($0) }
        case .timestamptz(let value): next(value).map { .timestamptz($0) }
        case .timestampNanos(let value): next(value).map { .timestampNanos($0) }
        case .timestamptzNanos(let value): next(value).map { .timestamptzNanos($0) }
        case .decimal(let value, let scale): next(value).map { .decimal($0, scale: scale) }
        case .boolean, .float, .double, .string, .uuid, .fixed, .binary: nil
        }
    }
}
