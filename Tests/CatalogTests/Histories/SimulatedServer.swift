import Ambient
import Catalog
import CommitLog
import ObjectStorage
import Synchronization
import TestSupport

/// A server of a simulated cluster: one process after the other, which share a machine and its clock.
final class SimulatedServer: Sendable {
    /// A process that runs, or ran.
    struct Process: Sendable {
        let catalog: WarehouseCatalog
        let connection: SimulatedConnection
        let incarnation: Int
    }

    let number: Int
    let clock: SimulatedClock
    private let world: SimulatedWorld
    private let store: any ObjectStore
    private let plan: HistoryPlan
    private let state = Mutex<(process: Process?, incarnation: Int)>((nil, 0))

    init(_ number: Int, _ plan: HistoryPlan, _ world: SimulatedWorld, _ store: any ObjectStore) {
        self.number = number
        self.plan = plan
        self.world = world
        self.store = store
        clock = SimulatedClock(world)
    }

    /// The process that runs now; nil while there is none.
    var process: Process? { state.withLock { $0.process } }

    /// Starts a new process, which opens the catalog.
    ///
    /// - Throws: when it cannot; then none runs.
    func start(faults: NetworkFaults) async throws {
        let incarnation = state.withLock { state in
            state.incarnation += 1
            return state.incarnation
        }
        let connection = SimulatedConnection(store, world: world, faults: faults)
        let seed = plan.seed &* 1000 &+ UInt64(number * 50 + incarnation)
        var options = CatalogOptions()
        options.proof = .never
        options.log = plan.log
        options.log.server = "server-\(number).\(incarnation)"
        options.parallelCountMax = 4
        let catalog = try await WarehouseCatalog.open(
            store: plan.bug?.perverted(connection, world, ofServer: number) ?? connection,
            ambient: AmbientSources(time: clock, random: SeededRandom(seed: seed)),
            options: options
        )
        let process = Process(catalog: catalog, connection: connection, incarnation: incarnation)
        state.withLock { $0.process = process }
    }

    /// Ends the process in the middle of whatever it does.
    func kill() {
        let process = state.withLock { state in
            defer { state.process = nil }
            return state.process
        }
        process?.connection.kill()
    }
}
