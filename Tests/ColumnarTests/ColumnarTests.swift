import Columnar
import TestSupport
import Testing

@Suite("Column")
struct ColumnTests {
    static let samples: [(DataType, [Value])] = [
        (.boolean, [.boolean(true), .null, .boolean(false)]),
        (.int32, [.int32(.min), .null, .int32(.max)]),
        (.int64, [.int64(.min), .int64(0), .null, .int64(.max)]),
        (.float64, [.float64(-0.0), .null, .float64(.infinity)]),
        (.decimal(precision: 9, scale: 2), [.decimal(-123), .null]),
        (.decimal(precision: 38, scale: 2), [.decimal(Int128(Int64.max) * 1000), .null]),
        (.date, [.date(-1), .null]),
        (.timestamptz, [.timestamptz(-1), .null]),
        (.interval, [.interval(Interval(months: -1, days: -2, micros: -3)), .null]),
        (.uuid, [.uuid(UUIDBits.ordered(fromBigEndian: 7)), .null]),
        (.string, ["", "short", "exactly 12 b", "longer than twelve", "ünï"].map { .string($0) }),
        (.binary, [.binary([]), .null, .binary(Array(0..<200))]),
        (.fixed(3), [.fixed([1, 2, 3]), .null]),
        (.list(Field("element", .int32)), [.list([.int32(1), .null]), .null, .list([])]),
        (
            .structure([Field("a", .int32), Field("b", .string)]),
            [.structure([.int32(1), .string("x")]), .null]
        ),
        (
            .map(key: Field("key", .string), value: Field("value", .int64)),
            [.map([Value.MapEntry(key: .string("k"), value: .null)]), .null, .map([])]
        ),
    ]

    @Test("gives back the values it was built from, whole and sliced", arguments: samples.indices)
    func roundTrip(index: Int) {
        let (type, values) = Self.samples[index]
        let column = Column(type, values)
        #expect(column.values == values)
        #expect(column.nullCount == values.count { $0.isNull })
        for start in 0...values.count {
            for end in start...values.count {
                #expect(column.slice(start..<end).values == Array(values[start..<end]))
            }
        }
    }

    @Test("flattens constants, nulls and dictionaries", arguments: samples.indices)
    func flattening(index: Int) {
        let (type, values) = Self.samples[index]
        #expect(Column.nulls(type, count: 3).flattened().values == [.null, .null, .null])
        let constant = Column.constant(values[0], type, count: 2)
        #expect(constant.flattened().values == [values[0], values[0]])
        guard !type.isNested else { return }
        let dictionary = ColumnDictionary(Column(type, values.filter { !$0.isNull }))
        let codes: [UInt32] = [0, 0, UInt32(dictionary.count - 1)]
        let column = Column(
            type: type,
            count: 3,
            validity: Bitmap([true, false, true]),
            storage: .dictionary(
                codes: BufferSlice(codes.withUnsafeBytes { Buffer(copying: $0) }),
                dictionary
            )
        )
        #expect(column.flattened().values == column.values)
        #expect(column.values[1].isNull)
    }

    @Test("orders uuids by their bytes, in signed comparison")
    func uuidOrder() {
        let low = UUIDBits.ordered(fromBigEndian: 1)
        let high = UUIDBits.ordered(fromBigEndian: 1 << 127)
        #expect(low < high)
        #expect(UUIDBits.bytes(fromOrdered: low).last == 1)
    }
}

@Suite("Bitmap")
struct BitmapTests {
    @Test("slices at any bit as an array of booleans does", arguments: 0..<8)
    func slicing(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let bits = (0..<Int.random(in: 1...300, using: &random)).map { _ in
            Bool.random(using: &random)
        }
        let bitmap = Bitmap(bits)
        #expect(bitmap.trueCount == bits.count { $0 })
        for _ in 0..<50 {
            let start = Int.random(in: 0...bits.count, using: &random)
            let end = Int.random(in: start...bits.count, using: &random)
            let slice = bitmap.slice(start..<end)
            #expect((0..<slice.count).map { slice[$0] } == Array(bits[start..<end]))
            #expect(slice.trueCount == bits[start..<end].count { $0 })
        }
        let selection = Selection(bitmap)
        let chosen = (0..<selection.count).map { Int(selection.rows[$0]) }
        #expect(chosen == bits.indices.filter { bits[$0] })
    }
}

@Suite("StringView")
struct StringViewTests {
    @Test("compares as bytes do, inline or not", arguments: 0..<8)
    func order(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let texts = (0..<60).map { _ -> [UInt8] in
            let count = Int.random(in: 0...20, using: &random)
            return (0..<count).map { _ in [0, 97, 98, 255].randomElement(using: &random) ?? 0 }
        }
        let column = Column(.binary, texts.map { .binary($0) })
        guard case .views(let views, _) = column.storage else {
            Issue.record("not views")
            return
        }
        let pointer = views.pointer(as: StringView.self)
        for (i, a) in texts.enumerated() {
            for (j, b) in texts.enumerated() {
                let order = StringView.compare(pointer[i], pointer[j])
                #expect((order < 0) == a.lexicographicallyPrecedes(b))
                #expect((order == 0) == (a == b))
                #expect((pointer[i] == pointer[j]) == (a == b))
            }
        }
        withExtendedLifetime(column) {}
    }
}
