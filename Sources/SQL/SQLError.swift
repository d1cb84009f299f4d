/// Why a text is no SQL, and where.
package struct SQLError: Error, Sendable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// The text does not follow the grammar.
        case syntax
        /// The text is too long or nested too deeply.
        case limit
    }

    /// The parts live behind one pointer: every call in the parser that may throw keeps room for an
    /// error in its frame, and frames decide how deep a statement may nest.
    private final class Parts: Sendable {
        let code: Code
        let message: String
        let span: SourceSpan
        let token: String
        let hint: String?

        init(code: Code, message: String, span: SourceSpan, token: String, hint: String?) {
            self.code = code
            self.message = message
            self.span = span
            self.token = token
            self.hint = hint
        }
    }

    private let parts: Parts

    init(code: Code, message: String, span: SourceSpan, token: String, hint: String?) {
        parts = Parts(code: code, message: message, span: span, token: token, hint: hint)
    }

    package var code: Code { parts.code }

    /// What is wrong and what was expected, one line.
    package var message: String { parts.message }

    /// Where `token` stands.
    package var position: SourcePosition { parts.span.position }

    /// The same as offset and length in the text's UTF-8.
    package var span: SourceSpan { parts.span }

    /// The token as written, cut when long; empty at the end of the text.
    package var token: String { parts.token }

    /// What may have been meant.
    package var hint: String? { parts.hint }

    /// The message with its place, and the hint.
    package var description: String {
        let place = "line \(position.line), column \(position.column): \(message)"
        guard let hint else { return place }
        return "\(place) (\(hint))"
    }

    /// The message above the line of `text` that it is about, with carets under the token.
    package func rendered(in text: String) -> String {
        var result = "line \(position.line), column \(position.column): \(message)"
        let tokenLine = token.split(separator: "\n", omittingEmptySubsequences: false).first ?? ""
        result += SourceExcerpt.text(
            of: text,
            at: position,
            width: tokenLine.unicodeScalars.count
        )
        if let hint { result += "\nhint: \(hint)" }
        return result
    }
}
