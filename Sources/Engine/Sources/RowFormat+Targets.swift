import Columnar
import TextFiles

extension RowFormat {
    /// The columns, where they are known.
    var schema: Schema? {
        switch self {
        case .csv(_, let format): format?.schema
        case .json(_, let format): format?.schema
        case .arrow: nil
        }
    }

    /// The same for rows that go to known columns.
    ///
    /// What was found out by looking at the first rows may be too narrow: `007` in a column of text
    /// is no number, and a column of numbers with fractions may begin with whole ones. Such columns are
    /// read as what they become; a field that does not fit then has a line to be named by, which a
    /// cast does not know.
    func adjusted(to targets: [Field]) -> RowFormat {
        if targets.isEmpty { return self }
        var types: [String: DataType] = [:]
        for field in targets { types[field.name] = field.type }
        switch self {
        case .csv(let options, var format?):
            format.schema = Schema(
                format.schema.fields.map { field in
                    guard let type = types[field.name], options.types[field.name] == nil,
                        Self.isBetter(type, than: field.type, isText: true)
                    else { return field }
                    return Field(field.name, type)
                }
            )
            return .csv(options, format)
        case .json(let options, var format?):
            format.schema = Schema(
                format.schema.fields.map { field in
                    guard let type = types[field.name], options.types[field.name] == nil,
                        Self.isBetter(type, than: field.type, isText: false)
                    else { return field }
                    return Field(field.name, type)
                }
            )
            return .json(options, format)
        default: return self
        }
    }

    /// Whether fields are better read as a column's type than as the type that they look like.
    private static func isBetter(
        _ type: DataType,
        than guess: DataType,
        isText: Bool
    ) -> Bool {
        switch (guess, type) {
        case (.int32, .int64), (.int32, .float64), (.int64, .float64): return true
        case (.int32, .decimal), (.int64, .decimal): return true
        // Everything in CSV is text; in JSON a number for a column of text is cast, digit for digit.
        case (_, .string): return isText && guess != .string
        case (.string, .interval), (.string, .list), (.string, .structure), (.string, .map):
            return false
        case (.string, _): return isText
        default: return false
        }
    }
}
