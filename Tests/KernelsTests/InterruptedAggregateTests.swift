import Columnar
import Kernels
import Testing

@Suite("Aggregates of very many groups")
struct InterruptedAggregateTests {
    /// Several times as many as are worked through between looks at whether they are wanted.
    private static let groupCount = 3 * Interruption.rowCount + 77

    /// A value for each group, null for some.
    private static func column(_ type: DataType) -> Column {
        Column(
            type,
            (0..<groupCount).map { group in
                if group % 10 == 3 { return .null }
                switch type {
                case .int32: return .int32(Int32(group))
                case .int64: return .int64(Int64(group) * 1_000_003)
                case .float64: return .float64(Double(group) / 2)
                case .boolean: return .boolean(group % 3 == 0)
                default: return .string(group % 2 == 0 ? "\(group)" : "the text of group \(group)")
                }
            }
        )
    }

    private static let cases: [(AggregateFunction, DataType)] = [
        (.countRows, .int32), (.count, .string), (.sum, .int32), (.sum, .int64),
        (.sum, .float64), (.average, .int64), (.average, .float64), (.minimum, .int32),
        (.maximum, .float64), (.minimum, .string), (.maximum, .boolean), (.booleanAnd, .boolean),
        (.anyValue, .string), (.varianceSample, .float64), (.deviationPopulation, .int32),
    ]

    private static func accumulator(
        _ function: AggregateFunction,
        _ column: Column
    ) throws -> GroupedAccumulator {
        let result = try GroupedAccumulator.make(function, input: column.type)
        let groups = (0..<UInt32(groupCount)).map { $0 }
        try result.update(
            groups: groups,
            groupCount: groupCount,
            column: column,
            count: groupCount
        )
        return result
    }

    /// What one group with one value gives.
    private static func wanted(_ function: AggregateFunction, _ value: Value) throws -> Value {
        let type: DataType =
            switch value {
            case .int32: .int32
            case .int64: .int64
            case .float64: .float64
            case .boolean: .boolean
            default: .string
            }
        return AggregateTests.model(function, [value], type)
    }

    @Test("are those of one group each, through states and merging", arguments: cases.indices)
    func agree(index: Int) throws {
        let (function, type) = Self.cases[index]
        let column = Self.column(type)
        let plain = try Self.accumulator(function, column).finish(groupCount: Self.groupCount)
        let states = try Self.accumulator(function, column).partials(groupCount: Self.groupCount)
        let restored = try GroupedAccumulator.make(function, input: type)
        try restored.restore(states, count: Self.groupCount)
        let merged = try GroupedAccumulator.make(function, input: type)
        // Backwards, so that groups change places.
        let last = UInt32(Self.groupCount - 1)
        try merged.merge(
            restored,
            mapping: (0...last).map { last - $0 },
            groupCount: Self.groupCount
        )
        let moved = try merged.finish(groupCount: Self.groupCount)
        var differing = 0
        for group in 0..<Self.groupCount {
            let wanted = try Self.wanted(function, column.value(at: group))
            if !AggregateTests.close(plain.value(at: group), wanted)
                || !AggregateTests.close(moved.value(at: Int(last) - group), wanted)
            {
                differing += 1
            }
        }
        #expect(differing == 0)
    }

    @Test("are left off midway when nobody wants them any more", arguments: cases.indices)
    func leftOff(index: Int) throws {
        let (function, type) = Self.cases[index]
        let column = Self.column(type)
        let flag = StopFlag()
        flag.set()
        try Interruption.watching(flag) {
            let other = try Self.accumulator(function, column)
            let merged = try GroupedAccumulator.make(function, input: type)
            try merged.merge(
                other,
                mapping: (0..<UInt32(Self.groupCount)).map { $0 },
                groupCount: Self.groupCount
            )
            // Whatever it holds may be read.
            let result = try merged.finish(groupCount: Self.groupCount)
            #expect(result.count == Self.groupCount)
            _ = result.value(at: Self.groupCount - 1)
            let states = try other.partials(groupCount: Self.groupCount)
            #expect(states.allSatisfy { $0.count == Self.groupCount })
            #expect(throws: CancellationError.self) { try Interruption.check() }
        }
    }

    @Test("few groups are never left off")
    func fewAreWhole() throws {
        let flag = StopFlag()
        flag.set()
        let sums = try Interruption.watching(flag) {
            let accumulator = try GroupedAccumulator.make(.sum, input: .int32)
            try accumulator.update(
                groups: [0, 1, 1],
                groupCount: 2,
                column: Column(.int32, [.int32(1), .int32(2), .int32(3)]),
                count: 3
            )
            return try accumulator.finish(groupCount: 2)
        }
        #expect(sums.values == [.decimal(1), .decimal(5)])
    }
}
