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
}
