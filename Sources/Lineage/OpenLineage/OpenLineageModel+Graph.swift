package import Bytes

// Graphs as Marquez gives them: {"graph": [{id, type, data, inEdges, outEdges}]}.
//
// * Datasets and jobs: everything that is connected, whichever way, through as many jobs as `depth` says.
// * Columns: upstream, and downstream if asked, `depth` steps far.
//
// A node is visited once: the work grows with the nodes and edges of the answer, not with paths.

/// What a node id names.
package enum OpenLineageNode: Sendable, Equatable {
    case dataset(Int, version: String?)
    case job(Int)
    case field(Int, String, version: String?)
}

extension OpenLineageModel {
    /// Nodes in one graph; beyond that there is no answer.
    package static let graphNodesMax = 100_000

    /// Finds what an id names: `dataset:NS:NAME`, `job:NS:NAME`, `datasetField:NS:NAME:FIELD`, of datasets and
    /// fields with `#VERSION` behind it.
    ///
    /// Namespaces and names may contain colons: of all ways to read it the one counts that names something known.
    ///
    /// - Throws: `invalid` for what is no node id, `notFound` for what is not known.
    package func node(_ id: String) throws(LineageError) -> OpenLineageNode {
        guard let colon = id.firstIndex(of: ":") else { throw Self.noNode(id) }
        let rest = id[id.index(after: colon)...]
        switch id[..<colon] {
        case "job":
            if let job = Self.splits(rest).lazy.compactMap({ self.jobIDs[$0] }).first {
                return .job(job)
            }
            // Versions of jobs are not kept apart.
            if let hash = rest.lastIndex(of: "#"),
                let job = Self.splits(rest[..<hash]).lazy.compactMap({ self.jobIDs[$0] }).first
            {
                return .job(job)
            }
        case "dataset":
            if let dataset = Self.splits(rest).lazy.compactMap({ self.dataset($0) }).first {
                return .dataset(dataset, version: nil)
            }
            if let (text, version) = Self.versioned(rest),
                let dataset = Self.splits(text).lazy.compactMap({ self.dataset($0) })
                    .first(where: { self.datasets[$0].versions[version] != nil })
            {
                return .dataset(dataset, version: version)
            }
        case "datasetField":
            if let (dataset, field) = field(rest, version: nil) {
                return .field(dataset, field, version: nil)
            }
            if let (text, version) = Self.versioned(rest),
                let (dataset, field) = field(text, version: version)
            {
                return .field(dataset, field, version: version)
            }
        default: throw Self.noNode(id)
        }
        throw LineageError(.notFound, "no event has named the node \"\(id)\"")
    }

    private static func noNode(_ id: String) -> LineageError {
        LineageError(
            .invalid,
            "a node is dataset:NAMESPACE:NAME, job:NAMESPACE:NAME or "
                + "datasetField:NAMESPACE:NAME:FIELD, not \"\(id)\""
        )
    }

    /// The ways to read a text as a namespace and a name.
    private static func splits(_ text: Substring) -> [EntityName] {
        text.indices.filter { text[$0] == ":" }.map {
            EntityName(String(text[..<$0]), String(text[text.index(after: $0)...]))
        }
    }

    private static func versioned(_ text: Substring) -> (Substring, String)? {
        guard let hash = text.lastIndex(of: "#") else { return nil }
        return (text[..<hash], String(text[text.index(after: hash)...]))
    }

    /// A column of a known dataset that is known to have it.
    private func field(_ text: Substring, version: String?) -> (Int, String)? {
        for colon in text.indices where text[colon] == ":" {
            let name = String(text[text.index(after: colon)...])
            for entity in Self.splits(text[..<colon]) {
                guard let dataset = dataset(entity), hasField(dataset, name) else { continue }
                if let version, datasets[dataset].versions[version] == nil { continue }
                return (dataset, name)
            }
        }
        return nil
    }

    private func hasField(_ dataset: Int, _ name: String) -> Bool {
        if datasets[dataset].namedFields.contains(name) { return true }
        return datasets[dataset].schema.segments.contains { segment in
            schemas[segment.value].contains { $0.name == name }
        }
    }

    /// The columns of a dataset: what its schema says, else those that lineage named.
    func fields(of dataset: Int, asOf micros: Int64? = nil) -> [OpenLineageEvent.Field] {
        if let schema = datasets[dataset].schema.value(asOf: micros), !schemas[schema].isEmpty {
            return schemas[schema]
        }
        return datasets[dataset].namedFields.sorted().map { OpenLineageEvent.Field(name: $0) }
    }

    /// When a version was made; nil for no version.
    private func micros(of version: String?, _ dataset: Int) -> Int64? {
        version.flatMap { datasets[dataset].versions[$0]?.micros }
    }

    // MARK: - Datasets and jobs

    /// What is connected with a dataset or job.
    ///
    /// - Throws: `invalid` for columns, and for an answer with more than `graphNodesMax` nodes.
    package func lineage(of node: OpenLineageNode, depth: Int) throws(LineageError) -> JSON {
        var jobsFound: Set<Int> = []
        var datasetsFound: Set<Int> = []
        var front: [Int] = []
        var asOf: Int64?
        switch node {
        case .field:
            throw LineageError(
                .invalid,
                "this graph has datasets and jobs; columns are in /api/v1/column-lineage"
            )
        case .job(let job): front = [job]
        case .dataset(let dataset, let version):
            asOf = micros(of: version, dataset)
            datasetsFound = [dataset]
            front = jobs(at: dataset, asOf)
        }
        jobsFound = Set(front)
        for level in 0... {
            var next: Set<Int> = []
            for job in front {
                let io = io(of: job, asOf)
                for dataset in io.inputs + io.outputs {
                    guard datasetsFound.insert(dataset).inserted || level == 0, level < depth
                    else { continue }
                    for other in jobs(at: dataset, asOf) where !jobsFound.contains(other) {
                        next.insert(other)
                    }
                }
            }
            jobsFound.formUnion(next)
            front = Array(next)
            if jobsFound.count + datasetsFound.count > Self.graphNodesMax {
                throw LineageError(
                    .invalid,
                    "the graph has more than \(Self.graphNodesMax) nodes; ask with a smaller depth"
                )
            }
            if front.isEmpty { break }
        }
        return graph(jobsFound, datasetsFound, asOf)
    }

    /// What a job reads and writes, by the datasets that they turned out to be.
    func io(of job: Int, _ asOf: Int64?) -> JobIO {
        let io = jobs[job].io(asOf: asOf)
        return JobIO(
            inputs: Set(io.inputs.map { root($0) }).sorted(),
            outputs: Set(io.outputs.map { root($0) }).sorted()
        )
    }

    /// The jobs that read or write a dataset now, or did then.
    private func jobs(at dataset: Int, _ asOf: Int64?) -> [Int] {
        datasets[dataset].jobs.filter { job in
            let io = io(of: job, asOf)
            return io.inputs.contains(dataset) || io.outputs.contains(dataset)
        }
    }

    private func graph(_ jobs: Set<Int>, _ datasets: Set<Int>, _ asOf: Int64?) -> JSON {
        var readers: [Int: [String]] = [:]
        var writers: [Int: [String]] = [:]
        var nodes: [(id: String, json: JSON)] = []
        for job in jobs {
            let id = nodeID(job: job)
            let io = io(of: job, asOf)
            for dataset in io.inputs { readers[dataset, default: []].append(id) }
            for dataset in io.outputs { writers[dataset, default: []].append(id) }
            let node: JSON = [
                "id": .string(id), "type": "JOB", "data": jobView(job, asOf).graphData,
                "inEdges": Self.edges(io.inputs.map { (nodeID(dataset: $0), id) }),
                "outEdges": Self.edges(io.outputs.map { (id, nodeID(dataset: $0)) }),
            ]
            nodes.append((id, node))
        }
        for dataset in datasets {
            let id = nodeID(dataset: dataset)
            let node: JSON = [
                "id": .string(id), "type": "DATASET",
                "data": datasetView(dataset, asOf).graphData,
                "inEdges": Self.edges((writers[dataset] ?? []).map { ($0, id) }),
                "outEdges": Self.edges((readers[dataset] ?? []).map { (id, $0) }),
            ]
            nodes.append((id, node))
        }
        return ["graph": .array(nodes.sorted { $0.id < $1.id }.map(\.json))]
    }

    private static func edges(_ pairs: [(String, String)]) -> JSON {
        .array(
            pairs.sorted { $0 < $1 }.map {
                ["origin": .string($0.0), "destination": .string($0.1)]
            }
        )
    }

    func nodeID(job: Int) -> String {
        "job:\(jobs[job].name.namespace):\(jobs[job].name.name)"
    }

    func nodeID(dataset: Int) -> String {
        "dataset:\(datasets[dataset].name.namespace):\(datasets[dataset].name.name)"
    }

    // MARK: - Columns

    /// What jobs made a dataset's columns from, as numbers of `lineages`, by the names of the jobs.
    func columnLineage(of dataset: Int, asOf micros: Int64?) -> [Int] {
        let deleted = datasets[dataset].lineageDeletedMicros ?? .min
        let isDeleted = deleted <= micros ?? .max
        return datasets[dataset].columnLineage.sorted { jobs[$0.key].name < jobs[$1.key].name }
            .compactMap { _, timeline -> Int? in
                guard let segment = timeline.segment(asOf: micros) else { return nil }
                return isDeleted && segment.lastMicros <= deleted ? nil : segment.value
            }
    }

    private struct FieldKey: Hashable {
        var dataset: Int
        var field: String
    }

    /// An origin of a column, by the dataset that it turned out to be.
    private struct FoundOrigin {
        var key: FieldKey
        var transformations: [OpenLineageColumns.Transformation]
        var type: String?
        var description: String?
    }

    /// What columns were made from, and with `withDownstream` what was made from them.
    ///
    /// For a dataset or job: all columns of it, or of what it writes. With a version: as it was when the version was
    /// made.
    ///
    /// - Throws: `invalid` for an answer with more than `graphNodesMax` nodes.
    package func columnLineage(
        of node: OpenLineageNode,
        depth: Int,
        withDownstream: Bool
    ) throws(LineageError) -> JSON {
        var start: [FieldKey] = []
        var asOf: Int64?
        var isVersioned = false
        switch node {
        case .field(let dataset, let field, let version):
            start = [FieldKey(dataset: dataset, field: field)]
            (asOf, isVersioned) = (micros(of: version, dataset), version != nil)
        case .dataset(let dataset, let version):
            (asOf, isVersioned) = (micros(of: version, dataset), version != nil)
            start = allFields(of: dataset, asOf)
        case .job(let job): start = io(of: job, nil).outputs.flatMap { allFields(of: $0, nil) }
        }
        var search = ColumnSearch(model: self, asOf: asOf)
        try search.walk(from: start, depth: depth, isUpstream: true)
        if withDownstream { try search.walk(from: start, depth: depth, isUpstream: false) }
        return search.graph(isVersioned: isVersioned)
    }

    private func allFields(of dataset: Int, _ asOf: Int64?) -> [FieldKey] {
        var names = fields(of: dataset, asOf: asOf).map(\.name)
        let known = Set(names)
        names += datasets[dataset].namedFields.subtracting(known).sorted()
        return names.map { FieldKey(dataset: dataset, field: $0) }
    }

    /// A walk over columns; each is expanded once each way.
    private struct ColumnSearch {
        let model: OpenLineageModel
        let asOf: Int64?
        /// The origins of columns that were found, empty for those that have none.
        var origins: [FieldKey: [FoundOrigin]] = [:]
        /// Of a number of `lineages`: the places of its fields by name.
        private var places: [Int: [String: Int]] = [:]

        init(model: OpenLineageModel, asOf: Int64?) {
            self.model = model
            self.asOf = asOf
        }

        mutating func walk(
            from start: [FieldKey],
            depth: Int,
            isUpstream: Bool
        ) throws(LineageError) {
            var seen = Set(start)
            var front = start
            var level = 0
            for key in start where isUpstream && origins[key] == nil { origins[key] = [] }
            while !front.isEmpty, level < depth {
                var next: [FieldKey] = []
                for key in front {
                    let found =
                        isUpstream
                        ? upstream(of: key).map(\.key)
                        : downstream(of: key)
                    for one in found where seen.insert(one).inserted { next.append(one) }
                    guard origins.count <= OpenLineageModel.graphNodesMax else {
                        throw LineageError(
                            .invalid,
                            "the graph has more than \(OpenLineageModel.graphNodesMax) nodes; "
                                + "ask with a smaller depth"
                        )
                    }
                }
                front = next
                level += 1
            }
        }

        /// The origins of a column, from all jobs that write its dataset, each once.
        private mutating func upstream(of key: FieldKey) -> [FoundOrigin] {
            var found: [FoundOrigin] = []
            var index: [FieldKey: Int] = [:]
            for number in model.columnLineage(of: key.dataset, asOf: asOf) {
                let lineage = model.lineages[number]
                guard let place = place(of: key.field, in: number) else { continue }
                let output = lineage.fields[place]
                for (position, origin) in (output.origins + lineage.rows).enumerated() {
                    guard let dataset = model.dataset(origin.dataset) else { continue }
                    let source = FieldKey(dataset: dataset, field: origin.field)
                    let isOwn = position < output.origins.count
                    let type = isOwn ? output.transformationType : nil
                    let description = isOwn ? output.transformationDescription : nil
                    if let known = index[source] {
                        for one in origin.transformations
                        where !found[known].transformations.contains(one) {
                            found[known].transformations.append(one)
                        }
                        continue
                    }
                    index[source] = found.count
                    found.append(
                        FoundOrigin(
                            key: source,
                            transformations: origin.transformations,
                            type: type,
                            description: description
                        )
                    )
                }
            }
            origins[key] = found
            for origin in found where origins[origin.key] == nil { origins[origin.key] = [] }
            return found
        }

        /// The columns that were made from a column.
        private mutating func downstream(of key: FieldKey) -> [FieldKey] {
            var targets: Set<Int> = []
            for name in model.names(of: key.dataset) {
                for target in model.derived[name] ?? [] { targets.insert(model.root(target)) }
            }
            var found: [FieldKey] = []
            for target in targets.sorted() {
                var fields: Set<String> = []
                for number in model.columnLineage(of: target, asOf: asOf) {
                    let lineage = model.lineages[number]
                    func isKey(_ origin: OpenLineageColumns.Origin) -> Bool {
                        origin.field == key.field && model.dataset(origin.dataset) == key.dataset
                    }
                    let isOfRows = lineage.rows.contains(where: isKey)
                    for output in lineage.fields
                    where isOfRows || output.origins.contains(where: isKey) {
                        fields.insert(output.name)
                    }
                }
                for field in fields.sorted() {
                    let made = FieldKey(dataset: target, field: field)
                    // What else it was made from belongs to what is told of it.
                    _ = upstream(of: made)
                    found.append(made)
                }
            }
            return found
        }

        private mutating func place(of field: String, in lineage: Int) -> Int? {
            if places[lineage] == nil {
                var index: [String: Int] = [:]
                for (place, output) in model.lineages[lineage].fields.enumerated() {
                    index[output.name] = place
                }
                places[lineage] = index
            }
            return places[lineage]?[field]
        }

        func graph(isVersioned: Bool) -> JSON {
            var versions: [Int: String] = [:]
            for dataset in Set(origins.keys.map(\.dataset)) {
                versions[dataset] = model.datasets[dataset].version(asOf: asOf)?.text
            }
            func id(_ key: FieldKey) -> String {
                let name = model.datasets[key.dataset].name
                let id = "datasetField:\(name.namespace):\(name.name):\(key.field)"
                guard isVersioned, let version = versions[key.dataset] else { return id }
                return "\(id)#\(version)"
            }
            var targets: [FieldKey: [FieldKey]] = [:]
            for (key, sources) in origins {
                for source in sources { targets[source.key, default: []].append(key) }
            }
            var types: [Int: [String: String]] = [:]
            for dataset in versions.keys {
                var known: [String: String] = [:]
                for field in model.fields(of: dataset, asOf: asOf) {
                    known[field.name] = field.type
                }
                types[dataset] = known
            }
            var nodes: [(id: String, json: JSON)] = []
            for (key, sources) in origins {
                let own = id(key)
                let inputs = sources.map { source -> JSON in
                    let name = model.datasets[source.key.dataset].name
                    return [
                        "namespace": .string(name.namespace), "dataset": .string(name.name),
                        "datasetVersion": .optional(versions[source.key.dataset]),
                        "field": .string(source.key.field),
                        "transformationDescription":
                            .optional(source.description ?? source.transformations.text),
                        "transformationType":
                            .optional(source.type ?? source.transformations.type),
                        "transformations": source.transformations.json,
                    ]
                }
                let name = model.datasets[key.dataset].name
                let node: JSON = [
                    "id": .string(own), "type": "DATASET_FIELD",
                    "data": [
                        "namespace": .string(name.namespace), "dataset": .string(name.name),
                        "datasetVersion": .optional(versions[key.dataset]),
                        "field": .string(key.field),
                        "fieldType": .string(types[key.dataset]?[key.field] ?? ""),
                        "transformationDescription":
                            inputs.first?["transformationDescription"] ?? .null,
                        "transformationType": inputs.first?["transformationType"] ?? .null,
                        "inputFields": .array(inputs),
                    ],
                    // As Marquez has them: from the node to its neighbour, both ways.
                    "inEdges": OpenLineageModel.edges(sources.map { (own, id($0.key)) }),
                    "outEdges": OpenLineageModel.edges((targets[key] ?? []).map { (own, id($0)) }),
                ]
                nodes.append((own, node))
            }
            return ["graph": .array(nodes.sorted { $0.id < $1.id }.map(\.json))]
        }
    }
}

extension [OpenLineageColumns.Transformation] {
    /// The first one's kind in one word, as `transformationType` has it.
    var type: String? { first.map { $0.subtype ?? $0.type } }

    var text: String? { first?.description }

    var json: JSON {
        .array(
            map { one in
                var object: JSONObject = ["type": .string(one.type)]
                if let subtype = one.subtype { object["subtype"] = .string(subtype) }
                if let description = one.description {
                    object["description"] = .string(description)
                }
                object["masking"] = .bool(one.isMasking)
                return .object(object)
            }
        )
    }
}

extension JSON {
    /// A string, or null.
    static func optional(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }
}
