import Testing

import Kernels
import TestSupport

@Suite("Numbers of 128 bits and doubles")
struct WideConversionTests {
    @Test("become what the standard library makes of them")
    func conversions() {
        var random = SeededGenerator(seed: 17)
        var values: [Int128] = [0, 1, -1, .max, .min, .max - 1, .min + 1]
        for shift in 0..<127 {
            for step in [-2, -1, 0, 1, 2] as [Int128] {
                values.append((1 << Int128(shift)) &+ step)
                values.append(0 &- ((1 << Int128(shift)) &+ step))
                // Halfway between two doubles, and beside that.
                values.append(((1 << Int128(shift)) | (1 << Int128(max(0, shift - 53)))) &+ step)
            }
        }
        for _ in 0..<20_000 {
            let wide = Int128.random(in: .min ... .max, using: &random)
            values.append(wide >> Int128(Int.random(in: 0...127, using: &random)))
        }
        for value in values {
            let expected = Double(value)
            #expect(Double(nearest: value) == expected, "\(value)")
            #expect(Int128(whole: expected) == Int128(exactly: expected), "\(expected)")
        }
    }

    @Test("of doubles that are no such number there is none")
    func refusals() {
        for value in [0.5, -0.5, 1e300, -1e300, .infinity, -.infinity, .nan, 0x1p127, 0x1.fp127] {
            #expect(Int128(whole: value) == nil)
        }
        #expect(Int128(whole: -0x1p127) == .min)
        #expect(Int128(whole: -0.0) == 0)
        #expect(Int128(whole: 1e22) == 10_000_000_000_000_000_000_000)
    }
}
