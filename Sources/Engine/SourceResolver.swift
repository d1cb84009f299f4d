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
        let format: FileFormat
        switch name {
        case "read_csv", "read_csv_auto": format = .csv
        case "read_json", "read_json_auto", "read_ndjson", "read_ndjson_auto": format = .json
        case "read_parquet", "parquet_scan": format = .parquet
        case "read_arrow": format = .arrow
        case "range", "generate_series":
            return try range(name, arguments)
        default:
            let known = ["read_csv", "read_json", "read_parquet", "read_arrow", "range"]
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
                rowCount: source.count
            )
        )
    }
}

extension JSONOptions {
    /// The options of `read_json`, under DuckDB's names.
    init(_ arguments: [TableRequest.NamedArgument]) throws {
        self.init()
        for argument in arguments {
            switch (argument.name, argument.value) {
            case ("ignore_errors", .boolean(let flag)): onError = flag ? .skip : .fail
            case ("sample_size", .int32(let count)): sampleRowCount = max(1, Int(count))
            case ("maximum_object_size", .int32(let count)): rowBytesMax = Int(count)
            case ("auto_detect", .boolean): break
            case ("columns", .map(let entries)):
                columns = try entries.map { entry in
                    guard case .string(let name) = entry.key,
                        case .string(let type) = entry.value
                    else {
                        throw PlanError(
                            .invalid,
                            "columns of read_json is {'column': 'type', …}"
                        )
                    }
                    return Field(name, try DataType(sql: type))
                }
            default:
                throw PlanError(
                    .invalid,
                    "read_json has no such option or value: \(argument.name)",
                    hint: "Known options: columns, ignore_errors, sample_size, "
                        + "maximum_object_size."
                )
            }
        }
    }
}

extension CSVOptions {
    /// The options of `read_csv`, under DuckDB's names.
    init(_ arguments: [TableRequest.NamedArgument]) throws {
        self.init()
        for argument in arguments {
            func text() throws -> String {
                guard case .string(let text) = argument.value else {
                    throw PlanError(.invalid, "\(argument.name) of read_csv is text")
                }
                return text
            }
            func byte() throws -> UInt8? {
                let text = try text()
                guard text.utf8.count <= 1 else {
                    throw PlanError(
                        .invalid,
                        "\(argument.name) of read_csv is one ASCII character"
                    )
                }
                return text.utf8.first
            }
            func flag() throws -> Bool {
                guard case .boolean(let flag) = argument.value else {
                    throw PlanError(.invalid, "\(argument.name) of read_csv is true or false")
                }
                return flag
            }
            func number() throws -> Int {
                switch argument.value {
                case .int32(let value) where value >= 0: return Int(value)
                case .int64(let value) where value >= 0: return Int(value)
                default:
                    throw PlanError(
                        .invalid,
                        "\(argument.name) of read_csv is a whole number of 0 or more"
                    )
                }
            }
            func types() throws -> [(String, DataType)] {
                guard case .map(let entries) = argument.value else {
                    throw PlanError(
                        .invalid,
                        "\(argument.name) of read_csv is {'column': 'type', …}"
                    )
                }
                return try entries.map { entry in
                    guard case .string(let name) = entry.key,
                        case .string(let type) = entry.value
                    else {
                        throw PlanError(
                            .invalid,
                            "\(argument.name) of read_csv is {'column': 'type', …}"
                        )
                    }
                    return (name, try DataType(sql: type))
                }
            }
            switch argument.name {
            case "delim", "sep": delimiter = try byte()
            case "quote": quote = .some(try byte())
            case "escape": escape = try byte()
            case "comment": comment = try byte()
            case "header": hasHeader = try flag()
            case "skip": skipLineCount = try number()
            case "all_varchar": isAllStrings = try flag()
            case "null_padding": isNullPadding = try flag()
            case "sample_size": sampleRowCount = max(1, try number())
            case "max_line_size": rowBytesMax = try number()
            case "ignore_errors": onError = try flag() ? .skip : .fail
            case "nullstr":
                if case .list(let list) = argument.value {
                    nullStrings = list.map { value in
                        if case .string(let text) = value { text } else { "" }
                    }
                } else {
                    nullStrings = [try text()]
                }
            case "columns": columns = try types().map { Field($0.0, $0.1) }
            case "types", "dtypes", "column_types":
                for (name, type) in try types() { self.types[name] = type }
            case "auto_detect": break
            default:
                throw PlanError(
                    .invalid,
                    "read_csv has no option \(argument.name)",
                    hint: nearest(to: argument.name, among: Self.optionNames)
                        .map { "Did you mean \($0)?" }
                )
            }
        }
    }

    private static let optionNames = [
        "delim", "sep", "quote", "escape", "comment", "header", "skip", "all_varchar",
        "null_padding", "sample_size", "max_line_size", "ignore_errors", "nullstr", "columns",
        "types",
    ]
}
