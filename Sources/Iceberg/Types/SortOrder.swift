package import Bytes

/// Whether smaller or larger values come first.
package enum SortDirection: String, Sendable, Hashable {
    case ascending = "asc"
    case descending = "desc"
}

/// Where nulls go.
package enum NullOrder: String, Sendable, Hashable {
    case nullsFirst = "nulls-first"
    case nullsLast = "nulls-last"
}

/// One key of a sort order.
package struct SortField: Sendable, Hashable {
    /// The columns it is made from: one, but for transforms of many arguments (v3).
    package var sourceIDs: [Int]
    /// What is done with the source column.
    package var transform: Transform
    /// Whether smaller or larger values come first.
    package var direction: SortDirection
    /// Where nulls go.
    package var nullOrder: NullOrder

    package init(
        sourceID: Int,
        transform: Transform = .identity,
        direction: SortDirection = .ascending,
        nullOrder: NullOrder = .nullsFirst
    ) {
        self.init(
            sourceIDs: [sourceID],
            transform: transform,
            direction: direction,
            nullOrder: nullOrder
        )
    }

    init(
        sourceIDs: [Int],
        transform: Transform,
        direction: SortDirection,
        nullOrder: NullOrder
    ) {
        self.sourceIDs = sourceIDs
        self.transform = transform
        self.direction = direction
        self.nullOrder = nullOrder
    }

    /// The one column it is made from; the first of many.
    package var sourceID: Int { sourceIDs.first ?? -1 }
}

/// How rows are sorted within data files.
///
/// - Spec: "Sorting".
package struct SortOrder: Sendable, Hashable {
    /// 0 for unsorted, and only for that.
    package var orderID: Int
    /// In their order.
    package var fields: [SortField]

    package init(orderID: Int, fields: [SortField]) {
        self.orderID = orderID
        self.fields = fields
    }

    /// The order with id 0 and no fields.
    package static let unsorted = SortOrder(orderID: 0, fields: [])

    /// Checks that the keys can be made from columns of `schema`.
    ///
    /// - Throws: `invalid` when a source is missing or of a type that the transform does not take.
    package func validate(schema: Schema) throws(IcebergError) {
        for field in fields {
            guard let source = schema.location(id: field.sourceID) else {
                throw IcebergError(
                    .invalid,
                    "the sort order uses column \(field.sourceID), which is missing"
                )
            }
            if source.isRepeated || field.transform.resultType(of: source.field.type) == nil {
                throw IcebergError(
                    .invalid,
                    "the sort order cannot apply \(field.transform) to column \(source.fullName)"
                )
            }
        }
    }

    /// Reads a sort order from its JSON form.
    package init(json: JSON) throws(IcebergError) {
        let object = try JSONFields(json, "sort order")
        orderID = try object.optionalInt("order-id") ?? 0
        fields = []
        for json in try object.array("fields") {
            let field = try JSONFields(json, "sort field")
            guard
                let direction = SortDirection(rawValue: try field.string("direction").lowercased())
            else { throw field.wrong("direction", "asc or desc") }
            guard let nullOrder = NullOrder(rawValue: try field.string("null-order").lowercased())
            else { throw field.wrong("null-order", "nulls-first or nulls-last") }
            fields.append(
                SortField(
                    sourceIDs: try UnboundPartitionSpec.sourceIDs(field),
                    transform: Transform(text: try field.string("transform")),
                    direction: direction,
                    nullOrder: nullOrder
                )
            )
        }
    }

    /// The JSON form.
    package var json: JSON {
        [
            "order-id": .integer(orderID),
            "fields": .array(
                fields.map { field in
                    var object: JSONObject = ["transform": .string(field.transform.text)]
                    UnboundPartitionSpec.put(field.sourceIDs, into: &object)
                    object["direction"] = .string(field.direction.rawValue)
                    object["null-order"] = .string(field.nullOrder.rawValue)
                    return .object(object)
                }
            ),
        ]
    }
}
