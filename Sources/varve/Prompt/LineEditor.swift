import Glibc
import TextFiles

/// Reads lines from a terminal, with editing, history and completion.
///
/// One line is shown in one row of the terminal, moved sideways when it is longer. One caller at a
/// time, on a thread that may block.
final class LineEditor: @unchecked Sendable {
    /// What a person answered to a prompt.
    enum Answer: Equatable {
        case line(String)
        /// Ctrl-C: the line is given up.
        case interrupted
        /// Ctrl-D on an empty line, or a terminal that went away.
        case end
    }

    private let input: Int32
    private let output: Int32
    private let keys: KeyReader
    private let history: LineHistory
    /// What a word before the cursor may become.
    private let completions: @Sendable (_ word: String) -> [String]

    init(
        input: Int32 = 0,
        output: Int32 = 1,
        history: LineHistory,
        completions: @escaping @Sendable (String) -> [String]
    ) {
        self.input = input
        self.output = output
        keys = KeyReader(descriptor: input)
        self.history = history
        self.completions = completions
    }

    /// Takes the terminal over until `body` has run.
    ///
    /// Keys that are typed while a statement runs are neither shown nor cut into lines by the
    /// terminal: the next line is edited with them. Ctrl-C is a signal then.
    func withTerminal(_ body: () async -> Void) async {
        var saved = termios()
        guard tcgetattr(input, &saved) == 0 else { return }
        setMode(takesSignals: true)
        await body()
        _ = tcsetattr(input, TCSADRAIN, &saved)
    }

    private func setMode(takesSignals: Bool) {
        var mode = termios()
        guard tcgetattr(input, &mode) == 0 else { return }
        mode.c_iflag &= ~tcflag_t(BRKINT | ICRNL | INPCK | ISTRIP | IXON)
        mode.c_lflag &= ~tcflag_t(ECHO | ICANON | IEXTEN | ISIG)
        if takesSignals { mode.c_lflag |= tcflag_t(ISIG) }
        _ = tcsetattr(input, TCSADRAIN, &mode)
    }

    /// Shows a prompt and reads one line, inside `withTerminal`.
    func readLine(_ prompt: String) -> Answer {
        setMode(takesSignals: false)
        defer {
            setMode(takesSignals: true)
            write("\r\n")
        }
        var line = LineBuffer()
        var browsing = history.browser()
        var tabCount = 0
        show(prompt, line)
        while true {
            let key = keys.next()
            tabCount = key == .tab ? tabCount + 1 : 0
            switch key {
            case .enter: return .line(line.text)
            case .closed: return .end
            case .control("c"):
                write("^C")
                return .interrupted
            case .control("d"):
                if line.isEmpty { return .end }
                line.delete()
            case .text(let text): line.insert(text)
            case .backspace: line.backspace()
            case .delete: line.delete()
            case .left, .control("b"): line.left()
            case .right, .control("f"): line.right()
            case .home, .control("a"): line.toStart()
            case .end, .control("e"): line.toEnd()
            case .wordLeft: line.wordLeft()
            case .wordRight: line.wordRight()
            case .control("k"): line.deleteToEnd()
            case .control("u"): line.deleteToStart()
            case .control("w"): line.deleteWord()
            case .up, .control("p"): if let text = browsing.older(line.text) { line.set(text) }
            case .down, .control("n"): if let text = browsing.newer() { line.set(text) }
            case .control("l"): write("\u{1B}[H\u{1B}[2J")
            case .tab: complete(&line, isSecond: tabCount > 1, prompt)
            case .control, .unknown: break
            }
            show(prompt, line)
        }
    }

    private func complete(_ line: inout LineBuffer, isSecond: Bool, _ prompt: String) {
        let word = String(
            line.beforeCursor.reversed().prefix { $0.isLetter || $0.isNumber || "_.".contains($0) }
                .reversed()
        )
        let found = completions(word)
        guard let first = found.first else { return }
        if found.count == 1 {
            line.replace(last: word.count, with: first + " ")
            return
        }
        var common = first
        for other in found { common = common.commonPrefixIgnoringCase(other) }
        if common.count > word.count {
            line.replace(last: word.count, with: common)
        } else if isSecond {
            let shown = found.prefix(60).joined(separator: "  ")
            let more = found.count > 60 ? "  … \(found.count - 60) more" : ""
            write("\r\n" + shown + more + "\r\n")
        }
    }

    // MARK: Showing

    private func show(_ prompt: String, _ line: LineBuffer) {
        var size = winsize()
        let width =
            ioctl(output, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 8 ? Int(size.ws_col) : 80
        let room = max(4, width - DisplayWidth.of(prompt) - 1)
        let widths = line.characters.map { $0 == "\t" ? 1 : DisplayWidth.of(String($0)) }
        // From the first character with which the cursor is still in sight.
        var start = 0
        var before = widths[..<line.cursor].reduce(0, +)
        while before > room, start < line.cursor {
            before -= widths[start]
            start += 1
        }
        var end = start
        var used = 0
        while end < widths.count, used + widths[end] <= room {
            used += widths[end]
            end += 1
        }
        let shown = String(line.characters[start..<end].map { $0 == "\t" ? " " : $0 })
        let back = used - before
        write("\r" + prompt + shown + "\u{1B}[K" + (back > 0 ? "\u{1B}[\(back)D" : ""))
    }

    private func write(_ text: String) { writeAll(Array(text.utf8), to: output) }
}

extension String {
    /// What two texts begin with alike, in this one's letters.
    fileprivate func commonPrefixIgnoringCase(_ other: String) -> String {
        var result = ""
        for (a, b) in zip(self, other) {
            guard a.lowercased() == b.lowercased() else { break }
            result.append(a)
        }
        return result
    }
}
