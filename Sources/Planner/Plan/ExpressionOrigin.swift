package import SQL

/// Where a statement has an expression, for errors.
///
/// Where an expression stands is not what it is: all origins are equal and hash to nothing.
package struct ExpressionOrigin: Sendable, Hashable {
    /// The expression as it was written.
    package let expression: SQL.Expression

    package init(_ expression: SQL.Expression) {
        self.expression = expression
    }

    package static func == (_: ExpressionOrigin, _: ExpressionOrigin) -> Bool { true }

    package func hash(into _: inout Hasher) {}

    /// `a + b (line 1, column 8)`, cut to what fits a line.
    package var description: String {
        var text = Printer.print(expression)
        if text.count > 100 { text = text.prefix(97) + "..." }
        let position = expression.position
        guard expression.span.lengthBytes > 0 else { return text }
        return "\(text) (line \(position.line), column \(position.column))"
    }
}
