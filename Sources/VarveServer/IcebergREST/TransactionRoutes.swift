import Bytes
import Catalog
import Engine
import HTTPTypes

extension IcebergRoutes {
    func transactionRoutes(_ base: String) -> [Route] {
        [
            Route(
                .post,
                "\(base)/transactions/commit",
                effect: .commit,
                namespaceMeansTable: true
            ) { try await commitTransaction($0) }
        ]
    }

    /// Commits changes of many tables, all or none.
    private func commitTransaction(_ request: ServerRequest) async throws -> Reply {
        let body = try await request.object()
        var operations: [CatalogOperation] = []
        var tables: Set<TableIdentifier> = []
        for (index, json) in try body.array("table-changes").enumerated() {
            let change = try RequestFields(json, "table-changes[\(index)]")
            let table = try identifier(try change.fields("identifier"))
            guard tables.insert(table).inserted else {
                throw ServerError(.badRequest, "the transaction changes table \(table) twice")
            }
            operations.append(
                try await parts.engine.rebasing(
                    try update(table, change),
                    unlessTableSays: parts.configuration.rebasesAppends,
                    on: request.catalogName
                )
            )
        }
        guard !operations.isEmpty else {
            throw ServerError(.badRequest, "the transaction changes no table")
        }
        _ = try await parts.commit(operations, for: request) { change in
            change.written.map { tables.contains($0.table) } ?? false
        }
        return .noContent
    }
}
