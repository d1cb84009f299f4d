import ObjectStorage
import Testing
import TestSupport

@Suite struct TextFormTests {
    @Test("times are read in the forms of HTTP and S3, and written in that of signatures")
    func times() {
        let micros: Int64 = 1_369_353_600_000_000
        #expect(CalendarTime(micros: micros).basicText == "20130524T000000Z")
        #expect(CalendarTime(httpText: "Fri, 24 May 2013 00:00:00 GMT")?.micros == micros)
        #expect(CalendarTime(isoText: "2013-05-24T00:00:00Z")?.micros == micros)
        #expect(CalendarTime(isoText: "2013-05-24T00:00:00.25Z")?.micros == micros + 250_000)
        #expect(CalendarTime(isoText: "2013-05-24T00:00:00.123456789Z")?.micros == micros + 123_456)
        for text in [
            "2013-05-24", "2013-13-24T00:00:00Z", "2013-05-24T00:00:00.Z", "x013-05-24T00:00:00Z",
        ] {
            #expect(CalendarTime(isoText: text) == nil)
        }
        for text in [
            "", "Fri, 24 Mai 2013 00:00:00 GMT", "Fri, 24 May 2013 00:00 GMT", "a b c d e GMT",
        ] {
            #expect(CalendarTime(httpText: text) == nil)
        }
    }

    @Test("microseconds survive the way to a date and back, also before 1970 and in leap years")
    func calendar() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<10_000 {
            // The years 1 to 9999.
            let micros = Int64.random(
                in: -62_135_596_800_000_000...253_402_300_799_999_999,
                using: &random
            )
            #expect(CalendarTime(micros: micros).micros == micros)
        }
        #expect(CalendarTime(micros: 951_782_400_000_000).basicText == "20000229T000000Z")
        #expect(CalendarTime(micros: -1).basicText == "19691231T235959Z")
    }

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
