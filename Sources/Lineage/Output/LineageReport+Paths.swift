package import Bytes

extension LineagePaths: LineageReport {
    package static let rowColumns = [
        "path", "step", "from", "to", "type", "subtype", "masked", "job", "run", "position",
        "path_type", "path_subtype", "path_masked",
    ]

    /// A row a step of a way; both are counted from 1.
    package var rows: [[String?]] {
        paths.enumerated().flatMap { number, path in
            path.steps.enumerated().map { step, place in
                let edge = edges[place]
                return [
                    String(number + 1), String(step + 1), nodes[edge.from].name,
                    nodes[edge.to].name, edge.kind?.rawValue, edge.subtype,
                    String(edge.isMasked), edge.run?.jobName, edge.run?.runID,
                    edge.run.map { String($0.position) }, path.transformation.kind?.rawValue,
                    path.transformation.subtype, String(path.transformation.isMasked),
                ]
            }
        }
    }

    package var head: JSONObject {
        var object = head("paths", root, to: target, position: position, timeMillis: timeMillis)
        object["cut_because"] = .strings(cuts)
        return object
    }

    package var lists: [LineageList] {
        let (nodes, edges) = (nodes, edges)
        let ways = LineageList("paths", "path", of: paths) { path in
            let names =
                path.steps.prefix(1).map { nodes[edges[$0].from].name }
                + path.steps.map { nodes[edges[$0].to].name }
            var way: JSONObject = [
                "length": .integer(path.steps.count), "nodes": .strings(names),
                "edges": .array(path.steps.map { .integer($0) }),
            ]
            if let kind = path.transformation.kind { way["type"] = .string(kind.rawValue) }
            if let subtype = path.transformation.subtype { way["subtype"] = .string(subtype) }
            way["masked"] = .bool(path.transformation.isMasked)
            return .object(way)
        }
        return LineageList.graph(nodes, edges) + [ways]
    }
}
