/// Where the fields of a batch of rows lie, relative to the first byte of the batch.
///
/// A field is a word: its start in the low 32 bits, its length in the next 30, and two flags. Every
/// row has `columnCount` fields, one behind the other.
final class CSVRowIndex {
    static let quotedFlag: UInt64 = 1 << 62
    static let escapedFlag: UInt64 = 1 << 63
    static let lengthMask: UInt64 = (1 << 30) - 1

    struct Row {
        var start: Int
        var end: Int
        /// Physical line of its first byte, from 1.
        var line: Int
    }

    /// A row that is no row of this file's shape.
    struct Malformed {
        var row: Row
        var reason: String
        /// How many rows of the index come before it.
        var rowsBefore: Int
    }

    /// How many columns a file may have.
    static let columnCountMax = 1 << 16

    /// How many rows an index has: fewer when there are very many columns.
    static func capacity(columnCount: Int) -> Int {
        min(2048, max(1, (1 << 23) / max(1, columnCount)))
    }

    let columnCount: Int
    let capacity: Int
    let fields: UnsafeMutablePointer<UInt64>
    var rows: [Row] = []
    var malformed: [Malformed] = []

    init(columnCount: Int, capacity: Int) {
        self.columnCount = columnCount
        self.capacity = capacity
        fields = .allocate(capacity: max(1, columnCount * capacity))
        rows.reserveCapacity(capacity)
    }

    deinit {
        fields.deallocate()
    }

    func removeAll() {
        rows.removeAll(keepingCapacity: true)
        malformed.removeAll(keepingCapacity: true)
    }

    /// Drops the rows for which `isBad` is set.
    func removeRows(_ isBad: [Bool]) {
        var kept = 0
        for row in rows.indices where !isBad[row] {
            if kept != row {
                rows[kept] = rows[row]
                (fields + kept * columnCount)
                    .update(from: fields + row * columnCount, count: columnCount)
            }
            kept += 1
        }
        rows.removeLast(rows.count - kept)
    }
}
