import Bytes
import Columnar
import Kernels
import TestSupport
import Testing

/// Columns for tests of nested values.
private enum Sample {
    static let integers = DataType.list(Field("element", .int32))

    static func list(_ values: [Int32?]) -> Value {
        .list(values.map { $0.map { .int32($0) } ?? .null })
    }

    /// Random lists with nulls at both levels, as a slice of a longer column at times.
    static func lists(using random: inout SeededGenerator) -> Column {
        let count = Int.random(in: 1...70, using: &random)
        let values: [Value] = (0..<count + 3).map { _ in
            if Int.random(in: 0..<6, using: &random) == 0 { return .null }
            let length = Int.random(in: 0...5, using: &random)
            return list(
                (0..<length).map { _ in
                    let number = Int32.random(in: -3...3, using: &random)
                    return number == -3 ? nil : number
                }
            )
        }
        let column = Column(integers, values)
        return Bool.random(using: &random) ? column.slice(2..<count + 2) : column
    }

    static func elements(_ value: Value) -> [Value] {
        if case .list(let elements) = value { return elements }
        return []
    }
}

@Suite("List kernels")
struct ListKernelTests {
    @Test("give what a model of one row gives, for random lists", arguments: 0..<60)
    func models(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let column = Sample.lists(using: &random)
        let packed = try Lists.packed(column)
        #expect(packed.values == column.values)
        let reversed = try Lists.reversed(column)
        let sorted = try Lists.sorted(column, SortOrder(isDescending: false, nullsFirst: false))
        let distinct = try Lists.distinct(column, withNull: true)
        let lengths = Lists.lengths(column)
        for (row, value) in column.values.enumerated() {
            guard case .list(let elements) = value else {
                #expect(reversed.isNull(row) && sorted.isNull(row) && lengths.isNull(row))
                continue
            }
            #expect(reversed.value(at: row) == .list(elements.reversed()))
            #expect(lengths.value(at: row) == .int64(Int64(elements.count)))
            var seen: [Value] = []
            for element in elements where !seen.contains(element) { seen.append(element) }
            #expect(distinct.value(at: row) == .list(seen))
            let known = elements.compactMap { value -> Int32? in
                if case .int32(let number) = value { return number }
                return nil
            }
            let nulls = [Value](repeating: .null, count: elements.count - known.count)
            #expect(sorted.value(at: row) == .list(known.sorted().map { .int32($0) } + nulls))
        }
    }

    @Test("find elements and values of sets, for random lists", arguments: 0..<60)
    func searching(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let a = Sample.lists(using: &random)
        let b = Column(
            Sample.integers,
            (0..<a.count).map { _ in
                Sample.list([Int32.random(in: -2...2, using: &random), nil])
            }
        )
        let wanted = Column(.int32, (0..<a.count).map { .int32(Int32($0 % 5) - 2) })
        let found = Lists.position(a, of: wanted)
        let any = Lists.has(a, all: false, of: b)
        let both = try Lists.intersection(a, b)
        let joined = try Lists.concatenate([a, b], type: Sample.integers)
        for row in 0..<a.count {
            let elements = Sample.elements(a.value(at: row))
            let others = Sample.elements(b.value(at: row)).filter { !$0.isNull }
            let place = elements.firstIndex(of: wanted.value(at: row))
            #expect(found.value(at: row) == (place.map { .int32(Int32($0 + 1)) } ?? .null))
            #expect(
                joined.value(at: row) == .list(elements + Sample.elements(b.value(at: row)))
            )
            guard !a.isNull(row) else { continue }
            let hasAny = elements.contains { others.contains($0) }
            #expect(any.value(at: row) == .boolean(hasAny))
            #expect(both.value(at: row) == .list(hasAny ? others : []))
        }
    }

    @Test("slice as SQL counts places")
    func slices() throws {
        let column = Column(Sample.integers, [Sample.list([1, 2, 3, 4, 5])])
        func slice(_ lower: Int64?, _ upper: Int64?, _ step: Int64? = nil) throws -> [Value] {
            func bound(_ value: Int64?) -> Column? { value.map { Column(.int64, [.int64($0)]) } }
            let bounds = SliceBounds(lower: bound(lower), upper: bound(upper), step: bound(step))
            return Sample.elements(try Lists.slice(column, bounds).value(at: 0))
        }
        #expect(try slice(2, 3) == [.int32(2), .int32(3)])
        #expect(try slice(-2, nil) == [.int32(4), .int32(5)])
        #expect(try slice(nil, -4) == [.int32(1), .int32(2)])
        #expect(try slice(4, 2) == [])
        #expect(try slice(5, 1, -2) == [.int32(5), .int32(3), .int32(1)])
        #expect(try slice(.min, .max).count == 5)
        #expect(try slice(.max, .min, .min) == [.int32(5)])
        #expect(throws: KernelError.self) { try slice(1, 2, 0) }
    }

    @Test("refuse results that are too long instead of making them")
    func limits() {
        let many = Column(.int64, [.int64(.max)])
        #expect(throws: KernelError.self) {
            try Lists.range(start: nil, stop: many, step: nil, isClosed: true)
        }
        let list = Column(Sample.integers, [Sample.list([1])])
        #expect(throws: KernelError.self) {
            try Lists.resize(list, many, filler: nil, type: Sample.integers)
        }
    }

    @Test("filter and aggregate the elements of all rows at once")
    func elements() throws {
        let column = try Lists.packed(
            Column(
                Sample.integers,
                [Sample.list([1, nil, 3]), .null, .list([]), Sample.list([4])]
            )
        )
        let mask = Column(.boolean, [.boolean(true), .null, .boolean(false), .boolean(true)])
        let (kept, rows) = Lists.filtered(column, mask)
        #expect(kept.values == [Sample.list([1]), .null, .list([]), Sample.list([4])])
        #expect(rows.count == 2)
        let elements = Lists.parts(of: column).elements[0]
        let sums = try Lists.aggregate(
            column,
            elements,
            GroupedAccumulator.make(.count, input: .int32)
        )
        #expect(sums.values == [.int64(2), .null, .int64(0), .int64(1)])
    }
}

@Suite("Map and struct kernels")
struct MapKernelTests {
    private let type = DataType.map(
        key: Field("key", .int32, isNullable: false),
        value: Field("value", .int32)
    )

    @Test("make maps of different keys only")
    func make() throws {
        let keys = Column(Sample.integers, [Sample.list([1, 2]), .null, .list([])])
        let maps = try Maps.make(keys: keys, values: keys, type: type)
        #expect(
            Maps.value(maps, of: Column(.int32, [.int32(2), .int32(2), .int32(2)])).values == [
                .int32(2), .null, .null,
            ]
        )
        for wrong in [Sample.list([1, 1]), Sample.list([nil])] {
            let column = Column(Sample.integers, [wrong])
            #expect(throws: KernelError.self) {
                try Maps.make(keys: column, values: column, type: type)
            }
        }
        #expect(throws: KernelError.self) {
            try Maps.make(keys: keys, values: keys.slice(1..<3).appending(keys), type: type)
        }
    }

    @Test("put maps together, the last value of a key winning")
    func concatenate() throws {
        func map(_ pairs: [(Int32, Int32)]) -> Column {
            Column(type, [.map(pairs.map { Value.MapEntry(key: .int32($0), value: .int32($1)) })])
        }
        let result = try Maps.concatenate(
            [map([(1, 1), (2, 2)]), map([(3, 3), (1, 9)])],
            type: type
        )
        #expect(result.values == map([(1, 9), (2, 2), (3, 3)]).values)
    }
}

extension Column {
    /// The first rows of another column behind this one's, three in all.
    fileprivate func appending(_ other: Column) -> Column {
        Concatenate.concatenate([self, other.slice(0..<1)])
    }
}

@Suite("Nested values as text")
struct NestedTextTests {
    static let types: [DataType] = [
        .list(Field("element", .int32)),
        .list(Field("element", .list(Field("element", .string)))),
        .structure([Field("a", .int64), Field("b c", .string)]),
        .map(key: Field("key", .int32, isNullable: false), value: Field("value", .string)),
        .structure([Field("", .float64), Field("", .list(Field("element", .date)))]),
    ]

    @Test("reads back what it writes", arguments: 0..<40)
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for type in Self.types where type.isReadBackExactly {
            let column = Random.column(type, count: 20, using: &random)
            if case .map = type {
                let keys = column.values.map { value -> Bool in
                    guard case .map(let entries) = value else { return true }
                    return Set(entries.map(\.key)).count == entries.count
                        && !entries.contains { $0.key.isNull }
                }
                guard !keys.contains(false) else { continue }
            }
            let text = try Casting.cast(column, to: .string)
            // As texts, because NaN is not equal to itself.
            let back = try Casting.cast(text, to: type)
            #expect(try Casting.cast(back, to: .string).values == text.values, "\(type)")
        }
    }

    @Test("never traps on any text", arguments: 0..<16)
    func anyText(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let alphabet = Array("[]{}(),:='\"\\ a1NULLé".unicodeScalars)
        for _ in 0..<300 {
            var text = ""
            for _ in 0..<Int.random(in: 0...14, using: &random) {
                text.unicodeScalars.append(
                    alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                )
            }
            if Bool.random(using: &random) { text = "[" + text + "]" }
            for type in Self.types {
                let column = Column(.string, [.string(text), .null])
                _ = try? Casting.cast(column, to: type)
                // Maps refuse double keys also then.
                if case .map = type {
                    _ = try? Casting.cast(column, to: type, isTry: true)
                } else {
                    #expect(try Casting.cast(column, to: type, isTry: true).count == 2)
                }
            }
        }
    }
}

extension DataType {
    /// Whether the text of a value says everything about it: texts with backslashes outside quotes do not.
    fileprivate var isReadBackExactly: Bool {
        switch self {
        case .string: false
        case .list(let element): element.type.isReadBackExactly
        case .structure(let fields): fields.allSatisfy { $0.type.isReadBackExactly }
        case .map(let key, let value):
            key.type.isReadBackExactly && value.type.isReadBackExactly
        default: true
        }
    }
}

@Suite("JSON kernels")
struct JSONKernelTests {
    @Test("never trap on any text and any path", arguments: 0..<16)
    func anything(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let whole = Array(#"{"a": [1, 2.5, "x\u00e9", null, {"b c": true}], "": -1e3}"#.utf8)
        let paths = Array("$.[]*\"'#-0a/~ b".utf8)
        for _ in 0..<300 {
            var bytes = whole
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0..<128,
                    using: &random
                )
            }
            var path: [UInt8] = [UInt8(ascii: "$")]
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                path.append(paths[Int.random(in: 0..<paths.count, using: &random)])
            }
            let column = Column(.string, [.string(String(decoding: bytes, as: UTF8.self)), .null])
            let parsed = try? JSONPath(String(decoding: path, as: UTF8.self))
            for question in [JSONText.Question.json, .string, .type, .keys, .structure, .pretty] {
                _ = try? JSONText.ask(question, column, at: parsed)
            }
            _ = try? JSONText.read(
                column,
                as: .structure([Field("a", .list(Field("element", .int32)))]),
                isStrict: false
            )
        }
    }

    @Test("a path that meets nothing gives null, one with wildcards an empty list")
    func nothing() throws {
        let column = Column(.string, [.string("{}"), .null])
        #expect(try JSONText.ask(.json, column, at: JSONPath("$.a")).values == [.null, .null])
        #expect(try JSONText.ask(.json, column, at: JSONPath("$.*")).values == [.list([]), .null])
        #expect(throws: KernelError.self) { try JSONPath("$[") }
    }
}
