import Ambient

// The answer in languages for graphs. Nodes are n0, n1, …: names only ever stand inside quotes.

extension LineageAnswer {
    private func label(_ edge: Edge) -> String {
        [edge.subtype ?? edge.kind?.rawValue, edge.run?.jobName].compactMap { $0 }
            .joined(separator: " ")
    }

    /// Graphviz.
    package var dot: String {
        var text = "digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n"
        for (index, node) in nodes.enumerated() {
            let shape =
                switch node.kind {
                case .table: "box"
                case .file: "note"
                case .view: "tab"
                case .column: "ellipse"
                case .rows: "hexagon"
                case .run, .job: "cds"
                }
            text += "  n\(index) [label=\(quoted(node.name)), shape=\(shape)];\n"
        }
        for edge in edges {
            let style = edge.kind == .indirect ? ", style=dashed" : ""
            text += "  n\(edge.from) -> n\(edge.to) [label=\(quoted(label(edge)))\(style)];\n"
        }
        return text + "}\n"
    }

    /// A string of Graphviz or Cypher: in double quotes, backslashes and controls escaped.
    private func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                result.unicodeScalars.append(
                    scalar.value < 0x20 || scalar.value == 0x7F ? " " : scalar
                )
            }
        }
        return result + "\""
    }

    /// GraphML, as yEd, Gephi and networkx read it.
    package var graphML: String {
        var text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <graphml xmlns="http://graphml.graphdrawing.org/xmlns">

            """
        let nodeKeys = ["name", "kind", "dataset", "column", "uuid"]
        let edgeKeys = [
            "type", "subtype", "masked", "job", "run", "position", "time", "input_snapshot",
            "output_snapshot",
        ]
        for key in nodeKeys {
            text +=
                "  <key id=\"n_\(key)\" for=\"node\" attr.name=\"\(key)\" attr.type=\"string\"/>\n"
        }
        for key in edgeKeys {
            text +=
                "  <key id=\"e_\(key)\" for=\"edge\" attr.name=\"\(key)\" attr.type=\"string\"/>\n"
        }
        text += "  <graph id=\"lineage\" edgedefault=\"directed\">\n"
        func data(_ id: String, _ value: String?) {
            guard let value else { return }
            text += "      <data key=\"\(id)\">\(escapedXML(value))</data>\n"
        }
        for (index, node) in nodes.enumerated() {
            text += "    <node id=\"n\(index)\">\n"
            data("n_name", node.name)
            data("n_kind", node.kind.rawValue)
            data("n_dataset", node.dataset)
            data("n_column", node.column)
            data("n_uuid", node.tableUUID)
            text += "    </node>\n"
        }
        for (index, edge) in edges.enumerated() {
            text += "    <edge id=\"e\(index)\" source=\"n\(edge.from)\" target=\"n\(edge.to)\">\n"
            data("e_type", edge.kind?.rawValue)
            data("e_subtype", edge.subtype)
            data("e_masked", edge.isMasked ? "true" : "false")
            data("e_job", edge.run?.jobName)
            data("e_run", edge.run?.runID)
            data("e_position", edge.run.map { String($0.position) })
            data("e_time", edge.run.map { isoTime(millis: $0.timeMillis) })
            data("e_input_snapshot", edge.run?.inputSnapshotID.map { String($0) })
            data("e_output_snapshot", edge.run?.outputSnapshotID.map { String($0) })
            text += "    </edge>\n"
        }
        return text + "  </graph>\n</graphml>\n"
    }

    private func escapedXML(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\t", "\n", "\r": result += "&#\(scalar.value);"
            default:
                // XML 1.0 has no other controls and no non-characters, not even escaped.
                let isAllowed = scalar.value >= 0x20 && scalar.value & 0xFFFE != 0xFFFE
                result.unicodeScalars.append(isAllowed ? scalar : "\u{FFFD}")
            }
        }
        return result
    }

    /// Statements for Neo4j and its kin; running them twice changes nothing.
    package var cypher: String {
        var text = ""
        func name(_ index: Int) -> String { quotedCypher(nodes[index].name) }
        for (index, node) in nodes.enumerated() {
            let label =
                switch node.kind {
                case .table: "Table"
                case .file: "File"
                case .view: "View"
                case .column: "Column"
                case .rows: "Rows"
                case .run: "Run"
                case .job: "Job"
                }
            text += "MERGE (n:\(label) {name: \(name(index))})"
            text += " SET n.dataset = \(quotedCypher(node.dataset))"
            if let column = node.column { text += ", n.column = \(quotedCypher(column))" }
            if let uuid = node.tableUUID { text += ", n.uuid = \(quotedCypher(uuid))" }
            text += ";\n"
        }
        for edge in edges {
            text += "MATCH (a {name: \(name(edge.from))}), (b {name: \(name(edge.to))}) "
            var keys: [(String, String)] = []
            if let kind = edge.kind { keys.append(("type", quotedCypher(kind.rawValue))) }
            if let subtype = edge.subtype { keys.append(("subtype", quotedCypher(subtype))) }
            if let run = edge.run { keys.append(("job", quotedCypher(run.jobName))) }
            keys.append(("masked", edge.isMasked ? "true" : "false"))
            let inside = keys.map { "\($0.0): \($0.1)" }.joined(separator: ", ")
            text += "MERGE (a)-[r:FLOWS_TO {\(inside)}]->(b)"
            if let run = edge.run {
                text += " SET r.run = \(quotedCypher(run.runID)), r.position = \(run.position)"
                text += ", r.time = \(quotedCypher(isoTime(millis: run.timeMillis)))"
                if let id = run.inputSnapshotID { text += ", r.inputSnapshot = \(id)" }
                if let id = run.outputSnapshotID { text += ", r.outputSnapshot = \(id)" }
            }
            text += ";\n"
        }
        return text
    }

    private func quotedCypher(_ text: String) -> String { quoted(text) }
}
