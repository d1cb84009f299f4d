import Ambient
import Columnar
import Execution
import Kernels
import Planner
import SQL
import TestSupport
import Testing

/// Tables of random rows, in batches.
private struct RandomTables: ScanProvider {
    static let rowCount = 12_000
    static let batchCount = 12

    let tables: [(name: String, schema: Schema, batches: [[Column]])]

    /// Values that adding up in any order gives the same bits for.
    init(seed: UInt64) {
        var random = RandomColumns(seed: seed)
        func column(_ type: DataType, _ value: (inout SeededGenerator) -> Value) -> Column {
            Column(
                type,
                (0..<Self.rowCount / Self.batchCount).map { _ in value(&random.random) }
            )
        }
        func key(_ most: Int32, heavy: Int) -> (inout SeededGenerator) -> Value {
            { random in
                switch Int.random(in: 0..<100, using: &random) {
                case 0..<4: .null
                case 4..<4 + heavy: .int32(7)
                default: .int32(Int32.random(in: 0..<most, using: &random))
                }
            }
        }
        func number(_ random: inout SeededGenerator) -> Value {
            switch Int.random(in: 0..<40, using: &random) {
            case 0: .null
            case 1: .float64(-0.0)
            default: .float64(Double(Int.random(in: -999...999, using: &random)) / 4)
            }
        }
        func text(_ random: inout SeededGenerator) -> Value {
            let number = Int.random(in: 0..<3000, using: &random)
            if number % 17 == 0 { return .null }
            return .string(
                number % 5 == 0
                    ? "" : number % 2 == 0 ? "s\(number)" : "a rather long text \(number)"
            )
        }
        var made: [(String, Schema, [[Column]])] = []
        for (name, most, heavy, count) in [
            ("t", Int32(4000), 5, Self.batchCount), ("u", 5000, 60, 4), ("v", 3000, 1, 1),
        ] {
            var batches: [[Column]] = []
            for batch in 0..<count {
                var next = Int32(batch * 100_000)
                let nan = column(.float64) { random in
                    Int.random(in: 0..<20, using: &random) == 0
                        ? .float64(.nan)
                        : .float64(Double(Int.random(in: 0..<30, using: &random)))
                }
                batches.append([
                    column(.int32) { _ in
                        next += 1
                        return .int32(next)
                    },
                    column(.int32, key(most, heavy: heavy)),
                    column(.string, text),
                    column(.float64, number),
                    nan,
                    column(.decimal(precision: 30, scale: 2)) {
                        .decimal(Int128(Int.random(in: -5000...5000, using: &$0)))
                    },
                    column(.boolean) {
                        let one = Int.random(in: 0..<5, using: &$0)
                        return one == 0 ? .null : .boolean(one < 3)
                    },
                    column(.list(Field("element", .string))) { random in
                        .list(
                            (0..<Int.random(in: 0..<3, using: &random)).map { _ in
                                text(&random)
                            }
                        )
                    },
                ])
            }
            made.append((name, Self.schema, batches))
        }
        tables = made
    }

    static let schema = Schema([
        Field("i", .int32), Field("k", .int32), Field("s", .string), Field("d", .float64),
        Field("n", .float64), Field("m", .decimal(precision: 30, scale: 2)),
        Field("b", .boolean), Field("l", .list(Field("element", .string))),
    ])

    func open(_ request: ScanRequest) throws -> any ScanSource {
        Source(batches: tables[request.table.sourceID].batches, positions: request.positions)
    }

    private final class Source: ScanSource {
        let batches: [[Column]]
        let positions: [Int]

        init(batches: [[Column]], positions: [Int]) {
            self.batches = batches
            self.positions = positions
        }

        var morselCount: Int { batches.count }

        func morsel(_ index: Int) throws -> any Morsel {
            Batch(positions.map { batches[index][$0] }, batches[index][0].count)
        }
    }

    private final class Batch: Morsel {
        let columns: [Column]
        let rowCount: Int
        var isRead = false

        init(_ columns: [Column], _ rowCount: Int) {
            self.columns = columns
            self.rowCount = rowCount
        }

        func advance() throws -> Int {
            defer { isRead = true }
            return isRead ? 0 : rowCount
        }

        func read(_ column: Int) throws -> Column { columns[column] }

        func read(_ column: Int, _ selection: Selection) throws -> Column {
            Take.take(columns[column], selection)
        }
    }

    /// The rows of a query, and how many bytes went to disk.
    func rows(
        _ text: String,
        threadCount: Int,
        budget: MemoryBudget,
        folder: String = SpillArea.systemFolder
    ) async throws -> (rows: [[Value]], spilledByteCount: Int) {
        var named: [String: SourceTable] = [:]
        for (index, table) in tables.enumerated() {
            named[table.name] = SourceTable(sourceID: index, name: table.name, schema: table.schema)
        }
        let spills = SpillArea(folder: folder)
        let rows = try await queryRows(
            text,
            tables: named,
            provider: self,
            threadCount: threadCount,
            memory: budget,
            spills: spills
        )
        return (rows, spills.writtenByteCount)
    }
}

/// Whether two results have the same rows, in any order; floats may differ by what another order of
/// additions makes of them.
private func isSame(_ left: [[Value]], _ right: [[Value]], isOrdered: Bool) -> Bool {
    func key(_ row: [Value]) -> (exact: String, floats: String) {
        var (exact, floats) = ("", "")
        for value in row {
            if case .float64 = value { floats += "\(value)|" } else { exact += "\(value)|" }
        }
        return (exact, floats)
    }
    func sorted(_ rows: [[Value]]) -> [[Value]] {
        rows.map { (key($0), $0) }
            .sorted { ($0.0.exact, $0.0.floats) < ($1.0.exact, $1.0.floats) }
            .map(\.1)
    }
    guard left.count == right.count else { return false }
    let pairs = isOrdered ? zip(left, right) : zip(sorted(left), sorted(right))
    return pairs.allSatisfy { a, b in
        a.count == b.count
            && zip(a, b).allSatisfy { x, y in
                guard case .float64(let p) = x, case .float64(let q) = y else { return x == y }
                if p.isNaN || q.isNaN { return p.isNaN && q.isNaN }
                return p == q || abs(p - q) <= 1e-7 * max(1, abs(p), abs(q))
            }
    }
}

@Suite("Queries that do not fit into memory")
struct SpilledQueryTests {
    private static let tables = RandomTables(seed: 1)

    /// All memory is free again, at the latest when the query's last thread has let go of it.
    private func expectGivenBack(_ budget: MemoryBudget) async {
        let until = ContinuousClock.now + .seconds(300)
        while budget.usedBytes > 0, ContinuousClock.now < until { await Task.yield() }
        #expect(budget.usedBytes == 0)
    }

    /// In 1 MB, on one thread and two, the rows are those of a query that has all the memory.
    private func expectSame(
        _ query: String,
        isOrdered: Bool = false,
        memoryBytes: Int = 1_000_000
    ) async throws {
        for threadCount in [1, 2] {
            let whole = try await Self.tables.rows(
                query,
                threadCount: threadCount,
                budget: MemoryBudget(limitBytes: 4 << 30)
            )
            let budget = MemoryBudget(limitBytes: memoryBytes)
            let spilled = try await Self.tables.rows(
                query,
                threadCount: threadCount,
                budget: budget
            )
            await expectGivenBack(budget)
            #expect(whole.spilledByteCount == 0)
            #expect(spilled.spilledByteCount > 0, "\(query)")
            #expect(whole.rows.count == spilled.rows.count)
            #expect(isSame(whole.rows, spilled.rows, isOrdered: isOrdered), "\(query)")
        }
    }

    @Test(
        "aggregate as they do in memory",
        arguments: [
            "SELECT k, count(*), count(d), sum(d), avg(d), min(d), max(d), sum(m), avg(m) FROM t GROUP BY k",
            "SELECT k, min(s), max(s), min(n), max(n), min(m), max(b), bool_and(b), bool_or(b) FROM t GROUP BY k",
            "SELECT k, stddev(d), var_pop(d), var_samp(m), stddev_pop(n) FROM t GROUP BY k",
            "SELECT k, corr(d, m), covar_pop(d, m), covar_samp(d, i) FROM t GROUP BY k",
            "SELECT k, median(d), quantile_cont(d, 0.3), quantile_disc(s, 0.7), mode(b) FROM t GROUP BY k",
            "SELECT k, bit_and(i), bit_or(i), bit_xor(i), product(d) FROM t GROUP BY k",
            "SELECT s, n, k, count(*), sum(i) FROM t GROUP BY s, n, k",
            "SELECT i % 9000, any_value(i), count(*) FILTER (WHERE b) FROM t GROUP BY ALL",
            "SELECT k, first(s ORDER BY i), last(s ORDER BY i DESC), string_agg(s, ',' ORDER BY s, i) FROM t GROUP BY k",
            "SELECT first(s ORDER BY i), string_agg(s, ',' ORDER BY d DESC, i) FROM t WHERE i < 300000",
            "SELECT l, count(*), min(i) FROM t GROUP BY l",
        ]
    )
    func aggregates(query: String) async throws {
        try await expectSame(query)
    }

    @Test(
        "tell values apart as they do in memory",
        arguments: [
            "SELECT count(DISTINCT i), sum(DISTINCT k), count(DISTINCT s), count(DISTINCT n), count(*) FROM t",
            "SELECT k, count(DISTINCT i), avg(DISTINCT d), count(DISTINCT s) FILTER (WHERE b), sum(d) FROM t GROUP BY k",
            "SELECT b, count(DISTINCT i), string_agg(DISTINCT s, ',' ORDER BY s) FROM t GROUP BY b",
            "SELECT DISTINCT k, s, d FROM t",
            "SELECT DISTINCT l, s FROM t",
            "SELECT k, s FROM t UNION SELECT k, s FROM u",
            "SELECT k, n FROM t INTERSECT SELECT k, n FROM u",
            "SELECT k, s FROM t EXCEPT SELECT k, s FROM u",
            "SELECT k, b FROM t EXCEPT ALL SELECT k, b FROM u",
            "SELECT s, n FROM t INTERSECT ALL SELECT s, n FROM u",
        ]
    )
    func distinct(query: String) async throws {
        try await expectSame(query)
    }

    @Test(
        "join as they do in memory",
        arguments: [
            "SELECT v.i, u.i, u.s, u.l FROM v JOIN u ON v.k = u.k",
            "SELECT v.i, u.i, u.s FROM v LEFT JOIN u ON v.k = u.k AND u.d > v.d",
            "SELECT v.i, t.i, v.s, t.s FROM v RIGHT JOIN t ON v.k = t.k",
            "SELECT t.i, u.i, u.s FROM (SELECT * FROM t WHERE k <> 7 OR k IS NULL) t FULL JOIN (SELECT * FROM u WHERE k <> 7 OR k IS NULL OR d > 50) u ON t.k = u.k",
            "SELECT v.i, u.i FROM v FULL JOIN u ON v.k = u.k AND v.b",
            "SELECT t.i, u.i FROM t JOIN u ON t.s = u.s AND t.n = u.n",
            "SELECT t.i, u.i FROM t LEFT JOIN u ON t.n IS NOT DISTINCT FROM u.n AND t.k = u.k AND t.k <> 7",
            "SELECT i FROM t WHERE k IN (SELECT k FROM u)",
            "SELECT i FROM t WHERE k NOT IN (SELECT k FROM u)",
            "SELECT i FROM t WHERE k NOT IN (SELECT k FROM u WHERE k IS NOT NULL)",
            "SELECT i FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND u.d > t.d)",
            "SELECT i FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.s = t.s)",
            "SELECT i, k IN (SELECT k FROM u) FROM t",
            "SELECT i, k IN (SELECT k FROM u WHERE k IS NOT NULL) FROM t",
            "SELECT i, s IN (SELECT s FROM u), EXISTS (SELECT 1 FROM u WHERE u.k = t.k) OR b FROM t",
            "SELECT i, (SELECT count(*) FROM u WHERE u.k = t.k), (SELECT max(u.s) FROM u WHERE u.n = t.n) FROM t",
            "SELECT i, (SELECT u.s FROM u WHERE u.i = t.i) FROM t",
            "SELECT v.i, t.i FROM v LEFT JOIN t ON v.i > t.i + 995",
            "SELECT i, d > ALL (SELECT d FROM u WHERE u.k = t.k), d < ANY (SELECT d FROM u WHERE u.k = t.k AND u.k <> 7) FROM t",
            "SELECT count(*), sum(u.d) FROM t, u, v WHERE t.k = u.k AND u.i = v.i AND t.k <> 7",
        ]
    )
    func joins(query: String) async throws {
        // A few hundred kilobytes: the right sides are no larger.
        try await expectSame(query, memoryBytes: 1 << 18)
    }

    @Test(
        "join rows of one heavy key a part at a time",
        arguments: [
            "SELECT v.i, u.i FROM v JOIN u ON v.k = u.k AND u.k = 7",
            "SELECT w.i, u.i FROM (SELECT i, 7 + i * 0 AS k, d FROM v) w LEFT JOIN u ON w.k = u.k AND u.d = w.d",
            "SELECT w.i, u.i FROM (SELECT i, 7 + i * 0 AS k, d FROM v) w FULL JOIN u ON w.k = u.k AND u.d = w.d",
            "SELECT w.i FROM (SELECT i, 7 + i * 0 AS k, d FROM v) w WHERE NOT EXISTS (SELECT 1 FROM u WHERE w.k = u.k AND u.d = w.d)",
            "SELECT w.i, w.k IN (SELECT u.k FROM u WHERE u.d < w.d) FROM (SELECT i, 7 + i * 0 AS k, d FROM v) w",
            "SELECT w.i, d > ALL (SELECT d FROM u WHERE u.k = w.k) FROM (SELECT i, 7 + i * 0 AS k, d FROM v) w",
        ]
    )
    func heavyKeys(query: String) async throws {
        try await expectSame(query, memoryBytes: 1 << 16)
    }

    @Test(
        "are sorted as in memory",
        arguments: [
            "SELECT i, s, d FROM t ORDER BY s, i",
            "SELECT i, n, l FROM t ORDER BY n DESC NULLS FIRST, k, i",
            "SELECT k, b, i FROM t ORDER BY b NULLS FIRST, k DESC, i LIMIT 9000",
            "SELECT i, m FROM t ORDER BY m, i OFFSET 100",
            "SELECT i, s FROM t ORDER BY s DESC, i LIMIT 5000 OFFSET 4000",
        ]
    )
    func sorts(query: String) async throws {
        try await expectSame(query, isOrdered: true, memoryBytes: 1 << 19)
    }

    @Test(
        "see windows as in memory",
        arguments: [
            "SELECT i, row_number() OVER (PARTITION BY k ORDER BY i), sum(d) OVER (PARTITION BY k ORDER BY i) FROM t",
            "SELECT i, lag(s, 2) OVER (PARTITION BY n ORDER BY i), ntile(4) OVER (PARTITION BY n ORDER BY i) FROM t",
            "SELECT i, avg(m) OVER (PARTITION BY k ORDER BY i ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING), rank() OVER (PARTITION BY k ORDER BY d) FROM t",
            "SELECT i, count(*) OVER (PARTITION BY s) FROM t",
        ]
    )
    func windows(query: String) async throws {
        try await expectSame(query, memoryBytes: 1 << 20)
    }

    @Test(
        "keep the first rows of each partition as in memory, and as a filter of the whole window does",
        arguments: [
            ("i, s, l", "row_number() OVER (PARTITION BY k ORDER BY d DESC, s)", 2, true),
            ("i, n, s", "row_number() OVER (PARTITION BY s, k ORDER BY i DESC)", 1, true),
            ("i, s", "row_number() OVER (PARTITION BY k)", 3, true),
            ("i, l", "row_number() OVER (PARTITION BY k ORDER BY l, i)", 2, false),
            ("i, s, m", "rank() OVER (PARTITION BY n ORDER BY m NULLS FIRST)", 200, true),
            ("i, s, l", "rank() OVER (ORDER BY s)", 5000, false),
            ("i, s, l", "row_number() OVER (ORDER BY m DESC, i)", 5000, false),
        ]
    )
    func partitionLimits(
        columns: String,
        call: String,
        count: Int,
        spills: Bool
    ) async throws {
        func query(_ condition: String) -> String {
            "SELECT * FROM (SELECT \(columns), \(call) AS r FROM t) AS q WHERE \(condition)"
        }
        // A partition alone must fit, of those rows that are kept.
        if spills { try await expectSame(query("r <= \(count)"), memoryBytes: 1 << 18) }
        for threadCount in [1, 2, 3] {
            let limited = try await Self.tables.rows(
                query("r <= \(count)"),
                threadCount: threadCount,
                budget: MemoryBudget(limitBytes: 4 << 30)
            )
            let whole = try await Self.tables.rows(
                query("r + 0 <= \(count)"),
                threadCount: threadCount,
                budget: MemoryBudget(limitBytes: 4 << 30)
            )
            #expect(limited.rows.count > 0)
            #expect(isSame(limited.rows, whole.rows, isOrdered: false), "\(call)")
        }
    }

    @Test(
        "share plans as in memory",
        arguments: [
            "WITH c AS MATERIALIZED (SELECT k, s, count(*) AS n FROM t GROUP BY k, s) SELECT a.k, a.s, a.n, b.n FROM c a JOIN c b ON a.k = b.k AND a.s = b.s WHERE a.n < (SELECT max(n) FROM c)"
        ]
    )
    func shared(query: String) async throws {
        try await expectSame(query)
    }

    @Test("side by side share a budget and all end")
    func concurrent() async throws {
        let tables = Self.tables
        let query =
            "SELECT t.k, t.s, count(*), sum(u.d) FROM t JOIN u ON t.s = u.s GROUP BY t.k, t.s"
        let expected = try await tables.rows(
            query,
            threadCount: 1,
            budget: MemoryBudget(limitBytes: 4 << 30)
        ).rows.count
        let budget = MemoryBudget(limitBytes: 1 << 20)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    try await tables.rows(query, threadCount: 2, budget: budget).rows.count
                }
            }
            for try await count in group { #expect(count == expected) }
        }
        await expectGivenBack(budget)
    }

    @Test("end with a clear error where the temporary folder cannot be written to")
    func noFolder() async throws {
        let error = await #expect(throws: ExecutionError.self) {
            _ = try await Self.tables.rows(
                "SELECT i, count(*) FROM t GROUP BY i",
                threadCount: 2,
                budget: MemoryBudget(limitBytes: 1 << 18),
                folder: "/nowhere/at/all"
            )
        }
        #expect(error?.code == .temporaryStorage)
        #expect(error?.message.contains("/nowhere/at/all") == true)
    }

    @Test("end with a clear error where one group alone does not fit")
    func hugeGroup() async throws {
        let error = await #expect(throws: ExecutionError.self) {
            _ = try await Self.tables.rows(
                "SELECT string_agg(s || i || 'and much more of the same, so that all of it together is longer than what a state may grow to', ',' ORDER BY i) FROM t",
                threadCount: 1,
                budget: MemoryBudget(limitBytes: 1 << 16)
            )
        }
        #expect(error?.code == .outOfMemory, "\(String(describing: error))")
    }
}
