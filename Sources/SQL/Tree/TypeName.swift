/// The name of a data type, as written in a cast or a column definition.
package struct TypeName: Sendable, Hashable {
    /// What the name means; synonyms (`int`, `int4`, `integer`) are already one.
    package indirect enum Node: Sendable, Hashable {
        case boolean
        case tinyint
        case smallint
        case integer
        case bigint
        /// 32-bit floating point.
        case real
        /// 64-bit floating point.
        case double
        /// `decimal(precision, scale)`; nil where nothing was written.
        case decimal(precision: Int?, scale: Int?)
        case date
        /// `time`, `time(precision)`
        case time(precision: Int?)
        /// `precision` counts fractional digits: 6 for `timestamp(6)`, 9 for `timestamp_ns`.
        case timestamp(precision: Int?, hasTimeZone: Bool)
        /// `varchar`, `string`, `text` and `char`; the length as written.
        case text(length: Int?)
        case uuid
        /// `binary`, `bytea`, `blob`, `varbinary`
        case binary
        /// `fixed(n)`: exactly that many bytes.
        case fixed(length: Int)
        case interval
        case json
        /// `t[]`, `list<t>`, `array<t>`; `length` of `t[3]` as written.
        case list(TypeName, length: Int?)
        case structure([StructureField])
        case map(key: TypeName, value: TypeName)
        /// A name that the parser does not know, with its numbers: the binder's to refuse.
        case other(ObjectName, arguments: [Int])
    }

    /// One field of a struct type.
    package struct StructureField: Sendable, Hashable {
        package var name: Identifier
        package var type: TypeName
        package var isNotNull: Bool
        package var comment: String?

        package init(
            name: Identifier,
            type: TypeName,
            isNotNull: Bool = false,
            comment: String? = nil
        ) {
            self.name = name
            self.type = type
            self.isNotNull = isNotNull
            self.comment = comment
        }
    }

    package var node: Node
    package var span: SourceSpan

    package init(_ node: Node, span: SourceSpan = .none) {
        self.node = node
        self.span = span
    }

    /// Where the name starts, for a message.
    package var position: SourcePosition { span.position }
}
