package import Columnar

extension LogicalPlan {
    /// `WITH RECURSIVE`: rows of the anchor, then rows of the step over what came last, until there are
    /// no more.
    package struct Recursion: Sendable {
        /// Tells the recursions of a statement apart; `WorkingTable.number` names one of them.
        package var number: Int
        /// Whether rows that were there before come again (`UNION ALL`).
        package var isAll: Bool
        /// What comes first; it does not read the working table.
        package var anchor: LogicalPlan
        /// What is repeated; its columns have the types of the anchor's.
        package var step: LogicalPlan
        package var columns: [PlanColumn]
    }

    /// The rows that the last round of a recursion gave, inside of its step.
    package struct WorkingTable: Sendable {
        package var number: Int
        /// As many as the recursion has, under ids of this place.
        package var columns: [PlanColumn]
        /// Columns of the query around that the rows depend on, while subqueries are being unnested.
        package var outer: Set<ColumnID> = []
    }

    /// A plan that is computed once wherever it stands: a common table expression.
    package struct Materialized: Sendable {
        /// The same wherever `input` is the same.
        package var number: Int
        /// The input's columns, under ids of this place.
        package var columns: [PlanColumn]
        /// Reads nothing of the queries around it.
        package var input: LogicalPlan
    }

    /// Adds a column that is counted or drawn row by row, as the rows come.
    package struct Numbering: Sendable {
        package var kind: RowNumbering
        package var column: PlanColumn
        package var input: LogicalPlan
    }

    /// Whether the working table of some recursion is read that is not inside of the plan.
    package var readsWorkingTable: Bool {
        func reads(_ plan: LogicalPlan, _ inside: Set<Int>) -> Bool {
            switch plan {
            case .workingTable(let table): return !inside.contains(table.number)
            case .recursion(let recursion):
                return reads(recursion.anchor, inside)
                    || reads(recursion.step, inside.union([recursion.number]))
            default: return plan.inputs.contains { reads($0, inside) }
            }
        }
        return reads(self, [])
    }

    /// Whether two readings of the plan give the same rows.
    package var isDeterministic: Bool {
        if case .numbering(let numbering) = self, case .random(_, _, false) = numbering.kind {
            return false
        }
        var result = true
        _ = mapExpressions { expression in
            if !expression.isDeterministic { result = false }
            return expression
        }
        return result && inputs.allSatisfy(\.isDeterministic)
    }

    /// The tree with the working table of a recursion replaced.
    func mapWorkingTable(
        _ number: Int,
        _ transform: (WorkingTable) -> WorkingTable
    ) -> LogicalPlan {
        if case .workingTable(let table) = self, table.number == number {
            return .workingTable(transform(table))
        }
        return mapInputs { $0.mapWorkingTable(number, transform) }
    }
}

/// What a row's number is.
package enum RowNumbering: Sendable, Hashable {
    /// 0, 1, 2, … in the order in which a single thread reads the rows, of type BIGINT.
    case position
    /// A number drawn from 0 ..< 1, of type DOUBLE, one for every `blockRows` rows.
    ///
    /// With `isRepeatable` a single thread reads the rows, so that a seed gives the same numbers again.
    case random(seed: UInt64, blockRows: Int, isRepeatable: Bool)

    package var type: DataType {
        switch self {
        case .position: .int64
        case .random: .float64
        }
    }

    /// Whether rows must come in the order of their tables.
    package var isInOrder: Bool {
        switch self {
        case .position: true
        case .random(_, _, let isRepeatable): isRepeatable
        }
    }
}

extension PhysicalPlan {
    /// See `LogicalPlan.Recursion`.
    package struct Recursion: Sendable {
        package var number: Int
        package var isAll: Bool
        package var anchor: PhysicalPlan
        package var step: PhysicalPlan
    }

    package var readsWorkingTable: Bool {
        if case .workingTable = self { return true }
        return inputs.contains(where: \.readsWorkingTable)
    }

    /// How many rows the scans below read; nil where that is not known.
    var scannedRowCount: Int? {
        if case .scan(let scan) = self { return scan.table.rowCount }
        var sum = 0
        for input in inputs {
            guard let count = input.scannedRowCount else { return nil }
            let (next, overflow) = sum.addingReportingOverflow(count)
            if overflow { return nil }
            sum = next
        }
        return sum
    }

    /// The inputs, left to right.
    var inputs: [PhysicalPlan] {
        var inputs: [PhysicalPlan] = []
        _ = mapInputs {
            inputs.append($0)
            return $0
        }
        return inputs
    }
}

extension PhysicalPlanner {
    /// Rows that are kept for all rounds although they would only flow past.
    private static let keptRowsMax = 1_000_000

    /// The step of a recursion with what no round changes computed once: what is built into tables, and
    /// what is small.
    static func keepingInvariants(_ step: PhysicalPlan, _ nextNumber: () -> Int) -> PhysicalPlan {
        func kept(_ plan: PhysicalPlan) -> PhysicalPlan {
            switch plan {
            case .values, .shared: plan
            default: .shared(nextNumber(), plan)
            }
        }
        guard step.readsWorkingTable else { return step }
        guard case .join(var join) = step else {
            return step.mapInputs { keepingInvariants($0, nextNumber) }
        }
        if join.right.readsWorkingTable {
            join.right = keepingInvariants(join.right, nextNumber)
        } else {
            join.right = kept(join.right)
        }
        if join.left.readsWorkingTable {
            join.left = keepingInvariants(join.left, nextNumber)
        } else if let count = join.left.scannedRowCount, count <= keptRowsMax {
            join.left = kept(join.left)
        }
        return .join(join)
    }
}

extension LogicalPlan {
    /// How often each common table stands in the tree.
    var materializedCounts: [Int: Int] {
        var counts: [Int: Int] = [:]
        func visit(_ plan: LogicalPlan) {
            if case .materialized(let common) = plan { counts[common.number, default: 0] += 1 }
            plan.inputs.forEach(visit)
        }
        visit(self)
        return counts
    }
}
