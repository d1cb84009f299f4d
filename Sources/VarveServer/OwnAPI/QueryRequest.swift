import Bytes
import Columnar
import Engine
import SQL

/// The body of a query.
struct QueryRequest: Sendable {
    let sql: String
    let parameters: Session.Parameters
    let asOf: CatalogInstant?
    let namespace: [String]?
    /// The branch or tag of the catalog that is read, and written; nil for `main`.
    let branch: String?
    /// The branch of tables that is read and written; nil for `main`.
    let tableBranch: String?

    private static let names: Set<String> = [
        "sql", "parameters", "as_of", "branch", "table_branch", "namespace",
    ]

    /// - Throws: `badRequest`; `EngineError` for an instant that is none.
    init(_ body: RequestFields) throws {
        if let unknown = body.object.keys.first(where: { !Self.names.contains($0) }) {
            let known = Self.names.sorted().joined(separator: ", ")
            throw ServerError(
                .badRequest,
                "the body has no member \"\(unknown)\"; it takes \(known)"
            )
        }
        sql = try body.string("sql")
        parameters = try body["parameters"].map { try Self.parameters($0, body) } ?? [:]
        switch body["as_of"] {
        case nil: asOf = nil
        case .number?:
            guard let position = body["as_of"]?.int64 else {
                throw body.wrong("as_of", "a log position or a time")
            }
            asOf = .position(position)
        case .string(let text)?: asOf = try CatalogInstant(text)
        default: throw body.wrong("as_of", "a log position or a time")
        }
        func branch(_ name: String) throws(ServerError) -> String? {
            let branch = try body.optionalString(name)
            if branch == "" { throw body.wrong(name, "the name of a branch") }
            return branch == "main" ? nil : branch
        }
        self.branch = try branch("branch")
        tableBranch = try branch("table_branch")
        namespace =
            try body.optionalString("namespace").map {
                $0.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            }
    }

    /// An array gives `$1`, `$2`, …; an object gives `$name`.
    private static func parameters(
        _ json: JSON,
        _ body: RequestFields
    ) throws(ServerError) -> Session.Parameters {
        var parameters: Session.Parameters = [:]
        switch json {
        case .array(let values):
            for (index, value) in values.enumerated() {
                parameters[.numbered(index + 1)] = try typed(value, "parameter \(index + 1)")
            }
        case .object(let object):
            for member in object.members {
                parameters[.named(member.key)] = try typed(member.value, "parameter \(member.key)")
            }
        default: throw body.wrong("parameters", "an array, or an object of named values")
        }
        return parameters
    }

    /// A value with the type that its form in JSON says; SQL casts it further.
    private static func typed(
        _ json: JSON,
        _ what: String
    ) throws(ServerError) -> (value: Value, type: DataType) {
        switch json {
        case .null: return (.null, .null)
        case .bool(let flag): return (.boolean(flag), .boolean)
        case .string(let text): return (.string(text), .string)
        case .number(let text):
            if let number = Int64(text) { return (.int64(number), .int64) }
            guard let number = json.double, number.isFinite else {
                throw ServerError(.badRequest, "\(what) is no number that fits 64 bits")
            }
            return (.float64(number), .float64)
        case .array, .object:
            throw ServerError(
                .badRequest,
                "\(what) is nested; send text and cast it in the statement"
            )
        }
    }
}
