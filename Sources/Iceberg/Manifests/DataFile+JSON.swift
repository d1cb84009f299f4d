package import Bytes

extension DataFile {
    /// The form that scan tasks have.
    ///
    /// A value of the partition tuple that is null is null here too, for which the schema of the
    /// specification has no word.
    ///
    /// - Parameters:
    ///   - statistics: the field ids whose metrics are told, for data files.
    ///   - columnType: the type of a column, to read its bounds.
    /// - Spec: REST catalog, `ContentFile`.
    package func json(
        statistics: Set<Int> = [],
        columnType: (Int) -> IcebergType?
    ) -> JSON {
        var object: JSONObject = [
            "spec-id": .integer(specID),
            "partition": .array(partition.map { $0.map { $0.json ?? .string($0.text) } ?? .null }),
            "content": .string(content.restName), "file-path": .string(filePath),
            "file-format": .string(fileFormat.rawValue),
            "file-size-in-bytes": .integer(fileSizeBytes), "record-count": .integer(recordCount),
        ]
        if let keyMetadata { object["key-metadata"] = .string(Datum.binary(keyMetadata).text) }
        if let splitOffsets { object["split-offsets"] = .integers(splitOffsets) }
        if let sortOrderID { object["sort-order-id"] = .integer(sortOrderID) }
        switch content {
        case .data:
            if let firstRowID { object["first-row-id"] = .integer(firstRowID) }
            let ids = statistics.sorted()
            if !ids.isEmpty { addStatistics(ids, columnType, to: &object) }
        case .positionDeletes:
            if let referencedDataFile {
                object["referenced-data-file"] = .string(referencedDataFile)
            }
            if let contentOffset { object["content-offset"] = .integer(contentOffset) }
            if let contentSizeBytes {
                object["content-size-in-bytes"] = .integer(contentSizeBytes)
            }
        case .equalityDeletes:
            if let equalityIDs { object["equality-ids"] = .integers(equalityIDs) }
        }
        return .object(object)
    }

    private func addStatistics(
        _ ids: [Int],
        _ columnType: (Int) -> IcebergType?,
        to object: inout JSONObject
    ) {
        func add(_ name: String, _ value: (Int) -> JSON?) {
            var (keys, values): ([JSON], [JSON]) = ([], [])
            for id in ids {
                guard let value = value(id) else { continue }
                keys.append(.integer(id))
                values.append(value)
            }
            if !keys.isEmpty { object[name] = ["keys": .array(keys), "values": .array(values)] }
        }
        func bound(_ bytes: [UInt8]?, _ id: Int) -> JSON? {
            guard let bytes, let type = columnType(id) else { return nil }
            // A bound that cannot be read says nothing.
            return (try? Datum(bytes: bytes, type: type))?.json
        }
        add("column-sizes") { id in columnSizes?[id].map { .integer($0) } }
        add("value-counts") { id in valueCounts?[id].map { .integer($0) } }
        add("null-value-counts") { id in nullValueCounts?[id].map { .integer($0) } }
        add("nan-value-counts") { id in nanValueCounts?[id].map { .integer($0) } }
        add("lower-bounds") { id in bound(lowerBounds?[id], id) }
        add("upper-bounds") { id in bound(upperBounds?[id], id) }
    }
}

extension FileContent {
    fileprivate var restName: String {
        switch self {
        case .data: "data"
        case .positionDeletes: "position-deletes"
        case .equalityDeletes: "equality-deletes"
        }
    }
}
