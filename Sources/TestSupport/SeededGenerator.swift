/// A repeatable source of randomness (SplitMix64), so that a failing test names the seed that fails.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Random bytes of a random length up to `countMax`.
package func randomBytes(
    upTo countMax: Int,
    using random: inout SeededGenerator
) -> [UInt8] {
    let count = Int.random(in: 0...countMax, using: &random)
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
}
