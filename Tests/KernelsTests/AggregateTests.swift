import Columnar
import Kernels
import TestSupport
import Testing

@Suite("Aggregates")
struct AggregateTests {
    /// The answer for one group's values, in the order they came.
    static func model(_ function: AggregateFunction, _ values: [Value], _ type: DataType) -> Value {
        let present = values.filter { !$0.isNull }
        func doubles() -> [Double] {
            present.map { value in
                switch value {
                case .float32(let number): return Double(number)
                case .float64(let number): return number
                default:
                    let scale = DecimalRules.digits(type)?.scale ?? 0
                    let unit = (0..<scale).reduce(1.0) { unit, _ in unit * 10 }
                    return Double(ArithmeticTests.number(value) ?? 0) / unit
                }
            }
        }
        switch function {
        case .countRows: return .int64(Int64(values.count))
        case .count: return .int64(Int64(present.count))
        case .list: return values.isEmpty ? .null : .list(values)
        case .first: return values.first ?? .null
        case .last: return values.last ?? .null
        default: break
        }
        guard let first = present.first else { return .null }
        switch function {
        case .anyValue: return first
        case .minimum:
            return present.dropFirst().reduce(first) { Model.order($1, $0) < 0 ? $1 : $0 }
        case .maximum:
            return present.dropFirst().reduce(first) { Model.order($1, $0) > 0 ? $1 : $0 }
        case .booleanAnd: return .boolean(present.allSatisfy { $0 == .boolean(true) })
        case .booleanOr: return .boolean(present.contains(.boolean(true)))
        case .sum:
            if type.isFloating { return .float64(doubles().reduce(0, +)) }
            return .decimal(present.reduce(0) { $0 + (ArithmeticTests.number($1) ?? 0) })
        case .average: return .float64(doubles().reduce(0, +) / Double(present.count))
        case .median:
            let sorted = doubles().sorted { $1.isNaN ? !$0.isNaN : $0 < $1 }
            let middle = sorted.count / 2
            return .float64(
                sorted.count % 2 == 1
                    ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
            )
        default:
            let isSample = function == .varianceSample || function == .deviationSample
            let numbers = doubles()
            if isSample && numbers.count < 2 { return .null }
            let mean = numbers.reduce(0, +) / Double(numbers.count)
            let squares = numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            let variance = squares / Double(numbers.count - (isSample ? 1 : 0))
            let isRoot = function == .deviationSample || function == .deviationPopulation
            return .float64(isRoot ? variance.squareRoot() : variance)
        }
    }

    static func close(_ a: Value, _ b: Value) -> Bool {
        if case .float64(let x) = a, case .float64(let y) = b {
            return x.isNaN ? y.isNaN : x == y || abs(x - y) <= 1e-9 * max(1, abs(x), abs(y))
        }
        if case .list(let x) = a, case .list(let y) = b { return Model.same(x, y) }
        return Model.same(a, b) || (!a.isNull && !b.isNull && Model.order(a, b) == 0)
    }

    /// Types whose random values stay inside sums of 128 bits and finite doubles.
    static func values(
        _ function: AggregateFunction,
        _ type: DataType,
        _ random: inout SeededGenerator
    ) -> Column {
        let column = Random.column(type, count: Random.count(using: &random), using: &random)
        let needsNumbers: Set<AggregateFunction> = [
            .sum, .average, .varianceSample, .variancePopulation, .deviationSample,
            .deviationPopulation, .median,
        ]
        guard needsNumbers.contains(function) else { return column }
        return Column(
            type,
            column.values.map { value in
                switch value {
                case .float32(let number): abs(number) < 100 ? value : .float32(1)
                case .float64(let number): abs(number) < 100 ? value : .float64(1)
                case .decimal(let digits):
                    digits.magnitude < 1_000_000_000_000 ? value : .decimal(5)
                case .int64(let number):
                    function == .sum || abs(Double(number)) < 1e9 ? value : .int64(9)
                case .int32(let number):
                    function == .sum || abs(Double(number)) < 1e6 ? value : .int32(9)
                default: value
                }
            }
        )
    }

    @Test(
        "agree with the model over batches, merged and without groups",
        arguments: AggregateFunction.allCases,
        0..<4
    )
    func agree(function: AggregateFunction, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for type in Random.types {
            guard (try? function.resultType(type)) != nil, type != .boolean || function != .sum
            else { continue }
            let left = try GroupedAccumulator.make(function, input: type)
            let right = try GroupedAccumulator.make(function, input: type)
            let single = try GroupedAccumulator.make(function, input: type)
            var groups = [[Value]](repeating: [], count: 7)
            var other = [[Value]](repeating: [], count: 5)
            var all: [Value] = []
            for batch in 0..<6 {
                let column = Self.values(function, type, &random)
                let toLeft = batch < 3
                let ids = (0..<column.count).map { _ in
                    UInt32.random(in: 0..<(toLeft ? 6 : 5), using: &random)
                }
                let target = toLeft ? left : right
                try target.update(
                    groups: ids,
                    groupCount: toLeft ? 7 : 5,
                    column: column,
                    count: column.count
                )
                try single.update(column: column)
                for (row, value) in column.values.enumerated() {
                    if toLeft {
                        groups[Int(ids[row])].append(value)
                    } else {
                        other[Int(ids[row])].append(value)
                    }
                    all.append(value)
                }
            }
            let mapping: [UInt32] = [6, 1, 8, 0, 7]
            groups += [[], []]
            for (group, values) in other.enumerated() {
                groups[Int(mapping[group])] += values
            }
            try left.merge(right, mapping: mapping, groupCount: 9)
            let result = try left.finish(groupCount: 9)
            #expect(result.type == (try function.resultType(type)))
            for (group, values) in groups.enumerated() {
                let wanted = Self.model(function, values, type)
                let got = result.value(at: group)
                #expect(Self.close(got, wanted), "\(function) \(type): \(got), not \(wanted)")
            }
            let total = try single.finish(groupCount: 1).value(at: 0)
            let wanted = Self.model(function, all, type)
            #expect(Self.close(total, wanted), "\(function) \(type): \(total), not \(wanted)")
            #expect(left.byteCount >= 0)
        }
    }

    @Test("sums that pass the result's type are an error")
    func overflow() throws {
        let big = Column(.int64, [.int64(.max), .int64(1)])
        let narrow = try GroupedAccumulator.make(.sum, input: .int64, result: .int64)
        try narrow.update(column: big)
        #expect(throws: KernelError.self) { try narrow.finish(groupCount: 1) }
        let wide = try GroupedAccumulator.make(.sum, input: .int64)
        try wide.update(column: big)
        #expect(
            try wide.finish(groupCount: 1).values == [.decimal(Int128(Int64.max) + 1)]
        )
        let type = DataType.decimal(precision: 38, scale: 0)
        let nines = Int128("99999999999999999999999999999999999999") ?? 0
        let most = try GroupedAccumulator.make(.sum, input: type)
        try most.update(column: Column(type, [.decimal(nines)]))
        #expect(throws: KernelError.self) {
            try most.update(column: Column(type, [.decimal(nines)]))
            _ = try most.finish(groupCount: 1)
        }
    }

    @Test("quantiles and joined texts of groups")
    func quantiles() throws {
        let column = Column(.int32, [.int32(4), .int32(1), .null, .int32(3), .int32(2)])
        let groups: [UInt32] = [0, 0, 1, 0, 0]
        let continuous = try GroupedAccumulator.quantile(0.25, isContinuous: true, input: .int32)
        let discrete = try GroupedAccumulator.quantile(0.25, isContinuous: false, input: .int32)
        for accumulator in [continuous, discrete] {
            try accumulator.update(groups: groups, groupCount: 2, column: column, count: 5)
        }
        #expect(try continuous.finish(groupCount: 2).values == [.float64(1.75), .null])
        #expect(try discrete.finish(groupCount: 2).values == [.int32(1), .null])
        let joined = GroupedAccumulator.joinedText(separator: ", ")
        let texts = try Casting.cast(column, to: .string)
        try joined.update(groups: groups, groupCount: 2, column: texts, count: 5)
        #expect(try joined.finish(groupCount: 2).values == [.string("4, 1, 3, 2"), .null])
        #expect(throws: KernelError.self) {
            try GroupedAccumulator.quantile(1.5, isContinuous: true, input: .int32)
        }
    }

    @Test("text extremes survive many replacements of long texts")
    func textGarbage() throws {
        let accumulator = try GroupedAccumulator.make(.maximum, input: .string)
        for batch in 0..<60 {
            let texts = (0..<50).map { index -> Value in
                .string(String(repeating: "x", count: 900) + "\(1000 + batch * 50 + index)")
            }
            try accumulator.update(column: Column(.string, texts))
        }
        #expect(accumulator.byteCount < 4 << 20)
        let result = try accumulator.finish(groupCount: 1).value(at: 0)
        #expect(result == .string(String(repeating: "x", count: 900) + "3999"))
    }
}

@Suite("Sorting")
struct SortingTests {
    @Test("sorts stably by several columns as the model does", arguments: 0..<40)
    func sort(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for type in Random.types {
            let count = Random.count(using: &random)
            let other = Random.flatTypes.randomElement(using: &random) ?? .int32
            let columns = [
                Random.column(type, count: count, using: &random),
                Random.column(other, count: count, using: &random),
                Random.column(.string, count: count, using: &random),
            ]
            let orders = columns.map { _ in
                SortOrder(
                    isDescending: Bool.random(using: &random),
                    nullsFirst: Bool.random(using: &random)
                )
            }
            let used = Int.random(in: 1...3, using: &random)
            let values = columns.prefix(used).map(\.values)
            func order(_ a: Int, _ b: Int) -> Int {
                for (column, order) in zip(values, orders) {
                    let (x, y) = (column[a], column[b])
                    if x.isNull || y.isNull {
                        if x.isNull && y.isNull { continue }
                        return x.isNull == order.nullsFirst ? -1 : 1
                    }
                    let sign = Model.order(x, y)
                    if sign != 0 { return order.isDescending ? -sign : sign }
                }
                return a - b
            }
            let wanted = (0..<count).sorted { order($0, $1) < 0 }
            let keys = SortKeys(Array(columns.prefix(used)), Array(orders.prefix(used)))
            let sorted = keys.sorted()
            let got = (0..<sorted.count).map { Int(sorted.rows[$0]) }
            #expect(got == wanted, "\(type), \(other), \(orders.prefix(used))")
            for limit in [0, 1, 5, 40, count] {
                let top = keys.top(limit)
                let first = (0..<top.count).map { Int(top.rows[$0]) }
                #expect(first == Array(wanted.prefix(limit)), "top \(limit)")
            }
            let comparator = RowComparator(
                Array(columns.prefix(used)),
                Array(columns.prefix(used)),
                Array(orders.prefix(used))
            )
            for _ in 0..<20 where count > 0 {
                let (i, j) = (
                    Int.random(in: 0..<count, using: &random),
                    Int.random(in: 0..<count, using: &random)
                )
                let sign = comparator.compare(i, j)
                #expect(sign == 0 || (sign < 0) == (order(i, j) < 0))
            }
        }
    }

    @Test("merging two sorted runs gives the whole in order", arguments: 0..<10)
    func merge(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let orders = [SortOrder(isDescending: true)]
        let runs = (0..<2).map { _ -> Column in
            let column = Random.column(.string, count: 70, using: &random)
            return Take.take(column, SortKeys([column], orders).sorted())
        }
        let merged = SortMerge.merge(
            [runs[0]],
            [runs[1]],
            orders,
            leftCount: 70,
            rightCount: 70
        )
        let whole = Concatenate.concatenate(runs)
        let direct = SortKeys([whole], orders).sorted()
        #expect(
            (0..<140).map { merged.rows[$0] } == (0..<140).map { direct.rows[$0] }
        )
        let boundaries = RowComparator.boundaries([runs[0]], count: 70)
        let values = runs[0].values
        for row in 0..<70 {
            #expect(boundaries[row] == (row == 0 || values[row] != values[row - 1]))
        }
    }
}
