import Ambient
import Bytes
import Engine
import Logging
import ObjectStorage
import Synchronization
import Testing

import VarveServer

/// What a server logged.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ line: [UInt8]) {
        lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
    }

    var all: [String] { lines.withLock { $0 } }

    var json: [JSON] { all.compactMap { try? JSON.parse($0) } }
}

/// Runs a server with a warehouse in memory on a free port while `body` runs.
func withServer<Value: Sendable>(
    _ configure: (inout ServerConfiguration) -> Void = { _ in },
    log: LogLines = LogLines(),
    _ body: @escaping @Sendable (LoopbackClient) async throws -> Value
) async throws -> Value {
    var configuration = ServerConfiguration()
    configuration.port = 0
    configuration.limits.drainSeconds = 60
    configure(&configuration)
    let logger = Logger(label: "test") { _ in JSONLogHandler(write: { log.add($0) }) }
    var options = Engine.Options()
    // Clients block threads of the shared pool while they wait for answers.
    options.store.workers = WorkerPool(threadCountMax: 4)
    let server = try VarveServer(
        engine: Engine(warehouseURL: "memory:", options: options),
        configuration: configuration,
        environment: EnvironmentVariables([:]),
        logger: logger
    )
    return try await server.whileRunning { try await body(LoopbackClient(port: $0)) }
}

/// A schema with two columns, as create requests have it.
let sampleSchema: JSON = [
    "type": "struct",
    "fields": [
        ["id": 1, "name": "a", "type": "long", "required": true],
        ["id": 2, "name": "b", "type": "string", "required": false],
    ],
]

extension LoopbackClient {
    /// Makes `namespace.name` and gives the answer's document.
    @discardableResult
    func makeTable(
        _ name: String,
        in namespace: String = "main",
        _ members: JSONObject = JSONObject()
    ) async throws -> JSON {
        var body: JSONObject = ["name": .string(name), "schema": sampleSchema]
        for member in members.members { body[member.key] = member.value }
        let answer = try await post("/v1/namespaces/\(namespace)/tables", .object(body))
        try #require(answer.status == 200, "\(answer.text)")
        return try answer.json
    }
}

/// A commit that adds a snapshot whose files nobody reads here.
func appendCommit(_ id: Int64, sequence: Int64, parent: Int64?) -> JSON {
    var snapshot: JSONObject = [
        "snapshot-id": .integer(id), "sequence-number": .integer(sequence), "timestamp-ms": 1,
        "manifest-list": .string("memory:/nowhere/list-\(id).avro"), "schema-id": 0,
        "summary": ["operation": "append"],
    ]
    if let parent { snapshot["parent-snapshot-id"] = .integer(parent) }
    return [
        "requirements": [
            [
                "type": "assert-ref-snapshot-id", "ref": "main",
                "snapshot-id": parent.map { .integer($0) } ?? .null,
            ]
        ],
        "updates": [
            ["action": "add-snapshot", "snapshot": .object(snapshot)],
            [
                "action": "set-snapshot-ref", "ref-name": "main", "type": "branch",
                "snapshot-id": .integer(id),
            ],
        ],
    ]
}
