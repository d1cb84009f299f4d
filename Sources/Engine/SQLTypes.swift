import Columnar
import Planner
import SQL

extension DataType {
    /// The type that text such as `DECIMAL(10, 2)` names.
    init(sql text: String) throws {
        try self.init(try Parser.parseTypeName(text))
    }
}
