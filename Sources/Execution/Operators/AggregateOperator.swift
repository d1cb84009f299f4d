import Columnar
import Kernels
import Planner

/// One worker's groups and the states of their aggregates.
final class AggregateOperator: PushOperator {
    private let groupNodes: [ExpressionNode]
    private let calls: [AggregateCall]
    private let arguments: [ExpressionNode?]
    private let filters: [Predicate?]
    let table: GroupTable?
    /// Nil for DISTINCT calls, which go through `distinct` first.
    private(set) var accumulators: [GroupedAccumulator?] = []
    /// Per DISTINCT call the pairs of group and value met so far.
    private var distinct: [GroupTable?] = []
    private let memory: QueryMemory
    private var reportedBytes = 0

    init(groups: [BoundExpression], calls: [AggregateCall], memory: QueryMemory) throws {
        let compiler = ExpressionCompiler()
        groupNodes = try groups.map { try compiler.compile($0) }
        self.calls = calls
        self.memory = memory
        arguments = try calls.map { try $0.argument.map { try compiler.compile($0) } }
        filters = try calls.map { try $0.filter.map { try Predicate([$0]) } }
        table = groups.isEmpty ? nil : GroupTable(types: groups.map(\.type))
        for call in calls {
            if call.isDistinct, let argument = call.argument {
                accumulators.append(nil)
                distinct.append(GroupTable(types: [.int64, argument.type]))
            } else {
                accumulators.append(try call.makeAccumulator())
                distinct.append(nil)
            }
        }
    }

    var groupCount: Int { table?.groupCount ?? 1 }

    override func push(_ chunk: Chunk) throws -> Bool {
        let count = chunk.rowCount
        var groupBuffer: Buffer?
        if let table {
            let buffer = Buffer(byteCount: count * 4)
            var keys: [Column] = []
            for node in groupNodes { keys.append(try node.evaluate(chunk)) }
            table.assign(keys, count: count, into: buffer.mutable(as: UInt32.self))
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
        let bytes =
            (table?.byteCount ?? 0) + accumulators.reduce(0) { $0 + ($1?.byteCount ?? 0) }
            + distinct.reduce(0) { $0 + ($1?.byteCount ?? 0) }
        if bytes > reportedBytes {
            try memory.add(bytes - reportedBytes)
            reportedBytes = bytes
        }
        return true
    }

    private func taken(_ groups: Buffer, _ selection: Selection) -> Buffer {
        let result = Buffer(byteCount: selection.count * 4)
        let (source, target) = (groups.mutable(as: UInt32.self), result.mutable(as: UInt32.self))
        let rows = selection.rows
        for index in 0..<selection.count { target[index] = source[Int(rows[index])] }
        return result
    }

    private func update(_ index: Int, _ rows: Chunk, _ groups: Buffer?) throws {
        let count = rows.rowCount
        let column =
            try arguments[index]?.evaluate(rows) ?? .constant(.int32(1), .int32, count: count)
        if let pairs = distinct[index] {
            // Nulls do not count for any DISTINCT aggregate.
            var (values, numbers) = (column, groups)
            if column.hasNulls {
                let present = Filter.selection(NullTests.isNotNull(column))
                values = Take.take(column, present)
                numbers = groups.map { taken($0, present) }
            }
            let wide = Buffer(zeroedByteCount: values.count * 8)
            if let numbers {
                let (source, target) = (
                    numbers.mutable(as: UInt32.self), wide.mutable(as: Int64.self)
                )
                for row in 0..<values.count { target[row] = Int64(source[row]) }
            }
            let scratch = Buffer(byteCount: values.count * 4)
            pairs.assign(
                [Column(.int64, count: values.count, buffer: wide), values],
                count: values.count,
                into: scratch.mutable(as: UInt32.self)
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

    /// Adds another worker's groups to this one's.
    func merge(_ other: AggregateOperator) throws {
        var mapping: [UInt32] = [0]
        if let table, let otherTable = other.table {
            let count = otherTable.groupCount
            mapping = [UInt32](repeating: 0, count: count)
            let keys = otherTable.keys()
            mapping.withUnsafeMutableBufferPointer { mapping in
                if let base = mapping.baseAddress {
                    table.assign(keys, count: count, into: base)
                }
            }
        }
        for index in calls.indices {
            if let pairs = distinct[index], let otherPairs = other.distinct[index] {
                let keys = otherPairs.keys()
                let count = otherPairs.groupCount
                let moved = Buffer(byteCount: count * 8)
                let target = moved.mutable(as: Int64.self)
                guard case .fixed(let groups) = keys[0].storage else { continue }
                let source = groups.pointer(as: Int64.self)
                for row in 0..<count { target[row] = Int64(mapping[Int(source[row])]) }
                let scratch = Buffer(byteCount: count * 4)
                pairs.assign(
                    [Column(.int64, count: count, buffer: moved), keys[1]],
                    count: count,
                    into: scratch.mutable(as: UInt32.self)
                )
                withExtendedLifetime(keys) {}
            } else if let mine = accumulators[index], let theirs = other.accumulators[index] {
                try mine.merge(theirs, mapping: mapping, groupCount: groupCount)
            }
        }
    }

    /// One row a group: keys, then aggregates.
    func finish() throws -> Chunk {
        var columns = table?.keys() ?? []
        for index in calls.indices {
            if let pairs = distinct[index] {
                let accumulator = try calls[index].makeAccumulator()
                let keys = pairs.keys()
                let count = pairs.groupCount
                let groups = Buffer(byteCount: count * 4)
                let target = groups.mutable(as: UInt32.self)
                if case .fixed(let numbers) = keys[0].storage {
                    let source = numbers.pointer(as: Int64.self)
                    for row in 0..<count { target[row] = UInt32(source[row]) }
                }
                try accumulator.update(
                    groups: UnsafePointer(target),
                    groupCount: groupCount,
                    column: keys[1],
                    count: count
                )
                withExtendedLifetime((keys, groups)) {}
                columns.append(try accumulator.finish(groupCount: groupCount))
            } else if let accumulator = accumulators[index] {
                columns.append(try accumulator.finish(groupCount: groupCount))
            }
        }
        return Chunk(columns: columns, rowCount: groupCount)
    }
}

extension AggregateCall {
    fileprivate func makeAccumulator() throws -> GroupedAccumulator {
        let kernel: Kernels.AggregateFunction
        switch function {
        case .countStar: kernel = .countRows
        case .count: kernel = .count
        case .sum: kernel = .sum
        case .avg: kernel = .average
        case .min: kernel = .minimum
        case .max: kernel = .maximum
        case .anyValue: kernel = .anyValue
        case .boolAnd: kernel = .booleanAnd
        case .boolOr: kernel = .booleanOr
        case .stddevSample: kernel = .deviationSample
        case .stddevPopulation: kernel = .deviationPopulation
        case .varianceSample: kernel = .varianceSample
        case .variancePopulation: kernel = .variancePopulation
        }
        return try GroupedAccumulator.make(
            kernel,
            input: argument?.type ?? .int32,
            result: type
        )
    }
}
