import Ambient
import Columnar
import Execution
import Glibc
import Kernels
import Planner
import SQL
import Synchronization
import Testing

/// Rows whose keys come twice each, far apart, in an order that looks like chance: so many that tables of
/// groups grow where they are.
private final class ManyKeys: ScanProvider {
    static let keyCount = 3 << 19
    static let batchRowCount = 8192
    static let batchCount = 2 * keyCount / batchRowCount
    static let schema = Schema([
        Field("k", .int64), Field("s", .string), Field("n", .int64), Field("t", .string),
        Field("b", .boolean),
    ])

    /// Called when a batch's first column is read: by then it is too late to leave the batch out.
    private let onRead: @Sendable (_ batch: Int) -> Void

    init(onRead: @escaping @Sendable (_ batch: Int) -> Void = { _ in }) {
        self.onRead = onRead
    }

    func open(_ request: ScanRequest) throws -> any ScanSource {
        Source(self, request.positions)
    }

    private final class Source: ScanSource {
        let keys: ManyKeys
        let positions: [Int]

        init(_ keys: ManyKeys, _ positions: [Int]) {
            self.keys = keys
            self.positions = positions
        }

        var morselCount: Int { ManyKeys.batchCount }

        func morsel(_ index: Int) throws -> any Morsel { Batch(keys, index, positions) }
    }

    private final class Batch: Morsel {
        let keys: ManyKeys
        let index: Int
        let positions: [Int]
        var isRead = false
        var wasTold = false

        init(_ keys: ManyKeys, _ index: Int, _ positions: [Int]) {
            self.keys = keys
            self.index = index
            self.positions = positions
        }

        func advance() throws -> Int {
            defer { isRead = true }
            return isRead ? 0 : ManyKeys.batchRowCount
        }

        func read(_ column: Int) throws -> Column {
            if !wasTold {
                wasTold = true
                keys.onRead(index)
            }
            return ManyKeys.column(positions[column], index)
        }

        func read(_ column: Int, _ selection: Selection) throws -> Column {
            Take.take(try read(column), selection)
        }
    }

    /// The key of a row; the factor has no divisor in common with their count, so that all come.
    static func key(_ row: Int) -> Int { row &* 1_000_003 % keyCount }

    private static func column(_ position: Int, _ batch: Int) -> Column {
        let rows = batch * batchRowCount..<(batch + 1) * batchRowCount
        let name = schema.fields[position].name
        // Each thousandth row has no key.
        let isNullable = name == "n" || name == "t"
        var valid: Bitmap?
        if isNullable { valid = Bitmap(rows.map { $0 % 1000 != 0 }) }
        if name == "b" { return Column(bits: Bitmap(rows.map { key($0) % 2 == 0 })) }
        if name == "k" || name == "n" {
            let buffer = Buffer(byteCount: batchRowCount * 8)
            let target = buffer.mutable(as: Int64.self)
            for (place, row) in rows.enumerated() { target[place] = Int64(key(row)) }
            return Column(.int64, count: batchRowCount, validity: valid, buffer: buffer)
        }
        // A letter and nineteen digits.
        let bytes = Buffer(byteCount: batchRowCount * 20)
        let views = Buffer(byteCount: batchRowCount * 16)
        let target = views.mutable(as: StringView.self)
        for (place, row) in rows.enumerated() {
            let start = bytes.mutable(as: UInt8.self) + place * 20
            var rest = key(row)
            start[0] = 120
            for digit in stride(from: 19, to: 0, by: -1) {
                start[digit] = UInt8(48 + rest % 10)
                rest /= 10
            }
            target[place] = StringView(UnsafePointer(start), count: 20)
        }
        return Column(
            type: .string,
            count: batchRowCount,
            validity: valid,
            storage: .views(BufferSlice(views), owners: BufferOwners([bytes]))
        )
    }

    /// The rows of a query.
    func rows(
        _ text: String,
        threadCount: Int,
        budget: MemoryBudget = MemoryBudget(limitBytes: 8 << 30)
    ) async throws -> [[Value]] {
        try await queryRows(
            text,
            tables: ["t": SourceTable(sourceID: 0, name: "t", schema: Self.schema)],
            provider: self,
            threadCount: threadCount,
            memory: budget
        )
    }
}

/// A task that its own work may cancel.
private final class Canceller: Sendable {
    private let task = Mutex<Task<[[Value]], any Error>?>(nil)

    func set(_ task: Task<[[Value]], any Error>) { self.task.withLock { $0 = task } }

    /// Waits until the task is known.
    func cancel() {
        while true {
            if let task = task.withLock({ $0 }) {
                task.cancel()
                return
            }
            sched_yield()
        }
    }
}

/// A whole number, of whatever type.
private func number(_ value: Value) -> Int? {
    switch value {
    case .int64(let number): Int(number)
    case .decimal(let digits): Int(exactly: digits)
    default: nil
    }
}

@Suite("Groups by the million")
struct LargeGroupsTests {
    /// Rows without a key, in columns that have such.
    private static let nullCount = (2 * ManyKeys.keyCount + 999) / 1000

    @Test(
        "are each found again",
        arguments: ["k", "s", "k, s", "b, k"],
        [1, 2]
    )
    func found(keys: String, threadCount: Int) async throws {
        let rows = try await ManyKeys().rows(
            "SELECT count(*), sum(c), min(c), max(c) FROM (SELECT \(keys), count(*) c FROM t GROUP BY \(keys))",
            threadCount: threadCount
        )
        #expect(rows.count == 1)
        #expect(rows.first?.map(number) == [ManyKeys.keyCount, 2 * ManyKeys.keyCount, 2, 2])
    }

    @Test("are each found again among rows without a key", arguments: ["n", "t"], [1, 2])
    func foundAmongNulls(key: String, threadCount: Int) async throws {
        let rows = try await ManyKeys().rows(
            "SELECT count(\(key)), count(*), sum(c), max(c) FROM (SELECT \(key), count(*) c FROM t GROUP BY 1)",
            threadCount: threadCount
        )
        // A key is there unless both of its rows have none.
        var present = [Bool](repeating: false, count: ManyKeys.keyCount)
        for row in 0..<2 * ManyKeys.keyCount where row % 1000 != 0 {
            present[ManyKeys.key(row)] = true
        }
        let count = present.count { $0 }
        #expect(
            rows.first?.map(number) == [count, count + 1, 2 * ManyKeys.keyCount, Self.nullCount]
        )
    }

    /// One thread's table of 2^20 slots, the first that grows where it is, is half full with the 64th
    /// batch, the next one with the 128th.
    @Test(
        "that nobody wants any more are left midway, and their memory is given back",
        arguments: [0, 31, 62, 63, 64, 65, 126, 127, 128, 129, 191, 192, 300, 383],
        [1, 2]
    )
    func leftMidway(batch: Int, threadCount: Int) async throws {
        for query in [
            "SELECT s, count(*) c, min(s) FROM t GROUP BY s ORDER BY c DESC LIMIT 3",
            "SELECT k, count(*) c, sum(k) FROM t GROUP BY k ORDER BY c DESC LIMIT 3",
            "SELECT count(DISTINCT k), count(DISTINCT s) FROM t",
        ] {
            let budget = MemoryBudget(limitBytes: 8 << 30)
            let canceller = Canceller()
            let keys = ManyKeys { if $0 == batch { canceller.cancel() } }
            let task = Task { try await keys.rows(query, threadCount: threadCount, budget: budget) }
            canceller.set(task)
            await #expect(throws: CancellationError.self) { try await task.value }
            // What was left behind is freed by another thread, and counts until then.
            let until = ContinuousClock.now + .seconds(300)
            while budget.usedBytes > 0, ContinuousClock.now < until { await Task.yield() }
            #expect(budget.usedBytes == 0)
        }
    }
}
