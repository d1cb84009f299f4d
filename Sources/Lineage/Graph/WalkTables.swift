// What one question has seen. Answers may have a hundred thousand nodes, so what is looked up for each is as small
// as it can be: places of four bytes, or numbers of eight. Open addressing, at most half full.

/// Places in a list, found by what is there: whoever asks compares.
struct PlaceTable {
    private var slots: [UInt32] = Array(repeating: none, count: 64)
    private var count = 0

    /// The place that has the same, among those with this hash.
    func find(_ hash: UInt64, isSame: (UInt32) -> Bool) -> UInt32? {
        let mask = slots.count - 1
        var at = Int(truncatingIfNeeded: hash) & mask
        while slots[at] != none {
            if isSame(slots[at]) { return slots[at] }
            at = (at + 1) & mask
        }
        return nil
    }

    /// Makes room for so many more.
    mutating func reserve(_ more: Int, hashOf: (UInt32) -> UInt64) {
        if 2 * (count + more) > slots.count { grow(to: count + more, hashOf: hashOf) }
    }

    private mutating func grow(to wanted: Int, hashOf: (UInt32) -> UInt64) {
        let old = slots
        var slotCount = old.count
        while slotCount < 2 * wanted { slotCount *= 2 }
        slots = Array(repeating: none, count: slotCount)
        for place in old where place != none { put(place, hashOf(place)) }
    }

    /// Adds a place that is not there yet.
    ///
    /// - Parameter hashOf: the hash of what is at a place, for those that have to move.
    mutating func insert(_ place: UInt32, _ hash: UInt64, hashOf: (UInt32) -> UInt64) {
        count += 1
        // Room for twice as many, so that few have to move often.
        if 2 * count > slots.count { grow(to: 2 * count, hashOf: hashOf) }
        put(place, hash)
    }

    private mutating func put(_ place: UInt32, _ hash: UInt64) {
        let mask = slots.count - 1
        var at = Int(truncatingIfNeeded: hash) & mask
        while slots[at] != none { at = (at + 1) & mask }
        slots[at] = place
    }
}

/// A set of numbers of 64 bits, of which the highest is never one.
struct NumberSet {
    private static let empty = UInt64.max

    private var slots: [UInt64] = Array(repeating: Self.empty, count: 64)
    private var count = 0

    private func place(_ number: UInt64) -> Int {
        let mask = slots.count - 1
        var at = Int(truncatingIfNeeded: IndexStorage.hash(number, 0)) & mask
        while slots[at] != Self.empty, slots[at] != number { at = (at + 1) & mask }
        return at
    }

    /// Makes room for so many more.
    mutating func reserve(_ more: Int) {
        if 2 * (count + more) > slots.count { grow(to: count + more) }
    }

    private mutating func grow(to wanted: Int) {
        let old = slots
        var slotCount = old.count
        while slotCount < 2 * wanted { slotCount *= 2 }
        slots = Array(repeating: Self.empty, count: slotCount)
        for other in old where other != Self.empty { slots[place(other)] = other }
    }

    func contains(_ number: UInt64) -> Bool { slots[place(number)] == number }

    /// - Returns: whether it is new.
    @discardableResult
    mutating func insert(_ number: UInt64) -> Bool {
        var at = place(number)
        if slots[at] == number { return false }
        count += 1
        if 2 * count > slots.count {
            grow(to: 2 * count)
            at = place(number)
        }
        slots[at] = number
        return true
    }
}
