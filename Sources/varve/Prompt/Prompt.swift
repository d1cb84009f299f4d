import Ambient
import Glibc
import SQL
import Synchronization

/// The interactive prompt: statements that end with a semicolon, and commands that begin with a dot.
final class Prompt: Sendable {
    private let runner: any StatementRunner
    private let printer: StatementPrinter
    private let options: Mutex<StatementPrinter.Options>
    private let names = Mutex<[String]>([])
    private let thread = WorkerPool(threadCountMax: 1)

    init(_ runner: any StatementRunner, format: OutputFormat, measures: Bool) {
        self.runner = runner
        printer = StatementPrinter(runner)
        options = Mutex(StatementPrinter.Options(format: format, measures: measures))
    }

    private static let help = """
        .help               this text
        .tables [NS]        the tables of a namespace
        .schema TABLE       the statement that makes a table
        .timing on|off      whether to say what each statement cost
        .mode FORMAT        how rows are written: \(OutputFormat.names)
        .quit               ends the prompt, as Ctrl-D does
        Statements end with a semicolon and may have many lines. Tab completes, the arrow keys go
        through history, Ctrl-C cancels the statement that runs or the one that is typed.

        """

    /// Reads and runs statements until there are no more.
    func run() async {
        let history = LineHistory(path: LineHistory.defaultPath())
        let editor = LineEditor(history: history) { self.completions($0) }
        writeError("\(VarveCommand.version); .help says what else there is\n")
        // Ctrl-C must never end the prompt, not even between two statements.
        Interrupts.shared.set {}
        refreshNames()
        await editor.withTerminal { await read(editor, history) }
        if await runner.finish() { writeError("the open transaction was rolled back\n") }
    }

    private func read(_ editor: LineEditor, _ history: LineHistory) async {
        var text = ""
        while true {
            let prompt = text.isEmpty ? "varve> " : "  ...> "
            let answer: LineEditor.Answer
            do {
                answer = try await thread.run { editor.readLine(prompt) }
            } catch {
                Failure.report("\(error)")
                return
            }
            switch answer {
            case .end: return
            case .interrupted: text = ""
            case .line(let line):
                history.add(line)
                if text.isEmpty, line.first == "." {
                    guard await command(line) else { return }
                    continue
                }
                text += (text.isEmpty ? "" : "\n") + line
                switch StatementText.ending(of: text) {
                case .empty: text = ""
                case .open: break
                case .closed:
                    await runStatements(text)
                    text = ""
                }
            }
        }
    }

    private func runStatements(_ text: String) async {
        let options = options.withLock { $0 }
        let task = Task { try await printer.run(text, options) }
        Interrupts.shared.set { task.cancel() }
        do {
            try await task.value
        } catch is CancellationError {
            writeError("cancelled\n")
        } catch {
            Failure.report(task.isCancelled ? "cancelled" : "\(error)")
        }
        Interrupts.shared.set {}
        refreshNames()
    }

    /// Runs a command of the prompt itself.
    ///
    /// - Returns: whether the prompt goes on.
    private func command(_ line: String) async -> Bool {
        var words = line.split(separator: " ").map(String.init)
        if words.last == ";" { words.removeLast() }
        switch (words[0], words.count) {
        case (".quit", 1), (".exit", 1): return false
        case (".help", 1): writeError(Self.help)
        case (".tables", 1): await runStatements("SHOW TABLES")
        case (".tables", 2): await runStatements("SHOW TABLES IN " + words[1])
        case (".schema", 2): await runStatements("SHOW CREATE TABLE " + words[1])
        case (".timing", 2) where words[1] == "on" || words[1] == "off":
            options.withLock { $0.measures = words[1] == "on" }
        case (".mode", 2):
            guard let format = OutputFormat(rawValue: words[1]), format != .parquet else {
                Failure.report(".mode is one of \(OutputFormat.names)")
                return true
            }
            options.withLock { $0.format = format }
        default: Failure.report("\"\(line)\" is no command; .help says which there are")
        }
        return true
    }

    // MARK: Completion

    private static let commands = [".help", ".mode", ".quit", ".schema", ".tables", ".timing"]

    /// Looks names up while the person reads and types.
    private func refreshNames() {
        Task {
            guard let found = try? await runner.names() else { return }
            names.withLock { $0 = found }
        }
    }

    private func completions(_ word: String) -> [String] {
        if word.isEmpty { return [] }
        let start = word.lowercased()
        if word.first == "." { return Self.commands.filter { $0.hasPrefix(start) } }
        let isLower = word == start
        let keywords = StatementText.keywords
            .filter { $0.lowercased().hasPrefix(start) }
            .map { isLower ? $0.lowercased() : $0 }
        let known = names.withLock { $0 }.filter { $0.lowercased().hasPrefix(start) }
        return Array(Set(keywords + known)).sorted()
    }
}
