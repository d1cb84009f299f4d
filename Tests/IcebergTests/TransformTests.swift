import Testing

import Bytes
import Iceberg
import TestSupport

@Suite("Transform")
struct TransformTests {
    @Test(
        "hashes as Appendix B says",
        arguments: [
            (.int(34), 2_017_239_379), (.long(34), 2_017_239_379),
            (.decimal(1420, scale: 2), -500_754_589), (.date(17486), -653_330_422),
            (.time(81_068_000_000), -662_762_989),
            (.timestamp(1_510_871_468_000_000), -2_047_944_441),
            (.timestamp(1_510_871_468_000_001), -1_207_196_810),
            (.timestamptz(1_510_871_468_000_000), -2_047_944_441),
            (.timestampNanos(1_510_871_468_000_000_000), -2_047_944_441),
            (.timestampNanos(1_510_871_468_000_001_001), -1_207_196_810),
            (.timestamptzNanos(1_510_871_468_000_001_001), -1_207_196_810),
            (.string("iceberg"), 1_210_000_089),
            (.uuid(0xF79C_3E09_677C_4BBD_A479_3F34_9CB7_85E7), 1_488_055_340),
            (.fixed([0, 1, 2, 3]), -188_683_207), (.binary([0, 1, 2, 3]), -188_683_207),
        ] as [(Datum, Int32)]
    )
    func hashes(value: Datum, hash: Int32) throws {
        #expect(value.bucketHash == hash)
        let bucket = try Transform.bucket(count: 16).apply(value)
        #expect(bucket == .int((hash & Int32.max) % 16))
    }

    @Test(
        "truncates with positive remainders, and by code points",
        arguments: [
            (10, .int(1), .int(0)), (10, .int(-1), .int(-10)), (10, .int(-10), .int(-10)),
            (10, .long(1), .long(0)), (10, .long(-1), .long(-10)),
            (50, .decimal(1065, scale: 2), .decimal(1050, scale: 2)),
            (10, .decimal(-1, scale: 2), .decimal(-10, scale: 2)),
            (3, .string("iceberg"), .string("ice")), (3, .string("ic"), .string("ic")),
            (2, .string("e\u{301}a"), .string("e\u{301}")), (1, .string("😀b"), .string("😀")),
            (3, .binary([1, 2, 3, 4, 5]), .binary([1, 2, 3])),
        ] as [(Int32, Datum, Datum)]
    )
    func truncation(width: Int32, value: Datum, result: Datum) throws {
        #expect(try Transform.truncate(width: width).apply(value) == result)
    }

    @Test(
        "rounds times down, before 1970 too",
        arguments: [
            (.year, .date(17486), .int(47)), (.month, .date(17486), .int(574)),
            (.day, .date(17486), .date(17486)), (.year, .date(-1), .int(-1)),
            (.month, .date(-1), .int(-1)), (.month, .date(-32), .int(-2)),
            (.year, .date(-366), .int(-2)), (.year, .timestamp(-1), .int(-1)),
            (.month, .timestamp(-1), .int(-1)), (.day, .timestamp(-1), .date(-1)),
            (.hour, .timestamp(-1), .int(-1)), (.hour, .timestamp(-3_600_000_000), .int(-1)),
            (.hour, .timestamptz(1_510_871_468_000_000), .int(419_686)),
            (.day, .timestamptzNanos(1_510_871_468_000_001_001), .date(17486)),
            (.hour, .timestampNanos(-1), .int(-1)), (.year, .timestampNanos(-1), .int(-1)),
            (.void, .int(1), nil), (.identity, .int(1), .int(1)),
        ] as [(Transform, Datum, Datum?)]
    )
    func times(transform: Transform, value: Datum, result: Datum?) throws {
        #expect(try transform.apply(value) == result)
        #expect(try transform.apply(nil) == nil)
    }

    @Test("refuses values it does not take, and transforms nobody knows")
    func refusals() {
        #expect(IcebergError.from { _ = try Transform.year.apply(.int(1)) }?.code == .invalid)
        #expect(IcebergError.from { _ = try Transform.hour.apply(.date(1)) }?.code == .invalid)
        #expect(
            IcebergError.from { _ = try Transform.bucket(count: 2).apply(.double(1)) }?.code
                == .invalid
        )
        #expect(
            IcebergError.from { _ = try Transform.unknown("zorder").apply(nil) }?.code
                == .unsupported
        )
    }

    @Test("reads and writes its text, keeping what it does not know")
    func text() {
        let texts = [
            "identity", "bucket[16]", "truncate[4]", "year", "month", "day", "hour", "void",
            "zorder[2]", "bucket[0]", "bucket[-1]", "bucket[x]", "bucket", "truncate[99999999999]",
        ]
        for text in texts { #expect(Transform(text: text).text == text) }
        #expect(Transform(text: "bucket[16]") == .bucket(count: 16))
        #expect(Transform(text: "bucket[0]") == .unknown("bucket[0]"))
    }

    @Test("gives the types that the specification lists")
    func resultTypes() {
        #expect(Transform.day.resultType(of: .timestamp) == .date)
        #expect(Transform.year.resultType(of: .date) == .int)
        #expect(Transform.hour.resultType(of: .date) == nil)
        #expect(Transform.bucket(count: 4).resultType(of: .string) == .int)
        #expect(Transform.bucket(count: 4).resultType(of: .double) == nil)
        #expect(Transform.truncate(width: 4).resultType(of: .binary) == .binary)
        #expect(Transform.truncate(width: 4).resultType(of: .date) == nil)
        #expect(Transform.identity.resultType(of: .uuid) == .uuid)
        #expect(Transform.void.resultType(of: .long) == .long)
    }

    @Test(
        "writes partition values for people",
        arguments: [
            (.year, .int(47), "2017"), (.year, .int(-1), "1969"), (.month, .int(574), "2017-11"),
            (.month, .int(-1), "1969-12"), (.day, .date(17486), "2017-11-16"),
            (.day, .int(-1), "1969-12-31"), (.hour, .int(419_686), "2017-11-16-22"),
            (.hour, .int(-1), "1969-12-31-23"), (.identity, .string("a/b"), "a/b"),
            (.identity, .timestamptz(1_500_000), "1970-01-01T00:00:01.5+00:00"),
            (.identity, .timestamp(1_000_000), "1970-01-01T00:00:01"),
            (.identity, .binary([1, 2, 3, 4]), "AQIDBA=="), (.identity, .binary([1, 2]), "AQI="),
            (.identity, .decimal(1420, scale: 2), "14.20"), (.identity, .boolean(true), "true"),
            (.bucket(count: 4), .int(3), "3"), (.day, nil, "null"),
        ] as [(Transform, Datum?, String)]
    )
    func humanText(transform: Transform, value: Datum?, text: String) {
        #expect(transform.text(of: value) == text)
    }

    @Test("escapes partition paths")
    func path() {
        let spec = PartitionSpec(
            specID: 0,
            fields: [
                PartitionField(sourceID: 1, fieldID: 1000, name: "ts_day", transform: .day),
                PartitionField(sourceID: 2, fieldID: 1001, name: "a b", transform: .identity),
            ]
        )
        #expect(
            spec.path(of: [.date(19727), .string("x/y=é")])
                == "ts_day=2024-01-05/a%20b=x%2Fy%3D%C3%A9"
        )
        #expect(PartitionSpec.unpartitioned.path(of: []) == "")
    }

    @Test("does whole columns as it does single values", arguments: 0..<8)
    func batches(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let longs = (0..<500).map { _ in
            Int64(bitPattern: random.next()) >> Int64.random(in: 0...63, using: &random)
        }
        let ints = longs.map { Int32(truncatingIfNeeded: $0) }
        let wide = longs.map { Int128($0) * 1_000_003 }
        let count = Int32.random(in: 1...1000, using: &random)
        func onLongs(
            _ transform: Transform,
            _ make: (Int64) -> Datum,
            _ body: (UnsafeBufferPointer<Int64>, UnsafeMutableBufferPointer<Int32>) -> Void
        ) throws {
            var results = [Int32](repeating: 0, count: longs.count)
            longs.withUnsafeBufferPointer { source in
                results.withUnsafeMutableBufferPointer { body(source, $0) }
            }
            for (value, result) in zip(longs, results) {
                let expected = try transform.apply(make(value))
                #expect(expected == .int(result) || expected == .date(result))
            }
        }
        try onLongs(.bucket(count: count), Datum.long) {
            BatchTransform.bucket($0, count: count, into: $1)
        }
        try onLongs(.bucket(count: count), Datum.timestampNanos) {
            BatchTransform.bucket(nanos: $0, count: count, into: $1)
        }
        try onLongs(.year, Datum.timestamp) {
            BatchTransform.years(of: $0, unit: .micros, into: $1)
        }
        try onLongs(.month, Datum.timestamptz) {
            BatchTransform.months(of: $0, unit: .micros, into: $1)
        }
        try onLongs(.day, Datum.timestamp) { BatchTransform.days(of: $0, unit: .micros, into: $1) }
        try onLongs(.day, Datum.timestampNanos) {
            BatchTransform.days(of: $0, unit: .nanos, into: $1)
        }
        try onLongs(.hour, Datum.timestampNanos) {
            BatchTransform.hours(of: $0, unit: .nanos, into: $1)
        }

        var results = [Int32](repeating: 0, count: 500)
        func onInts(
            _ transform: Transform,
            _ make: (Int32) -> Datum,
            _ body: (UnsafeBufferPointer<Int32>, UnsafeMutableBufferPointer<Int32>) -> Void
        ) throws {
            ints.withUnsafeBufferPointer { source in
                results.withUnsafeMutableBufferPointer { body(source, $0) }
            }
            for (value, result) in zip(ints, results) {
                #expect(try transform.apply(make(value)) == .int(result))
            }
        }
        try onInts(.bucket(count: count), Datum.date) {
            BatchTransform.bucket($0, count: count, into: $1)
        }
        try onInts(.year, Datum.date) { BatchTransform.years(ofDays: $0, into: $1) }
        try onInts(.month, Datum.date) { BatchTransform.months(ofDays: $0, into: $1) }
        try onInts(.truncate(width: count), Datum.int) {
            BatchTransform.truncate($0, width: count, into: $1)
        }

        var truncated = longs
        longs.withUnsafeBufferPointer { source in
            truncated.withUnsafeMutableBufferPointer {
                BatchTransform.truncate(source, width: count, into: $0)
            }
        }
        var truncatedWide = wide
        wide.withUnsafeBufferPointer { source in
            truncatedWide.withUnsafeMutableBufferPointer {
                BatchTransform.truncate(source, width: count, into: $0)
            }
            results.withUnsafeMutableBufferPointer {
                BatchTransform.bucket(unscaled: source, count: count, into: $0)
            }
        }
        for row in 0..<500 {
            let transform = Transform.truncate(width: count)
            #expect(try transform.apply(.long(longs[row])) == .long(truncated[row]))
            let decimal = Datum.decimal(wide[row], scale: 2)
            #expect(try transform.apply(decimal) == .decimal(truncatedWide[row], scale: 2))
            #expect(try Transform.bucket(count: count).apply(decimal) == .int(results[row]))
        }
    }

    @Test("does columns of strings as it does single ones", arguments: 0..<8)
    func stringBatches(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let alphabet: [Character] = ["a", "é", "漢", "😀", "b"]
        let texts = (0..<200).map { _ in
            String(
                (0..<Int.random(in: 0...12, using: &random)).map { _ in
                    alphabet.randomElement(using: &random) ?? "a"
                }
            )
        }
        var offsets: [Int32] = [0]
        var bytes: [UInt8] = []
        for text in texts {
            bytes += text.utf8
            offsets.append(Int32(bytes.count))
        }
        let width = Int32.random(in: 1...6, using: &random)
        var ends = [Int32](repeating: 0, count: texts.count)
        var buckets = ends
        bytes.withUnsafeBytes { bytes in
            offsets.withUnsafeBufferPointer { offsets in
                ends.withUnsafeMutableBufferPointer {
                    BatchTransform.truncate(bytes: bytes, offsets: offsets, width: width, ends: $0)
                }
                buckets.withUnsafeMutableBufferPointer {
                    BatchTransform.bucket(bytes: bytes, offsets: offsets, count: 7, into: $0)
                }
            }
        }
        for (row, text) in texts.enumerated() {
            let cut = String(decoding: bytes[Int(offsets[row])..<Int(ends[row])], as: UTF8.self)
            #expect(try Transform.truncate(width: width).apply(.string(text)) == .string(cut))
            #expect(try Transform.bucket(count: 7).apply(.string(text)) == .int(buckets[row]))
        }
        let uuids = (0..<20).map { _ in UInt128(random.next()) << 64 | UInt128(random.next()) }
        let fixed = uuids.flatMap { Datum.uuid($0).bytes }
        var results = [Int32](repeating: 0, count: 20)
        fixed.withUnsafeBytes { fixed in
            results.withUnsafeMutableBufferPointer {
                BatchTransform.bucket(fixed: fixed, width: 16, count: 9, into: $0)
            }
        }
        for (uuid, result) in zip(uuids, results) {
            #expect(try Transform.bucket(count: 9).apply(.uuid(uuid)) == .int(result))
        }
    }

    @Test(
        "counts days as the Gregorian calendar does",
        arguments: [0, 17486, -1, 11016, -719_468, 2_932_896]
    )
    func calendar(days: Int) {
        #expect(CivilDate(daysSinceEpoch: days).daysSinceEpoch == days)
        #expect(CivilDate(daysSinceEpoch: days).isValid)
    }

    @Test("knows leap years")
    func leapYears() {
        #expect(CivilDate(year: 2000, month: 2, day: 29).isValid)
        #expect(!CivilDate(year: 1900, month: 2, day: 29).isValid)
        #expect(CivilDate(daysSinceEpoch: 11016) == CivilDate(year: 2000, month: 2, day: 29))
        for days in -200_000..<200_000 {
            let date = CivilDate(daysSinceEpoch: days)
            if date.daysSinceEpoch != days || !date.isValid {
                Issue.record("day \(days) is \(date)")
                return
            }
        }
    }
}
