/// Replaces parts of a syntax tree: expressions, wherever they stand, and tables in FROM.
///
/// A closure that gives nil leaves its node and goes on with what is inside of it; a replacement is
/// taken as it is.
package struct TreeRewriter {
    private let replaceExpression: (Expression, TreeRewriter) throws -> Expression?
    private let replaceTable: (TableReference) throws -> TableReference?

    package init(
        expression: @escaping (Expression) throws -> Expression? = { _ in nil },
        table: @escaping (TableReference) throws -> TableReference? = { _ in nil }
    ) {
        replaceExpression = { part, _ in try expression(part) }
        replaceTable = table
    }

    /// A closure that rewrites parts of its node by itself.
    package init(recursive: @escaping (Expression, TreeRewriter) throws -> Expression?) {
        replaceExpression = recursive
        replaceTable = { _ in nil }
    }

    // MARK: Expressions

    @inline(never)
    package func rewrite(_ expression: Expression) throws -> Expression {
        if let replaced = try replaceExpression(expression, self) { return replaced }
        return Expression(try rewrite(expression.node), span: expression.span)
    }

    @inline(never)
    private func rewrite(_ node: Expression.Node) throws -> Expression.Node {
        switch node {
        case .literal, .column, .parameter, .defaultValue: node
        case .star, .unary, .binary, .and, .or, .not, .concatenation: try rewriteOperator(node)
        case .isTest, .isDistinct, .between, .inList, .inValue, .pattern, .quantifiedValue:
            try rewritePredicate(node)
        case .inQuery, .quantifiedQuery, .subquery, .exists, .listQuery: try rewriteQuery(node)
        case .cased, .cast, .function, .interval, .atTimeZone, .collate: try rewriteCall(node)
        case .row, .structure, .list, .map, .element, .slice, .field, .lambda:
            try rewriteNested(node)
        }
    }

    @inline(never)
    private func rewriteOperator(_ node: Expression.Node) throws -> Expression.Node {
        switch node {
        case .star(var star):
            star.pattern = try star.pattern.map {
                StarPattern(
                    kind: $0.kind,
                    pattern: try rewrite($0.pattern),
                    isNegated: $0.isNegated
                )
            }
            star.replaced = try star.replaced.map {
                StarReplacement(expression: try rewrite($0.expression), name: $0.name)
            }
            return .star(star)
        case .unary(let op, let operand): return .unary(op, try rewrite(operand))
        case .binary(let op, let left, let right):
            return .binary(op, try rewrite(left), try rewrite(right))
        case .and(let all): return .and(try all.map(rewrite))
        case .or(let all): return .or(try all.map(rewrite))
        case .not(let operand): return .not(try rewrite(operand))
        case .concatenation(let all): return .concatenation(try all.map(rewrite))
        default: return node
        }
    }

    @inline(never)
    private func rewritePredicate(_ node: Expression.Node) throws -> Expression.Node {
        switch node {
        case .isTest(let operand, let test, let isNegated):
            return .isTest(try rewrite(operand), test, isNegated: isNegated)
        case .isDistinct(let left, let right, let isNegated):
            return .isDistinct(try rewrite(left), try rewrite(right), isNegated: isNegated)
        case .between(var between):
            between.operand = try rewrite(between.operand)
            between.lower = try rewrite(between.lower)
            between.upper = try rewrite(between.upper)
            return .between(between)
        case .inList(let operand, let list, let isNegated):
            return .inList(try rewrite(operand), try list.map(rewrite), isNegated: isNegated)
        case .inValue(let operand, let list, let isNegated):
            return .inValue(try rewrite(operand), try rewrite(list), isNegated: isNegated)
        case .pattern(var test):
            test.operand = try rewrite(test.operand)
            test.pattern = try rewrite(test.pattern)
            test.escape = try test.escape.map(rewrite)
            return .pattern(test)
        case .quantifiedValue(let operand, let op, let quantifier, let list):
            return .quantifiedValue(try rewrite(operand), op, quantifier, try rewrite(list))
        default: return node
        }
    }

    @inline(never)
    private func rewriteQuery(_ node: Expression.Node) throws -> Expression.Node {
        switch node {
        case .inQuery(let operand, let query, let isNegated):
            return .inQuery(try rewrite(operand), try rewrite(query), isNegated: isNegated)
        case .quantifiedQuery(let operand, let op, let quantifier, let query):
            return .quantifiedQuery(try rewrite(operand), op, quantifier, try rewrite(query))
        case .subquery(let query): return .subquery(try rewrite(query))
        case .exists(let query): return .exists(try rewrite(query))
        case .listQuery(let query): return .listQuery(try rewrite(query))
        default: return node
        }
    }

    @inline(never)
    private func rewriteCall(_ node: Expression.Node) throws -> Expression.Node {
        switch node {
        case .cased(var cased):
            cased.operand = try cased.operand.map(rewrite)
            cased.branches = try cased.branches.map {
                CaseBranch(condition: try rewrite($0.condition), result: try rewrite($0.result))
            }
            cased.otherwise = try cased.otherwise.map(rewrite)
            return .cased(cased)
        case .cast(let operand, let type, let isTry):
            return .cast(try rewrite(operand), type, isTry: isTry)
        case .function(let call): return .function(try rewrite(call))
        case .interval(let interval):
            return .interval(
                IntervalExpression(
                    value: try rewrite(interval.value),
                    field: interval.field,
                    lastField: interval.lastField
                )
            )
        case .atTimeZone(let operand, let zone):
            return .atTimeZone(try rewrite(operand), zone: try rewrite(zone))
        case .collate(let operand, let name): return .collate(try rewrite(operand), name)
        default: return node
        }
    }

    @inline(never)
    private func rewriteNested(_ node: Expression.Node) throws -> Expression.Node {
        switch node {
        case .row(let all): return .row(try all.map(rewrite))
        case .structure(let entries):
            return .structure(
                try entries.map { StructureEntry(name: $0.name, value: try rewrite($0.value)) }
            )
        case .list(let all): return .list(try all.map(rewrite))
        case .map(let entries):
            return .map(
                try entries.map { MapEntry(key: try rewrite($0.key), value: try rewrite($0.value)) }
            )
        case .element(let base, let index): return .element(try rewrite(base), try rewrite(index))
        case .slice(let base, let lower, let upper, let step):
            return .slice(
                try rewrite(base),
                lower: try lower.map(rewrite),
                upper: try upper.map(rewrite),
                step: try step.map(rewrite)
            )
        case .field(let base, let name): return .field(try rewrite(base), name)
        case .lambda(let parameters, let body):
            return .lambda(parameters: parameters, body: try rewrite(body))
        default: return node
        }
    }

    @inline(never)
    package func rewrite(_ original: FunctionCall) throws -> FunctionCall {
        var call = original
        call.arguments = try call.arguments.map {
            FunctionArgument(name: $0.name, value: try rewrite($0.value))
        }
        call.orderBy = try call.orderBy.map(rewrite)
        call.withinGroup = try call.withinGroup.map(rewrite)
        call.filter = try call.filter.map(rewrite)
        if case .specification(let window)? = call.over {
            call.over = .specification(try rewrite(window))
        }
        return call
    }

    private func rewrite(_ item: OrderItem) throws -> OrderItem {
        OrderItem(
            expression: try rewrite(item.expression),
            direction: item.direction,
            nulls: item.nulls
        )
    }

    private func rewrite(_ original: WindowSpecification) throws -> WindowSpecification {
        var window = original
        window.partitionBy = try window.partitionBy.map(rewrite)
        window.orderBy = try window.orderBy.map(rewrite)
        window.frame?.start = try rewrite(original.frame?.start ?? .currentRow)
        window.frame?.end = try rewrite(original.frame?.end ?? .currentRow)
        return window
    }

    private func rewrite(_ bound: WindowFrame.Bound) throws -> WindowFrame.Bound {
        switch bound {
        case .preceding(let distance): .preceding(try rewrite(distance))
        case .following(let distance): .following(try rewrite(distance))
        case .unboundedPreceding, .currentRow, .unboundedFollowing: bound
        }
    }

    // MARK: Queries

    @inline(never)
    package func rewrite(_ original: Query) throws -> Query {
        var query = original
        if var with = query.with {
            with.expressions = try with.expressions.map {
                var expression = $0
                expression.query = try rewrite($0.query)
                return expression
            }
            query.with = with
        }
        query.body = try rewrite(query.body)
        if case .items(let items)? = query.orderBy {
            query.orderBy = .items(try items.map(rewrite))
        }
        if var limit = query.limit {
            limit.count = try limit.count.map(rewrite)
            limit.offset = try limit.offset.map(rewrite)
            query.limit = limit
        }
        return query
    }

    @inline(never)
    private func rewrite(_ body: QueryBody) throws -> QueryBody {
        switch body {
        case .select(let select): return .select(try rewrite(select))
        case .values(let rows): return .values(try rows.map { try $0.map(rewrite) })
        case .table(let name):
            let table = NamedTable(name: name, span: name.span)
            guard let replaced = try replaceTable(.table(table)) else { return body }
            if case .table(let other) = replaced, other.alias == nil, other.asOf == nil {
                return .table(other.name)
            }
            let star = SelectItem(expression: Expression(.star(Star()), span: name.span))
            return .select(SelectBlock(items: [star], from: [replaced], span: name.span))
        case .setOperation(var operation):
            operation.operands = try operation.operands.map(rewrite)
            return .setOperation(operation)
        case .nested(let query): return .nested(try rewrite(query))
        }
    }

    @inline(never)
    private func rewrite(_ original: SelectBlock) throws -> SelectBlock {
        var select = original
        if case .on(let expressions)? = select.distinct {
            select.distinct = .on(try expressions.map(rewrite))
        }
        select.items = try select.items.map {
            SelectItem(expression: try rewrite($0.expression), alias: $0.alias)
        }
        select.from = try select.from.map(rewrite)
        select.filter = try select.filter.map(rewrite)
        if case .elements(let elements, let isDistinct)? = select.groupBy {
            select.groupBy = .elements(try elements.map(rewrite), isDistinct: isDistinct)
        }
        select.having = try select.having.map(rewrite)
        select.windows = try select.windows.map {
            NamedWindow(name: $0.name, specification: try rewrite($0.specification))
        }
        select.qualify = try select.qualify.map(rewrite)
        select.sample = try select.sample.map(rewrite)
        return select
    }

    private func rewrite(_ element: GroupingElement) throws -> GroupingElement {
        switch element {
        case .expressions(let all): .expressions(try all.map(rewrite))
        case .rollup(let lists): .rollup(try lists.map { try $0.map(rewrite) })
        case .cube(let lists): .cube(try lists.map { try $0.map(rewrite) })
        case .sets(let elements): .sets(try elements.map(rewrite))
        }
    }

    private func rewrite(_ original: TableSample) throws -> TableSample {
        var sample = original
        sample.size = try rewrite(sample.size)
        sample.seed = try sample.seed.map(rewrite)
        return sample
    }

    // MARK: Tables

    @inline(never)
    package func rewrite(_ table: TableReference) throws -> TableReference {
        if let replaced = try replaceTable(table) { return replaced }
        switch table {
        case .table(var named):
            named.sample = try named.sample.map(rewrite)
            return .table(named)
        case .file(var file):
            file.sample = try file.sample.map(rewrite)
            return .file(file)
        case .function(var function):
            function.call = try rewrite(function.call)
            function.sample = try function.sample.map(rewrite)
            return .function(function)
        case .derived(var derived):
            derived.query = try rewrite(derived.query)
            derived.sample = try derived.sample.map(rewrite)
            return .derived(derived)
        case .join(var join):
            join.left = try rewrite(join.left)
            join.right = try rewrite(join.right)
            if case .on(let condition)? = join.condition {
                join.condition = .on(try rewrite(condition))
            }
            return .join(join)
        case .pivot(var pivot):
            pivot.source = try rewrite(pivot.source)
            pivot.on = try pivot.on.map { column in
                var column = column
                column.expression = try rewrite(column.expression)
                if case .list(let values)? = column.values {
                    column.values = .list(
                        try values.map {
                            SelectItem(expression: try rewrite($0.expression), alias: $0.alias)
                        }
                    )
                } else if case .query(let query)? = column.values {
                    column.values = .query(try rewrite(query))
                }
                return column
            }
            pivot.aggregates = try pivot.aggregates.map {
                SelectItem(expression: try rewrite($0.expression), alias: $0.alias)
            }
            pivot.groupBy = try pivot.groupBy.map { try $0.map(rewrite) }
            return .pivot(pivot)
        case .unpivot(var unpivot):
            unpivot.source = try rewrite(unpivot.source)
            unpivot.columns = try unpivot.columns.map {
                SelectItem(expression: try rewrite($0.expression), alias: $0.alias)
            }
            return .unpivot(unpivot)
        case .description(var description):
            description.query = try rewrite(description.query)
            return .description(description)
        }
    }
}
