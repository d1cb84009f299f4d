import Ambient
import Testing

@Suite struct IdentifierTests {
    @Test("version 4 and 7 UUIDs carry their version and variant, and repeat for a seed")
    func uuids() {
        let (one, two) = (AmbientSources.virtual(seed: 7), AmbientSources.virtual(seed: 7))
        for _ in 0..<100 {
            let (v4, v7) = (Array(one.uuidV4().utf8), Array(one.uuidV7().utf8))
            #expect(v4.count == 36 && v7.count == 36)
            #expect(v4[14] == UInt8(ascii: "4") && v7[14] == UInt8(ascii: "7"))
            #expect("89ab".utf8.contains(v4[19]) && "89ab".utf8.contains(v7[19]))
            #expect(String(decoding: v4, as: UTF8.self) == two.uuidV4())
            #expect(String(decoding: v7, as: UTF8.self) == two.uuidV7())
        }
    }

    @Test("a version 7 UUID begins with the milliseconds since 1970 and sorts by time")
    func versionSeven() {
        // 2022-02-22T19:22:22Z, the time of the example in RFC 9562, appendix A.6.
        let time = ManualTime(startMicros: 1_645_557_742_000_000)
        let sources = AmbientSources(time: time, random: SeededRandom(seed: 1))
        var last = sources.uuidV7()
        #expect(last.hasPrefix("017f22e2-79b0-7000-"))
        for _ in 0..<1000 {
            time.advance(byNanos: 1000)
            let next = sources.uuidV7()
            #expect(last < next)
            last = next
        }
    }

    @Test("snapshot ids are positive and differ")
    func snapshotIDs() {
        let sources = AmbientSources.virtual(seed: 3)
        let ids = (0..<10_000).map { _ in sources.snapshotID() }
        #expect(ids.allSatisfy { $0 > 0 })
        #expect(Set(ids).count == ids.count)
    }
}
