import Ambient
import Bytes

extension LineageList {
    /// The nodes of an answer, and its edges.
    static func graph(_ nodes: LineageAnswer.Nodes, _ edges: LineageAnswer.Edges) -> [LineageList] {
        let writer = GraphWriter(nodes, edges)
        return [
            LineageList("nodes", "node", count: nodes.count) { writer.writeNode($0, &$1) },
            LineageList("edges", "edge", count: edges.count) { writer.writeEdge($0, &$1) },
        ]
    }

    static func graph(
        _ nodes: [LineageAnswer.Node],
        _ edges: [LineageAnswer.Edge]
    ) -> [LineageList] {
        [
            LineageList("nodes", "node", count: nodes.count) { nodes[$0].write(to: &$1) },
            LineageList("edges", "edge", count: edges.count) { edges[$0].write(nodes, to: &$1) },
        ]
    }
}

/// Writes nodes and edges, one at a time and in any order.
///
/// A class, for what many edges share is made once: the names of nodes, and what is said of runs. Of a writer whose
/// elements are all as deep, as those of one answer are.
private final class GraphWriter {
    /// Runs that are kept, some hundred bytes each.
    private static let runCountMax = 10_000
    private let nodes: LineageAnswer.Nodes
    private let edges: LineageAnswer.Edges
    private var describer: Describer
    private var names: [String?]
    /// The members that say which run it is, by its number.
    private var runs: [UInt32: [UInt8]] = [:]

    init(_ nodes: LineageAnswer.Nodes, _ edges: LineageAnswer.Edges) {
        (self.nodes, self.edges) = (nodes, edges)
        describer = nodes.source.describer
        names = Array(repeating: nil, count: nodes.count)
    }

    func writeNode(_ place: Int, _ writer: inout JSONWriter) {
        let node = nodes.node(place, &describer)
        names[place] = node.name
        node.write(to: &writer)
    }

    private func name(_ place: Int) -> String {
        if let known = names[place] { return known }
        let name = nodes.node(place, &describer).name
        names[place] = name
        return name
    }

    func writeEdge(_ place: Int, _ writer: inout JSONWriter) {
        let edge = edges.details(place)
        edge.write(from: name(edge.from), to: name(edge.to), to: &writer) { writer in
            let run = edges.run(place)
            if let known = runs[run] {
                writer.again(known)
            } else {
                if runs.count == Self.runCountMax { runs = [:] }
                runs[run] = writer.kept { edges.describe(run: run).writeMembers(to: &$0) }
            }
        }
    }
}

extension LineageAnswer.Edge {
    /// What is said of it besides its run.
    private var details: LineageAnswer.EdgeDetails {
        LineageAnswer.EdgeDetails(
            from: from,
            to: to,
            kind: kind,
            subtype: subtype,
            isMasked: isMasked,
            runCount: run == nil ? 0 : runCount,
            firstPosition: firstPosition,
            inputSnapshotID: run?.inputSnapshotID,
            outputSnapshotID: run?.outputSnapshotID
        )
    }

    fileprivate func write(_ nodes: [LineageAnswer.Node], to writer: inout JSONWriter) {
        details.write(from: nodes[from].name, to: nodes[to].name, to: &writer) {
            run?.writeMembers(to: &$0)
        }
    }
}

extension LineageAnswer.EdgeDetails {
    /// - Parameter run: writes the members that say which run is its newest.
    fileprivate func write(
        from: String,
        to: String,
        to writer: inout JSONWriter,
        run: (inout JSONWriter) -> Void
    ) {
        writer.object { writer in
            writer.key("from")
            writer.string(from)
            writer.key("to")
            writer.string(to)
            if let kind {
                writer.key("type")
                writer.string(kind.rawValue)
            }
            if let subtype {
                writer.key("subtype")
                writer.string(subtype)
            }
            if isMasked {
                writer.key("masked")
                writer.bool(true)
            }
            guard runCount > 0 else { return }
            run(&writer)
            writer.key("runs")
            writer.integer(Int64(runCount))
            writer.key("first_position")
            if let firstPosition { writer.integer(firstPosition) } else { writer.null() }
            // Strings, since they do not fit the numbers of JavaScript.
            if let inputSnapshotID {
                writer.key("input_snapshot")
                writer.string(String(inputSnapshotID))
            }
            if let outputSnapshotID {
                writer.key("output_snapshot")
                writer.string(String(outputSnapshotID))
            }
        }
    }
}

extension LineageAnswer.Run {
    fileprivate func writeMembers(to writer: inout JSONWriter) {
        for member in members.members {
            writer.key(member.key)
            writer.value(member.value)
        }
    }
}

extension LineageAnswer.Node {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("name")
            writer.string(name)
            writer.key("kind")
            writer.string(kind.rawValue)
            writer.key("dataset")
            writer.string(dataset)
            if let tableUUID {
                writer.key("uuid")
                writer.string(tableUUID)
            }
            if let column {
                writer.key("column")
                writer.string(column)
            }
            if let fieldID {
                writer.key("field_id")
                writer.integer(Int64(fieldID))
            }
            if isDropped {
                writer.key("dropped")
                writer.bool(true)
            }
            writer.key("depth")
            writer.integer(Int64(depth))
            writer.key("direct")
            writer.bool(isDirect)
            writer.key("masked")
            writer.bool(isMasked)
            if isOfView {
                writer.key("view")
                writer.bool(true)
            }
            if let unknownReason {
                writer.key("effect")
                writer.string("unknown")
                writer.key("reason")
                writer.string(unknownReason)
            }
        }
    }
}
