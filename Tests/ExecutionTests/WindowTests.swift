import Ambient
import Columnar
import Execution
import Planner
import SQL
import TestSupport
import Testing

/// A row of the test table: partition, order, value.
private struct Row {
    var partition: Int
    var order: Int
    var value: Int?
}

@Suite("Window functions")
struct WindowTests {
    /// Rows in the order of the window; ties in the order of their numbers.
    private func table(_ random: inout SeededGenerator) -> [Row] {
        let count = Int.random(in: 0...60, using: &random)
        var rows: [Row] = []
        for _ in 0..<count {
            let isNull = Int.random(in: 0...4, using: &random) == 0
            rows.append(
                Row(
                    partition: Int.random(in: 0...3, using: &random),
                    order: Int.random(in: 0...9, using: &random),
                    value: isNull ? nil : Int.random(in: -50...50, using: &random)
                )
            )
        }
        return rows
    }

    /// The rows of a row's frame, by looking at every row of its partition.
    private func frame(
        _ sorted: [Int],
        _ rows: [Row],
        at place: Int,
        _ unit: String,
        _ start: Int?,
        _ end: Int?,
        _ exclusion: String
    ) -> [Int] {
        let own = rows[sorted[place]]
        let partition = sorted.indices.filter { rows[sorted[$0]].partition == own.partition }
        let orders = Array(Set(partition.map { rows[sorted[$0]].order })).sorted()
        func distance(_ other: Int) -> Int {
            switch unit {
            case "ROWS": return other - place
            case "RANGE": return rows[sorted[other]].order - own.order
            default:
                let (a, b) = (
                    orders.firstIndex(of: rows[sorted[other]].order),
                    orders.firstIndex(of: own.order)
                )
                return (a ?? 0) - (b ?? 0)
            }
        }
        return partition.filter { other in
            if let start, distance(other) < start { return false }
            if let end, distance(other) > end { return false }
            let isPeer = rows[sorted[other]].order == own.order
            switch exclusion {
            case "EXCLUDE CURRENT ROW": return other != place
            case "EXCLUDE GROUP": return !isPeer
            case "EXCLUDE TIES": return !isPeer || other == place
            default: return true
            }
        }.map { sorted[$0] }
    }

    private func bound(_ distance: Int?, isStart: Bool) -> String {
        switch distance {
        case nil: isStart ? "UNBOUNDED PRECEDING" : "UNBOUNDED FOLLOWING"
        case 0?: "CURRENT ROW"
        case let number? where number < 0: "\(-number) PRECEDING"
        case let number?: "\(number) FOLLOWING"
        }
    }

    @Test("aggregates over random frames are what looking at every row gives")
    func frames() async throws {
        for seed in 0..<150 {
            var random = SeededGenerator(seed: UInt64(seed))
            let rows = table(&random)
            if rows.isEmpty { continue }
            let unit = ["ROWS", "RANGE", "GROUPS"].randomElement(using: &random) ?? "ROWS"
            var start: Int? = Int.random(in: -4...3, using: &random)
            var end: Int? = Int.random(in: (start ?? 0)...5, using: &random)
            if Bool.random(using: &random), (end ?? 0) >= 0 { start = nil }
            if Int.random(in: 0...2, using: &random) == 0, (start ?? 0) <= 0 { end = nil }
            let exclusion =
                ["", "EXCLUDE CURRENT ROW", "EXCLUDE GROUP", "EXCLUDE TIES"]
                .randomElement(using: &random) ?? ""
            let values = rows.enumerated().map { number, row in
                "(\(number), \(row.partition), \(row.order), \(row.value.map(String.init) ?? "NULL"))"
            }.joined(separator: ", ")
            // Ties of ROWS are broken by the number, so that the order is known.
            let order = unit == "ROWS" ? "o, n" : "o"
            let window =
                "(PARTITION BY p ORDER BY \(order) \(unit) BETWEEN \(bound(start, isStart: true)) "
                + "AND \(bound(end, isStart: false)) \(exclusion))"
            let text =
                "SELECT n, count(v) OVER w, sum(v) OVER w, min(v) OVER w, max(v) OVER w, "
                + "count(*) FILTER (WHERE v > 0) OVER w FROM (VALUES \(values)) AS t(n, p, o, v) "
                + "WINDOW w AS \(window) ORDER BY n"
            // The peers of ROWS are those of all keys, which are no others.
            var known = rows
            let sorted = rows.indices.sorted {
                (rows[$0].partition, rows[$0].order, $0) < (rows[$1].partition, rows[$1].order, $1)
            }
            if unit == "ROWS" {
                for (place, number) in sorted.enumerated() { known[number].order = place }
            }
            let result = try await queryRows(text, threadCount: 1 + seed % 2)
            for (place, number) in sorted.enumerated() {
                let seen = frame(sorted, known, at: place, unit, start, end, exclusion)
                let present = seen.compactMap { rows[$0].value }
                let expected: [Value] = [
                    .int32(Int32(number)), .int64(Int64(present.count)),
                    present.isEmpty ? .null : .decimal(Int128(present.reduce(0, +))),
                    present.min().map { .int32(Int32($0)) } ?? .null,
                    present.max().map { .int32(Int32($0)) } ?? .null,
                    .int64(Int64(present.filter { $0 > 0 }.count)),
                ]
                #expect(result[number] == expected, "seed \(seed): \(text)")
            }
        }
    }

    @Test("a running sum over many rows takes no time that grows with their square")
    func runningSums() async throws {
        let values = (0..<20_000).map { "(\($0))" }.joined(separator: ", ")
        let rows = try await queryRows(
            "SELECT max(s), max(m) FROM (SELECT sum(n) OVER (ORDER BY n) AS s, "
                + "min(n) OVER (ORDER BY n ROWS BETWEEN 9000 PRECEDING AND 9000 FOLLOWING "
                + "EXCLUDE CURRENT ROW) AS m FROM (VALUES \(values)) AS t(n)) AS q"
        )
        #expect(rows == [[.decimal(199_990_000), .int32(10_999)]])
    }

    @Test("what a window keeps counts against the memory that a query may have")
    func memory() async throws {
        let values = (0..<5000).map { "(\($0))" }.joined(separator: ", ")
        await #expect(throws: ExecutionError.self) {
            try await queryRows(
                "SELECT sum(n) OVER (ORDER BY n) FROM (VALUES \(values)) AS t(n)",
                memory: MemoryBudget(limitBytes: 1 << 16)
            )
        }
    }

    @Test("sums beyond 38 digits are errors, not other numbers")
    func overflow() async throws {
        let nines = String(repeating: "9", count: 38)
        await #expect(throws: (any Error).self) {
            try await queryRows(
                "SELECT sum(n) OVER () FROM (VALUES (\(nines)), (\(nines))) AS t(n)"
            )
        }
    }

    @Test(
        "a frame cannot have a negative or an unknown distance",
        arguments: ["-1", "NULL", "x - 5"]
    )
    func distances(_ distance: String) async throws {
        await #expect(throws: (any Error).self) {
            try await queryRows(
                "SELECT sum(x) OVER (ORDER BY x ROWS \(distance) PRECEDING) FROM (VALUES (1), (2)) AS t(x)"
            )
        }
    }
}
