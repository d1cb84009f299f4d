import ArgumentParser
import Columnar
import Engine
import Glibc
import SQL

struct SQLCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql",
        abstract: "Run SQL statements, separated by semicolons, in order.",
        discussion: """
            Without statements and on a terminal there is a prompt, with history and completion.

            Examples:
              varve sql "SELECT * FROM flights LIMIT 10"
              varve sql -f report.sql --format csv > report.csv
              varve sql "SELECT * FROM flights WHERE carrier = :c" --param c=UA
              varve sql "FROM flights" --format parquet --output flights.parquet
              varve sql "SELECT count(*) FROM flights" --timing --repeat 5
              varve sql "SHOW TABLES" --server http://localhost:8181
            """
    )

    @OptionGroup var global: GlobalOptions

    @Argument(
        help: "The statements; without them (and without -f) they are read from standard input."
    )
    var text: String?

    @Option(name: [.customShort("f"), .long], help: "A file that holds the statements.")
    var file: String?

    @Option(
        help: """
            A value for :NAME or, when NAME is a number, $NUMBER: as a SQL literal says (1, 'a', \
            DATE '2024-05-01'), or else as text.
            """
    )
    var param: [String] = []

    @Option(
        help: "How rows are written: \(OutputFormat.names), or parquet, which needs --output."
    )
    var format: OutputFormat?

    @Option(help: "The file that rows are written to, instead of standard output.")
    var output: String?

    @Option(help: "Run on the varve serve at this URL; VARVE_TOKEN is the token.")
    var server: String?

    @Flag(help: "Report time, memory and what was read on standard error.")
    var timing = false

    @Option(help: "Run each statement so often; the last run's rows are written.")
    var `repeat` = 1

    /// Whether a person types the statements.
    var isInteractive: Bool {
        text == nil && file == nil && output == nil && isatty(0) == 1 && isatty(1) == 1
    }

    func run() async throws {
        guard (1...1_000_000).contains(`repeat`) else {
            throw Failure(usage: "--repeat is 1 to 1000000, not \(`repeat`)")
        }
        let format = format ?? .table
        if format == .parquet, output == nil {
            throw Failure(usage: "--format parquet needs --output FILE")
        }
        let statements = try readStatements()
        let runner = try await runner()
        let descriptor = try openOutput(output)
        do {
            try await StatementPrinter(runner).run(
                statements,
                StatementPrinter.Options(
                    format: format,
                    descriptor: descriptor,
                    measures: timing,
                    runCount: `repeat`,
                    saysWhatWasDone: isatty(2) == 1 || format == .table
                )
            )
        } catch {
            _ = await runner.finish()
            throw error
        }
        if await runner.finish() {
            throw Failure("the statements end inside a transaction: nothing of it was committed")
        }
    }

    /// Reads statements from the terminal until there are no more.
    func prompt() async throws {
        let format = format ?? .table
        if format == .parquet { throw Failure(usage: "--format parquet needs --output FILE") }
        let prompt = Prompt(try await runner(), format: format, measures: timing)
        await prompt.run()
    }

    private func runner() async throws -> any StatementRunner {
        let session = try await global.session(isLocal: server == nil)
        let named = try param.map { text -> (name: String, text: String) in
            let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, !pair[0].isEmpty else {
                throw Failure(usage: "--param has the form NAME=VALUE, unlike \"\(text)\"")
            }
            var name = String(pair[0])
            if let first = name.first, first == ":" || first == "$" { name.removeFirst() }
            return (name, String(pair[1]))
        }
        var parameters: Session.Parameters = [:]
        var texts: [(name: String, value: Value, text: String)] = []
        for one in named {
            let (value, type) = await session.parameterValue(one.text)
            let key = Int(one.name).map { Parameter.numbered($0) } ?? .named(one.name)
            guard parameters.updateValue((value, type), forKey: key) == nil else {
                throw Failure(usage: "--param \(one.name) is given twice")
            }
            texts.append((one.name, value, one.text))
        }
        guard let server else { return LocalRunner(session: session, parameters: parameters) }
        return try ServerRunner(
            url: server,
            token: environmentValue("VARVE_TOKEN"),
            namespace: global.namespace,
            asOf: global.asOf,
            branch: global.branch,
            tableBranch: global.tableBranch,
            parameters: texts
        )
    }

    private func readStatements() throws -> String {
        if let text {
            if file != nil { throw Failure(usage: "give statements or -f, not both") }
            return text
        }
        return try String(decoding: readFile(file ?? "/dev/stdin"), as: UTF8.self)
    }
}

/// Opens the file that rows are written to; standard output without one.
func openOutput(_ path: String?) throws -> Int32 {
    guard let path else { return 1 }
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if descriptor < 0 {
        throw Failure("\(path) cannot be written: \(String(cString: strerror(errno)))")
    }
    return descriptor
}

extension StatementSummary {
    /// As psql shows what was done.
    var line: String {
        var line = tag
        if let rowCount { line += " \(rowCount)" }
        if let position { line += "  (log position \(position))" }
        return line
    }
}

/// The bytes of a local file.
func readFile(_ path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        throw Failure("\(path) cannot be read: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(descriptor, &piece, piece.count)
        if count < 0 {
            if errno == EINTR { continue }
            throw Failure("\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        if count == 0 { return bytes }
        bytes.append(contentsOf: piece[..<count])
    }
}
