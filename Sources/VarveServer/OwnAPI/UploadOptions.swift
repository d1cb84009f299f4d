import Bytes
import Engine
import HTTPTypes
import TextFiles

/// What the query and the head of an upload say.
struct UploadOptions: Sendable {
    enum Mode: String, Sendable, CaseIterable {
        case append, overwrite
        /// Appends, to a table that is made from the rows' columns when there is none.
        case create
    }

    var mode = Mode.append
    var format: FileFormat
    var encoding: StreamFormat?
    var onError = ImportRequest.ErrorPolicy.fail
    var csv = CSVOptions()
    /// What lineage calls the rows' origin.
    var source: String?
    /// The branch of the catalog that the table is on; nil for `main`.
    var branch: String?

    private static let names: Set<String> = [
        "mode", "key", "on_error", "source", "delimiter", "header", "null", "quote", "escape",
        "comment", "skip", "branch",
    ]

    /// - Throws: `badRequest`, `unsupportedMediaType`, `unsupported`.
    init(_ request: ServerRequest) throws(ServerError) {
        let query = request.target.query
        if let name = query.keys.filter({ !Self.names.contains($0) }).min() {
            throw ServerError(
                .badRequest,
                "there is no parameter \"\(name)\"; there are "
                    + Self.names.sorted().joined(separator: ", ")
            )
        }
        if query["mode"] == "merge" {
            throw ServerError(
                .unsupported,
                "mode=merge is not in this version: DELETE the rows with these keys over "
                    + "/varve/v1/query and append, or overwrite the table"
            )
        }
        if let text = query["mode"] {
            guard let known = Mode(rawValue: text) else {
                throw ServerError(.badRequest, "mode is append, overwrite or create")
            }
            mode = known
        }
        if query["key"] != nil { throw ServerError(.badRequest, "key belongs to mode=merge") }
        if let text = query["on_error"] {
            guard let known = ImportRequest.ErrorPolicy(rawValue: text) else {
                throw ServerError(.badRequest, "on_error is fail, skip or quarantine")
            }
            onError = known
        }
        if let text = query["branch"], text != "main" {
            guard !text.isEmpty else {
                throw ServerError(.badRequest, "branch is the name of a branch of the catalog")
            }
            branch = text
        }
        if let text = query["source"] {
            guard (1...1024).contains(text.utf8.count),
                text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
            else { throw ServerError(.badRequest, "source is 1 to 1024 bytes without controls") }
            source = text
        }
        let type = try MediaType(request.headers[.contentType])
        switch type.name {
        case "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file":
            format = .arrow
        case "application/vnd.apache.parquet", "application/parquet": format = .parquet
        case "text/csv", "application/csv": format = .csv
        case "application/x-ndjson", "application/ndjson", "application/jsonl",
            "application/json":
            format = .json
        case let other:
            throw ServerError(
                .unsupportedMediaType,
                (other.isEmpty
                    ? "Content-Type is missing" : "Content-Type \"\(other)\" is not taken here")
                    + "; send application/vnd.apache.arrow.stream, application/vnd.apache.parquet, "
                    + "text/csv or application/x-ndjson"
            )
        }
        if let charset = type.parameters["charset"]?.lowercased(),
            !["utf-8", "utf8", "us-ascii"].contains(charset)
        {
            throw ServerError(.unsupportedMediaType, "text is UTF-8 here, not \(charset)")
        }
        switch request.headers[.contentEncoding]?.lowercased() {
        case nil, "", "identity": encoding = nil
        case "gzip", "x-gzip": encoding = .gzip
        case "zstd": encoding = .zstd
        case let other?:
            throw ServerError(
                .unsupportedMediaType,
                "Content-Encoding is gzip or zstd, not \"\(other)\""
            )
        }
        try readCSV(request.target, type)
    }

    private mutating func readCSV(
        _ target: RequestTarget,
        _ type: MediaType
    ) throws(ServerError) {
        let given = ["delimiter", "header", "null", "quote", "escape", "comment", "skip"]
        if format != .csv, let name = given.first(where: { target.query[$0] != nil }) {
            throw ServerError(.badRequest, "\(name) is an option of CSV")
        }
        // RFC 4180 lets the type itself say so.
        switch type.parameters["header"]?.lowercased() {
        case "present": csv.hasHeader = true
        case "absent": csv.hasHeader = false
        default: break
        }
        if let text = target.query["header"], !text.isEmpty {
            csv.hasHeader = try target.flag("header")
        }
        if let text = target.query["null"] { csv.nullStrings = [text] }
        func byte(_ name: String) throws(ServerError) -> UInt8? {
            guard let text = target.query[name] else { return nil }
            if text == "\\t" || text == "tab" { return 9 }
            guard text.utf8.count == 1, let byte = text.utf8.first, byte < 0x80 else {
                throw ServerError(.badRequest, "\(name) is one ASCII character (a tab is %09)")
            }
            return byte
        }
        csv.delimiter = try byte("delimiter")
        if target.query["quote"] == "" {
            csv.quote = .some(nil)
        } else if let quote = try byte("quote") {
            csv.quote = .some(quote)
        }
        csv.escape = try byte("escape")
        csv.comment = try byte("comment")
        csv.skipLineCount = Int(try target.integer("skip", in: 0...1_000_000) ?? 0)
    }
}

/// A content type: `text/csv; header=absent`.
struct MediaType: Sendable {
    /// In small letters; empty when there is none.
    var name = ""
    var parameters: [String: String] = [:]

    /// - Throws: nothing today; broken parameters are left out.
    init(_ header: String?) throws(ServerError) {
        let pieces = (header ?? "").split(separator: ";").map { piece in
            String(piece.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        name = pieces.first?.lowercased() ?? ""
        for piece in pieces.dropFirst() {
            guard let equals = piece.firstIndex(of: "=") else { continue }
            let value = piece[piece.index(after: equals)...].filter { $0 != "\"" }
            parameters[piece[..<equals].lowercased()] = String(value)
        }
    }
}
