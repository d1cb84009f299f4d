import Ambient
import Bytes
import Catalog
import Engine
import HTTPTypes
import Lineage
import Pipelines
import SQL

/// Transforms that a client sends, and what became of runs.
struct TransformRoutes: Sendable {
    let parts: ServerParts

    var all: [Route] {
        [
            Route(.post, "/varve/v1/transforms/plan") { try await plan($0) },
            Route(.post, "/varve/v1/transforms/run", effect: .change, weight: .query) {
                try await run($0)
            },
            Route(.get, "/varve/v1/runs/{id}") { try await find($0) },
        ]
    }

    private static let specCountMax = 1000

    // MARK: - Specs

    /// The plans that a body asks for, and where their names without a namespace lie.
    ///
    /// A body is one spec as YAML or JSON, or `{"specs": […], "select": […], "namespace": "…"}` with specs
    /// as objects or texts.
    private func plans(
        _ request: ServerRequest
    ) async throws -> (plans: [TransformPlan], namespace: [String]) {
        let bytes = try await request.bytes()
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ServerError(.badRequest, "the body is no UTF-8")
        }
        let type = try MediaType(request.headers[.contentType])
        let yaml: Set<String> = [
            "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml",
        ]
        // The last is what curl says when nobody says anything.
        let others: Set<String> = ["", "application/json", "application/x-www-form-urlencoded"]
        guard yaml.contains(type.name) || others.contains(type.name) else {
            throw ServerError(
                .unsupportedMediaType,
                "specs are application/yaml or application/json, not \"\(type.name)\""
            )
        }
        var namespace = ["main"]
        if !yaml.contains(type.name), let json = try? JSON.parse(bytes), json["specs"] != nil {
            let body = try RequestFields(json, "the body")
            let known = ["namespace", "select", "specs"]
            if let name = body.object.keys.first(where: { !known.contains($0) }) {
                throw ServerError(.badRequest, "the body has no member \"\(name)\" beside specs")
            }
            if let name = try body.optionalString("namespace") {
                namespace = name.split(separator: ".", omittingEmptySubsequences: false)
                    .map(String.init)
            }
            let specs = try body.array("specs")
            guard (1...Self.specCountMax).contains(specs.count) else {
                throw ServerError(.badRequest, "specs has 1 to \(Self.specCountMax) elements")
            }
            let sources = specs.enumerated().map { index, spec in
                SpecSource(file: "specs[\(index)]", text: spec.string ?? spec.text(pretty: true))
            }
            let set = try TransformSet(sources, defaultNamespace: namespace)
            return (try set.selection(try body.strings("select") ?? []), namespace)
        }
        if let name = request.target.query["namespace"], !name.isEmpty {
            namespace = name.split(separator: ".", omittingEmptySubsequences: false)
                .map(String.init)
        }
        let set = try TransformSet(
            [SpecSource(file: "spec", text: text)],
            defaultNamespace: namespace
        )
        return (set.plans, namespace)
    }

    private func plan(_ request: ServerRequest) async throws -> Reply {
        let (plans, _) = try await plans(request)
        return .json(["plans": .array(plans.map(json))])
    }

    private func json(_ plan: TransformPlan) -> JSON {
        [
            "name": .string(plan.title), "kind": .string(plan.kind.name),
            "version": .string(plan.versionHash), "sql": .string(plan.sql),
            "reads": .strings(plan.reads.map { Printer.print($0) }),
            "expectations_read": .strings(plan.checkReads.map { Printer.print($0) }),
            "drops": .array(
                plan.drops.map {
                    ["name": .string($0.name), "keeps": .string(Printer.print($0.condition))]
                }
            ),
            "expectations": .array(
                plan.checks.map {
                    ["name": .string($0.name), "on_violation": .string($0.action.rawValue)]
                }
            ),
            "runnable": .bool(plan.unsupported.isEmpty),
            "unsupported": .array(plan.unsupported.map(\.json)),
            "notes": .array(plan.notes.map(\.json)),
        ]
    }

    // MARK: - Running

    private func run(_ request: ServerRequest) async throws -> Reply {
        if let retry = request.retry {
            throw ServerError(
                .badRequest,
                "runs take no Idempotency-Key (\(retry.key)): a run is one commit, which "
                    + "/varve/v1/log and /varve/v1/runs/{id} tell of"
            )
        }
        let (plans, namespace) = try await plans(request)
        for plan in plans { try plan.checkRunnable() }
        let session = Session(
            engine: parts.engine,
            context: RequestContext(actor: request.principal, requestID: request.id)
        )
        await session.use(namespace: namespace)
        var runs: [JSON] = []
        for plan in plans {
            let runID = parts.ambient.uuidV7()
            do {
                try Task.checkCancellation()
                let receipt = try await session.run(plan, runID: runID)
                parts.committed(
                    kind: "transform",
                    id: nil,
                    position: receipt.position,
                    request: request
                )
                runs.append(json(receipt, plan))
            } catch {
                // Each run is a commit of its own: those before the one that failed are done.
                throw PlacedError(
                    error: error,
                    details: [
                        "transform": .string(plan.title), "run_id": .string(runID),
                        "runs": .array(runs),
                    ]
                )
            }
        }
        return .json(["runs": .array(runs)])
    }

    private func json(_ receipt: TransformReceipt, _ plan: TransformPlan) -> JSON {
        [
            "run_id": .string(receipt.runID), "name": .string(receipt.name),
            "kind": .string(plan.kind.name), "version": .string(plan.versionHash),
            "row_count": .integer(receipt.rowCount),
            "snapshot_id": receipt.snapshotID.map { .string(String($0)) } ?? .null,
            "log_position": .integer(receipt.position),
            "inputs": .array(
                receipt.inputs.map {
                    [
                        "name": .string($0.name),
                        "snapshot_id": $0.snapshotID.map { .string(String($0)) } ?? .null,
                    ]
                }
            ),
            "dropped": .array(
                receipt.dropped.map {
                    ["name": .string($0.name), "row_count": .integer($0.rowCount)]
                }
            ),
            "expectations": .array(
                receipt.outcomes.map {
                    [
                        "name": .string($0.name), "on_violation": .string($0.action.rawValue),
                        "violations": .integer($0.violations), "total": .integer($0.total),
                        "met": .bool($0.isMet),
                    ]
                }
            ),
            "warnings": .strings(receipt.warnings),
            "notes": .array(plan.notes.map(\.json)),
        ]
    }

    // MARK: - Runs

    /// What the log says of a run: every flow of every commit that carries its id.
    private func find(_ request: ServerRequest) async throws -> Reply {
        let id = try request.capture("id")
        let session = Session(
            engine: parts.engine,
            context: RequestContext(actor: request.principal, requestID: request.id)
        )
        let catalog = try await parts.catalog()
        var flows: [JSON] = []
        for position in try await session.lineageGraph().positions(ofRun: id) {
            for commit in try await catalog.commits(from: position, entryCountMax: 1) {
                guard let json = commit.lineage else { continue }
                for facts in try CommitLineage(json: json).facts where facts.runID == id {
                    flows.append(self.json(facts, commit))
                }
            }
        }
        guard !flows.isEmpty else {
            throw ServerError(.notFound, "the log knows no run \"\(id)\"")
        }
        return .json(["run_id": .string(id), "flows": .array(flows)])
    }

    private func json(_ facts: LineageFacts, _ commit: HistoricCommit) -> JSON {
        var output = json(facts.output.dataset)
        var snapshotID = facts.output.snapshotID
        if case .table(let uuid, _) = facts.output.dataset, snapshotID == nil {
            for change in commit.changes where change.concerns(tableUUID: uuid) {
                switch change {
                case .createTable(_, _, let id), .updateTable(_, _, _, let id, _),
                    .replaceTable(_, _, _, let id):
                    snapshotID = id ?? snapshotID
                default: break
                }
            }
        }
        output["snapshot_id"] = snapshotID.map { .string(String($0)) } ?? .null
        output["operation"] = .string(facts.output.operation)
        return [
            "job": [
                "kind": .string(facts.job.kind), "name": .string(facts.job.name),
                "version": facts.job.version.map { .string($0) } ?? .null,
            ],
            "inputs": .array(
                facts.inputs.map { input in
                    var object = json(input.dataset)
                    object["snapshot_id"] =
                        input.snapshotID.map { .string(String($0)) } ?? .null
                    return .object(object)
                }
            ),
            "output": .object(output),
            "commit": [
                "position": .integer(commit.position), "index": .integer(commit.index),
                "id": .string(commit.id), "actor": .string(commit.actor),
                "time": .string(isoTime(micros: commit.timeMillis * 1000)),
                "request_id": commit.requestID.map { .string($0) } ?? .null,
                "message": commit.message.map { .string($0) } ?? .null,
            ],
        ]
    }

    private func json(_ dataset: LineageFacts.Dataset) -> JSONObject {
        switch dataset {
        case .table(let uuid, let name): ["table": .strings(name), "uuid": .string(uuid)]
        case .file(let path): ["file": .string(path)]
        }
    }
}
