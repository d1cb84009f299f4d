import ArgumentParser
import Engine
import Pipelines

struct TransformCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transform",
        abstract: "Validate, plan and run transforms that are described in files.",
        discussion: """
            Examples:
              varve transform validate transforms/*.yaml
              varve transform plan delays.yaml
              varve transform run transforms/*.yaml --select +analytics.daily_delays
            """,
        subcommands: [Validate.self, Plan.self, Run.self, Test.self]
    )

    struct Specs: ParsableArguments {
        @Argument(help: "Transform specs, YAML or JSON.")
        var specs: [String]

        @Option(
            help:
                "Which of them: name, +name with all before it, name+ with all after it, ns.*, tag:word."
        )
        var select: [String] = []

        var sources: [SpecSource] {
            get throws {
                try specs.map {
                    SpecSource(file: $0, text: String(decoding: try readFile($0), as: UTF8.self))
                }
            }
        }

        func plans(namespace: String) throws -> [TransformPlan] {
            let set = try TransformSet(
                try sources,
                defaultNamespace: namespace.split(separator: ".").map(String.init)
            )
            return select.isEmpty ? set.plans : try set.selection(select)
        }
    }

    struct Validate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say everything that is wrong with specs; needs no warehouse.",
            discussion: """
                Example:
                  varve transform validate transforms/*.yaml
                """
        )
        @OptionGroup var global: GlobalOptions
        @OptionGroup var specs: Specs

        func run() async throws {
            let (issues, unsupported) = Pipelines.validate(
                try specs.sources,
                defaultNamespace: global.namespace.split(separator: ".").map(String.init)
            )
            for issue in issues { print(issue) }
            for issue in unsupported { print("not in this version: \(issue)") }
            if !issues.isEmpty { throw Failure("\(issues.count) issues") }
            print("\(specs.specs.count) specs are valid.")
        }
    }

    struct Plan: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what would run, in which order, as SQL.",
            discussion: """
                Example:
                  varve transform plan transforms/*.yaml --select +analytics.daily_delays
                """
        )
        @OptionGroup var global: GlobalOptions
        @OptionGroup var specs: Specs

        func run() async throws {
            for plan in try specs.plans(namespace: global.namespace) {
                print(
                    "-- \(plan.title) (\(plan.kind.name)), version \(plan.versionHash.prefix(12))"
                )
                print(plan.sql + ";")
                for drop in plan.drops { print("-- drops rows that violate: \(drop.name)") }
                for check in plan.checks { print("-- \(check.action.rawValue): \(check.name)") }
                for issue in plan.unsupported { print("-- not in this version: \(issue)") }
            }
        }
    }

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run transforms, each in one commit, those that others read first.",
            discussion: """
                Example:
                  varve transform run transforms/*.yaml --select tag:nightly
                """
        )
        @OptionGroup var global: GlobalOptions
        @OptionGroup var specs: Specs

        func run() async throws {
            let plans = try specs.plans(namespace: global.namespace)
            for plan in plans { try plan.checkRunnable() }
            let session = try await global.session()
            for plan in plans {
                // What the spec asks for that nothing acts on yet must not go unnoticed.
                for note in plan.notes { writeError("varve: note: \(note)\n") }
                let receipt = try await session.run(plan)
                print(
                    "\(receipt.name): \(receipt.rowCount) rows  (log position \(receipt.position))"
                )
                for input in receipt.inputs {
                    let snapshot = input.snapshotID.map { " at snapshot \($0)" } ?? ""
                    print("  from \(input.name)\(snapshot)")
                }
                for (name, count) in receipt.dropped where count > 0 {
                    print("  \(name): \(count) rows were left out")
                }
                for warning in receipt.warnings { writeError("varve: warning: \(warning)\n") }
            }
        }
    }

    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run the tests of transforms (not in this version).",
            discussion: """
                Example:
                  varve transform test transforms/*.yaml
                """
        )
        @OptionGroup var global: GlobalOptions
        @OptionGroup var specs: Specs

        func run() async throws {
            let plans = try specs.plans(namespace: global.namespace)
            for plan in plans { try plan.checkTestable() }
            print("\(plans.count) transforms have no tests.")
        }
    }
}
