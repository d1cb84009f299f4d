import Columnar
import Planner
import TextFiles

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
