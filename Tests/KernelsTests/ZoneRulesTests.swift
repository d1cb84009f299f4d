import Ambient
import Columnar
import TestSupport
import Testing

import Kernels

@Suite("Rules of time zones")
struct ZoneRulesTests {
    private static func file(_ name: String) -> [UInt8]? {
        readSmallFile("/usr/share/zoneinfo/" + name)
    }

    private static let zurich = file("Europe/Zurich")

    private func rules(_ name: String) throws -> ZoneRules {
        try ZoneRules(name: name, bytes: try #require(Self.file(name)))
    }

    @Test("Offsets change when clocks do", .enabled(if: zurich != nil, "tzdata is not installed"))
    func offsets() throws {
        let zone = try rules("Europe/Zurich")
        // 2024-03-31T01:00:00Z and the second before it.
        #expect(zone.offset(at: 1_711_846_800) == 7200)
        #expect(zone.offset(at: 1_711_846_799) == 3600)
        // Long after the last entry of the file the footer's rule holds: summer and winter of 2150.
        #expect(zone.offset(at: 5_696_092_800) == 7200)
        #expect(zone.offset(at: 5_680_281_600) == 3600)
        // Local mean time, long before.
        #expect(zone.offset(at: -3_786_825_600) == 2048)
    }

    @Test(
        "A clock time in a gap moves on, one shown twice is the later",
        .enabled(if: zurich != nil, "tzdata is not installed")
    )
    func gapsAndOverlaps() throws {
        let zone = try rules("Europe/Zurich")
        func local(_ text: String) throws -> Int64 {
            var text = text
            return try #require(text.withUTF8 { TextParse.timestamp($0)?.micros })
        }
        // 02:30 does not exist: it is 03:30 of summer, 01:30 UTC.
        let gap = try #require(zone.instant(try local("2024-03-31 02:30:00")))
        #expect(gap == (try local("2024-03-31 01:30:00")))
        #expect(zone.local(gap) == (try local("2024-03-31 03:30:00")))
        // 02:30 is shown twice: the later is 01:30 UTC.
        let overlap = zone.instant(try local("2024-10-27 02:30:00"))
        #expect(overlap == (try local("2024-10-27 01:30:00")))
    }

    @Test(
        "What clocks show leads back to the instant, but in the hour that is shown twice",
        .enabled(if: zurich != nil, "tzdata is not installed"),
        arguments: ["Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
    )
    func roundTrips(_ name: String) throws {
        let zone = try rules(name)
        var random = SeededGenerator(seed: 5)
        var wrong = 0
        for _ in 0..<20_000 {
            let micros = Int64.random(
                in: -2_000_000_000_000_000...9_000_000_000_000_000,
                using: &random
            )
            let local = try #require(zone.local(micros))
            let back = try #require(zone.instant(local))
            // Where it is not the instant it is a later one that clocks show as the same time.
            if back != micros {
                #expect(back > micros)
                #expect(zone.local(back) == local)
                wrong += 1
            }
        }
        #expect(wrong < 40)
    }

    @Test("Extremes give nothing rather than a wrong instant")
    func extremes() {
        let zone = ZoneRules(name: "+01", offsetSeconds: 3600)
        #expect(zone.local(.max) == nil)
        #expect(zone.instant(.min) == nil)
        #expect(zone.local(.min) != nil)
    }

    @Test(
        "Damaged files throw or are read, and never trap",
        .enabled(if: zurich != nil, "tzdata is not installed")
    )
    func fuzz() throws {
        let whole = try #require(Self.zurich)
        var random = SeededGenerator(seed: 11)
        for round in 0..<4000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0...255,
                    using: &random
                )
            }
            if round % 3 == 0 { bytes.removeLast(Int.random(in: 0...bytes.count, using: &random)) }
            guard let zone = try? ZoneRules(name: "x", bytes: bytes) else { continue }
            for seconds: Int64 in [
                Int64.min / 1_000_000, -1, 0, 1_711_846_800, 1 << 40, Int64.max / 1_000_000,
            ] {
                _ = zone.offset(at: seconds)
                _ = zone.instant(seconds * 1_000_000)
                _ = zone.local(seconds * 1_000_000)
            }
        }
        for count in 0..<min(whole.count, 200) {
            #expect(throws: KernelError.self) {
                try ZoneRules(name: "x", bytes: Array(whole.prefix(count)))
            }
        }
    }

    @Test("Rules that POSIX does not have are refused")
    func posixRules() {
        for text in [
            "CET-1CEST,M3.5.0,M10.5.0/3", "<-03>3", "EST5EDT,M3.2.0,M11.1.0",
            "IST-2IDT,M3.4.4/26,M10.5.0", "X",
        ] {
            #expect((PosixRule(Array(text.utf8)) != nil) == (text != "X"))
        }
        for text in [
            "", "CET", "CET-1CEST", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.5.7,M1.1.0",
            "CET-99", "<ab", "CET-1CEST,J366,J1",
        ] {
            #expect(PosixRule(Array(text.utf8)) == nil, "\(text)")
        }
        var random = SeededGenerator(seed: 3)
        let characters = Array("CEST<>+-0123456789,M.J/:".utf8)
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...30, using: &random)).map { _ in
                characters[Int.random(in: 0..<characters.count, using: &random)]
            }
            _ = PosixRule(text)?.offset(at: 1_700_000_000)
        }
    }
}
