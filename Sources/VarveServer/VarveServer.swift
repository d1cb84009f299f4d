package import Ambient
import Catalog
import CommitLog
package import Engine
import HummingbirdCore
package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import UnixSignals

/// One warehouse over HTTP: the Iceberg REST catalog and Varve's own interface.
package struct VarveServer: Sendable {
    private let handler: RequestHandler
    private let parts: ServerParts

    /// - Throws: `configuration` for settings that would let strangers in.
    package init(
        engine: Engine,
        configuration: ServerConfiguration,
        environment: EnvironmentVariables = .process,
        logger: Logger
    ) throws(ServerError) {
        var configuration = configuration
        try configuration.addWebhookSecrets(environment)
        try configuration.check()
        let parts: ServerParts
        do {
            parts = try ServerParts(
                engine: engine,
                configuration: configuration,
                environment: environment,
                logger: logger
            )
        } catch {
            throw ServerError(.configuration, "\(error)")
        }
        self.parts = parts
        let routes =
            IcebergRoutes(parts: parts).all + QueryRoutes(parts: parts).all
            + LogRoutes(parts: parts).all + AuditRoutes(parts: parts).all
            + EventRoutes(parts: parts).all
            + RowsRoutes(parts: parts).all + LineageRoutes(parts: parts).all
            + TransformRoutes(parts: parts).all + HealthRoutes(parts: parts).all
            + WebhookRoutes(parts: parts).all + EventIntakeRoutes(parts: parts).all
            + MarquezRoutes(parts: parts).all
        let index = IndexRoutes(others: routes).all
        handler = RequestHandler(parts: parts, routes: RouteTable(routes + index))
    }

    /// Serves until the process is told to stop: then it takes no more connections, and ends when what is
    /// under way has ended, or is cancelled when that takes too long.
    ///
    /// - Parameters:
    ///   - onListening: gets the port, once connections are taken.
    ///   - onStopping: is called when the process was told to stop.
    /// - Throws: when the port cannot be had, or the warehouse cannot be opened or made.
    package func run(
        onListening: @escaping @Sendable (Int) -> Void,
        onStopping: @escaping @Sendable () -> Void = {}
    ) async throws {
        let stopping = StopNotice(logger: parts.logger, onStopping: onStopping)
        let group = try await group(
            stopping,
            signals: [.sigterm, .sigint],
            onListening: onListening
        )
        do {
            try await group.run()
        } catch {
            // What was cut off at the end of the drain has been logged, request by request.
            guard stopping.hasBegun else { throw error }
        }
        parts.logger.info("stopped")
    }

    /// Serves while `body` runs, on a port that it gets, and stops cleanly afterwards.
    package func whileRunning<Value: Sendable>(
        _ body: @escaping @Sendable (Int) async throws -> Value
    ) async throws -> Value {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let stopping = StopNotice(logger: parts.logger, onStopping: {})
        let group = try await group(stopping, signals: []) { port.yield($0) }
        return try await withThrowingTaskGroup(of: Value?.self) { tasks in
            tasks.addTask {
                defer { port.finish() }
                try await group.run()
                return nil
            }
            tasks.addTask {
                for await port in ports {
                    let result = await Result.of { try await body(port) }
                    await group.triggerGracefulShutdown()
                    return try result.get()
                }
                throw ServerError(.notReady, "the server did not start")
            }
            var value: Value?
            for try await one in tasks { value = one ?? value }
            guard let value else { throw CancellationError() }
            return value
        }
    }

    private func group(
        _ stopping: StopNotice,
        signals: [UnixSignal],
        onListening: @escaping @Sendable (Int) -> Void
    ) async throws -> ServiceGroup {
        let catalog = try await parts.engine.catalog(creating: true)
        for fault in catalog.checkpointFaults {
            parts.logger.warning(
                "a checkpoint is damaged and was not used",
                metadata: ["key": "\(fault.key)", "message": "\(fault.message)"]
            )
        }
        let logger = parts.logger
        catalog.observeCheckpointFailures { reason in
            logger.warning("a checkpoint was not written", metadata: ["reason": "\(reason)"])
        }
        await parts.engine.observeLineageIndex { reason in
            logger.warning("a lineage index is missing", metadata: ["reason": "\(reason)"])
        }
        await parts.engine.observeLineageEvents { reason in
            logger.warning("the log of events", metadata: ["reason": "\(reason)"])
        }
        SpoolFile.clear(parts.spoolDirectory)
        let limits = parts.configuration.limits
        let decoder = HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: limits.headerBytesMax,
            maxHeaderListSize: limits.headerBytesMax,
            maxHeaderFieldCount: 200
        )
        let connections = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionWatch()],
            idleTimeout: .seconds(Int64(limits.idleSeconds)),
            httpDecoderConfiguration: decoder
        )
        let http = HTTPServerBuilder { responder in
            LoopChannel(HTTP1Channel(responder: responder, configuration: connections))
        }
        // The library's own remarks are of no use to operators.
        var quiet = parts.logger
        quiet.logLevel = .error
        let handler = handler
        let server = try http.buildServer(
            configuration: HummingbirdCore.ServerConfiguration(
                address: .hostname(parts.configuration.host, port: parts.configuration.port)
            ),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: quiet,
            responder: { request, writer, channel in
                try await handler.handle(request, writer, on: channel)
            },
            onServerRunning: { channel in onListening(channel.localAddress?.port ?? 0) }
        )
        var configuration = ServiceGroupConfiguration(
            // Stopped from the last to the first: webhooks go on while requests end.
            services: [
                .init(
                    service: parts.deadlines,
                    successTerminationBehavior: .ignore,
                    failureTerminationBehavior: .ignore
                ),
                .init(
                    service: parts.webhooks,
                    successTerminationBehavior: .ignore,
                    failureTerminationBehavior: .ignore
                ),
                .init(
                    service: server,
                    successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .cancelGroup
                ),
                .init(
                    service: stopping,
                    successTerminationBehavior: .ignore,
                    failureTerminationBehavior: .ignore
                ),
            ],
            gracefulShutdownSignals: signals,
            logger: quiet
        )
        configuration.maximumGracefulShutdownDuration = .seconds(limits.drainSeconds)
        return ServiceGroup(configuration: configuration)
    }
}

/// Notes that the process was told to stop.
private final class StopNotice: Service {
    private let logger: Logger
    private let onStopping: @Sendable () -> Void
    private let begun = Mutex(false)

    init(logger: Logger, onStopping: @escaping @Sendable () -> Void) {
        self.logger = logger
        self.onStopping = onStopping
    }

    var hasBegun: Bool { begun.withLock { $0 } }

    func run() async throws {
        try await gracefulShutdown()
        begun.withLock { $0 = true }
        logger.info("stopping")
        onStopping()
    }
}

extension Result where Failure == any Error {
    fileprivate static func of(_ body: () async throws -> Success) async -> Self {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
