/// A count for each of some columns, by field id.
package struct ColumnCounts: Sendable, Hashable {
    /// Ascending.
    package private(set) var fieldIDs: [Int32] = []
    /// As many as there are ids.
    package private(set) var counts: [Int64] = []

    package init() {}

    /// Whether there is nothing in it.
    package var isEmpty: Bool { fieldIDs.isEmpty }

    /// The count of a column, nil when there is none; setting nil removes it.
    package subscript(_ fieldID: Int) -> Int64? {
        get {
            let index = lowerBound(fieldIDs, fieldID)
            return index < fieldIDs.count && Int(fieldIDs[index]) == fieldID ? counts[index] : nil
        }
        set {
            guard let id = Int32(exactly: fieldID) else { return }
            let index = lowerBound(fieldIDs, fieldID)
            let isThere = index < fieldIDs.count && fieldIDs[index] == id
            switch (isThere, newValue) {
            case (true, let count?): counts[index] = count
            case (true, nil):
                fieldIDs.remove(at: index)
                counts.remove(at: index)
            case (false, let count?):
                fieldIDs.insert(id, at: index)
                counts.insert(count, at: index)
            case (false, nil): break
            }
        }
    }

    mutating func reserve(_ count: Int) {
        fieldIDs.reserveCapacity(fieldIDs.count + count)
        counts.reserveCapacity(counts.count + count)
    }

    /// Adds the count of a column that comes after all others in most files.
    mutating func append(_ fieldID: Int32, _ count: Int64) {
        if fieldIDs.last.map({ $0 < fieldID }) ?? true {
            fieldIDs.append(fieldID)
            counts.append(count)
        } else {
            self[Int(fieldID)] = count
        }
    }
}

extension ColumnCounts: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (Int, Int64)...) {
        for (fieldID, count) in elements { self[fieldID] = count }
    }
}

/// A bound for each of some columns, by field id, in the binary single-value form.
///
/// All bounds share one array, so that a file with many columns costs a few allocations, not many.
package struct ColumnBounds: Sendable, Hashable {
    /// Ascending.
    package private(set) var fieldIDs: [Int32] = []
    /// Where in `bytes` the bound of each column ends; it begins where the one before ends.
    private var ends: [Int] = []
    private var bytes: [UInt8] = []

    package init() {}

    /// Whether there is nothing in it.
    package var isEmpty: Bool { fieldIDs.isEmpty }

    private func range(_ index: Int) -> Range<Int> {
        (index == 0 ? 0 : ends[index - 1])..<ends[index]
    }

    /// The bound at an index of `fieldIDs`.
    func bound(at index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

    /// The bound of a column, nil when there is none; setting nil removes it.
    package subscript(_ fieldID: Int) -> [UInt8]? {
        get {
            let index = lowerBound(fieldIDs, fieldID)
            guard index < fieldIDs.count, Int(fieldIDs[index]) == fieldID else { return nil }
            return Array(bytes[range(index)])
        }
        set {
            guard let id = Int32(exactly: fieldID) else { return }
            var all = pairs
            all.removeAll { $0.fieldID == id }
            if let newValue { all.append((id, newValue)) }
            self = ColumnBounds(all)
        }
    }

    private var pairs: [(fieldID: Int32, bound: [UInt8])] {
        fieldIDs.indices.map { (fieldIDs[$0], Array(bytes[range($0)])) }
    }

    private init(_ pairs: [(fieldID: Int32, bound: [UInt8])]) {
        for pair in pairs.sorted(by: { $0.fieldID < $1.fieldID }) {
            fieldIDs.append(pair.fieldID)
            bytes += pair.bound
            ends.append(bytes.count)
        }
    }

    mutating func reserve(_ count: Int) {
        fieldIDs.reserveCapacity(fieldIDs.count + count)
        ends.reserveCapacity(ends.count + count)
        bytes.reserveCapacity(bytes.count + 8 * count)
    }

    /// Adds the bound of a column that `read` appends to the bytes.
    mutating func append(
        _ fieldID: Int32,
        _ read: (inout [UInt8]) throws(IcebergError) -> Void
    ) throws(IcebergError) {
        if fieldIDs.last.map({ $0 < fieldID }) ?? true {
            try read(&bytes)
            fieldIDs.append(fieldID)
            ends.append(bytes.count)
        } else {
            var bound: [UInt8] = []
            try read(&bound)
            self[Int(fieldID)] = bound
        }
    }
}

extension ColumnBounds: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (Int, [UInt8])...) {
        for (fieldID, bound) in elements { self[fieldID] = bound }
    }
}

/// The first index whose id is not below `fieldID`.
private func lowerBound(_ fieldIDs: [Int32], _ fieldID: Int) -> Int {
    var (low, high) = (0, fieldIDs.count)
    while low < high {
        let middle = (low + high) / 2
        if Int(fieldIDs[middle]) < fieldID { low = middle + 1 } else { high = middle }
    }
    return low
}
