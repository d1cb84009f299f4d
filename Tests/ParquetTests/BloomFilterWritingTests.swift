import Bytes
import Columnar
import Parquet
import TestSupport
import Testing

@Suite("Bloom filters of files that are written")
struct BloomFilterWritingTests {
    private struct Written {
        var file: LoadedFile
        var rows: RandomRows

        func filter(rowGroup: Int, leaf: Int) throws -> BloomFilter? {
            let chunk = file.metadata.rowGroups[rowGroup].columns[leaf]
            guard let offset = chunk.bloomFilterOffset, let length = chunk.bloomFilterLength else {
                return nil
            }
            let bytes = UnsafeRawBufferPointer(rebasing: file.bytes.bytes[offset..<offset + length])
            let byteCount = try BloomFilter.byteCount(
                header: UnsafeRawBufferPointer(
                    rebasing: bytes.prefix(BloomFilter.headerByteCountMax)
                )
            )
            #expect(byteCount == length)
            #expect(chunk.bloomFilterChecksum == crc32c(bytes))
            return try BloomFilter(bytes)
        }
    }

    private static let types: [DataType] = [
        .int32, .int64, .float32, .float64, .string, .binary, .date, .timestamp,
        .decimal(precision: 9, scale: 2), .decimal(precision: 30, scale: 4), .uuid, .boolean,
    ]

    private func write(
        _ types: [DataType],
        rowCount: Int,
        _ change: (inout ParquetWriteOptions) -> Void
    ) throws -> Written {
        var rows = RandomRows(types, rowCount: rowCount, seed: 11)
        rows.schema = Schema(
            rows.schema.fields.enumerated().map { index, field in
                var field = field
                field.id = index + 1
                return field
            }
        )
        var options = ParquetWriteOptions()
        options.bloomFilterFieldIDs = Set(1...rows.schema.count)
        change(&options)
        let bytes = try written(rows.batches(seed: 3), schema: rows.schema, options: options).bytes
        return Written(file: try LoadedFile(bytes), rows: rows)
    }

    @Test("every value of every type is in its filter", arguments: 0..<4)
    func noFalseNegatives(variant: Int) throws {
        let written = try write(Self.types, rowCount: 3000) {
            $0.usesDictionaries = variant != 1
            $0.numberEncoding = variant == 1 ? .delta : .plain
            $0.dictionaryByteCountMax = variant == 2 ? 2000 : 1 << 20
            $0.pageRowCountMax = variant == 2 ? 100 : 20_000
            $0.rowGroupRowCountMax = variant == 3 ? 700 : 1_000_000
        }
        let metadata = written.file.metadata
        for leaf in metadata.schema.leaves.indices {
            let values = try written.file.values(column: leaf)
            var row = 0
            for group in metadata.rowGroups.indices {
                let filter = try written.filter(rowGroup: group, leaf: leaf)
                let end = row + metadata.rowGroups[group].rowCount
                defer { row = end }
                guard let filter else {
                    #expect(metadata.schema.leaves[leaf].type == .boolean)
                    continue
                }
                for value in values[row..<end] where !value.isNull {
                    #expect(filter.mightContain(value, leaf: metadata.schema.leaves[leaf]))
                }
            }
        }
    }

    @Test("about one value in a hundred that is not there passes")
    func falsePositives() throws {
        let schema = Schema([Field("a", .int64, id: 1)])
        var options = ParquetWriteOptions()
        options.bloomFilterFieldIDs = [1]
        for count in [10, 1000, 60_000] {
            let column = Column(.int64, (0..<count).map { .int64(Int64($0) * 2) })
            let batch = RecordBatch(schema: schema, columns: [column], rowCount: count)
            let file = try LoadedFile(try written([batch], schema: schema, options: options).bytes)
            let filter = try #require(
                try Written(file: file, rows: RandomRows([.int64], rowCount: 1, seed: 1))
                    .filter(rowGroup: 0, leaf: 0)
            )
            let leaf = file.metadata.schema.leaves[0]
            let passed = (0..<10_000).count {
                filter.mightContain(.int64(Int64($0) * 2 + 1), leaf: leaf)
            }
            #expect(passed < 250, "\(passed) of 10 000 with \(count) values")
            let length = try #require(file.metadata.rowGroups[0].columns[0].bloomFilterLength)
            #expect(length <= 64 + max(32, count * 3))
        }
    }

    @Test("a filter never takes more than it may, and one that helps nobody is left out")
    func limits() throws {
        let schema = Schema([Field("a", .int64, id: 1)])
        var options = ParquetWriteOptions()
        options.bloomFilterFieldIDs = [1]
        options.bloomFilterByteCountMax = 5000
        for (count, isThere) in [(3000, true), (6000, true), (200_000, false)] {
            let column = Column(.int64, (0..<count).map { .int64(Int64($0)) })
            let batch = RecordBatch(schema: schema, columns: [column], rowCount: count)
            let file = try LoadedFile(try written([batch], schema: schema, options: options).bytes)
            let length = file.metadata.rowGroups[0].columns[0].bloomFilterLength
            #expect((length != nil) == isThere, "\(count) values")
            if let length { #expect(length <= 4096 + 64) }
        }
    }

    @Test("a zero is found by either sign, and a NaN by another")
    func zeros() throws {
        let schema = Schema([Field("a", .float64, id: 1)])
        var options = ParquetWriteOptions()
        options.bloomFilterFieldIDs = [1]
        options.usesDictionaries = false
        let column = Column(.float64, [.float64(-0.0), .float64(.nan)])
        let batch = RecordBatch(schema: schema, columns: [column], rowCount: 2)
        let file = try LoadedFile(try written([batch], schema: schema, options: options).bytes)
        let filter = try #require(
            try Written(file: file, rows: RandomRows([.float64], rowCount: 1, seed: 1))
                .filter(rowGroup: 0, leaf: 0)
        )
        for bits in [Double(0).bitPattern, Double(-0.0).bitPattern, Double.nan.bitPattern] {
            #expect(
                withUnsafeBytes(of: bits.littleEndian) { filter.mightContain(hash: xxHash64($0)) }
            )
        }
    }
}
