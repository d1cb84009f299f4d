import ArgumentParser
import Engine

/// Runs statements that a command is short for.
private func run(_ text: String, _ global: GlobalOptions, _ format: OutputFormat) async throws {
    if format == .parquet { throw Failure(usage: "--format parquet is for varve sql") }
    let session = try await global.session()
    try await StatementPrinter(LocalRunner(session: session, parameters: [:])).run(
        text,
        StatementPrinter.Options(format: format)
    )
}

private func quoted(_ name: String) -> String {
    "\"" + name.replacing("\"", with: "\"\"") + "\""
}

private func text(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }

/// Where a branch or tag begins, as SQL says it; `--as-of` of the command line counts as everywhere.
private func start(from source: String?) -> String { source.map { " FROM " + quoted($0) } ?? "" }

struct BranchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "branch",
        abstract: "Make, compare, merge and drop branches of the whole catalog.",
        discussion: """
            A branch has all tables, views and namespaces, as they were where it begins; making one copies
            nothing. What is committed with --branch NAME is seen on it alone until it is merged.

            Examples:
              varve branch create dev
              varve branch create fix --from main --as-of 1200
              varve sql "DELETE FROM orders WHERE total < 0" --branch dev
              varve branch diff main dev
              varve branch merge dev
              varve branch drop dev
            """,
        subcommands: [List.self, Create.self, Diff.self, Merge.self, Drop.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the branches of the catalog.",
            discussion: """
                Examples:
                  varve branch list
                  varve branch list --format json
                """
        )

        @OptionGroup var global: GlobalOptions

        @Option(help: "How rows are written: \(OutputFormat.names).")
        var format = OutputFormat.table

        func run() async throws { try await varve.run("SHOW BRANCHES", global, format) }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Make a branch: of main, another branch, a tag, or of an older state (--as-of).",
            discussion: """
                Examples:
                  varve branch create dev
                  varve branch create hotfix --from v1
                  varve branch create before --as-of '2024-05-01 12:30:00+00'
                """
        )

        @OptionGroup var global: GlobalOptions

        @Argument(help: "Its name: ASCII letters, digits, _, - and . after a letter or _.")
        var name: String

        @Option(help: "The branch or tag that it is made of; main unless --branch says otherwise.")
        var from: String?

        @Flag(help: "Do nothing when there is a branch or tag of this name.")
        var ifNotExists = false

        func run() async throws {
            let condition = ifNotExists ? "IF NOT EXISTS " : ""
            try await varve.run(
                "CREATE BRANCH \(condition)\(quoted(name))\(start(from: from))",
                global,
                .table
            )
        }
    }

    struct Diff: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the tables, views and namespaces at which two branches or tags differ.",
            discussion: """
                varve diff shows the rows that differ between two snapshots of a table.

                Examples:
                  varve branch diff main dev
                  varve branch diff v1 main --format csv
                """
        )

        @OptionGroup var global: GlobalOptions

        @Argument(help: "The branch or tag to compare with.")
        var from: String

        @Argument(help: "The branch or tag that is compared.")
        var to: String

        @Option(help: "How rows are written: \(OutputFormat.names).")
        var format = OutputFormat.table

        func run() async throws {
            try await varve.run(
                "FROM varve_branch_diff(\(text(from)), \(text(to))) ORDER BY namespace, name NULLS FIRST",
                global,
                format
            )
        }
    }

    struct Merge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Bring what was changed on a branch into the one that it was made from, or the other way.",
            discussion: """
                All or nothing, in one commit. A table, view or namespace that both changed since is a
                conflict; --check lists the conflicts and merges nothing (exit status 1 when there are any).

                Examples:
                  varve branch merge dev
                  varve branch merge main --into dev
                  varve branch merge dev --check
                """
        )

        @OptionGroup var global: GlobalOptions

        @Argument(help: "The branch whose changes are brought over.")
        var name: String

        @Option(help: "The branch that gets them; the one that it was made from unless said.")
        var into: String?

        @Flag(help: "List the conflicts, and merge nothing.")
        var check = false

        @Option(help: "How conflicts are written: \(OutputFormat.names).")
        var format = OutputFormat.table

        func run() async throws {
            guard check else {
                let target = into.map { " INTO " + quoted($0) } ?? ""
                return try await varve.run("MERGE BRANCH \(quoted(name))\(target)", global, format)
            }
            let session = try await global.session()
            let target = try await session.mergeTarget(of: name, into: into)
            try await varve.run(
                "FROM varve_merge_conflicts(\(text(name)), \(text(target)))",
                global,
                format
            )
            let count = try await session.conflictCount(of: name, into: target)
            if count > 0 { throw Failure("\(count) conflicts stand in the way of the merge") }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Drop a branch; what was not merged is lost with it.",
            discussion: """
                Examples:
                  varve branch drop dev
                """
        )

        @OptionGroup var global: GlobalOptions

        @Argument(help: "The branch.")
        var name: String

        @Flag(help: "Do nothing when there is none.")
        var ifExists = false

        func run() async throws {
            let condition = ifExists ? "IF EXISTS " : ""
            try await varve.run("DROP BRANCH \(condition)\(quoted(name))", global, .table)
        }
    }
}

struct TagCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag",
        abstract: "Make, list and drop tags: names for states of the whole catalog.",
        discussion: """
            A tag never changes, and keeps the files of its tables. Read it with --branch NAME.

            Examples:
              varve tag create v1
              varve tag create month-end --as-of '2024-05-31 23:59:59+00'
              varve sql "SELECT count(*) FROM orders" --branch v1
              varve tag drop v1
            """,
        subcommands: [List.self, Create.self, Drop.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the tags of the catalog.",
            discussion: """
                Examples:
                  varve tag list
                """
        )

        @OptionGroup var global: GlobalOptions

        @Option(help: "How rows are written: \(OutputFormat.names).")
        var format = OutputFormat.table

        func run() async throws { try await varve.run("SHOW TAGS", global, format) }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a tag: of main, a branch, or of an older state (--as-of).",
            discussion: """
                Examples:
                  varve tag create v1
                  varve tag create v2 --from dev
                """
        )

        @OptionGroup var global: GlobalOptions

        @Argument(help: "Its name: ASCII letters, digits, _, - and . after a letter or _.")
        var name: String

        @Option(
            help: "The branch or tag whose state it names; main unless --branch says otherwise."
        )
        var from: String?

        func run() async throws {
            try await varve.run(
                "CREATE TAG \(quoted(name))\(start(from: from))",
                global,
                .table
            )
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Drop a tag.",
            discussion: """
                Examples:
                  varve tag drop v1
                """
        )

        @OptionGroup var global: GlobalOptions

        @Argument(help: "The tag.")
        var name: String

        @Flag(help: "Do nothing when there is none.")
        var ifExists = false

        func run() async throws {
            let condition = ifExists ? "IF EXISTS " : ""
            try await varve.run("DROP TAG \(condition)\(quoted(name))", global, .table)
        }
    }
}

struct UndropCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undrop",
        abstract: "Bring back a table that was dropped, as it was.",
        discussion: """
            Within seven days, or what the property varve.undrop.retention-ms of namespace main says.
            varve sql "FROM varve.dropped_tables" lists what can be brought back. A table that was dropped
            with PURGE cannot.

            Examples:
              varve undrop sales.orders
              varve undrop sales.orders --as sales.orders_before
            """
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The table: NS.TABLE, or TABLE in --namespace.")
    var table: String

    @Option(name: .customLong("as"), help: "Another name for it.")
    var newName: String?

    func run() async throws {
        let name = newName.map { " AS \($0)" } ?? ""
        try await varve.run("UNDROP TABLE \(table)\(name)", global, .table)
    }
}
