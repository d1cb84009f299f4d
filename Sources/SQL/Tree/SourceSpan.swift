/// The stretch of text that a node of the syntax tree was read from.
///
/// Where a node stands is not what it is: all spans are equal and hash to nothing, so that `==` on
/// trees compares meaning. Compare `offsetBytes` and `lengthBytes` where the place matters. A node
/// made by hand has `SourceSpan.none`.
package struct SourceSpan: Sendable, Hashable {
    private var offset: UInt32
    private var length: UInt32
    private var line: UInt32
    private var column: UInt32

    /// The span of a node that no text was read for; its position is line 1, column 1.
    package static let none = SourceSpan(
        offsetBytes: 0,
        lengthBytes: 0,
        position: SourcePosition(line: 1, column: 1)
    )

    /// Makes a span; numbers beyond 32 bits are cut to what fits (texts are bounded far below).
    package init(offsetBytes: Int, lengthBytes: Int, position: SourcePosition) {
        offset = UInt32(clamping: offsetBytes)
        length = UInt32(clamping: lengthBytes)
        line = UInt32(clamping: position.line)
        column = UInt32(clamping: position.column)
    }

    /// How many UTF-8 bytes of the text come before the node.
    package var offsetBytes: Int { Int(offset) }

    /// How many UTF-8 bytes the node takes.
    package var lengthBytes: Int { Int(length) }

    /// Where the node starts, for a message.
    package var position: SourcePosition {
        SourcePosition(line: Int(line), column: Int(column))
    }

    /// The first byte after the node.
    package var endBytes: Int { Int(offset) + Int(length) }

    /// This span, stretched to where `other` ends.
    @inline(never)
    package func through(_ other: SourceSpan) -> SourceSpan {
        var span = self
        span.length = UInt32(clamping: Swift.max(other.endBytes - offsetBytes, lengthBytes))
        return span
    }

    package static func == (_: SourceSpan, _: SourceSpan) -> Bool { true }

    package func hash(into _: inout Hasher) {}
}
