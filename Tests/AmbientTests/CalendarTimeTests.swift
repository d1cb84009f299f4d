import Ambient
import TestSupport
import Testing

@Suite struct CalendarTimeTests {
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
        "times are written as HTTP, logs and answers have them",
        arguments: [
            (784_111_777_000_000, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z"),
            (951_782_400_123_000, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00.123Z"),
            (1_714_566_600_123_456, "Wed, 01 May 2024 12:30:00 GMT", "2024-05-01T12:30:00.123Z"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59.999Z"),
            (-62_135_596_800_000_000, "Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01T00:00:00.000Z"),
        ] as [(Int64, String, String)]
    )
    func writing(micros: Int64, http: String, iso: String) {
        #expect(CalendarTime(micros: micros).httpText == http)
        #expect(isoTime(micros: micros) == iso)
        if micros % 1000 == 0 { #expect(isoTime(millis: micros / 1000) == iso) }
    }

    @Test("years of five and six digits, years before 0000 and times too far away are written")
    func farAway() {
        #expect(isoTime(millis: 253_402_300_800_000) == "10000-01-01T00:00:00.000Z")
        #expect(isoTime(millis: -62_198_755_200_000) == "-0001-01-01T00:00:00.000Z")
        #expect(isoTime(micros: Int64.max) == "294247-01-10T04:00:54.775Z")
        #expect(isoTime(millis: Int64.max) == isoTime(micros: Int64.max))
        #expect(isoTime(millis: Int64.min) == isoTime(micros: Int64.min))
    }
}
