import Columnar

/// Answers COUNT, MIN and MAX of whole tables by what is known of them, without reading a row.
///
/// Only where metadata are exact: every file says how many rows and nulls it has, no rows are deleted
/// beside the files, and the bounds are values that occur.
enum MetadataAggregates {
    static func rewrite(_ plan: LogicalPlan) -> LogicalPlan {
        let plan = plan.mapInputs { rewrite($0) }
        guard case .aggregate(let aggregate) = plan, aggregate.groups.isEmpty,
            !aggregate.calls.isEmpty, let scan = Source(aggregate.input)
        else { return plan }
        var row: [BoundExpression] = []
        for (call, column) in aggregate.calls {
            guard let value = scan.value(of: call) else { return plan }
            row.append(.constant(value, column.type))
        }
        return .values(
            LogicalPlan.Values(
                columns: aggregate.calls.map(\.column),
                rows: [row],
                source: scan.table.name
            )
        )
    }

    /// A table of which all rows come, and where its columns go.
    private struct Source {
        let table: SourceTable
        private let rowCount: Int
        /// The positions in the table's schema of columns that come unchanged.
        private var positions: [ColumnID: Int] = [:]

        init?(_ plan: LogicalPlan) {
            switch plan {
            case .scan(let scan):
                guard scan.filters.isEmpty, scan.table.isRowCountExact,
                    let count = scan.table.rowCount
                else { return nil }
                (table, rowCount) = (scan.table, count)
                for (position, column) in scan.columns { positions[column.id] = position }
            case .project(let projections, let input):
                guard let below = Source(input) else { return nil }
                self = below
                for projection in projections {
                    guard case .column(let id, _) = projection.expression else { continue }
                    positions[projection.column.id] = below.positions[id]
                }
            default: return nil
            }
        }

        /// nil when it takes the rows to know.
        func value(of call: AggregateCall) -> Value? {
            guard call.filter == nil, call.others.isEmpty else { return nil }
            if call.function == .countStar { return .int64(Int64(rowCount)) }
            guard case .column(let id, let type) = call.argument, let position = positions[id],
                table.schema[position].type == type
            else { return nil }
            let bounds = table.bounds[position]
            switch call.function {
            case .count where !call.isDistinct:
                if rowCount == 0 { return .int64(0) }
                guard let nulls = bounds?.nullCount, nulls <= rowCount else { return nil }
                return .int64(Int64(rowCount - nulls))
            case .min, .max:
                if rowCount == 0 || bounds?.nullCount == rowCount { return .null }
                // Bounds leave NaN out, and cannot tell -0.0 from 0.0.
                guard let bounds, bounds.areValues, !type.isFloating, call.type == type else {
                    return nil
                }
                return call.function == .min ? bounds.lower : bounds.upper
            default: return nil
            }
        }
    }
}
