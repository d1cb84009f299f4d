import Columnar
import Testing

import Kernels

@Suite("Digests and stable hashes")
struct DigestTests {
    private func text(_ column: Column) -> String? {
        guard case .string(let text) = column.value(at: 0) else { return nil }
        return text
    }

    @Test("Digests are those of the standards' examples")
    func digests() throws {
        let abc = Column(.string, [.string("abc")])
        #expect(text(try Digests.md5(abc)) == "900150983cd24fb0d6963f7d28e17f72")
        #expect(text(try Digests.sha1(abc)) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            text(try Digests.sha256(abc))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
        let empty = Column(.string, [.string("")])
        #expect(text(try Digests.md5(empty)) == "d41d8cd98f00b204e9800998ecf8427e")
    }

    @Test("A hash never changes: these are promised")
    func hashes() throws {
        func hash(_ column: Column) throws -> UInt64 {
            guard case .int64(let bits) = try StableHash.hash([column], count: 1).value(at: 0)
            else {
                return 0
            }
            return UInt64(bitPattern: bits)
        }
        // XXH64 of nothing and of "abc" with the seed 0, as its authors give them.
        #expect(try hash(Column(.string, [.string("")])) == 0xEF46_DB37_51D8_E999)
        #expect(try hash(Column(.string, [.string("abc")])) == 0x44BC_2CF5_AD77_0999)
        let narrow = try hash(Column(.int32, [.int32(7)]))
        #expect(try hash(Column(.int64, [.int64(7)])) == narrow)
        let zero = try hash(Column(.float64, [.float64(0)]))
        #expect(try hash(Column(.float64, [.float64(-0.0)])) == zero)
        #expect(try hash(Column(.int32, [.null])) != narrow)
    }
}
