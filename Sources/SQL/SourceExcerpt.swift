/// A line of a text with carets under a place in it, for messages.
package enum SourceExcerpt {
    private static let columnsMax = 120

    /// Two lines, each after a line feed; empty where the text has no such line.
    ///
    /// - Parameter width: how many scalars the carets go on; at least one is drawn.
    @inline(never)
    package static func text(
        of text: String,
        at position: SourcePosition,
        width: Int
    ) -> String {
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.indices.contains(position.line - 1) else { return "" }
        let scalars = Array(lines[position.line - 1].filter { $0 != "\r" })
        let column = min(max(position.column - 1, 0), scalars.count)
        let start = max(0, column - columnsMax / 2)
        let end = min(scalars.count, start + columnsMax)
        // Tabs stay tabs below, so that the carets stand where the reader's terminal puts the token.
        var shown = String.UnicodeScalarView()
        var below = String.UnicodeScalarView()
        for (index, scalar) in scalars[start..<end].enumerated() {
            shown.append(scalar)
            if start + index < column { below.append(scalar == "\t" ? "\t" : " ") }
        }
        let carets = String(repeating: "^", count: min(max(width, 1), max(end - column, 1)))
        let ellipsis = start > 0 ? "…" : ""
        let indent = start > 0 ? " " : ""
        return "\n  \(ellipsis)\(String(shown))\n  \(indent)\(String(below))\(carets)"
    }
}
