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
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        var result = "line \(position.line), column \(position.column): \(message)"
        if lines.indices.contains(position.line - 1) {
            result += excerpt(of: lines[position.line - 1])
        }
        if let hint { result += "\nhint: \(hint)" }
        return result
    }

    private static let excerptColumnsMax = 120

    /// The line, cut around the token when it is long, and the carets below.
    @inline(never)
    private func excerpt(of line: Substring.UnicodeScalarView) -> String {
        let scalars = Array(line.filter { $0 != "\r" })
        let column = min(max(position.column - 1, 0), scalars.count)
        let start = max(0, column - Self.excerptColumnsMax / 2)
        let end = min(scalars.count, start + Self.excerptColumnsMax)
        // Tabs stay tabs below, so that the carets stand where the reader's terminal puts the token.
        var shown = String.UnicodeScalarView()
        var below = String.UnicodeScalarView()
        for (index, scalar) in scalars[start..<end].enumerated() {
            shown.append(scalar)
            if start + index < column { below.append(scalar == "\t" ? "\t" : " ") }
        }
        let tokenLine = token.split(separator: "\n", omittingEmptySubsequences: false).first ?? ""
        let width = min(max(tokenLine.unicodeScalars.count, 1), max(end - column, 1))
        let carets = String(repeating: "^", count: width)
        let ellipsis = start > 0 ? "…" : ""
        let indent = start > 0 ? " " : ""
        return "\n  \(ellipsis)\(String(shown))\n  \(indent)\(String(below))\(carets)"
    }
}
