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
    }

    package var description: String {
        var text = message
        if let position { text += " (line \(position.line), column \(position.column))" }
        if let hint { text += "\n\(hint)" }
        return text
    }
}
