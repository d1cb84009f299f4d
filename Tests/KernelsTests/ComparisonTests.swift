import Columnar
import Kernels
import TestSupport
import Testing

@Suite("Comparison and logic")
struct ComparisonTests {
    @Test("compares as the model does, for all types, storages and operators", arguments: 0..<40)
    func compare(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for type in Random.types {
            let count = Random.count(using: &random)
            let a = Random.column(type, count: count, using: &random)
            let b = Random.column(type, count: count, using: &random)
            for op in ComparisonOperator.allCases {
                let result = try Comparison.compare(op, a, b)
                let wanted = zip(a.values, b.values).map { Model.compare(op, $0, $1) }
                #expect(result.type == .boolean)
                #expect(result.values == wanted, "\(type) \(op)")
            }
        }
    }

    @Test("between is the conjunction of its bounds", arguments: 0..<10)
    func between(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let columns = (0..<3).map { _ in Random.column(.int64, count: 100, using: &random) }
        let result = try Comparison.between(columns[0], columns[1], columns[2]).values
        for row in 0..<100 {
            let value = columns[0].values[row]
            let low = Model.compare(.greaterOrEqual, value, columns[1].values[row])
            let high = Model.compare(.lessOrEqual, value, columns[2].values[row])
            #expect(result[row] == Self.and(low, high))
        }
    }

    static func and(_ a: Value, _ b: Value) -> Value {
        if a == .boolean(false) || b == .boolean(false) { return .boolean(false) }
        return a.isNull || b.isNull ? .null : .boolean(true)
    }

    static func not(_ a: Value) -> Value {
        if case .boolean(let value) = a { return .boolean(!value) }
        return .null
    }

    @Test("AND, OR and NOT follow three-valued logic", arguments: 0..<20)
    func logic(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let count = Random.count(using: &random)
        let a = Random.column(.boolean, count: count, using: &random)
        let b = Random.column(.boolean, count: count, using: &random)
        let pairs = Array(zip(a.values, b.values))
        #expect(Logic.and(a, b).values == pairs.map { Self.and($0, $1) })
        let or = pairs.map { Self.not(Self.and(Self.not($0), Self.not($1))) }
        #expect(Logic.or(a, b).values == or)
        #expect(Logic.not(a).values == a.values.map { Self.not($0) })
        #expect(NullTests.isTrue(a).values == a.values.map { .boolean($0 == .boolean(true)) })
        #expect(NullTests.isFalse(a).values == a.values.map { .boolean($0 == .boolean(false)) })
        #expect(NullTests.isNull(a).values == a.values.map { .boolean($0.isNull) })
        #expect(NullTests.isNotNull(a).values == a.values.map { .boolean(!$0.isNull) })
    }

    @Test("IN finds members as a row-at-a-time search does, with SQL's nulls", arguments: 0..<20)
    func inSet(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for type in Random.flatTypes {
            for size in [0, 3, 40] {
                let members = (0..<size).map { _ in
                    seed % 2 == 0
                        ? Random.nullable(type, using: &random) : Random.value(type, using: &random)
                }
                let column = Random.column(
                    type,
                    count: Random.count(using: &random),
                    using: &random
                )
                let result = try InSet(Column(type, members)).contains(column)
                let wanted = column.values.map { value -> Value in
                    if value.isNull { return .null }
                    let found = members.contains { !$0.isNull && Model.order($0, value) == 0 }
                    if found { return .boolean(true) }
                    return members.contains(.null) ? .null : .boolean(false)
                }
                #expect(result.values == wanted, "\(type) \(size)")
            }
        }
    }

    @Test("selecting by a constant keeps exactly the rows where it is true", arguments: 0..<30)
    func select(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for type in Random.flatTypes {
            let count = max(1, Random.count(using: &random))
            let column = Random.column(type, count: count, using: &random)
            let constant = Random.value(type, using: &random)
            let within = (0..<Int32(count)).filter { _ in Bool.random(using: &random) }
            for op in ComparisonOperator.allCases {
                func wanted(_ rows: [Int32]) -> [Int32] {
                    rows.filter {
                        Model.compare(op, column.value(at: Int($0)), constant) == .boolean(true)
                    }
                }
                let side = Column.constant(constant, type, count: count)
                let all = try Filter.select(column, op, side)
                #expect(rows(all) == wanted((0..<Int32(count)).map { $0 }), "\(type) \(op)")
                let some = try Filter.select(column, op, side, within: Selection(within))
                #expect(rows(some) == wanted(within), "\(type) \(op)")
            }
        }
    }

    private func rows(_ selection: Selection) -> [Int32] {
        (0..<selection.count).map { selection.rows[$0] }
    }

    @Test("columns of different types are refused")
    func mismatch() {
        #expect(throws: KernelError.self) {
            try Comparison.compare(
                .equal,
                Column(.int32, [.int32(1)]),
                Column(.int64, [.int64(1)])
            )
        }
    }

    @Test("finds NaN and infinities")
    func special() {
        let column = Column(.float64, [.float64(.nan), .float64(-.infinity), .float64(1), .null])
        #expect(
            NullTests.isNaN(column).values == [
                .boolean(true), .boolean(false), .boolean(false), .null,
            ]
        )
        #expect(
            NullTests.isFinite(column).values == [
                .boolean(false), .boolean(false), .boolean(true), .null,
            ]
        )
    }
}

@Suite("Hashing")
struct HashingTests {
    @Test(
        "equal rows hash the same in every storage, different rows almost never",
        arguments: 0..<20
    )
    func hashes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for type in Random.types {
            let count = max(2, Random.count(using: &random))
            let columns = [
                Random.column(type, count: count, using: &random),
                Random.column(.int64, count: count, using: &random),
            ]
            let buffer = Hashing.hash(columns, count: count)
            let flat = Hashing.hash(
                columns.map { Column($0.type, $0.values) },
                count: count
            )
            let (hash, other) = (buffer.mutable(as: UInt64.self), flat.mutable(as: UInt64.self))
            let (x, y) = (columns[0].values, columns[1].values)
            for row in 0..<count {
                #expect(hash[row] == other[row], "\(type)")
                let next = Int.random(in: 0..<count, using: &random)
                let isEqual = Model.order(x[row], x[next]) == 0 && y[row] == y[next]
                #expect((hash[row] == hash[next]) == isEqual, "\(type) \(x[row]) \(x[next])")
            }
            withExtendedLifetime((buffer, flat)) {}
        }
    }

    @Test("numbers of different width hash alike")
    func widths() {
        func hash(_ type: DataType, _ value: Value) -> UInt64 {
            let buffer = Hashing.hash([Column(type, [value])], count: 1)
            return withExtendedLifetime(buffer) { buffer.mutable(as: UInt64.self)[0] }
        }
        for number in [Int32.min, -1, 0, 7, .max] {
            #expect(hash(.int32, .int32(number)) == hash(.int64, .int64(Int64(number))))
            #expect(
                hash(.decimal(precision: 18, scale: 0), .decimal(Int128(number)))
                    == hash(.decimal(precision: 38, scale: 0), .decimal(Int128(number)))
            )
        }
        #expect(hash(.float32, .float32(0.5)) == hash(.float64, .float64(0.5)))
    }

    @Test("low bits of consecutive numbers spread evenly")
    func spread() {
        let count = 1 << 16
        let column = Column(.int64, (0..<count).map { .int64(Int64($0) * 1024) })
        let buffer = Hashing.hash([column], count: count)
        let hash = buffer.mutable(as: UInt64.self)
        for shift in [0, 20, 48, 56] {
            var buckets = [Int](repeating: 0, count: 256)
            for row in 0..<count { buckets[Int(hash[row] >> UInt64(shift) & 255)] += 1 }
            // 256 expected in each, give or take 16 by chance.
            #expect(buckets.allSatisfy { $0 > 156 && $0 < 356 }, "bits from \(shift)")
        }
        withExtendedLifetime(buffer) {}
    }

    @Test("row equality agrees with the model, for grouping and for joins", arguments: 0..<20)
    func equality(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for type in Random.types {
            let (m, n) = (70, 33)
            let left = [
                Random.column(type, count: m, using: &random),
                Random.column(.boolean, count: m, using: &random),
            ]
            let right = [
                Random.column(type, count: n, using: &random),
                Random.column(.boolean, count: n, using: &random),
            ]
            let i = (0..<200).map { _ in Int32.random(in: 0..<Int32(m), using: &random) }
            let j = (0..<200).map { _ in Int32.random(in: 0..<Int32(n), using: &random) }
            for nullsEqual in [true, false] {
                let equality = RowEquality(left, right, nullsEqual: nullsEqual)
                var flags = [UInt8](repeating: 9, count: 200)
                equality.matches(i, j, count: 200, into: &flags)
                for index in 0..<200 {
                    let isEqual = zip(left, right).allSatisfy { a, b in
                        let (x, y) = (a.value(at: Int(i[index])), b.value(at: Int(j[index])))
                        if x.isNull && y.isNull { return nullsEqual }
                        return Model.order(x, y) == 0
                    }
                    #expect((flags[index] == 1) == isEqual, "\(type)")
                    #expect(equality.matches(Int(i[index]), Int(j[index])) == isEqual)
                }
            }
        }
    }

    @Test("texts made of the same words, once or twice, hash apart")
    func words() {
        var texts: [String] = []
        let words = [
            "ans ", "ins ", "are ", "quickly ", "slyly ", "ironic ", "rs ", "ts ", "haggle ",
        ]
        for first in words {
            for second in words {
                for third in words {
                    for fourth in ["", "quickly ", "slyly slyly ", "ironic "] {
                        for last in ["", "p", "pending p", "ironic "] {
                            texts.append(first + second + third + fourth + last)
                        }
                    }
                }
            }
        }
        let distinct = Array(Set(texts))
        let column = Column(.string, distinct.map { .string($0) })
        let buffer = Hashing.hash([column], count: distinct.count)
        let hashes = withExtendedLifetime(buffer) {
            Set((0..<distinct.count).map { buffer.mutable(as: UInt64.self)[$0] })
        }
        #expect(hashes.count == distinct.count)
    }
}
