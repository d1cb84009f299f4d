/// The members of a JSON object in the order they were written, with lookup by key.
///
/// Keys are unique: the parser refuses a text that repeats one. Two objects are equal when they have
/// the same members in any order.
package struct JSONObject: Sendable {
    /// One key and its value.
    package struct Member: Sendable, Hashable {
        /// The key.
        package var key: String
        /// The value.
        package var value: JSON

        package init(_ key: String, _ value: JSON) {
            self.key = key
            self.value = value
        }
    }

    /// The members in their order.
    package private(set) var members: [Member]
    /// Where each key is; kept only when looking through the members would take longer.
    private var positions: [String: Int]?

    private static let countWithoutPositions = 16

    /// An object without members.
    package init() {
        members = []
        positions = nil
    }

    /// The object of members whose keys are known to differ.
    init(differing members: [Member]) {
        self.members = members
        positions = nil
        if members.count > Self.countWithoutPositions { indexKeys() }
    }

    private mutating func indexKeys() {
        var positions = [String: Int](minimumCapacity: members.count)
        for (index, member) in members.enumerated() { positions[member.key] = index }
        self.positions = positions
    }

    private func position(of key: String) -> Int? {
        if let positions { return positions[key] }
        return members.firstIndex { $0.key == key }
    }

    /// How many members there are.
    package var count: Int { members.count }

    /// Whether there is nothing in it.
    package var isEmpty: Bool { members.isEmpty }

    /// The keys in their order.
    package var keys: [String] { members.map(\.key) }

    /// The value of `key`, nil when there is none.
    ///
    /// Setting a known key keeps its place, a new one goes to the end, nil removes it.
    package subscript(_ key: String) -> JSON? {
        get { position(of: key).map { members[$0].value } }
        set {
            switch (position(of: key), newValue) {
            case (let position?, let value?):
                members[position].value = value
            case (let position?, nil):
                members.remove(at: position)
                positions = nil
                if members.count > Self.countWithoutPositions { indexKeys() }
            case (nil, let value?):
                members.append(Member(key, value))
                if positions != nil {
                    positions?[key] = members.count - 1
                } else if members.count > Self.countWithoutPositions {
                    indexKeys()
                }
            case (nil, nil):
                break
            }
        }
    }
}

extension JSONObject: Hashable {
    package static func == (left: JSONObject, right: JSONObject) -> Bool {
        guard left.count == right.count else { return false }
        for (index, member) in left.members.enumerated() {
            // Most equal objects have the same order too.
            let other = right.members[index]
            let value = other.key == member.key ? other.value : right[member.key]
            if value != member.value { return false }
        }
        return true
    }

    package func hash(into hasher: inout Hasher) {
        // The order of members does not count, so their hashes are summed.
        var sum = 0
        for member in members { sum &+= member.hashValue }
        hasher.combine(sum)
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// The members in their order; of two with the same key, the last value stays.
    package init(dictionaryLiteral elements: (String, JSON)...) {
        self.init()
        // Most get a few members more.
        members.reserveCapacity(elements.count + 4)
        for (key, value) in elements { self[key] = value }
    }
}
