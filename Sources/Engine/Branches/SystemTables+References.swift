import Catalog
import Columnar
import Iceberg
import Planner
import SQL
import Tables

extension SystemTable {
    /// The columns of those about branches, tags and dropped tables.
    var referenceSchema: Columnar.Schema {
        switch self {
        case .branches:
            Columnar.Schema([
                Field("name", .string, isNullable: false), Field("parent", .string),
                Field("created_at", .timestamptz), Field("base_position", .int64),
                Field("head_position", .int64, isNullable: false),
                Field("table_count", .int64, isNullable: false),
                Field("change_count", .int64, isNullable: false),
            ])
        case .tags:
            Columnar.Schema([
                Field("name", .string, isNullable: false),
                Field("branch", .string, isNullable: false),
                Field("created_at", .timestamptz, isNullable: false),
                Field("position", .int64, isNullable: false),
                Field("table_count", .int64, isNullable: false),
            ])
        default:
            Columnar.Schema([
                Field("namespace", .string, isNullable: false),
                Field("name", .string, isNullable: false),
                Field("uuid", .string, isNullable: false),
                Field("branch", .string, isNullable: false),
                Field("dropped_at", .timestamptz, isNullable: false),
                Field("position", .int64, isNullable: false),
                Field("actor", .string, isNullable: false),
                Field("purged", .boolean, isNullable: false),
                Field("restorable_until", .timestamptz),
            ])
        }
    }
}

extension SourceResolver {
    func referenceRows(
        of kind: SystemTable,
        _ snapshot: CatalogSnapshot
    ) async throws -> [[Value]] {
        let state = snapshot.branched
        switch kind {
        case .branches:
            let main: [Value] = [
                .string(ReferenceName.main), .null, .null, .null, .int64(snapshot.position),
                .int64(Int64(state.main.tableCount)), .int64(0),
            ]
            return try [main]
                + state.branches.map { branch in
                    [
                        .string(branch.name), .string(branch.parent ?? ReferenceName.main),
                        .timestamptz(branch.createdMillis * 1000), .int64(branch.basePosition),
                        .int64(branch.headPosition), .int64(Int64(branch.head.tableCount)),
                        .int64(Int64(try branch.base.differences(to: branch.head).count)),
                    ]
                }
        case .tags:
            return state.tags.map { tag in
                [
                    .string(tag.name), .string(tag.branch ?? ReferenceName.main),
                    .timestamptz(tag.createdMillis * 1000), .int64(tag.position),
                    .int64(Int64(tag.state.tableCount)),
                ]
            }
        default:
            let retention = try session.undropMillis(snapshot)
            let dropped = try await session.engine.catalog(creating: false).droppedTables(
                in: snapshot,
                sinceMillis: try session.undropStartMillis(snapshot)
            )
            return dropped.map { drop in
                let (end, overflow) = drop.timeMillis.addingReportingOverflow(retention)
                let (micros, tooLate) = end.multipliedReportingOverflow(by: 1000)
                return [
                    .string(drop.table.namespace.description), .string(drop.table.name),
                    .string(drop.entry.uuid), .string(drop.branch ?? ReferenceName.main),
                    .timestamptz(drop.timeMillis * 1000), .int64(drop.position),
                    .string(drop.actor), .boolean(drop.isPurged),
                    drop.isPurged || overflow || tooLate ? .null : .timestamptz(micros),
                ]
            }
        }
    }

    // MARK: - Differences

    private static let differenceSchema = Columnar.Schema([
        Field("kind", .string, isNullable: false), Field("namespace", .string, isNullable: false),
        Field("name", .string), Field("change", .string, isNullable: false),
        Field("from_snapshot_id", .int64), Field("to_snapshot_id", .int64),
        Field("from_metadata", .string), Field("to_metadata", .string),
    ])

    private static let conflictSchema = Columnar.Schema([
        Field("kind", .string, isNullable: false), Field("namespace", .string),
        Field("name", .string), Field("base_snapshot_id", .int64),
        Field("target_snapshot_id", .int64), Field("source_snapshot_id", .int64),
        Field("base_metadata", .string), Field("target_metadata", .string),
        Field("source_metadata", .string), Field("reason", .string),
    ])

    /// A function about branches: `varve_branch_diff(from, to)` has the names at which two branches or tags differ,
    /// `varve_merge_conflicts(source, target)` what stands in the way of a merge.
    func branchFunction(_ name: String, _ arguments: [Value]) async throws -> ResolvedSource {
        let names = arguments.compactMap { argument -> String? in
            if case .string(let text) = argument { text } else { nil }
        }
        guard names.count == 2, arguments.count == 2 else {
            throw PlanError(.invalid, "\(name) takes the names of two branches")
        }
        let snapshot = try await catalogSnapshot()
        let schema: Columnar.Schema
        var rows: [[Value]] = []
        if name == "varve_branch_diff" {
            schema = Self.differenceSchema
            let from = try snapshot.branched.state(of: names[0])
            for difference in try from.differences(to: try snapshot.branched.state(of: names[1])) {
                rows.append(try await row(difference))
            }
        } else {
            schema = Self.conflictSchema
            let catalog = try await session.engine.catalog(creating: false)
            let merge = try catalog.merge(of: names[0], into: names[1], in: snapshot)
            for conflict in merge.conflicts {
                let sides = [conflict.base, conflict.ours, conflict.theirs]
                let space = conflict.namespace.description
                var row: [Value] = [
                    .string(sides.lazy.compactMap { $0 }.first?.kind ?? "name"), .string(space),
                    conflict.table.map { .string($0.name) } ?? .null,
                ]
                for side in sides { row.append(try await snapshotID(side, conflict.table)) }
                row += sides.map { $0?.entry.map { .string($0.metadataLocation) } ?? .null }
                row.append(conflict.reason.map { .string($0) } ?? .null)
                rows.append(row)
            }
        }
        return resolved(name, schema, rows)
    }

    private func row(_ difference: CatalogDifference) async throws -> [Value] {
        let (before, after) = (difference.before, difference.after)
        let change = before == nil ? "added" : after == nil ? "removed" : "changed"
        return [
            .string(difference.kind), .string(difference.namespace.description),
            difference.table.map { .string($0.name) } ?? .null, .string(change),
            try await snapshotID(before, difference.table),
            try await snapshotID(after, difference.table),
            before?.entry.map { .string($0.metadataLocation) } ?? .null,
            after?.entry.map { .string($0.metadataLocation) } ?? .null,
        ]
    }

    private func snapshotID(
        _ content: CatalogDifference.Content?,
        _ table: TableIdentifier?
    ) async throws -> Value {
        guard let table, case .table(let entry)? = content else { return .null }
        let catalog = try await session.engine.catalog(creating: false)
        let metadata = try await catalog.load(table, at: entry).metadata
        return metadata.currentSnapshotID.map { .int64($0) } ?? .null
    }
}

extension Session {
    func showReferences(_ kind: ReferenceKind, _ consume: @escaping Consumer) async throws {
        let table = kind == .branch ? "branches" : "tags"
        try await runQuery(try Parser.parseQuery("FROM varve.\(table) ORDER BY name"), [:], consume)
    }
}
