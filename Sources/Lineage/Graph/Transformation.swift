/// What becomes of a value on a way of several steps.
///
/// The rule, for a way read from its start (docs/decisions/0033):
/// * INDIRECT as soon as one step is: from there on the value itself goes no further. The subtype is that of the
///   first such step, which is how the value decides.
/// * Else of unknown type when one step's columns were not traced.
/// * Else DIRECT: AGGREGATION when one step is, else TRANSFORMATION when one is, else IDENTITY; without a subtype
///   when one step has none, or one that is not known here, unless another is an AGGREGATION.
/// * Masked when one step is.
package struct Transformation: Sendable, Hashable {
    /// nil when it is not known.
    package var kind: ColumnMap.Kind?
    package var subtype: String?
    package var isMasked: Bool

    package init(kind: ColumnMap.Kind?, subtype: String?, isMasked: Bool = false) {
        self.kind = kind
        self.subtype = subtype
        self.isMasked = isMasked
    }

    /// What changes nothing.
    static let identity = Transformation(kind: .direct, subtype: "IDENTITY")

    private static let order = ["IDENTITY", "TRANSFORMATION", nil, "AGGREGATION"]

    /// A subtype of values by how much it changes; whatever else there is counts as not known.
    private static func rank(_ subtype: String?) -> Int { order.firstIndex(of: subtype) ?? 2 }

    /// This, and another behind it.
    package func followed(by next: Transformation) -> Transformation {
        let isMasked = isMasked || next.isMasked
        switch (kind, next.kind) {
        case (.indirect, _):
            return Transformation(kind: .indirect, subtype: subtype, isMasked: isMasked)
        case (_, .indirect):
            return Transformation(kind: .indirect, subtype: next.subtype, isMasked: isMasked)
        case (nil, _), (_, nil):
            return Transformation(kind: nil, subtype: nil, isMasked: isMasked)
        case (.direct, .direct):
            let rank = max(Self.rank(subtype), Self.rank(next.subtype))
            return Transformation(kind: .direct, subtype: Self.order[rank], isMasked: isMasked)
        }
    }
}
