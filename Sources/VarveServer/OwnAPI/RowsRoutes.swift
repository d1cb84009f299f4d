import Bytes
import Catalog
import Engine
import HTTPTypes
import HummingbirdCore
import Iceberg
import NIOCore
import ObjectStorage

/// Rows over HTTP: one request, one commit.
///
/// The body is kept on disk until it is whole, so that a client that stops half-way has changed
/// nothing; then it is imported like any file.
struct RowsRoutes: Sendable {
    static let template = "/varve/v1/tables/{namespace}/{table}/rows"

    let parts: ServerParts

    var all: [Route] {
        [
            Route(
                .post,
                Self.template,
                effect: .change,
                namespaceMeansTable: true,
                weight: .query,
                takesRows: true
            ) { try await upload($0) }
        ]
    }

    private func upload(_ request: ServerRequest) async throws -> Reply {
        let options = try UploadOptions(request)
        let state = try await parts.catalog().read(of: options.branch).state
        let table = try parts.table(request, state)
        // Who waits with the body need not send it in vain. (With a key it may have been done before.)
        if request.headers[.expect] != nil, request.retry == nil, options.mode != .create {
            _ = try state.existingTable(table)
        }
        let spool = try await SpoolFile.make(
            in: parts.spoolDirectory,
            encoding: options.encoding,
            detectsEncoding: options.format != .parquet,
            bytesMax: request.bodyBytesMax,
            workers: parts.engine.options.store.workers
        )
        do {
            let reply = try await upload(request, options, table, spool)
            await spool.remove()
            return reply
        } catch {
            await spool.remove()
            throw PlacedError(error: error, spoolPath: spool.path)
        }
    }

    private func upload(
        _ request: ServerRequest,
        _ options: UploadOptions,
        _ table: TableIdentifier,
        _ spool: SpoolFile
    ) async throws -> Reply {
        try await request.channel.continueBody(request.headers)
        for try await buffer in request.body {
            try await spool.write(Array(buffer.readableBytesView))
        }
        let hash = try await spool.finish()
        if let retry = request.retry {
            try await retry.check(bodyHash: hash)
            let catalog = try await parts.catalog()
            if let receipt = try await catalog.receipt(ofCommit: retry.key) {
                return try replay(receipt, retry, table, options, request)
            }
        }
        let source = options.source ?? "upload:sha256-\(hash)"
        let session = Session(
            engine: parts.engine,
            context: RequestContext(
                actor: request.principal,
                requestID: request.id,
                message: "upload of \(options.format.rawValue) rows"
            )
        )
        try await session.select(reference: options.branch)
        let receipt = try await session.importFiles(
            ImportRequest(
                paths: [spool.path],
                table: quoted(table),
                mode: options.mode == .overwrite ? .overwrite : .append,
                format: options.format,
                onError: options.onError,
                upload: ImportRequest.Upload(
                    title: "the body",
                    source: source,
                    commitID: request.retry?.key,
                    requestHash: request.retry?.hash,
                    csv: options.csv,
                    createsTable: options.mode == .create
                )
            )
        )
        // Two with one key may have been under way at once: the log took one of them.
        if receipt.isReplay, let retry = request.retry, let hash = receipt.requestHash,
            hash != retry.hash
        {
            throw retry.otherRequest
        }
        parts.committed(
            kind: "upload",
            id: request.retry?.key,
            position: receipt.position,
            request: request,
            isReplay: receipt.isReplay
        )
        return answer(
            table,
            options,
            rowCount: Int64(receipt.rowCount),
            rejectedRowCount: receipt.rejectedRowCount,
            snapshotID: receipt.snapshotID,
            position: receipt.position,
            madeTable: receipt.madeTable,
            isReplay: receipt.isReplay
        )
    }

    /// The answer that an earlier request with the same key got, from the log.
    private func replay(
        _ receipt: CommitReceipt,
        _ retry: RequestRetry,
        _ table: TableIdentifier,
        _ options: UploadOptions,
        _ request: ServerRequest
    ) throws -> Reply {
        if retry.isOther(receipt) || receipt.requestHash == nil { throw retry.otherRequest }
        parts.committed(
            kind: "upload",
            id: retry.key,
            position: receipt.position,
            request: request,
            isReplay: true
        )
        return answer(
            table,
            options,
            rowCount: receipt.addedRecordCount(of: table) ?? 0,
            rejectedRowCount: options.onError == .fail ? 0 : nil,
            snapshotID: receipt.snapshotID(of: table),
            position: receipt.position,
            madeTable: receipt.changes.contains {
                if case .createTable(table, _, _) = $0 { true } else { false }
            },
            isReplay: true
        )
    }

    private func answer(
        _ table: TableIdentifier,
        _ options: UploadOptions,
        rowCount: Int64,
        rejectedRowCount: Int?,
        snapshotID: Int64?,
        position: Int64,
        madeTable: Bool,
        isReplay: Bool
    ) -> Reply {
        .json([
            "table": table.json, "mode": .string(options.mode.rawValue),
            "row_count": .integer(rowCount),
            "rejected_row_count": rejectedRowCount.map { .integer($0) } ?? .null,
            "snapshot_id": snapshotID.map { .string(String($0)) } ?? .null,
            "log_position": .integer(position), "created": .bool(madeTable),
            "replayed": .bool(isReplay),
        ])
    }

    /// The name as SQL writes it, exactly.
    private func quoted(_ table: TableIdentifier) -> String {
        (table.namespace.levels + [table.name]).map { part in
            "\""
                + part.split(separator: "\"", omittingEmptySubsequences: false)
                .joined(separator: "\"\"") + "\""
        }.joined(separator: ".")
    }
}
