import Bytes
import Foundation
import TestSupport
import Testing

import Iceberg

@Suite("Checksums of Avro files")
struct AvroChecksumTests {
    private static let schema: AvroSchema = .record(
        AvroRecord(name: "r", fields: [AvroField(name: "a", schema: .long(), fieldID: 1)])
    )

    private static func file(_ values: [Int64], codec: AvroCodec = .null) throws -> [UInt8] {
        var writer = AvroFileWriter(schema: schema, metadata: [("k", "v")], codec: codec)
        for value in values {
            try writer.append { (encoder) throws(IcebergError) in encoder.write(value) }
        }
        return try writer.finish()
    }

    @Test("the header's last entry is the CRC-32C of the file with zeros in its place")
    func place() throws {
        let bytes = try Self.file([1, -2, 300])
        let reader = try AvroFileReader(bytes: bytes)
        #expect(reader.isChecksummed)
        let digits = try #require(reader.text("varve.crc32c"))
        let text = Array("varve.crc32c".utf8)
        let key = try #require(
            bytes.indices.first { bytes[$0...].starts(with: text) }
        )
        // Behind the key: the length of eight digits, zigzag; the digits; the end of the map.
        let start = key + text.count + 1
        #expect(bytes[start - 1] == 16)
        #expect(bytes[start..<start + 8].elementsEqual(digits.utf8))
        #expect(bytes[start + 8] == 0)
        #expect(bytes[(start + 9)...].starts(with: Array("varve32c".utf8)))
        var zeroed = bytes
        zeroed.replaceSubrange(start..<start + 8, with: Array("00000000".utf8))
        let checksum = zeroed.withUnsafeBytes { crc32c($0) }
        #expect(ChecksumDigits.text(checksum) == Array(digits.utf8))
    }

    @Test("the golden file of Formats/table-format is what this program writes, and reads")
    func golden() throws {
        let path =
            #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
            + "/Formats/table-format/vectors/checksum.avro.hex"
        let bytes = try Self.file([1, -2, 300])
        var hex = ""
        for (index, byte) in bytes.enumerated() {
            if index > 0 { hex += index % 32 == 0 ? "\n" : "" }
            hex += byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16)
        }
        hex += "\n"
        if ProcessInfo.processInfo.environment["VARVE_WRITE_VECTORS"] != nil {
            try hex.write(toFile: path, atomically: true, encoding: .utf8)
        }
        #expect(hex == (try String(contentsOfFile: path, encoding: .utf8)))
    }

    @Test("a flipped bit anywhere is an error", arguments: [AvroCodec.null, .deflate])
    func anyBit(codec: AvroCodec) throws {
        let bytes = try Self.file(Array(0..<40), codec: codec)
        forEachFlippedBit(of: bytes) { damaged, byte, bit in
            #expect(throws: IcebergError.self, "byte \(byte) bit \(bit)") {
                var reader = try AvroFileReader(bytes: damaged)
                _ = try reader.readAll()
            }
        }
        for count in 0..<bytes.count {
            #expect(throws: IcebergError.self) {
                var reader = try AvroFileReader(bytes: Array(bytes[..<count]))
                _ = try reader.readAll()
            }
        }
    }

    @Test("a flipped bit anywhere in a manifest or a manifest list is an error")
    func manifests() throws {
        let (table, output) = try ManifestTests.manifest()
        let list = try ManifestTests.list([output.manifest])
        forEachFlippedBit(of: output.bytes) { damaged, byte, bit in
            #expect(throws: IcebergError.self, "byte \(byte) bit \(bit)") {
                var reader = try ManifestReader(
                    bytes: damaged,
                    manifest: list.manifests[0],
                    table: table
                )
                _ = try reader.entries()
            }
        }
        forEachFlippedBit(of: list.bytes) { damaged, byte, bit in
            #expect(throws: IcebergError.self, "byte \(byte) bit \(bit)") {
                _ = try ManifestListReader.read(damaged)
            }
        }
    }

    @Test("files of others have no checksum, and are read")
    func foreign() throws {
        let bytes = withoutChecksums(try Self.file([7, 8]))
        var reader = try AvroFileReader(bytes: bytes)
        #expect(!reader.isChecksummed)
        #expect(try reader.readAll().count == 2)
    }
}
