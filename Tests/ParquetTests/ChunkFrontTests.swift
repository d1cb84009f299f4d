import Columnar
import Parquet
import TestSupport
import Testing

@Suite("ChunkFront")
struct ChunkFrontTests {
    /// The first rows of a column of the first row group, from the fronts of its chunks alone; nil when
    /// the file does not tell where these end.
    private func firstRows(
        _ rowCount: Int,
        of column: Int,
        in bytes: [UInt8]
    ) throws -> (values: [String], byteCount: Int)? {
        let file = try LoadedFile(bytes)
        let metadata = file.metadata
        guard metadata.mayHaveFronts(rowGroup: 0, column: column) else { return nil }
        var fronts: [ChunkBytes] = []
        for leaf in metadata.schema.columns[column].leaves {
            let chunk = metadata.rowGroups[0].columns[leaf]
            let place = try #require(chunk.offsetIndexRange)
            let front = try metadata.front(
                rowGroup: 0,
                leaf: leaf,
                rowCount: rowCount,
                offsetIndex: UnsafeRawBufferPointer(rebasing: file.bytes.bytes[place])
            )
            guard let front else { return nil }
            // A copy, so that nothing behind it can be read by accident.
            let part = Buffer(
                copying: UnsafeRawBufferPointer(rebasing: file.bytes.bytes[front.byteRange])
            )
            fronts.append(try ChunkBytes(part, count: front.byteRange.count).asFront(front))
        }
        let reader = try RowGroupColumnReader(
            metadata: metadata,
            rowGroup: 0,
            column: column,
            bytes: fronts,
            context: ParquetReadContext()
        )
        var values: [String] = []
        while values.count < rowCount {
            let part = try reader.read(rows: min(7, rowCount - values.count))
            for row in 0..<part.count { values.append(canonical(part.value(at: row))) }
        }
        return (values, fronts.reduce(0) { $0 + $1.count })
    }

    private static let types: [DataType] = [
        .int64, .string, .float64, .boolean, .list(Field("element", .string)),
        .structure([Field("a", .int32), Field("b", .list(Field("element", .int64)))]),
        .map(key: Field("key", .string, isNullable: false), value: Field("value", .float64)),
    ]

    @Test("the first rows come from the front alone", arguments: writeVariants.indices)
    func rows(variant: Int) throws {
        let rows = RandomRows(Self.types, rowCount: 700, seed: 12)
        var options = writeVariants[variant].options
        options.pageRowCountMax = 50
        options.writesPageIndex = true
        let (bytes, _) = try written(rows.batches(seed: 3), schema: rows.schema, options: options)
        let file = try LoadedFile(bytes)
        let groupRows = file.metadata.rowGroups[0].rowCount
        var smallerCount = 0
        for column in rows.columns.indices {
            let expected = rows.columns[column].map(canonical)
            for rowCount in [1, 2, 49, 50, 51, 130, groupRows] where rowCount <= groupRows {
                let read = try #require(try firstRows(rowCount, of: column, in: bytes))
                #expect(read.values == Array(expected[..<rowCount]), "column \(column)")
                let whole = try file.metadata.chunkLocations(rowGroup: 0, columns: [column])
                    .reduce(0) { $0 + $1.byteRange.count }
                #expect(read.byteCount <= whole)
                if read.byteCount < whole { smallerCount += 1 }
            }
        }
        #expect(smallerCount > 7)
    }

    @Test("a flipped bit anywhere gives an error or the right rows", arguments: [0, 1, 2])
    func damage(column: Int) throws {
        let rows = RandomRows(
            [.int64, .string, .list(Field("element", .int32))],
            rowCount: 90,
            seed: 4
        )
        var options = ParquetWriteOptions()
        options.pageRowCountMax = 20
        options.usesDictionaries = column != 0
        let (bytes, _) = try written(rows.batches(seed: 5), schema: rows.schema, options: options)
        let expected = rows.columns[column].prefix(10).map(canonical)
        var (errorCount, wholeCount) = (0, 0)
        forEachFlippedBit(of: bytes, stride: 1, tailByteCount: 400) { damaged, byte, bit in
            do {
                // nil: all of the chunk would be read, which has its own checksums.
                guard let read = try firstRows(10, of: column, in: damaged) else {
                    wholeCount += 1
                    return
                }
                #expect(read.values == expected, "byte \(byte) bit \(bit)")
            } catch {
                errorCount += 1
            }
        }
        #expect(errorCount > 500)
        #expect(wholeCount > 20)
    }

    @Test("files without checksums of single headers are read whole")
    func earlierFiles() throws {
        let rows = RandomRows([.int64], rowCount: 100, seed: 4)
        var options = ParquetWriteOptions()
        options.pageRowCountMax = 20
        let sealed = try written(rows.batches(seed: 5), schema: rows.schema, options: options).bytes
        // Without its mark the extension is somebody else's.
        let mark: [UInt8] = [0x5e, 0x0c, 0x9d, 0x3b]
        let start = try #require(sealed.indices.first { sealed[$0...].starts(with: mark) })
        var earlier = sealed
        earlier[start] ^= 0xff
        #expect(try firstRows(10, of: 0, in: earlier) == nil)
        options.writesChecksums = false
        let plain = try written(rows.batches(seed: 5), schema: rows.schema, options: options).bytes
        let read = try #require(try firstRows(10, of: 0, in: plain))
        #expect(read.values == rows.columns[0].prefix(10).map(canonical))
    }
}
