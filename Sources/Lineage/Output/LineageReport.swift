package import Bytes

/// An answer about lineage, as every door gives it: a table for people, JSON for programs.
package protocol LineageReport: Sendable {
    /// The names of the columns of `rows`.
    static var rowColumns: [String] { get }
    /// Texts; nil where there is nothing to say.
    var rows: [[String?]] { get }
    /// The whole answer; snapshot ids are strings, since they do not fit the numbers of JavaScript.
    var json: JSON { get }
    /// Why something may be missing; empty when nothing is.
    var gaps: [String] { get }
    /// Whether there is more than was asked for.
    var isCut: Bool { get }
}

extension LineageReport {
    /// Whether the log accounts for everything that the answer had to look at.
    package var isComplete: Bool { gaps.isEmpty }
}

extension LineageAnswer: LineageReport {}

extension LineageReport {
    /// What all answers begin with.
    func head(
        _ question: String,
        _ node: String,
        to target: String? = nil,
        position: Int64,
        timeMillis: Int64
    ) -> JSONObject {
        var object: JSONObject = ["question": .string(question), "node": .string(node)]
        if let target { object["to"] = .string(target) }
        object["position"] = .integer(position)
        object["time"] = position > 0 ? .string(isoTime(millis: timeMillis)) : .null
        object["complete"] = .bool(gaps.isEmpty)
        object["gaps"] = .strings(gaps)
        object["cut"] = .bool(isCut)
        return object
    }
}

extension LineageAnswer.Run {
    /// The members that say which run it is.
    var members: JSONObject {
        var job: JSONObject = ["name": .string(jobName), "kind": .string(jobKind)]
        if let jobVersion { job["version"] = .string(jobVersion) }
        return [
            "job": .object(job), "run": .string(runID), "commit": .string(commitID),
            "actor": .string(actor), "operation": .string(operation),
            "position": .integer(position), "time": .string(isoTime(millis: timeMillis)),
        ]
    }
}

extension LineageRuns: LineageReport {
    package static let rowColumns = [
        "run", "job", "job_kind", "operation", "direction", "dataset", "snapshot", "type",
        "columns", "position", "time", "actor",
    ]

    /// A row for each dataset that a run read or wrote.
    package var rows: [[String?]] {
        flows.flatMap { flow in
            flow.sides.map { side in
                [
                    flow.run.runID, flow.run.jobName, flow.run.jobKind, flow.run.operation,
                    side.isOutput ? "wrote" : "read", side.dataset.node.name,
                    side.dataset.snapshotID.map { String($0) }, side.dataset.kind?.rawValue,
                    side.dataset.columns.map { $0.joined(separator: ", ") },
                    String(flow.run.position), isoTime(millis: flow.run.timeMillis),
                    flow.run.actor,
                ]
            }
        }
    }

    package var json: JSON {
        var object = head("runs", node, position: position, timeMillis: timeMillis)
        object["runs"] = .array(
            flows.map { flow in
                var run = flow.run.members
                run["inputs"] = .array(flow.inputs.map(Self.json))
                run["output"] = Self.json(flow.output)
                return .object(run)
            }
        )
        return .object(object)
    }

    private static func json(_ dataset: Dataset) -> JSON {
        var object: JSONObject = [
            "name": .string(dataset.node.name), "kind": .string(dataset.node.kind.rawValue),
        ]
        if let uuid = dataset.node.tableUUID { object["uuid"] = .string(uuid) }
        if dataset.node.isDropped { object["dropped"] = true }
        if let id = dataset.snapshotID { object["snapshot"] = .string(String(id)) }
        if let kind = dataset.kind { object["type"] = .string(kind.rawValue) }
        if let columns = dataset.columns { object["columns"] = .strings(columns) }
        return .object(object)
    }
}

extension LineageRuns.Flow {
    /// What it read, then what it wrote.
    package var sides: [(dataset: LineageRuns.Dataset, isOutput: Bool)] {
        inputs.map { ($0, false) } + [(output, true)]
    }
}
