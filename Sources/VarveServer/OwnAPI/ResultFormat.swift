import Columnar
import TextFiles

/// How rows go over the wire.
package enum ResultFormat: String, Sendable, CaseIterable {
    case arrow = "application/vnd.apache.arrow.stream"
    case ndjson = "application/x-ndjson"
    case json = "application/json"
    case csv = "text/csv"

    var contentType: String {
        switch self {
        case .arrow, .ndjson, .json: rawValue
        case .csv: "text/csv; charset=utf-8; header=present"
        }
    }

    /// The best format that an `Accept` header takes; Arrow where it takes anything.
    ///
    /// - Throws: `notAcceptable`.
    package init(accept: String?) throws(ServerError) {
        guard let accept, !accept.isEmpty else {
            self = .arrow
            return
        }
        var best: (format: ResultFormat, quality: Double)?
        for range in accept.split(separator: ",") {
            let parts = range.split(separator: ";").map { $0.filter { $0 != " " }.lowercased() }
            guard let type = parts.first else { continue }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap {
                Double($0.dropFirst(2))
            }
            let quality = weight ?? 1
            let format = Self.allCases.first { format in
                let name = format.rawValue
                return type == name || type == "*/*"
                    || type == name.prefix { $0 != "/" } + "/*"
            }
            // Of equals, what was named first.
            guard let format, quality > 0, quality > best?.quality ?? 0 else { continue }
            best = (format, quality)
        }
        guard let best else {
            let names = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw ServerError(.notAcceptable, "results come as \(names)")
        }
        self = best.format
    }
}

/// Encodes the rows of one result, piece by piece.
struct ResultEncoder {
    private enum Form {
        case arrow(IPCStreamWriter)
        case ndjson(NDJSONWriter)
        case json(JSONResultWriter)
        case csv(CSVWriter)
    }

    private var form: Form

    init(_ format: ResultFormat, schema: Schema) throws {
        form =
            switch format {
            case .arrow: .arrow(IPCStreamWriter(schema: schema))
            case .ndjson: .ndjson(NDJSONWriter(schema: schema))
            case .json: .json(JSONResultWriter(schema: schema))
            case .csv: .csv(try CSVWriter(schema: schema))
            }
    }

    /// What stands before the rows.
    func begin() throws -> [UInt8] {
        switch form {
        case .arrow(let writer): try writer.schemaMessage()
        case .json(let writer): writer.begin()
        case .ndjson, .csv: []
        }
    }

    /// The rows of a batch.
    mutating func encode(_ batch: RecordBatch) throws -> [UInt8] {
        switch form {
        case .arrow(var writer):
            let bytes = try writer.encode(batch)
            form = .arrow(writer)
            return bytes
        case .ndjson(let writer): return writer.encode(batch)
        case .json(let writer): return writer.encode(batch)
        case .csv(let writer): return writer.encode(batch)
        }
    }

    /// What stands behind the rows.
    func end() -> [UInt8] {
        switch form {
        case .arrow(let writer): writer.end()
        case .json(let writer): writer.end()
        case .csv(let writer): writer.end()
        case .ndjson: []
        }
    }
}
