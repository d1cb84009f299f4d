package import Columnar
import Iceberg

/// What metadata say of a column over many files.
package struct ColumnBoundsSummary: Sendable, Hashable {
    /// Not greater than any value, NaNs apart; null when it is not known or there is no value.
    package var lower: Value
    package var upper: Value
    /// nil when some file does not say.
    package var nullCount: Int64?
    /// Whether the bounds are values that occur, as far as no delete file took them: bounds of text and
    /// bytes may be cut.
    package var isExact: Bool
}

/// Bounds of parts (files, row groups) on their way to those of the whole.
struct BoundsUnion {
    private var lower: Datum?
    private var upper: Datum?
    private var nullCount: Int64? = 0

    /// - Parameter count: nil when the part does not say.
    mutating func addNulls(_ count: Int64?) {
        if let count { nullCount? += count } else { nullCount = nil }
    }

    mutating func add(lower low: Datum, upper high: Datum) {
        if lower.map({ low.precedesAsBound($0) }) ?? true { lower = low }
        if upper.map({ $0.precedesAsBound(high) }) ?? true { upper = high }
    }

    func summary(isExact: Bool) -> ColumnBoundsSummary {
        ColumnBoundsSummary(
            lower: Value(lower),
            upper: Value(upper),
            nullCount: nullCount,
            isExact: isExact
        )
    }
}

extension TableReader {
    /// What the planned files' metrics say of some columns; only those that can be known are there.
    package func bounds(_ plan: TablePlan, fieldIDs: [Int]) -> [Int: ColumnBoundsSummary] {
        var result: [Int: ColumnBoundsSummary] = [:]
        for id in fieldIDs {
            guard let field = schema.field(id: id), field.type.isPrimitive else { continue }
            if let summary = bounds(plan, field) { result[id] = summary }
        }
        return result
    }

    private func bounds(_ plan: TablePlan, _ field: NestedField) -> ColumnBoundsSummary? {
        var union = BoundsUnion()
        for file in plan.files.lazy.map(\.file) {
            let nulls = file.nullValueCounts?[field.id]
            union.addNulls(nulls)
            if file.recordCount == 0 || nulls == file.recordCount { continue }
            guard let lowBytes = file.lowerBounds?[field.id],
                let highBytes = file.upperBounds?[field.id],
                let low = try? Datum(bytes: lowBytes, type: field.type),
                let high = try? Datum(bytes: highBytes, type: field.type)
            else { return nil }
            union.add(lower: low, upper: high)
        }
        let isCut: Bool
        switch field.type {
        case .string, .binary, .fixed, .timestampNanos, .timestamptzNanos: isCut = true
        default: isCut = false
        }
        return union.summary(isExact: !isCut && !plan.hasDeletes)
    }
}
