import Ambient
package import Bytes

extension LineageAnswer {
    /// The names of the columns of `rows`.
    package static let rowColumns = [
        "from", "to", "type", "subtype", "masked", "job", "job_kind", "run", "position", "time",
        "input_snapshot", "output_snapshot", "runs",
    ]

    /// One row for each edge, as texts; nil where there is nothing to say.
    package var rows: [[String?]] {
        let names = nodes.map(\.name)
        return edges.map { edge in
            [
                names[edge.from], names[edge.to], edge.kind?.rawValue, edge.subtype,
                edge.isMasked ? "true" : "false", edge.run?.jobName, edge.run?.jobKind,
                edge.run?.runID, edge.run.map { String($0.position) },
                edge.run.map { isoTime(millis: $0.timeMillis) },
                edge.run?.inputSnapshotID.map { String($0) },
                edge.run?.outputSnapshotID.map { String($0) },
                edge.runCount > 0 ? String(edge.runCount) : nil,
            ]
        }
    }

    package var head: JSONObject {
        head(question.rawValue, root, to: target, position: position, timeMillis: timeMillis)
    }

    package var lists: [LineageList] {
        // Edges name them again and again.
        let nodes = Array(nodes)
        return [
            LineageList("nodes", "node", of: nodes) { $0.json },
            LineageList("edges", "edge", of: edges) { $0.json(nodes) },
        ] + (jobs.map { [LineageList("jobs", "job", of: $0) { $0.json }] } ?? [])
    }
}

extension LineageAnswer.Node {
    var json: JSON {
        var object: JSONObject = [
            "name": .string(name), "kind": .string(kind.rawValue), "dataset": .string(dataset),
        ]
        if let tableUUID { object["uuid"] = .string(tableUUID) }
        if let column { object["column"] = .string(column) }
        if let fieldID { object["field_id"] = .integer(fieldID) }
        if isDropped { object["dropped"] = true }
        object["depth"] = .integer(depth)
        object["direct"] = .bool(isDirect)
        object["masked"] = .bool(isMasked)
        if isOfView { object["view"] = true }
        if let unknownReason {
            object["effect"] = "unknown"
            object["reason"] = .string(unknownReason)
        }
        return .object(object)
    }
}

extension LineageAnswer.Job {
    fileprivate var json: JSON {
        var object: JSONObject = ["name": .string(name)]
        for member in run.members.members { object[member.key] = member.value }
        object["depth"] = .integer(depth)
        object["direct"] = .bool(isDirect)
        object["inputs"] = .strings(inputs)
        object["outputs"] = .strings(outputs)
        return .object(object)
    }
}

extension LineageAnswer.Edge {
    /// - Parameter nodes: those that it refers to by place.
    func json(_ nodes: [LineageAnswer.Node]) -> JSON {
        var object: JSONObject = [
            "from": .string(nodes[from].name), "to": .string(nodes[to].name),
        ]
        if let kind { object["type"] = .string(kind.rawValue) }
        if let subtype { object["subtype"] = .string(subtype) }
        if isMasked { object["masked"] = true }
        guard let run else { return .object(object) }
        for member in run.members.members { object[member.key] = member.value }
        object["runs"] = .integer(runCount)
        object["first_position"] = firstPosition.map { .integer($0) } ?? .null
        if let id = run.inputSnapshotID { object["input_snapshot"] = .string(String(id)) }
        if let id = run.outputSnapshotID { object["output_snapshot"] = .string(String(id)) }
        return .object(object)
    }
}
