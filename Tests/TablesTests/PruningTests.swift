import Columnar
import Iceberg
import ObjectStorage
import Testing
import TestSupport

import Tables

@Suite("Pruning")
struct PruningTests {
    private static let columns: [(Field, [Value])] = [
        (Field("i", .int32), (-20..<20).map { .int32($0) }),
        (
            Field("f", .float64),
            (-10..<10).map { .float64(Double($0) / 2) } + [.float64(.nan), .float64(-0.0)]
        ),
        (
            Field("s", .string),
            ["", "a", "ab", "abc", "b", "ba", "é", "long text beyond sixteen characters"].map {
                .string($0)
            }
        ),
        (Field("t", .timestamp), (-20..<20).map { .timestamp($0 * 40_000_000_000) }),
        (
            Field("dec", .decimal(precision: 9, scale: 2)),
            (-5..<5).map { .decimal(Int128($0) * 37) }
        ),
    ]

    /// Whether a row matches, by the words of `TablePredicate`; nil is SQL's unknown.
    private func matches(_ predicate: TablePredicate, _ row: [Value]) -> Bool? {
        switch predicate {
        case .always: return true
        case .never: return false
        case .unknown: return nil
        case .and(let parts):
            let all = parts.map { matches($0, row) }
            return all.contains(false) ? false : all.contains(nil) ? nil : true
        case .or(let parts):
            let all = parts.map { matches($0, row) }
            return all.contains(true) ? true : all.contains(nil) ? nil : false
        case .not(let part): return matches(part, row).map { !$0 }
        case .isNull(let id): return row[id - 1].isNull
        case .isNotNull(let id): return !row[id - 1].isNull
        case .startsWith(let id, let prefix):
            guard case .string(let text) = row[id - 1] else { return nil }
            return text.utf8.starts(with: prefix.utf8)
        case .isIn(let id, let values):
            if row[id - 1].isNull { return nil }
            if values.contains(where: { !$0.isNull && compare(row[id - 1], $0) == 0 }) {
                return true
            }
            return values.contains(.null) ? nil : false
        case .compare(let id, let comparison, let value):
            if row[id - 1].isNull || value.isNull { return nil }
            let order = compare(row[id - 1], value)
            switch comparison {
            case .equal: return order == 0
            case .notEqual: return order != 0
            case .less: return order < 0
            case .lessOrEqual: return order <= 0
            case .greater: return order > 0
            case .greaterOrEqual: return order >= 0
            }
        }
    }

    private func compare(_ a: Value, _ b: Value) -> Int {
        switch (a, b) {
        case (.int32(let a), .int32(let b)): return a < b ? -1 : a > b ? 1 : 0
        case (.timestamp(let a), .timestamp(let b)): return a < b ? -1 : a > b ? 1 : 0
        case (.decimal(let a), .decimal(let b)): return a < b ? -1 : a > b ? 1 : 0
        case (.float64(let a), .float64(let b)):
            if a.isNaN || b.isNaN { return a.isNaN ? (b.isNaN ? 0 : 1) : -1 }
            return a < b ? -1 : a > b ? 1 : 0
        case (.string(let a), .string(let b)):
            if a.utf8.elementsEqual(b.utf8) { return 0 }
            return a.utf8.lexicographicallyPrecedes(b.utf8) ? -1 : 1
        default: return 0
        }
    }

    private func randomPredicate(depth: Int, _ random: inout SeededGenerator) -> TablePredicate {
        let column = Int.random(in: 0..<Self.columns.count, using: &random)
        let id = column + 1
        func value() -> Value { Self.columns[column].1.randomElement(using: &random) ?? .null }
        switch Int.random(in: 0..<(depth > 0 ? 10 : 7), using: &random) {
        case 0: return .isNull(id)
        case 1: return .isNotNull(id)
        case 2: return .isIn(id, [value(), value(), Bool.random(using: &random) ? .null : value()])
        case 3:
            return .startsWith(3, ["", "a", "ab", "z", "é"].randomElement(using: &random) ?? "")
        case 7:
            return .and((0..<2).map { _ in randomPredicate(depth: depth - 1, &random) })
        case 8: return .or((0..<2).map { _ in randomPredicate(depth: depth - 1, &random) })
        case 9: return .not(randomPredicate(depth: depth - 1, &random))
        default:
            let all: [TablePredicate.Comparison] = [
                .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual,
            ]
            return .compare(id, all.randomElement(using: &random) ?? .equal, value())
        }
    }

    @Test("no row that matches is ever left out, and whole matches are whole", arguments: 0..<6)
    func soundness(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let schema = Columnar.Schema(Self.columns.map(\.0))
        let specs: [UnboundPartitionSpec?] = [
            nil,
            .init(fields: [
                .init(sourceIDs: [1], name: "i_bucket", transform: .bucket(count: 4)),
                .init(sourceIDs: [4], name: "t_day", transform: .day),
            ]),
            .init(fields: [
                .init(sourceIDs: [1], name: "i_trunc", transform: .truncate(width: 7)),
                .init(sourceIDs: [3], name: "s_trunc", transform: .truncate(width: 1)),
            ]),
        ]
        var table = try TestTable(
            MemoryStore(),
            columns: schema,
            spec: specs[Int(seed) % 3],
            properties: ["write.parquet.row-group-size-bytes": "2000"]
        )
        for part in 0..<4 {
            // Each file sees a part of the values only, so that there is something to leave out.
            let some = Self.columns.map { field, values in
                (
                    field,
                    Array(values.dropFirst(part * values.count / 5).prefix(values.count / 3 + 1))
                )
            }
            let rows = randomRows(some, count: 200, nulls: part == 2 ? 0 : 0.1, &random)
            try await table.append([batch(schema, rows)])
        }
        let reader = try TableReader(table.metadata, storage: table.storage)
        let all = try await table.read()
        var prunedCount = 0
        for _ in 0..<120 {
            let predicate = randomPredicate(depth: 3, &random)
            let meter = ScanMeter()
            let seen = try await table.read(predicate, meter: meter)
            prunedCount += meter.current.filesPruned + meter.current.rowGroupsPruned
            func matching(_ rows: [[Value]]) -> [String: Int] {
                counted(rows.filter { matches(predicate, $0) == true })
            }
            #expect(matching(seen) == matching(all), "\(predicate)")
            var plan = try await reader.plan(predicate)
            plan.files = reader.classify(plan).whole
            if plan.files.isEmpty { continue }
            let whole = try await FetchService.withFetchService { [plan] service in
                try await plannedRows(reader, plan, service)
            }
            #expect(whole.allSatisfy { matches(predicate, $0) == true }, "\(predicate)")
        }
        #expect(prunedCount > 100)
    }

    @Test("bounds over files are those of the values")
    func bounds() async throws {
        let schema = Columnar.Schema([Field("a", .int64), Field("d", .float64), Field("n", .int32)])
        var table = try TestTable(MemoryStore(), columns: schema)
        try await table.append([
            batch(schema, [[.int64(5), .float64(.nan), .null], [.null, .float64(2), .null]])
        ])
        try await table.append([batch(schema, [[.int64(-3), .float64(-1), .null]])])
        let reader = try TableReader(table.metadata, storage: table.storage)
        let plan = try await reader.plan()
        let bounds = reader.bounds(plan, fieldIDs: [1, 2, 3])
        #expect(bounds[1]?.lower == .int64(-3))
        #expect(bounds[1]?.upper == .int64(5))
        #expect(bounds[1]?.nullCount == 1)
        #expect(bounds[2]?.lower == .float64(-1))
        #expect(bounds[2]?.upper == .float64(2))
        #expect(bounds[3]?.nullCount == 3)
        #expect(bounds[3]?.lower == .null)
    }
}
