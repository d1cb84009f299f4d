import Columnar
package import SQL

/// A column that names in a clause may mean.
struct ScopeColumn {
    /// The alias or table name that may stand before it, innermost part last; empty when none may.
    var qualifier: [String]
    var name: String
    var column: PlanColumn
    /// Columns of a USING join that this one stands for; it hides them from `*`.
    var isHidden = false
    /// `rowid` and row lineage: found by name where nothing else has that, and part of no `*`.
    var isPseudo = false

    /// Whether `*` has it.
    var isShown: Bool { !isHidden && !isPseudo }
}

/// The columns of a FROM clause.
struct Scope {
    var columns: [ScopeColumn] = []

    init() {}

    init(_ columns: [ScopeColumn]) {
        self.columns = columns
    }

    /// All columns of a plan under one alias.
    init(_ plan: LogicalPlan, qualifier: [String]) {
        columns = plan.columns.map {
            ScopeColumn(qualifier: qualifier, name: $0.name, column: $0)
        }
    }

    /// The columns that a name may mean: exact spelling first, then, unless quoted, any case.
    func matches(_ name: ObjectName) -> [ScopeColumn] {
        guard let last = name.last else { return [] }
        let qualifier = name.dropLast()
        let found = columns.filter { candidate in
            guard !candidate.isHidden || !qualifier.isEmpty else { return false }
            return last.means(candidate.name)
                && Scope.qualifies(Array(qualifier), candidate.qualifier)
        }
        let real = found.filter { !$0.isPseudo }
        return real.isEmpty ? found : real
    }

    /// Whether `written` (possibly shorter) names the relation `full`.
    static func qualifies(_ written: [Identifier], _ full: [String]) -> Bool {
        guard written.count <= full.count else { return false }
        return zip(written.reversed(), full.reversed()).allSatisfy { $0.means($1) }
    }
}

extension Identifier {
    /// Whether this spelling names `other`: quoted ones exactly, others in any case.
    package func means(_ other: String) -> Bool {
        name == other || (!isQuoted && name.lowercased() == other.lowercased())
    }

    /// The name as it is looked up: lower case unless quoted.
    package var folded: String { isQuoted ? name : name.lowercased() }
}

/// The candidate nearest to a misspelt name, if one is near.
package func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
    let target = Array(name.lowercased().utf8)
    var best: (distance: Int, name: String)?
    for candidate in candidates {
        let distance = editDistance(target, Array(candidate.lowercased().utf8))
        if distance < best?.distance ?? Int.max { best = (distance, candidate) }
    }
    guard let best, best.distance <= max(1, target.count / 3) else { return nil }
    return best.name
}

private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    guard a.count < 128, b.count < 128 else { return Int.max }
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var distance = min(
                last[j] + (a[i] == b[j] ? 0 : 1),
                min(row[j], last[j + 1]) + 1
            )
            // Two letters in the wrong order are one slip.
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                distance = min(distance, beforeLast[j - 1] + 1)
            }
            row.append(distance)
        }
        beforeLast = last
        last = row
    }
    return last[b.count]
}
