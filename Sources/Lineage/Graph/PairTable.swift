/// Numbers by pairs of numbers: what one question has seen.
///
/// Open addressing, at most half full.
struct PairTable {
    private struct Slot {
        var a: UInt64
        var b: UInt64
        var value: UInt32
        var isTaken: Bool
    }

    private var slots: [Slot]
    private(set) var count = 0

    init() { slots = Self.empty(64) }

    private static func empty(_ count: Int) -> [Slot] {
        Array(repeating: Slot(a: 0, b: 0, value: 0, isTaken: false), count: count)
    }

    private func place(_ a: UInt64, _ b: UInt64) -> Int {
        let mask = slots.count - 1
        var at = Int(truncatingIfNeeded: IndexStorage.hash(a, b)) & mask
        while slots[at].isTaken, slots[at].a != a || slots[at].b != b { at = (at + 1) & mask }
        return at
    }

    func find(_ a: UInt64, _ b: UInt64 = 0) -> UInt32? {
        let slot = slots[place(a, b)]
        return slot.isTaken ? slot.value : nil
    }

    /// The value of a pair; `value` where it had none, which it then has.
    mutating func value(_ a: UInt64, _ b: UInt64 = 0, orSet value: UInt32) -> UInt32 {
        let at = place(a, b)
        if slots[at].isTaken { return slots[at].value }
        slots[at] = Slot(a: a, b: b, value: value, isTaken: true)
        count += 1
        if 2 * count > slots.count { grow() }
        return value
    }

    /// Notes a pair.
    ///
    /// - Returns: whether it is new.
    mutating func insert(_ a: UInt64, _ b: UInt64 = 0) -> Bool {
        let before = count
        _ = value(a, b, orSet: 0)
        return count > before
    }

    private mutating func grow() {
        let old = slots
        slots = Self.empty(old.count * 2)
        for slot in old where slot.isTaken { slots[place(slot.a, slot.b)] = slot }
    }
}
