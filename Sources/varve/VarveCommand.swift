import Ambient
import ArgumentParser
import Engine

@main
struct VarveCommand: AsyncParsableCommand {
    static let version = "varve \(Engine.version)"

    static let configuration = CommandConfiguration(
        commandName: "varve",
        abstract: "Turns a folder or a bucket into a transactional lakehouse.",
        discussion: """
            Examples:
              varve sql "SELECT carrier, count(*) FROM read_csv('flights.csv') GROUP BY ALL"
              varve --warehouse s3://bucket/lake sql "SHOW TABLES"

            The warehouse is ./lake unless --warehouse or VARVE_WAREHOUSE says otherwise.
            """,
        version: version,
        subcommands: [
            SQLCommand.self, ImportCommand.self, ExportCommand.self, HistoryCommand.self,
            DiffCommand.self, AuditCommand.self, LineageCommand.self, TransformCommand.self,
            MaintainCommand.self, BranchCommand.self, TagCommand.self, UndropCommand.self,
            ServeCommand.self,
        ]
    )

    static func main() async {
        prepareAllocator(processorCount: processorCount())
        let arguments = GlobalOptions.movedBehindCommand(
            Array(CommandLine.arguments.dropFirst()),
            commands: Set(configuration.subcommands.compactMap { $0.configuration.commandName })
        )
        do {
            var command = try parseAsRoot(arguments)
            switch command {
            case let serve as ServeCommand: try await serve.run()
            case let sql as SQLCommand where sql.isInteractive: try await sql.prompt()
            case let command as any AsyncParsableCommand:
                let command = UncheckedCommand(command)
                try await cancelledByInterrupts { try await command.run() }
            default: try command.run()
            }
            await GlobalOptions.finishBackgroundWork()
        } catch {
            Failure.exit(with: error)
        }
    }
}

/// A command on its way to the task that runs it; nobody else uses it from then on.
private struct UncheckedCommand: @unchecked Sendable {
    private let command: any AsyncParsableCommand

    init(_ command: any AsyncParsableCommand) {
        self.command = command
    }

    func run() async throws {
        var command = command
        try await command.run()
    }
}
