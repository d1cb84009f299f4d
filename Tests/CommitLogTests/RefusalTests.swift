import Ambient
import CommitLog
import ObjectStorage
import Testing
import TestSupport

/// A store in which entries after the first cannot be created.
private struct FullStore: ForwardingStore {
    let below: any ObjectStore

    func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        await Task.yield()
        if let sequence = LogEntry.sequence(ofKey: key), sequence > 1 {
            throw ObjectStoreError(.denied, "full", key: key)
        }
        return try await below.putIfAbsent(key, bytes)
    }
}

@Suite struct RefusalTests {
    private enum Told: Sendable { case done, refused, failed }

    @Test("a commit is not refused for what another would have done, had it landed")
    func groundlessRefusals() async throws {
        var failedCount = 0
        for seed in 0..<60 as Range<UInt64> {
            let (told, items) = try await SimulationExecutor.run(seed: seed) {
                let memory = MemoryStore(time: ManualTime())
                let log = try await openLedger(FullStore(below: memory), seed: seed)
                let requests = [
                    request("first", "b"), request("one", expects: 0), request("two", expects: 0),
                    request("three", expects: 0),
                ]
                let told = await withTaskGroup(of: Told.self) { group in
                    for request in requests {
                        group.addTask {
                            do {
                                _ = try await log.commit(request)
                                return .done
                            } catch is LedgerMachine.LedgerError {
                                return .refused
                            } catch {
                                return .failed
                            }
                        }
                    }
                    return await group.reduce(into: [Told]()) { $0.append($1) }
                }
                return (told, try await openLedger(memory).known.state["a"] ?? [])
            }
            #expect(told.count { $0 == .done } >= 1)
            // Only where the list has an item is it wrong to expect none.
            if items.isEmpty {
                #expect(!told.contains(.refused), "seed \(seed)")
                failedCount += told.count { $0 == .failed }
            }
        }
        #expect(failedCount > 0)
    }
}
