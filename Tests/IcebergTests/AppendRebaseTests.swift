import Testing

import Bytes
import Iceberg
import TestSupport

@Suite struct AppendRebaseTests {
    private typealias Memory = SnapshotProductionTests

    private func memory(_ version: Int) throws -> MemoryTable {
        var table = try makeTable(
            [column(1, "id", .long), column(2, "day", .date)],
            spec: [(2, .identity, "day")]
        )
        table.formatVersion = version
        if version == 3 { table.nextRowID = 0 }
        return MemoryTable(table)
    }

    /// What another program would commit on top of a table, and its files.
    private func stale(
        _ memory: MemoryTable,
        _ files: [DataFile],
        id: Int64
    ) throws -> SnapshotProduction.Output {
        var production = try SnapshotProduction(
            table: memory.table,
            snapshotID: id,
            manifests: memory.manifests(),
            now: 1
        )
        for file in files { try production.add(file) }
        return try production.produce(commitID: "client-\(id)")
    }

    private func land(
        _ stale: SnapshotProduction.Output,
        on memory: inout MemoryTable,
        parent: [ManifestFile]
    ) throws {
        for file in stale.manifestFiles + [stale.manifestList] {
            memory.files[file.path] = file.bytes
        }
        let rebase = try #require(
            AppendRebase(requirements: stale.requirements, updates: stale.updates)
        )
        #expect(rebase.isNeeded(on: memory.table))
        let own = try ManifestListReader.read(stale.manifestList.bytes)
        let added = try #require(rebase.added(own: own, parent: parent))
        for manifest in added {
            let bytes = try #require(memory.files[manifest.manifestPath])
            #expect(try rebase.holdsOnlyNewFiles(bytes, manifest))
        }
        let output = try rebase.output(
            on: memory.table,
            head: memory.manifests(),
            added: added,
            commitID: "r\(memory.commitCount)"
        )
        memory.files[output.manifestList.path] = output.manifestList.bytes
        memory.table = try TableMetadata.apply(
            output.updates,
            requiring: output.requirements,
            to: memory.table,
            now: 1_700_000_000_000
        )
        memory.commitCount += 1
    }

    @Test(
        "three appends made at once all land, with numbers and row ids of their own",
        arguments: [2, 3]
    )
    func rebases(version: Int) throws {
        var memory = try memory(version)
        try memory.append([Memory.file(1)])
        let parent = try memory.manifests()
        let one = try stale(memory, [Memory.file(10, rows: 5)], id: 51)
        let two = try stale(memory, [Memory.file(20, day: 2, rows: 7), Memory.file(21)], id: 52)
        try memory.append([Memory.file(2)])
        try land(one, on: &memory, parent: parent)
        try land(two, on: &memory, parent: parent)
        let live = try memory.live()
        #expect(live.count == 5)
        func entry(_ index: Int) throws -> ManifestEntry {
            try #require(live["s3://bucket/warehouse/t/data/\(index).parquet"])
        }
        #expect(try [1, 2, 10, 20].map { try entry($0).sequenceNumber } == [1, 2, 3, 4])
        let head = try #require(memory.table.currentSnapshot)
        #expect(head.snapshotID == 52 && head.parentSnapshotID == 51 && head.sequenceNumber == 4)
        #expect(head.summary["total-records"] == "42" && head.summary["added-records"] == "17")
        #expect(head.summary["total-data-files"] == "5")
        try memory.table.checkInvariants()
        if version == 3 {
            #expect(memory.table.nextRowID == 42 && head.firstRowID == 25 && head.addedRows == 17)
            let ids = try [1, 2, 10, 20, 21].map { try entry($0).file.firstRowID }
            #expect(Set(ids.compactMap { $0 }).count == 5)
        }
        // It is there now: a second try of the same is not rebased, and fails as it should.
        let again = try #require(
            AppendRebase(requirements: two.requirements, updates: two.updates)
        )
        #expect(!again.isNeeded(on: memory.table))
    }

    @Test("an append to what was empty then lands behind another")
    func first() throws {
        var memory = try memory(2)
        let one = try stale(memory, [Memory.file(10)], id: 51)
        try memory.append([Memory.file(1)])
        try land(one, on: &memory, parent: [])
        #expect(try memory.live().count == 2)
    }

    @Test("what is no plain append is left to fail")
    func refusals() throws {
        var memory = try memory(2)
        try memory.append([Memory.file(1), Memory.file(2)])
        let parent = try memory.manifests()
        let one = try stale(memory, [Memory.file(10)], id: 51)
        // Something is asked for beside the append.
        let more = one.updates + [.setProperties(["a": "b"])]
        #expect(AppendRebase(requirements: one.requirements, updates: more) == nil)
        #expect(AppendRebase(requirements: [], updates: one.updates) == nil)
        #expect(
            AppendRebase(
                requirements: [.assertRefSnapshotID(ref: "main", snapshotID: 7)],
                updates: one.updates
            ) == nil
        )
        // A delete is no append, whatever it calls itself.
        var production = try SnapshotProduction(
            table: memory.table,
            snapshotID: 60,
            manifests: parent,
            now: 1
        )
        try production.remove(
            ["s3://bucket/warehouse/t/data/1.parquet"],
            from: parent[0],
            entries: try memory.entries(parent[0])
        )
        production.operation = .append
        let delete = try production.produce(commitID: "d")
        let disguised = try #require(
            AppendRebase(requirements: delete.requirements, updates: delete.updates)
        )
        let own = try ManifestListReader.read(delete.manifestList.bytes)
        #expect(disguised.added(own: own, parent: parent) == nil)

        let rebase = try #require(
            AppendRebase(requirements: one.requirements, updates: one.updates)
        )
        // Nothing came between: the commit is good as it is.
        #expect(!rebase.isNeeded(on: memory.table))
        try memory.append([Memory.file(3)])
        #expect(rebase.isNeeded(on: memory.table))
        // Another requirement fails too.
        let strict = try #require(
            AppendRebase(
                requirements: one.requirements + [.assertLastAssignedFieldID(1)],
                updates: one.updates
            )
        )
        #expect(!strict.isNeeded(on: memory.table))
        // A column became required that the append's rows may lack.
        var changed = memory.table
        changed.schemas.append(
            try Schema(
                schemaID: 1,
                fields: [
                    NestedField(id: 1, name: "id", required: true, type: .long),
                    NestedField(id: 2, name: "day", required: false, type: .date),
                ]
            )
        )
        changed.currentSchemaID = 1
        #expect(!rebase.isNeeded(on: changed))
        // The branch is gone.
        changed = memory.table
        changed.refs = [:]
        #expect(!rebase.isNeeded(on: changed))
    }

    @Test("manifests with numbers of their own, or counts that lie, are refused")
    func numbers() throws {
        var memory = try memory(2)
        try memory.append([Memory.file(1)])
        var production = try SnapshotProduction(
            table: memory.table,
            snapshotID: 51,
            manifests: memory.manifests(),
            now: 1
        )
        try production.add(Memory.file(10), sequenceNumber: 1)
        let old = try production.produce(commitID: "old")
        let rebase = try #require(
            AppendRebase(requirements: old.requirements, updates: old.updates)
        )
        #expect(try !rebase.holdsOnlyNewFiles(old.manifestFiles[0].bytes, old.manifests[0]))
        let new = try stale(memory, [Memory.file(11)], id: 51)
        #expect(try rebase.holdsOnlyNewFiles(new.manifestFiles[0].bytes, new.manifests[0]))
        var lying = new.manifests[0]
        lying.addedRowsCount = 11
        #expect(try !rebase.holdsOnlyNewFiles(new.manifestFiles[0].bytes, lying))
    }

    @Test("mutated manifests never trap", arguments: 0..<4 as Range<UInt64>)
    func mutated(seed: UInt64) throws {
        let memory = try memory(2)
        let one = try stale(memory, [Memory.file(10)], id: 51)
        let rebase = try #require(
            AppendRebase(requirements: one.requirements, updates: one.updates)
        )
        var random = SeededGenerator(seed: seed)
        for _ in 0..<400 {
            var bytes = one.manifestFiles[0].bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0...255,
                    using: &random
                )
            }
            _ = try? rebase.holdsOnlyNewFiles(bytes, one.manifests[0])
        }
    }
}
