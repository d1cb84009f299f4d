import Bytes
import Columnar
import Execution
import Iceberg
import Planner
import SQL
import Tables
import TextFiles

/// How COPY … TO writes a file, where it departs from what the file's name says.
struct CopyFormat: Sendable {
    var format: FileFormat?
    /// nil for what the name says; `.some(nil)` for none.
    var compression: StreamFormat??
    var delimiter: UInt8?
    var hasHeader = true
    /// Whether JSON is one array; nil for what the name says.
    var isArray: Bool?
}

/// COPY between files and tables.
extension Session {
    func runCopy(
        _ copy: Copy,
        _ parameters: Parameters,
        _ consume: @escaping Consumer
    ) async throws {
        switch (copy.direction, copy.subject) {
        case (.to, .query(let query)):
            try await self.copy(query, to: copy, parameters, consume)
        case (.to, .table(let name, let columns)):
            let table = Printer.print(name)
            let items =
                columns.isEmpty
                ? "*" : columns.map { Printer.print([$0]) }.joined(separator: ", ")
            let query = try Parser.parseQuery("SELECT \(items) FROM \(table)")
            try await self.copy(query, to: copy, parameters, consume)
        case (.from, .table(let name, let columns)):
            let insert = try await insertion(copy, name, columns)
            try await runInsert(insert, parameters) { outcome in
                guard case .done(var summary) = outcome else { return }
                summary.tag = "COPY"
                try await consume(.done(summary))
            }
        case (.from, .query):
            throw PlanError(.invalid, "COPY … FROM needs a table", at: copy.span)
        }
    }

    private func copy(
        _ query: Query,
        to copy: Copy,
        _ parameters: Parameters,
        _ consume: Consumer
    ) async throws {
        var format = CopyFormat()
        for option in copy.options {
            let name = option.name.folded
            switch name {
            case "format":
                let word = try text(option)
                guard let known = FileFormat(copyName: word) else {
                    throw unknown(option, "csv, json, ndjson, parquet, arrow")
                }
                format.format = known
                if known == .json { format.isArray = option.value == nil ? nil : false }
            case "header": format.hasHeader = try flag(option)
            case "delimiter", "delim", "sep":
                let word = try text(option)
                guard word.utf8.count == 1 else { throw unknown(option, "one character") }
                format.delimiter = word.utf8.first
            case "array": format.isArray = try flag(option)
            case "compression", "codec":
                switch try text(option).lowercased() {
                case "gzip": format.compression = .some(.gzip)
                case "zstd": format.compression = .some(.zstd)
                case "none", "uncompressed": format.compression = .some(nil)
                case "auto": break
                default: throw unknown(option, "gzip, zstd, none")
                }
            case "null", "nullstr":
                guard try text(option).isEmpty else {
                    throw unknown(option, "'' only: NULL is written as nothing, text is quoted")
                }
            default:
                throw PlanError(
                    .invalid,
                    "COPY … TO has no option \(option.name.name)",
                    hint: "Known options: format, header, delimiter, null, compression, array.",
                    at: option.name.span
                )
            }
        }
        let receipt = try await export(query, to: copy.path, format, parameters: parameters)
        try await consume(.done(StatementSummary(tag: "COPY", rowCount: receipt.rowCount)))
    }

    /// The INSERT that a COPY … FROM means.
    private func insertion(
        _ copy: Copy,
        _ name: ObjectName,
        _ columns: [Identifier]
    ) async throws -> Insert {
        let snapshot = try await catalogSnapshot(creating: false)
        let table = try await openTable(name.map(\.folded), in: snapshot)
        let all = try Columnar.Schema(table.metadata.currentSchema)
        let targets =
            try columns.isEmpty
            ? writable(all.fields, of: table)
            : columns.map { try all.field(named: $0, of: table.identifier) }
        func quoted(_ text: String) -> String {
            Printer.print(SQL.Expression(.literal(.string(text)), span: .none))
        }
        var format = ExternalFiles.format(of: copy.path)
        var arguments = [quoted(copy.path)]
        var csv: [String] = []
        for option in copy.options {
            let name = option.name.folded
            switch name {
            case "format":
                guard let known = FileFormat(copyName: try text(option)) else {
                    throw unknown(option, "csv, json, ndjson, parquet, arrow")
                }
                format = known
            case "header": csv.append("header => \(try flag(option))")
            case "delimiter", "delim", "sep": csv.append("delim => \(quoted(try text(option)))")
            case "quote", "escape", "comment":
                csv.append("\(name) => \(quoted(try text(option)))")
            case "null", "nullstr": csv.append("nullstr => \(quoted(try text(option)))")
            case "ignore_errors": csv.append("ignore_errors => \(try flag(option))")
            case "compression", "auto_detect": break
            default:
                throw PlanError(
                    .invalid,
                    "COPY … FROM has no option \(option.name.name)",
                    hint: "Known options: format, header, delimiter, quote, escape, comment, null, "
                        + "ignore_errors.",
                    at: option.name.span
                )
            }
        }
        guard let format else {
            throw PlanError(
                .invalid,
                "the format of \"\(copy.path)\" cannot be told from its name",
                hint: "Say (FORMAT csv).",
                at: copy.span
            )
        }
        let reader: String
        switch format {
        case .csv:
            reader = "read_csv"
            // Every field as the column's type: what looks like a number may be text.
            let types = targets.map {
                "\(Printer.print([Identifier($0.name, isQuoted: true)])): "
                    + quoted($0.type.isNested ? "VARCHAR" : $0.type.description)
            }
            arguments.append("columns => {\(types.joined(separator: ", "))}")
            arguments += csv
        case .json: reader = "read_json"
        case .parquet: reader = "read_parquet"
        case .arrow: reader = "read_arrow"
        }
        if format != .csv, !csv.isEmpty {
            throw PlanError(
                .invalid,
                "header, delimiter and their like are options of CSV",
                at: copy.span
            )
        }
        let query = try Parser.parseQuery(
            "SELECT * FROM \(reader)(\(arguments.joined(separator: ", ")))"
        )
        return Insert(into: name, columns: columns, isByName: format == .json, query, at: copy.span)
    }

    // MARK: Options

    private func unknown(_ option: Copy.Option, _ known: String) -> PlanError {
        PlanError(
            .invalid,
            "this is no value of the option \(option.name.name): it takes \(known)",
            at: option.value?.span ?? option.name.span
        )
    }

    private func text(_ option: Copy.Option) throws -> String {
        switch option.value?.node {
        case .column(let name)? where name.count == 1: return name[0].name.lowercased()
        case .literal(.string(let text))?: return text
        default: throw unknown(option, "text")
        }
    }

    private func flag(_ option: Copy.Option) throws -> Bool {
        switch option.value?.node {
        case nil, .literal(.boolean(true))?: return true
        case .literal(.boolean(false))?: return false
        case .literal(.integer("0"))?: return false
        case .literal(.integer("1"))?: return true
        case .column(let name)? where name.count == 1:
            switch name[0].name.lowercased() {
            case "on", "true": return true
            case "off", "false": return false
            default: throw unknown(option, "true or false")
            }
        default: throw unknown(option, "true or false")
        }
    }
}

extension FileFormat {
    /// The format that COPY calls so.
    fileprivate init?(copyName: String) {
        switch copyName.lowercased() {
        case "csv": self = .csv
        case "json", "ndjson": self = .json
        case "parquet": self = .parquet
        case "arrow": self = .arrow
        default: return nil
        }
    }
}
