import Columnar
import Iceberg
import Planner
import SQL
import Tables

/// Rows as a table stores them: with the defaults of columns that nobody gave, and generated columns.
extension Session {
    /// The rows of a query as rows of a table.
    ///
    /// - Parameter targets: for each column of the query the table's field, in order.
    /// - Returns: the rows, and the fields that they have.
    func shaped(
        _ prepared: PreparedQuery,
        targets: [Field],
        table: OpenTable
    ) throws -> (rows: PreparedQuery, fields: [Field]) {
        let declared = try TableDeclarations(table.metadata)
        var rows = try prepared.cast(to: targets)
        if declared.columns.isEmpty { return (rows, targets) }
        for field in targets
        where field.id.flatMap({ declared.columns[$0]?.generated }) != nil {
            throw PlanError(
                .invalid,
                "column \"\(field.name)\" is generated: it takes no value",
                hint: "Leave it out of the columns that are written."
            )
        }
        let fields = try Columnar.Schema(table.metadata.currentSchema).fields
        let environment = environment([:])
        let expressions = try fields.map { field -> BoundExpression in
            if let index = targets.firstIndex(where: { $0.id == field.id }) {
                return .column(ColumnID(index), targets[index].type)
            }
            guard let text = field.id.flatMap({ declared.columns[$0]?.defaultText }) else {
                return .constant(.null, field.type)
            }
            var binder = Binder(environment: environment)
            let value = try binder.rowExpression(
                try Parser.parseExpression(text),
                over: [],
                table: [],
                clause: "DEFAULT"
            )
            return value.type == field.type ? value : .cast(value, field.type, isTry: false)
        }
        rows.physical = .project(expressions, rows.physical)
        rows.schema = Columnar.Schema(fields)
        return (try regenerated(rows, declared, table.metadata.currentSchema), fields)
    }

    /// Rows of all of a table's columns, and maybe others behind them, with the generated ones computed anew.
    func regenerated(
        _ prepared: PreparedQuery,
        _ declared: TableDeclarations,
        _ schema: Iceberg.Schema
    ) throws -> PreparedQuery {
        let order = try DeclarationBuilder.order(declared)
        if order.isEmpty { return prepared }
        var rows = prepared
        let own = try Columnar.Schema(schema).fields
        let fields = own + prepared.schema.fields.dropFirst(own.count)
        var places: [Int: (position: Int, type: DataType)] = [:]
        for (index, field) in own.enumerated() {
            if let id = field.id { places[id] = (index, field.type) }
        }
        for id in order {
            guard let generated = declared.columns[id]?.generated, let place = places[id] else {
                continue
            }
            let value = try generated.bound(
                over: schema,
                places,
                environment([:]),
                clause: "the expression of column \"\(fields[place.position].name)\""
            )
            let expressions = fields.enumerated().map { index, field -> BoundExpression in
                if index != place.position { return .column(ColumnID(index), field.type) }
                return value.type == field.type ? value : .cast(value, field.type, isTry: false)
            }
            rows.physical = .project(expressions, rows.physical)
        }
        rows.schema = Columnar.Schema(fields)
        return rows
    }

    /// The columns that an INSERT without a list of them writes.
    func writable(_ fields: [Field], of table: OpenTable) throws -> [Field] {
        let declared = try TableDeclarations(table.metadata)
        return fields.filter { field in
            field.id.flatMap { declared.columns[$0]?.generated } == nil
        }
    }

    /// The defaults of a table's columns by name, for statements that say DEFAULT.
    func defaults(of table: OpenTable) throws -> [String: SQL.Expression] {
        var defaults: [String: SQL.Expression] = [:]
        for (id, column) in try TableDeclarations(table.metadata).columns {
            guard let text = column.defaultText,
                let field = table.metadata.currentSchema.field(id: id)
            else { continue }
            defaults[field.name] = try Parser.parseExpression(text)
        }
        return defaults
    }
}
