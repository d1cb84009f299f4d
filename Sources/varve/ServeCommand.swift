import Ambient
import ArgumentParser
import Catalog
import Engine
import Glibc
import Logging
import ObjectStorage
import VarveServer

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve the warehouse over HTTP: Iceberg REST, SQL, rows, lineage, transforms.",
        discussion: """
            Examples:
              varve serve
              varve serve --warehouse s3://bucket/lake --config varve.yaml --host 0.0.0.0
              VARVE_TOKENS=alice:long-random-token varve serve --host 0.0.0.0

            Without credentials in the configuration file or VARVE_TOKENS the server listens on this
            machine only. GET / lists what is served, docs/server.md explains it. SIGTERM and SIGINT stop it; requests under way are given time to end.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Option(help: "The address to listen on (default: 127.0.0.1, or what the file says).")
    var host: String?

    @Option(
        help: "The port to listen on; 0 picks a free one (default: 8181, or what the file says)."
    )
    var port: Int?

    func run() async throws {
        prepareAllocatorForServing(processorCount: processorCount())
        let configuration = try readConfiguration()
        var engineOptions = try global.engineOptions()
        engineOptions.catalog.actor = "varve serve"
        engineOptions.catalog.proof = .always
        engineOptions.lineageIndexBytesMax = nil
        let url = try global.warehouseURL
        let engine = Engine(warehouseURL: url, options: engineOptions)
        let logger = Logger(label: "varve") { _ in JSONLogHandler() }
        let server = try VarveServer(
            engine: engine,
            configuration: configuration,
            logger: logger
        )
        let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
        let note =
            configuration.hasCredentials
            ? "" : "; no credentials are configured, so only this machine may connect"
        let drainSeconds = configuration.limits.drainSeconds
        try await server.run(
            onListening: { port in
                writeAll(
                    Array("listening on http://\(host):\(port) (warehouse \(url)\(note))\n".utf8),
                    to: 1
                )
            },
            onStopping: {
                // Whatever does not even heed its cancellation must not keep the process.
                Task {
                    try await Task.sleep(for: .seconds(drainSeconds + 5))
                    logger.warning("requests did not end when they were cancelled")
                    Glibc.exit(0)
                }
            }
        )
        await engine.finishBackgroundWork(waitMillisMax: 5000)
    }

    private func readConfiguration() throws -> ServerConfiguration {
        var configuration = try global.configuration()
        try configuration.addTokens(.process)
        if let host { configuration.host = host }
        if let port {
            guard (0...65_535).contains(port) else {
                throw Failure(usage: "--port is 0 to 65535, not \(port)")
            }
            configuration.port = port
        }
        return configuration
    }
}
