/// A place in a statement's text, as a person counts: both from 1; columns count Unicode scalars.
package struct SourcePosition: Sendable, Hashable {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
}
