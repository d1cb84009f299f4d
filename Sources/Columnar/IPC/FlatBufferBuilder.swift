/// Writes FlatBuffers, from the end to the front.
///
/// Bytes are kept in reverse: a place is named by its distance from the end of the finished buffer,
/// which does not change while more is put in front.
struct FlatBufferBuilder {
    /// A table, string or vector that was written.
    struct Reference {
        fileprivate var distance: Int
    }

    private var reversed: [UInt8] = []
    private var alignmentMax = 8

    /// Fills up so that something of `size` bytes, put in front after `before` more, is aligned.
    private mutating func align(_ size: Int, before: Int = 0) {
        alignmentMax = max(alignmentMax, size)
        while (reversed.count + before) % size != 0 { reversed.append(0) }
    }

    private mutating func put<T: FixedWidthInteger>(_ value: T) {
        align(MemoryLayout<T>.size)
        putRaw(value)
    }

    private mutating func putRaw<T: FixedWidthInteger>(_ value: T) {
        for byte in (0..<MemoryLayout<T>.size).reversed() {
            reversed.append(UInt8(truncatingIfNeeded: value >> T(byte * 8)))
        }
    }

    private mutating func put(_ reference: Reference) {
        align(4)
        putRaw(UInt32(reversed.count + 4 - reference.distance))
    }

    private var here: Reference { Reference(distance: reversed.count) }

    mutating func string(_ text: String) -> Reference {
        let bytes = Array(text.utf8)
        align(4, before: bytes.count + 1)
        reversed.append(0)
        reversed.append(contentsOf: bytes.reversed())
        put(UInt32(bytes.count))
        return here
    }

    mutating func vector(_ references: [Reference]) -> Reference {
        align(4)
        for reference in references.reversed() { put(reference) }
        put(UInt32(references.count))
        return here
    }

    /// A vector of structs that are made of 64-bit words.
    mutating func vector(ofWords words: [Int64], wordsPerStruct: Int) -> Reference {
        align(8)
        for word in words.reversed() { putRaw(word) }
        put(UInt32(words.count / wordsPerStruct))
        return here
    }

    /// The fields of a table that is being written; those that are absent have their default.
    struct Fields {
        fileprivate enum Value {
            case byte(UInt8)
            case short(Int16)
            case int(Int32)
            case long(Int64)
            case reference(Reference)
        }
        fileprivate var values: [(slot: Int, value: Value)] = []

        mutating func set(_ slot: Int, _ value: UInt8) { values.append((slot, .byte(value))) }
        mutating func set(_ slot: Int, _ value: Bool) { set(slot, UInt8(value ? 1 : 0)) }
        mutating func set(_ slot: Int, _ value: Int16) { values.append((slot, .short(value))) }
        mutating func set(_ slot: Int, _ value: Int32) { values.append((slot, .int(value))) }
        mutating func set(_ slot: Int, _ value: Int64) { values.append((slot, .long(value))) }
        mutating func set(_ slot: Int, _ value: Reference) {
            values.append((slot, .reference(value)))
        }
    }

    mutating func table(_ fields: (inout Fields) -> Void) -> Reference {
        var all = Fields()
        fields(&all)
        let start = reversed.count
        var places = [Int](repeating: 0, count: (all.values.map(\.slot).max() ?? -1) + 1)
        for (slot, value) in all.values {
            switch value {
            case .byte(let value): put(value)
            case .short(let value): put(value)
            case .int(let value): put(value)
            case .long(let value): put(value)
            case .reference(let value): put(value)
            }
            places[slot] = reversed.count
        }
        put(Int32(0))
        let table = reversed.count
        for place in places.reversed() { put(UInt16(place == 0 ? 0 : table - place)) }
        put(UInt16(table - start))
        put(UInt16(2 * places.count + 4))
        let toVtable = Int32(reversed.count - table)
        for byte in 0..<4 {
            reversed[table - 1 - byte] = UInt8(truncatingIfNeeded: toVtable >> Int32(byte * 8))
        }
        return Reference(distance: table)
    }

    /// The whole buffer; its size is a multiple of 8.
    consuming func finish(_ root: Reference) -> [UInt8] {
        align(alignmentMax, before: 4)
        put(root)
        return reversed.reversed()
    }
}
