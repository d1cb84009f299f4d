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
            A node is ns.table, ns.table.column, ns.table@snapshot, or a file.

            Examples:
              varve lineage upstream analytics.daily_delays --depth 3
              varve lineage downstream nyc.flights.dep_delay --columns
              varve lineage path flights.csv analytics.daily_delays --format dot
            """,
        subcommands: [Upstream.self, Downstream.self, Path.self, Impact.self]
    )

    /// How an answer is written.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, json, dot, graphml, openlineage, cypher
    }

    struct Options: ParsableArguments {
        @OptionGroup var global: GlobalOptions

        @Option(help: "How many steps to go; without it as far as it leads.")
        var depth: Int?

        @Flag(help: "Ask about all columns of a table.")
        var columns = false

        @Option(help: "How the answer is written: table, json, dot, graphml, openlineage, cypher.")
        var format = Format.table

        func answer(
            _ ask: (LineageGraph, LineageOptions) throws -> LineageAnswer
        ) async throws {
            if let depth, depth < 1 { throw Failure(usage: "--depth is 1 or more") }
            let session = try await global.session()
            let graph = try await session.lineageGraph()
            for fault in await session.lineageIndexFaults {
                Failure.report("a lineage index was not used: \(fault.key): \(fault.message)")
            }
            let options = LineageOptions(
                depth: depth,
                asOf: await session.lineageInstant,
                columns: columns,
                namespace: await session.namespace
            )
            try write(try ask(graph, options), graph)
        }

        private func write(_ answer: LineageAnswer, _ graph: LineageGraph) throws {
            switch format {
            case .table:
                let schema = Schema(LineageAnswer.rowColumns.map { Field($0, .string) })
                let rows = answer.rows
                let columns = schema.fields.indices.map { index in
                    Column(.string, rows.map { $0[index].map { .string($0) } ?? .null })
                }
                var writer = try RowWriter(format: .table, schema: schema, to: 1)
                try writer.write(
                    RecordBatch(schema: schema, columns: columns, rowCount: rows.count)
                )
                try writer.finish()
                print("complete: \(answer.isComplete)")
                for gap in answer.gaps { print("gap: \(gap)") }
                if answer.isCut { print("There is more beyond --depth.") }
            case .json: print(answer.json.text(pretty: true))
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

    struct Upstream: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What a node came from.",
            discussion: """
                Example:
                  varve lineage upstream analytics.daily_delays --depth 3
                """
        )
        @OptionGroup var options: Options
        @Argument(help: "The node.") var node: String

        func run() async throws {
            try await options.answer { try $0.upstream(of: try NodeName(node), $1) }
        }
    }

    struct Downstream: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What was made of a node.",
            discussion: """
                Example:
                  varve lineage downstream nyc.flights.dep_delay --columns
                """
        )
        @OptionGroup var options: Options
        @Argument(help: "The node.") var node: String

        func run() async throws {
            try await options.answer { try $0.downstream(of: try NodeName(node), $1) }
        }
    }

    struct Path: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The ways from one node to another.",
            discussion: """
                Example:
                  varve lineage path flights.csv analytics.daily_delays --format dot
                """
        )
        @OptionGroup var options: Options
        @Argument(help: "Where the ways begin.") var from: String
        @Argument(help: "Where they end.") var to: String

        func run() async throws {
            try await options.answer {
                try $0.path(from: try NodeName(from), to: try NodeName(to), $1)
            }
        }
    }

    struct Impact: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What a change of a node may change.",
            discussion: """
                Example:
                  varve lineage impact nyc.flights.dep_delay --format json
                """
        )
        @OptionGroup var options: Options
        @Argument(help: "The node.") var node: String

        func run() async throws {
            try await options.answer { try $0.impact(of: try NodeName(node), $1) }
        }
    }
}
