/// A time zone: when its clocks were set to which offset from UTC.
///
/// Read from a TZif file (RFC 8536, versions 1 to 4); beyond its last entry the rule in the file's
/// footer goes on, as POSIX writes it.
package final class ZoneRules: Sendable {
    package let name: String
    /// Seconds since 1970 at which an offset begins to hold, ascending.
    private let transitions: [Int64]
    /// The offset from each transition on, in seconds.
    private let offsets: [Int32]
    /// Before the first transition.
    private let firstOffset: Int32
    private let rule: PosixRule?

    /// Offsets that clocks can have: RFC 8536 has them within 25 and 26 hours.
    private static let offsetsAllowed = -89_999...93_599

    /// A zone that never changes.
    package init(name: String, offsetSeconds: Int) {
        self.name = name
        transitions = []
        offsets = []
        firstOffset = Int32(clamping: offsetSeconds)
        rule = nil
    }

    /// Reads a TZif file.
    ///
    /// - Throws: `invalidPattern` when the bytes are not such a file.
    package init(name: String, bytes: [UInt8]) throws(KernelError) {
        func wrong(_ why: String) -> KernelError {
            KernelError(.invalidPattern, "the file of time zone \(name) is damaged: \(why)")
        }
        var reader = Reader(bytes: bytes)
        guard let header = reader.header() else { throw wrong("no TZif header") }
        var counts = header
        var isWide = false
        if header.version >= 2 {
            // The first block is of 32-bit times, for old readers; a second one follows.
            guard reader.skip(header.byteCount(timeSize: 4)), let second = reader.header() else {
                throw wrong("no second block")
            }
            counts = second
            isWide = true
        }
        guard counts.typeCount > 0, counts.typeCount <= 256, counts.transitionCount <= 100_000,
            let times = reader.times(counts.transitionCount, isWide: isWide),
            let indexes = reader.take(counts.transitionCount),
            let types = reader.take(counts.typeCount * 6),
            reader.skip(
                counts.nameByteCount + counts.leapCount * (isWide ? 12 : 8) + counts.standardCount
                    + counts.universalCount
            )
        else { throw wrong("it ends too early") }
        var typeOffsets: [Int32] = []
        for type in 0..<counts.typeCount {
            var bits: UInt32 = 0
            for byte in types[(types.startIndex + type * 6)...].prefix(4) {
                bits = bits << 8 | UInt32(byte)
            }
            let offset = Int32(bitPattern: bits)
            guard Self.offsetsAllowed.contains(Int(offset)) else {
                throw wrong("an offset of days")
            }
            typeOffsets.append(offset)
        }
        var offsets: [Int32] = []
        for index in indexes {
            guard Int(index) < typeOffsets.count else { throw wrong("an unknown kind of time") }
            offsets.append(typeOffsets[Int(index)])
        }
        guard zip(times, times.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw wrong("its times are not in order")
        }
        var rule: PosixRule?
        if isWide {
            guard let footer = reader.footer() else { throw wrong("no footer") }
            if !footer.isEmpty {
                guard let read = PosixRule(footer) else { throw wrong("its rule is not POSIX's") }
                rule = read
            }
        }
        self.name = name
        transitions = times
        self.offsets = offsets
        firstOffset = typeOffsets[0]
        self.rule = rule
    }

    private struct Header {
        var version: Int
        var universalCount: Int
        var standardCount: Int
        var leapCount: Int
        var transitionCount: Int
        var typeCount: Int
        var nameByteCount: Int

        func byteCount(timeSize: Int) -> Int {
            transitionCount * (timeSize + 1) + typeCount * 6 + nameByteCount
                + leapCount * (timeSize + 4) + standardCount + universalCount
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        var index = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
            guard count >= 0, bytes.count - index >= count else { return nil }
            defer { index += count }
            return bytes[index..<index + count]
        }

        mutating func skip(_ count: Int) -> Bool { take(count) != nil }

        mutating func header() -> Header? {
            guard let head = take(44), Array(head.prefix(4)) == Array("TZif".utf8) else {
                return nil
            }
            let first = head.startIndex
            func number(_ place: Int) -> Int {
                // Counts beyond a million are no zone's, and cannot overflow what is made of them.
                head[(first + 20 + place * 4)...].prefix(4).reduce(0) {
                    min(1 << 20, $0 << 8 | Int($1))
                }
            }
            let version = head[first + 4]
            return Header(
                version: version == 0 ? 1 : Int(version) - 48,
                universalCount: number(0),
                standardCount: number(1),
                leapCount: number(2),
                transitionCount: number(3),
                typeCount: number(4),
                nameByteCount: number(5)
            )
        }

        mutating func times(_ count: Int, isWide: Bool) -> [Int64]? {
            let size = isWide ? 8 : 4
            guard let raw = take(count * size) else { return nil }
            return (0..<count).map { place in
                let start = raw.startIndex + place * size
                let bits = raw[start..<start + size].reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
                return isWide
                    ? Int64(bitPattern: bits) : Int64(Int32(truncatingIfNeeded: bits))
            }
        }

        mutating func footer() -> [UInt8]? {
            guard take(1)?.first == 10, let end = bytes[index...].firstIndex(of: 10) else {
                return nil
            }
            return Array(bytes[index..<end])
        }
    }

    // MARK: Looking up

    /// The offset from UTC in seconds at an instant given in seconds since 1970.
    package func offset(at seconds: Int64) -> Int {
        guard let last = transitions.last, seconds < last else {
            if let rule { return rule.offset(at: seconds) }
            return Int(offsets.last ?? firstOffset)
        }
        // The last transition at or before the instant.
        var (low, high) = (0, transitions.count)
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] <= seconds { low = middle + 1 } else { high = middle }
        }
        return Int(low == 0 ? firstOffset : offsets[low - 1])
    }

    /// What a clock shows at an instant, both in microseconds; nil if it does not fit.
    package func local(_ micros: Int64) -> Int64? {
        let seconds = Int64(CivilSeconds.floor(micros))
        let (result, overflow) = micros.addingReportingOverflow(
            Int64(offset(at: seconds)) * 1_000_000
        )
        return overflow ? nil : result
    }

    /// The instant at which a clock shows a time, both in microseconds; nil if it does not fit.
    ///
    /// A time that is shown twice means the second instant; one that is never shown is counted on
    /// from before the gap (02:30 becomes 03:30).
    package func instant(_ local: Int64) -> Int64? {
        let seconds = CivilSeconds.floor(local)
        let twoDays: Int64 = 2 * 86_400
        let (early, a) = seconds.subtractingReportingOverflow(twoDays)
        let (late, b) = seconds.addingReportingOverflow(twoDays)
        guard !a, !b else { return nil }
        let before = offset(at: early)
        let after = offset(at: late)
        var best: Int64?
        for candidate in before == after ? [before] : [before, after] {
            let instant = seconds - Int64(candidate)
            if offset(at: instant) == candidate { best = max(best ?? instant, instant) }
        }
        // Two changes within the days around are rare: look at the offset in between, too.
        let middle = offset(at: seconds - Int64(before))
        if middle != before, middle != after {
            let instant = seconds - Int64(middle)
            if offset(at: instant) == middle { best = max(best ?? instant, instant) }
        }
        let shift = best.map { seconds - $0 } ?? Int64(before)
        let (result, overflow) = local.subtractingReportingOverflow(shift * 1_000_000)
        return overflow ? nil : result
    }
}

/// Whole seconds of microseconds.
enum CivilSeconds {
    @inline(__always)
    static func floor(_ micros: Int64) -> Int64 {
        let seconds = micros / 1_000_000
        return micros % 1_000_000 < 0 ? seconds - 1 : seconds
    }
}
