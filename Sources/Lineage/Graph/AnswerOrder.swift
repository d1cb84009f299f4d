// Answers have an order that anybody can find again: nodes by depth and name, edges by where they begin and end.
// Large ones have tens of thousands of names that begin alike ("lake.orders_0…"), so they are compared by the eight
// bytes behind what all begin with, and byte by byte only where those are equal.

/// What a node sorts by: its dataset's name, then itself, its rows, its columns by name.
private struct SortName {
    var dataset: UInt32
    var part: UInt8
    var column: UInt32

    init(_ key: NodeKey, _ index: borrowing IndexStorage, before commitCount: UInt32) {
        // Of runs that are asked about there is only one node at its depth, and views say themselves what they sort by.
        guard key.isOfIndex else {
            (dataset, part, column) = (none, 0, none)
            return
        }
        dataset = index.nameText(of: key.dataset, before: commitCount)
        part = key.isWhole ? 0 : key.isRows ? 1 : 2
        column =
            part < 2
            ? none : index.columnName(key.column, of: key.dataset, before: commitCount)
    }
}

extension IndexStorage {
    private func appendBytes(of name: SortName, to bytes: inout [UInt8]) {
        guard name.dataset != none else { return }
        appendBytes(ofText: name.dataset, to: &bytes)
        bytes.append(0)
        bytes.append(name.part)
        if name.column != none { appendBytes(ofText: name.column, to: &bytes) }
    }

    /// The nodes by depth, then by name; the one asked about first.
    ///
    /// - Returns: places among the nodes.
    func order(
        _ nodes: [LineageWalk.Node],
        root: NodeKey?,
        before commitCount: UInt32,
        _ views: SharedOverlay?
    ) -> [UInt32] {
        struct Entry {
            /// The depth, and at that depth whether it is another than the root.
            var rank: UInt64
            /// The eight bytes of the name behind what all names begin with.
            var key: UInt64
            var place: UInt32
            var name: Range<Int>
        }
        // The names' places first, and then their bytes: each lies somewhere else in gigabytes, and in loops that do
        // little the processor waits for many at once.
        let sortNames = nodes.map { SortName($0.key, self, before: commitCount) }
        // Names lie together while they are compared, not all over the index.
        var bytes: [UInt8] = []
        bytes.reserveCapacity(nodes.count * 32)
        var entries: [Entry] = []
        entries.reserveCapacity(nodes.count)
        for (place, node) in nodes.enumerated() {
            let start = bytes.count
            if let views, views.overlay.hasNode(node.key) {
                views.overlay.appendSortName(node.key, self, before: commitCount, to: &bytes)
            } else {
                appendBytes(of: sortNames[place], to: &bytes)
            }
            entries.append(
                Entry(
                    rank: UInt64(node.depth) << 1 | (node.key == root ? 0 : 1),
                    key: 0,
                    place: UInt32(place),
                    name: start..<bytes.count
                )
            )
        }
        bytes.withUnsafeBufferPointer { bytes in
            func name(_ entry: Entry) -> UnsafeBufferPointer<UInt8> {
                UnsafeBufferPointer(rebasing: bytes[entry.name])
            }
            var shared = entries.first { $0.rank & 1 == 1 }.map(name)
            for entry in entries where entry.rank & 1 == 1 {
                shared = shared.map { sharedPrefix($0, name(entry)) }
            }
            let sharedCount = shared?.count ?? 0
            for at in entries.indices {
                // The root has a rank of its own.
                let rest = name(entries[at]).dropFirst(sharedCount).prefix(8)
                entries[at].key = rest.reduce(0) { $0 << 8 | UInt64($1) }
                entries[at].key <<= UInt64(8 * (8 - rest.count))
            }
            entries.sort { a, b in
                if a.rank != b.rank { return a.rank < b.rank }
                if a.key != b.key { return a.key < b.key }
                let (x, y) = (name(a), name(b))
                if bytesPrecede(x, y) { return true }
                if bytesPrecede(y, x) { return false }
                return nodes[Int(a.place)].key.bits < nodes[Int(b.place)].key.bits
            }
        }
        return entries.map(\.place)
    }

    /// Edges by where they begin and end and by their jobs.
    ///
    /// - Parameter places: where in the answer the nodes of the walk are.
    func sorted(_ edges: [LineageWalk.Edge], _ places: [UInt32]) -> [LineageWalk.Edge] {
        var order: [(ends: UInt64, place: UInt32)] = []
        order.reserveCapacity(edges.count)
        for (place, edge) in edges.enumerated() {
            let ends = UInt64(places[Int(edge.from)]) << 32 | UInt64(places[Int(edge.to)])
            order.append((ends, UInt32(place)))
        }
        order.sort { a, b in
            if a.ends != b.ends { return a.ends < b.ends }
            return sortsBefore(edges[Int(a.place)], edges[Int(b.place)])
        }
        return order.map { ends, place in
            var edge = edges[Int(place)]
            edge.from = UInt32(truncatingIfNeeded: ends >> 32)
            edge.to = UInt32(truncatingIfNeeded: ends)
            return edge
        }
    }

    /// The order of two edges between the same nodes.
    private func sortsBefore(_ a: LineageWalk.Edge, _ b: LineageWalk.Edge) -> Bool {
        if a.job != b.job {
            if a.job == none || b.job == none { return a.job == none }
            let (j, k) = (jobs[a.job], jobs[b.job])
            if j.name != k.name { return text(j.name, precedes: k.name) }
            if j.kind != k.kind { return text(j.kind, precedes: k.kind) }
            if j.version == none || k.version == none { return j.version == none }
            return text(j.version, precedes: k.version)
        }
        return sortsBefore(a.attributes, b.attributes)
    }

    func sortsBefore(_ a: EdgeAttributes, _ b: EdgeAttributes) -> Bool {
        let (x, y) = (a.kind?.rawValue ?? "", b.kind?.rawValue ?? "")
        if x != y { return bytesPrecede(x, y) }
        // Those of views that the index does not know.
        if max(a.subtype, b.subtype) >= subtypes.count { return a.bits < b.bits }
        let (s, t) = (subtypes[a.subtype], subtypes[b.subtype])
        if s != t {
            if s == none || t == none { return s == none }
            return text(s, precedes: t)
        }
        return !a.isMasked && b.isMasked
    }
}

/// What two names begin with.
private func sharedPrefix(
    _ a: UnsafeBufferPointer<UInt8>,
    _ b: UnsafeBufferPointer<UInt8>
) -> UnsafeBufferPointer<UInt8> {
    let countMax = min(a.count, b.count)
    var count = 0
    while count < countMax, a[count] == b[count] { count += 1 }
    return UnsafeBufferPointer(rebasing: a[..<count])
}
