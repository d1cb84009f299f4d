import SQL

/// Walks a query and calls back for every table and column that it names.
///
/// Names of common table expressions are not tables, where they are visible.
struct NameWalker {
    private(set) var tables: [ObjectName] = []
    private(set) var columns: [ObjectName] = []
    private var common: [Set<String>] = []

    mutating func walk(_ query: Query) {
        common.append([])
        defer { common.removeLast() }
        if let with = query.with {
            let names = with.expressions.map { $0.name.name.lowercased() }
            if with.isRecursive { common[common.count - 1] = Set(names) }
            for (expression, name) in zip(with.expressions, names) {
                walk(expression.query)
                common[common.count - 1].insert(name)
            }
        }
        walk(query.body)
        if case .items(let items)? = query.orderBy { walk(items) }
        walk([query.limit?.count, query.limit?.offset].compactMap { $0 })
    }

    private mutating func table(_ name: ObjectName) {
        if name.count == 1, let first = name.first,
            common.contains(where: { $0.contains(first.name.lowercased()) })
        {
            return
        }
        if !tables.contains(name) { tables.append(name) }
    }

    private mutating func walk(_ body: QueryBody) {
        switch body {
        case .select(let select): walk(select)
        case .values(let rows): for row in rows { walk(row) }
        case .table(let name): table(name)
        case .setOperation(let operation): for operand in operation.operands { walk(operand) }
        case .nested(let query): walk(query)
        }
    }

    private mutating func walk(_ select: SelectBlock) {
        if case .on(let expressions)? = select.distinct { walk(expressions) }
        for item in select.items { walk(item.expression) }
        for reference in select.from { walk(reference) }
        walk([select.filter, select.having, select.qualify].compactMap { $0 })
        if case .elements(let elements, _)? = select.groupBy {
            for element in elements { walk(element) }
        }
        for window in select.windows { walk(window.specification) }
    }

    private mutating func walk(_ element: GroupingElement) {
        switch element {
        case .expressions(let list): walk(list)
        case .rollup(let lists), .cube(let lists): for list in lists { walk(list) }
        case .sets(let elements): for element in elements { walk(element) }
        }
    }

    private mutating func walk(_ reference: TableReference) {
        switch reference {
        case .table(let named):
            table(named.name)
            switch named.asOf {
            case .version(let expression)?, .timestamp(let expression)?: walk(expression)
            case nil: break
            }
        case .file: break
        case .function(let function): walk(function.call)
        case .derived(let derived): walk(derived.query)
        case .description(let description): walk(description.query)
        case .pivot(let pivot):
            walk(pivot.source)
            walk(pivot.on.map(\.expression) + pivot.aggregates.map(\.expression))
            walk(pivot.groupBy ?? [])
            for column in pivot.on {
                if case .query(let query)? = column.values { walk(query) }
            }
        case .unpivot(let unpivot):
            walk(unpivot.source)
            walk(unpivot.columns.map(\.expression))
        case .join(let join):
            walk(join.left)
            walk(join.right)
            switch join.condition {
            case .on(let condition)?: walk(condition)
            case .using(let names)?: columns += names.map { [$0] }
            case .natural?, nil: break
            }
        }
    }

    private mutating func walk(_ expressions: [Expression]) {
        for expression in expressions { walk(expression) }
    }

    private mutating func walk(_ items: [OrderItem]) {
        for item in items { walk(item.expression) }
    }

    private mutating func walk(_ window: WindowSpecification) {
        walk(window.partitionBy)
        walk(window.orderBy)
        for bound in [window.frame?.start, window.frame?.end] {
            switch bound {
            case .preceding(let expression)?, .following(let expression)?: walk(expression)
            default: break
            }
        }
    }

    private mutating func walk(_ call: FunctionCall) {
        walk(call.arguments.map(\.value))
        walk(call.orderBy)
        walk(call.withinGroup)
        if let filter = call.filter { walk(filter) }
        if case .specification(let window)? = call.over { walk(window) }
    }

    mutating func walk(_ expression: Expression) {
        switch expression.node {
        case .column(let name): columns.append(name)
        case .literal, .parameter, .defaultValue: break
        case .star(let star): walk(star.replaced.map(\.expression))
        case .unary(_, let a), .not(let a), .cast(let a, _, _), .collate(let a, _),
            .isTest(let a, _, _), .field(let a, _), .lambda(_, let a):
            walk(a)
        case .binary(_, let a, let b), .isDistinct(let a, let b, _), .inValue(let a, let b, _),
            .quantifiedValue(let a, _, _, let b), .atTimeZone(let a, let b), .element(let a, let b):
            walk([a, b])
        case .and(let list), .or(let list), .concatenation(let list), .row(let list),
            .list(let list):
            walk(list)
        case .between(let between): walk([between.operand, between.lower, between.upper])
        case .inList(let a, let list, _): walk([a] + list)
        case .inQuery(let a, let query, _), .quantifiedQuery(let a, _, _, let query):
            walk(a)
            walk(query)
        case .pattern(let test):
            walk([test.operand, test.pattern])
            if let escape = test.escape { walk(escape) }
        case .cased(let cased):
            walk([cased.operand, cased.otherwise].compactMap { $0 })
            for branch in cased.branches { walk([branch.condition, branch.result]) }
        case .function(let call): walk(call)
        case .interval(let interval): walk(interval.value)
        case .subquery(let query), .exists(let query), .listQuery(let query): walk(query)
        case .structure(let entries): walk(entries.map(\.value))
        case .map(let entries): for entry in entries { walk([entry.key, entry.value]) }
        case .slice(let a, let lower, let upper, let step):
            walk([a, lower, upper, step].compactMap { $0 })
        }
    }
}

/// The columns that an expression names.
enum ColumnNames {
    /// The parts of every name, in small letters: any of them may be the column.
    static func firstParts(of expression: Expression) -> Set<String> {
        var walker = NameWalker()
        walker.walk(expression)
        return Set(walker.columns.flatMap { $0.map { $0.name.lowercased() } })
    }
}
