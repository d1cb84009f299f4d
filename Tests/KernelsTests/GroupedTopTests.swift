import Columnar
import Kernels
import TestSupport
import Testing

@Suite("GroupedTop")
struct GroupedTopTests {
    /// One run: batches of random keys and groups, and which rows were kept of them in the end.
    private struct Run {
        var groups: [Int] = []
        var keys: [[Value]]
        var kept: [Int] = []
    }

    private func run(
        _ types: [DataType],
        _ orders: [SortOrder],
        limit: Int,
        keepsEqual: Bool,
        using random: inout SeededGenerator
    ) -> Run {
        let top = GroupedTop(types: types, orders: orders, limit: limit, keepsEqual: keepsEqual)
        var run = Run(keys: types.map { _ in [] })
        var batches: [(ranks: Buffer, count: Int)] = []
        var rows: [[Int]] = []
        func drop() {
            let retained = top.retained(batches)
            batches = []
            var left: [[Int]] = []
            for (old, (selection, ranks, count)) in zip(rows, retained) {
                batches.append((ranks, count))
                left.append(
                    selection.map { some in (0..<count).map { old[Int(some.rows[$0])] } } ?? old
                )
            }
            rows = left
        }
        let groupCount = Int.random(in: 1...5, using: &random)
        var knownCount = 1
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let count = Random.count(using: &random)
            let columns = types.map { Random.column($0, count: count, using: &random) }
            let numbers = (0..<count).map { _ in
                UInt32.random(in: 0..<UInt32(groupCount), using: &random)
            }
            knownCount = max(knownCount, 1 + Int(numbers.max() ?? 0))
            let (selection, ranks) = numbers.withUnsafeBufferPointer {
                top.select(
                    columns,
                    groups: $0.baseAddress,
                    groupCount: knownCount,
                    count: count
                )
            }
            let start = run.groups.count
            let chosen = selection.map { some in
                (0..<some.count).map { start + Int(some.rows[$0]) }
            }
            rows.append(chosen ?? Array(start..<start + count))
            batches.append((ranks, rows.last?.count ?? 0))
            run.groups += numbers.map { Int($0) }
            for (index, column) in columns.enumerated() { run.keys[index] += column.values }
            if Bool.random(using: &random) { drop() }
        }
        drop()
        run.kept = rows.flatMap { $0 }
        return run
    }

    private func randomOrders(
        _ count: Int,
        using random: inout SeededGenerator
    ) -> [SortOrder] {
        (0..<count).map { _ in
            SortOrder(
                isDescending: Bool.random(using: &random),
                nullsFirst: Bool.random(using: &random)
            )
        }
    }

    private func compare(_ run: Run, _ orders: [SortOrder], _ a: Int, _ b: Int) -> Int {
        for (column, order) in zip(run.keys, orders) {
            let (x, y) = (column[a], column[b])
            if x.isNull || y.isNull {
                if x.isNull && y.isNull { continue }
                return x.isNull == order.nullsFirst ? -1 : 1
            }
            let sign = Model.order(x, y)
            if sign != 0 { return order.isDescending ? -sign : sign }
        }
        return 0
    }

    /// The first rows of each group, in the order in which they came.
    private func wanted(
        _ run: Run,
        _ orders: [SortOrder],
        limit: Int,
        keepsEqual: Bool
    ) -> [Int] {
        var result: [Int] = []
        for group in Set(run.groups) {
            let rows = run.groups.indices.filter { run.groups[$0] == group }.sorted {
                let order = compare(run, orders, $0, $1)
                return order == 0 ? $0 < $1 : order < 0
            }
            result += rows.prefix(limit)
            if keepsEqual, rows.count > limit {
                let last = rows[limit - 1]
                result += rows.dropFirst(limit).filter { compare(run, orders, $0, last) == 0 }
            }
        }
        return result.sorted()
    }

    @Test("keeps just the first rows of each group by one key of up to 64 bits", arguments: 0..<40)
    func exact(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for type in Random.flatTypes where type.physical != .view && type.physical != .int128 {
            for keepsEqual in [false, true] {
                let orders = randomOrders(1, using: &random)
                let limit = [1, 2, 3, 10].randomElement(using: &random) ?? 1
                let run = run(
                    [type],
                    orders,
                    limit: limit,
                    keepsEqual: keepsEqual,
                    using: &random
                )
                #expect(
                    run.kept == wanted(run, orders, limit: limit, keepsEqual: keepsEqual),
                    "\(type), \(orders), \(limit), \(keepsEqual)"
                )
            }
        }
    }

    @Test("never drops one of the first rows of a group, by any keys", arguments: 0..<20)
    func any(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for type in Random.types {
            let types = [type, Random.types.randomElement(using: &random) ?? type, .int64]
                .prefix(Int.random(in: 1...3, using: &random))
            let orders = randomOrders(types.count, using: &random)
            let limit = [1, 2, 5].randomElement(using: &random) ?? 1
            let keepsEqual = Bool.random(using: &random)
            let run = run(
                Array(types),
                orders,
                limit: limit,
                keepsEqual: keepsEqual,
                using: &random
            )
            #expect(run.kept == run.kept.sorted())
            let wanted = wanted(run, orders, limit: limit, keepsEqual: keepsEqual)
            #expect(Set(wanted).isSubset(of: run.kept), "\(types), \(orders), \(limit)")
        }
    }

    @Test("keeps the rows of a group that come first where nothing orders them")
    func unordered() {
        var random = SeededGenerator(seed: 3)
        for limit in [1, 2, 100] {
            let run = run([], [], limit: limit, keepsEqual: false, using: &random)
            #expect(run.kept == wanted(run, [], limit: limit, keepsEqual: false))
        }
    }
}

@Suite("Sorting of many rows")
struct LargeSortTests {
    @Test("puts them in order and leaves equal ones as they were", arguments: 0..<4)
    func order(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let count = 70_000
        func values(_ make: (inout SeededGenerator) -> Value) -> [Value] {
            (0..<count).map { _ in
                Int.random(in: 0..<50, using: &random) == 0 ? .null : make(&random)
            }
        }
        let columns = [
            Column(.int32, values { .int32(Int32.random(in: 0...300, using: &$0)) }),
            Column(.int64, values { .int64(Int64.random(in: .min ... .max, using: &$0)) }),
            Column(
                .float64,
                values { random in
                    let kind = Int.random(in: 0..<20, using: &random)
                    return .float64(
                        kind == 0
                            ? .nan
                            : kind == 1
                                ? -0.0 : Double(Int.random(in: -9000...9000, using: &random)) / 7
                    )
                }
            ),
            Column(
                .string,
                values { random in
                    let number = Int.random(in: 0..<400, using: &random)
                    return .string(number % 3 == 0 ? "of one beginning \(number)" : "s\(number)")
                }
            ),
        ]
        for index in columns.indices {
            let keys = [columns[index], columns[Int.random(in: 0..<4, using: &random)]]
            let orders = keys.map { _ in
                SortOrder(
                    isDescending: Bool.random(using: &random),
                    nullsFirst: Bool.random(using: &random)
                )
            }
            for used in 1...2 {
                let (some, their) = (Array(keys.prefix(used)), Array(orders.prefix(used)))
                let sorted = SortKeys(some, their).sorted()
                let comparator = RowComparator(some, some, their)
                var seen = [Bool](repeating: false, count: count)
                var wrong = 0
                for place in 0..<count {
                    let row = Int(sorted.rows[place])
                    seen[row] = true
                    if place == 0 { continue }
                    let before = Int(sorted.rows[place - 1])
                    let order = comparator.compare(before, row)
                    if order > 0 || order == 0 && before > row { wrong += 1 }
                }
                #expect(wrong == 0, "\(some.map(\.type)) \(their)")
                #expect(seen.allSatisfy { $0 })
            }
        }
    }
}
