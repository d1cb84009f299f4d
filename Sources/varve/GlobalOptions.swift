import Ambient
import ArgumentParser
import Catalog
import Engine
import Execution
import Glibc
import ObjectStorage
import Synchronization
import VarveServer

/// What every command understands, before or after its name.
struct GlobalOptions: ParsableArguments {
    @Option(help: "The warehouse: a folder, file:///… or s3://bucket/prefix.")
    var warehouse: String?

    @Option(help: "Where names without a namespace are looked up.")
    var namespace = "main"

    @Option(
        name: .customLong("as-of"),
        help: "Read the whole catalog as of a log position or a time (2024-05-01 12:30:00+00)."
    )
    var asOf: String?

    @Option(help: "The most memory a query may use, such as 4GB.")
    var memory: String?

    @Option(
        name: .customLong("temp-dir"),
        help: "The folder for what does not fit into memory; else VARVE_TEMP, TMPDIR, /tmp."
    )
    var tempDir: String?

    @Option(help: "Threads that work on one query.")
    var threads: Int?

    @Option(help: "The branch of the whole catalog to read and write, or a tag to read.")
    var branch: String?

    @Option(
        name: .customLong("table-branch"),
        help: "The branch of tables to read and write; a first write makes it."
    )
    var tableBranch: String?

    @Option(
        help: "The configuration file (YAML): the warehouse, S3 settings, and what serve reads."
    )
    var config: String?

    /// The names of the options above that take a value.
    private static let names: Set<String> = [
        "--warehouse", "--namespace", "--as-of", "--memory", "--temp-dir", "--threads", "--branch",
        "--table-branch", "--config",
    ]

    /// `varve --warehouse X sql …` as `varve sql … --warehouse X`, which is how options reach the
    /// command that reads them.
    static func movedBehindCommand(_ arguments: [String], commands: Set<String>) -> [String] {
        var index = 0
        while index < arguments.count, !commands.contains(arguments[index]) {
            let name = arguments[index].split(separator: "=").first.map(String.init) ?? ""
            guard names.contains(name) else { return arguments }
            index += arguments[index].contains("=") ? 1 : 2
        }
        guard index > 0, index < arguments.count else { return arguments }
        // Behind everything else, since a command may have one of its own (audit verify).
        let rest = arguments[index...]
        let end = rest.firstIndex(of: "--") ?? rest.endIndex
        return Array(rest[..<end] + arguments[..<index] + rest[end...])
    }

    /// How the engine that these options describe runs.
    func engineOptions() throws -> Engine.Options {
        var options = Engine.Options()
        options.store.s3 = try configuration().s3
        if let threads {
            guard (1...256).contains(threads) else {
                throw Failure(usage: "--threads is 1 to 256, not \(threads)")
            }
            options.query.threadCount = threads
        }
        if let memory {
            let limit = try Self.byteCount(memory)
            options.query.memory = MemoryBudget(limitBytes: limit)
            boundAllocator(memoryLimitBytes: limit)
        }
        if let folder = tempDir ?? environmentValue("VARVE_TEMP") {
            var status = stat()
            guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
                access(folder, W_OK) == 0
            else {
                throw Failure(
                    usage: "\"\(folder)\" is no folder that can be written to: name one with "
                        + "--temp-dir or VARVE_TEMP"
                )
            }
            options.query.spills = SpillArea(folder: folder)
        }
        switch environmentValue("VARVE_UNPROVEN_STORE") {
        case nil: break
        case "allow": options.catalog.probe.allowsUnprovenRaces = true
        case let other?:
            throw Failure(usage: "VARVE_UNPROVEN_STORE is \"allow\" or not set, not \"\(other)\"")
        }
        return options
    }

    /// What the configuration file says; nothing without one.
    func configuration() throws -> ServerConfiguration {
        try config.map { try ServerConfiguration(file: $0) } ?? ServerConfiguration()
    }

    /// The engine that these options describe.
    func engine() throws -> Engine {
        let engine = Engine(warehouseURL: try warehouseURL, options: try engineOptions())
        Self.engines.withLock { $0.append(engine) }
        return engine
    }

    /// The engines of this process.
    private static let engines = Mutex<[Engine]>([])

    /// Waits for what engines do in the background, some seconds at most.
    static func finishBackgroundWork() async {
        for engine in engines.withLock({ $0 }) {
            await engine.finishBackgroundWork(waitMillisMax: 10_000)
        }
    }

    /// The warehouse that commands work on.
    var warehouseURL: String {
        get throws {
            try warehouse ?? environmentValue("VARVE_WAREHOUSE") ?? configuration().warehouse
                ?? "lake"
        }
    }

    /// A session of that engine for the person at the keyboard.
    ///
    /// - Parameter isLocal: whether it is this process that statements run in.
    func session(message: String? = nil, isLocal: Bool = true) async throws -> Session {
        let session = Session(
            engine: try engine(),
            context: RequestContext(actor: environmentValue("USER") ?? "varve", message: message)
        )
        await session.use(namespace: namespace.split(separator: ".").map(String.init))
        if let asOf { await session.set(asOf: try CatalogInstant(asOf)) }
        if let tableBranch { await session.use(tableBranch: tableBranch) }
        if let branch, isLocal { try await session.select(reference: branch) }
        return session
    }

    /// `512MB`, `4GB`, `1.5GiB`, or plain bytes.
    static func byteCount(_ text: String) throws -> Int {
        let upper = text.uppercased()
        let number = upper.prefix { $0.isNumber || $0 == "." }
        let units: [String: Double] = [
            "": 1, "B": 1, "K": 1e3, "KB": 1e3, "M": 1e6, "MB": 1e6, "G": 1e9, "GB": 1e9,
            "T": 1e12, "TB": 1e12, "KIB": 1024, "MIB": 1_048_576, "GIB": 1_073_741_824,
        ]
        let unit = upper.dropFirst(number.count).filter { $0 != " " }
        guard let value = Double(number), let scale = units[String(unit)],
            value * scale >= 1_048_576,
            value * scale < 1e18
        else {
            throw Failure(usage: "\"\(text)\" is no amount of memory: write it like 512MB or 4GB")
        }
        return Int(value * scale)
    }
}

/// A variable of the environment; nil when it is missing or empty.
func environmentValue(_ name: String) -> String? {
    guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
    return value
}
