import Columnar

/// Which input columns each output column of a query comes from: read off the bound plan, so that it
/// cannot disagree with what runs.
///
/// - Spec: OpenLineage, columnLineage facet 1-2-0, transformation types and subtypes.
package struct ColumnLineage: Sendable {
    /// Whether values flow from input to output, or only decide about it.
    package enum Kind: String, Sendable, Hashable {
        case direct = "DIRECT"
        case indirect = "INDIRECT"
    }

    package enum Subtype: String, Sendable, Hashable, Comparable {
        case identity = "IDENTITY"
        case transformation = "TRANSFORMATION"
        case aggregation = "AGGREGATION"
        case join = "JOIN"
        case groupBy = "GROUP_BY"
        case filter = "FILTER"
        case sort = "SORT"
        case window = "WINDOW"
        case conditional = "CONDITIONAL"

        package static func < (a: Subtype, b: Subtype) -> Bool { a.rawValue < b.rawValue }
    }

    package struct Edge: Sendable, Hashable {
        /// The output column; `*` when the input decides about whole rows.
        package var output: String
        package var inputTable: String
        package var inputColumn: String
        package var type: Kind
        package var subtype: Subtype
    }

    /// An input column, and how a value came from it so far.
    private struct Origin: Hashable {
        var table: String
        var column: String
        var subtype: Subtype
    }

    /// For each output column, in order, the edges of its values.
    package private(set) var columnEdges: [[Edge]] = []
    /// The edges of input columns that decide about whole rows.
    package private(set) var rowEdges: [Edge] = []

    /// In the order of the output columns, those of whole rows last.
    package var edges: [Edge] { columnEdges.flatMap { $0 } + rowEdges }

    private var direct: [ColumnID: Set<Origin>] = [:]
    /// Conditions inside a column's own expression.
    private var conditional: [ColumnID: Set<Origin>] = [:]
    private var rows: Set<Origin> = []
    /// The columns of the recursions around, by their number.
    private var working: [Int: [PlanColumn]] = [:]

    package init(_ plan: LogicalPlan) {
        collect(plan)
        columnEdges = plan.columns.map { column in
            Self.edges(direct[column.id] ?? [], column.name, .direct)
                + Self.edges(conditional[column.id] ?? [], column.name, .indirect)
        }
        rowEdges = Self.edges(rows, "*", .indirect)
    }

    private static func edges(
        _ origins: Set<Origin>,
        _ output: String,
        _ kind: Kind
    ) -> [Edge] {
        origins.sorted {
            ($0.table, $0.column, $0.subtype) < ($1.table, $1.column, $1.subtype)
        }.map {
            Edge(
                output: output,
                inputTable: $0.table,
                inputColumn: $0.column,
                type: kind,
                subtype: $0.subtype
            )
        }
    }

    private mutating func collect(_ plan: LogicalPlan) {
        if case .recursion(let recursion) = plan { return collect(recursion) }
        for input in plan.inputs { collect(input) }
        switch plan {
        case .scan(let scan):
            for (position, column) in scan.columns {
                direct[column.id] = [
                    Origin(
                        table: scan.table.name,
                        column: scan.table.schema[position].name,
                        subtype: .identity
                    )
                ]
            }
            for filter in scan.filters { rows.formUnion(decide(filter, .filter)) }
        case .values, .limit, .recursion: break
        case .workingTable(let table):
            for (own, column) in zip(working[table.number] ?? [], table.columns) {
                direct[column.id] = direct[own.id] ?? []
                conditional[column.id] = conditional[own.id] ?? []
            }
        case .materialized(let common):
            for (own, column) in zip(common.input.columns, common.columns) {
                direct[column.id] = direct[own.id] ?? []
                conditional[column.id] = conditional[own.id] ?? []
            }
        case .numbering(let numbering): direct[numbering.column.id] = []
        case .filter(let condition, _): rows.formUnion(decide(condition, .filter))
        case .project(let projections, _):
            for projection in projections {
                derive(projection.expression, to: projection.column.id, .transformation)
            }
        case .aggregate(let aggregate):
            for group in aggregate.groups {
                derive(group.expression, to: group.column.id, .transformation)
                rows.formUnion(decide(group.expression, .groupBy))
            }
            for (call, column) in aggregate.calls {
                derive(call, to: column.id)
            }
        case .window(let window):
            for (call, column) in window.calls {
                direct[column.id] = []
                for argument in call.arguments { derive(argument, to: column.id, .aggregation) }
                if case .aggregate(let aggregate) = call.function {
                    derive(aggregate, to: column.id)
                }
                // Which rows a value is taken from, not whether a row exists.
                var deciding = Set<Origin>()
                for expression in window.partition + window.order.map(\.expression) {
                    deciding.formUnion(decide(expression, .window))
                }
                conditional[column.id, default: []].formUnion(deciding)
            }
        case .join(let join):
            var subtype = Subtype.join
            if case .mark(let id) = join.kind {
                // The mark itself comes from the keys of both sides.
                subtype = .filter
                for condition in join.conditions {
                    derive(condition, to: id, .transformation)
                }
                if join.conditions.isEmpty { direct[id] = [] }
            }
            for condition in join.conditions + join.correlations {
                rows.formUnion(decide(condition, subtype))
            }
        case .sort(let keys, _, _):
            for key in keys { rows.formUnion(decide(key.expression, .sort)) }
        case .unnest(let unnest):
            for item in unnest.items {
                derive(item.expression, to: item.column.id, .transformation)
                rows.formUnion(decide(item.expression, .filter))
            }
            if let ordinality = unnest.ordinality { direct[ordinality.id] = [] }
        case .setOperation(let operation):
            // What is in both inputs, or in one alone, is the first one's.
            let sources =
                operation.kind == .union ? operation.inputs[...] : operation.inputs.prefix(1)
            for (index, column) in operation.columns.enumerated() {
                for input in sources {
                    let id = input.columns[index].id
                    direct[column.id, default: []].formUnion(direct[id] ?? [])
                    conditional[column.id, default: []].formUnion(conditional[id] ?? [])
                }
            }
            // Rows are compared by all of their columns.
            if operation.kind == .union, operation.isAll { break }
            let subtype: Subtype = operation.kind == .union ? .groupBy : .filter
            for input in operation.inputs {
                for column in input.columns { rows.formUnion(decide([column.id], subtype)) }
            }
        }
    }

    /// A column of a recursion comes from what the anchor and any round of the step make of it.
    private mutating func collect(_ recursion: LogicalPlan.Recursion) {
        collect(recursion.anchor)
        func take(_ from: [PlanColumn], _ target: [PlanColumn], _ lineage: inout ColumnLineage) {
            for (own, next) in zip(from, target) {
                lineage.direct[next.id, default: []].formUnion(lineage.direct[own.id] ?? [])
                lineage.conditional[next.id, default: []]
                    .formUnion(lineage.conditional[own.id] ?? [])
            }
        }
        take(recursion.anchor.columns, recursion.columns, &self)
        // Each round moves an origin by one column at most.
        for _ in 0...recursion.columns.count {
            let before = recursion.columns.map { [direct[$0.id], conditional[$0.id]] }
            working[recursion.number] = recursion.columns
            collect(recursion.step)
            take(recursion.step.columns, recursion.columns, &self)
            if recursion.columns.map({ [direct[$0.id], conditional[$0.id]] }) == before { break }
        }
        // Rows that were there before do not come again.
        if !recursion.isAll { rows.formUnion(decide(Set(recursion.columns.map(\.id)), .groupBy)) }
    }

    private mutating func derive(_ call: AggregateCall, to id: ColumnID) {
        for argument in [call.argument].compactMap({ $0 }) + call.others {
            derive(argument, to: id, .aggregation)
        }
        if let filter = call.filter {
            conditional[id, default: []].formUnion(decide(filter, .conditional))
        }
        for key in call.order {
            conditional[id, default: []].formUnion(decide(key.expression, .sort))
        }
    }

    private mutating func derive(
        _ expression: BoundExpression,
        to id: ColumnID,
        _ subtype: Subtype
    ) {
        if case .column(let source, _) = expression, subtype == .transformation {
            direct[id] = direct[source] ?? []
            conditional[id] = conditional[source] ?? []
            return
        }
        var values: Set<Origin> = []
        var conditions: Set<Origin> = []
        visit(expression, subtype, &values, &conditions)
        direct[id, default: []].formUnion(values)
        conditional[id, default: []].formUnion(conditions)
    }

    private func visit(
        _ expression: BoundExpression,
        _ subtype: Subtype,
        _ values: inout Set<Origin>,
        _ conditions: inout Set<Origin>
    ) {
        switch expression {
        case .column(let id, _):
            for origin in direct[id] ?? [] {
                var origin = origin
                // An aggregation stays one, whatever is done with its result.
                if origin.subtype != .aggregation { origin.subtype = subtype }
                values.insert(origin)
            }
            conditions.formUnion(conditional[id] ?? [])
        case .conditional(let branches, let otherwise, _):
            for branch in branches {
                conditions.formUnion(decide(branch.condition, .conditional))
                visit(branch.value, subtype, &values, &conditions)
            }
            if let otherwise { visit(otherwise, subtype, &values, &conditions) }
        default:
            for child in expression.children { visit(child, subtype, &values, &conditions) }
        }
    }

    /// The input columns of a condition.
    private func decide(_ expression: BoundExpression, _ subtype: Subtype) -> Set<Origin> {
        decide(expression.columnIDs, subtype)
    }

    private func decide(_ columns: Set<ColumnID>, _ subtype: Subtype) -> Set<Origin> {
        var result: Set<Origin> = []
        for id in columns {
            for origin in (direct[id] ?? []).union(conditional[id] ?? []) {
                result.insert(
                    Origin(table: origin.table, column: origin.column, subtype: subtype)
                )
            }
        }
        return result
    }
}
