import Ambient
import Bytes
import Catalog
import Engine
import FoundationEssentials
import HTTPTypes
import Iceberg
import ObjectStorage
import Tables

// Planning of scans for other programs.
//
// The id of a plan is the request itself, with the snapshot that it was planned on: any server of the
// warehouse makes the same plan of it again, since a snapshot's files never change. So nothing has to be kept;
// the latest plans are, to give their later pages without planning again.

extension IcebergRoutes {
    func scanRoutes(_ base: String) -> [Route] {
        let table = "\(base)/namespaces/{namespace}/tables/{table}"
        let plan = "\(table)/plan/{plan-id}"
        return [
            Route(.post, "\(table)/plan", namespaceMeansTable: true) { try await planScan($0) },
            Route(.get, plan, namespaceMeansTable: true) { try await fetchPlan($0) },
            Route(.delete, plan, namespaceMeansTable: true) { try await cancelPlan($0) },
            Route(.post, "\(table)/tasks", namespaceMeansTable: true) {
                try await fetchTasks($0)
            },
        ]
    }

    private func planScan(_ request: ServerRequest) async throws -> Reply {
        let table = try table(request)
        let body = try await request.object()
        let loaded = try await parts.catalog().load(
            table,
            in: try await parts.snapshot(request.catalogName)
        )
        let scan = try ScanRequest(body, loaded.metadata, mark: parts.ambient.uuidV4())
        let planned = try await plan(scan, loaded)
        guard let id = scan.id else {
            // Too long to be an id: everything is in this answer.
            var object = try planned.tasks(in: planned.files.indices)
            object["status"] = "completed"
            object["plan-id"] = .string("\(ScanRequest.inlinePrefix)\(parts.ambient.uuidV4())")
            return .json(.object(object))
        }
        var object = try planned.firstPage(id)
        object["plan-id"] = .string(id)
        return .json(.object(object))
    }

    private func fetchPlan(_ request: ServerRequest) async throws -> Reply {
        let loaded = try await parts.catalog().load(
            try table(request),
            in: try await parts.snapshot(request.catalogName)
        )
        let id = try request.capture("plan-id")
        let scan = try scanRequest(id, loaded)
        if parts.plans.isCancelled(id) { return .json(["status": "cancelled"]) }
        return .json(.object(try await plan(scan, loaded).firstPage(id)))
    }

    private func cancelPlan(_ request: ServerRequest) async throws -> Reply {
        let loaded = try await parts.catalog().load(
            try table(request),
            in: try await parts.snapshot(request.catalogName)
        )
        let id = try request.capture("plan-id")
        _ = try scanRequest(id, loaded)
        parts.plans.cancel(id)
        return .noContent
    }

    private func fetchTasks(_ request: ServerRequest) async throws -> Reply {
        let loaded = try await parts.catalog().load(
            try table(request),
            in: try await parts.snapshot(request.catalogName)
        )
        let task = try await request.object().string("plan-task")
        let noTask = ServerError(.noPlanTask, "there is no such plan task for this table")
        guard let dot = task.firstIndex(of: "."), let page = Int(task[..<dot]), page > 0 else {
            throw noTask
        }
        let id = String(task[task.index(after: dot)...])
        guard !parts.plans.isCancelled(id) else { throw noTask }
        let scan: ScanRequest
        do {
            scan = try scanRequest(id, loaded)
        } catch let error as ServerError {
            guard error.code == .noPlan else { throw error }
            throw noTask
        }
        let planned = try await plan(scan, loaded)
        guard let range = planned.range(ofPage: page) else { throw noTask }
        return .json(.object(try planned.tasks(in: range)))
    }

    /// The request that an id is.
    private func scanRequest(_ id: String, _ loaded: LoadedTable) throws -> ScanRequest {
        guard let scan = ScanRequest(id: id, loaded.metadata) else {
            throw ServerError(.noPlan, "there is no such plan for this table")
        }
        return scan
    }

    private var now: Int64 { parts.ambient.time.nowMicros() / 1000 }

    private func plan(_ scan: ScanRequest, _ loaded: LoadedTable) async throws -> PlannedScan {
        if let id = scan.id, let kept = parts.plans.find(id, now: now) { return kept }
        let metadata = loaded.metadata
        var files: [PlannedFile] = []
        let pruner = FilePruner(scan.filter.predicate, table: metadata, schema: scan.schema)
        if let snapshotID = scan.snapshotID {
            let reader = try TableReader(
                metadata,
                at: .snapshotID(snapshotID),
                storage: try parts.engine.tableStorage(
                    of: metadata,
                    try await parts.catalog()
                )
            )
            files = try await reader.plannedFiles(
                pruner,
                scan.selection,
                rowCountWanted: scan.filter.isExact ? scan.rowCountWanted : nil
            )
        }
        let planned = PlannedScan(scan: scan, files: files, pruner: pruner)
        if let id = scan.id { parts.plans.keep(id, planned, now: now) }
        return planned
    }
}

/// What a client asks to be planned, on a snapshot.
struct ScanRequest: Sendable {
    /// An id in a path may be no longer than clients and proxies take.
    private static let idBytesMax = 6000
    /// How ids of plans begin that are nowhere but in the answer that made them.
    static let inlinePrefix = "inline-"

    /// nil when the request is too long to be one.
    let id: String?
    /// nil for a table without one.
    let snapshotID: Int64?
    let selection: FileSelection
    let filter: ScanFilter
    let schema: Schema
    let statistics: Set<Int>
    let rowCountWanted: Int64?

    /// Reads a request.
    ///
    /// - Throws: `badRequest`, `IcebergError.invalid`.
    /// - Parameter mark: tells the plan from others of the same request, when it has no mark yet.
    init(_ body: RequestFields, _ metadata: TableMetadata, mark: String) throws {
        var snapshotID = try body.snapshotID("snapshot-id")
        let first = try body.snapshotID("start-snapshot-id")
        let last = try body.snapshotID("end-snapshot-id")
        guard (first == nil) == (last == nil) else {
            throw ServerError(
                .badRequest,
                "start-snapshot-id and end-snapshot-id are given together, or neither"
            )
        }
        guard snapshotID == nil || last == nil else {
            throw ServerError(
                .badRequest,
                "a scan is of one snapshot-id, or from start-snapshot-id to end-snapshot-id"
            )
        }
        for id in [snapshotID, first, last] {
            if let id, metadata.snapshot(id: id) == nil {
                throw ServerError(.badRequest, "the table has no snapshot \(id)")
            }
        }
        snapshotID = snapshotID ?? last ?? metadata.currentSnapshotID
        let usesSnapshotSchema = try body.flag("use-snapshot-schema")
        let isCaseSensitive =
            body["case-sensitive"] == nil ? true : try body.flag("case-sensitive")
        var schema = metadata.currentSchema
        if usesSnapshotSchema, let id = snapshotID, let snapshot = metadata.snapshot(id: id) {
            schema = metadata.schema(of: snapshot)
        }
        func fieldIDs(_ key: String) throws -> Set<Int> {
            var ids: Set<Int> = []
            for name in try body.strings(key) ?? [] {
                let field =
                    isCaseSensitive
                    ? schema.field(named: name) : schema.field(namedIgnoringCase: name)
                guard let field else {
                    throw ServerError(.badRequest, "\(key): there is no column \"\(name)\"")
                }
                ids.insert(field.id)
            }
            return ids
        }
        // What is selected decides what clients read of files, not which files.
        _ = try fieldIDs("select")
        let rowCountWanted = try body.snapshotID("min-rows-requested")
        if let rowCountWanted, rowCountWanted < 0 {
            throw ServerError(.badRequest, "min-rows-requested is a count, not \(rowCountWanted)")
        }
        var members = body.object
        members["select"] = nil
        if last == nil, let snapshotID { members["snapshot-id"] = .integer(snapshotID) }
        members["plan-mark"] = .string(try body.optionalString("plan-mark") ?? mark)
        members["table-uuid"] = .string(metadata.tableUUID)
        let text = Data(JSON.object(members).serialized()).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        id = text.utf8.count <= Self.idBytesMax ? text : nil
        self.snapshotID = snapshotID
        selection = first.map { .appended(after: $0) } ?? .snapshot
        filter =
            try body["filter"].map {
                try ScanFilter(json: $0, schema: schema, isCaseSensitive: isCaseSensitive)
            } ?? .always
        self.schema = schema
        statistics = try fieldIDs("stats-fields")
        self.rowCountWanted = rowCountWanted
    }

    /// The request that an id is; nil when it is none, or one of another table.
    init?(id: String, _ metadata: TableMetadata) {
        guard id.utf8.count <= Self.idBytesMax else { return nil }
        var text = id.replacing("-", with: "+").replacing("_", with: "/")
        text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: text), let json = try? JSON.parse(Array(data)),
            json["table-uuid"]?.string == metadata.tableUUID,
            let fields = try? RequestFields(json, "the plan"),
            let scan = try? ScanRequest(fields, metadata, mark: ""), scan.id == id
        else { return nil }
        self = scan
    }
}

extension RequestFields {
    fileprivate func snapshotID(_ name: String) throws(ServerError) -> Int64? {
        guard let value = self[name] else { return nil }
        guard let number = value.int64 else { throw wrong(name, "a whole number") }
        return number
    }
}

/// The files of a scan, page by page.
struct PlannedScan: Sendable {
    static let pageCount = 1000

    let scan: ScanRequest
    let files: [PlannedFile]
    let pruner: FilePruner

    /// What the first answer holds: all tasks when they are few, else those of the first page and the names
    /// of the other pages.
    func firstPage(_ id: String) throws -> JSONObject {
        var object = try tasks(in: 0..<min(files.count, Self.pageCount))
        object["status"] = "completed"
        let pages = stride(from: Self.pageCount, to: files.count, by: Self.pageCount)
        if files.count > Self.pageCount {
            object["plan-tasks"] = .strings(pages.map { "\($0 / Self.pageCount).\(id)" })
        }
        return object
    }

    func range(ofPage page: Int) -> Range<Int>? {
        let (start, overflow) = page.multipliedReportingOverflow(by: Self.pageCount)
        guard !overflow, start < files.count else { return nil }
        return start..<min(files.count, start + Self.pageCount)
    }

    /// Tasks, with the delete files that they refer to.
    func tasks(in range: Range<Int>) throws -> JSONObject {
        var deletes: [JSON] = []
        var places: [String: Int] = [:]
        var tasks: [JSON] = []
        for planned in files[range] {
            var task: JSONObject = [
                "data-file": planned.file.json(statistics: scan.statistics) {
                    scan.schema.field(id: $0)?.type
                }
            ]
            var references: [JSON] = []
            for delete in planned.deletes {
                // A Puffin file may hold deletion vectors of many data files.
                let key = "\(delete.file.contentOffset ?? -1) \(delete.file.filePath)"
                let place = places[key] ?? deletes.count
                if place == deletes.count {
                    places[key] = place
                    deletes.append(delete.file.json { _ in nil })
                }
                references.append(.integer(place))
            }
            if !references.isEmpty { task["delete-file-references"] = .array(references) }
            // Without one the client applies the whole filter.
            if scan.filter.isExact, let rest = pruner.residual(planned.file).json(scan.schema) {
                task["residual-filter"] = rest
            }
            tasks.append(.object(task))
        }
        var object = JSONObject()
        if !deletes.isEmpty { object["delete-files"] = .array(deletes) }
        object["file-scan-tasks"] = .array(tasks)
        return object
    }
}
