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
        LineageList.graph(nodes, edges)
            + (jobs.map { [LineageList("jobs", "job", of: $0) { $0.json }] } ?? [])
    }
}

extension LineageAnswer.Job {
    fileprivate var json: JSON {
        var object: JSONObject = ["name": .string(name)]
        for member in run.members.members { object[member.key] = member.value }
        object["depth"] = .integer(depth)
        object["direct"] = .bool(isDirect)
        if let unknownReason {
            object["effect"] = "unknown"
            object["reason"] = .string(unknownReason)
        }
        object["inputs"] = .strings(inputs)
        object["outputs"] = .strings(outputs)
        return .object(object)
    }
}
