import ArgumentParser
import Bytes
import Columnar
import Engine
import Lineage

struct LineageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lineage",
        abstract: "Where data came from, and where it went, exact to the commit.",
        discussion: """
            A node is ns.table, ns.table.column, ns.table@snapshot, or a file; or what ran: run:ID, or job:NAME.
            file:PATH is a data file of a table: the runs that wrote it.

            Examples:
              varve lineage upstream analytics.daily_delays --depth 3
              varve lineage downstream nyc.flights.dep_delay --columns
              varve lineage path flights.csv analytics.daily_delays --format dot
              varve lineage paths flights.csv#dep_delay analytics.daily_delays.mean
              varve lineage sources analytics.daily_delays
              varve lineage runs job:analytics.daily_delays
            """,
        subcommands: [
            Upstream.self, Downstream.self, Path.self, Paths.self, Impact.self, Sources.self,
            Runs.self,
        ]
    )

    /// How an answer is written.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, json, ndjson, dot, graphml, openlineage, cypher
    }

    struct Options: ParsableArguments {
        @OptionGroup var global: GlobalOptions

        @Option(help: "How many steps to go; without it as far as it leads.")
        var depth: Int?

        @Flag(help: "Ask about all columns of a table.")
        var columns = false

        @Flag(help: "Count what ran even where the rows that it wrote have been replaced since.")
        var replaced = false

        @Option(
            help:
                "How the answer is written: table, json, ndjson, dot, graphml, openlineage, cypher."
        )
        var format = Format.table

        func answer(
            _ nodes: [String],
            _ window: Window? = nil,
            _ selection: Selection? = nil,
            question: LineageAnswer.Question? = nil,
            jobs: Bool = false,
            _ ask: (LineageGraph, [NodeName], LineageOptions) throws -> LineageAnswer
        ) async throws {
            if let depth, depth < 1 { throw Failure(usage: "--depth is 1 or more") }
            var (graph, nodes, options) = try await global.lineage(nodes, question)
            options.depth = depth
            options.columns = columns
            options.includesReplaced = replaced
            options.jobs = jobs
            try window?.apply(to: &options)
            selection?.apply(to: &options)
            try write(try ask(graph, nodes, options), graph)
        }

        private func write(_ answer: LineageAnswer, _ graph: LineageGraph) throws {
            switch format {
            case .table:
                try answer.printTable()
                if answer.isCut { print("There is more beyond --depth.") }
                for job in answer.jobs ?? [] {
                    let version = job.run.jobVersion.map { ", version \($0)" } ?? ""
                    let read = job.inputs.joined(separator: ", ")
                    let known = job.isDirect ? "values" : "rows"
                    let effect = job.unknownReason == nil ? known : "values or rows"
                    print(
                        "\(job.name) (\(job.run.jobKind)\(version)) reads \(read): "
                            + "\(effect) of \(job.outputs.joined(separator: ", ")); "
                            + "last run \(job.run.runID)"
                    )
                }
            case .ndjson: answer.printLines()
            case .json: answer.printJSON()
            case .dot: print(answer.dot)
            case .graphml: print(answer.graphML)
            case .cypher: print(answer.cypher)
            case .openlineage:
                for event in OpenLineageWriter(namespace: try global.warehouseURL).events(
                    of: answer,
                    in: graph
                ) {
                    print(event.text())
                }
            }
        }
    }

    /// Which edges count.
    struct Selection: ParsableArguments {
        @Flag(help: "Leave out what only decides which rows there are.")
        var valuesOnly = false

        func apply(to options: inout LineageOptions) {
            if valuesOnly { options.selection = .directOnly }
        }
    }

    /// Which runs count.
    struct Window: ParsableArguments {
        @Option(help: "Only what ran from this log position or time on.")
        var since: String?

        @Option(help: "Only what ran up to this log position or time.")
        var until: String?

        func apply(to options: inout LineageOptions) throws {
            options.since = try since.map { LineageInstant(try CatalogInstant($0)) }
            options.until = try until.map { LineageInstant(try CatalogInstant($0)) }
        }
    }

    struct Upstream: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What a node came from.",
            discussion: """
                Examples:
                  varve lineage upstream analytics.daily_delays --depth 3
                  varve lineage upstream run:0192f0c1-5d5f-7d4e-a3a0-0f1e2d3c4b5a
                """
        )
        @OptionGroup var options: Options
        @OptionGroup var selection: Selection
        @OptionGroup var window: Window
        @Argument(help: "The node.") var node: String

        func run() async throws {
            try await options.answer([node], window, selection, question: .upstream) {
                try $0.upstream(of: $1[0], $2)
            }
        }
    }

    struct Downstream: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What was made of a node.",
            discussion: """
                Examples:
                  varve lineage downstream nyc.flights.dep_delay --columns
                  varve lineage downstream flights.csv --since 2024-05-01
                """
        )
        @OptionGroup var options: Options
        @OptionGroup var selection: Selection
        @OptionGroup var window: Window
        @Argument(help: "The node.") var node: String

        func run() async throws {
            try await options.answer([node], window, selection, question: .downstream) {
                try $0.downstream(of: $1[0], $2)
            }
        }
    }

    struct Path: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The part of the graph that lies on the ways from one node to another.",
            discussion: """
                Example:
                  varve lineage path flights.csv analytics.daily_delays --format dot
                """
        )
        @OptionGroup var options: Options
        @OptionGroup var selection: Selection
        @Argument(help: "Where the ways begin.") var from: String
        @Argument(help: "Where they end.") var to: String

        func run() async throws {
            try await options.answer([from, to], nil, selection) {
                try $0.path(from: $1[0], to: $1[1], $2)
            }
        }
    }

    struct Impact: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What a change of a node may change: columns, rows, views, jobs.",
            discussion: """
                Views of the catalog (--branch, --as-of) that read what changes are in the answer; those that cannot be
                bound and mention it are, too, as unknown.

                Examples:
                  varve lineage impact nyc.flights.dep_delay --format json
                  varve lineage impact nyc.flights.dep_delay --jobs
                """
        )
        @OptionGroup var options: Options
        @OptionGroup var window: Window
        @Flag(help: "Say which jobs' newest runs read what changes.") var jobs = false
        @Argument(help: "The node.") var node: String

        func run() async throws {
            try await options.answer([node], window, question: .impact, jobs: jobs) {
                try $0.impact(of: $1[0], $2)
            }
        }
    }
}
