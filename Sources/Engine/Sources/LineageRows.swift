import Columnar
import Lineage

// Answers about lineage as rows of SQL.

private func text(_ text: String?) -> Value { text.map { .string($0) } ?? .null }

private func number(_ number: Int64?) -> Value { number.map { .int64($0) } ?? .null }

private func time(_ millis: Int64?) -> Value { millis.map { .timestamptz($0 * 1000) } ?? .null }

private func list(_ texts: [String]?) -> Value {
    texts.map { .list($0.map { .string($0) }) } ?? .null
}

private let texts = DataType.list(Field("element", .string))

extension LineageAnswer.Node {
    /// Name, kind, dataset, column.
    fileprivate var values: [Value] {
        [.string(name), .string(kind.rawValue), .string(dataset), text(column)]
    }
}

extension LineageAnswer {
    /// One row for each edge of the answer.
    static let edgeFields = [
        Field("source", .string, isNullable: false),
        Field("source_kind", .string, isNullable: false),
        Field("source_dataset", .string, isNullable: false), Field("source_column", .string),
        Field("target", .string, isNullable: false),
        Field("target_kind", .string, isNullable: false),
        Field("target_dataset", .string, isNullable: false), Field("target_column", .string),
        Field("depth", .int32, isNullable: false), Field("type", .string),
        Field("subtype", .string), Field("masked", .boolean, isNullable: false),
        Field("job_kind", .string), Field("job", .string), Field("job_version", .string),
        Field("run_id", .string), Field("runs", .int64, isNullable: false),
        Field("commit_id", .string), Field("actor", .string), Field("position", .int64),
        Field("first_position", .int64), Field("committed_at", .timestamptz),
        Field("source_snapshot_id", .int64), Field("target_snapshot_id", .int64),
        Field("complete", .boolean, isNullable: false),
    ]

    /// One row for each node that a change may reach, then one for each job that reads it.
    static let nodeFields = [
        Field("name", .string, isNullable: false), Field("kind", .string, isNullable: false),
        Field("dataset", .string, isNullable: false), Field("column_name", .string),
        Field("depth", .int32, isNullable: false), Field("effect", .string, isNullable: false),
        Field("masked", .boolean, isNullable: false), Field("dropped", .boolean, isNullable: false),
        Field("complete", .boolean, isNullable: false),
        Field("dataset_kind", .string, isNullable: false), Field("reason", .string),
        Field("job_kind", .string), Field("job_version", .string), Field("run_id", .string),
        Field("position", .int64),
    ]

    var edgeValues: [[Value]] {
        let nodes = Array(nodes)
        return edges.map { edge in
            let (from, to) = (nodes[edge.from], nodes[edge.to])
            let run = edge.run
            return from.values + to.values + [
                .int32(Int32(clamping: max(from.depth, to.depth))), text(edge.kind?.rawValue),
                text(edge.subtype), .boolean(edge.isMasked),
                text(run?.jobKind), text(run?.jobName), text(run?.jobVersion), text(run?.runID),
                .int64(Int64(edge.runCount)), text(run?.commitID), text(run?.actor),
                number(run?.position), number(edge.firstPosition), time(run?.timeMillis),
                number(run?.inputSnapshotID), number(run?.outputSnapshotID),
                .boolean(isComplete),
            ]
        }
    }

    var nodeValues: [[Value]] {
        let nodeRows = nodes.dropFirst().map { node -> [Value] in
            [
                .string(node.name), .string(node.kind.rawValue), .string(node.dataset),
                text(node.column), .int32(Int32(clamping: node.depth)),
                effect(node.isDirect, node.unknownReason),
                .boolean(node.isMasked), .boolean(node.isDropped), .boolean(isComplete),
                .string(node.datasetKind), text(node.unknownReason), .null, .null, .null, .null,
            ]
        }
        return nodeRows + (jobs ?? []).map { jobRow($0) }
    }

    private func effect(_ isDirect: Bool, _ unknownReason: String?) -> Value {
        .string(unknownReason != nil ? "unknown" : isDirect ? "values" : "rows")
    }

    private func jobRow(_ job: Job) -> [Value] {
        [
            .string(job.name), .string("job"), .string(job.name), .null,
            .int32(Int32(clamping: job.depth)), effect(job.isDirect, job.unknownReason),
            .boolean(false), .boolean(false), .boolean(isComplete), .string("job"),
            text(job.unknownReason), .string(job.run.jobKind), text(job.run.jobVersion),
            .string(job.run.runID), .int64(job.run.position),
        ]
    }
}

extension LineageAnswer.Node {
    /// What the dataset is that the node is of.
    fileprivate var datasetKind: String {
        if kind == .run || kind == .job { return kind.rawValue }
        return isOfView ? "view" : tableUUID == nil ? "file" : "table"
    }
}

extension LineageRuns {
    /// One row for each dataset that a run read or wrote.
    static let fields = [
        Field("run_id", .string, isNullable: false), Field("job_kind", .string, isNullable: false),
        Field("job", .string, isNullable: false), Field("job_version", .string),
        Field("operation", .string, isNullable: false),
        Field("direction", .string, isNullable: false),
        Field("dataset", .string, isNullable: false),
        Field("dataset_kind", .string, isNullable: false), Field("snapshot_id", .int64),
        Field("type", .string), Field("columns", texts),
        Field("commit_id", .string, isNullable: false), Field("actor", .string, isNullable: false),
        Field("position", .int64, isNullable: false),
        Field("committed_at", .timestamptz, isNullable: false),
        Field("complete", .boolean, isNullable: false), Field("cut", .boolean, isNullable: false),
    ]

    var values: [[Value]] {
        flows.flatMap { flow in
            flow.sides.map { side in
                [
                    .string(flow.run.runID), .string(flow.run.jobKind), .string(flow.run.jobName),
                    text(flow.run.jobVersion), .string(flow.run.operation),
                    .string(side.isOutput ? "wrote" : "read"), .string(side.dataset.node.name),
                    .string(side.dataset.node.kind.rawValue), number(side.dataset.snapshotID),
                    text(side.dataset.kind?.rawValue), list(side.dataset.columns),
                    .string(flow.run.commitID), .string(flow.run.actor),
                    .int64(flow.run.position), time(flow.run.timeMillis),
                    .boolean(isComplete), .boolean(isCut),
                ]
            }
        }
    }
}

extension LineageSources {
    /// One row a source.
    static let fields = [
        Field("source", .string, isNullable: false), Field("kind", .string, isNullable: false),
        Field("origins", texts, isNullable: false), Field("depth", .int32, isNullable: false),
        Field("effect", .string, isNullable: false), Field("masked", .boolean, isNullable: false),
        Field("dropped", .boolean, isNullable: false), Field("columns", texts),
        Field("condition_columns", texts), Field("last_read_position", .int64),
        Field("last_read_at", .timestamptz), Field("last_read_by_job", .string),
        Field("last_read_by_run", .string), Field("read_snapshot_id", .int64),
        Field("newest_snapshot_id", .int64), Field("newest_position", .int64),
        Field("newest_at", .timestamptz), Field("commits_behind", .int64),
        Field("millis_behind", .int64), Field("behind_since", .timestamptz),
        Field("complete", .boolean, isNullable: false),
    ]

    var values: [[Value]] {
        sources.map { source in
            [
                .string(source.node.name), .string(source.node.kind.rawValue),
                list(source.origins.map(\.rawValue)), .int32(Int32(clamping: source.node.depth)),
                .string(source.node.isDirect ? "values" : "rows"), .boolean(source.node.isMasked),
                .boolean(source.node.isDropped), list(source.columns),
                list(source.conditionColumns), number(source.lastRead?.position),
                time(source.lastRead?.timeMillis), text(source.lastRead?.jobName),
                text(source.lastRead?.runID), number(source.lastRead?.inputSnapshotID),
                number(source.newest?.snapshotID), number(source.newest?.position),
                time(source.newest?.timeMillis), number(source.commitsBehind.map { Int64($0) }),
                number(source.behindMillis), time(source.firstUnread?.timeMillis),
                .boolean(isComplete),
            ]
        }
    }
}

extension LineagePaths {
    /// One row for each step of each way.
    static let fields = [
        Field("path", .int32, isNullable: false), Field("step", .int32, isNullable: false),
        Field("length", .int32, isNullable: false), Field("source", .string, isNullable: false),
        Field("source_kind", .string, isNullable: false),
        Field("source_dataset", .string, isNullable: false), Field("source_column", .string),
        Field("target", .string, isNullable: false),
        Field("target_kind", .string, isNullable: false),
        Field("target_dataset", .string, isNullable: false), Field("target_column", .string),
        Field("type", .string), Field("subtype", .string),
        Field("masked", .boolean, isNullable: false), Field("job_kind", .string),
        Field("job", .string), Field("run_id", .string), Field("runs", .int64, isNullable: false),
        Field("position", .int64), Field("committed_at", .timestamptz),
        Field("path_type", .string), Field("path_subtype", .string),
        Field("path_masked", .boolean, isNullable: false),
        Field("complete", .boolean, isNullable: false), Field("cut", .boolean, isNullable: false),
    ]

    var values: [[Value]] {
        paths.enumerated().flatMap { number, path in
            path.steps.enumerated().map { step, place in
                row(path, number, step, edges[place])
            }
        }
    }

    private func row(
        _ path: Path,
        _ place: Int,
        _ step: Int,
        _ edge: LineageAnswer.Edge
    ) -> [Value] {
        let ends = nodes[edge.from].values + nodes[edge.to].values
        let run = edge.run
        let all = path.transformation
        return [
            .int32(Int32(clamping: place + 1)), .int32(Int32(clamping: step + 1)),
            .int32(Int32(clamping: path.steps.count)),
        ] + ends + [
            text(edge.kind?.rawValue), text(edge.subtype), .boolean(edge.isMasked),
            text(run?.jobKind), text(run?.jobName), text(run?.runID),
            .int64(Int64(edge.runCount)), number(run?.position), time(run?.timeMillis),
            text(all.kind?.rawValue), text(all.subtype), .boolean(all.isMasked),
            .boolean(isComplete), .boolean(isCut),
        ]
    }
}
