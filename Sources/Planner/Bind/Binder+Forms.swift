import Columnar
import SQL

/// Calls that are written as others, before their arguments are looked at.
extension Binder {
    /// What a call is short for; nil where it stands for itself.
    func longForm(
        _ name: String,
        _ call: FunctionCall,
        at span: SourceSpan
    ) throws -> SQL.Expression? {
        switch name {
        case "nextval", "currval", "setval", "lastval":
            throw PlanError(
                .unsupported,
                "there are no sequences, so no \(name)",
                hint: "Use uuid(), or max(id) + row_number() OVER () in one INSERT.",
                at: span
            )
        case "make_interval": return try interval(call, at: span)
        default: return nil
        }
    }

    private func expression(
        _ name: String,
        _ arguments: [SQL.Expression],
        _ span: SourceSpan
    ) -> SQL.Expression {
        SQL.Expression(
            .function(
                FunctionCall(
                    name: [Identifier(name)],
                    arguments: arguments.map { FunctionArgument(value: $0) }
                )
            ),
            span: span
        )
    }

    /// PostgreSQL's `make_interval`: the sum of its parts, by place or by name.
    private func interval(_ call: FunctionCall, at span: SourceSpan) throws -> SQL.Expression {
        let parts = [
            ("years", "to_years"), ("months", "to_months"), ("weeks", "to_weeks"),
            ("days", "to_days"), ("hours", "to_hours"), ("mins", "to_minutes"),
            ("secs", "to_seconds"),
        ]
        var terms: [SQL.Expression] = []
        for (place, argument) in call.arguments.enumerated() {
            let index =
                argument.name.map { name in parts.firstIndex { name.means($0.0) } } ?? place
            guard let index, parts.indices.contains(index) else {
                throw PlanError(
                    .invalid,
                    "make_interval has no argument "
                        + (argument.name.map { "\"\($0.name)\"" } ?? "\(place + 1)"),
                    hint: "It takes \(parts.map(\.0).joined(separator: ", ")).",
                    at: argument.value.span
                )
            }
            terms.append(expression(parts[index].1, [argument.value], span))
        }
        guard let first = terms.first else { return expression("to_days", [number(0, span)], span) }
        return terms.dropFirst().reduce(first) {
            SQL.Expression(.binary(.add, $0, $1), span: span)
        }
    }

    private func number(_ value: Int, _ span: SourceSpan) -> SQL.Expression {
        SQL.Expression(.literal(.integer("\(value)")), span: span)
    }

    // MARK: VALUES with subqueries

    /// Rows of VALUES as a query of each, which may hold subqueries.
    func rowQueries(_ rows: [[SQL.Expression]]) -> QueryBody {
        let selects = rows.map { row in
            QueryBody.select(
                SelectBlock(
                    items: row.enumerated().map {
                        SelectItem(expression: $1, alias: Identifier("col\($0)"))
                    }
                )
            )
        }
        if selects.count == 1 { return selects[0] }
        return .setOperation(
            SQL.SetOperation(setOperator: .union, isAll: true, operands: selects)
        )
    }

    // MARK: INTERVAL … TO …

    /// `INTERVAL '1-2' YEAR TO MONTH` and its like; nil for a text of another form, which says its own units.
    func compoundInterval(
        _ text: String,
        _ first: IntervalField,
        _ last: IntervalField,
        at span: SourceSpan
    ) throws -> Interval? {
        let order: [IntervalField] = [.day, .hour, .minute, .second]
        var digits = text.filter { $0 != " " || first == .day }
        while digits.first == " " { digits.removeFirst() }
        while digits.last == " " { digits.removeLast() }
        var sign: Int64 = 1
        if let mark = digits.first, mark == "-" || mark == "+" {
            sign = mark == "-" ? -1 : 1
            digits.removeFirst()
        }
        func refuse() -> PlanError {
            PlanError(
                .invalid,
                "'\(text)' is no interval \(first.rawValue.uppercased()) TO "
                    + last.rawValue.uppercased(),
                at: span
            )
        }
        func times(_ a: Int64, _ b: Int64) throws -> Int64 {
            let (product, isTooLarge) = a.multipliedReportingOverflow(by: b)
            if isTooLarge { throw refuse() }
            return product
        }
        func sum(_ a: Int64, _ b: Int64) throws -> Int64 {
            let (sum, isTooLarge) = a.addingReportingOverflow(b)
            if isTooLarge { throw refuse() }
            return sum
        }
        if first == .year, last == .month {
            let parts = digits.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, let years = UInt32(parts[0]), let months = UInt32(parts[1]),
                months < 12
            else { return nil }
            let all = try times(sign, try sum(try times(Int64(years), 12), Int64(months)))
            guard let small = Int32(exactly: all) else { throw refuse() }
            return Interval(months: small)
        }
        guard let from = order.firstIndex(of: first), let to = order.firstIndex(of: last),
            from < to
        else {
            throw PlanError(
                .invalid,
                "there are no intervals \(first.rawValue.uppercased()) TO "
                    + last.rawValue.uppercased(),
                hint: "There are YEAR TO MONTH and DAY TO HOUR, MINUTE or SECOND and their like.",
                at: span
            )
        }
        var parts: [Substring] = []
        var clock = digits[...]
        if first == .day {
            guard let space = digits.firstIndex(of: " ") else { return nil }
            parts.append(digits[..<space])
            clock = digits[digits.index(after: space)...].drop { $0 == " " }
        }
        parts += clock.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == to - from + 1 else { return nil }
        var (days, micros): (Int64, Int64) = (0, 0)
        for (part, field) in zip(parts, order[from...to]) {
            switch field {
            case .second:
                let halves = part.split(separator: ".", omittingEmptySubsequences: false)
                guard halves.count <= 2, let whole = UInt32(halves[0]) else { return nil }
                micros = try sum(micros, try times(Int64(whole), 1_000_000))
                if halves.count == 2 {
                    var fraction = String(halves[1].prefix(6))
                    while fraction.count < 6 { fraction += "0" }
                    guard let number = UInt32(fraction) else { return nil }
                    micros = try sum(micros, Int64(number))
                }
            default:
                guard let number = UInt32(part) else { return nil }
                switch field {
                case .day: days = Int64(number)
                case .hour: micros = try sum(micros, try times(Int64(number), 3_600_000_000))
                default: micros = try sum(micros, try times(Int64(number), 60_000_000))
                }
            }
        }
        guard let whole = Int32(exactly: days * sign) else { throw refuse() }
        return Interval(days: whole, micros: micros * sign)
    }
}
