package import Catalog
import CommitLog
import Iceberg
import Lineage
import Planner
import SQL

/// What somebody asks of the history: who, what, when, where; what is not said does not matter.
package struct HistoryRequest: Sendable {
    /// A table or view through all its names, one that was dropped too.
    package var table: String?
    /// A column of the table, through all its names.
    package var column: String?
    /// One of these did it.
    package var actors: [String] = []
    /// From this entry or time on, itself included.
    package var since: CatalogInstant?
    /// Up to this entry or time, itself included.
    package var until: CatalogInstant?
    /// Words of `CommitKinds.known`, one of which the commit is.
    package var kinds: [String] = []
    /// A part of the message, whatever the case.
    package var message: String?
    /// The run whose flows the commit carries.
    package var runID: String?
    /// How the commit's id begins.
    package var idPrefix: String?

    package init() {}
}

/// A request whose names were looked up, so that pages can be read.
package struct HistoryQuery: Sendable {
    var filter: HistoryFilter
    var column: ColumnHistory?
    var kinds: Set<String>
    var runID: String?

    /// Whether the log alone cannot say which commits are meant.
    fileprivate var needsMetadata: Bool { column != nil || !kinds.isEmpty || runID != nil }
}

extension Session {
    /// Looks up what a request names.
    ///
    /// - Throws: `notFound` for a table or column that there never was, `invalid` for words without sense.
    package func historyQuery(_ request: HistoryRequest) async throws -> HistoryQuery {
        var filter = HistoryFilter()
        filter.actors = Set(request.actors)
        filter.message = request.message
        filter.idPrefix = request.idPrefix
        for text in [request.message, request.runID, request.idPrefix] where text == "" {
            throw EngineError(.invalid, "an empty text finds nothing", hint: "Leave it out.")
        }
        switch request.since {
        case nil: break
        case .position(let position)?: filter.firstPosition = position
        case .millis(let millis)?: filter.firstMillis = millis
        }
        switch request.until {
        case nil: break
        case .position(let position)?: filter.lastPosition = position
        case .millis(let millis)?: filter.lastMillis = millis
        }
        // In the past there is no later history.
        switch asOf {
        case nil: break
        case .position(let position)?:
            filter.lastPosition = min(filter.lastPosition ?? position, position)
        case .millis(let millis)?: filter.lastMillis = min(filter.lastMillis ?? millis, millis)
        }
        for kind in request.kinds where !CommitKinds.known.contains(kind) {
            throw EngineError(
                .invalid,
                "\"\(kind)\" is no kind of commit",
                hint: "There are \(CommitKinds.known.joined(separator: ", "))."
            )
        }
        var query = HistoryQuery(
            filter: filter,
            kinds: Set(request.kinds),
            runID: request.runID
        )
        guard let table = request.table else {
            if request.column != nil {
                throw EngineError(.invalid, "a column is one of a table: name the table, too")
            }
            return query
        }
        let found = try await auditedTable(table)
        query.filter.tableUUID = found.entry.uuid
        if let column = request.column {
            let loaded = try await engine.catalog(creating: false).load(
                found.name,
                at: found.entry
            )
            query.column = try ColumnHistory(column, of: loaded)
        }
        return query
    }

    /// A page of the commits that a query means, newest first; the parameters as for the catalog's history.
    package func history(
        _ query: HistoryQuery,
        before position: Int64? = nil,
        countMax: Int = 100,
        entryCountMax: Int = 4096
    ) async throws -> WarehouseCatalog.HistoryPage {
        let catalog = try await engine.catalog(creating: false)
        var page = try await catalog.history(
            query.filter,
            before: position,
            countMax: countMax,
            entryCountMax: entryCountMax
        )
        guard query.needsMetadata else { return page }
        let (commits, uuid) = (page.commits, query.filter.tableUUID)
        page.commits = []
        for commit in commits {
            try Task.checkCancellation()
            if let run = query.runID {
                guard commit.flows.contains(where: { $0.runID == run }) else { continue }
            }
            if !query.kinds.isEmpty {
                let kinds = try await CommitKinds(commit, ofTable: uuid, catalog)
                if kinds.words.isDisjoint(with: query.kinds) { continue }
            }
            if let column = query.column, let uuid {
                guard try await column.isTouched(by: commit, ofTable: uuid, catalog) else {
                    continue
                }
            }
            page.commits.append(commit)
        }
        return page
    }

    /// A table or view that is there now, or the last one that was called so.
    private func auditedTable(
        _ text: String
    ) async throws -> (name: TableIdentifier, entry: TableEntry) {
        let parts = try Parser.parseObjectName(text).map(\.folded)
        let snapshot = try await catalogSnapshot(creating: false)
        let wanted = try identifier(parts)
        if let view = snapshot.state.view(wanted) { return (wanted, view) }
        let missing: any Error
        do {
            let table = try await openTable(parts, in: snapshot)
            return (
                table.identifier, try snapshot.state.existingTable(table.identifier)
            )
        } catch {
            missing = error
        }
        let catalog = try await engine.catalog(creating: false)
        var before: Int64? = snapshot.position + 1
        repeat {
            let page = try await catalog.history(before: before)
            for change in page.commits.flatMap({ $0.changes.reversed() }) {
                if let found = change.tables.last(where: { $0.name == wanted }) { return found }
            }
            before = page.next
        } while before != nil
        throw missing
    }
}

extension CatalogChange {
    /// The tables and views that the change names, as it leaves them, or as it takes them away.
    fileprivate var tables: [(name: TableIdentifier, entry: TableEntry)] {
        switch self {
        case .createTable(let name, let entry, _), .updateTable(let name, _, let entry, _, _),
            .dropTable(let name, let entry, _), .createView(let name, let entry),
            .updateView(let name, _, let entry), .dropView(let name, let entry):
            [(name, entry)]
        case .replaceTable(let name, let old, let new, _): [(name, old), (name, new)]
        case .renameTable(let name, let target, let entry),
            .renameView(let name, let target, let entry):
            [(name, entry), (target, entry)]
        default: []
        }
    }
}

extension HistoricCommit {
    /// The flows of data that the commit carries; none when it says nothing, or nothing that can be read.
    var flows: [LineageFacts] {
        guard let json = lineage, let lineage = try? CommitLineage(json: json) else { return [] }
        return lineage.facts
    }
}

/// A column of a table through all its names.
///
/// It is known by its field id. What touches it: a change of the schema that adds, renames or drops it or
/// changes its type, whether it may be null, its comment, default or constraints; and every write of rows
/// (`append`, `overwrite`) while the table had it, for a row has a value of each column. Commits that only
/// take rows away, or write the same rows to other files, do not.
struct ColumnHistory: Sendable {
    let fieldID: Int

    init(_ name: String, of table: LoadedTable) throws {
        guard let field = Self.field(name, of: table.metadata) else {
            throw EngineError(
                .notFound,
                "table \(table.identifier) has, and had, no column \"\(name)\"",
                hint: "Columns within others are not told apart: name the outermost."
            )
        }
        fieldID = field.id
    }

    /// The newest field that was called so; what is spelled exactly so comes first.
    private static func field(_ name: String, of metadata: TableMetadata) -> NestedField? {
        let newestFirst =
            [metadata.currentSchema] + metadata.schemas.sorted { $0.schemaID > $1.schemaID }
        let fields = newestFirst.flatMap(\.fields)
        return fields.first { $0.name == name }
            ?? fields.first { $0.name.lowercased() == name.lowercased() }
    }

    func isTouched(
        by commit: HistoricCommit,
        ofTable uuid: String,
        _ catalog: WarehouseCatalog
    ) async throws -> Bool {
        for change in commit.changes where change.concerns(tableUUID: uuid) {
            guard let states = try await change.states(ofTable: uuid, catalog) else { continue }
            // A file that is gone cannot say that the column was left alone.
            guard let new = states.new else { return true }
            let field = new.currentSchema.fields.first { $0.id == fieldID }
            let before = states.old?.currentSchema.fields.first { $0.id == fieldID }
            if field != before { return true }
            let declared = declarations(new)
            if let old = states.old, declarations(old) != declared { return true }
            guard field != nil else { continue }
            let operations = states.operations
            if operations.contains(.append) || operations.contains(.overwrite) { return true }
        }
        return false
    }

    /// What is declared of the column, as one text.
    private func declarations(_ metadata: TableMetadata) -> String {
        guard let declared = try? TableDeclarations(metadata) else { return "" }
        let rules = declared.constraints.filter { $0.rule.fieldIDs.contains(fieldID) }
        return "\(String(describing: declared.columns[fieldID])) \(rules)"
    }
}
