package import Bytes

// What an event of OpenLineage says, as values. Facets that nobody here looks into stay the text that they were.
//
// Spec: OpenLineage 2-0-2.

/// One event: a step of a run, or what somebody says of a job or dataset without one.
package struct OpenLineageEvent: Sendable, Equatable {
    /// What the event is about.
    package enum Subject: Sendable, Equatable {
        /// A RunEvent: something happened in a run of a job; nil for a type that says only more about it.
        case run(Run, Job, EventType?)
        /// A JobEvent: what a job is, whether it runs or not.
        case job(Job)
        /// A DatasetEvent: what a dataset is, whoever writes it.
        case dataset(Dataset)
    }

    package enum EventType: String, Sendable, Equatable, CaseIterable {
        case start = "START"
        case running = "RUNNING"
        case complete = "COMPLETE"
        case abort = "ABORT"
        case fail = "FAIL"
        case other = "OTHER"

        /// Whether the run is over.
        package var isTerminal: Bool { self == .complete || self == .abort || self == .fail }
    }

    package struct Run: Sendable, Equatable {
        /// A UUID in lower case.
        package var id: String
        package var facets: OpenLineageFacets
        package var parent: ParentRun?
        /// As the facet `nominalTime` has them, in microseconds since 1970.
        package var nominalStartMicros: Int64?
        package var nominalEndMicros: Int64?
    }

    /// The run that began another one.
    package struct ParentRun: Sendable, Equatable {
        /// A UUID in lower case.
        package var id: String
        package var job: EntityName
        /// The first of all parents, where somebody says.
        package var rootID: String?
        package var rootJob: EntityName?
    }

    package struct Job: Sendable, Equatable {
        package var name: EntityName
        package var facets: OpenLineageFacets
    }

    /// A dataset as an event names it.
    package struct Dataset: Sendable, Equatable {
        package var name: EntityName
        package var facets: OpenLineageFacets
        /// Facets of this reading or writing of it, as `inputFacets` or `outputFacets` have them.
        package var ioFacets: OpenLineageFacets
        /// Other names of the same dataset.
        package var symlinks: [EntityName] = []
        /// What the facet `version` says.
        package var statedVersion: String?
        /// The snapshot of an Iceberg table that a report of a scan or commit names.
        package var reportedSnapshotID: Int64?
        /// Whether a report named a snapshot that does not exist.
        package var namesMissingSnapshot = false
        /// Its columns in their order; nil where the event does not say.
        package var fields: [Field]?
        package var columnLineage: OpenLineageColumns?
        /// What equal ones of these two have in common, where it is known.
        var fieldsHash: Int?
        var columnLineageHash: Int?
        package var lifecycle: Lifecycle?
        /// The dataset's name before `lifecycle` renamed it.
        package var previousName: EntityName?
    }

    package enum Lifecycle: String, Sendable, Equatable, CaseIterable {
        case alter = "ALTER"
        case create = "CREATE"
        case drop = "DROP"
        case overwrite = "OVERWRITE"
        case rename = "RENAME"
        case truncate = "TRUNCATE"
    }

    /// A column of a dataset.
    package struct Field: Sendable, Hashable {
        package var name: String
        package var type: String?
        package var description: String?
    }

    /// Microseconds since 1970.
    package var timeMicros: Int64
    package var producer: String
    package var schemaURL: String
    package var subject: Subject
    /// Empty for a DatasetEvent.
    package var inputs: [Dataset] = []
    package var outputs: [Dataset] = []
}

/// A name in a namespace: of a dataset or a job.
package struct EntityName: Sendable, Hashable, Comparable {
    package var namespace: String
    package var name: String

    package init(_ namespace: String, _ name: String) {
        self.namespace = namespace
        self.name = name
    }

    package static func < (left: EntityName, right: EntityName) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}

/// The facets of one thing.
package struct OpenLineageFacets: Sendable, Equatable {
    /// As they came, in their order, in the event's text.
    package var kept: [JSONView.Member] = []
    /// The names of those that the event takes away.
    package var deleted: [String] = []

    package init() {}

    package subscript(name: String) -> JSONView? { kept.first { $0.key == name }?.value }
}

/// Which columns a dataset's columns were made from.
package struct OpenLineageColumns: Sendable, Hashable {
    package struct Transformation: Sendable, Hashable {
        /// `DIRECT`, `INDIRECT`, or what else the producer wrote.
        package var type: String
        package var subtype: String?
        package var description: String?
        package var isMasking = false

        package var isIndirect: Bool { type.uppercased() == "INDIRECT" }
    }

    package struct Origin: Sendable, Hashable {
        package var dataset: EntityName
        package var field: String
        package var transformations: [Transformation] = []
    }

    package struct Output: Sendable, Hashable {
        package var name: String
        package var origins: [Origin]
        /// What earlier versions of the facet say of the field as a whole.
        package var transformationType: String?
        package var transformationDescription: String?
    }

    /// In the order of the facet; names differ.
    package var fields: [Output]
    /// What decides about whole rows, and so about every field.
    package var rows: [Origin]

    /// How many origins there are.
    package var originCount: Int { fields.reduce(rows.count) { $0 + $1.origins.count } }

    package init(fields: [Output], rows: [Origin]) {
        self.fields = fields
        self.rows = rows
    }

    /// The columns that are read, by dataset, each once.
    var sources: [(dataset: EntityName, fields: [String])] {
        var order: [EntityName] = []
        var fields: [EntityName: Set<String>] = [:]
        for origins in [rows] + self.fields.map(\.origins) {
            for origin in origins {
                if fields[origin.dataset] == nil { order.append(origin.dataset) }
                fields[origin.dataset, default: []].insert(origin.field)
            }
        }
        return order.map { ($0, fields[$0, default: []].sorted()) }
    }

    /// The same with what all fields have in common said once, of the rows.
    ///
    /// Spark writes what filters, joins and sorts read into every field: n fields times m columns, where n + m say
    /// it all. Only INDIRECT transformations move; a single field stays as it is.
    package var factored: OpenLineageColumns {
        struct Part: Hashable {
            var dataset: EntityName
            var field: String
            var transformation: Transformation
        }
        guard fields.count > 1 else { return self }
        func parts(_ output: Output) -> Set<Part> {
            var parts: Set<Part> = []
            for origin in output.origins {
                for one in origin.transformations where one.isIndirect {
                    let part = Part(
                        dataset: origin.dataset,
                        field: origin.field,
                        transformation: one
                    )
                    parts.insert(part)
                }
            }
            return parts
        }
        var common = parts(fields[0])
        for output in fields.dropFirst() {
            if common.isEmpty { return self }
            common.formIntersection(parts(output))
        }
        if common.isEmpty { return self }
        var result = self
        // In the order of the first field, behind what the rows had.
        for origin in fields[0].origins {
            for one in origin.transformations {
                let part = Part(dataset: origin.dataset, field: origin.field, transformation: one)
                if common.contains(part) { result.addRow(part.dataset, part.field, one) }
            }
        }
        for index in result.fields.indices {
            result.fields[index].origins = fields[index].origins.compactMap { origin in
                var left = origin
                left.transformations.removeAll {
                    common.contains(
                        Part(dataset: origin.dataset, field: origin.field, transformation: $0)
                    )
                }
                return left.transformations.isEmpty && !origin.transformations.isEmpty ? nil : left
            }
        }
        return result
    }

    private mutating func addRow(
        _ dataset: EntityName,
        _ field: String,
        _ transformation: Transformation
    ) {
        // A row of which nothing is said stays as it is.
        let known = rows.firstIndex {
            $0.dataset == dataset && $0.field == field && !$0.transformations.isEmpty
        }
        guard let known else {
            rows.append(Origin(dataset: dataset, field: field, transformations: [transformation]))
            return
        }
        if !rows[known].transformations.contains(transformation) {
            rows[known].transformations.append(transformation)
        }
    }
}
