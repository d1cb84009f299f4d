import Kernels

/// What an aggregate knows of a run of rows; two neighbouring runs make one.
protocol WindowState {
    /// Of no rows.
    static var empty: Self { get }
    /// Of this run and the one right behind it.
    func joined(with next: Self) throws -> Self
}

/// Answers what an aggregate is of any run of rows in a number of steps that grows with the logarithm
/// of its length: every node of a binary tree holds the state of the rows below it.
struct SegmentTree<State: WindowState> {
    private var nodes: [State]
    private let count: Int

    init(_ leaves: [State]) throws {
        count = leaves.count
        nodes = [State](repeating: .empty, count: count) + leaves
        for index in stride(from: count - 1, to: 0, by: -1) {
            nodes[index] = try nodes[2 * index].joined(with: nodes[2 * index + 1])
        }
    }

    func state(_ start: Int, _ end: Int) throws -> State {
        var left = State.empty
        var right = State.empty
        var (low, high) = (start + count, end + count)
        while low < high {
            if low & 1 == 1 {
                left = try left.joined(with: nodes[low])
                low += 1
            }
            if high & 1 == 1 {
                high -= 1
                right = try nodes[high].joined(with: right)
            }
            low >>= 1
            high >>= 1
        }
        return try left.joined(with: right)
    }
}

/// The states of all frames, by running sums where frames only grow and by a tree where they do not.
///
/// - Parameter leaf: the state of one row.
@inline(__always)
func frameStates<State: WindowState>(
    _ frames: WindowFrames,
    leaf: (Int) -> State,
    _ give: (Int, State) throws -> Void
) throws {
    var tree: SegmentTree<State>?
    var running = State.empty
    var (runStart, runEnd) = (-1, -1)
    for row in 0..<frames.layout.rowCount {
        if row & (Interruption.rowCount - 1) == 0 { try Interruption.check() }
        let (start, end) = (Int(frames.starts[row]), Int(frames.ends[row]))
        if frames.exclusion == .none {
            if start >= end {
                try give(row, .empty)
                continue
            }
            let isNewPartition =
                start == Int(frames.layout.partitionStart[row]) && start != runStart
            if start == runStart && end >= runEnd || isNewPartition {
                if start != runStart { (running, runStart, runEnd) = (.empty, start, start) }
                while runEnd < end {
                    running = try running.joined(with: leaf(runEnd))
                    runEnd += 1
                }
                try give(row, running)
                continue
            }
        }
        let known = try tree ?? SegmentTree((0..<frames.layout.rowCount).map(leaf))
        tree = known
        var state = State.empty
        try frames.eachRange(of: row) { (start: Int, end: Int) throws in
            state = try state.joined(with: try known.state(start, end))
        }
        try give(row, state)
    }
}
