/// A name as it was written.
///
/// Unquoted names are case-insensitive; the spelling is kept and folding is the binder's work.
package struct Identifier: Sendable, Hashable {
    /// The name without its quotes, doubled quotes undone.
    package var name: String
    /// Whether it stood in double quotes or backquotes, and is therefore case-sensitive.
    package var isQuoted: Bool
    package var span: SourceSpan

    package init(_ name: String, isQuoted: Bool = false, span: SourceSpan = .none) {
        self.name = name
        self.isQuoted = isQuoted
        self.span = span
    }

    /// Where the name stands, for a message.
    package var position: SourcePosition { span.position }
}

/// A dotted name, outermost part first: `catalog.namespace.table`; never empty when parsed.
package typealias ObjectName = [Identifier]

extension ObjectName {
    /// From the first part to the last.
    package var span: SourceSpan {
        guard let first, let last else { return .none }
        return first.span.through(last.span)
    }
}
