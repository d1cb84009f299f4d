// Finds ways one by one, backwards from their end, in rounds: those of one step, then of two, and so on. So the
// shortest come first, and no way is kept but those that are found.
//
// A way is one of nodes, none twice, and of how one becomes the next. It counts when data can have gone it: there are
// runs, one for each step, of which each read what the next one before it on the way had written. A way is followed
// with all these runs together: what the steps so far can have read of the node that it has come to is a set of events
// of that dataset, as few ranges of their places, and only runs among these lead on.
//
// Where a way cannot reach the start within its round, it is left: distances are known before. That alone does not
// bound the time, since there can be more ways than anybody can count; so steps, and the runs behind them, that are
// looked at are counted.

struct PathSearch {
    /// Why there may be more ways.
    enum Cut: Int, CaseIterable {
        case limit, depth, work, written

        func text(_ limits: LineagePathLimits, _ depth: Int?) -> String {
            switch self {
            case .limit: "there are more than \(limits.paths) ways: the limit"
            case .depth: "there may be ways of more than \(depth ?? 0) steps: the depth"
            case .work:
                "\(limits.work) steps were looked at, and there may be more ways: choose ends that are nearer, or a depth"
            case .written: "the ways have more than \(limits.written) steps together"
            }
        }
    }

    /// A step of a way that was found.
    struct Taken: Hashable {
        /// Nodes of the walk.
        var from: UInt32
        var to: UInt32
        var attributes: EdgeAttributes
        /// `none` where columns stand in rows.
        var firstRun: UInt32
        var lastRun: UInt32
        var runCount: Int
    }

    /// All that some runs say of the same two nodes in the same way.
    private struct Group {
        var far: UInt32
        var attributes: EdgeAttributes
        /// Places in `moves`, ascending by event.
        var moves: Range<Int>
    }

    private struct Move {
        var event: UInt32
        var bound: UInt32
        var run: UInt32
    }

    /// A node on the way that is being followed.
    private struct Frame {
        var node: UInt32
        /// The events of its dataset that can have been read; nil for all.
        var allowed: [ClosedRange<UInt32>]?
        var nextGroup: Int
        var jobStepCount: Int
    }

    private let limits: LineagePathLimits
    private let depth: Int?
    private let isStart: [Bool]
    private let startCount: Int
    private let ends: [UInt32]
    private let bound: UInt32?
    private var groups: [Group] = []
    private var moves: [Move] = []
    /// Of each node where its groups are.
    private var groupRanges: [Range<Int>]
    /// Steps to the nearest start, at least; nil for a node that no start leads to.
    private var distances: [Int?]
    private var isOnWay: [Bool]
    private var workCount = 0
    private var writtenCount = 0
    private var reasons: Set<Cut> = []

    /// The ways, from their starts on.
    private(set) var found: [[Taken]] = []

    var cuts: [Cut] { Cut.allCases.filter { reasons.contains($0) } }

    /// - Parameter bound: the event of the end that is meant, nil for all that there ever was.
    init(
        _ index: borrowing IndexStorage,
        _ walk: LineageWalk,
        from starts: [UInt32],
        to ends: [UInt32],
        bound: UInt32?,
        _ limits: LineagePathLimits
    ) {
        self.limits = limits
        self.ends = ends
        self.bound = bound
        depth = walk.options.depth
        let nodeCount = walk.reached.count
        var isStart = Array(repeating: false, count: nodeCount)
        for start in starts { isStart[Int(start)] = true }
        self.isStart = isStart
        startCount = starts.count
        groupRanges = Array(repeating: 0..<0, count: nodeCount)
        isOnWay = Array(repeating: false, count: nodeCount)
        distances = Self.distances(walk.steps, nodeCount, starts)
        if walk.options.depth != nil, walk.isCut { reasons.insert(.depth) }
        group(index, walk)
    }

    /// How far each node is from the starts, forward along the steps.
    private static func distances(
        _ steps: [LineageWalk.Step],
        _ nodeCount: Int,
        _ starts: [UInt32]
    ) -> [Int?] {
        var firsts = Array(repeating: 0, count: nodeCount + 1)
        for step in steps { firsts[Int(step.far) + 1] += 1 }
        for node in 0..<nodeCount { firsts[node + 1] += firsts[node] }
        var nears = Array(repeating: UInt32(0), count: steps.count)
        var free = firsts
        for step in steps {
            nears[free[Int(step.far)]] = step.near
            free[Int(step.far)] += 1
        }
        var distances: [Int?] = Array(repeating: nil, count: nodeCount)
        var frontier = starts
        for start in starts { distances[Int(start)] = 0 }
        var distance = 0
        while !frontier.isEmpty {
            distance += 1
            var next: [UInt32] = []
            for node in frontier {
                for place in firsts[Int(node)]..<firsts[Int(node) + 1]
                where distances[Int(nears[place])] == nil {
                    distances[Int(nears[place])] = distance
                    next.append(nears[place])
                }
            }
            frontier = next
        }
        return distances
    }

    /// Sorts the steps between nodes that starts lead to: by node, name of the one before, and kind.
    private mutating func group(_ index: borrowing IndexStorage, _ walk: LineageWalk) {
        var ranks = Array(repeating: 0, count: distances.count)
        let known = distances.indices.filter { distances[$0] != nil }
        let named = known.map { LineageWalk.Node(key: walk.reached[$0].key, depth: 0) }
        let order = index.order(named, root: nil, before: walk.commitCount, nil)
        for (rank, place) in order.enumerated() { ranks[known[Int(place)]] = rank }
        var steps = walk.steps.filter { step in
            distances[Int(step.near)] != nil && distances[Int(step.far)] != nil
        }
        var kinds: [EdgeAttributes: Int] = [:]
        var different = Array(Set(steps.map(\.attributes)))
        index.sort(&different)
        for (rank, attributes) in different.enumerated() { kinds[attributes] = rank }
        func kind(_ step: LineageWalk.Step) -> Int { kinds[step.attributes] ?? 0 }
        steps.sort { a, b in
            if a.near != b.near { return a.near < b.near }
            if a.far != b.far { return ranks[Int(a.far)] < ranks[Int(b.far)] }
            if a.attributes != b.attributes { return kind(a) < kind(b) }
            if a.event != b.event { return a.event < b.event }
            return a.bound < b.bound
        }
        moves = steps.map { Move(event: $0.event, bound: $0.bound, run: $0.run) }
        var place = 0
        while place < steps.count {
            let first = steps[place]
            let start = place
            while place < steps.count, steps[place].near == first.near,
                steps[place].far == first.far, steps[place].attributes == first.attributes
            {
                place += 1
            }
            let node = Int(first.near)
            let range = groupRanges[node]
            let begin = range.isEmpty ? groups.count : range.lowerBound
            groups.append(
                Group(far: first.far, attributes: first.attributes, moves: start..<place)
            )
            groupRanges[node] = begin..<groups.count
        }
    }

    // MARK: Rounds

    mutating func run(_ index: borrowing IndexStorage) {
        var length = 1
        while length < distances.count, round(length, index) { length += 1 }
    }

    /// Finds the ways of so many steps.
    ///
    /// - Returns: whether there may be longer ones, and they are wanted.
    private mutating func round(_ length: Int, _ index: borrowing IndexStorage) -> Bool {
        var goesOn = false
        for end in ends {
            guard let distance = distances[Int(end)] else { continue }
            if distance > length {
                goesOn = true
                continue
            }
            let allowed = bound.map { Self.contents(of: [$0], index) }
            guard follow(end, allowed, length, &goesOn, index) else { return false }
        }
        return goesOn
    }

    /// - Returns: false when no more ways are wanted, or may be looked for.
    private mutating func follow(
        _ end: UInt32,
        _ allowed: [ClosedRange<UInt32>]?,
        _ length: Int,
        _ goesOn: inout Bool,
        _ index: borrowing IndexStorage
    ) -> Bool {
        var way: [Taken] = []
        var frames = [
            Frame(
                node: end,
                allowed: allowed,
                nextGroup: groupRanges[Int(end)].lowerBound,
                jobStepCount: 0
            )
        ]
        isOnWay[Int(end)] = true
        defer { for frame in frames { isOnWay[Int(frame.node)] = false } }
        while let frame = frames.last {
            let top = frames.count - 1
            guard frame.nextGroup < groupRanges[Int(frame.node)].upperBound else {
                isOnWay[Int(frame.node)] = false
                frames.removeLast()
                _ = way.popLast()
                continue
            }
            frames[top].nextGroup += 1
            workCount += 1
            guard workCount <= limits.work else {
                reasons.insert(.work)
                return false
            }
            let group = groups[frame.nextGroup]
            guard !isOnWay[Int(group.far)], let distance = distances[Int(group.far)] else {
                continue
            }
            guard way.count + 1 + distance <= length else {
                goesOn = true
                continue
            }
            let isJobStep = moves[group.moves.lowerBound].run != none
            let jobStepCount = frame.jobStepCount + (isJobStep ? 1 : 0)
            if let depth, jobStepCount > depth {
                reasons.insert(.depth)
                continue
            }
            workCount += group.moves.count
            guard let (taken, bounds) = take(group, to: frame.node, frame.allowed) else { continue }
            if isStart[Int(group.far)] {
                if way.count + 1 == length {
                    guard keep(way + [taken]) else { return false }
                    // Ways from other starts may lead through this one.
                    if startCount > 1, !groupRanges[Int(group.far)].isEmpty { goesOn = true }
                    continue
                }
                // Else the round of that length told it.
                if startCount == 1 { continue }
            }
            isOnWay[Int(group.far)] = true
            way.append(taken)
            frames.append(
                Frame(
                    node: group.far,
                    allowed: frame.allowed == nil ? nil : Self.contents(of: bounds, index),
                    nextGroup: groupRanges[Int(group.far)].lowerBound,
                    jobStepCount: jobStepCount
                )
            )
        }
        return true
    }

    /// Takes those runs of a group that put rows where they can have been read; nil when there are none.
    private func take(
        _ group: Group,
        to near: UInt32,
        _ allowed: [ClosedRange<UInt32>]?
    ) -> (taken: Taken, bounds: Set<UInt32>)? {
        var bounds: Set<UInt32> = []
        var (first, last, count) = (none, UInt32(0), 0)
        var range = 0
        for move in moves[group.moves] {
            if let allowed {
                while range < allowed.count, allowed[range].upperBound < move.event { range += 1 }
                if range == allowed.count { break }
                if move.event < allowed[range].lowerBound { continue }
            }
            bounds.insert(move.bound)
            if move.run == none {
                (first, last) = (none, none)
            } else if count == 0 || move.run != last {
                first = min(first, move.run)
                last = max(last, move.run)
                count += 1
            }
        }
        guard !bounds.isEmpty else { return nil }
        let taken = Taken(
            from: group.far,
            to: near,
            attributes: group.attributes,
            firstRun: first,
            lastRun: last,
            runCount: count
        )
        return (taken, bounds)
    }

    /// Notes a way, which is backwards.
    ///
    /// - Returns: whether more are wanted.
    private mutating func keep(_ way: [Taken]) -> Bool {
        guard found.count < limits.paths else {
            reasons.insert(.limit)
            return false
        }
        guard writtenCount + way.count <= limits.written else {
            reasons.insert(.written)
            return false
        }
        writtenCount += way.count
        found.append(way.reversed())
        return !limits.isShortestOnly
    }

    /// What a dataset held at some events, as ranges of the places of its events, ascending.
    private static func contents(
        of bounds: Set<UInt32>,
        _ index: borrowing IndexStorage
    ) -> [ClosedRange<UInt32>] {
        var ranges: [ClosedRange<UInt32>] = []
        for bound in bounds {
            var bound = bound
            while bound != none {
                let start = index.events[bound].segmentStart
                ranges.append(start...max(start, bound))
                guard index.events[start].kind == EventRecord.rollback else { break }
                bound = index.events[start].payload
            }
        }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        var merged: [ClosedRange<UInt32>] = []
        for range in ranges {
            if let last = merged.last, range.lowerBound <= last.upperBound {
                merged[merged.count - 1] =
                    last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        return merged
    }
}

extension IndexStorage {
    /// By kind, then by subtype.
    fileprivate func sort(_ attributes: inout [EdgeAttributes]) {
        attributes.sort { sortsBefore($0, $1) }
    }
}
