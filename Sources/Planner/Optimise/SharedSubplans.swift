import Columnar

/// Finds aggregates that a plan computes more than once, as a common table expression that is read twice
/// makes them, and has them computed once.
///
/// Only aggregates: what they give is small, and keeping it costs less than computing it again.
struct SharedSubplans {
    private var found: [PhysicalPlan] = []
    private var useCounts: [Int] = []

    /// Of plans with very many aggregates only the first are compared.
    private static let aggregateCountMax = 64

    static func share(_ plan: PhysicalPlan) -> PhysicalPlan {
        var sharing = SharedSubplans()
        sharing.collect(plan)
        guard sharing.useCounts.contains(where: { $0 > 1 }) else { return plan }
        return sharing.rewritten(plan)
    }

    private mutating func collect(_ plan: PhysicalPlan) {
        if case .aggregate = plan {
            if let place = found.firstIndex(where: { $0.givesSameRows(as: plan) }) {
                useCounts[place] += 1
            } else if found.count < Self.aggregateCountMax {
                found.append(plan)
                useCounts.append(1)
            }
        }
        _ = plan.mapInputs { input in
            collect(input)
            return input
        }
    }

    private func rewritten(_ plan: PhysicalPlan) -> PhysicalPlan {
        if case .aggregate = plan,
            let place = found.firstIndex(where: { $0.givesSameRows(as: plan) }),
            useCounts[place] > 1
        {
            return .shared(place, plan)
        }
        return plan.mapInputs { rewritten($0) }
    }
}

extension PhysicalPlan {
    /// The same operator over other inputs.
    func mapInputs(_ transform: (PhysicalPlan) -> PhysicalPlan) -> PhysicalPlan {
        switch self {
        case .scan, .values, .workingTable: return self
        case .filter(let condition, let output, let input):
            return .filter(condition, output: output, transform(input))
        case .project(let expressions, let input): return .project(expressions, transform(input))
        case .aggregate(let groups, let calls, let input):
            return .aggregate(groups: groups, calls: calls, transform(input))
        case .window(var window):
            window.input = transform(window.input)
            return .window(window)
        case .join(var join):
            join.left = transform(join.left)
            join.right = transform(join.right)
            return .join(join)
        case .sort(let keys, let limit, let input):
            return .sort(keys, limit: limit, transform(input))
        case .limit(let count, let offset, let input):
            return .limit(count: count, offset: offset, transform(input))
        case .union(let inputs): return .union(inputs.map(transform))
        case .replicate(let count, let output, let input):
            return .replicate(count, output: output, transform(input))
        case .unnest(var unnest):
            unnest.input = transform(unnest.input)
            return .unnest(unnest)
        case .shared(let number, let input): return .shared(number, transform(input))
        case .recursion(var recursion):
            recursion.anchor = transform(recursion.anchor)
            recursion.step = transform(recursion.step)
            return .recursion(recursion)
        case .numbering(let kind, let input): return .numbering(kind, transform(input))
        case .profiled(let number, let input): return .profiled(number, transform(input))
        }
    }

    /// Whether both compute the same from the same tables; false where that is not certain.
    fileprivate func givesSameRows(as other: PhysicalPlan) -> Bool {
        func areDeterministic(_ expressions: [BoundExpression]) -> Bool {
            expressions.allSatisfy(\.isDeterministic)
        }
        switch (self, other) {
        case (.scan(let a), .scan(let b)):
            return a.table.sourceID == b.table.sourceID && a.positions == b.positions
                && a.filters == b.filters && a.output == b.output && areDeterministic(a.filters)
        case (.filter(let a, let aOutput, let aInput), .filter(let b, let bOutput, let bInput)):
            return a == b && aOutput == bOutput && a.isDeterministic
                && aInput.givesSameRows(as: bInput)
        case (.project(let a, let aInput), .project(let b, let bInput)):
            return a == b && areDeterministic(a) && aInput.givesSameRows(as: bInput)
        case (
            .aggregate(let aGroups, let aCalls, let aInput),
            .aggregate(let bGroups, let bCalls, let bInput)
        ):
            return aGroups == bGroups && aCalls == bCalls && areDeterministic(aGroups)
                && areDeterministic(aCalls.flatMap(\.expressions))
                && aInput.givesSameRows(as: bInput)
        case (.join(let a), .join(let b)):
            return a.kind == b.kind && a.leftKeys == b.leftKeys && a.rightKeys == b.rightKeys
                && a.nullsMatch == b.nullsMatch && a.residual == b.residual
                && a.comparison == b.comparison && a.leftOutput == b.leftOutput
                && a.rightOutput == b.rightOutput && areDeterministic(a.leftKeys + a.rightKeys)
                && areDeterministic([a.residual, a.comparison].compactMap(\.self))
                && a.left.givesSameRows(as: b.left) && a.right.givesSameRows(as: b.right)
        case (.unnest(let a), .unnest(let b)):
            return a.lists == b.lists && a.output == b.output
                && a.hasOrdinality == b.hasOrdinality && a.keepsEmpty == b.keepsEmpty
                && areDeterministic(a.lists) && a.input.givesSameRows(as: b.input)
        default: return false
        }
    }
}
