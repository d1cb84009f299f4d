package import SQL

/// Why a statement that is well written has no meaning here.
package struct PlanError: Error, Sendable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// A name, type or function is wrong: change the statement.
        case invalid
        /// The statement is right but this version cannot run it.
        case unsupported
        /// A table is not known; SQLSTATE has its own class for it.
        case noSuchTable
    }

    package var code: Code
    package var message: String
    package var hint: String?
    /// Where in the text; nil when no place is to blame.
    package var position: SourcePosition?
    /// How many bytes of the text are to blame, from `position` on.
    package var lengthBytes = 0

    package init(
        _ code: Code,
        _ message: String,
        hint: String? = nil,
        at span: SourceSpan? = nil
    ) {
        self.code = code
        self.message = message
        self.hint = hint
        position = span.flatMap { $0.lengthBytes > 0 ? $0.position : nil }
        lengthBytes = span?.lengthBytes ?? 0
    }

    package var description: String {
        var text = message
        if let position { text += " (line \(position.line), column \(position.column))" }
        if let hint { text += "\n\(hint)" }
        return text
    }

    /// The message above the line of `text` that it is about, with carets under what is to blame.
    package func rendered(in text: String) -> String {
        var result = message
        if let position {
            result = "line \(position.line), column \(position.column): \(message)"
            result += SourceExcerpt.text(of: text, at: position, width: width(in: text, position))
        }
        if let hint { result += "\nhint: \(hint)" }
        return result
    }

    /// How many scalars of its line are to blame.
    private func width(in text: String, _ position: SourcePosition) -> Int {
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.indices.contains(position.line - 1) else { return 1 }
        var (bytes, count) = (0, 0)
        for scalar in lines[position.line - 1].dropFirst(position.column - 1) {
            bytes += scalar.utf8.count
            if bytes > lengthBytes { break }
            count += 1
        }
        return count
    }
}
