import Columnar
import Kernels
import Planner

/// Computes the window functions over sorted rows.
struct WindowEvaluator {
    private let rows: Chunk
    private let layout: WindowLayout
    private let orderColumns: [Column]
    private let orders: [SortOrder]

    init(
        _ plan: PhysicalPlan.Window,
        rows: Chunk
    ) throws {
        self.rows = rows
        let partition = try plan.partition.map { try Self.evaluate($0, rows) }
        orderColumns = try plan.order.map { try Self.evaluate($0.expression, rows) }
        orders = plan.order.map {
            SortOrder(isDescending: $0.isDescending, nullsFirst: $0.nullsFirst)
        }
        layout = WindowLayout(
            partition: partition,
            order: orderColumns,
            rowCount: rows.rowCount
        )
    }

    /// An expression over all rows, a batch at a time.
    private static func evaluate(_ expression: BoundExpression, _ rows: Chunk) throws -> Column {
        let node = try ExpressionCompiler().compile(expression)
        var parts: [Column] = []
        var start = 0
        while start < rows.rowCount {
            let range = start..<min(rows.rowCount, start + RecordBatch.rowCountMax)
            parts.append(
                try node.evaluate(
                    Chunk(
                        columns: rows.columns.map { $0.slice(range) },
                        rowCount: range.count
                    )
                ).flattened()
            )
            start = range.upperBound
        }
        if parts.isEmpty { return .nulls(expression.type, count: 0) }
        return try Concatenate.concatenateUnlessInterrupted(parts)
    }

    func evaluate(_ call: WindowCall) throws -> Column {
        switch call.function {
        case .rowNumber: return integers { $0 - Int(layout.partitionStart[$0]) + 1 }
        case .rank:
            return integers { Int(layout.peerStart[$0]) - Int(layout.partitionStart[$0]) + 1 }
        case .denseRank:
            var rank = 0
            return integers { row in
                if Int(layout.partitionStart[row]) == row { rank = 0 }
                if Int(layout.peerStart[row]) == row { rank += 1 }
                return rank
            }
        case .percentRank:
            return doubles { row in
                let size = Int(layout.partitionEnd[row]) - Int(layout.partitionStart[row])
                let before = Int(layout.peerStart[row]) - Int(layout.partitionStart[row])
                return size > 1 ? Double(before) / Double(size - 1) : 0
            }
        case .cumeDist:
            return doubles { row in
                let start = Int(layout.partitionStart[row])
                let size = Int(layout.partitionEnd[row]) - start
                return Double(Int(layout.peerEnd[row]) - start) / Double(size)
            }
        case .ntile: return try buckets(try Self.evaluate(call.arguments[0], rows))
        case .lag, .lead: return try shifted(call)
        case .firstValue, .lastValue, .nthValue, .lastMarked: return try picked(call)
        case .aggregate(let aggregate):
            let frames = try frames(call.frame)
            return try WindowAggregate(aggregate, frames) {
                try Self.evaluate($0, rows)
            }.evaluate()
        }
    }

    private func integers(_ value: (Int) -> Int) -> Column {
        let buffer = Buffer(byteCount: rows.rowCount * 8)
        let target = buffer.mutable(as: Int64.self)
        for row in 0..<rows.rowCount { target[row] = Int64(value(row)) }
        return Column(.int64, count: rows.rowCount, buffer: buffer)
    }

    private func doubles(_ value: (Int) -> Double) -> Column {
        let buffer = Buffer(byteCount: rows.rowCount * 8)
        let target = buffer.mutable(as: Double.self)
        for row in 0..<rows.rowCount { target[row] = value(row) }
        return Column(.float64, count: rows.rowCount, buffer: buffer)
    }

    private func buckets(_ counts: Column) throws -> Column {
        var values: [Value] = []
        values.reserveCapacity(rows.rowCount)
        for row in 0..<rows.rowCount {
            guard case .int64(let wanted) = counts.value(at: row) else {
                values.append(.null)
                continue
            }
            guard wanted > 0 else {
                throw ExecutionError(.data, "ntile needs a number of buckets greater than 0")
            }
            let start = Int(layout.partitionStart[row])
            let size = Int(layout.partitionEnd[row]) - start
            let bucketCount = Int(min(wanted, Int64(size)))
            // The first buckets have one row more where the rows cannot be shared evenly.
            let (small, large) = (size / bucketCount, size % bucketCount)
            let place = row - start
            let inLarge = large * (small + 1)
            let bucket =
                place < inLarge ? place / (small + 1) : large + (place - inLarge) / small
            values.append(.int64(Int64(bucket + 1)))
        }
        return Column(.int64, values)
    }

    // MARK: Values of other rows

    /// The rows that are not null, and how many of them lie before each row.
    private struct KnownRows {
        var rows: [Int32] = []
        var before: [Int32] = []

        init(_ column: Column) {
            before.reserveCapacity(column.count + 1)
            for row in 0..<column.count {
                before.append(Int32(truncatingIfNeeded: rows.count))
                if !column.isNull(row) { rows.append(Int32(truncatingIfNeeded: row)) }
            }
            before.append(Int32(truncatingIfNeeded: rows.count))
        }
    }

    /// The values of `column` at some rows; null for -1.
    private func take(_ column: Column, _ places: [Int32]) -> Column {
        places.withUnsafeBufferPointer { places in
            guard let base = places.baseAddress else { return column.slice(0..<0) }
            return Take.take(column, rows: base, count: places.count, nullable: true)
        }
    }

    private func shifted(_ call: WindowCall) throws -> Column {
        let values = try Self.evaluate(call.arguments[0], rows)
        let distances =
            call.arguments.count > 1 ? try Self.evaluate(call.arguments[1], rows) : nil
        let isLag = call.function == .lag
        let known = call.ignoresNulls ? KnownRows(values) : nil
        var places = [Int32](repeating: -1, count: rows.rowCount)
        var isOutside = [Bool](repeating: false, count: rows.rowCount)
        for row in 0..<rows.rowCount {
            var distance: Int64 = 1
            if let distances {
                guard case .int64(let number) = distances.value(at: row) else { continue }
                distance = number
            }
            // A partition has at most 2^31 rows: further is as good as outside.
            let step = Int(min(max(distance, -(1 << 32)), 1 << 32)) * (isLag ? -1 : 1)
            let (start, end) = (Int(layout.partitionStart[row]), Int(layout.partitionEnd[row]))
            var place = row + step
            if let known, step != 0 {
                let own = Int(known.before[row])
                let isKnown = known.before[row + 1] > known.before[row]
                let index = step < 0 ? own + step : own + step - (isKnown ? 0 : 1)
                place =
                    index >= Int(known.before[start]) && index < Int(known.before[end])
                    ? Int(known.rows[index]) : -1
            }
            if place >= start && place < end {
                places[row] = Int32(truncatingIfNeeded: place)
            } else {
                isOutside[row] = true
            }
        }
        let result = take(values, places)
        guard call.arguments.count > 2 else { return result }
        let others = try Self.evaluate(call.arguments[2], rows)
        return Choice.select(Column(bits: Bitmap(isOutside)), others, result)
    }

    private func picked(_ call: WindowCall) throws -> Column {
        let values = try Self.evaluate(call.arguments[0], rows)
        let numbers =
            call.function == .nthValue ? try Self.evaluate(call.arguments[1], rows) : nil
        let frames = try frames(call.frame)
        var known = call.ignoresNulls ? KnownRows(values) : nil
        if call.function == .lastMarked {
            known = KnownRows(try Self.evaluate(call.arguments[1], rows))
        }
        let isFromLast = call.function == .nthValue && call.arguments.count > 2
        let isLast = call.function == .lastValue || call.function == .lastMarked
        var places = [Int32](repeating: -1, count: rows.rowCount)
        for row in 0..<rows.rowCount {
            if row & (Interruption.rowCount - 1) == 0 { try Interruption.check() }
            var wanted = 0
            if let numbers {
                guard case .int64(let number) = numbers.value(at: row), number > 0 else {
                    continue
                }
                wanted = Int(min(number, 1 << 40)) - 1
            }
            var found: Int32 = -1
            if isFromLast {
                var total = 0
                frames.eachRange(of: row) { (start: Int, end: Int) in
                    total +=
                        known.map { Int($0.before[end]) - Int($0.before[start]) } ?? end - start
                }
                if wanted >= total { continue }
                wanted = total - 1 - wanted
            }
            frames.eachRange(of: row) { (start: Int, end: Int) in
                let (low, high) =
                    known.map { (Int($0.before[start]), Int($0.before[end])) } ?? (start, end)
                if low >= high { return }
                if isLast {
                    found = known?.rows[high - 1] ?? Int32(truncatingIfNeeded: high - 1)
                } else if found < 0 {
                    if wanted < high - low {
                        found =
                            known?.rows[low + wanted] ?? Int32(truncatingIfNeeded: low + wanted)
                    } else {
                        wanted -= high - low
                    }
                }
            }
            places[row] = found
        }
        return take(values, places)
    }

    // MARK: Frames

    private func frames(_ frame: WindowFrame) throws -> WindowFrames {
        let exclusion: WindowFrames.Exclusion
        switch frame.exclusion {
        case .none: exclusion = .none
        case .currentRow: exclusion = .currentRow
        case .group: exclusion = .group
        case .ties: exclusion = .ties
        }
        var starts = try bounds(frame.start, frame, isStart: true)
        var ends = try bounds(frame.end, frame, isStart: false)
        for row in 0..<rows.rowCount {
            starts[row] = max(starts[row], layout.partitionStart[row])
            ends[row] = min(ends[row], layout.partitionEnd[row])
        }
        return WindowFrames(layout, starts: starts, ends: ends, exclusion: exclusion)
    }

    private func bounds(
        _ bound: WindowFrame.Bound,
        _ frame: WindowFrame,
        isStart: Bool
    ) throws -> [Int32] {
        switch bound {
        case .unboundedPreceding: return layout.partitionStart
        case .unboundedFollowing: return layout.partitionEnd
        case .currentRow:
            if frame.unit == .rows {
                return (0..<Int32(rows.rowCount)).map { isStart ? $0 : $0 + 1 }
            }
            return isStart ? layout.peerStart : layout.peerEnd
        case .preceding(let expression), .following(let expression):
            var isBefore = false
            if case .preceding = bound { isBefore = true }
            let values = try Self.evaluate(expression, rows)
            switch frame.unit {
            case .rows:
                return try distances(values) { row, distance in
                    let place = isBefore ? row - distance : row + distance
                    return isStart ? place : place + 1
                }
            case .groups: return try groupBounds(values, isBefore: isBefore, isStart: isStart)
            case .range: return try rangeBounds(values, frame, isStart: isStart)
            }
        }
    }

    /// A bound for each row from its distance, which must be a number of 0 or more.
    private func distances(
        _ values: Column,
        _ bound: (Int, Int) -> Int
    ) throws -> [Int32] {
        var result = [Int32](repeating: 0, count: rows.rowCount)
        for row in 0..<rows.rowCount {
            guard case .int64(let distance) = values.value(at: row), distance >= 0 else {
                throw ExecutionError(.data, "the distance of a frame's bound must be 0 or more")
            }
            // Further than any partition is long.
            let place = bound(row, Int(min(distance, 1 << 32)))
            result[row] = Int32(min(max(place, 0), rows.rowCount))
        }
        return result
    }

    private func groupBounds(
        _ values: Column,
        isBefore: Bool,
        isStart: Bool
    ) throws -> [Int32] {
        // Where each group of peers begins, over all partitions; a last one ends the rows.
        var groupStarts: [Int32] = []
        var groups = [Int32](repeating: 0, count: rows.rowCount)
        for row in 0..<rows.rowCount {
            if Int(layout.peerStart[row]) == row {
                groupStarts.append(Int32(truncatingIfNeeded: row))
            }
            groups[row] = Int32(truncatingIfNeeded: groupStarts.count - 1)
        }
        groupStarts.append(Int32(truncatingIfNeeded: rows.rowCount))
        return try distances(values) { row, distance in
            let group = Int(groups[row]) + (isBefore ? -distance : distance)
            // Clipping to the partition happens later: its rows lie together.
            let index = isStart ? group : group + 1
            if index < 0 { return 0 }
            return index < groupStarts.count ? Int(groupStarts[index]) : rows.rowCount
        }
    }

    /// The first row whose key is not before the bound, or the row behind the last not after it.
    private func rangeBounds(
        _ limits: Column,
        _ frame: WindowFrame,
        isStart: Bool
    ) throws -> [Int32] {
        guard let expression = frame.rangeKey, let order = orders.first else {
            throw ExecutionError(.data, "a RANGE frame with distances needs one ORDER BY key")
        }
        let keys = try Self.evaluate(expression, rows)
        let comparator = RowComparator([keys], [limits], [order])
        var result = [Int32](repeating: 0, count: rows.rowCount)
        var known = (start: 0, end: 0)
        for row in 0..<rows.rowCount {
            let (start, end) = (Int(layout.partitionStart[row]), Int(layout.partitionEnd[row]))
            if start == row {
                // Rows without a key are no distance away from any that have one.
                known = (start, end)
                while known.start < known.end, keys.isNull(known.start) { known.start += 1 }
                while known.end > known.start, keys.isNull(known.end - 1) { known.end -= 1 }
            }
            if keys.isNull(row) {
                result[row] = isStart ? layout.peerStart[row] : layout.peerEnd[row]
                continue
            }
            if limits.isNull(row) {
                throw ExecutionError(.data, "the distance of a frame's bound must not be null")
            }
            var (low, high) = known
            while low < high {
                let middle = (low + high) / 2
                let sign = comparator.compare(middle, row)
                if isStart ? sign < 0 : sign <= 0 { low = middle + 1 } else { high = middle }
            }
            result[row] = Int32(truncatingIfNeeded: low)
        }
        return result
    }
}
