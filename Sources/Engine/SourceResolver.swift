import Ambient
import Catalog
import Columnar
import ObjectStorage
import Planner
import TextFiles

/// Opens what one statement names, all at one state of the catalog.
///
/// Confined to the session that runs the statement.
final class SourceResolver: @unchecked Sendable {
    // Sendable because only the session's actor calls it, one call after the other.
    let sources: StatementSources
    private(set) var inputs: [ResolvedSource] = []
    /// The views that were looked up.
    var views: Set<TableIdentifier> = []
    /// The names of temporary views that were looked up.
    var usesTemporary: Set<String> = []
    let session: Session
    private var snapshot: CatalogSnapshot?

    init(session: Session) {
        self.session = session
        sources = StatementSources(meter: session.meter)
    }

    /// The source that a request means, or why there is none.
    func resolve(_ request: TableRequest) async -> Result<SourceTable, any Error> {
        do {
            let resolved: ResolvedSource
            switch request {
            case .file(let path):
                guard let format = ExternalFiles.format(of: path) else {
                    throw PlanError(
                        .invalid,
                        "what \"\(path)\" holds cannot be told from its name",
                        hint: "Use read_csv, read_json or read_parquet."
                    )
                }
                resolved = try await file([path], format, [])
            case .function(let name, let arguments, let named):
                resolved = try await function(name, arguments, named)
            case .named(let parts, let version):
                resolved = try await table(parts, version)
            }
            inputs.append(resolved)
            return .success(resolved.table)
        } catch {
            return .failure(error)
        }
    }

    /// Takes in a source that was opened elsewhere, for lineage.
    func note(_ source: ResolvedSource) {
        inputs.append(source)
    }

    /// The catalog at the statement's state: asked for once.
    func catalogSnapshot() async throws -> CatalogSnapshot {
        if let snapshot { return snapshot }
        let read = try await session.catalogSnapshot(creating: false)
        snapshot = read
        return read
    }

    // MARK: Functions and files

    private func function(
        _ name: String,
        _ arguments: [Value],
        _ named: [TableRequest.NamedArgument]
    ) async throws -> ResolvedSource {
        if let function = LineageFunction(rawValue: name) {
            return try await lineageFunction(function, arguments, named)
        }
        let format: FileFormat
        switch name {
        case "read_csv", "read_csv_auto": format = .csv
        case "read_json", "read_json_auto", "read_ndjson", "read_ndjson_auto": format = .json
        case "read_parquet", "parquet_scan": format = .parquet
        case "read_arrow": format = .arrow
        case "range", "generate_series":
            return try range(name, arguments)
        case "varve_branch_diff", "varve_merge_conflicts":
            return try await branchFunction(name, arguments)
        default:
            let known =
                [
                    "read_csv", "read_json", "read_parquet", "read_arrow", "range",
                    "varve_branch_diff", "varve_merge_conflicts",
                ] + LineageFunction.allCases.map(\.rawValue)
            throw PlanError(
                .invalid,
                "table function \(name) does not exist",
                hint: nearest(to: name, among: known).map { "Did you mean \($0)?" }
            )
        }
        guard arguments.count == 1 else {
            throw PlanError(.invalid, "\(name) takes a path or a list of paths")
        }
        let paths: [String]
        switch arguments[0] {
        case .string(let path): paths = [path]
        case .list(let list):
            paths = try list.map {
                guard case .string(let path) = $0 else {
                    throw PlanError(.invalid, "\(name) takes paths as text")
                }
                return path
            }
        default: throw PlanError(.invalid, "\(name) takes a path or a list of paths")
        }
        return try await file(paths, format, named)
    }

    private func file(
        _ patterns: [String],
        _ format: FileFormat,
        _ named: [TableRequest.NamedArgument]
    ) async throws -> ResolvedSource {
        var paths: [String] = []
        for pattern in patterns {
            paths += try await ExternalFiles.expand(pattern, session.engine)
        }
        let name = patterns.joined(separator: ", ")
        switch format {
        case .csv, .json, .arrow:
            let rowFormat: RowFormat
            switch format {
            case .csv: rowFormat = .csv(try CSVOptions(named), nil)
            case .json: rowFormat = .json(try JSONOptions(named), nil)
            default: rowFormat = .arrow
            }
            let source = try await RowFilesSource.open(
                try paths.map { try session.engine.inputFile($0) },
                format: rowFormat,
                workers: session.engine.options.store.workers
            )
            return ResolvedSource(
                table: SourceTable(
                    sourceID: sources.add(source),
                    name: name,
                    schema: source.schema
                ),
                path: name
            )
        case .parquet:
            var allowsMissing = false
            for argument in named {
                guard argument.name == "union_by_name", case .boolean(let flag) = argument.value
                else {
                    throw PlanError(
                        .invalid,
                        "read_parquet has no option \(argument.name)",
                        hint: "Known options: union_by_name."
                    )
                }
                allowsMissing = flag
            }
            let files = try paths.map { try session.engine.scanFile($0) }
            let (source, rowCount, bounds) = try await ParquetFilesSource.open(
                files,
                allowsMissing: allowsMissing
            )
            return ResolvedSource(
                table: SourceTable(
                    sourceID: sources.add(source),
                    name: name,
                    schema: source.schema,
                    rowCount: rowCount,
                    bounds: bounds
                ),
                path: name
            )
        }
    }

    /// `range(stop)`, `range(start, stop, step)`; `generate_series` includes the end.
    private func range(_ name: String, _ arguments: [Value]) throws -> ResolvedSource {
        let numbers = try arguments.map { argument -> Int64 in
            switch argument {
            case .int32(let value): return Int64(value)
            case .int64(let value): return value
            default: throw PlanError(.invalid, "\(name) takes whole numbers")
            }
        }
        guard (1...3).contains(numbers.count) else {
            throw PlanError(.invalid, "\(name) takes 1 to 3 arguments")
        }
        let start = numbers.count > 1 ? numbers[0] : 0
        let stop = numbers.count > 1 ? numbers[1] : numbers[0]
        let step = numbers.count > 2 ? numbers[2] : 1
        guard step != 0 else { throw PlanError(.invalid, "the step of \(name) is 0") }
        let field = Field(name, .int64, isNullable: false)
        let source = RangeSource(
            start: start,
            stop: stop,
            step: step,
            isClosed: name == "generate_series",
            schema: Schema([field])
        )
        return ResolvedSource(
            table: SourceTable(
                sourceID: sources.add(source),
                name: name,
                schema: Schema([field]),
                rowCount: source.count,
                isRowCountExact: source.count < Int.max
            )
        )
    }
}
