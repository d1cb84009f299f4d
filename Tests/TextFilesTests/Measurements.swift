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
        // Time of this thread, since other programs may run on the machine.
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        var best = Double.infinity
        var count = 0
        for _ in 0..<5 {
            let start = now()
            count = try body()
            best = min(best, now() - start)
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

    /// The same rows as NDJSON.
    static func lines() throws -> [UInt8] {
        let (schema, batches) = try CSVReader.read(flights())
        let writer = NDJSONWriter(schema: schema)
        return batches.flatMap { writer.encode($0) }
    }

    @Test func json() throws {
        let bytes = try Self.lines()
        try report("NDJSON read", bytes.count) {
            let reader = try JSONReader()
            var count = 0
            for start in stride(from: 0, to: bytes.count, by: 1 << 18) {
                reader.feed(Array(bytes[start..<min(bytes.count, start + 1 << 18)]))
                while let batch = try reader.next() { count += batch.rowCount }
            }
            reader.finish()
            while let batch = try reader.next() { count += batch.rowCount }
            return count
        }
    }

    @Test func writing() throws {
        let (schema, batches) = try CSVReader.read(Self.flights())
        let csvCount = Self.flights().count
        try report("CSV write", csvCount) {
            let writer = try CSVWriter(schema: schema)
            return batches.reduce(0) { writer.encode($1).isEmpty ? $0 : $0 + $1.rowCount }
        }
        report("NDJSON write", try Self.lines().count) {
            let writer = NDJSONWriter(schema: schema)
            return batches.reduce(0) { writer.encode($1).isEmpty ? $0 : $0 + $1.rowCount }
        }
    }

    @Test func arrow() throws {
        let (schema, batches) = try CSVReader.read(Self.flights())
        for compression in [nil, .lz4Frame, .zstd] as [IPCCompression?] {
            var options = IPCWriteOptions()
            options.compression = compression
            var stream: [UInt8] = []
            // Megabytes of uncompressed stream, whatever the compression.
            var plain = IPCStreamWriter(schema: schema)
            let plainCount = try batches.reduce(0) { $0 + (try plain.encode($1).count) }
            let name = compression.map { "\($0)" } ?? "plain"
            try report("Arrow write \(name)", plainCount) {
                var writer = IPCStreamWriter(schema: schema, options: options)
                stream = try writer.schemaMessage()
                for batch in batches { stream += try writer.encode(batch) }
                return Self.rowCount
            }
            try report("Arrow read \(name)", plainCount) {
                let reader = IPCStreamReader()
                var count = 0
                for start in stride(from: 0, to: stream.count, by: 1 << 18) {
                    reader.feed(Array(stream[start..<min(stream.count, start + 1 << 18)]))
                    while let batch = try reader.next() { count += batch.rowCount }
                }
                return count
            }
        }
    }

    @Test("a batch with more than 2 GiB of text is cut in two")
    func largeText() throws {
        let text = String(repeating: "x", count: 1 << 20)
        let schema = Schema([Field("s", .string)])
        let column = Column.constant(.string(text), .string, count: 2100)
        let batch = RecordBatch(schema: schema, columns: [column], rowCount: 2100)
        var writer = IPCStreamWriter(schema: schema)
        let reader = IPCStreamReader()
        reader.feed(try writer.schemaMessage())
        reader.feed(try writer.encode(batch))
        var counts: [Int] = []
        while let batch = try reader.next() {
            counts.append(batch.rowCount)
            #expect(batch.columns[0].value(at: batch.rowCount - 1) == .string(text))
        }
        #expect(counts == [1050, 1050])
    }
}
