package import Columnar
package import SQL

extension DataType {
    /// The type that a name in SQL means.
    ///
    /// - Throws: `PlanError` for names that are unknown or sizes that no value can have.
    package init(_ name: TypeName) throws {
        switch name.node {
        case .boolean: self = .boolean
        case .tinyint, .smallint, .integer: self = .int32
        case .bigint: self = .int64
        case .real: self = .float32
        case .double: self = .float64
        case .decimal(let precision, let scale):
            let digits = precision ?? 18
            let behind = scale ?? (precision == nil ? 3 : 0)
            guard (1...38).contains(digits), (0...digits).contains(behind) else {
                throw PlanError(
                    .invalid,
                    "DECIMAL(\(digits),\(behind)) is not possible",
                    hint: "The precision is 1 to 38, the scale at most the precision.",
                    at: name.span
                )
            }
            self = .decimal(precision: digits, scale: behind)
        case .date: self = .date
        case .time: self = .time
        case .timestamp(let precision, let hasTimeZone):
            if let precision, precision > 6 {
                throw PlanError(
                    .unsupported,
                    "timestamps have at most 6 fractional digits",
                    at: name.span
                )
            }
            self = hasTimeZone ? .timestamptz : .timestamp
        case .text, .json: self = .string
        case .uuid: self = .uuid
        case .binary: self = .binary
        case .fixed(let length):
            guard length > 0 else {
                throw PlanError(.invalid, "FIXED(\(length)) is not possible", at: name.span)
            }
            self = .fixed(length)
        case .interval: self = .interval
        case .list(let element, _):
            self = .list(Field("element", try DataType(element)))
        case .structure(let fields):
            self = .structure(
                try fields.map {
                    Field($0.name.name, try DataType($0.type), isNullable: !$0.isNotNull)
                }
            )
        case .map(let key, let value):
            self = .map(
                key: Field("key", try DataType(key), isNullable: false),
                value: Field("value", try DataType(value))
            )
        case .other(let parts, _):
            let text = parts.map(\.name).joined(separator: ".")
            let known = [
                "boolean", "integer", "bigint", "float", "double", "decimal", "date", "time",
                "timestamp", "timestamptz", "varchar", "text", "uuid", "binary", "interval",
                "tinyint", "smallint", "real", "numeric", "string", "char", "blob", "json",
                "datetime",
            ]
            let near = nearest(to: text, among: known)
            throw PlanError(
                .invalid,
                "type \"\(text)\" does not exist",
                hint: near.map { "Did you mean \($0)?" },
                at: name.span
            )
        }
    }
}
