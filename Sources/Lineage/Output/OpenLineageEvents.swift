package import Bytes
import Crypto

/// Runs as OpenLineage sees them: one COMPLETE event for each.
///
/// - Spec: OpenLineage 2-0-2; facets columnLineage 1-2-0, version 1-0-1, symlinks 1-0-1, catalog
///   1-1-0, jobType 2-0-4.
package struct OpenLineageWriter: Sendable {
    /// Who writes the events: a URI.
    package var producer: String
    /// The namespace of jobs and of tables' names: the warehouse's URL.
    package var namespace: String

    package init(
        namespace: String,
        producer: String = "https://varve.dev/varve/0.1.0"
    ) {
        self.namespace = namespace
        self.producer = producer
    }

    private static let facets = "https://openlineage.io/spec/facets/"

    /// The events of the runs behind an answer's edges, in the order of the log.
    package func events(of answer: LineageAnswer, in graph: LineageGraph) -> [JSON] {
        Set(answer.edges.compactMap { $0.run?.number }).sorted().compactMap {
            graph.runs.indices.contains($0) ? event($0, graph) : nil
        }
    }

    /// The events of all runs of some entries, in the order of the log.
    package func events(in graph: LineageGraph, positions: ClosedRange<Int64>) -> [JSON] {
        let first = graph.runIndex(from: positions.lowerBound)
        return graph.runs.indices[first...].prefix {
            graph.commits[graph.runs[$0].commit].position <= positions.upperBound
        }.map { event($0, graph) }
    }

    /// The events of one commit.
    ///
    /// - Parameter index: its place in the entry.
    package func events(in graph: LineageGraph, position: Int64, index: Int) -> [JSON] {
        graph.runs.indices[graph.runIndex(from: position)...].prefix {
            graph.commits[graph.runs[$0].commit].position == position
        }.filter { graph.commits[graph.runs[$0].commit].index == index }.map { event($0, graph) }
    }

    private func event(_ number: Int, _ graph: LineageGraph) -> JSON {
        let run = graph.runs[number]
        let commit = graph.commits[run.commit]
        // Of a dataset that was read at several snapshots, one input each.
        let inputs = run.inputs.map { input in
            dataset(input.dataset, input.snapshotID, run.commit, graph, lineage: nil)
        }
        var lineage: JSON?
        if let map = run.map { lineage = columnLineage(run, graph.maps[map], graph) }
        return [
            "eventType": "COMPLETE", "eventTime": .string(isoTime(millis: commit.timeMillis)),
            "producer": .string(producer),
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": ["runId": .string(uuid(run.runID))],
            "job": [
                "namespace": .string(namespace), "name": .string(run.job.name),
                "facets": [
                    "jobType": facet(
                        "2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
                        [
                            "processingType": "BATCH", "integration": "VARVE",
                            "jobType": .string(run.job.kind.uppercased()),
                        ]
                    )
                ],
            ],
            "inputs": .array(inputs),
            "outputs": [
                dataset(run.output, run.snapshotID, run.commit, graph, lineage: lineage)
            ],
        ]
    }

    private func facet(_ schema: String, _ members: JSONObject) -> JSON {
        var object: JSONObject = [
            "_producer": .string(producer), "_schemaURL": .string(Self.facets + schema),
        ]
        for member in members.members { object[member.key] = member.value }
        return .object(object)
    }

    /// The physical name: the place of a table's files, or a file's.
    private func physicalName(
        _ index: Int,
        _ graph: LineageGraph
    ) -> (namespace: String, name: String) {
        let dataset = graph.datasets[index]
        switch dataset.identity {
        case .file(let path): return Self.split(path)
        case .table(let uuid): return dataset.location.map(Self.split) ?? (namespace, uuid)
        }
    }

    /// `s3://bucket` and the key; `file` and the path.
    private static func split(_ location: String) -> (namespace: String, name: String) {
        guard let range = location.firstRange(of: "://") else { return ("file", location) }
        let scheme = location[..<range.lowerBound]
        let rest = location[range.upperBound...]
        if scheme == "file" { return ("file", String(rest)) }
        guard let slash = rest.firstIndex(of: "/") else { return (location, "/") }
        return (String(location[..<slash]), String(rest[rest.index(after: slash)...]))
    }

    private func dataset(
        _ index: Int,
        _ snapshot: Int64?,
        _ commit: Int,
        _ graph: LineageGraph,
        lineage: JSON?
    ) -> JSON {
        let (space, name) = physicalName(index, graph)
        var facets = JSONObject()
        if let table = graph.datasets[index].name(before: commit + 1).name {
            facets["symlinks"] = facet(
                "1-0-1/SymlinksDatasetFacet.json#/$defs/SymlinksDatasetFacet",
                [
                    "identifiers": [
                        [
                            "namespace": .string(namespace),
                            "name": .string(NodeName.written(table)), "type": "TABLE",
                        ]
                    ]
                ]
            )
            facets["catalog"] = facet(
                "1-1-0/CatalogDatasetFacet.json#/$defs/CatalogDatasetFacet",
                [
                    "framework": "iceberg", "type": "varve", "name": .string(namespace),
                    "warehouseUri": .string(namespace),
                ]
            )
        }
        if let snapshot {
            facets["version"] = facet(
                "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet",
                ["datasetVersion": .string(String(snapshot))]
            )
        }
        if let lineage { facets["columnLineage"] = lineage }
        return [
            "namespace": .string(space), "name": .string(name), "facets": .object(facets),
        ]
    }

    private func columnLineage(_ run: FoldedRun, _ map: ResolvedMap, _ graph: LineageGraph) -> JSON
    {
        /// One field for each input column, with all its transformations.
        func inputFields(_ origins: [ResolvedMap.Origin]) -> JSON {
            var fields: [(key: [Int], json: JSONObject, transformations: [JSON])] = []
            for origin in origins {
                var transformation: JSONObject = ["type": .string(origin.kind.rawValue)]
                if let subtype = origin.subtype { transformation["subtype"] = .string(subtype) }
                transformation["masking"] = .bool(origin.isMasked)
                let key = [origin.input, origin.column]
                if let known = fields.firstIndex(where: { $0.key == key }) {
                    fields[known].transformations.append(.object(transformation))
                    continue
                }
                let source = run.inputs[origin.input].dataset
                let (space, name) = physicalName(source, graph)
                let column = graph.datasets[source].columns[origin.column]
                fields.append(
                    (
                        key,
                        [
                            "namespace": .string(space), "name": .string(name),
                            "field": .string(column.name(before: run.commit + 1)),
                        ], [.object(transformation)]
                    )
                )
            }
            return .array(
                fields.map { field in
                    var json = field.json
                    json["transformations"] = .array(field.transformations)
                    return .object(json)
                }
            )
        }
        var fields = JSONObject()
        for column in map.origins.keys.sorted() {
            let name = graph.datasets[run.output].columns[column].name(before: run.commit + 1)
            fields[name] = ["inputFields": inputFields(map.origins[column] ?? [])]
        }
        return facet(
            "1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet",
            ["fields": .object(fields), "dataset": inputFields(map.rows)]
        )
    }

    /// The run's id when it is a UUID, else one made from it, always the same.
    private func uuid(_ runID: String) -> String {
        let lower = runID.lowercased()
        let parts = lower.split(separator: "-", omittingEmptySubsequences: false)
        let isHexadecimal = lower.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x61...0x66).contains($0) || $0 == 0x2D
        }
        if isHexadecimal, parts.map(\.count) == [8, 4, 4, 4, 12] { return lower }
        var digits = Array(SHA256.hash(data: Array(runID.utf8)).hexadecimal.prefix(32))
        // Version 8: made as the maker likes; variant 10.
        digits[12] = "8"
        digits[16] = "a"
        let text = String(digits)
        var result = ""
        for (index, character) in text.enumerated() {
            if [8, 12, 16, 20].contains(index) { result += "-" }
            result.append(character)
        }
        return result
    }
}
