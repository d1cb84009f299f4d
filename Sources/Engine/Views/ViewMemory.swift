import Ambient
import Catalog
import Columnar
import Lineage
import Planner
import Synchronization

/// A view, bound once: good for as long as everything that it looked up is found as it was.
struct BoundView: Sendable {
    /// What a name or another request turned out to be.
    enum Outcome: Sendable {
        case seen(Seen)
        case failure(any Error)

        func isSame(as other: Outcome) -> Bool {
            switch (self, other) {
            case (.seen(let a), .seen(let b)): a == b
            case (.failure(let a), .failure(let b)): "\(a)" == "\(b)"
            default: false
            }
        }
    }

    /// What a binder sees of a source.
    struct Seen: Sendable, Hashable {
        /// No other source of the view has it.
        var name: String
        var schema: Columnar.Schema
        /// nil for rows that come from nothing in the lake.
        var source: ViewReading.Source?
        /// Whether it is about the source, and has none of its columns: `ns.t.snapshots`.
        var isAbout = false
        var rowNumberPosition: Int?
        var hasRowLineage = false
        /// Of a view, which binding of it.
        var stamp: UInt64?
    }

    struct Dependency: Sendable {
        var request: TableRequest
        var outcome: Outcome
    }

    /// No other binding of this process has it.
    var stamp: UInt64
    var view: TableIdentifier
    var reading: ViewReading
    /// Its columns; nil when it could not be bound.
    var schema: Columnar.Schema?
    var dependencies: [Dependency]

    /// Roughly.
    var byteCount: Int {
        let origins = reading.map.outputs.reduce(reading.map.rows.count) { $0 + $1.origins.count }
        return 1000 + origins * 120 + reading.map.outputs.count * 150 + dependencies.count * 500
            + (reading.texts ?? []).reduce(0) { $0 + 3 * $1.utf8.count }
    }
}

/// What views read, kept for the next question: binding a thousand of them takes longer than all else in an answer.
final class ViewMemory: Sendable {
    /// For all views together; a view of some columns has some thousand bytes.
    private static let byteCountMax = 64 << 20

    /// A state of the catalog, as views see it.
    struct StateKey: Sendable, Hashable {
        var position: Int64
        var reference: String?
        var tableBranch: String?

        init(_ snapshot: CatalogSnapshot, _ tableBranch: String?) {
            (position, reference) = (snapshot.position, snapshot.reference)
            self.tableBranch = tableBranch
        }
    }

    private let views = LeastRecentlyUsedCache<String, BoundView>(byteCountMax: byteCountMax)
    private let newest = Mutex<(key: StateKey, views: LineageViews)?>(nil)
    private let stampCount = Atomic<UInt64>(0)

    func makeStamp() -> UInt64 { stampCount.wrappingAdd(1, ordering: .relaxed).newValue }

    /// - Parameter location: of the view's metadata, which never change.
    func view(at location: String) -> BoundView? { views.find(location) }

    func note(_ view: BoundView, at location: String) {
        views.insert(view, for: location, byteCount: view.byteCount)
    }

    /// All views of the state that was asked about last.
    func views(at key: StateKey) -> LineageViews? {
        newest.withLock { $0?.key == key ? $0?.views : nil }
    }

    func note(_ views: LineageViews, at key: StateKey) {
        newest.withLock { $0 = (key, views) }
    }
}
