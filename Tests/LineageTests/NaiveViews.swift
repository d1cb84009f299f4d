import Lineage
import TestSupport

/// Views as their definitions say them, beside a replay of the log.
struct NaiveViews {
    struct View {
        var name: String
        /// Uuids of tables, paths of files, names of views.
        var sources: [String]
        var map: ColumnMap
        /// What the text of one that cannot be bound mentions.
        var mentions: [String]?
    }

    private(set) var views: [View] = []

    /// Views over what there is.
    init(_ naive: NaiveLineage, using random: inout SeededGenerator) {
        func number(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        let datasets = Set(naive.names.keys).union(naive.columns.keys).sorted()
        for place in 0..<1 + number(6) {
            let name = "v\(place)"
            if number(5) == 0 {
                let known = naive.names.values.sorted() + views.map(\.name)
                let mentions = (0..<1 + number(2)).map { _ in known[number(known.count)] }
                let view = View(
                    name: name,
                    sources: [],
                    map: ColumnMap(outputs: []),
                    mentions: mentions
                )
                views.append(view)
                continue
            }
            let bound = views.filter { $0.mentions == nil }.map(\.name)
            let choices = datasets + bound + bound
            let sources = (0..<1 + number(2)).map { _ in choices[number(choices.count)] }
            let all = views
            func origin() -> ColumnMap.Origin {
                let input = number(sources.count)
                let isCondition = number(3) == 0
                var (column, id): (String, Int32?) = ("unheard", 99)
                if let view = all.first(where: { $0.name == sources[input] }) {
                    column = view.map.outputs[number(view.map.outputs.count)].name
                    id = nil
                } else if let known = naive.columns[sources[input]], number(8) > 0 {
                    let key = known.keys.sorted()[number(known.count)]
                    column = known[key] ?? key
                    id = key.hasPrefix("#") ? Int32(key.dropFirst()) : nil
                }
                return ColumnMap.Origin(
                    input: input,
                    column: column,
                    fieldID: id,
                    kind: isCondition ? .indirect : .direct,
                    subtype: isCondition ? "WINDOW" : "IDENTITY"
                )
            }
            let outputs = (0..<1 + number(3)).map { column in
                ColumnMap.Output(
                    name: "o\(column)",
                    origins: (0..<number(3)).map { _ in origin() }
                )
            }
            let rows = number(2) == 0 ? [origin()] : []
            views.append(
                View(name: name, sources: sources, map: ColumnMap(outputs: outputs, rows: rows))
            )
        }
    }

    /// As a question is told of them.
    func readings(_ naive: NaiveLineage) -> LineageViews {
        LineageViews(
            readings: views.map { view in
                if let mentions = view.mentions {
                    return ViewReading(
                        name: ["ns", view.name],
                        uuid: "uuid-\(view.name)",
                        columns: ["o0"],
                        failure: "a column is gone",
                        texts: ["SELECT gone FROM " + mentions.joined(separator: " JOIN ")]
                    )
                }
                let sources = view.sources.map { source -> ViewReading.Source in
                    if source.hasPrefix("v") { return .view(name: ["ns", source]) }
                    if source.contains("/") { return .file(source) }
                    let name = naive.names[source] ?? source
                    return .table(uuid: source, name: ["ns", name], snapshotID: nil)
                }
                return ViewReading(
                    name: ["ns", view.name],
                    uuid: "uuid-\(view.name)",
                    columns: view.map.outputs.map(\.name),
                    sources: sources,
                    map: view.map
                )
            }
        )
    }

    /// An edge of a definition, by what `LineageAnswer.Node.probed` says of its ends.
    struct Edge: Hashable {
        var from: String
        var to: String
        var kind: String?
        var subtype: String?
    }

    private func key(_ source: String) -> String {
        source.hasPrefix("v") ? "uuid-\(source)" : source
    }

    /// Of a view that can be bound, all edges between columns and rows.
    func edges(of view: View, _ naive: NaiveLineage) -> [Edge] {
        func from(_ origin: ColumnMap.Origin) -> String {
            let source = view.sources[origin.input]
            let id = NaiveLineage.key(origin.column, origin.fieldID)
            let known = naive.columns[source]?[id] ?? origin.column
            return "\(key(source))|\(known)"
        }
        func edge(_ origin: ColumnMap.Origin, _ column: String) -> Edge {
            Edge(
                from: from(origin),
                to: "uuid-\(view.name)|\(column)",
                kind: origin.kind.rawValue,
                subtype: origin.subtype
            )
        }
        var edges = view.map.rows.map { edge($0, "*") }
        for output in view.map.outputs { edges += output.origins.map { edge($0, output.name) } }
        for source in view.sources {
            edges.append(
                Edge(
                    from: "\(key(source))|*",
                    to: "uuid-\(view.name)|*",
                    kind: "INDIRECT",
                    subtype: nil
                )
            )
        }
        return edges
    }

    /// What of views a change reaches.
    struct Impact {
        var edges: Set<Edge> = []
        /// Of views that cannot be bound, how far away they are.
        var unknown: [String: Int] = [:]
    }

    /// - Parameters:
    ///   - depths: of all nodes that were reached, views too.
    ///   - held: those of them whose datasets still hold what was followed.
    func impact(_ naive: NaiveLineage, depths: [String: Int], held: Set<String>) -> Impact {
        var found = Impact()
        var reached = held
        for view in views where view.mentions == nil {
            var edges = edges(of: view, naive)
            for source in view.sources {
                edges.append(
                    Edge(
                        from: "\(key(source))|",
                        to: "uuid-\(view.name)|",
                        kind: nil,
                        subtype: nil
                    )
                )
            }
            for edge in edges where reached.contains(edge.from) { found.edges.insert(edge) }
            reached.formUnion(found.edges.map(\.to))
        }
        // What is mentioned by name, in whatever way it was reached.
        var names: [String: Int] = [:]
        for (node, depth) in depths {
            let dataset = String(node.prefix { $0 != "|" })
            let view = views.first { "uuid-\($0.name)" == dataset }?.name
            let name = naive.names[dataset] ?? view ?? dataset
            names[name] = min(names[name] ?? .max, depth)
        }
        var isGrowing = true
        while isGrowing {
            isGrowing = false
            for view in views {
                guard let nearest = (view.mentions ?? []).compactMap({ names[$0] }).min(),
                    nearest + 1 < found.unknown["uuid-\(view.name)|"] ?? .max
                else { continue }
                found.unknown["uuid-\(view.name)|"] = nearest + 1
                names[view.name] = min(names[view.name] ?? .max, nearest + 1)
                isGrowing = true
            }
        }
        return found
    }
}
