import Ambient
package import Bytes

/// An answer about lineage, as every door gives it: a table for people, JSON for programs.
package protocol LineageReport: Sendable {
    /// The names of the columns of `rows`.
    static var rowColumns: [String] { get }
    /// Texts; nil where there is nothing to say.
    var rows: [[String?]] { get }
    /// What it says of itself.
    var head: JSONObject { get }
    /// What it is made of; snapshot ids are strings, since they do not fit the numbers of JavaScript.
    var lists: [LineageList] { get }
    /// Why something may be missing; empty when nothing is.
    var gaps: [String] { get }
    /// Whether there is more than was asked for.
    var isCut: Bool { get }
}

extension LineageReport {
    /// Whether the log accounts for everything that the answer had to look at.
    package var isComplete: Bool { gaps.isEmpty }
}

/// A list of an answer, whose elements are written one at a time.
package struct LineageList {
    /// What the list is called, and what one of it.
    var name: String
    var item: String
    var count: Int
    /// Writes one element, counted from 0.
    var write: (Int, inout JSONWriter) -> Void

    init(
        _ name: String,
        _ item: String,
        count: Int,
        _ write: @escaping (Int, inout JSONWriter) -> Void
    ) {
        (self.name, self.item, self.count, self.write) = (name, item, count, write)
    }

    init<Element>(
        _ name: String,
        _ item: String,
        of elements: [Element],
        _ json: @escaping (Element) -> JSON
    ) {
        self.init(name, item, count: elements.count) { $1.value(json(elements[$0])) }
    }
}

extension LineageReport {
    /// The text of the whole answer, one JSON object.
    package func serialized(pretty: Bool = false) -> [UInt8] {
        var writer = JSONWriter(pretty: pretty)
        writer.object { writer in
            for member in head.members {
                writer.key(member.key)
                writer.value(member.value)
            }
            for list in lists {
                writer.key(list.name)
                writer.array { writer in
                    for place in 0..<list.count { list.write(place, &writer) }
                }
            }
        }
        return writer.take()
    }

    /// The whole answer as a part of something else.
    package func json() throws(BytesError) -> JSON { try JSON.parse(serialized()) }

    /// The answer as lines of JSON, in pieces: however large it is, its text is never there as a whole.
    ///
    /// The first line is `{"answer": …}`: what it says of itself, and how many there are of each list. Every other is
    /// one of a list: `{"node": …}`, `{"edge": …}`.
    package func lines(pieceBytesMin: Int = 1 << 17) -> LineageLines {
        LineageLines(head: head, lists: lists, pieceBytesMin: pieceBytesMin)
    }
}

/// The lines of an answer, in pieces of whole lines.
package struct LineageLines: Sequence, IteratorProtocol {
    private var head: JSONObject?
    private let lists: [LineageList]
    private let pieceBytesMin: Int
    private var list = 0
    private var element = 0
    private var writer = JSONWriter()

    fileprivate init(head: JSONObject, lists: [LineageList], pieceBytesMin: Int) {
        var head = head
        for list in lists { head[list.name] = .integer(list.count) }
        self.head = head
        self.lists = lists
        self.pieceBytesMin = pieceBytesMin
    }

    package mutating func next() -> [UInt8]? {
        while writer.bytes.count < pieceBytesMin, writeLine() { writer.endLine() }
        return writer.bytes.isEmpty ? nil : writer.take()
    }

    /// - Returns: false when there is no other line.
    private mutating func writeLine() -> Bool {
        if let head {
            self.head = nil
            writer.value(["answer": .object(head)])
            return true
        }
        while list < lists.count, element == lists[list].count { (list, element) = (list + 1, 0) }
        guard list < lists.count else { return false }
        writer.object { [lists, list, element] writer in
            writer.key(lists[list].item)
            lists[list].write(element, &writer)
        }
        element += 1
        return true
    }
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

    package var head: JSONObject {
        head("runs", node, position: position, timeMillis: timeMillis)
    }

    package var lists: [LineageList] {
        let runs = LineageList("runs", "run", of: flows) { flow in
            var run = flow.run.members
            run["inputs"] = .array(flow.inputs.map(Self.json))
            run["output"] = Self.json(flow.output)
            return .object(run)
        }
        return [runs]
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
