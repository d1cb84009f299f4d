import Ambient
import Catalog
import Engine
import Logging
import ObjectStorage

/// What all routes share.
struct ServerParts: Sendable {
    let engine: Engine
    let configuration: ServerConfiguration
    let authenticator: Authenticator
    let gate: RequestGate
    let metrics: ServerMetrics
    let logger: Logger
    let clientConfiguration: ClientConfiguration
    let refusals = RememberedRefusals()
    let plans = ScanPlans()
    let webhooks: WebhookService
    let tableAnswers = TableAnswers()
    let date = DateField()
    /// The time that requests have.
    let deadlines: Deadlines
    let delegation: AccessDelegation
    let spoolDirectory: String

    init(
        engine: Engine,
        configuration: ServerConfiguration,
        environment: EnvironmentVariables,
        logger: Logger
    ) throws {
        self.engine = engine
        self.configuration = configuration
        self.logger = logger
        deadlines = Deadlines(engine.options.ambient.time)
        webhooks = WebhookService(configuration.webhooks, engine: engine, logger: logger)
        authenticator = Authenticator(
            configuration: configuration,
            time: engine.options.ambient.time
        )
        gate = RequestGate(
            requestsMax: configuration.limits.requestsMax,
            queriesMax: configuration.limits.queriesMax
        )
        metrics = ServerMetrics()
        spoolDirectory = configuration.spoolDirectory ?? environment["TMPDIR"] ?? "/tmp"
        clientConfiguration = ClientConfiguration(
            warehouseURL: engine.warehouseURL,
            configuration: configuration,
            environment: environment
        )
        delegation = AccessDelegation(
            clientConfiguration,
            configuration,
            delegation: try S3Delegation(
                url: engine.warehouseURL,
                options: engine.options.store
            ),
            warehouseURL: engine.warehouseURL,
            time: engine.options.ambient.time
        )
    }

    var ambient: AmbientSources { engine.options.ambient }

    func catalog() async throws -> WarehouseCatalog {
        try await engine.catalog(creating: false)
    }

    /// The catalog as a request's prefix names it: a branch, a tag, a position, or `main` (nil).
    ///
    /// - Throws: `referenceNotFound`, `positionNotFound`.
    func snapshot(_ name: String?) async throws -> CatalogSnapshot {
        let catalog = try await catalog()
        guard let name else { return try await catalog.read() }
        // The past may have to be read from the beginning.
        return try await onPool {
            guard let position = Int64(name) else { return try await catalog.read(of: name) }
            return try await catalog.snapshot(at: position)
        }
    }

    /// Whether a route that failed may have left a large body unread: reading it to its end for nothing
    /// takes longer than a new connection.
    func leavesBodyUnread(_ template: String) -> Bool { template == RowsRoutes.template }

    /// Commits what a request asks for; its `Idempotency-Key`, if it has one, is the commit's id.
    ///
    /// - Parameter isExpected: whether a change is of the kind that the request makes: an earlier commit
    ///   with the same id must have been made by the same request.
    /// - Throws: what the catalog throws; `RequestRetry.otherRequest` for an id that belongs to another request.
    func commit(
        _ operations: [CatalogOperation],
        for request: ServerRequest,
        isExpected: (CatalogChange) -> Bool
    ) async throws -> CommitReceipt {
        let catalog = try await catalog()
        if let name = request.catalogName, Int64(name) != nil {
            throw ServerError(
                .badRequest,
                "the warehouse at position \(name) is the past, which can only be read"
            )
        }
        let id = request.retry?.key ?? catalog.makeCommitID()
        let receipt = try await catalog.commit(
            CatalogCommit(
                id: id,
                actor: request.principal,
                branch: request.catalogName,
                requestID: request.id,
                requestHash: request.retry?.hash,
                operations: operations
            )
        )
        let isOther = !receipt.changes.isEmpty && !receipt.changes.contains(where: isExpected)
        if receipt.isReplay, let retry = request.retry, isOther || retry.isOther(receipt) {
            throw retry.otherRequest
        }
        committed(
            kind: "catalog",
            id: id,
            position: receipt.position,
            request: request,
            isReplay: receipt.isReplay
        )
        return receipt
    }

    /// Counts and logs a commit.
    func committed(
        kind: String,
        id: String?,
        position: Int64,
        request: ServerRequest,
        isReplay: Bool = false
    ) {
        if !isReplay { metrics.committed(kind: kind) }
        var fields: Logger.Metadata = [
            "request_id": "\(request.id)", "principal": "\(request.principal)", "kind": "\(kind)",
            "position": "\(position)",
        ]
        if let id { fields["commit_id"] = "\(id)" }
        if isReplay { fields["replay"] = "true" }
        logger.info("commit", metadata: fields)
    }
}
