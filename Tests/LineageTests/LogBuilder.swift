import Bytes
import Lineage

/// Writes commits as the catalog and the engine would.
struct LogBuilder {
    private(set) var commits: [LineageCommit] = []
    private var snapshots: [String: Int64] = [:]
    private var uuids: [String: String] = [:]
    private var nextUUID = 1
    var carriesMaps = true
    private var carried: Set<String> = []

    /// Adds an entry of one commit.
    mutating func commit(_ changes: [JSON], _ lineage: JSON? = nil, id: String? = nil) {
        let position = Int64(commits.count + 1)
        commits.append(
            LineageCommit(
                position: position,
                index: 0,
                timeMillis: position * 1000,
                id: id ?? "c\(position)",
                actor: "ada",
                changes: changes,
                lineage: lineage
            )
        )
    }

    func uuid(_ name: String) -> String { uuids[name] ?? "unknown-\(name)" }

    private func change(_ kind: String, _ name: String, _ extra: JSONObject = [:]) -> JSON {
        var object: JSONObject = [
            "change": .string(kind), "namespace": ["ns"], "name": .string(name),
        ]
        for member in extra.members { object[member.key] = member.value }
        return .object(object)
    }

    private func write(_ kind: String, _ name: String, _ snapshot: Int64?) -> JSON {
        var extra: JSONObject = [
            "uuid": .string(uuid(name)),
            "metadata-location":
                .string("s3://lake/ns/\(name)/metadata/\(commits.count).metadata.json"),
        ]
        if kind != "create-table" { extra["previous-metadata-location"] = "s3://old" }
        if let snapshot { extra["snapshot-id"] = .integer(snapshot) }
        return change(kind, name, extra)
    }

    mutating func create(_ name: String) {
        uuids[name] = "uuid-\(nextUUID)"
        nextUUID += 1
        snapshots[name] = nil
        commit([write("create-table", name, nil)])
    }

    mutating func drop(_ name: String) {
        commit([
            change(
                "drop-table",
                name,
                [
                    "previous-uuid": .string(uuid(name)), "previous-metadata-location": "s3://x",
                    "purge": false,
                ]
            )
        ])
        uuids[name] = nil
    }

    mutating func rename(_ name: String, to new: String) {
        commit([
            change(
                "rename-table",
                name,
                [
                    "to-namespace": ["ns"], "to-name": .string(new), "uuid": .string(uuid(name)),
                    "metadata-location": "s3://x",
                ]
            )
        ])
        uuids[new] = uuids[name]
        snapshots[new] = snapshots[name]
        uuids[name] = nil
    }

    /// A table comes back as it was.
    mutating func undrop(_ name: String, uuid: String, snapshot: Int64?) {
        uuids[name] = uuid
        snapshots[name] = snapshot
        commit([write("create-table", name, snapshot)])
    }

    /// A change without lineage.
    mutating func changeSilently(_ name: String, snapshot: Int64?) {
        snapshots[name] = snapshot
        commit([write("update-table", name, snapshot)])
    }

    /// A run that reads tables (`ns` names) and files (with a slash) as they are now.
    mutating func run(
        _ output: String,
        from inputs: [String],
        map: ColumnMap? = nil,
        replaces: Bool = false,
        job: String? = nil,
        reading: [String: Int64] = [:]
    ) {
        let snapshot = Int64(commits.count + 1) * 10
        var lineage = CommitLineage()
        let facts = LineageFacts(
            job: LineageFacts.Job(kind: "sql", name: job ?? "ns.\(output)", version: "v1"),
            runID: "run-\(commits.count + 1)",
            inputs: inputs.map { name in
                name.contains("/")
                    ? LineageFacts.Input(.file(name))
                    : LineageFacts.Input(
                        .table(uuid: uuid(name), name: ["ns", name]),
                        snapshotID: reading[name] ?? snapshots[name],
                        schemaID: 0
                    )
            },
            output: LineageFacts.Output(
                .table(uuid: uuid(output), name: ["ns", output]),
                operation: replaces ? "overwrite" : "append",
                replacesContents: replaces
            )
        )
        let known = carried
        lineage.add(facts, map: map)
        lineage = lineage.omittingMaps { !carriesMaps || known.contains($0) }
        if let map { carried.insert(map.hash) }
        snapshots[output] = snapshot
        commit([write("update-table", output, snapshot)], try? lineage.encoded())
    }

    func snapshot(_ name: String) -> Int64 { snapshots[name] ?? -1 }

    func graph() throws -> LineageGraph {
        let graph = LineageGraph()
        try graph.apply(commits)
        return graph
    }
}

/// `out <- in.column` pairs, all direct.
func identityMap(_ columns: [String], input: Int = 0, rows: [String] = []) -> ColumnMap {
    ColumnMap(
        outputs: columns.enumerated().map { index, name in
            ColumnMap.Output(
                name: name,
                fieldID: Int32(index + 1),
                origins: [
                    ColumnMap.Origin(
                        input: input,
                        column: name,
                        kind: .direct,
                        subtype: "IDENTITY"
                    )
                ]
            )
        },
        rows: rows.map {
            ColumnMap.Origin(input: input, column: $0, kind: .indirect, subtype: "FILTER")
        }
    )
}

extension LineageAnswer {
    /// `from -> to`, sorted as the answer has them.
    var arrows: [String] { edges.map { "\(nodes[$0.from].name) -> \(nodes[$0.to].name)" } }
    var names: [String] { nodes.map(\.name) }
}
