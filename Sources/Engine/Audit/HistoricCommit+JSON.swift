import Ambient
package import Bytes
package import Catalog
import CommitLog
import Lineage

extension HistoricCommit {
    /// Everything that the log says of the commit, as the routes of the log, of events and `--full` give it;
    /// changes as the log itself has them.
    package var json: JSON {
        [
            "position": .integer(position), "index": .integer(index),
            "time_ms": .integer(timeMillis), "time": .string(isoTime(millis: timeMillis)),
            "server": .string(server), "id": .string(id), "actor": .string(actor),
            "request_id": requestID.map { .string($0) } ?? .null,
            "message": message.map { .string($0) } ?? .null,
            "branch": branch.map { .string($0) } ?? .null,
            "entry_sha256": .string(entryHash), "previous_sha256": .string(previousHash),
            "changes": .array(logged.map(\.json)), "lineage": lineage ?? .null,
        ]
    }

    /// What it changed, and on which branch, in a few words.
    package var summary: String {
        let isMerge = changes.contains { if case .mergeBranch = $0 { true } else { false } }
        let place = isMerge ? "" : branch.map { "on \($0): " } ?? ""
        return place + changes.map(\.summary).joined(separator: ", ")
    }
}

extension CatalogChange {
    /// The change in a few words.
    package var summary: String {
        switch self {
        case .createNamespace(let namespace, _): "create namespace \(namespace)"
        case .dropNamespace(let namespace): "drop namespace \(namespace)"
        case .updateNamespace(let namespace, _, _): "change namespace \(namespace)"
        case .createTable(let table, _, _): "create \(table)"
        case .updateTable(let table, _, _, let snapshot, _),
            .replaceTable(let table, _, _, let snapshot):
            "change \(table)" + (snapshot.map { " (snapshot \($0))" } ?? "")
        case .dropTable(let table, _, _): "drop \(table)"
        case .renameTable(let table, let to, _): "rename \(table) to \(to)"
        case .createView(let view, _): "create view \(view)"
        case .updateView(let view, _, _): "change view \(view)"
        case .dropView(let view, _): "drop view \(view)"
        case .renameView(let view, let to, _): "rename view \(view) to \(to)"
        case .onBranch(let branch, let changes):
            "on \(branch): " + changes.map(\.summary).joined(separator: ", ")
        case .createBranch(let start): "create branch \(start.name) from \(start.source)"
        case .dropBranch(let branch): "drop branch \(branch)"
        case .mergeBranch(let branch, let target, _): "merge branch \(branch) into \(target)"
        case .createTag(let start): "create tag \(start.name) of \(start.source)"
        case .dropTag(let tag): "drop tag \(tag)"
        }
    }
}
