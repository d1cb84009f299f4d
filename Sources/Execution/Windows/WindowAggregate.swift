import Columnar
import Kernels
import Planner

/// An aggregate over the frame of each row.
struct WindowAggregate {
    private let call: AggregateCall
    private let frames: WindowFrames
    /// The argument of each row; of `countStar` anything that is not null.
    private let values: Column
    /// Whether the row counts: its argument is not null and it meets the filter.
    private let counts: [Bool]
    /// For DISTINCT, the row before in the partition that has the same value; -1 for none.
    private let previous: [Int32]?
    /// For DISTINCT, a number for each different value.
    private var valueNumbers: [UInt32] = []
    /// The place of each row in the call's own order; empty where it has none.
    private var ranks: [Int32] = []

    private var rowCount: Int { frames.layout.rowCount }

    init(
        _ call: AggregateCall,
        _ frames: WindowFrames,
        evaluate: (BoundExpression) throws -> Column
    ) throws {
        self.call = call
        self.frames = frames
        let count = frames.layout.rowCount
        let argument =
            try call.argument.map { try evaluate($0).flattened() }
            ?? Column.constant(.int32(1), .int32, count: count).flattened()
        if call.others.isEmpty {
            values = argument
        } else {
            let parts = try [argument] + call.others.map { try evaluate($0).flattened() }
            values = Column(
                type: .structure(parts.enumerated().map { Field("\($0)", $1.type) }),
                count: count,
                validity: nil,
                storage: .structure(parts)
            )
        }
        if !call.order.isEmpty, count > 0 {
            let sorted = SortKeys(
                try call.order.map { try evaluate($0.expression).flattened() },
                call.order.map {
                    SortOrder(isDescending: $0.isDescending, nullsFirst: $0.nullsFirst)
                }
            ).sorted()
            ranks = [Int32](repeating: 0, count: count)
            for index in 0..<sorted.count {
                ranks[Int(sorted.rows[index])] = Int32(truncatingIfNeeded: index)
            }
        }
        var counts = [Bool](repeating: true, count: count)
        if let filter = call.filter {
            let met = Filter.trueRows(try evaluate(filter))
            for row in 0..<count { counts[row] = met[row] }
        }
        for row in 0..<count where values.isNull(row) { counts[row] = false }
        var previous: [Int32]?
        if call.isDistinct {
            let table = GroupTable(types: [values.type])
            let numbers = Buffer(byteCount: count * 4)
            let number = numbers.mutable(as: UInt32.self)
            try table.assign([values], count: count, into: number)
            var last = [Int32](repeating: -1, count: table.groupCount)
            var before = [Int32](repeating: -1, count: count)
            for row in 0..<count where counts[row] {
                let group = Int(number[row])
                if last[group] >= frames.layout.partitionStart[row] { before[row] = last[group] }
                last[group] = Int32(truncatingIfNeeded: row)
            }
            valueNumbers = (0..<count).map { number[$0] }
            withExtendedLifetime(numbers) {}
            if frames.beginWithPartition {
                // Every frame begins where the partition does: only first occurrences count.
                for row in 0..<count where before[row] >= 0 { counts[row] = false }
            } else {
                previous = before
            }
        }
        self.counts = counts
        self.previous = previous
    }

    func evaluate() throws -> Column {
        if previous != nil || !ranks.isEmpty || !call.others.isEmpty { return try collected() }
        switch call.function {
        case .countStar, .count: return countColumn()
        case .sum, .avg:
            return values.type.isFloating ? try floatSums() : try exactSums()
        case .min, .max: return try extremes()
        case .boolAnd, .boolOr: return booleans()
        case .anyValue: return picks()
        case .stddevSample, .stddevPopulation, .varianceSample, .variancePopulation:
            return try variances()
        default: return try collected()
        }
    }

    /// How many rows that count lie before each row, and all in all.
    private func totals(_ isCounted: (Int) -> Bool) -> [Int32] {
        var result = [Int32](repeating: 0, count: rowCount + 1)
        for row in 0..<rowCount { result[row + 1] = result[row] + (isCounted(row) ? 1 : 0) }
        return result
    }

    private func counted(_ row: Int, _ before: [Int32]) -> Int {
        var sum = 0
        frames.eachRange(of: row) { (start: Int, end: Int) in
            sum += Int(before[end] - before[start])
        }
        return sum
    }

    private func countColumn() -> Column {
        let before = totals { counts[$0] }
        let buffer = Buffer(byteCount: rowCount * 8)
        let target = buffer.mutable(as: Int64.self)
        for row in 0..<rowCount { target[row] = Int64(counted(row, before)) }
        return Column(.int64, count: rowCount, buffer: buffer)
    }

    private func exactSums() throws -> Column {
        var scale = 0
        if case .decimal(_, let digits) = values.type { scale = digits }
        guard case .fixed(let slice) = values.storage else {
            return .nulls(call.type, count: rowCount)
        }
        let lane = values.type.physical
        let narrow = slice.pointer(as: Int32.self)
        let middle = slice.pointer(as: Int64.self)
        let wide = slice.pointer(as: Int128.self)
        let isAverage = call.function == .avg
        let result = Buffer(zeroedByteCount: rowCount * (isAverage ? 8 : 16))
        let sums = result.mutable(as: Int128.self)
        let means = result.mutable(as: Double.self)
        var divisor = 1.0
        for _ in 0..<scale { divisor *= 10 }
        var limit: Int128 = 1
        for _ in 0..<38 { limit *= 10 }
        var isKnown = [Bool](repeating: false, count: rowCount)
        func give(_ row: Int, _ state: ExactSumState) throws {
            if state.count == 0 { return }
            isKnown[row] = true
            if isAverage {
                means[row] = Double(nearest: state.sum) / Double(state.count) / divisor
            } else {
                guard state.sum < limit, state.sum > -limit else {
                    throw ExecutionError(.data, "a sum has more than 38 digits")
                }
                sums[row] = state.sum
            }
        }
        if lane == .int128 {
            try frameStates(
                frames,
                leaf: { counts[$0] ? ExactSumState(sum: wide[$0], count: 1) : .empty },
                give
            )
        } else {
            // 2^31 numbers of 64 bits cannot pass 128: a frame's sum is what its end has more than
            // its start.
            let before = totals { counts[$0] }
            let totals = Buffer(byteCount: (rowCount + 1) * 16)
            let total = totals.mutable(as: Int128.self)
            total[0] = 0
            for row in 0..<rowCount {
                var value: Int128 = 0
                if counts[row] {
                    value = lane == .int32 ? Int128(narrow[row]) : Int128(middle[row])
                }
                total[row + 1] = total[row] &+ value
            }
            for row in 0..<rowCount {
                if row & (Interruption.rowCount - 1) == 0 { try Interruption.check() }
                var state = ExactSumState.empty
                frames.eachRange(of: row) { (start: Int, end: Int) in
                    state.sum &+= total[end] &- total[start]
                    state.count += Int(before[end] - before[start])
                }
                try give(row, state)
            }
            withExtendedLifetime(totals) {}
        }
        return withExtendedLifetime(values) {
            column(result, isKnown)
        }
    }

    /// A column of the call's type, null where nothing is known.
    private func column(_ buffer: Buffer, _ isKnown: [Bool]) -> Column {
        Column(
            call.type,
            count: rowCount,
            validity: isKnown.contains(false) ? Bitmap(isKnown) : nil,
            buffer: buffer
        )
    }

    private func floatSums() throws -> Column {
        let source = doubles()
        let result = Buffer(zeroedByteCount: rowCount * 8)
        let target = result.mutable(as: Double.self)
        var isKnown = [Bool](repeating: false, count: rowCount)
        let isAverage = call.function == .avg
        try frameStates(
            frames,
            leaf: { counts[$0] ? FloatSumState(sum: source[$0], count: 1) : .empty }
        ) { (row: Int, state: FloatSumState) throws in
            if state.count == 0 { return }
            isKnown[row] = true
            target[row] = isAverage ? state.sum / Double(state.count) : state.sum
        }
        return column(result, isKnown)
    }

    private func variances() throws -> Column {
        let source = doubles()
        let isSample = call.function == .varianceSample || call.function == .stddevSample
        let isDeviation = call.function == .stddevSample || call.function == .stddevPopulation
        let result = Buffer(zeroedByteCount: rowCount * 8)
        let target = result.mutable(as: Double.self)
        var isKnown = [Bool](repeating: false, count: rowCount)
        try frameStates(
            frames,
            leaf: { counts[$0] ? VarianceState(source[$0]) : .empty }
        ) { (row: Int, state: VarianceState) throws in
            let divisor = isSample ? state.count - 1 : state.count
            if divisor <= 0 { return }
            let variance = state.squares / divisor
            guard variance.isFinite else {
                throw ExecutionError(.data, "a variance is out of range")
            }
            isKnown[row] = true
            target[row] = isDeviation ? variance.squareRoot() : variance
        }
        return column(result, isKnown)
    }

    /// The values as doubles; anything where none is.
    private func doubles() -> [Double] {
        guard case .fixed(let slice) = values.storage else {
            return [Double](repeating: 0, count: rowCount)
        }
        if values.type == .float32 {
            let source = slice.pointer(as: Float.self)
            return withExtendedLifetime(values) { (0..<rowCount).map { Double(source[$0]) } }
        }
        let source = slice.pointer(as: Double.self)
        return withExtendedLifetime(values) { (0..<rowCount).map { source[$0] } }
    }

    private func extremes() throws -> Column {
        let isMaximum = call.function == .max
        var leaves = [ExtremeState](repeating: .empty, count: rowCount)
        if rowCount > 0 {
            // Ranks instead of values: one comparison fits all types.
            let order = SortOrder(isDescending: isMaximum, nullsFirst: false)
            let sorted = SortKeys([values], [order]).sorted()
            let comparator = RowComparator([values], [values], [order])
            var rank: Int32 = 0
            for index in 0..<sorted.count {
                let row = Int(sorted.rows[index])
                if index > 0, comparator.compare(Int(sorted.rows[index - 1]), row) != 0 {
                    rank += 1
                }
                if counts[row] {
                    leaves[row] = ExtremeState(row: Int32(truncatingIfNeeded: row), rank: rank)
                }
            }
        }
        var places = [Int32](repeating: -1, count: rowCount)
        try frameStates(frames, leaf: { leaves[$0] }) {
            (row: Int, state: ExtremeState) throws in
            places[row] = state.row
        }
        return taken(places)
    }

    private func taken(_ places: [Int32]) -> Column {
        places.withUnsafeBufferPointer { places in
            guard let base = places.baseAddress else { return values.slice(0..<0) }
            return Take.take(values, rows: base, count: places.count, nullable: true)
        }
    }

    private func booleans() -> Column {
        let isAnd = call.function == .boolAnd
        let all = totals { counts[$0] }
        let matching = totals { row in
            counts[row] && values.value(at: row) == .boolean(true)
        }
        return Column(
            .boolean,
            (0..<rowCount).map { row in
                let known = counted(row, all)
                if known == 0 { return .null }
                let matches = counted(row, matching)
                return .boolean(isAnd ? matches == known : matches > 0)
            }
        )
    }

    /// The first value of the frame that counts.
    private func picks() -> Column {
        let before = totals { counts[$0] }
        let rows = (0..<rowCount).filter { counts[$0] }
        var places = [Int32](repeating: -1, count: rowCount)
        for row in 0..<rowCount {
            frames.eachRange(of: row) { (start: Int, end: Int) in
                if places[row] < 0, before[end] > before[start] {
                    places[row] = Int32(truncatingIfNeeded: rows[Int(before[start])])
                }
            }
        }
        return taken(places)
    }

    /// Feeds the rows of every different frame to the aggregate of groups: for aggregates whose
    /// states cannot be put together.
    private func collected() throws -> Column {
        let accumulator = try call.makeAccumulator()
        var groups: [UInt32] = []
        var rows: [Int32] = []
        var groupOf = [Int32](repeating: 0, count: rowCount)
        var groupCount = 0
        let skipsNulls = call.function != .countStar && call.function.ignoresNulls
        func flush() throws {
            try Interruption.check()
            if rows.isEmpty { return }
            try groups.withUnsafeBufferPointer { groups in
                try rows.withUnsafeBufferPointer { rows in
                    guard let group = groups.baseAddress, let row = rows.baseAddress else { return }
                    try accumulator.update(
                        groups: group,
                        groupCount: groupCount,
                        column: Take.take(values, rows: row, count: rows.count),
                        count: rows.count
                    )
                }
            }
            groups.removeAll(keepingCapacity: true)
            rows.removeAll(keepingCapacity: true)
        }
        for row in 0..<rowCount {
            if row > 0, frames.exclusion == .none, frames.starts[row] == frames.starts[row - 1],
                frames.ends[row] == frames.ends[row - 1]
            {
                groupOf[row] = groupOf[row - 1]
                continue
            }
            let group = groupCount
            groupCount += 1
            groupOf[row] = Int32(truncatingIfNeeded: group)
            let first = frames.starts[row]
            var own: [Int32] = []
            var met: Set<UInt32> = []
            try frames.eachRange(of: row) { (start: Int, end: Int) throws in
                for other in start..<end {
                    if skipsNulls || call.filter != nil, !counts[other] { continue }
                    if let previous {
                        // With exclusion the earlier one may be left out of the frame.
                        if frames.exclusion == .none {
                            if previous[other] >= first { continue }
                        } else if !met.insert(valueNumbers[other]).inserted {
                            continue
                        }
                    }
                    if !ranks.isEmpty {
                        own.append(Int32(truncatingIfNeeded: other))
                        continue
                    }
                    groups.append(UInt32(group))
                    rows.append(Int32(truncatingIfNeeded: other))
                    if rows.count >= 65_536 { try flush() }
                }
            }
            own.sort { ranks[Int($0)] < ranks[Int($1)] }
            for other in own {
                groups.append(UInt32(group))
                rows.append(other)
            }
            if rows.count >= 65_536 { try flush() }
        }
        try flush()
        let results = try accumulator.finish(groupCount: groupCount)
        try Interruption.check()
        return groupOf.withUnsafeBufferPointer { groups in
            guard let base = groups.baseAddress else { return results.slice(0..<0) }
            return Take.take(results, rows: base, count: groups.count)
        }
    }
}
