import Columnar
import SQL

/// Samples of rows, and joins of rows by their place.
extension Binder {
    /// Rows that stand together in a system sample.
    private static let systemBlockRows = 2048

    /// `TABLESAMPLE` and `USING SAMPLE`: a share of the rows, or so many of them.
    mutating func sampled(_ plan: LogicalPlan, _ sample: TableSample?) throws -> LogicalPlan {
        guard let sample else { return plan }
        let methods = ["bernoulli", "system", "reservoir"]
        let method =
            sample.method?.name.lowercased() ?? (sample.unit == .rows ? "reservoir" : "system")
        guard methods.contains(method) else {
            throw PlanError(
                .invalid,
                "there is no sampling method \"\(method)\"",
                hint: nearest(to: method, among: methods).map { "Did you mean \($0)?" }
                    ?? "There are bernoulli, system and reservoir.",
                at: sample.method?.span ?? sample.span
            )
        }
        if sample.unit == .rows, method != "reservoir" {
            throw PlanError(
                .invalid,
                "\(method) takes a share of the rows, not a number of them",
                hint: "Write a percentage, or reservoir(n ROWS).",
                at: sample.span
            )
        }
        var seed = UInt64(bitPattern: environment.nowMicros)
        if let written = sample.seed {
            guard case .int64(let number) = try constant(written, as: .int64) else {
                throw PlanError(.invalid, "a seed is a whole number", at: written.span)
            }
            seed = UInt64(bitPattern: number)
        }
        let number = newColumn("sample", .float64, isNullable: false)
        if sample.seed == nil {
            // Two samples of a statement draw different numbers.
            seed = (seed ^ UInt64(number.id.number)) &* 0x9E37_79B9_7F4A_7C15
        }
        let drawn = LogicalPlan.numbering(
            LogicalPlan.Numbering(
                kind: .random(
                    seed: seed,
                    blockRows: method == "system" ? Self.systemBlockRows : 1,
                    isRepeatable: sample.seed != nil
                ),
                column: number,
                input: plan
            )
        )
        let key = SortKey(expression: number.reference, isDescending: false, nullsFirst: false)
        let kept: LogicalPlan
        switch (method, sample.unit) {
        case (_, .rows):
            guard case .int64(let count) = try constant(sample.size, as: .int64), count >= 0 else {
                throw PlanError(
                    .invalid,
                    "a sample has 0 or more rows",
                    at: sample.size.span
                )
            }
            kept = .limit(count: Int(count), offset: 0, .sort([key], limit: nil, drawn))
        case ("reservoir", .percent):
            _ = try samplePercent(sample)
            kept = try withShare(drawn, sample.size, nil, [key])
        default:
            kept = .filter(
                .compare(
                    .less,
                    number.reference,
                    .constant(.float64(try samplePercent(sample) / 100), .float64)
                ),
                drawn
            )
        }
        return .project(plan.columns.map { LogicalPlan.Projection($0.reference, $0) }, kept)
    }

    private mutating func samplePercent(_ sample: TableSample) throws -> Double {
        guard case .float64(let percent) = try constant(sample.size, as: .float64),
            percent >= 0, percent <= 100
        else {
            throw PlanError(
                .invalid,
                "a share of rows goes from 0 to 100 percent",
                at: sample.size.span
            )
        }
        return percent
    }

    /// `POSITIONAL JOIN`: the first row of the left with the first of the right, and so on; the shorter
    /// side goes on with nulls.
    mutating func positional(_ left: LogicalPlan, _ right: LogicalPlan) -> LogicalPlan {
        let places = [left, right].map { _ in newColumn("position", .int64, isNullable: false) }
        let numbered = zip([left, right], places).map { plan, column in
            LogicalPlan.numbering(
                LogicalPlan.Numbering(kind: .position, column: column, input: plan)
            )
        }
        let join = LogicalPlan.join(
            LogicalPlan.Join(
                kind: .full,
                left: numbered[0],
                right: numbered[1],
                conditions: [.compare(.equal, places[0].reference, places[1].reference)]
            )
        )
        let kept = Set(places.map(\.id))
        return .project(
            join.columns.filter { !kept.contains($0.id) }
                .map { LogicalPlan.Projection($0.reference, $0) },
            join
        )
    }
}
