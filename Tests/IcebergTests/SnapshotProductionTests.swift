import Foundation
import Testing

import Bytes
import Iceberg
import TestSupport

/// A table in memory: commits are applied, files are kept by path.
struct MemoryTable {
    var table: TableMetadata
    var files: [String: [UInt8]] = [:]
    var commitCount = 0

    init(_ table: TableMetadata) { self.table = table }

    func manifests(branch: String = "main") throws -> [ManifestFile] {
        guard let snapshot = table.snapshot(ref: branch) ?? table.currentSnapshot,
            let list = snapshot.manifestList
        else { return [] }
        return try ManifestListReader.read(#require(files[list]))
    }

    func entries(_ manifest: ManifestFile) throws -> [ManifestEntry] {
        var reader = try ManifestReader(
            bytes: #require(files[manifest.manifestPath]),
            manifest: manifest,
            table: table
        )
        return try reader.entries()
    }

    /// The live files of main, by path.
    func live() throws -> [String: ManifestEntry] {
        var live: [String: ManifestEntry] = [:]
        for manifest in try manifests() {
            for entry in try entries(manifest) where entry.isLive {
                #expect(live.updateValue(entry, forKey: entry.file.filePath) == nil, "listed twice")
            }
        }
        return live
    }

    func production(branch: String = "main") throws -> SnapshotProduction {
        try SnapshotProduction(
            table: table,
            branch: branch,
            snapshotID: Int64(1000 + commitCount),
            manifests: manifests(branch: branch),
            now: 1_700_000_000_000 + Int64(commitCount)
        )
    }

    @discardableResult
    mutating func commit(_ production: SnapshotProduction) throws -> SnapshotProduction.Output {
        var entries: [String: [ManifestEntry]] = [:]
        for manifest in production.manifestsToMerge() {
            entries[manifest.manifestPath] = try self.entries(manifest)
        }
        let output = try production.produce(commitID: "commit-\(commitCount)", entries: entries)
        for file in output.manifestFiles + [output.manifestList] {
            #expect(
                files.updateValue(file.bytes, forKey: file.path) == nil,
                "\(file.path) is not new"
            )
        }
        table = try TableMetadata.apply(
            output.updates,
            requiring: output.requirements,
            to: table,
            now: 1_700_000_000_000
        )
        commitCount += 1
        return output
    }

    @discardableResult
    mutating func append(_ new: [DataFile]) throws -> SnapshotProduction.Output {
        var production = try production()
        for file in new { try production.add(file) }
        return try commit(production)
    }

    @discardableResult
    mutating func replace(_ paths: Set<String>, with new: [DataFile] = []) throws
        -> SnapshotProduction.Output
    {
        var production = try production()
        for manifest in try manifests() {
            let entries = try entries(manifest)
            let here = paths.intersection(entries.filter(\.isLive).map(\.file.filePath))
            try production.remove(here, from: manifest, entries: entries)
        }
        for file in new { try production.add(file) }
        return try commit(production)
    }
}

@Suite("SnapshotProduction")
struct SnapshotProductionTests {
    static func memory(_ properties: [String: String] = [:]) throws -> MemoryTable {
        MemoryTable(
            try makeTable(
                [column(1, "id", .long), column(2, "day", .date)],
                spec: [(2, .identity, "day")],
                properties: properties
            )
        )
    }

    static func file(_ index: Int, day: Int32 = 1, rows: Int64 = 10) -> DataFile {
        DataFile(
            filePath: "s3://bucket/warehouse/t/data/\(index).parquet",
            partition: [.date(day)],
            recordCount: rows,
            fileSizeBytes: 100
        )
    }

    @Test("a fast append writes one manifest and keeps the others")
    func append() throws {
        var memory = try Self.memory()
        let first = try memory.append([Self.file(1), Self.file(2, day: 2)])
        #expect(first.manifestFiles.count == 1)
        #expect(first.snapshot.parentSnapshotID == nil)
        #expect(first.snapshot.json["parent-snapshot-id"] == nil)
        #expect(first.snapshot.operation == .append)
        #expect(
            first.snapshot.summary == [
                "added-data-files": "2", "added-records": "20", "added-files-size": "200",
                "changed-partition-count": "2", "total-data-files": "2", "total-delete-files": "0",
                "total-records": "20", "total-files-size": "200", "total-position-deletes": "0",
                "total-equality-deletes": "0", "manifests-created": "1", "manifests-kept": "0",
                "manifests-replaced": "0",
            ]
        )
        let second = try memory.append([Self.file(3)])
        #expect(second.manifests.count == 2)
        #expect(second.manifests[1] == first.manifests[0])
        #expect(second.snapshot.parentSnapshotID == first.snapshot.snapshotID)
        #expect(second.snapshot.sequenceNumber == 2)
        #expect(second.snapshot.summary["total-records"] == "30")
        #expect(second.snapshot.summary["manifests-kept"] == "1")
        #expect(second.snapshot.schemaID == 0)
        let live = try memory.live()
        #expect(live.count == 3)
        #expect(live["s3://bucket/warehouse/t/data/1.parquet"]?.sequenceNumber == 1)
        #expect(live["s3://bucket/warehouse/t/data/3.parquet"]?.sequenceNumber == 2)
        #expect(memory.table.snapshotLog.count == 2)
        try memory.table.checkInvariants()
    }

    @Test("a delete rewrites only the manifests that hold a deleted file")
    func delete() throws {
        var memory = try Self.memory()
        let first = try memory.append([Self.file(1), Self.file(2)])
        let second = try memory.append([Self.file(3)])
        let third = try memory.replace(["s3://bucket/warehouse/t/data/1.parquet"])
        #expect(third.snapshot.operation == .delete)
        #expect(third.manifestFiles.count == 1)
        #expect(third.manifests[0] == second.manifests[0])
        #expect(third.manifests[1].addedSnapshotID == third.snapshot.snapshotID)
        #expect(
            third.manifests[1].deletedFilesCount == 1 && third.manifests[1].existingFilesCount == 1
        )
        // The number of what is live stays that of the first commit.
        #expect(third.manifests[1].minSequenceNumber == 1 && third.manifests[1].sequenceNumber == 3)
        #expect(third.snapshot.summary["deleted-data-files"] == "1")
        #expect(third.snapshot.summary["deleted-records"] == "10")
        #expect(third.snapshot.summary["total-records"] == "20")
        #expect(third.snapshot.summary["removed-files-size"] == "100")
        #expect(third.snapshot.summary["added-records"] == nil)
        let entries = try memory.entries(third.manifests[1])
        #expect(entries.map(\.status) == [.deleted, .existing])
        #expect(
            entries[0].snapshotID == third.snapshot.snapshotID && entries[0].sequenceNumber == 1
        )
        #expect(entries[1].snapshotID == first.snapshot.snapshotID)
        // A manifest without live files is gone with the next commit, what it deleted with it.
        try memory.replace(["s3://bucket/warehouse/t/data/2.parquet"])
        let last = try memory.append([Self.file(4)])
        #expect(last.manifests.count == 2)
        #expect(try memory.live().count == 2)
    }

    @Test("an overwrite adds and deletes in one snapshot; compactions are called replace")
    func overwrite() throws {
        var memory = try Self.memory()
        try memory.append([Self.file(1), Self.file(2)])
        let output = try memory.replace(
            ["s3://bucket/warehouse/t/data/1.parquet"],
            with: [Self.file(3, rows: 4)]
        )
        #expect(output.snapshot.operation == .overwrite)
        #expect(output.snapshot.summary["total-records"] == "14")
        var production = try memory.production()
        production.operation = .replace
        production.summaryProperties = ["engine-name": "varve"]
        let manifest = try memory.manifests()[0]
        try production.remove(
            ["s3://bucket/warehouse/t/data/3.parquet"],
            from: manifest,
            entries: memory.entries(manifest)
        )
        try production.add(Self.file(5, rows: 4), sequenceNumber: 2)
        let compacted = try memory.commit(production)
        #expect(compacted.snapshot.operation == .replace)
        #expect(compacted.snapshot.summary["engine-name"] == "varve")
        let entry = try #require(try memory.live()["s3://bucket/warehouse/t/data/5.parquet"])
        #expect(entry.sequenceNumber == 2 && entry.fileSequenceNumber == 3)
    }

    @Test("a file that is gone is a conflict")
    func conflict() throws {
        var memory = try Self.memory()
        try memory.append([Self.file(1)])
        let stale = try memory.production()
        let manifest = try memory.manifests()[0]
        let entries = try memory.entries(manifest)
        try memory.replace(["s3://bucket/warehouse/t/data/1.parquet"])
        var production = try memory.production()
        let now = try memory.manifests()[0]
        #expect(
            IcebergError.from {
                try production.remove(
                    ["s3://bucket/warehouse/t/data/1.parquet"],
                    from: now,
                    entries: memory.entries(now)
                )
            }?.code == .conflict
        )
        #expect(
            IcebergError.from { try production.remove(["x"], from: manifest, entries: entries) }?
                .code == .invalid
        )
        // A commit on the old snapshot fails by its requirement.
        var late = stale
        try late.add(Self.file(9))
        let output = try late.produce(commitID: "late")
        let error = IcebergError.from {
            _ = try TableMetadata.apply(
                output.updates,
                requiring: output.requirements,
                to: memory.table,
                now: 1
            )
        }
        #expect(error?.code == .conflict)
    }

    @Test("a retry reuses the manifests of added files, and only the list is new")
    func retry() throws {
        var memory = try Self.memory()
        var production = try memory.production()
        try production.add(Self.file(1))
        let lost = try production.produce(commitID: "lost")
        for file in lost.manifestFiles { memory.files[file.path] = file.bytes }
        memory.commitCount = 50
        try memory.append([Self.file(2)])
        var again = try SnapshotProduction(
            table: memory.table,
            snapshotID: lost.snapshot.snapshotID,
            manifests: memory.manifests(),
            now: 2
        )
        try again.add(Self.file(1))
        let output = try again.produce(commitID: "again", written: lost.reusableManifests)
        #expect(output.manifestFiles.isEmpty)
        #expect(output.manifests.count == 2)
        #expect(output.manifests[0].sequenceNumber == 2)
        #expect(output.reusableManifests == lost.reusableManifests)
        memory.files[output.manifestList.path] = output.manifestList.bytes
        memory.table = try TableMetadata.apply(
            output.updates,
            requiring: output.requirements,
            to: memory.table,
            now: 3
        )
        #expect(try memory.live()["s3://bucket/warehouse/t/data/1.parquet"]?.sequenceNumber == 2)
        var other = again
        try other.add(Self.file(3))
        #expect(
            IcebergError.from {
                _ = try other.produce(commitID: "x", written: lost.reusableManifests)
            }?.code == .invalid
        )
    }

    @Test("small manifests are merged when there are enough of them, and nothing is lost")
    func merge() throws {
        var memory = try Self.memory(["commit.manifest.min-count-to-merge": "4"])
        var counts: [Int] = []
        for index in 0..<9 {
            let output = try memory.append([Self.file(index)])
            counts.append(output.manifests.count)
        }
        #expect(counts == [1, 2, 3, 1, 2, 3, 1, 2, 3])
        let live = try memory.live()
        #expect(live.count == 9)
        for index in 0..<9 {
            let entry = live["s3://bucket/warehouse/t/data/\(index).parquet"]
            #expect(entry?.sequenceNumber == Int64(index + 1))
            #expect(entry?.snapshotID == Int64(1000 + index))
        }
        var without = try Self.memory([
            "commit.manifest.min-count-to-merge": "2", "commit.manifest-merge.enabled": "false",
        ])
        for index in 0..<5 { try without.append([Self.file(index)]) }
        #expect(try without.manifests().count == 5)
        var missing = try memory.production()
        try missing.add(Self.file(90))
        #expect(!missing.manifestsToMerge().isEmpty)
        #expect(IcebergError.from { _ = try missing.produce(commitID: "x") }?.code == .invalid)
    }

    @Test("many files roll over into several manifests")
    func roll() throws {
        var memory = try Self.memory(["commit.manifest.target-size-bytes": "20000"])
        let output = try memory.append((0..<20_000).map { Self.file($0) })
        #expect(output.manifestFiles.count > 2)
        #expect(output.reusableManifests.count == output.manifestFiles.count)
        #expect(try memory.live().count == 20_000)
    }

    @Test("files of several specs and delete files go to manifests of their own")
    func groups() throws {
        var memory = try Self.memory()
        memory.table = try memory.table.applying([
            .addSpec(UnboundPartitionSpec(fields: [])), .setDefaultSpec(-1),
        ])
        var other = Self.file(2)
        (other.specID, other.partition) = (1, [])
        var deletes = DataFile(
            content: .positionDeletes,
            filePath: "s3://d.parquet",
            specID: 1,
            recordCount: 3,
            fileSizeBytes: 9
        )
        deletes.referencedDataFile = other.filePath
        var equality = DataFile(
            content: .equalityDeletes,
            filePath: "s3://e.parquet",
            specID: 1,
            recordCount: 5,
            fileSizeBytes: 9
        )
        equality.equalityIDs = [1]
        let output = try memory.append([Self.file(1), other, deletes, equality])
        #expect(output.manifests.count == 3)
        #expect(output.snapshot.operation == .overwrite)
        #expect(output.snapshot.summary["added-delete-files"] == "2")
        #expect(output.snapshot.summary["added-position-deletes"] == "3")
        #expect(output.snapshot.summary["added-equality-deletes"] == "5")
        #expect(output.snapshot.summary["total-delete-files"] == "2")
        let live = try memory.live()
        #expect(live["s3://d.parquet"]?.file == deletes)
        #expect(live["s3://e.parquet"]?.file == equality)
    }

    @Test("branches begin at main and move alone")
    func branches() throws {
        var memory = try Self.memory()
        try memory.append([Self.file(1)])
        var production = try memory.production(branch: "dev")
        try production.add(Self.file(2))
        let output = try memory.commit(production)
        #expect(memory.table.refs["dev"]?.snapshotID == output.snapshot.snapshotID)
        #expect(memory.table.currentSnapshotID != output.snapshot.snapshotID)
        #expect(try memory.live().count == 1)
        #expect(try memory.manifests(branch: "dev").count == 2)
        memory.table = try memory.table.applying([
            .setSnapshotRef(name: "tag", SnapshotRef(snapshotID: 1000, kind: .tag))
        ])
        #expect(IcebergError.from { _ = try memory.production(branch: "tag") }?.code == .invalid)
    }

    @Test("v3 snapshots give row ids to all rows (rule 23)")
    func rowIDs() throws {
        var memory = try Self.memory(["format-version": "3"])
        let first = try memory.append([Self.file(1), Self.file(2)])
        #expect(first.snapshot.firstRowID == 0 && first.snapshot.addedRows == 20)
        let second = try memory.append([Self.file(3)])
        #expect(second.snapshot.firstRowID == 20 && second.snapshot.addedRows == 10)
        #expect(memory.table.nextRowID == 30)
        try memory.replace(["s3://bucket/warehouse/t/data/1.parquet"])
        let live = try memory.live()
        #expect(live["s3://bucket/warehouse/t/data/2.parquet"]?.file.firstRowID == 10)
        #expect(live["s3://bucket/warehouse/t/data/3.parquet"]?.file.firstRowID == 20)
        var production = try memory.production()
        let deletes = DataFile(
            content: .positionDeletes,
            filePath: "s3://d",
            partition: [.date(1)],
            recordCount: 1,
            fileSizeBytes: 1
        )
        #expect(IcebergError.from { try production.add(deletes) }?.code == .invalid)
    }

    @Test("file names differ between attempts and follow the table's paths (rule 9)")
    func names() throws {
        var memory = try Self.memory()
        memory.table = try memory.table.applying([
            .setProperties(["write.metadata.path": "s3://other/meta/", "write.data.path": "files"])
        ])
        var production = try memory.production()
        try production.add(Self.file(1))
        let one = try production.produce(commitID: "a")
        let two = try production.produce(commitID: "b")
        #expect(one.manifestFiles[0].path == "s3://other/meta/a-m0.avro")
        #expect(one.manifestList.path == "s3://other/meta/snap-1000-1-a.avro")
        #expect(two.manifestFiles[0].path != one.manifestFiles[0].path)
        #expect(memory.table.dataLocation == "s3://bucket/warehouse/t/files")
    }

    @Test("refuses files twice, unknown specs, and v1 tables")
    func refusals() throws {
        let memory = try Self.memory()
        var production = try memory.production()
        try production.add(Self.file(1))
        #expect(IcebergError.from { try production.add(Self.file(1)) }?.code == .invalid)
        var other = Self.file(2)
        other.specID = 7
        #expect(IcebergError.from { try production.add(other) }?.code == .invalid)
        var v1 = memory
        v1.table.formatVersion = 1
        #expect(IcebergError.from { _ = try v1.production() }?.code == .unsupported)
        #expect(
            IcebergError.from {
                _ = try SnapshotProduction(
                    table: memory.table,
                    snapshotID: -1,
                    manifests: [],
                    now: 1
                )
            }?.code == .invalid
        )
    }

    @Test("whatever is added and removed, the live files are the right ones", arguments: 0..<8)
    func randomCommits(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var memory = try Self.memory([
            "commit.manifest.min-count-to-merge": "3", "commit.manifest.target-size-bytes": "3000",
        ])
        var expected: [String: Int64] = [:]
        var next = 0
        for _ in 0..<25 {
            let new = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                next += 1
                return Self.file(next, day: Int32.random(in: 0...3, using: &random))
            }
            let gone = Set(expected.keys.filter { _ in Int.random(in: 0..<5, using: &random) == 0 })
            if new.isEmpty, gone.isEmpty { continue }
            let output = try memory.replace(gone, with: new)
            for path in gone { expected[path] = nil }
            for file in new { expected[file.filePath] = output.snapshot.sequenceNumber }
            #expect(try memory.live().mapValues { $0.sequenceNumber } == expected)
            #expect(output.snapshot.summary["total-data-files"] == "\(expected.count)")
            try memory.table.checkInvariants()
        }
    }

    @Test(
        "PyIceberg and fastavro read the tables it writes",
        .enabled(if: Python.path != nil, "no VARVE_PYTHON"),
        arguments: [2, 3]
    )
    func interoperable(version: Int) throws {
        let folder = try TemporaryFolder()
        let location = "file://\(folder.url.path)/t"
        var memory = MemoryTable(try ManifestTests.table(version: version, location: location))
        try memory.append((0..<5).map { ManifestTests.file($0, location: location) })
        try memory.append((5..<8).map { ManifestTests.file($0, location: location) })
        try memory.replace(
            ["\(location)/data/2.parquet"],
            with: [ManifestTests.file(9, location: location)]
        )
        for (path, bytes) in memory.files { try folder.write(bytes, to: path) }
        let metadata = "\(location)/metadata/00003-\(testUUID).metadata.json"
        try folder.write(memory.table.json.serialized(pretty: true), to: metadata)
        let script = """
            import sys, json
            from pyiceberg.table import StaticTable
            t = StaticTable.from_metadata(sys.argv[1])
            files = [task.file for task in t.scan().plan_files()]
            pruned = [task.file.file_path for task in t.scan(row_filter="id == 3").plan_files()]
            print(json.dumps({'files': sorted([[f.file_path, f.record_count, f.file_size_in_bytes,
                {str(k): v for k, v in (f.value_counts or {}).items()},
                {str(k): v.hex() for k, v in (f.lower_bounds or {}).items()},
                str(f.partition[0]), str(f.partition[1]), str(f.partition[2])] for f in files]),
                'pruned': sorted(pruned),
                'snapshots': t.inspect.snapshots().num_rows,
                'schema': [f.name for f in t.schema().fields],
                'current': t.current_snapshot().snapshot_id,
                'operation': t.current_snapshot().summary.operation.value}))
            """
        let answer = try Python.run(script, [metadata])
        let live = try memory.live()
        let files = try #require(answer["files"]?.array)
        #expect(files.count == 8)
        for file in files {
            let entry = try #require(live[file[0]?.string ?? ""])
            #expect(file[1]?.int64 == entry.file.recordCount)
            #expect(file[2]?.int64 == entry.file.fileSizeBytes)
            #expect(file[3]?["1"]?.int64 == 100)
            #expect(file[4]?["1"]?.string == entry.file.lowerBounds?[1].map(Facts.hex))
            #expect(file[6]?.string == Facts.text(entry.file.partition[1]).string)
            #expect(file[7]?.string == (entry.file.partition[2].map { $0.text } ?? "None"))
        }
        // id == 3 is in bucket 5 or so: PyIceberg prunes by our summaries, partitions and bounds.
        let pruner = FilePruner(.compare(1, .equal, .long(3)), table: memory.table)
        let ours = live.values.filter { pruner.mayMatch($0.file) }.map(\.file.filePath).sorted()
        #expect(answer["pruned"]?.array?.compactMap(\.string) == ours)
        #expect(answer["snapshots"]?.int == 3)
        #expect(answer["current"]?.int64 == memory.table.currentSnapshotID)
        #expect(answer["operation"]?.string == "overwrite")

        let avro = memory.files.keys.filter { $0.hasSuffix(".avro") }.sorted()
        let facts = try Python.run(Facts.script, avro.map { String($0.dropFirst(7)) })
        for (index, path) in avro.enumerated() {
            let bytes = try #require(memory.files[path])
            if try FixtureTests.isList(bytes) {
                #expect(
                    facts[index] == .array(try ManifestListReader.read(bytes).map(Facts.manifest))
                )
            } else {
                var reader = try ManifestReader(bytes: bytes)
                #expect(facts[index] == .array(try reader.entries().map(Facts.entry)))
            }
        }
    }
}
