import Foundation
import Testing

import Bytes
import Iceberg
import TestSupport

@Suite("Manifests")
struct ManifestTests {
    static func table(version: Int = 2, location: String = "s3://bucket/t") throws -> TableMetadata
    {
        try makeTable(
            [
                column(1, "id", .long, required: true), column(2, "ts", .timestamptz),
                column(3, "name", .string), column(4, "price", .decimal(precision: 20, scale: 2)),
                column(5, "ok", .boolean), column(6, "u", .uuid), column(7, "f", .float),
                column(8, "fx", .fixed(length: 3)), column(9, "d", .date), column(10, "t", .time),
            ],
            spec: [
                (2, .day, "ts_day"), (1, .bucket(count: 16), "id_bucket"), (3, .identity, "na-me"),
                (4, .truncate(width: 50), "price_trunc"), (5, .identity, "ok"), (6, .identity, "u"),
                (7, .identity, "f"), (8, .identity, "fx"), (9, .month, "d_month"),
                (10, .identity, "t"), (2, .hour, "ts_hour"), (3, .void, "nothing"),
            ],
            location: location,
            properties: ["format-version": "\(version)"]
        )
    }

    static func partition(_ index: Int) -> [Datum?] {
        [
            .date(19_000 + Int32(index)), .int(Int32(index % 16)),
            index % 3 == 0 ? nil : .string("n\(index)é"),
            .decimal(Int128(index) * 50 - 1000, scale: 2),
            .boolean(index % 2 == 0), .uuid(UInt128(index) << 100),
            .float(index == 2 ? .nan : Float(index)),
            .fixed([1, 2, UInt8(index)]), .int(Int32(600 + index)), .time(Int64(index) * 1_000_000),
            .int(456_000), nil,
        ]
    }

    static func file(_ index: Int, location: String = "s3://bucket/t") -> DataFile {
        var file = DataFile(
            filePath: "\(location)/data/\(index).parquet",
            partition: partition(index),
            recordCount: Int64(100 + index),
            fileSizeBytes: Int64(1000 + index)
        )
        file.columnSizes = [1: 10, 2: 20]
        file.valueCounts = [1: 100, 2: 100, 3: 100]
        file.nullValueCounts = [1: 0, 2: 3]
        file.nanValueCounts = [7: 1]
        file.lowerBounds = [1: Datum.long(Int64(index)).bytes, 3: Datum.string("a").bytes]
        file.upperBounds = [1: Datum.long(Int64(index + 9)).bytes, 3: Datum.string("zé").bytes]
        file.splitOffsets = [4, 500]
        file.sortOrderID = 0
        return file
    }

    static func entry(_ index: Int, snapshot: Int64, sequence: Int64) -> ManifestEntry {
        ManifestEntry(
            status: .existing,
            snapshotID: snapshot,
            sequenceNumber: sequence,
            fileSequenceNumber: sequence,
            file: file(index)
        )
    }

    static func manifest(version: Int = 2) throws -> (
        table: TableMetadata, output: ManifestWriter.Output
    ) {
        let table = try table(version: version)
        var writer = try ManifestWriter(
            table: table,
            spec: table.defaultSpec,
            content: .data,
            snapshotID: 77
        )
        try writer.add(file(1))
        try writer.add(file(2), sequenceNumber: 3)
        try writer.keep(entry(3, snapshot: 70, sequence: 4))
        try writer.delete(entry(4, snapshot: 71, sequence: 5))
        return (table, try writer.finish(path: "s3://bucket/t/metadata/m0.avro"))
    }

    @Test("reads the manifests it writes, with numbers inherited", arguments: [2, 3])
    func roundTrip(version: Int) throws {
        let (table, output) = try Self.manifest(version: version)
        var manifest = output.manifest
        manifest.sequenceNumber = 9
        var reader = try ManifestReader(bytes: output.bytes, manifest: manifest, table: table)
        let entries = try reader.entries()
        #expect(entries.map(\.status) == [.added, .added, .existing, .deleted])
        #expect(entries.map(\.snapshotID) == [77, 77, 70, 77])
        #expect(entries.map(\.sequenceNumber) == [9, 3, 4, 5])
        #expect(entries.map(\.fileSequenceNumber) == [9, 9, 4, 5])
        #expect(entries.map(\.file) == [Self.file(1), Self.file(2), Self.file(3), Self.file(4)])
        #expect(reader.header.content == .data)
        #expect(reader.header.formatVersion == version)
        // By its own header, without the table.
        var alone = try ManifestReader(bytes: output.bytes)
        let again = try alone.entries()
        #expect(again.map(\.file) == entries.map(\.file))
        #expect(again.map(\.sequenceNumber) == [nil, 3, 4, 5])
    }

    @Test("the records are named manifest_entry and manifest_file (rule 1)")
    func recordNames() throws {
        let (_, output) = try Self.manifest()
        let list = try Self.list([output.manifest])
        for (bytes, name) in [(output.bytes, "manifest_entry"), (list.bytes, "manifest_file")] {
            guard case .record(let record) = try AvroFileReader(bytes: bytes).schema else {
                Issue.record("no record")
                continue
            }
            #expect(record.name == name)
        }
    }

    @Test("every field, element, key and value has an id (rule 2)")
    func fieldIDs() throws {
        let (_, output) = try Self.manifest(version: 3)
        var ids: [Int] = []
        func visit(_ schema: AvroSchema) {
            switch schema {
            case .record(let record):
                for field in record.fields {
                    #expect(field.fieldID != nil, "\(record.name).\(field.name)")
                    ids.append(field.fieldID ?? -1)
                    visit(field.schema)
                }
            case .array(let items, let elementID, let isMap):
                #expect(isMap != (elementID != nil))
                if let elementID { ids.append(elementID) }
                visit(items)
            case .map: Issue.record("maps with int keys are arrays")
            case .union(let branches): for branch in branches { visit(branch) }
            default: break
            }
        }
        visit(try AvroFileReader(bytes: output.bytes).schema)
        let list = try Self.list([output.manifest])
        visit(try AvroFileReader(bytes: list.bytes).schema)
        #expect(Set(ids).count == ids.count)
        let text = try #require(try AvroFileReader(bytes: output.bytes).text("avro.schema"))
        #expect(text.contains("k121_v122"))
        #expect(text.contains(#""logicalType":"map""#))
        #expect(text.contains(#""adjust-to-utc""#) == false)
    }

    @Test(
        "the header holds the table's schema in Iceberg's JSON, the spec's fields and the rest (rule 3)"
    )
    func header() throws {
        let (table, output) = try Self.manifest()
        let reader = try AvroFileReader(bytes: output.bytes)
        let schema = try #require(reader.text("schema"))
        #expect(try Schema(json: JSON.parse(schema)) == table.currentSchema)
        let spec = try #require(reader.text("partition-spec"))
        #expect(try JSON.parse(spec) == table.defaultSpec.fieldsJSON)
        #expect(try JSON.parse(spec).array != nil)
        #expect(reader.text("schema-id") == "0")
        #expect(reader.text("partition-spec-id") == "0")
        #expect(reader.text("format-version") == "2")
        #expect(reader.text("content") == "data")
        #expect(reader.text("avro.codec") == "deflate")
        let list = try AvroFileReader(bytes: Self.list([output.manifest]).bytes)
        #expect(list.text("snapshot-id") == "77")
        #expect(list.text("parent-snapshot-id") == "null")
        #expect(list.text("sequence-number") == "9")
        #expect(list.text("format-version") == "2")
    }

    static func list(_ manifests: [ManifestFile], firstRowID: Int64? = nil) throws
        -> ManifestListWriter.Output
    {
        try ManifestListWriter.write(
            manifests,
            formatVersion: firstRowID == nil ? 2 : 3,
            snapshotID: 77,
            parentSnapshotID: nil,
            sequenceNumber: 9,
            firstRowID: firstRowID
        )
    }

    @Test("the counts and contents that v2 requires are there (rule 4)")
    func counts() throws {
        let (_, output) = try Self.manifest()
        let manifest = try #require(
            try ManifestListReader.read(Self.list([output.manifest]).bytes).first
        )
        #expect(manifest.content == .data)
        #expect(manifest.addedFilesCount == 2 && manifest.addedRowsCount == 203)
        #expect(manifest.existingFilesCount == 1 && manifest.existingRowsCount == 103)
        #expect(manifest.deletedFilesCount == 1 && manifest.deletedRowsCount == 104)
        #expect(manifest.manifestLengthBytes == Int64(output.bytes.count))
        var unknown = manifest
        unknown.addedRowsCount = nil
        #expect(IcebergError.from { _ = try Self.list([unknown]) }?.code == .invalid)
    }

    @Test("the partition struct has the spec's ids and the transforms' types (rule 5)")
    func partitionStruct() throws {
        let (table, output) = try Self.manifest()
        guard case .record(let entry) = try AvroFileReader(bytes: output.bytes).schema,
            case .record(let file)? = entry.fields.last?.schema,
            case .record(let tuple)? = file.fields.first(where: { $0.fieldID == 102 })?.schema
        else {
            Issue.record("no partition struct")
            return
        }
        #expect(file.name == "r2" && tuple.name == "r102")
        #expect(tuple.fields.map(\.fieldID) == table.defaultSpec.fields.map(\.fieldID))
        #expect(tuple.fields[0].schema == .union([.null, .int(.date)]))
        #expect(tuple.fields[1].schema == .union([.null, .int()]))
        #expect(tuple.fields[2].name == "na_x2Dme" && tuple.fields[2].icebergName == "na-me")
        #expect(tuple.fields[5].schema.withoutNull == .fixed(name: "uuid_fixed", size: 16, .uuid))
    }

    @Test("a day that is stored as a plain int is read as a date (rule 5)")
    func dayAsInt() throws {
        let table = try makeTable([column(1, "ts", .timestamp)], spec: [(1, .day, "ts_day")])
        var asInt = AvroEncoder()
        let schema: AvroSchema = .record(
            AvroRecord(
                name: "manifest_entry",
                fields: [
                    AvroField(name: "status", schema: .int(), fieldID: 0),
                    AvroField(
                        name: "data_file",
                        schema: .record(
                            AvroRecord(
                                name: "r2",
                                fields: [
                                    AvroField(name: "file_path", schema: .string(), fieldID: nil),
                                    AvroField(name: "file_format", schema: .string(), fieldID: nil),
                                    AvroField(
                                        name: "partition",
                                        schema: .record(
                                            AvroRecord(
                                                name: "r102",
                                                fields: [
                                                    AvroField(
                                                        name: "ts_day",
                                                        schema: .int(),
                                                        fieldID: 1000
                                                    )
                                                ]
                                            )
                                        ),
                                        fieldID: 102
                                    ),
                                    AvroField(name: "record_count", schema: .int(), fieldID: 103),
                                    AvroField(
                                        name: "file_size_in_bytes",
                                        schema: .long(),
                                        fieldID: 104
                                    ),
                                    AvroField(
                                        name: "block_size_in_bytes",
                                        schema: .long(),
                                        fieldID: 105
                                    ),
                                ]
                            )
                        ),
                        fieldID: 2
                    ),
                ]
            )
        )
        try asInt.write(
            .record([
                .int(1),
                .record([
                    .string("p"), .string("parquet"), .record([.int(19_000)]), .int(5), .long(6),
                    .long(7),
                ]),
            ]),
            schema
        )
        var writer = AvroFileWriter(schema: schema, metadata: [], codec: .null)
        try writer.append { $0.write(fixed: asInt.bytes) }
        let manifest = ManifestFile(
            manifestPath: "m",
            manifestLengthBytes: 1,
            partitionSpecID: 0,
            content: .data,
            sequenceNumber: 0,
            minSequenceNumber: 0,
            addedSnapshotID: 5
        )
        var reader = try ManifestReader(bytes: writer.finish(), manifest: manifest, table: table)
        let entry = try #require(try reader.next())
        #expect(entry.file.partition == [.date(19_000)])
        #expect(entry.snapshotID == 5 && entry.sequenceNumber == 0)
        #expect(entry.file.recordCount == 5 && entry.file.content == .data)
        #expect(try reader.next() == nil)
    }

    @Test(
        "summaries have bounds of the partition type's width, or the whole list is left out (rule 6)"
    )
    func summaries() throws {
        let (table, output) = try Self.manifest()
        let partitions = try #require(output.manifest.partitions)
        #expect(partitions.count == table.defaultSpec.fields.count)
        #expect(
            partitions[0]
                == FieldSummary(
                    containsNull: false,
                    containsNaN: false,
                    lowerBound: Datum.date(19_001).bytes,
                    upperBound: Datum.date(19_004).bytes
                )
        )
        #expect(partitions[2].containsNull)
        #expect(partitions[2].lowerBound == Array("n1é".utf8))
        #expect(partitions[3].lowerBound == Datum.decimal(-950, scale: 2).bytes)
        #expect(partitions[6].containsNaN == true)
        #expect(partitions[6].lowerBound == Datum.float(1).bytes)
        #expect(partitions[11] == FieldSummary(containsNull: true, containsNaN: false))
        #expect(
            try ManifestListReader.read(Self.list([output.manifest]).bytes).first?.partitions
                == partitions
        )

        // A field whose source nobody knows: nothing at all is said.
        var lost = table
        lost.schemas = [try Schema(fields: [column(1, "id", .long)])]
        var writer = try ManifestWriter(
            table: lost,
            spec: PartitionSpec(
                specID: 0,
                fields: [
                    PartitionField(sourceID: 50, fieldID: 1000, name: "x", transform: .identity)
                ]
            ),
            content: .data,
            snapshotID: 1
        )
        try writer.add(
            DataFile(filePath: "s3://p", partition: [nil], recordCount: 1, fileSizeBytes: 1)
        )
        #expect(try writer.finish(path: "m").manifest.partitions == nil)
    }

    @Test("-0.0 comes before 0.0 in summaries")
    func zeros() throws {
        let table = try makeTable([column(1, "d", .double)], spec: [(1, .identity, "d")])
        var writer = try ManifestWriter(
            table: table,
            spec: table.defaultSpec,
            content: .data,
            snapshotID: 1
        )
        for value in [0.0, -0.0] {
            try writer.add(
                DataFile(
                    filePath: "s3://\(value)",
                    partition: [.double(value)],
                    recordCount: 1,
                    fileSizeBytes: 1
                )
            )
        }
        let summary = try #require(try writer.finish(path: "m").manifest.partitions?.first)
        #expect(summary.lowerBound == Datum.double(-0.0).bytes)
        #expect(summary.upperBound == Datum.double(0.0).bytes)
    }

    @Test("added files have no numbers, others have all (rule 7)")
    func sequenceNumbers() throws {
        let (table, output) = try Self.manifest()
        var reader = try ManifestReader(bytes: output.bytes)
        let entries = try reader.entries()
        #expect(entries[0].sequenceNumber == nil && entries[0].fileSequenceNumber == nil)
        #expect(entries[2].sequenceNumber == 4 && entries[2].fileSequenceNumber == 4)
        #expect(entries[3].snapshotID == 77)
        #expect(output.manifest.sequenceNumber == ManifestFile.unassigned)
        #expect(output.manifest.minSequenceNumber == 3)
        let assigned = try Self.list([output.manifest]).manifests[0]
        #expect(assigned.sequenceNumber == 9 && assigned.minSequenceNumber == 3)

        var fresh = try ManifestWriter(
            table: table,
            spec: table.defaultSpec,
            content: .data,
            snapshotID: 77
        )
        try fresh.add(Self.file(1))
        let manifest = try fresh.finish(path: "m").manifest
        #expect(manifest.minSequenceNumber == ManifestFile.unassigned)
        #expect(try Self.list([manifest]).manifests[0].minSequenceNumber == 9)

        var entry = Self.entry(1, snapshot: 1, sequence: 1)
        entry.sequenceNumber = nil
        var strict = try ManifestWriter(
            table: table,
            spec: table.defaultSpec,
            content: .data,
            snapshotID: 77
        )
        #expect(IcebergError.from { try strict.keep(entry) }?.code == .invalid)
        #expect(IcebergError.from { try strict.delete(entry) }?.code == .invalid)
        var foreign = manifest
        foreign.addedSnapshotID = 5
        #expect(IcebergError.from { _ = try Self.list([foreign]) }?.code == .invalid)
    }

    @Test(
        "refuses files that do not belong into the manifest, and offsets that do not ascend (rule 17)"
    )
    func wrongFiles() throws {
        let table = try Self.table()
        var writer = try ManifestWriter(
            table: table,
            spec: table.defaultSpec,
            content: .data,
            snapshotID: 1
        )
        func refused(_ change: (inout DataFile) -> Void) {
            var file = Self.file(1)
            change(&file)
            #expect(IcebergError.from { try writer.add(file) }?.code == .invalid)
        }
        refused { $0.content = .equalityDeletes }
        refused { $0.specID = 3 }
        refused { $0.partition.removeLast() }
        refused { $0.partition[0] = .int(1) }
        refused { $0.partition[3] = .decimal(1, scale: 3) }
        refused { $0.splitOffsets = [500, 4] }
        refused { $0.recordCount = -1 }
        refused { $0.filePath = "" }
    }

    @Test("v3 manifests hold row ids, which are inherited in order (rule 23)")
    func rowIDs() throws {
        let table = try Self.table(version: 3)
        var writer = try ManifestWriter(
            table: table,
            spec: table.defaultSpec,
            content: .data,
            snapshotID: 77
        )
        var old = Self.entry(3, snapshot: 70, sequence: 4)
        old.file.firstRowID = 800
        try writer.keep(old)
        try writer.add(Self.file(1))
        try writer.add(Self.file(2))
        let output = try writer.finish(path: "m")
        let list = try Self.list([output.manifest], firstRowID: 1000)
        #expect(list.manifests[0].firstRowID == 1000)
        #expect(list.nextRowID == 1306)
        let manifest = try #require(try ManifestListReader.read(list.bytes).first)
        #expect(manifest == list.manifests[0])
        var reader = try ManifestReader(bytes: output.bytes, manifest: manifest, table: table)
        #expect(try reader.entries().map(\.file.firstRowID) == [800, 1000, 1101])
    }

    @Test("Files that a manifest of before version 3 removes take no row ids")
    func rowIDsOfRemoved() throws {
        let table = try Self.table()
        var writer = try ManifestWriter(
            table: table,
            spec: table.defaultSpec,
            content: .data,
            snapshotID: 77
        )
        try writer.delete(Self.entry(1, snapshot: 70, sequence: 4))
        try writer.keep(Self.entry(2, snapshot: 70, sequence: 4))
        let output = try writer.finish(path: "m")
        let list = try Self.list([output.manifest], firstRowID: 1000)
        let kept = Self.entry(2, snapshot: 70, sequence: 4).file.recordCount
        #expect(list.nextRowID == 1000 + kept)
        var reader = try ManifestReader(
            bytes: output.bytes,
            manifest: list.manifests[0],
            table: table
        )
        #expect(try reader.entries().map(\.file.firstRowID) == [nil, 1000])
    }

    @Test("v1 tables cannot be written to, nor unknown transforms")
    func refusals() throws {
        var table = try Self.table()
        let unknown = PartitionSpec(
            specID: 0,
            fields: [
                PartitionField(sourceID: 1, fieldID: 1000, name: "z", transform: .unknown("z"))
            ]
        )
        #expect(
            IcebergError.from {
                _ = try ManifestWriter(table: table, spec: unknown, content: .data, snapshotID: 1)
            }?.code == .unsupported
        )
        table.formatVersion = 1
        #expect(
            IcebergError.from {
                _ = try ManifestWriter(
                    table: table,
                    spec: table.defaultSpec,
                    content: .data,
                    snapshotID: 1
                )
            }?.code == .unsupported
        )
    }

    @Test("never traps on damaged manifests and lists", arguments: 0..<12)
    func damaged(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let table = try Self.table(version: 3)
        var writer = try ManifestWriter(
            table: table,
            spec: table.defaultSpec,
            content: .data,
            snapshotID: 77,
            codec: .null
        )
        for index in 0..<4 { try writer.add(Self.file(index)) }
        let output = try writer.finish(path: "m")
        let list = try ManifestListWriter.write(
            [output.manifest, output.manifest],
            formatVersion: 2,
            snapshotID: 77,
            parentSnapshotID: 1,
            sequenceNumber: 3,
            codec: .null
        )
        for _ in 0..<150 {
            // Without checksums, or hardly any damage would get as far as the values.
            let bytes = mutated(withoutChecksums(output.bytes), using: &random)
            if var reader = try? ManifestReader(
                bytes: bytes,
                manifest: list.manifests[0],
                table: table
            ) {
                _ = try? reader.entries()
            }
            if var reader = try? ManifestReader(bytes: bytes) { _ = try? reader.entries() }
            _ = try? ManifestListReader.read(mutated(withoutChecksums(list.bytes), using: &random))
        }
    }

    @Test("reads a large manifest at a useful speed, and reports it")
    func speed() throws {
        let table = try makeTable(
            [column(1, "id", .long), column(2, "ts", .timestamp)],
            spec: [(2, .day, "d")]
        )
        var writer = try ManifestWriter(
            table: table,
            spec: table.defaultSpec,
            content: .data,
            snapshotID: 1
        )
        for index in 0..<20_000 {
            var file = DataFile(
                filePath: "s3://bucket/t/data/d=\(index)/00000-\(index).parquet",
                partition: [.date(Int32(index))],
                recordCount: 100,
                fileSizeBytes: 1000
            )
            for id in 1...16 {
                file.columnSizes = file.columnSizes ?? [:]
                file.columnSizes?[id] = 100
                file.valueCounts = file.valueCounts ?? [:]
                file.valueCounts?[id] = 100
            }
            file.lowerBounds = [1: Datum.long(1).bytes, 2: Datum.timestamp(2).bytes]
            file.upperBounds = [1: Datum.long(1).bytes, 2: Datum.timestamp(2).bytes]
            try writer.add(file)
        }
        let output = try writer.finish(path: "m")
        var manifest = output.manifest
        manifest.sequenceNumber = 1
        var count = 0
        let time = try ContinuousClock().measure {
            var reader = try ManifestReader(bytes: output.bytes, manifest: manifest, table: table)
            while try reader.next() != nil { count += 1 }
        }
        #expect(count == 20_000)
        let seconds = Double(time.components.attoseconds) / 1e18 + Double(time.components.seconds)
        print("ManifestReader: \(Int(Double(count) / seconds)) entries/s (16 columns)")
    }
}

/// What manifests say, as text that Python can say too.
enum Facts {
    static func text(_ value: Datum?) -> JSON {
        guard let value else { return .null }
        switch value {
        case .decimal(let unscaled, _): return .string("\(unscaled)")
        case .string(let text): return .string(text)
        case .boolean(let value): return .string(value ? "True" : "False")
        case .uuid, .fixed, .binary: return .string(hex(value.bytes))
        case .int(let v), .date(let v): return .string("\(v)")
        case .long(let v), .time(let v), .timestamp(let v), .timestamptz(let v),
            .timestampNanos(let v), .timestamptzNanos(let v):
            return .string("\(v)")
        case .float(let v): return v.isNaN ? "nan" : .string("\(Double(v))")
        case .double(let v): return v.isNaN ? "nan" : .string("\(v)")
        }
    }

    static func hex(_ bytes: [UInt8]) -> String { Datum.binary(bytes).text }

    static func counts(_ map: ColumnCounts?) -> JSON {
        guard let map else { return .null }
        return .array(zip(map.fieldIDs, map.counts).map { [.integer($0), .integer($1)] })
    }

    static func bounds(_ map: ColumnBounds?) -> JSON {
        guard let map else { return .null }
        return .array(map.fieldIDs.map { [.integer($0), .string(hex(map[Int($0)] ?? []))] })
    }

    static func entry(_ entry: ManifestEntry) -> JSON {
        let file = entry.file
        return [
            "status": .integer(entry.status.rawValue), "path": .string(file.filePath),
            "format": .string(file.fileFormat.rawValue), "content": .integer(file.content.rawValue),
            "partition": .array(file.partition.map(text)), "records": .integer(file.recordCount),
            "size": .integer(file.fileSizeBytes), "column_sizes": counts(file.columnSizes),
            "value_counts": counts(file.valueCounts),
            "null_value_counts": counts(file.nullValueCounts),
            "nan_value_counts": counts(file.nanValueCounts),
            "lower_bounds": bounds(file.lowerBounds),
            "upper_bounds": bounds(file.upperBounds),
            "split_offsets": file.splitOffsets.map { .array($0.map { .integer($0) }) } ?? .null,
            "equality_ids": file.equalityIDs.map { .array($0.map { .integer($0) }) } ?? .null,
        ]
    }

    static func manifest(_ manifest: ManifestFile) -> JSON {
        [
            "path": .string(manifest.manifestPath),
            "length": .integer(manifest.manifestLengthBytes),
            "spec": .integer(manifest.partitionSpecID),
            "content": .integer(manifest.content.rawValue),
            "sequence": .integer(manifest.sequenceNumber),
            "min_sequence": .integer(manifest.minSequenceNumber),
            "snapshot": .integer(manifest.addedSnapshotID),
            "added": manifest.addedFilesCount.map { .integer($0) } ?? .null,
            "existing_rows": manifest.existingRowsCount.map { .integer($0) } ?? .null,
            "partitions": manifest.partitions.map {
                .array(
                    $0.map {
                        [
                            .bool($0.containsNull), $0.lowerBound.map { .string(hex($0)) } ?? .null,
                            $0.upperBound.map { .string(hex($0)) } ?? .null,
                        ]
                    }
                )
            } ?? .null,
        ]
    }

    /// Prints a list of facts for each Avro file that is an argument.
    static let script = """
        import sys, json, fastavro, fastavro.read
        fastavro.read.LOGICAL_READERS.clear()
        def plain(schema):
            if isinstance(schema, list):
                return [plain(s) for s in schema if plain(s) != 'null'][0]
            return schema
        def text(v, schema):
            schema = plain(schema)
            if v is None: return None
            if isinstance(v, bytes):
                if isinstance(schema, dict) and schema.get('logicalType') == 'decimal':
                    return str(int.from_bytes(v, 'big', signed=True))
                return v.hex()
            return str(v)
        def pairs(m, f=lambda v: v):
            return None if m is None else sorted([p['key'], f(p['value'])] for p in m)
        out = []
        for path in sys.argv[1:]:
            with open(path, 'rb') as f:
                reader = fastavro.reader(f)
                schema = reader.writer_schema
                facts = []
                for r in reader:
                    if schema['name'].endswith('manifest_file'):
                        names = {x['field-id']: x['name'] for x in schema['fields']}
                        g = lambda i, d=None: r.get(names.get(i), d)
                        h = lambda b: None if b is None else b.hex()
                        p = g(507)
                        facts.append({'path': g(500), 'length': g(501), 'spec': g(502), 'content': g(517, 0),
                            'sequence': g(515, 0), 'min_sequence': g(516, 0), 'snapshot': g(503), 'added': g(504),
                            'existing_rows': g(513),
                            'partitions': None if p is None else [[x['contains_null'], h(x['lower_bound']), h(x['upper_bound'])] for x in p]})
                    else:
                        d = r['data_file']
                        file = plain([x for x in schema['fields'] if x['name'] == 'data_file'][0]['type'])
                        tuple_ = plain([x for x in file['fields'] if x['name'] == 'partition'][0]['type'])
                        facts.append({'status': r['status'], 'path': d['file_path'], 'format': d['file_format'].lower(),
                            'content': d.get('content', 0),
                            'partition': [text(d['partition'][x['name']], x['type']) for x in tuple_['fields']],
                            'records': d['record_count'], 'size': d['file_size_in_bytes'],
                            'column_sizes': pairs(d['column_sizes']), 'value_counts': pairs(d['value_counts']),
                            'null_value_counts': pairs(d['null_value_counts']), 'nan_value_counts': pairs(d.get('nan_value_counts')),
                            'lower_bounds': pairs(d['lower_bounds'], bytes.hex), 'upper_bounds': pairs(d['upper_bounds'], bytes.hex),
                            'split_offsets': d['split_offsets'], 'equality_ids': d.get('equality_ids')})
                out.append(facts)
        print(json.dumps(out))
        """
}

@Suite("Fixtures")
struct FixtureTests {
    static func isList(_ bytes: [UInt8]) throws -> Bool {
        guard case .record(let record) = try AvroFileReader(bytes: bytes).schema else {
            return false
        }
        return record.name.hasSuffix("manifest_file")
    }

    static func facts(_ url: URL) throws -> JSON {
        let bytes = try Corpora.bytes(url)
        if try isList(bytes) {
            return .array(try ManifestListReader.read(bytes).map(Facts.manifest))
        }
        var reader = try ManifestReader(bytes: bytes)
        return .array(try reader.entries().map(Facts.entry))
    }

    @Test(
        "reads every fixture's manifests and lists",
        .enabled(if: Corpora.isPresent, "the corpora are absent"),
        arguments: Corpora.files(endingWith: ".avro")
    )
    func reads(url: URL) throws {
        #expect(try Self.facts(url).array?.isEmpty == false)
    }

    @Test(
        "agrees with fastavro on every fixture's manifests and lists",
        .enabled(if: Corpora.isPresent && Python.path != nil, "no corpora or no VARVE_PYTHON")
    )
    func agrees() throws {
        let files = Corpora.files(endingWith: ".avro")
        let theirs = try Python.run(Facts.script, files.map(\.path))
        #expect(files.count == theirs.array?.count)
        for (index, url) in files.enumerated() {
            #expect(try Self.facts(url) == theirs[index], "\(url.path)")
        }
    }

    @Test(
        "describes the manifests of a v1 table without manifest lists",
        .enabled(if: Corpora.isPresent, "the corpora are absent")
    )
    func withoutLists() throws {
        let folder = Corpora.fixtures.appendingPathComponent(
            "iceberg_v1_deprecated/default/legacy_v1/metadata"
        )
        let url = folder.appendingPathComponent("v2.metadata.json")
        let table = try TableMetadata(bytes: Corpora.bytes(url))
        let snapshot = try #require(table.currentSnapshot)
        let path = try #require(snapshot.manifests?.first)
        let name = String(path.split(separator: "/").last ?? "")
        let bytes = try Corpora.bytes(folder.appendingPathComponent(name))
        let manifest = try ManifestReader.describe(
            bytes,
            path: path,
            snapshotID: snapshot.snapshotID
        )
        #expect(manifest.addedFilesCount == 2 && manifest.addedRowsCount == 3)
        #expect(manifest.partitions?.first?.lowerBound == Array("alpha".utf8))
        var reader = try ManifestReader(bytes: bytes, manifest: manifest, table: table)
        let entries = try reader.entries()
        #expect(entries.map(\.sequenceNumber) == [0, 0])
        #expect(entries.map(\.file.partition) == [[.string("alpha")], [.string("beta")]])
    }

    @Test(
        "follows every fixture from its metadata to its files",
        .enabled(if: Corpora.isPresent, "the corpora are absent"),
        arguments: Corpora.files(endingWith: ".metadata.json")
    )
    func follows(url: URL) throws {
        let table = try TableMetadata(bytes: Corpora.bytes(url))
        let folder = url.deletingLastPathComponent()
        func local(_ path: String) -> URL {
            folder.appendingPathComponent(String(path.split(separator: "/").last ?? ""))
        }
        for snapshot in table.snapshots {
            guard let list = snapshot.manifestList else { continue }
            guard FileManager.default.fileExists(atPath: local(list).path) else { continue }
            var live: Int64 = 0
            for manifest in try ManifestListReader.read(Corpora.bytes(local(list))) {
                var reader = try ManifestReader(
                    bytes: Corpora.bytes(local(manifest.manifestPath)),
                    manifest: manifest,
                    table: table
                )
                for entry in try reader.entries() {
                    #expect(entry.sequenceNumber != nil && entry.snapshotID != nil)
                    #expect((entry.sequenceNumber ?? 0) <= snapshot.sequenceNumber)
                    if entry.isLive, entry.file.content == .data { live += entry.file.recordCount }
                }
            }
            if let total = snapshot.summary["total-records"] { #expect(total == "\(live)") }
        }
    }
}
