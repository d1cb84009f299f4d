extension TableMetadata {
    /// The metadata of a new table without snapshots.
    ///
    /// Fields get fresh ids from 1 on, those of a struct before what is nested in them; the spec's and
    /// the order's sources follow by their ids in `schema`. The property `format-version` chooses the
    /// version (2 when it is missing) and is not stored.
    ///
    /// - Parameters:
    ///   - spec: The partition spec on the ids of `schema`; nil for none.
    ///   - sortOrder: The sort order on the ids of `schema`; nil for none.
    ///   - location: The table's base location; a slash at its end is removed.
    ///   - uuid: A new uuid, as text.
    ///   - now: The time in milliseconds since 1970.
    /// - Throws: `invalid` when the parts do not fit together; `unsupported` for a format version that
    ///   this program cannot write.
    package static func create(
        schema: Schema,
        spec: UnboundPartitionSpec? = nil,
        sortOrder: SortOrder? = nil,
        location: String,
        properties: [String: String] = [:],
        uuid: String,
        now: Int64
    ) throws(IcebergError) -> TableMetadata {
        let formatVersion = try formatVersion(properties)
        var properties = properties
        properties[formatVersionProperty] = nil
        var fresh = FreshFieldIDs(last: 0)
        let freshSchema = try fresh.schema(schema, schemaID: 0)

        var updates: [TableUpdate] = [
            .assignUUID(uuid), .upgradeFormatVersion(formatVersion),
            .addSchema(freshSchema, lastColumnID: fresh.last),
            .setCurrentSchema(TableUpdate.lastAdded),
        ]
        let newSpec = try (spec ?? UnboundPartitionSpec(fields: [])).withSources(fresh.newIDs)
        updates += [.addSpec(newSpec), .setDefaultSpec(TableUpdate.lastAdded)]
        let newOrder = try (sortOrder ?? .unsorted).withSources(fresh.newIDs)
        updates += [.addSortOrder(newOrder), .setDefaultSortOrder(TableUpdate.lastAdded)]
        updates += [.setLocation(location)]
        if !properties.isEmpty { updates += [.setProperties(properties)] }
        return try apply(updates, to: nil, now: now)
    }

    /// The property that chooses the format version when a table is made.
    package static let formatVersionProperty = "format-version"

    private static func formatVersion(
        _ properties: [String: String]
    ) throws(IcebergError) -> Int {
        guard let text = properties[formatVersionProperty] else { return 2 }
        guard let version = Int(text) else {
            throw IcebergError(.invalid, "format-version \"\(text)\" is no number")
        }
        return version
    }
}

/// Gives the fields of a schema new ids, the fields of a struct before those nested in them.
struct FreshFieldIDs {
    /// The id that was given last.
    private(set) var last: Int
    /// The new id of each old one.
    private(set) var newIDs: [Int: Int] = [:]

    init(last: Int) {
        self.last = last
    }

    mutating func schema(_ schema: Schema, schemaID: Int) throws(IcebergError) -> Schema {
        let fields = structType(schema.structType).fields
        return try Schema(
            schemaID: schemaID,
            fields: fields,
            identifierFieldIDs: schema.identifierFieldIDs.compactMap { newIDs[$0] },
            additional: schema.additional
        )
    }

    private mutating func next(for old: Int) -> Int {
        last += 1
        newIDs[old] = last
        return last
    }

    mutating func type(_ type: IcebergType) -> IcebergType {
        switch type {
        case .struct(let type): return .struct(structType(type))
        case .list(let list):
            let elementID = next(for: list.elementID)
            return .list(
                ListType(
                    elementID: elementID,
                    element: self.type(list.element),
                    elementRequired: list.elementRequired
                )
            )
        case .map(let map):
            let keyID = next(for: map.keyID)
            let valueID = next(for: map.valueID)
            return .map(
                MapType(
                    keyID: keyID,
                    key: self.type(map.key),
                    valueID: valueID,
                    value: self.type(map.value),
                    valueRequired: map.valueRequired
                )
            )
        default: return type
        }
    }

    private mutating func structType(_ structType: StructType) -> StructType {
        var fields = structType.fields
        for index in fields.indices { fields[index].id = next(for: fields[index].id) }
        for index in fields.indices { fields[index].type = type(fields[index].type) }
        return StructType(fields: fields)
    }
}

extension UnboundPartitionSpec {
    /// The spec on other source ids, its own field ids to be chosen anew.
    fileprivate func withSources(_ newIDs: [Int: Int]) throws(IcebergError) -> Self {
        var spec = self
        for index in spec.fields.indices {
            spec.fields[index].fieldID = nil
            spec.fields[index].sourceIDs = try spec.fields[index].sourceIDs.mapped(newIDs)
        }
        return spec
    }
}

extension SortOrder {
    fileprivate func withSources(_ newIDs: [Int: Int]) throws(IcebergError) -> Self {
        var order = self
        for index in order.fields.indices {
            order.fields[index].sourceIDs = try order.fields[index].sourceIDs.mapped(newIDs)
        }
        return order
    }
}

extension [Int] {
    fileprivate func mapped(_ newIDs: [Int: Int]) throws(IcebergError) -> [Int] {
        var mapped: [Int] = []
        for id in self {
            guard let newID = newIDs[id] else {
                throw IcebergError(.invalid, "source column \(id) is not in the schema")
            }
            mapped.append(newID)
        }
        return mapped
    }
}
