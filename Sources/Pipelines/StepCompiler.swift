import SQL

/// Turns steps into one query.
///
/// The query grows as text of printed parts, each of which was parsed whole before, and is parsed at
/// the end: so it is the tree that its own printed form reads back to. A step joins the SELECT under
/// way where that changes no meaning, else that SELECT becomes a common table expression called after
/// its last step and a new one begins.
struct StepCompiler {
    /// What the SELECT under way holds already, in the order in which its clauses take effect.
    private enum Stage: Int, Comparable {
        case from, filtered, projected, grouped, distinct, sorted, limited

        static func < (a: Stage, b: Stage) -> Bool { a.rawValue < b.rawValue }
    }

    private let source: TransformSpec.StepSource
    private var expressions: [String] = []
    private var stage = Stage.from
    private var from: String
    /// Names that tables in `from` have.
    private var aliases: Set<String>
    private var filters: [String] = []
    private var items = ["*"]
    private var groups: String?
    private var having: String?
    private var order = ""
    private var limit = ""
    private var isDistinct = false
    /// Names that `derive` has added to this SELECT.
    private var derived: Set<String> = []
    /// Names of the common table expressions.
    private var names: Set<String> = []

    /// The query of a source and steps.
    ///
    /// - Throws: `invalid` when two joined tables have the same name, or the text nests too deeply.
    static func compile(
        _ source: TransformSpec.StepSource,
        _ steps: [TransformStep],
        at place: SpecPlace
    ) throws(PipelineError) -> Query {
        var compiler = StepCompiler(source)
        for (index, step) in steps.enumerated() {
            try compiler.add(step, index, place)
        }
        let text = compiler.text
        do throws(SQLError) {
            return try Parser.parseQuery(text)
        } catch {
            throw PipelineError(
                .invalid,
                [SpecIssue(place, key: "steps", "the steps make no query: \(error.message)")]
            )
        }
    }

    private init(_ source: TransformSpec.StepSource) {
        self.source = source
        from = Self.table(source.table, source.alias)
        aliases = [source.alias.name.lowercased()]
    }

    private static func table(_ table: ObjectName, _ alias: Identifier) -> String {
        let isSame = table.last?.name == alias.name
        let name = Printer.print(table)
        return isSame ? name : "\(name) AS \(Printer.print([alias]))"
    }

    private static func name(_ name: Identifier) -> String { Printer.print([name]) }

    private static func item(_ column: TransformStep.Named) -> String {
        if case .column(let name) = column.expression.node, name.count == 1,
            name.first == column.name
        {
            return Printer.print(column.expression)
        }
        return "\(Printer.print(column.expression)) AS \(name(column.name))"
    }

    // MARK: Text

    private var select: String {
        var text = "SELECT \(isDistinct ? "DISTINCT " : "")\(items.joined(separator: ", "))"
        text += " FROM \(from)"
        if !filters.isEmpty {
            let conditions = filters.count == 1 ? filters : filters.map { "(\($0))" }
            text += " WHERE \(conditions.joined(separator: " AND "))"
        }
        if let groups, !groups.isEmpty { text += " GROUP BY \(groups)" }
        if let having { text += " HAVING \(having)" }
        return text + order + limit
    }

    private var text: String {
        expressions.isEmpty ? select : "WITH \(expressions.joined(separator: ", ")) \(select)"
    }

    /// Closes the SELECT under way: what comes next reads its rows.
    @discardableResult
    private mutating func close(before index: Int) -> String {
        var name = "\"step \(index)\""
        var part = 1
        while !names.insert(name).inserted {
            part += 1
            name = "\"step \(index) part \(part)\""
        }
        expressions.append("\(name) AS (\(select))")
        let left = Self.name(source.alias)
        from = "\(name) AS \(left)"
        aliases = [source.alias.name.lowercased()]
        stage = .from
        filters = []
        items = ["*"]
        groups = nil
        having = nil
        order = ""
        limit = ""
        isDistinct = false
        derived = []
        return name
    }

    private mutating func need(_ last: Stage, before index: Int) {
        if stage > last { close(before: index) }
    }

    // MARK: Steps

    private mutating func add(
        _ step: TransformStep,
        _ index: Int,
        _ place: SpecPlace
    ) throws(PipelineError) {
        switch step {
        case .filter(let condition):
            need(.filtered, before: index)
            filters.append(Printer.print(condition))
            stage = .filtered
        case .derive(let columns):
            for column in columns { derive(column, index) }
        case .replace(let columns):
            need(.filtered, before: index)
            let list = columns.map {
                "\(Printer.print($0.expression)) AS \(Self.name($0.name))"
            }
            items = ["* REPLACE (\(list.joined(separator: ", ")))"]
            stage = .projected
        case .select(let columns):
            need(.filtered, before: index)
            items = columns.map(Self.item)
            stage = .projected
        case .rename(let renamings):
            need(.filtered, before: index)
            let list = renamings.map { "\(Self.name($0.old)) AS \(Self.name($0.new))" }
            items = ["* RENAME (\(list.joined(separator: ", ")))"]
            stage = .projected
        case .drop(let columns):
            need(.filtered, before: index)
            items = ["* EXCLUDE (\(columns.map(Self.name).joined(separator: ", ")))"]
            stage = .projected
        case .join(let join): try add(join, index, place)
        case .aggregate(let aggregate):
            need(.filtered, before: index)
            items = (aggregate.groups + aggregate.measures).map(Self.item)
            groups = aggregate.groups.map { Printer.print($0.expression) }.joined(separator: ", ")
            having = aggregate.having.map { Printer.print($0) }
            stage = .grouped
        case .tumbling(let window):
            need(.filtered, before: index)
            items += [
                "\(window.startText) AS \(Self.name(window.start))",
                "\(window.endText) AS \(Self.name(window.end))",
            ]
            stage = .projected
        case .distinct:
            need(.grouped, before: index)
            isDistinct = true
            stage = .distinct
        case .sort(let keys):
            // Behind a select list a name may mean another column inside an expression.
            need(keys.allSatisfy(Self.isColumn) ? .distinct : .filtered, before: index)
            order = " ORDER BY \(keys.map(Self.orderText).joined(separator: ", "))"
            stage = .sorted
        case .limit(let count, let offset):
            need(.sorted, before: index)
            limit = " LIMIT \(count)" + (offset > 0 ? " OFFSET \(offset)" : "")
            stage = .limited
        case .union(let tables, let isDistinct):
            let rows = close(before: index)
            let word = isDistinct ? " UNION " : " UNION ALL "
            let all =
                ["SELECT * FROM \(rows)"]
                + tables.map { "SELECT * FROM \(Printer.print($0))" }
            let name = "\"step \(index) union\""
            expressions.append("\(name) AS (\(all.joined(separator: word)))")
            from = "\(name) AS \(Self.name(source.alias))"
        }
    }

    private mutating func derive(_ column: TransformStep.Named, _ index: Int) {
        let isChained = !derived.isEmpty && stage == .projected
        let mentioned = ColumnNames.firstParts(of: column.expression)
        if !isChained || !mentioned.isDisjoint(with: derived) { need(.filtered, before: index) }
        items.append("\(Printer.print(column.expression)) AS \(Self.name(column.name))")
        derived.insert(column.name.name.lowercased())
        stage = .projected
    }

    private static func isColumn(_ item: OrderItem) -> Bool {
        if case .column(let name) = item.expression.node { name.count == 1 } else { false }
    }

    private static func orderText(_ item: OrderItem) -> String {
        [Printer.print(item.expression), item.direction?.rawValue, item.nulls?.rawValue]
            .compactMap { $0 }.joined(separator: " ")
    }

    private mutating func add(
        _ join: StepJoin,
        _ index: Int,
        _ place: SpecPlace
    ) throws(PipelineError) {
        // Only one side of it has a name that stands for all its columns.
        let isNarrow = join.columns != nil && aliases.count > 1
        need(.from, before: index)
        if isNarrow, aliases.count > 1 { close(before: index) }
        guard aliases.insert(join.alias.name.lowercased()).inserted else {
            throw PipelineError(
                .invalid,
                [
                    SpecIssue(
                        place,
                        key: "steps[\(index)].join",
                        "two joined tables are called \"\(join.alias.name)\"",
                        hint: "give one another name with \"as\""
                    )
                ]
            )
        }
        from += " \(join.kind.rawValue) JOIN \(Self.table(join.table, join.alias))"
        switch join.condition {
        case .columns(let columns):
            from += " USING (\(columns.map(Self.name).joined(separator: ", ")))"
        case .expression(let condition): from += " ON \(Printer.print(condition))"
        case .none: break
        }
        if let columns = join.columns {
            let right = Self.name(join.alias)
            items =
                ["\(Self.name(source.alias)).*"] + columns.map { "\(right).\(Self.name($0))" }
            stage = .projected
        }
    }
}

extension TumblingWindow {
    /// Whether the windows fit the next larger unit, so that they begin where it does.
    var isAligned: Bool {
        switch unit {
        case .second, .minute: count <= 60 && 60 % count == 0
        case .hour: count <= 24 && 24 % count == 0
        case .month: count <= 12 && 12 % count == 0
        case .quarter: count <= 4 && 4 % count == 0
        default: count == 1
        }
    }

    /// The beginning of the window that the column's time is in.
    fileprivate var startText: String {
        let time = Printer.print(column)
        guard count > 1 else { return "date_trunc('\(unit.rawValue)', \(time))" }
        let months = unit == .quarter ? count * 3 : count
        switch unit {
        case .month, .quarter:
            let number = "CAST(date_part('month', \(time)) AS BIGINT) - 1"
            return "date_add(date_trunc('year', \(time)), "
                + "((\(number)) // \(months)) * \(months) * INTERVAL '1 month')"
        default:
            let outer =
                switch unit {
                case .second: "minute"
                case .minute: "hour"
                default: "day"
                }
            let number = "CAST(date_part('\(unit.rawValue)', \(time)) AS BIGINT)"
            return "date_trunc('\(outer)', \(time)) "
                + "+ (\(number) // \(count)) * \(count) * INTERVAL '1 \(unit.rawValue)'"
        }
    }

    fileprivate var endText: String {
        unit == .quarter
            ? "\(startText) + INTERVAL '\(count * 3) month'"
            : "\(startText) + INTERVAL '\(count) \(unit.rawValue)'"
    }
}
