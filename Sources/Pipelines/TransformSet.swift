package import Bytes
import SQL

/// The text of one spec and the name that messages give it.
package struct SpecSource: Sendable {
    package var file: String
    package var text: String

    package init(file: String, text: String) {
        self.file = file
        self.text = text
    }
}

/// Several transforms and what each needs of the others.
package struct TransformSet: Sendable {
    /// In an order in which each comes after those it reads from; otherwise by name.
    package let plans: [TransformPlan]
    /// For each plan, the places of the plans it reads from, ascending.
    package let upstream: [[Int]]

    /// Reads and plans all specs.
    ///
    /// - Parameter defaultNamespace: where names of one part lie.
    /// - Throws: `invalid` with every issue of every file, also when two write the same table or they
    ///   read from each other in a circle.
    package init(_ sources: [SpecSource], defaultNamespace: [String] = ["main"])
        throws(PipelineError)
    {
        var issues: [SpecIssue] = []
        var plans: [(key: [String], plan: TransformPlan)] = []
        for source in sources {
            do {
                let plan = try TransformSpec.decode(source.text, file: source.file).plan()
                plans.append((Self.key(plan.name, defaultNamespace), plan))
            } catch {
                issues += error.issues
            }
        }
        plans.sort { $0.key.lexicographicallyPrecedes($1.key, by: Self.precedes) }
        for (one, other) in zip(plans, plans.dropFirst()) where one.key == other.key {
            issues.append(
                SpecIssue(
                    other.plan.place,
                    key: "name",
                    "\(other.plan.title) is also written by \(one.plan.place)"
                )
            )
        }
        if !issues.isEmpty { throw PipelineError(.invalid, issues) }

        var places: [[String]: Int] = [:]
        for (index, entry) in plans.enumerated() { places[entry.key] = index }
        let needs = plans.map { entry in
            Set(
                (entry.plan.reads + entry.plan.checkReads).compactMap {
                    places[Self.key($0.map(\.name), defaultNamespace)]
                }
            )
        }
        let own = plans.indices.filter { needs[$0].contains($0) && !plans[$0].plan.mayReadItself }
        if let index = own.first {
            throw PipelineError(
                .invalid,
                [
                    SpecIssue(
                        plans[index].plan.place,
                        key: "",
                        "\(plans[index].plan.title) reads itself"
                    )
                ]
            )
        }
        let order = try Self.order(plans.map(\.plan), needs)
        var newPlaces: [Int: Int] = [:]
        for (place, index) in order.enumerated() { newPlaces[index] = place }
        self.plans = order.map { plans[$0].plan }
        upstream = order.map { index in
            needs[index].filter { $0 != index }.compactMap { newPlaces[$0] }.sorted()
        }
    }

    private static func precedes(_ a: String, _ b: String) -> Bool {
        a.utf8.lexicographicallyPrecedes(b.utf8)
    }

    /// The full name in small letters: unquoted names in SQL do not tell them apart.
    private static func key(_ name: [String], _ namespace: [String]) -> [String] {
        (name.count == 1 ? namespace + name : name).map { $0.lowercased() }
    }

    /// The plans in an order that respects their needs; of those that are free, by name.
    private static func order(
        _ plans: [TransformPlan],
        _ needs: [Set<Int>]
    ) throws(PipelineError) -> [Int] {
        var order: [Int] = []
        var done: Set<Int> = []
        while order.count < plans.count {
            let ready = plans.indices.filter {
                !done.contains($0) && needs[$0].subtracting([$0]).isSubset(of: done)
            }
            guard !ready.isEmpty else { throw circle(plans, needs, done) }
            order += ready
            done.formUnion(ready)
        }
        return order
    }

    /// Names the plans of a circle, in the order in which one reads from the next.
    private static func circle(
        _ plans: [TransformPlan],
        _ needs: [Set<Int>],
        _ done: Set<Int>
    ) -> PipelineError {
        var path: [Int] = []
        var index = plans.indices.first { !done.contains($0) }
        while let current = index {
            if let start = path.firstIndex(of: current) {
                let titles = (path[start...] + [current]).map { plans[$0].title }
                return PipelineError(
                    .invalid,
                    [
                        SpecIssue(
                            plans[current].place,
                            key: "",
                            "transforms read from each other in a circle: "
                                + titles.joined(separator: " reads ")
                        )
                    ]
                )
            }
            path.append(current)
            index = needs[current].subtracting(done).filter { $0 != current }.min()
        }
        return PipelineError(.invalid, [])
    }

    /// Chooses plans, in the set's order; no selector chooses all.
    ///
    /// `name`, `+name` with all it reads from, `name+` with all that reads from it, `ns.*`, `tag:word`.
    ///
    /// - Throws: `notFound` for a selector that chooses nothing.
    package func selection(_ selectors: [String]) throws(PipelineError) -> [TransformPlan] {
        guard !selectors.isEmpty else { return plans }
        var chosen: Set<Int> = []
        for selector in selectors {
            var name = Substring(selector)
            let withUpstream = name.hasPrefix("+")
            if withUpstream { name = name.dropFirst() }
            let withDownstream = name.hasSuffix("+")
            if withDownstream { name = name.dropLast() }
            let found = plans.indices.filter { matches(plans[$0], String(name)) }
            guard !found.isEmpty else {
                let near = nearest(String(name), in: plans.map(\.title))
                throw PipelineError(
                    .notFound,
                    [
                        SpecIssue(
                            SpecPlace(file: "selection", line: 1),
                            key: "",
                            "no transform is called \"\(selector)\"",
                            hint: near.map { "did you mean \"\($0)\"?" }
                        )
                    ]
                )
            }
            chosen.formUnion(found)
            if withUpstream { chosen.formUnion(closure(found) { upstream[$0] }) }
            if withDownstream {
                chosen.formUnion(
                    closure(found) { index in
                        plans.indices.filter { upstream[$0].contains(index) }
                    }
                )
            }
        }
        return chosen.sorted().map { plans[$0] }
    }

    private func matches(_ plan: TransformPlan, _ selector: String) -> Bool {
        if selector.hasPrefix("tag:") { return plan.tags.contains(String(selector.dropFirst(4))) }
        if selector.hasSuffix(".*") {
            let namespace = Printer.print(plan.name.dropLast().map { spelled($0) })
            return namespace.lowercased() == selector.dropLast(2).lowercased()
        }
        return plan.title.lowercased() == selector.lowercased()
            || plan.name.joined(separator: ".").lowercased() == selector.lowercased()
    }

    private func closure(_ start: [Int], _ next: (Int) -> [Int]) -> Set<Int> {
        var seen = Set(start)
        var open = start
        while let index = open.popLast() {
            for other in next(index) where seen.insert(other).inserted { open.append(other) }
        }
        return seen
    }
}

extension TransformPlan {
    /// Whether reading the table that it writes makes sense: what was there before the run.
    fileprivate var mayReadItself: Bool { kind != .full && kind != .view }
}

/// Everything that is wrong with some specs, by file and line; empty when all can be planned.
///
/// What `transform validate` prints; needs no warehouse. Also says what this version cannot run.
package func validate(
    _ sources: [SpecSource],
    defaultNamespace: [String] = ["main"]
) -> (issues: [SpecIssue], unsupported: [SpecIssue]) {
    do {
        let set = try TransformSet(sources, defaultNamespace: defaultNamespace)
        return ([], set.plans.flatMap(\.unsupported))
    } catch {
        return (error.issues, [])
    }
}

extension SpecSource {
    /// The spec as JSON, member for member: what the JSON Schema in Formats/transform-spec is about.
    ///
    /// - Throws: `invalid` for text that is neither YAML nor JSON.
    package func json() throws(PipelineError) -> JSON {
        SpecDecoder().json(try SpecNode.parse(text, file: file))
    }
}
