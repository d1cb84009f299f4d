import Ambient
package import Catalog
import Iceberg
package import Lineage
import Planner

// What views read, for questions about lineage: no commit says it, so their texts are bound against the state of the
// catalog that the question is about.

extension Session {
    /// What a question is to know of views; nil when it needs nothing.
    ///
    /// Questions about impact need all views of the catalog. Others need them only when they name one: upstream those
    /// beneath it, downstream all.
    ///
    /// - Parameters:
    ///   - question: nil for one that views take no part in.
    ///   - state: of the catalog; nil for the session's.
    /// - Throws: `invalid` when a question names a view that views take no part in.
    package func lineageViews(
        _ question: LineageAnswer.Question?,
        _ nodes: [NodeName],
        _ graph: LineageGraph,
        _ options: LineageOptions,
        at state: CatalogSnapshot? = nil
    ) async throws -> LineageViews? {
        let unknown = nodes.filter { !graph.knows($0, options) }
        guard let node = unknown.first ?? nodes.first else { return nil }
        let isKnown = unknown.isEmpty
        if isKnown, question != .impact { return nil }
        let snapshot: CatalogSnapshot
        if let state {
            snapshot = state
        } else if asOf == nil, transaction == nil, let position = graph.lastPosition {
            // In memory already, and the state that the rest of the answer is about.
            let catalog = try await engine.catalog(creating: false)
            snapshot = try await catalog.snapshot(at: position).on(reference)
        } else {
            snapshot = try await lakeSnapshot(creating: false)
        }
        let named = node.candidates(in: options.namespace).compactMap { candidate in
            candidate.table.last.flatMap { name in
                try? TableIdentifier(Namespace(candidate.table.dropLast()), name)
            }
        }
        let view = named.first { snapshot.state.view($0) != nil }
        if view == nil, question != .impact { return nil }
        guard let question, question != .path else {
            throw EngineError(
                .invalid,
                "\(node.text) is a view, which path, paths, sources and runs do not know",
                hint: "upstream says what it reads, impact what reads it."
            )
        }
        let isOnMain = snapshot.reference == nil && tableBranch == nil
        let fresh = Session(engine: engine, context: context)
        await fresh.use(tableBranch: tableBranch)
        let catalog = try await engine.catalog(creating: false)
        var binding = ViewBinding(fresh, snapshot, catalog)
        var views: LineageViews
        if question == .upstream, let view {
            views = LineageViews(
                readings: try await binding.readings(of: [view]),
                isOnMain: isOnMain
            )
        } else {
            let key = transaction == nil ? ViewMemory.StateKey(snapshot, tableBranch) : nil
            views = try await binding.allViews(key, isOnMain: isOnMain)
        }
        // Columns that no run has read or written are known to the catalog alone.
        if !isKnown, let table = named.first(where: { snapshot.state.table($0) != nil }) {
            let metadata = try await catalog.load(table, in: snapshot).metadata
            let columns = metadata.currentSchema.fields.map {
                LineageViews.Column(name: $0.name, fieldID: Int32(exactly: $0.id))
            }
            let known = LineageViews.Table(uuid: metadata.tableUUID, columns: columns)
            views = LineageViews(
                readings: views.readings,
                tables: [known],
                isOnMain: views.isOnMain
            )
        }
        return views
    }
}

extension ViewBinding {
    /// All views of the state, each after those that it reads.
    ///
    /// - Parameter key: what the state is remembered by; nil for one that is not to be.
    fileprivate mutating func allViews(
        _ key: ViewMemory.StateKey?,
        isOnMain: Bool
    ) async throws -> LineageViews {
        if let key, let known = memory.views(at: key) { return known }
        let views = LineageViews(
            readings: try await readings(of: try snapshot.state.allViews()),
            isOnMain: isOnMain
        )
        if let key, isAllKept { memory.note(views, at: key) }
        return views
    }
}
