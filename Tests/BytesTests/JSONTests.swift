import Testing

import Bytes
import TestSupport

@Suite("JSON")
struct JSONTests {
    @Test(
        "reads what RFC 8259 allows",
        arguments: [
            ("null", JSON.null), (" true ", true), ("false", false), ("0", 0),
            ("-0", .number("-0")),
            ("-12.50e+3", .number("-12.50e+3")), ("1E5", .number("1E5")), (#""""#, ""),
            ("[]", []), ("{}", [:]), ("[ 1 ,\t2\r\n]", [1, 2]),
            (#"{"a":{"b":[null]}}"#, ["a": ["b": [.null]]]),
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
            (#""\u00e9\uD83D\uDE00\u0000""#, "é😀\0"),
            (#""plain é 漢字 😀 long enough for words""#, "plain é 漢字 😀 long enough for words"),
            (#"{"":1}"#, ["": 1]),
        ] as [(String, JSON)]
    )
    func valid(text: String, expected: JSON) throws {
        #expect(try JSON.parse(text) == expected)
    }

    @Test(
        "refuses what RFC 8259 does not allow",
        arguments: [
            "", " ", "nul", "nulll", "True", "01", "-", "+1", ".5", "1.", "1e", "1e+", "0x1", "NaN",
            "Infinity",
            "[", "[1", "[1,", "[1,]", "[,1]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}",
            "{a:1}", "{1:2}", "'a'",
            "\"", "\"\\", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u123g\"", "\"\\uD800\"",
            "\"\\uD800x\"", "\"\\uDC00\"",
            "\"\\uD800\\u0041\"", "\"\\uD800\\", "\"a\nb\"", "\"a\u{1}\"", "1 2", "{} []", "[1 2]",
            "{\"a\" 1}",
            "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "\u{FEFF}1", "[1]]", "//x\n1", "1,",
        ]
    )
    func invalid(text: String) {
        #expect(throws: BytesError.self) { try JSON.parse(text) }
    }

    @Test(
        "refuses bytes that are not UTF-8",
        arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82]] as [[UInt8]]
    )
    func notUnicode(bytes: [UInt8]) {
        #expect(throws: BytesError.self) { try JSON.parse([0x22] + bytes + [0x22]) }
        #expect(throws: BytesError.self) {
            try JSON.parse(Array("\"\\n".utf8) + bytes + [0x22])
        }
    }

    @Test("stops at two hundred levels")
    func depth() throws {
        func nested(_ depth: Int, _ open: String, _ close: String) -> String {
            String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
        }
        _ = try JSON.parse(nested(200, "[", "]"))
        _ = try JSON.parse(nested(200, "{\"a\":", "}"))
        for text in [nested(201, "[", "]"), nested(201, "{\"a\":", "}"), nested(100_000, "[", "")] {
            do {
                _ = try JSON.parse(text)
                Issue.record("too deep a text was read")
            } catch { #expect(error.code == .unsupported) }
        }
    }

    @Test("refuses a repeated key among many and says where the object begins")
    func repeatedKey() throws {
        for count in [2, 5, 16, 17, 40, 1000] {
            let distinct = (0..<count).map { "\"key number \($0)\":\($0)" }
            let good = " {" + distinct.joined(separator: ",") + "}"
            let object = try #require(try JSON.parse(good).object)
            #expect(object.count == count)
            for index in 0..<count { #expect(object["key number \(index)"]?.int == index) }
            let bad =
                " {" + (distinct + ["\"key number \(count / 2)\":0"]).joined(separator: ",") + "}"
            do {
                _ = try JSON.parse(bad)
                Issue.record("a repeated key was accepted among \(count)")
            } catch { #expect(error.offset == 1) }
        }
    }

    @Test("keeps the exact text of numbers")
    func numbers() throws {
        let value = try JSON.parse(
            "[9223372036854775807,-9223372036854775808,1.10,9223372036854775808]"
        )
        #expect(value[0]?.int64 == .max)
        #expect(value[1]?.int64 == .min)
        #expect(value[2]?.numberText == "1.10")
        #expect(value[2]?.double == 1.1)
        #expect(value[3]?.int64 == nil)
        #expect(
            value.text() == "[9223372036854775807,-9223372036854775808,1.10,9223372036854775808]"
        )
        #expect(try JSON.parse("1e999").double == nil)
        #expect(JSON.double(.nan) == nil)
        #expect(JSON.double(0.1) == .number("0.1"))
        #expect(JSON.float(0.1) == .number("0.1"))
    }

    @Test("writes members in their own order, or sorted by bytes")
    func order() throws {
        let value = try JSON.parse(#"{"b":1,"a":{"é":2,"z":[1,{}],"e":[]},"B":"\u001f\/\"\n"}"#)
        #expect(value.text() == #"{"b":1,"a":{"é":2,"z":[1,{}],"e":[]},"B":"\u001f/\"\n"}"#)
        #expect(
            value.text(sortedKeys: true)
                == #"{"B":"\u001f/\"\n","a":{"e":[],"z":[1,{}],"é":2},"b":1}"#
        )
        #expect(
            try JSON.parse(#"{"a":[1,{}],"b":[]}"#).text(pretty: true)
                == "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}"
        )
    }

    @Test("objects are equal whatever the order of their members")
    func equality() throws {
        let one = try JSON.parse(#"{"a":1,"b":{"c":2,"d":3}}"#)
        let two = try JSON.parse(#"{"b":{"d":3,"c":2},"a":1}"#)
        #expect(one == two)
        #expect(one.hashValue == two.hashValue)
        #expect(one != (try JSON.parse(#"{"a":1,"b":{"c":2,"d":4}}"#)))
        #expect(one != (try JSON.parse(#"{"a":1}"#)))
    }

    @Test("an object sets, replaces and removes members in place")
    func objectEditing() {
        var object = JSONObject()
        for index in 0..<40 { object["k\(index)"] = .integer(index) }
        object["k3"] = "three"
        object["k5"] = nil
        object["none"] = nil
        #expect(object.count == 39)
        #expect(object.members[3] == .init("k3", "three"))
        #expect(object["k5"] == nil)
        #expect(object["k39"] == 39)
        for index in 6..<40 { object["k\(index)"] = nil }
        #expect(object.keys == ["k0", "k1", "k2", "k3", "k4"])
    }

    @Test("what is written value by value is what a tree gives", arguments: [false, true])
    func writing(pretty: Bool) throws {
        let tree: JSON = [
            "a": ["x", 1, true, .null, [], [:]], "b\n\"": ["c": [["d": -5]], "e": [:]],
            "f": "é\u{1}", "r": 7, "s": [1, 2],
        ]
        var writer = JSONWriter(pretty: pretty)
        writer.object { writer in
            writer.key("a")
            writer.array { writer in
                writer.string("x")
                writer.integer(1)
                writer.bool(true)
                writer.null()
                writer.array { _ in }
                writer.object { _ in }
            }
            writer.key("b\n\"")
            writer.object { writer in
                writer.key("c")
                writer.array { writer in
                    writer.object { writer in
                        writer.key("d")
                        writer.integer(-5)
                    }
                }
                writer.key("e")
                writer.value([:])
            }
            writer.key("f")
            writer.string("é\u{1}")
            let kept = writer.kept { writer in
                writer.key("r")
                writer.integer(7)
            }
            var again = JSONWriter(pretty: pretty)
            again.object { again in
                again.key("f")
                again.null()
                again.again(kept)
            }
            #expect(again.bytes == JSON.object(["f": .null, "r": 7]).serialized(pretty: pretty))
            writer.key("s")
            writer.value([1, 2])
        }
        #expect(writer.bytes == tree.serialized(pretty: pretty))
        let first = writer.take()
        writer.endLine()
        writer.integer(.min)
        #expect(writer.bytes == Array("\n-9223372036854775808".utf8))
        #expect(try JSON.parse(first) == tree)
    }

    @Test("reads back what it wrote", arguments: 0..<16)
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<100 {
            let value = randomJSON(depth: 5, using: &random)
            for pretty in [false, true] {
                for sorted in [false, true] {
                    let bytes = value.serialized(pretty: pretty, sortedKeys: sorted)
                    let back = try JSON.parse(bytes)
                    #expect(back == value)
                    #expect(back.serialized(pretty: pretty, sortedKeys: sorted) == bytes)
                }
            }
        }
    }

    @Test("never traps on any bytes", arguments: 0..<16)
    func anyBytes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let alphabet = Array("{}[]\",:\\/bfnrtu0123456789.eE+-alsD \u{e9}\n\u{1}".utf8) + [0xFF]
        for _ in 0..<2000 {
            let length = Int.random(in: 0...40, using: &random)
            let bytes = (0..<length).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            if let value = try? JSON.parse(bytes) {
                #expect((try? JSON.parse(value.serialized())) == value)
            }
        }
    }

    @Test("never traps on damaged texts, and what it reads it can write", arguments: 0..<16)
    func damagedTexts(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            var bytes = randomJSON(depth: 4, using: &random).serialized(
                pretty: Bool.random(using: &random)
            )
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.removeSubrange(index...)
                }
            }
            if let value = try? JSON.parse(bytes) {
                #expect((try? JSON.parse(value.serialized())) == value)
            }
        }
    }

    @Test("parses text like table metadata at a useful speed, and reports it")
    func speed() throws {
        var snapshots: [JSON] = []
        for index in 0..<4000 {
            snapshots.append([
                "sequence-number": .integer(index),
                "snapshot-id": .integer(3_051_729_675_574_597_004 + index),
                "parent-snapshot-id": .integer(3_051_729_675_574_597_003 + index),
                "timestamp-ms": .integer(1_555_100_955_770 + index),
                "summary": [
                    "operation": "append", "added-data-files": "4", "added-records": "100000",
                    "added-files-size": "1234567", "changed-partition-count": "1",
                    "total-records": .string("\(index * 1000)"),
                    "total-files-size": .string("\(index * 99999)"),
                    "total-data-files": .string("\(index)"), "total-delete-files": "0",
                    "total-position-deletes": "0", "total-equality-deletes": "0",
                ],
                "manifest-list": .string(
                    "s3://bucket/warehouse/db/table-7fb0a4c8/metadata/snap-\(index)-1-deadbeef.avro"
                ),
                "schema-id": 0,
            ])
        }
        let value: JSON = ["format-version": 2, "snapshots": .array(snapshots)]
        for pretty in [false, true] {
            let bytes = value.serialized(pretty: pretty)
            let clock = ContinuousClock()
            var best = Duration.seconds(1000)
            var back = JSON.null
            for _ in 0..<5 {
                let time = try clock.measure { back = try JSON.parse(bytes) }
                best = min(best, time)
            }
            #expect(back == value)
            let seconds =
                Double(best.components.attoseconds) / 1e18 + Double(best.components.seconds)
            print(
                "JSON.parse: \(bytes.count) bytes, \(Int(Double(bytes.count) / seconds / 1e6)) MB/s"
            )
        }
    }

    private func randomJSON(depth: Int, using random: inout SeededGenerator) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2: return .integer(Int64.random(in: .min ... .max, using: &random))
        case 3: return JSON.double(Double(bitPattern: random.next())) ?? 0
        case 4: return .string(randomText(using: &random))
        case 5, 6:
            let count = Int.random(in: 0...6, using: &random)
            return .array((0..<count).map { _ in randomJSON(depth: depth - 1, using: &random) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0...20, using: &random) {
                object[randomText(using: &random)] = randomJSON(depth: depth - 1, using: &random)
            }
            return .object(object)
        }
    }

    private func randomText(using random: inout SeededGenerator) -> String {
        let alphabet: [Character] = [
            "a", "b", "\"", "\\", "\n", "\u{0}", "é", "漢", "😀", "/", " ", "\u{7f}",
        ]
        let count = Int.random(in: 0...12, using: &random)
        return String((0..<count).map { _ in alphabet.randomElement(using: &random) ?? "x" })
    }
}
