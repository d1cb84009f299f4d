/// Where values lie that have a hash: open addressing, at most half full.
///
/// It keeps the hash beside the place, so it can grow without looking at the values.
struct IndexTable: ~Copyable {
    struct Slot: BitwiseCopyable {
        var hash: UInt32
        /// Plus one; 0 for an empty slot.
        var place: UInt32
    }

    /// How many slots a table has that has any.
    static let sizeMin = 16

    var slots = Region<Slot>()
    private(set) var count = 0

    init() {}

    /// A search for all places with a hash.
    struct Search {
        fileprivate var hash: UInt32
        fileprivate var slot: Int
    }

    /// What a table of a file holds, counted.
    mutating func recount() {
        var found = 0
        slots.withElements(0..<slots.count) { slots in
            for slot in slots where slot.place != 0 { found += 1 }
        }
        count = found
    }

    func search(_ hash: UInt64) -> Search {
        let short = UInt32(truncatingIfNeeded: hash >> 32) ^ UInt32(truncatingIfNeeded: hash)
        return Search(hash: short, slot: slots.count == 0 ? 0 : Int(short) & (slots.count - 1))
    }

    /// The next place whose value may be the one that is searched for; nil when there are no more.
    func next(_ search: inout Search) -> UInt32? {
        guard slots.count > 0 else { return nil }
        let mask = slots.count - 1
        // As many steps as slots at most: a table that came from a file may be full.
        for _ in 0...mask {
            let slot = slots[search.slot]
            if slot.place == 0 { return nil }
            search.slot = (search.slot + 1) & mask
            if slot.hash == search.hash { return slot.place - 1 }
        }
        return nil
    }

    /// Adds a place, which must not be there yet.
    mutating func insert(_ hash: UInt64, _ place: UInt32) {
        if 2 * (count + 1) > slots.count { grow() }
        let search = search(hash)
        put(Slot(hash: search.hash, place: place + 1))
        count += 1
    }

    /// Gives a value another place.
    mutating func replace(_ hash: UInt64, _ old: UInt32, with new: UInt32) {
        guard slots.count > 0 else { return }
        let mask = slots.count - 1
        var at = search(hash).slot
        for _ in 0...mask {
            if slots[at].place == 0 { return }
            if slots[at].place == old + 1 {
                slots[at].place = new + 1
                return
            }
            at = (at + 1) & mask
        }
    }

    private mutating func put(_ slot: Slot) {
        let mask = slots.count - 1
        var at = Int(slot.hash) & mask
        while slots[at].place != 0 { at = (at + 1) & mask }
        slots[at] = slot
    }

    private mutating func grow() {
        let size = max(Self.sizeMin, slots.count * 2)
        var old = Region<Slot>()
        swap(&old, &slots)
        slots.append(zeros: size)
        for index in 0..<old.count where old[index].place != 0 { put(old[index]) }
    }
}
