import Ambient
import Catalog
import CommitLog
import Iceberg
import ObjectStorage
import Testing
import TestSupport

private func sharingOptions() -> CatalogOptions {
    var options = CatalogOptions()
    options.sharesMetadataFiles = true
    return options
}

@Suite struct SharedFilesTests {
    @Test(
        "commits of one entry to one table leave one metadata file that has all of them",
        arguments: 0..<8
    )
    func sharing(seed: UInt64) async throws {
        let memory = MemoryStore(time: ManualTime())
        try await SimulationExecutor.run(seed: seed) {
            var slow = SimulatedFaults()
            slow.delays = 0.9
            let store = SimulatedStore(memory, seed: seed, rates: slow)
            let catalog = try await openCatalog(store, seed: seed, options: sharingOptions())
            let (one, other) = (try table("one"), try table("other"))
            for (number, name) in [one, other].enumerated() {
                let metadata = try newTable(catalog, name, uuid: uuid(number))
                try await catalog.commit(.createTable(name, metadata: metadata))
            }
            let receipts = try await withThrowingTaskGroup(of: CommitReceipt.self) { group in
                for number in 1...30 {
                    let name = number % 3 == 0 ? other : one
                    group.addTask {
                        try await catalog.commit(
                            append(name, snapshotID: Int64(number), catalog: catalog),
                            id: "append-\(number)"
                        )
                    }
                }
                var receipts: [CommitReceipt] = []
                for try await receipt in group { receipts.append(receipt) }
                return receipts
            }
            // Who shares an entry and a table shares a file, and nobody else does.
            var places: [String: Set<String>] = [:]
            for receipt in receipts {
                let made = try #require(receipt.tables.first)
                places[made.metadataLocation, default: []]
                    .insert("\(receipt.position) \(made.identifier)")
            }
            #expect(places.values.allSatisfy { $0.count == 1 })
            #expect(Set(places.values).count == places.count)
            let positions = Set(receipts.map(\.position))
            #expect(positions.count < 30 && places.count < 30)
            for receipt in receipts {
                let id = try #require(Int64(receipt.commitID.dropFirst("append-".count)))
                let made = try #require(receipt.tables.first)
                #expect(receipt.snapshotID(of: made.identifier) == id)
                #expect(made.metadata.currentSnapshotID == id)
                // A retry gets the same, from the log.
                let again = try await catalog.commit(
                    append(made.identifier, snapshotID: id, catalog: catalog),
                    id: receipt.commitID
                )
                #expect(again.isReplay && again.snapshotID(of: made.identifier) == id)
                #expect(again.changes == receipt.changes)
                let stored = try await catalog.load(made.identifier, at: made.entry)
                #expect(stored.metadata.snapshots.contains { $0.snapshotID == id })
            }
            // Another process, from the log alone.
            let reader = try await openCatalog(store, seed: seed + 100)
            #expect(reader.known.state == catalog.known.state)
            for (name, count) in [(one, 20), (other, 10)] {
                let loaded = try await reader.load(name)
                let metadata = loaded.metadata
                #expect(metadata.snapshots.count == count)
                // Every snapshot stands on the one before it, and no file came before itself.
                for (before, after) in zip(metadata.snapshots, metadata.snapshots.dropFirst()) {
                    #expect(after.parentSnapshotID == before.snapshotID)
                }
                let files = metadata.metadataLog.map(\.metadataFile)
                #expect(Set(files).count == files.count)
                #expect(!files.contains(loaded.metadataLocation))
            }
            let found = try await reader.verifyMetadata(of: reader.known, includesPast: true)
            #expect(found.faults.isEmpty && found.fileCount == places.count + 2)
            #expect(try await reader.verify().fault == nil)
        }
    }

    @Test("a table that is renamed, or whose files go elsewhere, in the same commit")
    func inOneCommit() async throws {
        let store = MemoryStore(time: ManualTime())
        let catalog = try await openCatalog(store, options: sharingOptions())
        let (old, new) = (try table("old"), try table("new"))
        let receipt = try await catalog.commit(
            .createTable(old, metadata: try newTable(catalog, old, uuid: uuid(1))),
            append(old, snapshotID: 1, catalog: catalog),
            .renameTable(old, to: new),
            append(new, snapshotID: 2, catalog: catalog),
            .updateTable(
                new,
                requirements: [],
                updates: [.setProperties(["write.metadata.compression-codec": "gzip"])]
            ),
            append(new, snapshotID: 3, catalog: catalog)
        )
        #expect(receipt.snapshotID(of: new) == 3)
        let reader = try await openCatalog(store, seed: 2)
        let loaded = try await reader.load(new)
        #expect(loaded.metadata.snapshots.map(\.snapshotID) == [1, 2, 3])
        #expect(loaded.metadataLocation.hasSuffix(".gz.metadata.json"))
        // The file before it was nobody's: no state of the catalog ever named it last.
        #expect(loaded.metadata.metadataLog.isEmpty)
        let found = try await reader.verifyMetadata(of: reader.known, includesPast: true)
        #expect(found.faults.isEmpty && found.fileCount == 2)
    }
}
