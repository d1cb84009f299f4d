import Ambient
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
        let runs = answer.edges.newestRuns
        return graph.storage.read { index in
            runs.compactMap { $0 < index.runs.count ? event($0, index) : nil }
        }
    }

    /// The events of all runs of some entries, in the order of the log.
    package func events(in graph: LineageGraph, positions: ClosedRange<Int64>) -> [JSON] {
        events(in: graph, positions) { _ in true }
    }

    /// The events of one commit.
    ///
    /// - Parameter index: its place in the entry.
    package func events(in graph: LineageGraph, position: Int64, index: Int) -> [JSON] {
        events(in: graph, position...position) { $0.index == index }
    }

    private func events(
        in graph: LineageGraph,
        _ positions: ClosedRange<Int64>,
        where isWanted: (CommitRecord) -> Bool
    ) -> [JSON] {
        graph.storage.read { index in
            var events: [JSON] = []
            for run in index.runIndex(from: positions.lowerBound)..<index.runs.count {
                let commit = index.commits[index.runs[run].commit]
                if commit.position > positions.upperBound { break }
                if isWanted(commit) { events.append(event(UInt32(run), index)) }
            }
            return events
        }
    }

    private func event(_ number: UInt32, _ index: borrowing IndexStorage) -> JSON {
        let run = index.runs[number]
        let commit = index.commits[run.commit]
        let job = index.jobs[run.job]
        // Of a dataset that was read at several snapshots, one input each.
        var inputs: [JSON] = []
        for place in run.firstInput..<run.firstInput + run.inputCount {
            let input = index.inputs[place]
            inputs.append(
                dataset(input.dataset, input.knownSnapshotID, run.commit, index, lineage: nil)
            )
        }
        let lineage = run.map == none ? nil : columnLineage(run, index)
        let snapshot = run.knownSnapshotID
        return [
            "eventType": "COMPLETE", "eventTime": .string(isoTime(millis: commit.timeMillis)),
            "producer": .string(producer),
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": ["runId": .string(uuid(index.string(run.runID)))],
            "job": [
                "namespace": .string(namespace), "name": .string(index.string(job.name)),
                "facets": [
                    "jobType": facet(
                        "2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
                        [
                            "processingType": "BATCH", "integration": "VARVE",
                            "jobType": .string(index.string(job.kind).uppercased()),
                        ]
                    )
                ],
            ],
            "inputs": .array(inputs),
            "outputs": [dataset(run.output, snapshot, run.commit, index, lineage: lineage)],
        ]
    }

    private func facet(_ schema: String, _ members: JSONObject) -> JSON {
        var object: JSONObject = [
            "_producer": .string(producer), "_schemaURL": .string(Self.facets + schema),
        ]
        for member in members.members { object[member.key] = member.value }
        return .object(object)
    }

    /// What a table is called in events: by its name in the warehouse, and by its place where the graph knows it.
    ///
    /// - Parameter parts: the levels of its namespace, and its name.
    package func names(
        ofTable uuid: String,
        called parts: [String],
        in graph: LineageGraph
    ) -> [EntityName] {
        let name = EntityName(namespace, NodeName.written(parts))
        return graph.storage.read { index in
            guard let dataset = index.findDataset(uuid, isFile: false) else { return [name] }
            let (space, place) = physicalName(dataset, index)
            return [name, EntityName(space, place)]
        }
    }

    /// The physical name: the place of a table's files, or a file's.
    private func physicalName(
        _ dataset: UInt32,
        _ index: borrowing IndexStorage
    ) -> (namespace: String, name: String) {
        let record = index.datasets[dataset]
        let identity = index.string(record.identity)
        if record.isFile { return Self.split(identity) }
        return index.optionalString(record.location).map(Self.split) ?? (namespace, identity)
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
        _ dataset: UInt32,
        _ snapshot: Int64?,
        _ commit: UInt32,
        _ index: borrowing IndexStorage,
        lineage: JSON?
    ) -> JSON {
        let (space, name) = physicalName(dataset, index)
        var facets = JSONObject()
        if let table = index.name(of: dataset, before: commit + 1).name {
            facets["symlinks"] = facet(
                "1-0-1/SymlinksDatasetFacet.json#/$defs/SymlinksDatasetFacet",
                [
                    "identifiers": [
                        [
                            "namespace": .string(namespace),
                            "name": .string(index.string(table)), "type": "TABLE",
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

    private func columnLineage(_ run: RunRecord, _ index: borrowing IndexStorage) -> JSON {
        let map = index.maps[run.map]
        /// One field for each input column, with all its transformations.
        func inputFields(_ row: UInt32, _ index: borrowing IndexStorage) -> JSON {
            var fields: [(input: UInt16, column: UInt32, json: JSONObject, uses: [JSON])] = []
            for place in index.edgeRange(row, of: map) {
                let edge = index.edges[place]
                var use: JSONObject = [
                    "type": .string((edge.attributes.kind ?? .direct).rawValue)
                ]
                if let subtype = index.optionalString(index.subtypes[edge.attributes.subtype]) {
                    use["subtype"] = .string(subtype)
                }
                use["masking"] = .bool(edge.attributes.isMasked)
                if let known = fields.firstIndex(
                    where: { $0.input == edge.input && $0.column == edge.column }
                ) {
                    fields[known].uses.append(.object(use))
                    continue
                }
                let source = index.inputs[run.firstInput + UInt32(edge.input)].dataset
                let (space, name) = physicalName(source, index)
                let column = index.columnName(edge.column, of: source, before: run.commit + 1)
                let json: JSONObject = [
                    "namespace": .string(space), "name": .string(name),
                    "field": .string(index.string(column)),
                ]
                fields.append((edge.input, edge.column, json, [.object(use)]))
            }
            return .array(
                fields.map { field in
                    var json = field.json
                    json["transformations"] = .array(field.uses)
                    return .object(json)
                }
            )
        }
        var fields = JSONObject()
        var rows: JSON = []
        for row in 0..<map.rowCount {
            let column = index.rows[map.firstRow + row].column
            if column == NodeKey.rowsColumn {
                rows = inputFields(row, index)
                continue
            }
            let name = index.columnName(column, of: run.output, before: run.commit + 1)
            fields[index.string(name)] = ["inputFields": inputFields(row, index)]
        }
        return facet(
            "1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet",
            ["fields": .object(fields), "dataset": rows]
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
