import Columnar
import Parquet
import TestSupport
import Testing

@Suite("Checksums of Parquet files")
struct ChecksumTests {
    /// Every value of a file, and the page index and magic numbers checked, as an audit does.
    private func readAll(_ bytes: [UInt8]) throws -> [[String]] {
        let file = try LoadedFile(bytes)
        if let range = file.metadata.pageIndexRange {
            try file.metadata.verifyPageIndex(
                UnsafeRawBufferPointer(rebasing: file.bytes.bytes[range])
            )
        }
        if !bytes.starts(with: Array("PAR1".utf8)) { throw Failure("no magic number in front") }
        return try file.metadata.schema.columns.indices.map {
            try file.values(column: $0).map(canonical)
        }
    }

    private func write(
        _ types: [DataType],
        rowCount: Int,
        _ change: (inout ParquetWriteOptions) -> Void
    ) throws -> [UInt8] {
        let rows = RandomRows(types, rowCount: rowCount, seed: 9)
        var options = ParquetWriteOptions()
        change(&options)
        return try written(rows.batches(seed: 2), schema: rows.schema, options: options).bytes
    }

    @Test("a flipped bit anywhere is an error", arguments: 0..<5)
    func anyBit(variant: Int) throws {
        let types: [DataType] = [.int64, .string, .list(Field("element", .float64))]
        let bytes = try write(types, rowCount: 40) {
            $0.usesDataPageV2 = variant == 1
            $0.usesDictionaries = variant != 2
            $0.numberEncoding = variant == 2 ? .delta : .plain
            $0.pageRowCountMax = variant == 3 ? 15 : 20_000
            $0.rowGroupRowCountMax = variant == 3 ? 30 : 1_000_000
            $0.compression = variant == 4 ? .uncompressed : .zstd
        }
        let expected = try readAll(bytes)
        #expect(expected[0].count == 40)
        #expect(try LoadedFile(bytes).metadata.isChecksummed)
        // A stride that meets every byte twice at least, and every bit of a byte in its turn.
        forEachFlippedBit(of: bytes, stride: 3, tailByteCount: 250) { damaged, byte, bit in
            #expect(throws: (any Error).self, "byte \(byte) of \(bytes.count) bit \(bit)") {
                _ = try readAll(damaged)
            }
        }
    }

    @Test("a scan finds every flipped bit that its columns depend on")
    func pageHeaders() throws {
        // Without page index and magic: what a query reads.
        let bytes = try write([.int32, .string], rowCount: 60) { $0.pageRowCountMax = 25 }
        let whole = try LoadedFile(bytes)
        let expected = try whole.values(column: 1).map(canonical)
        let mine = try #require(
            whole.metadata.chunkLocations(rowGroup: 0, columns: [1]).first?.byteRange
        )
        let footer = whole.metadata.footerOffset
        forEachFlippedBit(of: bytes) { damaged, byte, bit in
            let read = Result { try LoadedFile(damaged).values(column: 1).map(canonical) }
            if byte >= footer || mine.contains(byte) {
                #expect(throws: (any Error).self, "byte \(byte) bit \(bit)") { try read.get() }
            } else {
                #expect((try? read.get()) == expected, "byte \(byte) bit \(bit)")
            }
        }
    }

    @Test("files without checksums are read as before")
    func without() throws {
        let plain = try write([.int64], rowCount: 10) { $0.writesChecksums = false }
        #expect(!(try LoadedFile(plain).metadata.isChecksummed))
        let sealed = try write([.int64], rowCount: 10) { _ in }
        let renamed = withoutChecksums(sealed)
        #expect(!(try LoadedFile(renamed).metadata.isChecksummed))
        #expect(try readAll(renamed) == readAll(plain))
    }

    @Test("a file that only says that it has checksums is damaged")
    func lost() throws {
        let bytes = try write([.int64], rowCount: 10) { _ in }
        let key = Array("varve.crc32c".utf8) + [0x18, 8]
        let start = try #require(bytes.indices.last { bytes[$0...].starts(with: key) })
        var damaged = bytes
        damaged[start] ^= 1
        #expect(throws: ParquetError.self) { _ = try LoadedFile(damaged) }
    }
}
