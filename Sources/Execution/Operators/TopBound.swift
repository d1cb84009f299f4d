import Columnar
import Kernels
import Planner
import Synchronization

/// What a sort with a limit still wants: rows whose first key is not behind that of the last of the rows
/// that some worker has enough of.
///
/// The scan below asks it, so that of rows that come too late only the key is read.
///
/// `@unchecked Sendable`: columns are not written once they are there.
final class TopBound: @unchecked Sendable {
    private struct State: @unchecked Sendable {
        /// One row.
        var bound: Column?
    }

    private let order: SortOrder
    private let state = Mutex(State())

    /// - Returns: nil for keys that have no plain order.
    init?(_ key: SortKey) {
        switch key.expression.type.physical {
        case .int32, .int64, .float32, .float64, .view: break
        case .int128 where key.expression.type != .interval: break
        default: return nil
        }
        order = key.order
    }

    /// Notes that a worker has enough rows, the last of which has this key.
    ///
    /// - Parameter last: one row; null tells nothing.
    func note(_ last: Column) throws {
        if last.nullCount > 0 { return }
        try state.withLock { state in
            guard let bound = state.bound else {
                state.bound = last
                return
            }
            let op: Kernels.ComparisonOperator = order.isDescending ? .greater : .less
            if Filter.selection(try Comparison.compare(op, last, bound)).count == 1 {
                state.bound = last
            }
        }
    }

    /// Whether anything is known yet.
    var isKnown: Bool { state.withLock { $0.bound != nil } }

    /// The rows of `within` (nil: all) that may still be wanted; nil when all of `key` may be.
    ///
    /// - Parameter includesEqual: whether rows that are equal to the last one are wanted too.
    func select(
        _ key: Column,
        within: Selection?,
        includesEqual: Bool = true
    ) throws -> Selection? {
        guard let bound = state.withLock({ $0.bound }) else { return within }
        // Nulls in front are wanted whatever the bound is.
        if order.nullsFirst, key.hasNulls { return within }
        let op: Kernels.ComparisonOperator =
            switch (order.isDescending, includesEqual) {
            case (false, true): .lessOrEqual
            case (false, false): .less
            case (true, true): .greaterOrEqual
            case (true, false): .greater
            }
        let found = try Filter.select(
            key,
            op,
            .constant(bound.value(at: 0), bound.type, count: key.count),
            within: within
        )
        return found.count == key.count ? nil : found
    }
}

/// A bound, and the column of a scan that it speaks of.
struct ScanBound: Sendable {
    /// Among the columns that the scan reads.
    var position: Int
    var bound: TopBound
}
