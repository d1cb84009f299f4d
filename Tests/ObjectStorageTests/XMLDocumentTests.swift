import ObjectStorage
import Testing
import TestSupport

@Suite struct XMLDocumentTests {
    private static let listing = """
        <?xml version="1.0" encoding="UTF-8"?>
        <!-- a comment -->
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/" a='1>2'>
          <Name>bucket</Name><Prefix/><KeyCount>2</KeyCount>
          <Contents><Key>a&amp;b &#x41;&#66; &lt;x&gt;</Key><ETag>&quot;e&quot;</ETag></Contents>
          <Contents><Key><![CDATA[<raw>]]>é</Key></Contents>
        </ListBucketResult>

        """

    @Test("elements, texts, references, comments and CDATA are read")
    func reading() throws {
        let root = try parseXML(Array(Self.listing.utf8))
        #expect(root.name == "ListBucketResult")
        #expect(root.text(of: "Name") == "bucket" && root.text(of: "Prefix") == "")
        let contents = root.all("Contents")
        #expect(contents.map { $0.text(of: "Key") } == ["a&b AB <x>", "<raw>é"])
        #expect(contents.first?.text(of: "ETag") == "\"e\"")
    }

    @Test(
        "what is not plain XML is refused",
        arguments: [
            "", " ", "text", "<a>", "<a></b>", "<a", "<a b></a>", "<a b=c></a>", "<a b='c></a>",
            "<a>&unknown;</a>", "<a>&#0;</a>", "<a>&#xD800;</a>", "<a>&amp</a>", "<a/><b/>",
            "<a/>x",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a><![CDATA[</a>", "<a><!-- </a>", "< a/>",
        ]
    )
    func refusing(text: String) {
        #expect(throws: XMLError.self) { try parseXML(Array(text.utf8)) }
    }

    @Test("depth and number of elements are bounded")
    func bounds() {
        let deep = String(repeating: "<a>", count: 100_000)
        #expect(throws: XMLError.self) { try parseXML(Array(deep.utf8)) }
        let wide = "<r>" + String(repeating: "<a/>", count: 100_001) + "</r>"
        #expect(throws: XMLError.self) { try parseXML(Array(wide.utf8)) }
    }

    @Test("never traps on mutated or random bytes", arguments: 0..<16)
    func anyBytes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let valid = Array(Self.listing.utf8)
        for _ in 0..<1000 {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                guard !bytes.isEmpty else { break }
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: at)
                case 2: bytes = Array(bytes[..<max(at, 1)])
                default:
                    bytes.insert("<>&;/!-[]?=\"'".utf8.randomElement(using: &random) ?? 0, at: at)
                }
            }
            _ = try? parseXML(bytes)
            _ = try? parseXML(randomBytes(upTo: 40, using: &random))
        }
    }
}
