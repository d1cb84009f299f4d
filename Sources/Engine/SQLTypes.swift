import Columnar
import Planner
import SQL

extension DataType {
    /// The type that text such as `DECIMAL(10, 2)` names.
    init(sql text: String) throws {
        try self.init(try Parser.parseTypeName(text))
    }
}

extension [Property] {
    /// The values by their keys; of one that is given twice, the last.
    var lastValues: [String: String] {
        Dictionary(map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    }
}
