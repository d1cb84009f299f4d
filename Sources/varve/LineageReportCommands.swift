import ArgumentParser
import Bytes
import Columnar
import Engine
import Lineage

extension GlobalOptions {
    /// The graph, the nodes that a question names, and the state and namespace that these options name.
    ///
    /// - Parameter question: one that views take part in.
    func lineage(
        _ names: [String],
        _ question: LineageAnswer.Question? = nil
    ) async throws -> (graph: LineageGraph, nodes: [NodeName], options: LineageOptions) {
        let session = try await session()
        let graph = try await session.lineageGraph()
        for fault in await session.lineageIndexFaults {
            Failure.report("a lineage index was not used: \(fault.key): \(fault.message)")
        }
        var options = LineageOptions(
            asOf: await session.lineageInstant,
            namespace: await session.namespace
        )
        var nodes: [NodeName] = []
        for name in names { nodes.append(try await session.lineageNode(name, graph)) }
        options.views = try await session.lineageViews(question, nodes, graph, options)
        return (graph, nodes, options)
    }
}

extension LineageReport {
    /// Prints the answer for people, and whether it is complete.
    func printTable() throws {
        let schema = Schema(Self.rowColumns.map { Field($0, .string) })
        let rows = rows
        let columns = schema.fields.indices.map { index in
            Column(.string, rows.map { $0[index].map { .string($0) } ?? .null })
        }
        var writer = try RowWriter(format: .table, schema: schema, to: 1)
        try writer.write(RecordBatch(schema: schema, columns: columns, rowCount: rows.count))
        try writer.finish()
        print("complete: \(gaps.isEmpty)")
        for gap in gaps { print("gap: \(gap)") }
    }
}

extension LineageReport {
    /// Prints the answer as one JSON object, for people too.
    func printJSON() { writeAll(serialized(pretty: true) + [0x0A], to: 1) }

    /// Prints the answer as lines of JSON, piece by piece.
    func printLines() {
        for piece in lines() { writeAll(piece, to: 1) }
    }
}

extension LineageCommand {
    /// What questions have in common whose answers are no graph.
    struct ReportOptions: ParsableArguments {
        enum Format: String, ExpressibleByArgument, CaseIterable {
            case table, json, ndjson
        }

        @OptionGroup var global: GlobalOptions

        @Option(help: "How the answer is written: table, json, ndjson.")
        var format = Format.table

        /// - Parameter more: says that there is more than was asked for.
        func answer<Report: LineageReport>(
            _ nodes: [String],
            more: (Report) -> [String] = { _ in [] },
            _ ask: (LineageGraph, [NodeName], inout LineageOptions) throws -> Report
        ) async throws {
            var (graph, nodes, options) = try await global.lineage(nodes)
            let report = try ask(graph, nodes, &options)
            switch format {
            case .ndjson: report.printLines()
            case .json: report.printJSON()
            case .table:
                try report.printTable()
                for line in more(report) { print(line) }
            }
        }
    }

    struct Runs: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What runs read and wrote, the newest first.",
            discussion: """
                Of a run (run:ID), of all runs of a job (job:NAME), of those that wrote a data file (file:PATH), or of
                those that read or wrote a table, a snapshot of it, or a file outside the warehouse.

                Examples:
                  varve lineage runs run:0192f0c1-5d5f-7d4e-a3a0-0f1e2d3c4b5a
                  varve lineage runs job:analytics.daily_delays --limit 5
                  varve lineage runs nyc.flights --since 2024-05-01 --format json
                """
        )
        @OptionGroup var options: ReportOptions
        @OptionGroup var window: Window
        @Option(help: "How many, at most.") var limit = LineageRuns.defaultLimit
        @Argument(help: "A run, a job, a table, ns.table@snapshot, or a file.") var node: String

        func run() async throws {
            try await options.answer(
                [node],
                more: { (found: LineageRuns) in
                    found.isCut ? ["There are more beyond --limit."] : []
                }
            ) { (graph, nodes, options: inout LineageOptions) -> LineageRuns in
                try window.apply(to: &options)
                return try graph.runs(of: nodes[0], limit: limit, options)
            }
        }
    }

    struct Sources: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Which sources feed a table, and how far it is behind them.",
            discussion: """
                A source is where rows came into the warehouse: a file, or a table that was filled with rows that came
                from no other.

                Examples:
                  varve lineage sources analytics.daily_delays
                  varve lineage sources analytics.daily_delays.mean --format json
                """
        )
        @OptionGroup var options: ReportOptions
        @Flag(help: "Say which of the sources' columns took part.") var columns = false
        @OptionGroup var selection: LineageCommand.Selection
        @Argument(help: "The node.") var node: String

        func run() async throws {
            try await options.answer([node]) {
                (graph, nodes, options: inout LineageOptions) -> LineageSources in
                options.columns = columns
                selection.apply(to: &options)
                return try graph.sources(of: nodes[0], options)
            }
        }
    }

    struct Paths: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The ways from one node to another, one by one, the shortest first.",
            discussion: """
                Each with its steps, and with what becomes of a value on all of it: path_type, path_subtype, path_masked.

                Examples:
                  varve lineage paths flights.csv#dep_delay analytics.daily_delays.mean
                  varve lineage paths flights.csv analytics.daily_delays --shortest --format json
                """
        )
        @OptionGroup var options: ReportOptions
        @Option(help: "How many steps of jobs a way may have; without it any number.") var depth:
            Int?
        @Flag(help: "Ask about all columns of tables.") var columns = false
        @Flag(help: "Count what ran even where the rows that it wrote have been replaced since.")
        var replaced = false
        @OptionGroup var selection: LineageCommand.Selection
        @Option(help: "How many ways, at most.") var limit = LineagePaths.defaultLimit
        @Flag(help: "Only the shortest way.") var shortest = false
        @Argument(help: "Where the ways begin.") var from: String
        @Argument(help: "Where they end.") var to: String

        func run() async throws {
            if let depth, depth < 1 { throw Failure(usage: "--depth is 1 or more") }
            let limits = LineagePathLimits(paths: limit, isShortestOnly: shortest)
            try await options.answer(
                [from, to],
                more: { (found: LineagePaths) in
                    found.cuts.map { "cut: \($0)" }
                }
            ) {
                (graph, nodes, options: inout LineageOptions) -> LineagePaths in
                options.depth = depth
                options.columns = columns
                options.includesReplaced = replaced
                selection.apply(to: &options)
                return try graph.paths(from: nodes[0], to: nodes[1], limits: limits, options)
            }
        }
    }
}
