import Testing

import Bytes
import Iceberg
import TestSupport

@Suite("Datum")
struct DatumTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var type: IcebergType
        var value: Datum
        var bytes: [UInt8]
        var json: JSON
        var testDescription: String { "\(type) \(json)" }
    }

    // Appendix D, binary and JSON; the values are the ones that the specification's examples have.
    static let cases: [Case] = [
        Case(type: .boolean, value: .boolean(true), bytes: [1], json: true),
        Case(type: .boolean, value: .boolean(false), bytes: [0], json: false),
        Case(type: .int, value: .int(34), bytes: [34, 0, 0, 0], json: 34),
        Case(type: .int, value: .int(-2), bytes: [0xFE, 0xFF, 0xFF, 0xFF], json: -2),
        Case(type: .long, value: .long(34), bytes: [34, 0, 0, 0, 0, 0, 0, 0], json: 34),
        Case(type: .float, value: .float(1), bytes: [0, 0, 0x80, 0x3F], json: .number("1.0")),
        Case(
            type: .double,
            value: .double(-0.0),
            bytes: [0, 0, 0, 0, 0, 0, 0, 0x80],
            json: .number("-0.0")
        ),
        Case(
            type: .decimal(precision: 9, scale: 2),
            value: .decimal(1420, scale: 2),
            bytes: [0x05, 0x8C],
            json: "14.20"
        ),
        Case(
            type: .decimal(precision: 9, scale: 2),
            value: .decimal(-1, scale: 2),
            bytes: [0xFF],
            json: "-0.01"
        ),
        Case(
            type: .decimal(precision: 3, scale: 0),
            value: .decimal(128, scale: 0),
            bytes: [0, 0x80],
            json: "128"
        ),
        Case(
            type: .date,
            value: .date(17486),
            bytes: [0x4E, 0x44, 0, 0],
            json: "2017-11-16"
        ),
        Case(type: .date, value: .date(-1), bytes: [0xFF, 0xFF, 0xFF, 0xFF], json: "1969-12-31"),
        Case(
            type: .time,
            value: .time(81_068_123_456),
            bytes: [0x40, 0x9B, 0x04, 0xE0, 0x12, 0, 0, 0],
            json: "22:31:08.123456"
        ),
        Case(
            type: .timestamp,
            value: .timestamp(1_510_871_468_123_456),
            bytes: [0x40, 0x1B, 0x20, 0x5F, 0x21, 0x5E, 0x05, 0],
            json: "2017-11-16T22:31:08.123456"
        ),
        Case(
            type: .timestamptz,
            value: .timestamptz(-1),
            bytes: [255, 255, 255, 255, 255, 255, 255, 255],
            json: "1969-12-31T23:59:59.999999+00:00"
        ),
        Case(
            type: .timestampNanos,
            value: .timestampNanos(1_510_871_468_123_456_789),
            bytes: [0x15, 0x6D, 0x5D, 0xCA, 0xFD, 0xA9, 0xF7, 0x14],
            json: "2017-11-16T22:31:08.123456789"
        ),
        Case(
            type: .timestamptzNanos,
            value: .timestamptzNanos(1),
            bytes: [1, 0, 0, 0, 0, 0, 0, 0],
            json: "1970-01-01T00:00:00.000000001+00:00"
        ),
        Case(
            type: .string,
            value: .string("iceberg é"),
            bytes: Array("iceberg é".utf8),
            json: "iceberg é"
        ),
        Case(
            type: .uuid,
            value: .uuid(0xF79C_3E09_677C_4BBD_A479_3F34_9CB7_85E7),
            bytes: [
                0xF7, 0x9C, 0x3E, 0x09, 0x67, 0x7C, 0x4B, 0xBD, 0xA4, 0x79, 0x3F, 0x34, 0x9C, 0xB7,
                0x85, 0xE7,
            ],
            json: "f79c3e09-677c-4bbd-a479-3f349cb785e7"
        ),
        Case(
            type: .fixed(length: 4),
            value: .fixed([0, 1, 2, 255]),
            bytes: [0, 1, 2, 255],
            json: "000102ff"
        ),
        Case(
            type: .binary,
            value: .binary([0, 1, 2, 255]),
            bytes: [0, 1, 2, 255],
            json: "000102ff"
        ),
        Case(type: .binary, value: .binary([]), bytes: [], json: ""),
    ]

    @Test("has the binary and the JSON form of Appendix D, both ways", arguments: cases)
    func forms(example: Case) throws {
        if example.type != .time, example.type != .timestamp, example.type != .timestampNanos {
            #expect(example.value.bytes == example.bytes)
        }
        #expect(example.value.json == example.json)
        #expect(try Datum(json: example.json, type: example.type) == example.value)
        #expect(try Datum(bytes: example.value.bytes, type: example.type) == example.value)
        #expect(example.value.isValid(for: example.type))
    }

    @Test("reads upper-case hexadecimal and short fractions, and Z for UTC")
    func lenientJSON() throws {
        #expect(try Datum(json: "78797A", type: .binary) == .binary([0x78, 0x79, 0x7A]))
        #expect(try Datum(json: "10:15:30.5", type: .time) == .time(36_930_500_000))
        #expect(try Datum(json: "10:15", type: .time) == .time(36_900_000_000))
        #expect(
            try Datum(json: "1970-01-01T00:00:01Z", type: .timestamptz) == .timestamptz(1_000_000)
        )
        #expect(
            try Datum(json: "1E+2", type: .decimal(precision: 5, scale: 0))
                == .decimal(100, scale: 0)
        )
        #expect(
            try Datum(json: "1.5", type: .decimal(precision: 5, scale: 3))
                == .decimal(1500, scale: 3)
        )
        #expect(try Datum(json: 3, type: .double) == .double(3))
    }

    @Test(
        "refuses JSON that is no value of the type",
        arguments: [
            (.int, 2_147_483_648), (.int, "1"), (.int, .number("1.0")), (.boolean, 1), (.string, 1),
            (.date, "2017-02-29"), (.date, "2017-13-01"), (.date, "2017-1-1"), (.date, "20171101"),
            (.date, "2017-11-16x"), (.time, "24:00:00"), (.time, "10:60"), (.time, "10:15:60"),
            (.timestamp, "2017-11-16T22:31:08+00:00"), (.timestamp, "2017-11-16 22:31:08"),
            (.timestamp, "2017-11-16T22:31:08.1234567"), (.timestamptz, "2017-11-16T22:31:08"),
            (.timestamptz, "2017-11-16T22:31:08-08:00"),
            (.timestampNanos, "2500-01-01T00:00:00"),
            (.decimal(precision: 4, scale: 2), "123.45"),
            (.decimal(precision: 9, scale: 2), "1.234"),
            (.decimal(precision: 9, scale: 2), "."), (.decimal(precision: 9, scale: 2), "1.2.3"),
            (.decimal(precision: 9, scale: 2), 1),
            (.decimal(precision: 9, scale: 2), "1E+99999999999"),
            (.uuid, "f79c3e09677c4bbda4793f349cb785e7"),
            (.uuid, "f79c3e09-677c-4bbd-a479-3f349cb785eg"),
            (.fixed(length: 2), "00"), (.binary, "0"), (.binary, "0g"), (.float, .number("1e99")),
            (.double, .number("1e999")), (.double, "NaN"), (.unknown, 1),
        ] as [(IcebergType, JSON)]
    )
    func refusedJSON(type: IcebergType, json: JSON) {
        #expect(IcebergError.from { _ = try Datum(json: json, type: type) }?.code == .corrupt)
    }

    @Test("reads the narrower bounds that a promoted column keeps")
    func promotedBounds() throws {
        #expect(try Datum(bytes: [0xFE, 255, 255, 255], type: .long) == .long(-2))
        #expect(try Datum(bytes: [0, 0, 0x80, 0x3F], type: .double) == .double(1))
        #expect(try Datum(bytes: [1, 0, 0, 0], type: .timestamp) == .timestamp(86_400_000_000))
        #expect(
            try Datum(bytes: [1, 0, 0, 0], type: .timestampNanos)
                == .timestampNanos(86_400_000_000_000)
        )
        #expect(
            try Datum(bytes: [0x05, 0x8C], type: .decimal(precision: 38, scale: 2))
                == .decimal(1420, scale: 2)
        )
    }

    @Test(
        "refuses bytes of the wrong width",
        arguments: [
            (.int, 8), (.int, 3), (.long, 5), (.boolean, 2), (.boolean, 0), (.float, 8),
            (.double, 2),
            (.date, 8), (.time, 4), (.timestamptz, 4), (.uuid, 15),
            (.decimal(precision: 9, scale: 2), 0), (.decimal(precision: 9, scale: 2), 17),
        ] as [(IcebergType, Int)]
    )
    func refusedWidths(type: IcebergType, count: Int) {
        let bytes = [UInt8](repeating: 1, count: count)
        #expect(IcebergError.from { _ = try Datum(bytes: bytes, type: type) }?.code == .corrupt)
    }

    @Test("orders values by their type")
    func order() {
        let ascending: [[Datum]] = [
            [.int(-5), .long(-4), .int(0), .long(1 << 40)],
            [
                .double(-.infinity), .float(-1), .double(0), .float(1), .double(.infinity),
                .float(.nan),
            ],
            [
                .decimal(-100, scale: 1), .decimal(-1, scale: 3), .decimal(0, scale: 0),
                .decimal(149, scale: 2), .decimal(15, scale: 1), .decimal(2, scale: 0),
            ],
            [
                .string(""), .string("Z"), .string("a"), .string("ab"), .string("é"), .string("漢"),
                .string("😀"),
            ],
            [.binary([]), .binary([0]), .binary([0, 1]), .binary([0x80])],
            [.uuid(1), .uuid(UInt128(1) << 127)],
            [.date(-1), .timestamp(0), .date(1), .timestampNanos(86_400_000_000_001)],
            [.boolean(false), .boolean(true)],
        ]
        for values in ascending {
            for (index, left) in values.enumerated() {
                #expect(left.compared(to: left) == 0)
                for right in values[(index + 1)...] {
                    #expect(left.compared(to: right) == -1, "\(left) < \(right)")
                    #expect(right.compared(to: left) == 1)
                }
            }
        }
        #expect(Datum.double(-0.0).compared(to: .double(0)) == 0)
        #expect(Datum.double(-0.0).precedesAsBound(.double(0)))
        #expect(!Datum.double(0).precedesAsBound(.double(-0.0)))
        #expect(Datum.int(1).compared(to: .string("1")) == nil)
        #expect(Datum.timestamp(1).compared(to: .timestamptz(1)) == nil)
        #expect(Datum.decimal(1, scale: 0).compared(to: .decimal(1, scale: 38)) == 1)
    }

    @Test("tells partition values apart by their bits, NaN being one value")
    func identity() {
        #expect(Datum.double(.nan) == .double(-Double.nan))
        #expect(Datum.double(.nan).hashValue == Datum.double(-Double.nan).hashValue)
        #expect(Datum.double(0.0) != .double(-0.0))
        #expect(Datum.int(1) != .long(1))
        #expect(Datum.string("e\u{301}") != .string("é"))
    }

    @Test("reads back all it writes", arguments: 0..<16)
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let (type, value) = randomDatum(using: &random)
            #expect(try Datum(bytes: value.bytes, type: type) == value)
            if let json = value.json {
                #expect(try Datum(json: JSON.parse(json.serialized()), type: type) == value)
            } else {
                #expect(value.isNaN || type.isFloating)
            }
        }
    }

    @Test("never traps on any bytes or text", arguments: 0..<16)
    func anyBytes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let characters = Array("0123456789-:T.+ZEe \u{e9}")
        for _ in 0..<1000 {
            let (type, _) = randomDatum(using: &random)
            _ = try? Datum(bytes: randomBytes(upTo: 20, using: &random), type: type)
            let count = Int.random(in: 0...30, using: &random)
            let text = String(
                (0..<count).map { _ in characters.randomElement(using: &random) ?? "0" }
            )
            if let value = try? Datum(json: .string(text), type: type) { _ = value.text }
        }
    }
}

/// A random type without parameters of its own, and a value of it.
func randomDatum(using random: inout SeededGenerator) -> (IcebergType, Datum) {
    func long(_ range: ClosedRange<Int64>) -> Int64 {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: range.lowerBound
        case 1: range.upperBound
        case 2:
            Int64.random(
                in: max(-100, range.lowerBound)...min(100, range.upperBound),
                using: &random
            )
        default: Int64.random(in: range, using: &random)
        }
    }
    switch Int.random(in: 0..<15, using: &random) {
    case 0: return (.boolean, .boolean(Bool.random(using: &random)))
    case 1: return (.int, .int(Int32(long(Int64(Int32.min)...Int64(Int32.max)))))
    case 2: return (.long, .long(long(.min ... .max)))
    case 3:
        return (.float, .float(Float(bitPattern: UInt32.random(in: 0...(.max), using: &random))))
    case 4: return (.double, .double(Double(bitPattern: random.next())))
    case 5:
        let precision = Int.random(in: 1...38, using: &random)
        let scale = Int.random(in: 0...precision, using: &random)
        var unscaled: Int128 = 0
        for _ in 0..<precision {
            unscaled = unscaled * 10 + Int128.random(in: 0...9, using: &random)
        }
        if Bool.random(using: &random) { unscaled = -unscaled }
        return (.decimal(precision: precision, scale: scale), .decimal(unscaled, scale: scale))
    case 6: return (.date, .date(Int32(long(-719_162...2_932_896))))
    case 7: return (.time, .time(long(0...86_399_999_999)))
    case 8: return (.timestamp, .timestamp(long(-62_135_596_800_000_000...253_402_300_799_999_999)))
    case 9:
        return (.timestamptz, .timestamptz(long(-62_135_596_800_000_000...253_402_300_799_999_999)))
    case 10: return (.timestampNanos, .timestampNanos(long(.min ... .max)))
    case 11:
        let high = UInt128(random.next()) << 64
        return (.uuid, .uuid(high | UInt128(random.next())))
    case 12:
        let alphabet: [Unicode.Scalar] = [
            "a", "b", "z", "é", "漢", "😀", "\u{D7FF}", "\u{10FFFF}", "%", "/",
        ]
        var view = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...20, using: &random) {
            view.append(alphabet.randomElement(using: &random) ?? "a")
        }
        return (.string, .string(String(view)))
    case 13: return (.binary, .binary(randomBytes(upTo: 20, using: &random)))
    default:
        let bytes = (0..<8).map { _ in UInt8.random(in: 0...255, using: &random) }
        return (.fixed(length: 8), .fixed(bytes))
    }
}
