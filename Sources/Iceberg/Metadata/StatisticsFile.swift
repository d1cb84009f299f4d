package import Bytes

/// A Puffin file with statistics about one snapshot.
///
/// - Spec: "Table Statistics".
package struct StatisticsFile: Sendable, Hashable {
    /// What one blob of the file is about.
    package struct BlobMetadata: Sendable, Hashable {
        /// What kind it is of.
        package var type: String
        /// The id of the snapshot.
        package var snapshotID: Int64
        /// The place of the snapshot in the order of commits.
        package var sequenceNumber: Int64
        /// In their order.
        package var fields: [Int]
        /// Names and values, all text.
        package var properties: [String: String]

        package init(
            type: String,
            snapshotID: Int64,
            sequenceNumber: Int64,
            fields: [Int],
            properties: [String: String] = [:]
        ) {
            self.type = type
            self.snapshotID = snapshotID
            self.sequenceNumber = sequenceNumber
            self.fields = fields
            self.properties = properties
        }
    }

    /// The id of the snapshot.
    package var snapshotID: Int64
    /// Where the file is.
    package var statisticsPath: String
    /// The exact size of the file.
    package var fileSizeBytes: Int64
    /// The size of the file's footer.
    package var fileFooterSizeBytes: Int64
    /// What the blobs of the file are about.
    package var blobMetadata: [BlobMetadata]
    /// Members that this program has no place for.
    package var additional: JSONObject

    package init(
        snapshotID: Int64,
        statisticsPath: String,
        fileSizeBytes: Int64,
        fileFooterSizeBytes: Int64,
        blobMetadata: [BlobMetadata]
    ) {
        self.snapshotID = snapshotID
        self.statisticsPath = statisticsPath
        self.fileSizeBytes = fileSizeBytes
        self.fileFooterSizeBytes = fileFooterSizeBytes
        self.blobMetadata = blobMetadata
        additional = JSONObject()
    }

    /// Reads the description of a statistics file from its JSON form.
    package init(json: JSON) throws(IcebergError) {
        let file = try JSONFields(json, "statistics file")
        var blobs: [BlobMetadata] = []
        for json in try file.array("blob-metadata") {
            let blob = try JSONFields(json, "blob metadata")
            blobs.append(
                BlobMetadata(
                    type: try blob.string("type"),
                    snapshotID: try blob.long("snapshot-id"),
                    sequenceNumber: try blob.long("sequence-number"),
                    fields: try blob.ints("fields"),
                    properties: try blob.optionalStringMap("properties") ?? [:]
                )
            )
        }
        self.init(
            snapshotID: try file.long("snapshot-id"),
            statisticsPath: try file.string("statistics-path"),
            fileSizeBytes: try file.long("file-size-in-bytes"),
            fileFooterSizeBytes: try file.long("file-footer-size-in-bytes"),
            blobMetadata: blobs
        )
        additional = file.others(than: [
            "snapshot-id", "statistics-path", "file-size-in-bytes", "file-footer-size-in-bytes",
            "blob-metadata",
        ])
    }

    /// The JSON form.
    package var json: JSON {
        var object: JSONObject = [
            "snapshot-id": .integer(snapshotID), "statistics-path": .string(statisticsPath),
            "file-size-in-bytes": .integer(fileSizeBytes),
            "file-footer-size-in-bytes": .integer(fileFooterSizeBytes),
            "blob-metadata": .array(
                blobMetadata.map { blob in
                    var object: JSONObject = [
                        "type": .string(blob.type), "snapshot-id": .integer(blob.snapshotID),
                        "sequence-number": .integer(blob.sequenceNumber),
                        "fields": .integers(blob.fields),
                    ]
                    if !blob.properties.isEmpty {
                        object["properties"] = .stringMap(blob.properties)
                    }
                    return .object(object)
                }
            ),
        ]
        object.appendMissing(additional)
        return .object(object)
    }
}

/// A file with statistics of each partition at one snapshot.
///
/// - Spec: "Partition Statistics".
package struct PartitionStatisticsFile: Sendable, Hashable {
    /// The id of the snapshot.
    package var snapshotID: Int64
    /// Where the file is.
    package var statisticsPath: String
    /// The exact size of the file.
    package var fileSizeBytes: Int64
    /// Members that this program has no place for.
    package var additional: JSONObject

    package init(snapshotID: Int64, statisticsPath: String, fileSizeBytes: Int64) {
        self.snapshotID = snapshotID
        self.statisticsPath = statisticsPath
        self.fileSizeBytes = fileSizeBytes
        additional = JSONObject()
    }

    /// Reads the description of a partition statistics file from its JSON form.
    package init(json: JSON) throws(IcebergError) {
        let file = try JSONFields(json, "partition statistics file")
        self.init(
            snapshotID: try file.long("snapshot-id"),
            statisticsPath: try file.string("statistics-path"),
            fileSizeBytes: try file.long("file-size-in-bytes")
        )
        additional = file.others(than: ["snapshot-id", "statistics-path", "file-size-in-bytes"])
    }

    /// The JSON form.
    package var json: JSON {
        var object: JSONObject = [
            "snapshot-id": .integer(snapshotID), "statistics-path": .string(statisticsPath),
            "file-size-in-bytes": .integer(fileSizeBytes),
        ]
        object.appendMissing(additional)
        return .object(object)
    }
}
