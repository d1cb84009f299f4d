/// Unpacks integers of one width, known when this is compiled: that is what lets the loop be laid out
/// flat and vectorised.
///
/// Both read whole words: 9 bytes behind the last packed byte must be readable.
private enum Unpacker<let width: Int> {
    @inline(__always)
    static func groups32(
        _ source: UnsafeRawPointer,
        _ target: UnsafeMutablePointer<UInt32>,
        _ groupCount: Int
    ) {
        let mask = (UInt64(1) &<< UInt64(width)) &- 1
        var (source, target) = (source, target)
        for _ in 0..<groupCount {
            for index in 0..<8 {
                let bit = index &* width
                let word = source.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self)
                target[index] = UInt32(truncatingIfNeeded: (word &>> UInt64(bit & 7)) & mask)
            }
            source += width
            target += 8
        }
    }

    @inline(__always)
    static func groups64(
        _ source: UnsafeRawPointer,
        _ target: UnsafeMutablePointer<UInt64>,
        _ groupCount: Int
    ) {
        let mask = width == 64 ? UInt64.max : (UInt64(1) &<< UInt64(width)) &- 1
        var (source, target) = (source, target)
        for _ in 0..<groupCount {
            for index in 0..<8 {
                let bit = index &* width
                let shift = UInt64(bit & 7)
                var word =
                    source.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self) &>> shift
                if width > 57, shift != 0 {
                    let next = source.loadUnaligned(
                        fromByteOffset: (bit &>> 3) &+ 8,
                        as: UInt8.self
                    )
                    word |= UInt64(next) &<< (64 &- shift)
                }
                target[index] = word & mask
            }
            source += width
            target += 8
        }
    }
}

/// Unpacks `groupCount` times 8 integers of `width` (0 to 32) bits.
func unpack32(
    width: Int,
    _ source: UnsafeRawPointer,
    _ target: UnsafeMutablePointer<UInt32>,
    groupCount: Int
) {
    switch width {
    case 0: target.update(repeating: 0, count: groupCount &* 8)
    case 1: Unpacker<1>.groups32(source, target, groupCount)
    case 2: Unpacker<2>.groups32(source, target, groupCount)
    case 3: Unpacker<3>.groups32(source, target, groupCount)
    case 4: Unpacker<4>.groups32(source, target, groupCount)
    case 5: Unpacker<5>.groups32(source, target, groupCount)
    case 6: Unpacker<6>.groups32(source, target, groupCount)
    case 7: Unpacker<7>.groups32(source, target, groupCount)
    case 8: Unpacker<8>.groups32(source, target, groupCount)
    case 9: Unpacker<9>.groups32(source, target, groupCount)
    case 10: Unpacker<10>.groups32(source, target, groupCount)
    case 11: Unpacker<11>.groups32(source, target, groupCount)
    case 12: Unpacker<12>.groups32(source, target, groupCount)
    case 13: Unpacker<13>.groups32(source, target, groupCount)
    case 14: Unpacker<14>.groups32(source, target, groupCount)
    case 15: Unpacker<15>.groups32(source, target, groupCount)
    case 16: Unpacker<16>.groups32(source, target, groupCount)
    case 17: Unpacker<17>.groups32(source, target, groupCount)
    case 18: Unpacker<18>.groups32(source, target, groupCount)
    case 19: Unpacker<19>.groups32(source, target, groupCount)
    case 20: Unpacker<20>.groups32(source, target, groupCount)
    case 21: Unpacker<21>.groups32(source, target, groupCount)
    case 22: Unpacker<22>.groups32(source, target, groupCount)
    case 23: Unpacker<23>.groups32(source, target, groupCount)
    case 24: Unpacker<24>.groups32(source, target, groupCount)
    case 25: Unpacker<25>.groups32(source, target, groupCount)
    case 26: Unpacker<26>.groups32(source, target, groupCount)
    case 27: Unpacker<27>.groups32(source, target, groupCount)
    case 28: Unpacker<28>.groups32(source, target, groupCount)
    case 29: Unpacker<29>.groups32(source, target, groupCount)
    case 30: Unpacker<30>.groups32(source, target, groupCount)
    case 31: Unpacker<31>.groups32(source, target, groupCount)
    case 32: Unpacker<32>.groups32(source, target, groupCount)
    default: preconditionFailure("a width of \(width) bits")
    }
}

/// Unpacks `groupCount` times 8 integers of `width` (0 to 64) bits.
func unpack64(
    width: Int,
    _ source: UnsafeRawPointer,
    _ target: UnsafeMutablePointer<UInt64>,
    groupCount: Int
) {
    switch width {
    case 0: target.update(repeating: 0, count: groupCount &* 8)
    case 1: Unpacker<1>.groups64(source, target, groupCount)
    case 2: Unpacker<2>.groups64(source, target, groupCount)
    case 3: Unpacker<3>.groups64(source, target, groupCount)
    case 4: Unpacker<4>.groups64(source, target, groupCount)
    case 5: Unpacker<5>.groups64(source, target, groupCount)
    case 6: Unpacker<6>.groups64(source, target, groupCount)
    case 7: Unpacker<7>.groups64(source, target, groupCount)
    case 8: Unpacker<8>.groups64(source, target, groupCount)
    case 9: Unpacker<9>.groups64(source, target, groupCount)
    case 10: Unpacker<10>.groups64(source, target, groupCount)
    case 11: Unpacker<11>.groups64(source, target, groupCount)
    case 12: Unpacker<12>.groups64(source, target, groupCount)
    case 13: Unpacker<13>.groups64(source, target, groupCount)
    case 14: Unpacker<14>.groups64(source, target, groupCount)
    case 15: Unpacker<15>.groups64(source, target, groupCount)
    case 16: Unpacker<16>.groups64(source, target, groupCount)
    case 17: Unpacker<17>.groups64(source, target, groupCount)
    case 18: Unpacker<18>.groups64(source, target, groupCount)
    case 19: Unpacker<19>.groups64(source, target, groupCount)
    case 20: Unpacker<20>.groups64(source, target, groupCount)
    case 21: Unpacker<21>.groups64(source, target, groupCount)
    case 22: Unpacker<22>.groups64(source, target, groupCount)
    case 23: Unpacker<23>.groups64(source, target, groupCount)
    case 24: Unpacker<24>.groups64(source, target, groupCount)
    case 25: Unpacker<25>.groups64(source, target, groupCount)
    case 26: Unpacker<26>.groups64(source, target, groupCount)
    case 27: Unpacker<27>.groups64(source, target, groupCount)
    case 28: Unpacker<28>.groups64(source, target, groupCount)
    case 29: Unpacker<29>.groups64(source, target, groupCount)
    case 30: Unpacker<30>.groups64(source, target, groupCount)
    case 31: Unpacker<31>.groups64(source, target, groupCount)
    case 32: Unpacker<32>.groups64(source, target, groupCount)
    case 33: Unpacker<33>.groups64(source, target, groupCount)
    case 34: Unpacker<34>.groups64(source, target, groupCount)
    case 35: Unpacker<35>.groups64(source, target, groupCount)
    case 36: Unpacker<36>.groups64(source, target, groupCount)
    case 37: Unpacker<37>.groups64(source, target, groupCount)
    case 38: Unpacker<38>.groups64(source, target, groupCount)
    case 39: Unpacker<39>.groups64(source, target, groupCount)
    case 40: Unpacker<40>.groups64(source, target, groupCount)
    case 41: Unpacker<41>.groups64(source, target, groupCount)
    case 42: Unpacker<42>.groups64(source, target, groupCount)
    case 43: Unpacker<43>.groups64(source, target, groupCount)
    case 44: Unpacker<44>.groups64(source, target, groupCount)
    case 45: Unpacker<45>.groups64(source, target, groupCount)
    case 46: Unpacker<46>.groups64(source, target, groupCount)
    case 47: Unpacker<47>.groups64(source, target, groupCount)
    case 48: Unpacker<48>.groups64(source, target, groupCount)
    case 49: Unpacker<49>.groups64(source, target, groupCount)
    case 50: Unpacker<50>.groups64(source, target, groupCount)
    case 51: Unpacker<51>.groups64(source, target, groupCount)
    case 52: Unpacker<52>.groups64(source, target, groupCount)
    case 53: Unpacker<53>.groups64(source, target, groupCount)
    case 54: Unpacker<54>.groups64(source, target, groupCount)
    case 55: Unpacker<55>.groups64(source, target, groupCount)
    case 56: Unpacker<56>.groups64(source, target, groupCount)
    case 57: Unpacker<57>.groups64(source, target, groupCount)
    case 58: Unpacker<58>.groups64(source, target, groupCount)
    case 59: Unpacker<59>.groups64(source, target, groupCount)
    case 60: Unpacker<60>.groups64(source, target, groupCount)
    case 61: Unpacker<61>.groups64(source, target, groupCount)
    case 62: Unpacker<62>.groups64(source, target, groupCount)
    case 63: Unpacker<63>.groups64(source, target, groupCount)
    case 64: Unpacker<64>.groups64(source, target, groupCount)
    default: preconditionFailure("a width of \(width) bits")
    }
}
