import ArgumentParser

@main
struct VarveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "varve",
        abstract: "Turns a folder or a bucket into a transactional lakehouse.",
        discussion: """
            Examples:
              varve sql "SELECT carrier, count(*) FROM read_csv('flights.csv') GROUP BY ALL"
              varve --warehouse s3://bucket/lake sql "SHOW TABLES"

            The warehouse is ./lake unless --warehouse or VARVE_WAREHOUSE says otherwise.
            """,
        version: "varve 0.1.0",
        subcommands: [
            SQLCommand.self, ImportCommand.self, ExportCommand.self, HistoryCommand.self,
            AuditCommand.self, LineageCommand.self, TransformCommand.self, ServeCommand.self,
        ]
    )

    static func main() async {
        let arguments = GlobalOptions.movedBehindCommand(
            Array(CommandLine.arguments.dropFirst()),
            commands: Set(configuration.subcommands.compactMap { $0.configuration.commandName })
        )
        do {
            var command = try parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            Failure.exit(with: error)
        }
    }
}
