import Glibc

/// The lines that were typed, this time and before, kept in a file that only its owner may read.
///
/// `@unchecked Sendable`: used by the one task that runs the prompt.
final class LineHistory: @unchecked Sendable {
    private var lines: [String] = []
    private let path: String?
    private static let lineCountMax = 1000

    /// - Parameter path: the file; nil keeps nothing.
    init(path: String?) {
        self.path = path
        guard let path, let bytes = try? readFile(path) else { return }
        let all = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        lines = all.suffix(Self.lineCountMax).map(String.init)
    }

    /// Where history is kept: VARVE_HISTORY, $XDG_STATE_HOME/varve/history, or ~/.varve_history.
    static func defaultPath() -> String? {
        if let path = environmentValue("VARVE_HISTORY") { return path }
        if let state = environmentValue("XDG_STATE_HOME") {
            mkdir(state, 0o700)
            mkdir(state + "/varve", 0o700)
            return state + "/varve/history"
        }
        return environmentValue("HOME").map { $0 + "/.varve_history" }
    }

    /// Takes a line in; one that is blank or like the last is not kept.
    func add(_ line: String) {
        guard line.contains(where: { $0 != " " }), line != lines.last, !line.contains("\n")
        else { return }
        lines.append(line)
        if lines.count > 2 * Self.lineCountMax { lines.removeFirst(Self.lineCountMax) }
        guard let path else { return }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // One write, so that two prompts at once do not mix their lines.
        let bytes = Array((line + "\n").utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }

    func browser() -> Browser { Browser(lines: lines) }

    /// A walk through the history with the arrow keys.
    struct Browser {
        private let lines: [String]
        private var index: Int
        /// What was being typed when the walk began.
        private var draft = ""

        fileprivate init(lines: [String]) {
            self.lines = lines
            index = lines.count
        }

        mutating func older(_ current: String) -> String? {
            guard index > 0 else { return nil }
            if index == lines.count { draft = current }
            index -= 1
            return lines[index]
        }

        mutating func newer() -> String? {
            guard index < lines.count else { return nil }
            index += 1
            return index == lines.count ? draft : lines[index]
        }
    }
}
