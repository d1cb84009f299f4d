import Columnar
import TestSupport
import Testing
import TextFiles

#if canImport(Glibc)
import Glibc
#endif

/// Speed, printed for people to read: run with `VARVE_MEASURE=1`.
@Suite("Measurements", .enabled(if: getenv("VARVE_MEASURE") != nil), .serialized)
struct Measurements {
    static let rowCount = 200_000

    /// Lines like those of airline on-time tables.
    static func flights() -> [UInt8] {
        var random = SeededGenerator(seed: 1)
        var text = "date,carrier,flight,tailnum,origin,dest,dep_time,dep_delay,arr_delay,"
        text += "distance,air_time,cancelled,time_hour\n"
        for row in 0..<rowCount {
            let month = row / 28 % 12 + 1
            let day = row % 28 + 1
            let date = "2013-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)"
            let delay = Int.random(in: -20...400, using: &random)
            text += "\(date),UA,\(row % 6000),N\(row % 1000)UA,EWR,"
            text += "\(["IAH", "MIA", "ORD"][row % 3]),\(row % 2400),\(delay),\(delay - 3).5,"
            text += "\(row % 3000),\(row % 500).25,\(row % 50 == 0),\(date) 05:00:00\n"
        }
        return Array(text.utf8)
    }

    func report(_ name: String, _ byteCount: Int, _ body: () throws -> Int) rethrows {
        var best = Double.infinity
        var count = 0
        for _ in 0..<5 {
            let clock = ContinuousClock()
            let time = try clock.measure { count = try body() }
            best = min(
                best,
                Double(time.components.attoseconds) / 1e18 + Double(time.components.seconds)
            )
        }
        print("\(name): \(Int(Double(byteCount) / best / 1e6)) MB/s, \(count) rows")
    }

    @Test func csv() throws {
        let bytes = Self.flights()
        try report("CSV read", bytes.count) {
            let reader = try CSVReader()
            var count = 0
            for start in stride(from: 0, to: bytes.count, by: 1 << 18) {
                bytes.withUnsafeBytes {
                    reader.feed(
                        UnsafeRawBufferPointer(
                            rebasing: $0[start..<min(bytes.count, start + 1 << 18)]
                        )
                    )
                }
                while let batch = try reader.next() { count += batch.rowCount }
            }
            reader.finish()
            while let batch = try reader.next() { count += batch.rowCount }
            return count
        }
    }
}
