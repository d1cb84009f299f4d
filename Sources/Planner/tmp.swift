import SQL
extension SQL.Expression { var printed: String { "expr" } }
