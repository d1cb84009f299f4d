import Columnar
import Parquet
import Testing

@Suite("ParquetFile")
struct ParquetFileTests {
    @Test("refuses what is not Parquet")
    func notParquet() {
        #expect(throws: ParquetError.self) {
            try ParquetFile.parse(suffix: Array(repeating: 7, count: 100), fileSize: 100)
        }
    }

    @Test("names an encrypted footer as unsupported")
    func encrypted() {
        let bytes = Array(repeating: UInt8(0), count: 20) + Array("PARE".utf8)
        let error = #expect(throws: ParquetError.self) {
            try ParquetFile.parse(suffix: bytes, fileSize: bytes.count)
        }
        #expect(error?.code == .unsupported)
    }

    @Test("says which bytes it needs")
    func needs() throws {
        let rows = RandomRows([.int32, .string], rowCount: 50, seed: 1)
        let (bytes, summary) = try written(
            rows.batches(seed: 1),
            schema: rows.schema,
            options: ParquetWriteOptions()
        )
        let size = bytes.count
        guard case .needs(let first) = try ParquetFile.parse(suffix: [UInt8](), fileSize: size),
            case .needs(let second) = try ParquetFile.parse(
                suffix: Array(bytes.suffix(8)),
                fileSize: size
            ),
            case .complete(let metadata) = try ParquetFile.parse(
                suffix: Array(bytes[second]),
                fileSize: size
            )
        else {
            Issue.record("asked for something else")
            return
        }
        #expect(first == max(0, size - ParquetFile.suggestedSuffixByteCount)..<size)
        #expect(second == size - summary.footerByteCount..<size)
        #expect(metadata.rowCount == 50)
        let locations = try metadata.chunkLocations(rowGroup: 0, columns: [4, 1])
        #expect(locations.map(\.leaf) == [4, 1])
        #expect(locations[1].byteRange.lowerBound > summary.splitOffsets[0])
        #expect(
            locations.map(\.byteRange.count) == [4, 1].map { summary.columns[$0].byteCount }
        )
    }

    @Test("text that is not UTF-8 is refused, unless told otherwise")
    func invalidText() throws {
        let schema = Schema([Field("b", .binary)])
        let cases: [[[UInt8]]] = [
            [[0xff]], [[0x61], [0xc3]],
            [[UInt8](repeating: 0x61, count: 99) + [0xed, 0xa0, 0x80]],
        ]
        for values in cases {
            let column = Column(.binary, values.map { .binary($0) })
            for usesDictionaries in [true, false] {
                var options = ParquetWriteOptions()
                options.usesDictionaries = usesDictionaries
                let batch = RecordBatch(
                    schema: schema,
                    columns: [column],
                    rowCount: values.count
                )
                let file = try LoadedFile(
                    try written([batch], schema: schema, options: options).bytes
                )
                let error = #expect(throws: ParquetError.self) {
                    try file.values(column: 0, as: .string)
                }
                #expect(error?.code == .corrupt)
                var reading = ParquetReadOptions()
                reading.validatesUTF8 = false
                #expect(
                    try file.values(column: 0, as: .string, options: reading).count == values.count
                )
                #expect(try file.values(column: 0).count == values.count)
            }
        }
    }

    @Test("a page that does not match its checksum is refused, unless told otherwise")
    func checksums() throws {
        let schema = Schema([Field("n", .int64)])
        let column = Column(.int64, (0..<1000).map { .int64($0) })
        var options = ParquetWriteOptions()
        options.compression = .uncompressed
        options.usesDictionaries = false
        var (bytes, _) = try written(
            [RecordBatch(schema: schema, columns: [column], rowCount: 1000)],
            schema: schema,
            options: options
        )
        bytes[4000] ^= 1
        let file = try LoadedFile(bytes)
        let error = #expect(throws: ParquetError.self) { try file.values(column: 0) }
        #expect(error?.code == .corrupt)
        #expect(error?.context == ["column n", "page 0"])
        var reading = ParquetReadOptions()
        reading.verifiesChecksums = false
        #expect(try file.values(column: 0, options: reading).count == 1000)
    }
}
