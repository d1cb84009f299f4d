import Ambient
package import Bytes

// The answers in Marquez's words. Members that it has and that nobody told of are null or empty; `transformations` of
// columns is ours.

/// Events by where they lie: what facets of runs and versions are read from.
package typealias LoadedEvents = [EventPlace: JSON]

extension JSON {
    fileprivate static func time(_ micros: Int64?) -> JSON {
        micros.map { .string(isoTime(micros: $0)) } ?? .null
    }

    fileprivate static func id(_ name: EntityName) -> JSON {
        ["namespace": .string(name.namespace), "name": .string(name.name)]
    }
}

/// A time as `2024-05-01T12:30:00.000000Z`; what is beyond the years 0 to 9999 is the nearest in them.
private func isoTime(micros: Int64) -> String {
    let (low, high): (Int64, Int64) = (-62_167_219_200_000_000, 253_402_300_799_999_999)
    let micros = min(max(micros, low), high)
    let millis = micros >= 0 ? micros / 1000 : (micros - 999) / 1000
    let rest = String(micros - millis * 1000)
    return isoTime(millis: millis).dropLast() + String(repeating: "0", count: 3 - rest.count) + rest
        + "Z"
}

extension ModelPage {
    /// - Parameter name: what the elements are called.
    package func json(_ name: String, _ element: (Element) -> JSON) -> JSON {
        .object([name: .array(elements.map(element)), "totalCount": .integer(totalCount)])
    }
}

extension NamespaceView {
    package var json: JSON {
        [
            "name": .string(name), "createdAt": .time(createdMicros),
            "updatedAt": .time(updatedMicros), "ownerName": "anonymous", "description": .null,
            "isHidden": false,
        ]
    }
}

extension SearchView {
    package var json: JSON {
        [
            "type": .string(isJob ? "JOB" : "DATASET"), "name": .string(name.name),
            "namespace": .string(name.namespace), "nodeId": .string(nodeID),
            "updatedAt": .time(updatedMicros),
        ]
    }
}

extension RunView {
    /// Which facets of a run's events are meant.
    package enum FacetKind: String, Sendable, CaseIterable {
        case run
        case job
    }

    /// The facets that its events told of, of each the latest.
    package func facets(_ kind: FacetKind, _ events: LoadedEvents) -> JSON {
        var object = JSONObject()
        for place in places {
            guard let facets = events[place]?[kind.rawValue]?["facets"]?.object else { continue }
            for member in facets.members {
                let isGone = kind == .job && member.value["_deleted"]?.bool == true
                object[member.key] = isGone ? nil : member.value
            }
        }
        return .object(object)
    }

    package func json(_ events: LoadedEvents) -> JSON {
        let start = record.startedMicros
        let end = record.endedMicros
        var millis: JSON = .null
        if let start, let end, end >= start { millis = .integer((end - start) / 1000) }
        var object: JSONObject = [
            "id": .string(id), "createdAt": .time(record.createdMicros),
            "updatedAt": .time(record.updatedMicros),
            "nominalStartTime": .time(record.nominalStartMicros),
            "nominalEndTime": .time(record.nominalEndMicros),
            "state": .string(record.state.rawValue), "startedAt": .time(start),
            "endedAt": .time(end), "durationMs": millis, "args": [:],
            "jobVersion": [
                "namespace": .string(job.namespace), "name": .string(job.name), "version": .null,
            ],
            "inputDatasetVersions": uses(inputs, "inputs", "inputFacets", events),
            "outputDatasetVersions": uses(outputs, "outputs", "outputFacets", events),
            "facets": facets(.run, events),
        ]
        if let parent = record.parent {
            object["parent"] = ["run": .string(parent.id), "job": .id(parent.job)]
            if let root = parent.rootID, let job = parent.rootJob {
                object["root"] = ["run": .string(root), "job": .id(job)]
            }
        }
        return .object(object)
    }

    private func uses(
        _ uses: [UseView],
        _ member: String,
        _ facets: String,
        _ events: LoadedEvents
    ) -> JSON {
        .array(
            uses.map { use in
                var found = JSONObject()
                for place in places {
                    for one in events[place]?[member]?.array ?? []
                    where one["name"]?.string == use.dataset.name
                        && one["namespace"]?.string == use.dataset.namespace
                    {
                        for facet in one[facets]?.object?.members ?? [] {
                            found[facet.key] = facet.value
                        }
                    }
                }
                let id: JSON = [
                    "namespace": .string(use.dataset.namespace), "name": .string(use.dataset.name),
                    "version": .optional(use.version),
                ]
                let kind =
                    member == "inputs" ? "inputDatasetVersionId" : "outputDatasetVersionId"
                return .object([
                    "datasetVersionId": id, kind: id, "facets": .object(found),
                ])
            }
        )
    }
}

extension JobView {
    /// What a facet says the job is.
    private var type: String {
        switch facets["jobType"]?["processingType"]?.string?.uppercased() {
        case "STREAMING", "STREAM": "STREAM"
        case "SERVICE": "SERVICE"
        default: "BATCH"
        }
    }

    private var tags: JSON {
        .array(
            (facets["tags"]?["tags"]?.array ?? []).compactMap { $0["key"] }.filter {
                $0.string != nil
            }
        )
    }

    /// The places of the events of its runs.
    package var places: [EventPlace] { latestRuns.flatMap(\.places) }

    package func json(_ events: LoadedEvents) -> JSON {
        var object = common
        object["latestRun"] = latestRuns.first?.json(events) ?? .null
        object["latestRuns"] = .array(latestRuns.map { $0.json(events) })
        object["facets"] = .object(facets)
        object["labels"] = []
        object["tags"] = tags
        object["currentVersion"] = .null
        return .object(object)
    }

    /// As nodes of graphs have it: without facets.
    var graphData: JSON {
        var object = common
        object["latestRun"] = latestRuns.first?.json([:]) ?? .null
        return .object(object)
    }

    private var common: JSONObject {
        [
            "id": .id(name), "type": .string(type), "name": .string(name.name),
            "simpleName": .string(name.name), "parentJobName": .optional(parent?.name),
            "parentJobUuid": .null, "createdAt": .time(createdMicros),
            "updatedAt": .time(updatedMicros), "namespace": .string(name.namespace),
            "inputs": .array(inputs.map { .id($0) }), "outputs": .array(outputs.map { .id($0) }),
            "location": facets["sourceCodeLocation"]?["url"] ?? .null,
            "description": facets["documentation"]?["description"] ?? .null,
        ]
    }
}

extension DatasetView {
    private var isStream: Bool {
        if let type = facets["datasetType"]?["datasetType"]?.string {
            return ["STREAM", "TOPIC"].contains(type.uppercased())
        }
        let scheme = name.namespace.prefix { $0 != ":" }
        return ["kafka", "pubsub", "kinesis", "eventhub", "eventhubs"].contains(scheme)
    }

    private var common: JSONObject {
        [
            "id": .id(name), "type": .string(isStream ? "STREAM" : "DB_TABLE"),
            "name": .string(name.name), "physicalName": .string(name.name),
            "createdAt": .time(createdMicros), "updatedAt": .time(updatedMicros),
            "namespace": .string(name.namespace),
            "sourceName": facets["dataSource"]?["name"] ?? "default",
            "fields": OpenLineageEvent.Field.json(fields), "tags": tags,
            "lastModifiedAt": .time(writtenMicros),
            "description": facets["documentation"]?["description"] ?? .null,
            "lastLifecycleState": .optional(lifecycle?.rawValue),
        ]
    }

    private var tags: JSON {
        .array(
            (facets["tags"]?["tags"]?.array ?? []).filter { $0["field"] == nil }
                .compactMap { $0["key"] }.filter { $0.string != nil }
        )
    }

    /// As nodes of graphs have it: without facets.
    var graphData: JSON { .object(common) }

    package var json: JSON {
        var object = common
        object["currentVersion"] = .optional(currentVersion)
        object["columnLineage"] = lineageJSON
        object["facets"] = .object(allFacets)
        object["deleted"] = .bool(lifecycle == .drop)
        return .object(object)
    }

    /// The facets, and that of column lineage as it was understood: what all columns share stands once.
    private var allFacets: JSONObject {
        var facets = facets
        if let lineage = columnLineage.last { facets["columnLineage"] = lineage.json }
        return facets
    }

    /// Each column with what it was made from, that of whole rows included.
    private var lineageJSON: JSON {
        if columnLineage.isEmpty { return .null }
        var origins: [String: [JSON]] = [:]
        var order: [String] = []
        for lineage in columnLineage {
            for output in lineage.fields {
                if origins[output.name] == nil { order.append(output.name) }
                for origin in output.origins + lineage.rows {
                    let input: JSON = [
                        "namespace": .string(origin.dataset.namespace),
                        "dataset": .string(origin.dataset.name), "field": .string(origin.field),
                        "transformationDescription":
                            .optional(
                                output.transformationDescription ?? origin.transformations.text
                            ),
                        "transformationType":
                            .optional(output.transformationType ?? origin.transformations.type),
                        "transformations": origin.transformations.json,
                    ]
                    if origins[output.name]?.contains(input) != true {
                        origins[output.name, default: []].append(input)
                    }
                }
            }
        }
        return .array(
            order.map { ["name": .string($0), "inputFields": .array(origins[$0] ?? [])] }
        )
    }
}

extension OpenLineageColumns {
    /// The facet without its producer.
    fileprivate var json: JSON {
        func json(_ origins: [Origin]) -> JSON {
            .array(
                origins.map {
                    [
                        "namespace": .string($0.dataset.namespace),
                        "name": .string($0.dataset.name), "field": .string($0.field),
                        "transformations": $0.transformations.json,
                    ]
                }
            )
        }
        var columns = JSONObject()
        for output in fields { columns[output.name] = ["inputFields": json(output.origins)] }
        return ["fields": .object(columns), "dataset": json(rows)]
    }
}

extension OpenLineageEvent.Field {
    fileprivate static func json(_ fields: [OpenLineageEvent.Field]) -> JSON {
        .array(
            fields.map {
                [
                    "name": .string($0.name), "type": .optional($0.type), "tags": [],
                    "description": .optional($0.description),
                ]
            }
        )
    }
}

extension VersionView {
    package func json(_ events: LoadedEvents) -> JSON {
        var object = dataset.graphData.object ?? JSONObject()
        object["id"] = [
            "namespace": .string(dataset.name.namespace), "name": .string(dataset.name.name),
            "version": .string(record.text),
        ]
        object["version"] = .string(record.text)
        object["createdAt"] = .time(record.micros)
        object["fields"] = OpenLineageEvent.Field.json(fields)
        object["lastLifecycleState"] = nil
        object["lifecycleState"] = .optional(record.lifecycle?.rawValue)
        object["createdByRun"] = run?.json(events) ?? .null
        object["facets"] = facets(events)
        return .object(object)
    }

    /// The dataset's facets in the event that made the version.
    private func facets(_ events: LoadedEvents) -> JSON {
        guard let event = events[place] else { return [:] }
        var all = (event["outputs"]?.array ?? []) + (event["inputs"]?.array ?? [])
        if let dataset = event["dataset"] { all.append(dataset) }
        let found = all.first { one in
            guard let space = one["namespace"]?.string, let name = one["name"]?.string else {
                return false
            }
            return names.contains(EntityName(space, name))
        }
        return found?["facets"] ?? [:]
    }
}
