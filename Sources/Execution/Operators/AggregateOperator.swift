import Columnar
import Kernels
import Planner

/// One worker's groups and the states of their aggregates.
///
/// When memory is refused, all of it goes to disk (see `AggregateSpill`) and the worker begins anew.
final class AggregateOperator: PushOperator {
    private let groupNodes: [ExpressionNode]
    private let calls: [AggregateCall]
    private let arguments: [ExpressionNode?]
    private let filters: [Predicate?]
    private(set) var table: GroupTable?
    /// Nil for DISTINCT calls, which go through `distinct` first, and those that keep rows.
    private(set) var accumulators: [GroupedAccumulator?] = []
    /// Per DISTINCT call the pairs of group and value met so far.
    private var distinct: [GroupTable?] = []
    /// Per call that keeps rows (it has an order of its own, or states that cannot be written out) the
    /// group, value and keys of all rows so far.
    private var ordered: [HeldRows] = []
    private let keepsRows: [Bool]
    private let orderNodes: [[ExpressionNode]]
    private let otherNodes: [[ExpressionNode]]
    private let groupTypes: [DataType]
    private let use: MemoryUse
    private let spill: AggregateSpill
    private let worker: Int

    init(
        groups: [BoundExpression],
        calls: [AggregateCall],
        spill: AggregateSpill,
        worker: Int
    ) throws {
        let compiler = ExpressionCompiler()
        groupNodes = try groups.map { try compiler.compile($0) }
        self.calls = calls
        self.spill = spill
        self.worker = worker
        use = MemoryUse(spill.memory)
        groupTypes = groups.map(\.type)
        arguments = try calls.map { try $0.argument.map { try compiler.compile($0) } }
        filters = try calls.map { try $0.filter.map { try Predicate([$0]) } }
        orderNodes = try calls.map { try $0.order.map { try compiler.compile($0.expression) } }
        otherNodes = try calls.map { try $0.others.map { try compiler.compile($0) } }
        keepsRows = try calls.map { call in
            if call.usesDistinctTable { return false }
            return try !call.order.isEmpty || !call.makeAccumulator().hasPartials
        }
        super.init()
        try begin()
    }

    /// Empty tables.
    private func begin() throws {
        table = groupTypes.isEmpty ? nil : GroupTable(types: groupTypes)
        ordered = calls.map { _ in HeldRows() }
        accumulators = []
        distinct = []
        for (index, call) in calls.enumerated() {
            if call.usesDistinctTable, let argument = call.argument {
                accumulators.append(nil)
                distinct.append(
                    GroupTable(
                        types: [.int64, argument.type] + call.order.map(\.expression.type)
                    )
                )
            } else {
                accumulators.append(keepsRows[index] ? nil : try call.makeAccumulator())
                distinct.append(nil)
            }
        }
    }

    var groupCount: Int { table?.groupCount ?? 1 }

    override func push(_ chunk: Chunk) throws -> Bool {
        let count = chunk.rowCount
        if !use.set(byteCountMax(adding: count)) {
            try spillAll()
            _ = use.set(byteCountMax(adding: count))
        }
        var groupBuffer: Buffer?
        if let table {
            let buffer = Buffer(byteCount: count * 4)
            var keys: [Column] = []
            for node in groupNodes { keys.append(try node.evaluate(chunk)) }
            try table.assign(keys, count: count, into: buffer.mutable(as: UInt32.self))
            groupBuffer = buffer
        }
        for index in calls.indices {
            var rows = chunk
            var groups = groupBuffer
            if let filter = filters[index], let selection = try filter.select(chunk) {
                rows = chunk.taking(selection)
                groups = groupBuffer.map { taken($0, selection) }
            }
            if rows.rowCount == 0 { continue }
            try update(index, rows, groups)
        }
        return true
    }

    /// The most memory that it takes on the way to holding `count` more rows, and to writing all out.
    private func byteCountMax(adding count: Int) -> Int {
        var total = accumulators.reduce(0) { $0 + ($1?.byteCount ?? 0) } * 2
        if let table { total += table.byteCountMax(adding: count) + table.groupCount * 12 }
        for pairs in distinct {
            if let pairs { total += pairs.byteCountMax(adding: count) + pairs.groupCount * 40 }
        }
        for rows in ordered where rows.rowCount > 0 {
            total += 3 * rows.byteCount + rows.rowCount * 72
        }
        return total
    }

    /// Bytes that it holds, and that it and another one's groups put together, and the result, may take.
    var neededBytes: Int { use.byteCount }

    // MARK: Leaving memory

    /// Writes everything out and begins anew.
    func spillAll() throws {
        let keys = table?.keys() ?? []
        let count = groupCount
        if table == nil || count > 0 {
            var states: [[Column]] = []
            for case let accumulator? in accumulators {
                states.append(try accumulator.partials(groupCount: count))
            }
            try Interruption.check()
            try spill.writeStates(keys, states, groupCount: count, worker)
        }
        for index in calls.indices {
            if let pairs = distinct[index] {
                if pairs.groupCount == 0 { continue }
                let columns = pairs.keys()
                try spill.writeDistinct(
                    Chunk(
                        columns: Self.keys(keys, of: columns[0]) + columns.dropFirst(),
                        rowCount: pairs.groupCount
                    ),
                    call: index,
                    worker
                )
            } else if keepsRows[index], ordered[index].rowCount > 0 {
                let chunks = ordered[index].chunks
                ordered[index] = HeldRows()
                let rows = try concatenated(chunks, types: chunks[0].columns.map(\.type))
                try spill.writeRows(
                    Chunk(
                        columns: Self.keys(keys, of: rows.columns[0]) + rows.columns.dropFirst(),
                        rowCount: rows.rowCount
                    ),
                    call: index,
                    worker
                )
            }
        }
        try begin()
        _ = use.set(0)
    }

    /// The keys of rows whose group numbers are known.
    private static func keys(_ keys: [Column], of groups: Column) -> [Column] {
        let flat = groups.flattened()
        guard !keys.isEmpty, case .fixed(let numbers) = flat.storage else { return [] }
        let source = numbers.pointer(as: Int64.self)
        let rows = Buffer(byteCount: flat.count * 4)
        let target = rows.mutable(as: Int32.self)
        for row in 0..<flat.count { target[row] = Int32(truncatingIfNeeded: source[row]) }
        return withExtendedLifetime((flat, rows)) {
            keys.map { Take.take($0, rows: UnsafePointer(target), count: flat.count) }
        }
    }

    // MARK: Rows

    private func taken(_ groups: Buffer, _ selection: Selection) -> Buffer {
        let result = Buffer(byteCount: selection.count * 4)
        let (source, target) = (groups.mutable(as: UInt32.self), result.mutable(as: UInt32.self))
        let rows = selection.rows
        for index in 0..<selection.count { target[index] = source[Int(rows[index])] }
        return result
    }

    private func update(_ index: Int, _ rows: Chunk, _ groups: Buffer?) throws {
        let count = rows.rowCount
        var column =
            try arguments[index]?.evaluate(rows) ?? .constant(.int32(1), .int32, count: count)
        if !otherNodes[index].isEmpty {
            let parts = try [column] + otherNodes[index].map { try $0.evaluate(rows) }
            column = Column(
                type: .structure(parts.enumerated().map { Field("\($0)", $1.type) }),
                count: count,
                validity: nil,
                storage: .structure(parts.map { $0.flattened() })
            )
        }
        let keys = try orderNodes[index].map { try $0.evaluate(rows) }
        if let pairs = distinct[index] {
            // Nulls do not count for any DISTINCT aggregate.
            var (values, numbers, keys) = (column, groups, keys)
            if column.hasNulls {
                let present = Filter.selection(NullTests.isNotNull(column))
                values = Take.take(column, present)
                numbers = groups.map { taken($0, present) }
                keys = keys.map { Take.take($0, present) }
            }
            let scratch = Buffer(byteCount: values.count * 4)
            try pairs.assign(
                [widened(numbers, values.count), values] + keys,
                count: values.count,
                into: scratch.mutable(as: UInt32.self)
            )
            return
        }
        if keepsRows[index] {
            ordered[index].append(
                Chunk(columns: [widened(groups, count), column] + keys, rowCount: count)
            )
            return
        }
        guard let accumulator = accumulators[index] else { return }
        guard let groups else {
            try accumulator.update(column: column)
            return
        }
        try accumulator.update(
            groups: UnsafePointer(groups.mutable(as: UInt32.self)),
            groupCount: groupCount,
            column: column,
            count: count
        )
        withExtendedLifetime(groups) {}
    }

    /// Group numbers as a column; all 0 without groups.
    private func widened(_ groups: Buffer?, _ count: Int) -> Column {
        let wide = Buffer(zeroedByteCount: count * 8)
        if let groups {
            let (source, target) = (groups.mutable(as: UInt32.self), wide.mutable(as: Int64.self))
            for row in 0..<count { target[row] = Int64(source[row]) }
        }
        withExtendedLifetime(groups) {}
        return Column(.int64, count: count, buffer: wide)
    }

    /// Group numbers of another worker as our own.
    private static func mapped(_ groups: Column, _ mapping: [UInt32]) -> Column {
        let moved = Buffer(byteCount: groups.count * 8)
        let target = moved.mutable(as: Int64.self)
        if case .fixed(let numbers) = groups.storage {
            let source = numbers.pointer(as: Int64.self)
            for row in 0..<groups.count { target[row] = Int64(mapping[Int(source[row])]) }
        }
        withExtendedLifetime(groups) {}
        return Column(.int64, count: groups.count, buffer: moved)
    }

    /// Adds another worker's groups to this one's.
    func merge(_ other: AggregateOperator) throws {
        var mapping: [UInt32] = [0]
        if let table, let otherTable = other.table {
            let count = otherTable.groupCount
            mapping = [UInt32](repeating: 0, count: count)
            let keys = otherTable.keys()
            try mapping.withUnsafeMutableBufferPointer { mapping in
                if let base = mapping.baseAddress {
                    try table.assign(keys, count: count, into: base)
                }
            }
        }
        for index in calls.indices {
            if let pairs = distinct[index], let otherPairs = other.distinct[index] {
                let keys = otherPairs.keys()
                let count = otherPairs.groupCount
                let scratch = Buffer(byteCount: count * 4)
                try pairs.assign(
                    [Self.mapped(keys[0], mapping)] + keys.dropFirst(),
                    count: count,
                    into: scratch.mutable(as: UInt32.self)
                )
                withExtendedLifetime(keys) {}
            } else if keepsRows[index] {
                for var chunk in other.ordered[index].chunks {
                    chunk.columns[0] = Self.mapped(chunk.columns[0], mapping)
                    ordered[index].append(chunk)
                }
            } else if let mine = accumulators[index], let theirs = other.accumulators[index] {
                try mine.merge(theirs, mapping: mapping, groupCount: groupCount)
                try Interruption.check()
            }
        }
    }

    /// One row a group: keys, then aggregates.
    func finish() throws -> Chunk {
        var columns = table?.keys() ?? []
        for index in calls.indices {
            if let pairs = distinct[index] {
                let rows = Chunk(columns: pairs.keys(), rowCount: pairs.groupCount)
                columns.append(try aggregated(rows, calls[index]))
            } else if keepsRows[index] {
                let types =
                    [DataType.int64, calls[index].argument?.type ?? .int32]
                    + calls[index].order.map(\.expression.type)
                let rows = try concatenated(ordered[index].chunks, types: types)
                columns.append(try aggregated(rows, calls[index]))
            } else if let accumulator = accumulators[index] {
                columns.append(try accumulator.finish(groupCount: groupCount))
            }
        }
        try Interruption.check()
        return Chunk(columns: columns, rowCount: groupCount)
    }

    /// An aggregate of rows of group, value and the keys of the call's order.
    private func aggregated(_ rows: Chunk, _ call: AggregateCall) throws -> Column {
        let accumulator = try call.makeAccumulator()
        var rows = rows
        if !call.order.isEmpty, rows.rowCount > 0 {
            let keys = SortKeys(
                Array(rows.columns.dropFirst(2)),
                call.order.map {
                    SortOrder(isDescending: $0.isDescending, nullsFirst: $0.nullsFirst)
                }
            )
            let sorted = keys.sorted()
            rows = Chunk(
                columns: rows.columns.prefix(2).map { Take.take($0, sorted) },
                rowCount: rows.rowCount
            )
        }
        let groups = Buffer(byteCount: rows.rowCount * 4)
        let target = groups.mutable(as: UInt32.self)
        let wide = rows.columns[0].flattened()
        if case .fixed(let numbers) = wide.storage {
            let source = numbers.pointer(as: Int64.self)
            for row in 0..<rows.rowCount { target[row] = UInt32(source[row]) }
        }
        try accumulator.update(
            groups: UnsafePointer(target),
            groupCount: groupCount,
            column: rows.columns[1],
            count: rows.rowCount
        )
        withExtendedLifetime((wide, groups)) {}
        let result = try accumulator.finish(groupCount: groupCount)
        try Interruption.check()
        return result
    }
}
