import Catalog
import Columnar
import Execution
import Iceberg
import Planner
import SQL
import Tables

/// Turns what a statement declares into declarations over a table's fields.
struct DeclarationBuilder {
    let tableName: String
    let schema: Iceberg.Schema
    let environment: BindingEnvironment
    var declarations: TableDeclarations

    /// The fields at the top of the schema that hold values of column types.
    private var columns: [RowColumn] {
        schema.fields.enumerated().compactMap { index, field in
            guard let type = try? DataType(field.type) else { return nil }
            return RowColumn(name: field.name, position: index, type: type)
        }
    }

    func fieldID(_ name: Identifier) throws -> Int {
        let found = schema.fields.filter { name.means($0.name) }
        let exact = found.first { $0.name == name.name } ?? (found.count == 1 ? found[0] : nil)
        guard let exact else {
            throw PlanError(
                .invalid,
                "there is no column \"\(name.name)\"",
                hint: nearest(to: name.name, among: schema.fields.map(\.name)).map {
                    "Did you mean \"\($0)\"?"
                },
                at: name.span
            )
        }
        return exact.id
    }

    /// An expression with the fields that it names.
    func rowExpression(
        _ expression: SQL.Expression,
        clause: String,
        isCondition: Bool = false
    ) throws -> TableDeclarations.RowExpression {
        var binder = Binder(environment: environment)
        let columns = columns
        let bound = try binder.rowExpression(
            expression,
            over: columns,
            // What a column is generated from is named without its table, which may be renamed.
            table: clause == "GENERATED" ? [] : [tableName],
            clause: clause
        )
        if isCondition, bound.type != .boolean, bound.type != .null, !bound.type.isNumeric {
            throw PlanError(
                .invalid,
                "CHECK needs a condition, this is of type \(bound.type)",
                at: expression.span
            )
        }
        let used = bound.columnIDs
        var ids: [String: Int] = [:]
        for column in columns where used.contains(ColumnID(column.position)) {
            ids[column.name] = schema.fields[column.position].id
        }
        return TableDeclarations.RowExpression(
            text: Printer.print(expression),
            table: tableName,
            columns: ids
        )
    }

    /// A default: an expression without columns, whose value fits the column.
    func defaultText(_ expression: SQL.Expression, for type: Columnar.DataType) throws -> String {
        var binder = Binder(environment: environment)
        let bound = try binder.rowExpression(expression, over: [], table: [], clause: "DEFAULT")
        if case .constant = bound {
            _ = try evaluateConstant(
                bound.type == type ? bound : .cast(bound, type, isTry: false)
            )
        }
        return Printer.print(expression)
    }

    // MARK: Constraints

    mutating func addPrimaryKey(_ columns: [Identifier], name: String?, at span: SourceSpan) throws
    {
        if declarations.constraints.contains(where: {
            if case .primaryKey = $0.rule { true } else { false }
        }) {
            throw PlanError(.invalid, "the table has a primary key already", at: span)
        }
        try add(name, "pkey", .primaryKey(try ids(columns)), at: span)
    }

    mutating func addUnique(_ columns: [Identifier], name: String?, at span: SourceSpan) throws {
        let joined = columns.map(\.name).joined(separator: "_")
        try add(name, "\(joined)_key", .unique(try ids(columns)), at: span)
    }

    mutating func addCheck(_ condition: SQL.Expression, name: String?) throws {
        let expression = try rowExpression(condition, clause: "CHECK", isCondition: true)
        let names = expression.columns.keys.sorted()
        let suffix = names.count == 1 ? "\(names[0])_check" : "check"
        try add(name, suffix, .check(expression), at: condition.span)
    }

    mutating func add(
        _ name: String?,
        _ suffix: String,
        _ rule: TableDeclarations.Rule,
        at span: SourceSpan
    ) throws {
        func isTaken(_ name: String) -> Bool {
            declarations.constraints.contains { $0.name.lowercased() == name.lowercased() }
        }
        if let name, isTaken(name) {
            throw PlanError(.invalid, "there is a constraint \"\(name)\" already", at: span)
        }
        var chosen = name ?? "\(tableName)_\(suffix)"
        var number = 1
        while name == nil, isTaken(chosen) {
            chosen = "\(tableName)_\(suffix)\(number)"
            number += 1
        }
        declarations.constraints.append(.init(name: chosen, rule: rule))
    }

    func ids(_ names: [Identifier]) throws -> [Int] {
        var ids: [Int] = []
        for name in names {
            let id = try fieldID(name)
            guard !ids.contains(id) else {
                throw PlanError(
                    .invalid,
                    "column \"\(name.name)\" is named twice in one constraint",
                    at: name.span
                )
            }
            ids.append(id)
        }
        return ids
    }

    // MARK: Columns

    /// Takes in what a column definition declares but its type, which the schema has.
    mutating func addColumn(_ column: ColumnDefinition) throws {
        let id = try fieldID(column.name)
        guard let field = schema.field(id: id), let type = try? DataType(field.type) else { return }
        if let value = column.defaultValue {
            if column.generated != nil {
                throw PlanError(
                    .invalid,
                    "a generated column has no default",
                    at: column.span
                )
            }
            declarations.columns[id, default: .init()].defaultText = try defaultText(
                value,
                for: type
            )
        }
        if let generated = column.generated {
            let expression = try rowExpression(generated.expression, clause: "GENERATED")
            guard !expression.columns.values.contains(id) else {
                throw PlanError(
                    .invalid,
                    "column \"\(column.name.name)\" is generated from itself",
                    at: column.span
                )
            }
            declarations.columns[id, default: .init()].generated = expression
            declarations.columns[id]?.isStored = generated.isStored
        }
        if let name = column.collation {
            declarations.columns[id, default: .init()].collation = try Self.collation(name, type)
        }
        if column.isUnique { try addUnique([column.name], name: nil, at: column.span) }
        if let check = column.check { try addCheck(check, name: nil) }
    }

    /// The generated columns, each after those that it is made from.
    ///
    /// - Throws: for a circle.
    static func order(_ declarations: TableDeclarations) throws -> [Int] {
        var order: [Int] = []
        var open: Set<Int> = []
        func visit(_ id: Int) throws {
            guard let generated = declarations.columns[id]?.generated, !order.contains(id) else {
                return
            }
            guard open.insert(id).inserted else {
                throw PlanError(.invalid, "generated columns are made from each other in a circle")
            }
            for other in generated.columns.values.sorted() { try visit(other) }
            open.remove(id)
            order.append(id)
        }
        for id in declarations.columns.keys.sorted() { try visit(id) }
        return order
    }
}

extension DeclarationBuilder {
    /// The collation that a column is declared with; nil for that of bytes.
    static func collation(_ name: ObjectName, _ type: DataType) throws -> Collation? {
        guard let collation = Collation(name.map(\.name)) else {
            throw PlanError(
                .invalid,
                "collation \(name.map(\.name).joined(separator: ".")) does not exist",
                hint: "There are NOCASE, NOACCENT, NOCASE.NOACCENT and BINARY.",
                at: name.span
            )
        }
        guard type == .string else {
            throw PlanError(.invalid, "COLLATE is for text, this is \(type)", at: name.span)
        }
        return collation.isBinary ? nil : collation
    }
}
