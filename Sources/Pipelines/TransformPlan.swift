import Bytes
import Crypto
package import SQL

/// A transform as the engine runs it: what to compute, what to make of it, what must hold before it
/// is committed.
package struct TransformPlan: Sendable {
    /// An expectation that leaves rows out.
    package struct Drop: Sendable {
        package var name: String
        /// Rows of which this is not true are left out; NULL is not true.
        package var condition: Expression
    }

    /// Outermost namespace first, the table last.
    package var name: [String]
    package var kind: TransformSpec.Kind
    /// The rows to store: the body without what drops leave out.
    package var query: Query
    /// The rows before drops.
    package var body: Query
    package var drops: [Drop]
    /// What must hold of the rows to store.
    package var checks: [Check]
    package var partitionedBy: [PartitionField]
    package var sortedBy: [SortField]
    package var properties: [TableProperty]
    package var description: String?
    package var owner: String?
    package var tags: [String]
    /// The tables that the query names, without those that expectations look at; in the order met.
    package var reads: [ObjectName]
    /// The tables that only expectations look at.
    package var checkReads: [ObjectName]
    /// SHA-256 of `canonicalSpec`, 64 lower-case digits: the job's version in lineage.
    package var versionHash: String
    /// The spec with sorted keys, canonical SQL and without white space.
    package var canonicalSpec: String
    /// Where the spec's name stands.
    package var place: SpecPlace
    /// What the spec asks for that this version cannot run.
    package var unsupported: [SpecIssue]
    /// What the spec asks for that this version keeps and does not act on: schedules, tests.
    package var notes: [SpecIssue]
    /// How many tests the spec has.
    package var testCount: Int

    /// The name with dots, quoted where it must be.
    package var title: String { Printer.print(name.map { spelled($0) }) }

    /// The query as text: what `transform plan` shows.
    package var sql: String { Printer.print(query) }

    /// Whether this version can run the plan.
    ///
    /// - Throws: `unsupported`, with everything that it cannot.
    package func checkRunnable() throws(PipelineError) {
        if !unsupported.isEmpty { throw PipelineError(.unsupported, unsupported) }
    }

    /// Whether this version can run the plan's tests.
    ///
    /// - Throws: `unsupported` when there are any: this version runs none.
    package func checkTestable() throws(PipelineError) {
        let issues = notes.filter { $0.key == "tests" }
        if !issues.isEmpty { throw PipelineError(.unsupported, issues) }
    }

    /// Counts the rows before drops and, in the order of `drops`, those that each would leave out
    /// alone; nil without drops.
    ///
    /// One row: `total`, `violations_1`, `violations_2`, …
    package func dropCountQuery() throws(PipelineError) -> Query? {
        guard !drops.isEmpty else { return nil }
        let counts = drops.enumerated().map { index, drop in
            "count(*) FILTER (WHERE \(notTrue(drop.condition))) AS violations_\(index + 1)"
        }
        return try parse(
            "SELECT count(*) AS total, \(counts.joined(separator: ", ")) "
                + "FROM (\(Printer.print(body))) AS output"
        )
    }

    /// Queries that measure the checks over the rows as they are staged under a name.
    ///
    /// Each gives one row: `total`, then a number for each of its checks, in their order. Hand both to
    /// `Check.passes`. Checks of single rows share one query.
    package func checkQueries(over staged: ObjectName) throws(PipelineError) -> [CheckQuery] {
        let table = Printer.print(staged)
        var queries: [CheckQuery] = []
        let shared = checks.indices.filter { checks[$0].sharedColumn != nil }
        if !shared.isEmpty {
            let columns = shared.enumerated().map { place, index in
                "\(checks[index].sharedColumn ?? "NULL") AS violations_\(place + 1)"
            }
            queries.append(
                CheckQuery(
                    query: try parse(
                        "SELECT count(*) AS total, \(columns.joined(separator: ", ")) FROM \(table)"
                    ),
                    checks: shared
                )
            )
        }
        for index in checks.indices {
            guard let text = checks[index].ownQuery(table) else { continue }
            queries.append(CheckQuery(query: try parse(text), checks: [index]))
        }
        return queries
    }

    private func parse(_ text: String) throws(PipelineError) -> Query {
        try parsed(text, place, "expectations")
    }
}

/// A query that measures some checks.
package struct CheckQuery: Sendable {
    package var query: Query
    /// Places in the plan's checks, one for each column behind `total`.
    package var checks: [Int]
}

/// What must hold of all rows of a transform together.
package struct Check: Sendable {
    package var name: String
    /// `warn` or `fail`.
    package var action: Expectation.Action
    package var rule: Expectation.Rule
    /// The column, when the expectation is about several and each is counted alone.
    fileprivate var column: Identifier?

    /// Whether the numbers that its query gave are good.
    ///
    /// - Parameters:
    ///   - violations: rows that do not hold.
    ///   - total: all rows.
    package func passes(violations: Int64, total: Int64) -> Bool {
        switch rule {
        case .completeness(_, let share):
            Double(total - violations) >= share * Double(total)
        case .rowCount(let min, let max): total >= min ?? 0 && total <= max ?? .max
        default: violations == 0
        }
    }

    /// What to say when it does not pass.
    package func complaint(violations: Int64, total: Int64) -> String {
        switch rule {
        case .completeness(_, let share):
            "\(name): \(violations) of \(total) rows have no "
                + "\(column?.name ?? "value"); at least \(share) of them must have one"
        case .rowCount(let min, let max):
            "\(name): \(total) rows; expected are "
                + [min.map { "at least \($0)" }, max.map { "at most \($0)" }]
                .compactMap { $0 }.joined(separator: " and ")
        default: "\(name): \(violations) of \(total) rows violate it"
        }
    }

    /// The select item that counts violations in the query that checks share.
    fileprivate var sharedColumn: String? {
        switch rule {
        case .check(let condition): return "count(*) FILTER (WHERE \(notTrue(condition)))"
        case .completeness:
            return column.map { "count(*) - count(\(Printer.print([$0])))" }
        case .acceptedValues(let column, let values):
            return "count(*) FILTER (WHERE (\(acceptedText(column, values))) IS FALSE)"
        case .rowCount: return "CAST(0 AS BIGINT)"
        case .unique, .relationship: return nil
        }
    }

    /// The query of a check that cannot share one.
    fileprivate func ownQuery(_ staged: String) -> String? {
        switch rule {
        case .unique(let columns):
            let names = columns.map { Printer.print([$0]) }
            let known = names.map { "\($0) IS NOT NULL" }.joined(separator: " AND ")
            return "SELECT CAST(coalesce(sum(n), 0) AS BIGINT) AS total, "
                + "CAST(coalesce(sum(n) FILTER (WHERE n > 1), 0) AS BIGINT) AS violations_1 "
                + "FROM (SELECT count(*) AS n FROM \(staged) WHERE \(known) "
                + "GROUP BY \(names.joined(separator: ", "))) AS groups_of_equals"
        case .relationship(let column, let table, let field):
            let (own, other) = (Printer.print([column]), Printer.print([field]))
            return "SELECT count(*) AS total, count(*) FILTER (WHERE staged.\(own) IS NOT NULL "
                + "AND known.known_value IS NULL) AS violations_1 FROM \(staged) AS staged "
                + "LEFT JOIN (SELECT DISTINCT \(other) AS known_value FROM "
                + "\(Printer.print(table))) AS known ON staged.\(own) = known.known_value"
        default: return nil
        }
    }
}

private func notTrue(_ condition: Expression) -> String {
    "(\(Printer.print(condition))) IS NOT TRUE"
}

private func acceptedText(_ column: Identifier, _ values: [Expression]) -> String {
    "\(Printer.print([column])) IN (\(values.map { Printer.print($0) }.joined(separator: ", ")))"
}

private func parsed(
    _ text: String,
    _ place: SpecPlace,
    _ key: String
) throws(PipelineError) -> Query {
    do throws(SQLError) {
        return try Parser.parseQuery(text)
    } catch {
        throw PipelineError(
            .invalid,
            [SpecIssue(place, key: key, "this makes no query: \(error.message)")]
        )
    }
}

extension TransformSpec {
    /// Plans the transform; needs no warehouse.
    ///
    /// - Throws: `invalid` when its parts do not go together.
    package func plan() throws(PipelineError) -> TransformPlan {
        let body: Query
        switch self.body {
        case .sql(let query): body = query
        case .steps(let source, let steps):
            body = try StepCompiler.compile(source, steps, at: place)
        }
        var drops: [TransformPlan.Drop] = []
        var checks: [Check] = []
        for expectation in expectations {
            switch (expectation.action, expectation.rule) {
            case (.drop, .check(let condition)):
                drops.append(TransformPlan.Drop(name: expectation.name, condition: condition))
            case (.drop, .acceptedValues(let column, let values)):
                let text = "(\(acceptedText(column, values))) IS NOT FALSE"
                drops.append(
                    TransformPlan.Drop(name: expectation.name, condition: try expression(text))
                )
            case (.quarantine, _), (.drop, _): break
            case (_, .completeness(let columns, _)):
                for column in columns {
                    var check = Check(
                        name: expectation.name,
                        action: expectation.action,
                        rule: expectation.rule
                    )
                    check.column = column
                    checks.append(check)
                }
            default:
                checks.append(
                    Check(
                        name: expectation.name,
                        action: expectation.action,
                        rule: expectation.rule
                    )
                )
            }
        }
        var query = body
        if !drops.isEmpty {
            let conditions = drops.map { "(\(Printer.print($0.condition))) IS TRUE" }
            query = try parsed(
                "SELECT * FROM (\(Printer.print(body))) AS output WHERE "
                    + conditions.joined(separator: " AND "),
                place,
                "expectations"
            )
        }
        var reads = NameWalker()
        reads.walk(query)
        var checkReads: [ObjectName] = []
        for expectation in expectations {
            if case .relationship(_, let table, _) = expectation.rule,
                !reads.tables.contains(table), !checkReads.contains(table)
            {
                checkReads.append(table)
            }
        }
        let canonical = canonicalJSON.text(sortedKeys: true)
        return TransformPlan(
            name: name,
            kind: kind,
            query: query,
            body: body,
            drops: drops,
            checks: checks,
            partitionedBy: partitionedBy,
            sortedBy: sortedBy,
            properties: properties,
            description: description,
            owner: owner,
            tags: tags,
            reads: reads.tables,
            checkReads: checkReads,
            versionHash: Self.hash(canonical),
            canonicalSpec: canonical,
            place: place,
            unsupported: unsupported,
            notes: notes,
            testCount: tests.count
        )
    }

    private func expression(_ text: String) throws(PipelineError) -> Expression {
        do throws(SQLError) {
            return try Parser.parseExpression(text)
        } catch {
            throw PipelineError(
                .invalid,
                [SpecIssue(place, key: "expectations", "this is no condition: \(error.message)")]
            )
        }
    }

    private static func hash(_ text: String) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var result: [UInt8] = []
        for byte in SHA256.hash(data: Array(text.utf8)) {
            result.append(digits[Int(byte >> 4)])
            result.append(digits[Int(byte & 15)])
        }
        return String(decoding: result, as: UTF8.self)
    }
}
