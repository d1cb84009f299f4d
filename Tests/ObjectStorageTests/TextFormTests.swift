import ObjectStorage
import Testing
import TestSupport

@Suite struct TextFormTests {
    @Test(
        "percent-encoding is undone by decoding, and broken escapes are refused",
        arguments: 0..<4
    )
    func percent(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let text = String(decoding: randomBytes(upTo: 30, using: &random), as: UTF8.self)
            let encoded = percentEncoded(text)
            #expect(encoded.utf8.allSatisfy { $0 < 0x80 && $0 > 0x20 })
            #expect(percentDecoded(encoded).map { Array($0.utf8) } == Array(text.utf8))
            _ = percentDecoded(text + "%")
        }
        #expect(percentDecoded("a+b%2Bc") == "a b+c")
        for text in ["%", "%4", "%G1", "%4G", "%FF", "%C3"] { #expect(percentDecoded(text) == nil) }
    }

    @Test("base 64 is that of RFC 4648, section 10")
    func base64() {
        let cases = [
            "": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==",
            "fooba": "Zm9vYmE=",
            "foobar": "Zm9vYmFy",
        ]
        for (plain, encoded) in cases { #expect(base64Text(Array(plain.utf8)) == encoded) }
    }

    @Test("settings files of any bytes never trap", arguments: 0..<4)
    func settingsFiles(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let pieces = [
            "[", "]", "=", "profile ", "default", "\n", " ", "\t", "#", ";", "é", "a", "\r\n",
        ]
        for _ in 0..<2000 {
            let count = Int.random(in: 0...20, using: &random)
            let text = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            let file = AWSSettingsFile(text: text)
            _ = file["default", "a"]
            _ = file.hasProfile("default")
        }
    }
}
