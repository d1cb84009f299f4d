import Catalog
import Columnar
import Lineage
import Planner

/// Questions about lineage as table functions: `FROM lineage_upstream('ns.table.column', depth => 3)`.
enum LineageFunction: String, CaseIterable {
    case upstream = "lineage_upstream"
    case downstream = "lineage_downstream"
    case path = "lineage_path"
    case impact = "lineage_impact"

    /// One row for each edge of the answer.
    private static let edgeFields = [
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

    /// One row for each node that a change may reach.
    private static let nodeFields = [
        Field("name", .string, isNullable: false), Field("kind", .string, isNullable: false),
        Field("dataset", .string, isNullable: false), Field("column_name", .string),
        Field("depth", .int32, isNullable: false), Field("effect", .string, isNullable: false),
        Field("masked", .boolean, isNullable: false), Field("dropped", .boolean, isNullable: false),
        Field("complete", .boolean, isNullable: false),
    ]

    var schema: Columnar.Schema {
        Columnar.Schema(self == .impact ? Self.nodeFields : Self.edgeFields)
    }

    /// How many nodes it is asked with.
    private var nodeCount: Int { self == .path ? 2 : 1 }

    /// The nodes that the arguments name.
    func nodes(_ arguments: [Value]) throws -> [NodeName] {
        let names = arguments.compactMap { argument -> String? in
            if case .string(let text) = argument { text } else { nil }
        }
        guard names.count == nodeCount, arguments.count == nodeCount else {
            throw PlanError(
                .invalid,
                nodeCount == 2
                    ? "\(rawValue) takes the names of two nodes"
                    : "\(rawValue) takes the name of a node",
                hint: "A node is ns.table, ns.table.column, ns.table@snapshot, or a file."
            )
        }
        return try names.map { try NodeName($0) }
    }

    /// Takes named arguments into the options of a question.
    func apply(
        _ named: [TableRequest.NamedArgument],
        to options: inout LineageOptions
    ) throws {
        for argument in named {
            switch (argument.name, argument.value) {
            case ("depth", .int32(let depth)): options.depth = Int(depth)
            case ("columns", .boolean(let flag)) where self != .impact: options.columns = flag
            case ("values_only", .boolean(let flag)) where self != .impact:
                options.selection = flag ? .directOnly : .all
            case ("replaced", .boolean(let flag)): options.includesReplaced = flag
            default:
                let known =
                    self == .impact
                    ? "depth (a whole number), replaced (true or false)"
                    : "depth (a whole number), columns, values_only, replaced (true or false)"
                throw PlanError(
                    .invalid,
                    "\(rawValue) has no such option: \(argument.name)",
                    hint: "Known options: \(known). An earlier state is asked for with SET as_of."
                )
            }
        }
    }

    func ask(
        _ graph: LineageGraph,
        _ nodes: [NodeName],
        _ options: LineageOptions
    ) throws -> LineageAnswer {
        switch self {
        case .upstream: try graph.upstream(of: nodes[0], options)
        case .downstream: try graph.downstream(of: nodes[0], options)
        case .path: try graph.path(from: nodes[0], to: nodes[1], options)
        case .impact: try graph.impact(of: nodes[0], options)
        }
    }

    func rows(_ answer: LineageAnswer) -> [[Value]] {
        self == .impact ? nodeRows(answer) : answer.edges.map { row($0, answer) }
    }

    private func nodeRows(_ answer: LineageAnswer) -> [[Value]] {
        answer.nodes.dropFirst().map { node in
            [
                .string(node.name), .string(node.kind.rawValue), .string(node.dataset),
                text(node.column), .int32(Int32(clamping: node.depth)),
                .string(node.isDirect ? "values" : "rows"), .boolean(node.isMasked),
                .boolean(node.isDropped), .boolean(answer.isComplete),
            ]
        }
    }

    private func row(_ edge: LineageAnswer.Edge, _ answer: LineageAnswer) -> [Value] {
        let (from, to) = (answer.nodes[edge.from], answer.nodes[edge.to])
        let run = edge.run
        return [
            .string(from.name), .string(from.kind.rawValue), .string(from.dataset),
            text(from.column),
            .string(to.name), .string(to.kind.rawValue), .string(to.dataset), text(to.column),
            .int32(Int32(clamping: max(from.depth, to.depth))), text(edge.kind?.rawValue),
            text(edge.subtype), .boolean(edge.isMasked),
            text(run?.jobKind), text(run?.jobName), text(run?.jobVersion), text(run?.runID),
            .int64(Int64(edge.runCount)), text(run?.commitID), text(run?.actor),
            number(run?.position), number(edge.firstPosition),
            run.map { .timestamptz($0.timeMillis * 1000) } ?? .null,
            number(run?.inputSnapshotID), number(run?.outputSnapshotID),
            .boolean(answer.isComplete),
        ]
    }

    private func text(_ text: String?) -> Value { text.map { .string($0) } ?? .null }

    private func number(_ number: Int64?) -> Value { number.map { .int64($0) } ?? .null }
}

extension SourceResolver {
    /// The answer to a question about lineage, at the statement's state of the catalog.
    func lineageFunction(
        _ function: LineageFunction,
        _ arguments: [Value],
        _ named: [TableRequest.NamedArgument]
    ) async throws -> ResolvedSource {
        let nodes = try function.nodes(arguments)
        let snapshot = try await catalogSnapshot()
        var options = LineageOptions(
            asOf: .position(snapshot.position),
            namespace: await session.namespace
        )
        try function.apply(named, to: &options)
        let graph = try await session.engine.lineageGraph()
        let answer = try function.ask(graph, nodes, options)
        return resolved(function.rawValue, function.schema, function.rows(answer))
    }
}
