import ArgumentParser
import Columnar
import Engine
import Execution
import Glibc
import SQL
import TextFiles

struct SQLCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql",
        abstract: "Run SQL statements, separated by semicolons, in order.",
        discussion: """
            Examples:
              varve sql "SELECT * FROM flights LIMIT 10"
              varve sql -f report.sql --format csv > report.csv
              varve sql "SELECT * FROM t FOR VERSION AS OF 'release'"
            """
    )

    @OptionGroup var global: GlobalOptions

    @Argument(
        help: "The statements; without them (and without -f) they are read from standard input."
    )
    var text: String?

    @Option(name: [.customShort("f"), .long], help: "A file that holds the statements.")
    var file: String?

    @Option(help: "How rows are written: \(OutputFormat.names).")
    var format: OutputFormat?

    @Option(help: "The file that rows are written to, instead of standard output.")
    var output: String?

    func run() async throws {
        let statements = try readStatements()
        let session = try await global.session()
        let descriptor = try openOutput()
        let format = format ?? .table
        do {
            try await session.run(statements) { outcome in
                switch outcome {
                case .rows(let rows):
                    var writer = try RowWriter(
                        format: format,
                        schema: rows.schema,
                        to: descriptor
                    )
                    while let batch = try await rows.next() { try writer.write(batch) }
                    writer.finish()
                case .done(let summary):
                    guard isatty(2) == 1 || format == .table else { return }
                    writeError(summary.line + "\n")
                }
            }
        } catch let error as SQLError {
            throw Failure(error.rendered(in: statements))
        }
    }

    private func readStatements() throws -> String {
        if let text {
            if file != nil { throw Failure(usage: "give statements or -f, not both") }
            return text
        }
        return try String(decoding: readFile(file ?? "/dev/stdin"), as: UTF8.self)
    }

    private func openOutput() throws -> Int32 {
        guard let output else { return 1 }
        let descriptor = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if descriptor < 0 {
            throw Failure("\(output) cannot be written: \(String(cString: strerror(errno)))")
        }
        return descriptor
    }
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
