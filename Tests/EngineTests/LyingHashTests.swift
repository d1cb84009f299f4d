import Columnar
import Kernels
import Testing

/// Different keys of one hash: none is known among texts, so these are made by what the hash computes.
@Suite("Keys that hash alike")
struct LyingHashTests {
    /// Two values of 23 and 31 bytes whose steps through the hash meet: what the counts add to the first
    /// eight bytes is taken out of them again, and the last sixteen bytes are the same.
    private static func pair(_ seed: UInt8) -> [[UInt8]] {
        let spread: UInt64 = 0x2D35_8DCC_AA6C_78A5
        let tail = (0..<7).map { UInt8($0) &+ seed }
        var second: [UInt8] = [0, 1, 2, 3, 4, 5, 6, 0]
        func bytes(_ word: UInt64) -> [UInt8] {
            (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
        }
        let short: UInt64 = 0x1122_3344_5566_7788 &+ UInt64(seed)
        let long = short ^ (23 &* spread) ^ (31 &* spread)
        second[7] = bytes(short)[7]
        return [bytes(short) + second + tail, bytes(long) + second + second + tail]
    }

    private static func literal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return "unhex('" + String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
            + "')"
    }

    private let pairs = (0..<200).map { Self.pair(UInt8($0)) }

    @Test("they do hash alike")
    func hash() {
        for pair in pairs {
            let column = Column(.binary, pair.map { .binary($0) })
            let buffer = Hashing.hash([column], count: 2)
            withExtendedLifetime(buffer) {
                let hashes = buffer.mutable(as: UInt64.self)
                #expect(hashes[0] == hashes[1])
            }
            #expect(pair[0] != pair[1])
        }
    }

    @Test("each is a group of its own, also in several columns, and when the table has grown since")
    func groups() async throws {
        let memory = MemorySession()
        let values = pairs.flatMap { $0 }.enumerated().map { "(\($0), \(Self.literal($1)))" }
        try await memory.run(
            "CREATE TABLE t AS SELECT * FROM (VALUES \(values.joined(separator: ", "))) v(i, b)"
        )
        // The rows in between make the table of groups grow.
        try await memory.run(
            "INSERT INTO t SELECT range, encode('text ' || range) FROM range(400, 60000)"
        )
        try await memory.run("INSERT INTO t SELECT i, b FROM t WHERE i < 400 ORDER BY i DESC")
        for keys in ["b", "b, i", "i % 1, b"] {
            let rows = try await memory.run(
                """
                SELECT n, count(*) FROM (SELECT count(*) AS n FROM t GROUP BY \(keys)) GROUP BY n ORDER BY n
                """
            )
            #expect(rows == [[.int64(1), .int64(59_600)], [.int64(2), .int64(400)]], "\(keys)")
        }
        let distinct = try await memory.run(
            "SELECT count(DISTINCT b), approx_count_distinct(b) > 0 FROM t"
        )
        #expect(distinct == [[.int64(60_000), .boolean(true)]])
        let joined = try await memory.run("SELECT count(*) FROM t a JOIN t b ON a.b = b.b")
        #expect(joined == [[.int64(59_600 + 4 * 400)]])
        let kept = try await memory.run(
            "SELECT count(*) FROM t WHERE b IN (SELECT b FROM t WHERE i % 2 = 0 AND i < 400)"
        )
        #expect(kept == [[.int64(400)]])
    }
}
