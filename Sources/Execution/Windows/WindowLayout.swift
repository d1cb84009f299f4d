import Columnar
import Kernels

/// Where the partitions and the groups of equally ordered rows (peers) of sorted rows lie.
struct WindowLayout {
    let rowCount: Int
    /// For each row the first row of its partition, and the one behind its last.
    private(set) var partitionStart: [Int32]
    private(set) var partitionEnd: [Int32]
    /// For each row its first peer, and the row behind its last.
    private(set) var peerStart: [Int32]
    private(set) var peerEnd: [Int32]

    /// - Parameters: the key columns of rows that are sorted by them.
    init(partition: [Column], order: [Column], rowCount: Int) {
        self.rowCount = rowCount
        (partitionStart, partitionEnd) = Self.runs(partition, rowCount)
        (peerStart, peerEnd) =
            order.isEmpty
            ? (partitionStart, partitionEnd) : Self.runs(partition + order, rowCount)
    }

    private static func runs(_ columns: [Column], _ count: Int) -> ([Int32], [Int32]) {
        var starts = [Int32](repeating: 0, count: count)
        var ends = [Int32](repeating: Int32(truncatingIfNeeded: count), count: count)
        if columns.isEmpty || count == 0 { return (starts, ends) }
        let boundaries = RowComparator.boundaries(columns, count: count)
        var start: Int32 = 0
        for row in 0..<count {
            if boundaries[row] { start = Int32(truncatingIfNeeded: row) }
            starts[row] = start
        }
        var end = Int32(truncatingIfNeeded: count)
        for row in stride(from: count - 1, through: 0, by: -1) {
            ends[row] = end
            if boundaries[row] { end = Int32(truncatingIfNeeded: row) }
        }
        return (starts, ends)
    }
}

/// The rows that a window function sees from each row: a range, less what is excluded.
struct WindowFrames {
    let layout: WindowLayout
    let exclusion: Exclusion
    /// Clipped to the partition; empty where the end is not behind the start.
    private(set) var starts: [Int32]
    private(set) var ends: [Int32]

    enum Exclusion { case none, currentRow, group, ties }

    init(_ layout: WindowLayout, starts: [Int32], ends: [Int32], exclusion: Exclusion) {
        self.layout = layout
        self.exclusion = exclusion
        self.starts = starts
        self.ends = ends
    }

    /// Whether every frame begins with its partition and nothing is left out of it.
    var beginWithPartition: Bool {
        exclusion == .none
            && (0..<layout.rowCount).allSatisfy { starts[$0] == layout.partitionStart[$0] }
    }

    /// Calls `body` with each run of rows of a row's frame, in order.
    @inline(__always)
    func eachRange<E: Error>(of row: Int, _ body: (Int, Int) throws(E) -> Void) throws(E) {
        let (start, end) = (Int(starts[row]), Int(ends[row]))
        if start >= end { return }
        let hole: (Int, Int)
        switch exclusion {
        case .none:
            try body(start, end)
            return
        case .currentRow: hole = (row, row + 1)
        case .group, .ties: hole = (Int(layout.peerStart[row]), Int(layout.peerEnd[row]))
        }
        let before = min(end, hole.0)
        if start < before { try body(start, before) }
        if exclusion == .ties, row >= start, row < end { try body(row, row + 1) }
        let after = max(start, hole.1)
        if after < end { try body(after, end) }
    }
}
