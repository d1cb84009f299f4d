import Catalog
import Columnar
import Lineage
import Planner

/// Questions about lineage as table functions: `FROM lineage_upstream('ns.table.column', depth => 3)`.
enum LineageFunction: String, CaseIterable {
    case upstream = "lineage_upstream"
    case downstream = "lineage_downstream"
    case path = "lineage_path"
    case paths = "lineage_paths"
    case impact = "lineage_impact"
    case runs = "lineage_runs"
    case sources = "lineage_sources"

    var schema: Columnar.Schema {
        switch self {
        case .upstream, .downstream, .path: Columnar.Schema(LineageAnswer.edgeFields)
        case .impact: Columnar.Schema(LineageAnswer.nodeFields)
        case .runs: Columnar.Schema(LineageRuns.fields)
        case .sources: Columnar.Schema(LineageSources.fields)
        case .paths: Columnar.Schema(LineagePaths.fields)
        }
    }

    /// Which question it is, of those that views take part in.
    fileprivate var question: LineageAnswer.Question? {
        switch self {
        case .upstream: .upstream
        case .downstream: .downstream
        case .impact: .impact
        case .path, .paths, .runs, .sources: nil
        }
    }

    /// How many nodes it is asked with.
    private var nodeCount: Int { self == .path || self == .paths ? 2 : 1 }

    /// The names of nodes among the arguments.
    func nodes(_ arguments: [Value]) throws -> [String] {
        let names = arguments.compactMap { argument -> String? in
            if case .string(let text) = argument { text } else { nil }
        }
        guard names.count == nodeCount, arguments.count == nodeCount else {
            throw PlanError(
                .invalid,
                nodeCount == 2
                    ? "\(rawValue) takes the names of two nodes"
                    : "\(rawValue) takes the name of a node",
                hint: nodeCount == 2
                    ? "A node is ns.table, ns.table.column, ns.table@snapshot, or a file."
                    : "A node is ns.table, ns.table.column, ns.table@snapshot, a file, run:ID, job:NAME, or file:PATH."
            )
        }
        return names
    }

    // MARK: Options

    /// A named argument.
    private enum Option: String, CaseIterable {
        case depth, columns, replaced, limit, shortest, since, until, jobs
        case valuesOnly = "values_only"

        var values: String {
            switch self {
            case .depth, .limit: "a whole number"
            case .columns, .replaced, .shortest, .valuesOnly, .jobs: "true or false"
            case .since, .until: "a log position or a time"
            }
        }
    }

    private var known: [Option] {
        switch self {
        case .upstream, .downstream: [.depth, .columns, .valuesOnly, .replaced, .since, .until]
        case .path: [.depth, .columns, .valuesOnly, .replaced]
        case .paths: [.depth, .columns, .valuesOnly, .replaced, .limit, .shortest]
        case .impact: [.depth, .replaced, .since, .until, .jobs]
        case .runs: [.limit, .since, .until]
        case .sources: [.columns, .valuesOnly]
        }
    }

    /// What a question says besides its nodes.
    struct Options {
        var lineage: LineageOptions
        var limit: Int?
        var isShortestOnly = false
    }

    /// Takes named arguments into the options of a question.
    func apply(
        _ named: [TableRequest.NamedArgument],
        to options: inout Options
    ) throws {
        for argument in named {
            let option = known.first { $0.rawValue == argument.name }
            switch (option, argument.value) {
            case (.depth?, .int32(let depth)): options.lineage.depth = Int(depth)
            case (.columns?, .boolean(let flag)): options.lineage.columns = flag
            case (.valuesOnly?, .boolean(let flag)):
                options.lineage.selection = flag ? .directOnly : .all
            case (.replaced?, .boolean(let flag)): options.lineage.includesReplaced = flag
            case (.jobs?, .boolean(let flag)): options.lineage.jobs = flag
            case (.limit?, .int32(let limit)): options.limit = Int(limit)
            case (.shortest?, .boolean(let flag)): options.isShortestOnly = flag
            case (.since?, let value): options.lineage.since = try instant(value, argument.name)
            case (.until?, let value): options.lineage.until = try instant(value, argument.name)
            case (let option?, _):
                throw PlanError(.invalid, "\(rawValue): \(argument.name) is \(option.values)")
            case (nil, _):
                let all = known.map { "\($0.rawValue) (\($0.values))" }.joined(separator: ", ")
                throw PlanError(
                    .invalid,
                    "\(rawValue) has no such option: \(argument.name)",
                    hint: "Known options: \(all). An earlier state is asked for with SET as_of."
                )
            }
        }
    }

    private func instant(_ value: Value, _ name: String) throws -> LineageInstant {
        switch value {
        case .int32(let position): .position(Int64(position))
        case .int64(let position): .position(position)
        case .timestamptz(let micros), .timestamp(let micros): .timeMillis(micros / 1000)
        case .string(let text): LineageInstant(try CatalogInstant(text))
        default: throw PlanError(.invalid, "\(rawValue): \(name) is a log position or a time")
        }
    }

    // MARK: Answers

    /// The rows of the answer.
    func rows(
        _ graph: LineageGraph,
        _ nodes: [NodeName],
        _ options: Options
    ) throws -> [[Value]] {
        let lineage = options.lineage
        switch self {
        case .upstream: return try graph.upstream(of: nodes[0], lineage).edgeValues
        case .downstream: return try graph.downstream(of: nodes[0], lineage).edgeValues
        case .path: return try graph.path(from: nodes[0], to: nodes[1], lineage).edgeValues
        case .impact: return try graph.impact(of: nodes[0], lineage).nodeValues
        case .runs:
            let limit = options.limit ?? LineageRuns.defaultLimit
            return try graph.runs(of: nodes[0], limit: limit, lineage).values
        case .sources: return try graph.sources(of: nodes[0], lineage).values
        case .paths:
            let limits = LineagePathLimits(
                paths: options.limit ?? LineagePaths.defaultLimit,
                isShortestOnly: options.isShortestOnly
            )
            return try graph.paths(from: nodes[0], to: nodes[1], limits: limits, lineage).values
        }
    }
}

extension SourceResolver {
    /// The answer to a question about lineage, at the statement's state of the catalog.
    func lineageFunction(
        _ function: LineageFunction,
        _ arguments: [Value],
        _ named: [TableRequest.NamedArgument]
    ) async throws -> ResolvedSource {
        let names = try function.nodes(arguments)
        let snapshot = try await catalogSnapshot()
        var options = LineageFunction.Options(
            lineage: LineageOptions(
                asOf: .position(snapshot.position),
                namespace: await session.namespace
            )
        )
        try function.apply(named, to: &options)
        let graph = try await session.engine.lineageGraph()
        var nodes: [NodeName] = []
        for name in names { nodes.append(try await session.lineageNode(name, graph, at: snapshot)) }
        options.lineage.views = try await session.lineageViews(
            function.question,
            nodes,
            graph,
            options.lineage,
            at: snapshot
        )
        let rows = try function.rows(graph, nodes, options)
        return resolved(function.rawValue, function.schema, rows)
    }
}
