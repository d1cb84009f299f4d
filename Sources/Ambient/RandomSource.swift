import Synchronization

/// Where randomness comes from, so that a whole run can be replayed from one seed.
package protocol RandomSource: Sendable {
    /// 64 random bits.
    func nextBits() -> UInt64
}

extension RandomSource {
    /// A number in `0..<bound`, or 0 when the bound is not positive.
    package func number(below bound: Int64) -> Int64 {
        guard bound > 0 else { return 0 }
        // The high half of the product is uniform up to one part in 2^64 / bound.
        return Int64(nextBits().multipliedFullWidth(by: UInt64(bound)).high)
    }
}

/// The operating system's generator, fit for identifiers and secrets.
package struct SystemRandom: RandomSource {
    package init() {}

    package func nextBits() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}

/// A repeatable generator (SplitMix64) that many tasks may share; never for secrets.
package final class SeededRandom: RandomSource {
    private let state: Mutex<UInt64>

    package init(seed: UInt64) {
        state = Mutex(seed)
    }

    package func nextBits() -> UInt64 {
        var z = state.withLock { state -> UInt64 in
            state &+= 0x9E37_79B9_7F4A_7C15
            return state
        }
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
