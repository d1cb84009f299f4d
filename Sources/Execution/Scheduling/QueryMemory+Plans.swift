import Ambient
import Planner

extension QueryMemory {
    /// The memory of a new query; waits for room when others hold it all.
    ///
    /// Nobody waits while holding memory, so waiting ends; a query that gets no room for a minute fails.
    static func admitted(
        _ budget: MemoryBudget,
        operatorCount: Int,
        spills: SpillArea
    ) async throws -> QueryMemory {
        for _ in 0..<600 {
            do throws(AmbientError) {
                return try QueryMemory(budget, operatorCount: operatorCount, spills: spills)
            } catch {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        throw ExecutionError(
            .outOfMemory,
            "other queries hold all of the \(budget.limitBytes >> 20) MiB of memory that may be "
                + "used, and none has ended for a minute; try again or raise --memory"
        )
    }
}

extension PhysicalPlan {
    /// How many operators of the plan keep rows.
    var keepingOperatorCount: Int {
        switch self {
        case .aggregate(_, _, let input), .sort(_, _, let input), .shared(_, let input):
            1 + input.keepingOperatorCount
        case .window(let window): 1 + window.input.keepingOperatorCount
        case .join(let join):
            1 + join.left.keepingOperatorCount + join.right.keepingOperatorCount
        case .filter(_, _, let input), .project(_, let input), .limit(_, _, let input),
            .replicate(_, _, let input), .profiled(_, let input):
            input.keepingOperatorCount
        case .unnest(let unnest): unnest.input.keepingOperatorCount
        case .union(let inputs): inputs.reduce(0) { $0 + $1.keepingOperatorCount }
        // One that is not foreseen here gets its share when it begins.
        default: 0
        }
    }
}
