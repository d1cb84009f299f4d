/// Time, randomness and identifiers in one value, handed down from the executable or from a test.
package struct AmbientSources: Sendable {
    package var time: any TimeSource
    package var random: any RandomSource

    package init(time: any TimeSource, random: any RandomSource) {
        self.time = time
        self.random = random
    }

    /// The machine's own clock and generator.
    package static let system = AmbientSources(time: SystemTime(), random: SystemRandom())

    /// A clock that jumps on sleep and ids that repeat for the same seed.
    package static func virtual(seed: UInt64) -> AmbientSources {
        AmbientSources(time: ManualTime(), random: SeededRandom(seed: seed))
    }

    /// A random UUID (version 4) as 36 lower-case characters.
    ///
    /// - Spec: RFC 9562, section 5.4.
    package func uuidV4() -> String {
        uuidText(
            high: random.nextBits() & ~0xF000 | 0x4000,
            low: random.nextBits() & ~(0b11 << 62) | (0b10 << 62)
        )
    }

    /// A UUID (version 7) that sorts by its time, to a quarter of a microsecond.
    ///
    /// - Spec: RFC 9562, section 5.7, with the fraction of the millisecond in `rand_a` (method 3).
    package func uuidV7() -> String {
        let micros = UInt64(max(time.nowMicros(), 0))
        let fraction = (micros % 1000) * 4096 / 1000
        let high = (micros / 1000) << 16 | 0x7000 | fraction
        return uuidText(
            high: high,
            low: random.nextBits() & ~(0b11 << 62) | (0b10 << 62)
        )
    }

    /// A random snapshot id: positive, 63 bits, never 0.
    package func snapshotID() -> Int64 {
        while true {
            let id = Int64(random.nextBits() >> 1)
            if id > 0 { return id }
        }
    }
}

private func uuidText(high: UInt64, low: UInt64) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(36)
    for nibble in 0..<32 {
        if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
            text.append(UInt8(ascii: "-"))
        }
        let word = nibble < 16 ? high : low
        text.append(digits[Int((word >> UInt64(60 - (nibble % 16) * 4)) & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
