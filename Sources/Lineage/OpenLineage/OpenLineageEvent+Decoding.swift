package import Bytes
import Crypto

/// Bounds of what is taken of one event; what is beyond them is refused.
package enum OpenLineageLimits {
    /// Of an event in its canonical form.
    package static let eventBytesMax = 8 << 20
    /// How deep an event's values may be nested.
    package static let depthMax = 180
    /// Names of namespaces, jobs, datasets and columns.
    package static let textBytesMax = 8192
    /// Datasets read, and as many written.
    package static let datasetCountMax = 10_000
    /// Facets of one thing.
    package static let facetCountMax = 1000
    /// Columns of a dataset, all nested ones counted.
    package static let fieldCountMax = 100_000
    /// Origins of a dataset's columns altogether.
    package static let originCountMax = 1_000_000
    package static let transformationCountMax = 1000
    /// Other names of a dataset.
    package static let symlinkCountMax = 100
}

extension OpenLineageEvent {
    /// Reads an event.
    ///
    /// - Throws: `invalid` with the member at fault and the reason: what the specification's JSON schema refuses,
    ///   what is wrong in a facet that is understood here, and what is out of bounds.
    ///
    /// - Parameter decoded: what schemas and column lineages of other events were decoded to.
    package init(_ view: JSONView, decoded: DecodedFacets? = nil) throws(LineageError) {
        if view.isDeeper(than: OpenLineageLimits.depthMax) {
            throw LineageError(
                .invalid,
                "the event is nested more than \(OpenLineageLimits.depthMax) deep"
            )
        }
        let event = try OpenLineageFields(view, in: OpenLineageFields.Context(view, decoded))
        timeMicros = try event.time("eventTime")
        producer = try event.uri("producer")
        schemaURL = try event.uri("schemaURL")
        let (hasRun, hasJob) = (event.has("run"), event.has("job"))
        if event.has("dataset"), !(hasRun && hasJob) {
            let found = Result { () throws(LineageError) in
                try Self.dataset(event.fields("dataset"), io: nil)
            }
            // Schema: exactly one of the three kinds must fit.
            let isJob = hasJob && (try? Self.jobEvent(event)) != nil
            if case .success(let dataset) = found {
                if isJob {
                    throw event.wrong(
                        "dataset",
                        "stands beside a job without a run, so that it cannot be told which event "
                            + "it is"
                    )
                }
                subject = .dataset(dataset)
                return
            }
            if !isJob { subject = .dataset(try found.get()) }
        }
        if hasRun {
            let type = try Self.eventType(event)
            let run = try Self.run(event.fields("run"))
            let job: Job
            (job, inputs, outputs) = try Self.jobEvent(event)
            subject = .run(run, job, type)
        } else if hasJob {
            let job: Job
            (job, inputs, outputs) = try Self.jobEvent(event)
            subject = .job(job)
        } else {
            throw LineageError(
                .invalid,
                "the event has neither run and job, nor job, nor dataset: it is about nothing"
            )
        }
    }

    /// Reads an event that does not come as text; see `init(_:)`.
    package init(json: JSON) throws(LineageError) {
        let view: JSONView
        do throws(BytesError) {
            view = try JSONView(json)
        } catch {
            throw LineageError(.invalid, "the event cannot be written as JSON: \(error)")
        }
        try self.init(view)
    }

    /// What job events have, and events of runs too.
    private static func jobEvent(
        _ event: OpenLineageFields
    ) throws(LineageError) -> (Job, inputs: [Dataset], outputs: [Dataset]) {
        let job = try Self.job(event.fields("job"))
        let countMax = OpenLineageLimits.datasetCountMax
        var inputs: [Dataset] = []
        for one in try event.objects("inputs", countMax: countMax) {
            inputs.append(try dataset(one, io: "inputFacets"))
        }
        var outputs: [Dataset] = []
        for one in try event.objects("outputs", countMax: countMax) {
            outputs.append(try dataset(one, io: "outputFacets"))
        }
        return (job, inputs, outputs)
    }

    private static func eventType(_ event: OpenLineageFields) throws(LineageError) -> EventType? {
        guard let text = try event.optionalText("eventType") else { return nil }
        guard let type = EventType(rawValue: text) else {
            let all = EventType.allCases.map(\.rawValue).joined(separator: ", ")
            throw event.wrong("eventType", "must be one of \(all), not \"\(text.prefix(100))\"")
        }
        return type
    }

    private static func run(_ run: OpenLineageFields) throws(LineageError) -> Run {
        var result = Run(
            id: try run.uuid("runId"),
            facets: try OpenLineageFacets(run, "facets", canBeDeleted: false)
        )
        if let parent = try run.facet("parent", result.facets) {
            result.parent = try parentRun(parent)
        }
        if let nominal = try run.facet("nominalTime", result.facets) {
            result.nominalStartMicros = try nominal.time("nominalStartTime")
            result.nominalEndMicros = try nominal.optionalTime("nominalEndTime")
        }
        return result
    }

    private static func parentRun(_ facet: OpenLineageFields) throws(LineageError) -> ParentRun {
        var parent = ParentRun(
            id: try facet.fields("run").uuid("runId"),
            job: try facet.fields("job").entity()
        )
        if facet.has("root") {
            let root = try facet.fields("root")
            parent.rootID = try root.fields("run").uuid("runId")
            parent.rootJob = try root.fields("job").entity()
        }
        return parent
    }

    private static func job(_ job: OpenLineageFields) throws(LineageError) -> Job {
        Job(
            name: try job.entity(),
            facets: try OpenLineageFacets(job, "facets", canBeDeleted: true)
        )
    }

    /// - Parameter io: the member with the facets of its reading or writing.
    private static func dataset(
        _ dataset: OpenLineageFields,
        io: String?
    ) throws(LineageError) -> Dataset {
        var result = Dataset(
            name: try dataset.entity(),
            facets: try OpenLineageFacets(dataset, "facets", canBeDeleted: true),
            ioFacets: OpenLineageFacets()
        )
        if let io {
            result.ioFacets = try OpenLineageFacets(dataset, io, canBeDeleted: false)
            for report in ["icebergCommitReport", "icebergScanReport"] {
                if let facet = try dataset.facet(report, result.ioFacets),
                    let id = facet.object["snapshotId"]
                {
                    guard let number = id.int64 else {
                        throw facet.wrong("snapshotId", "must be an integer of 64 bits")
                    }
                    result.reportedSnapshotID = number
                }
            }
        }
        if let facet = try dataset.facet("version", result.facets) {
            result.statedVersion = try facet.name("datasetVersion")
        }
        if let facet = try dataset.facet("symlinks", result.facets) {
            let countMax = OpenLineageLimits.symlinkCountMax
            for identifier in try facet.objects("identifiers", countMax: countMax) {
                _ = try identifier.text("type")
                let name = try identifier.entity()
                if name != result.name, !result.symlinks.contains(name) {
                    result.symlinks.append(name)
                }
            }
        }
        if let facet = try dataset.facet("schema", result.facets), facet.has("fields") {
            func decode() throws(LineageError) -> [Field] {
                var countLeft = OpenLineageLimits.fieldCountMax
                return try columns(facet, parent: "", depth: 0, &countLeft)
            }
            if let known = try facet.context.decoded?.fields(facet.object, decode: decode) {
                (result.fields, result.fieldsHash) = (known.value, known.hash)
            } else {
                result.fields = try decode()
            }
        }
        if let facet = try dataset.facet("columnLineage", result.facets) {
            func decode() throws(LineageError) -> OpenLineageColumns {
                try OpenLineageColumns(facet)
            }
            if let known = try facet.context.decoded?.columns(facet.object, decode: decode) {
                (result.columnLineage, result.columnLineageHash) = (known.value, known.hash)
            } else {
                result.columnLineage = try decode()
            }
        }
        if let facet = try dataset.facet("lifecycleStateChange", result.facets) {
            try result.readLifecycle(facet)
        }
        return result
    }

    /// The columns of a schema, nested ones behind those that they are in, as `a.b`.
    private static func columns(
        _ holder: OpenLineageFields,
        parent: String,
        depth: Int,
        _ countLeft: inout Int
    ) throws(LineageError) -> [Field] {
        var fields: [Field] = []
        let list = try holder.objects("fields", countMax: OpenLineageLimits.fieldCountMax)
        for column in list {
            countLeft -= 1
            guard countLeft >= 0 else {
                throw holder.wrong(
                    "fields",
                    "has more than \(OpenLineageLimits.fieldCountMax) columns"
                )
            }
            let name = parent + (try column.name("name"))
            guard name.utf8.count <= OpenLineageLimits.textBytesMax else {
                throw column.wrong(
                    "name",
                    "with those around it has more than \(OpenLineageLimits.textBytesMax) bytes"
                )
            }
            fields.append(
                Field(
                    name: name,
                    type: try column.optionalText("type"),
                    description: try column.optionalText("description")
                )
            )
            guard column.has("fields") else { continue }
            fields += try columns(column, parent: name + ".", depth: depth + 1, &countLeft)
        }
        return fields
    }
}

extension OpenLineageEvent.Dataset {
    fileprivate mutating func readLifecycle(_ facet: OpenLineageFields) throws(LineageError) {
        let text = try facet.text("lifecycleStateChange")
        guard let known = OpenLineageEvent.Lifecycle(rawValue: text) else {
            let all = OpenLineageEvent.Lifecycle.allCases.map(\.rawValue).joined(separator: ", ")
            throw facet.wrong(
                "lifecycleStateChange",
                "must be one of \(all), not \"\(text.prefix(100))\""
            )
        }
        lifecycle = known
        if facet.has("previousIdentifier") {
            previousName = try facet.fields("previousIdentifier").entity()
        }
    }
}

extension OpenLineageFields {
    /// A facet that the event gives, not one that it takes away.
    fileprivate func facet(
        _ name: String,
        _ facets: OpenLineageFacets
    ) throws(LineageError) -> OpenLineageFields? {
        guard let facet = facets[name] else { return nil }
        return try OpenLineageFields(facet, in: context)
    }
}

extension OpenLineageFacets {
    /// - Parameter canBeDeleted: whether `_deleted` means something here.
    init(_ holder: OpenLineageFields, _ member: String, canBeDeleted: Bool) throws(LineageError) {
        guard holder.has(member) else { return }
        let object = try holder.fields(member)
        guard object.object.count <= OpenLineageLimits.facetCountMax else {
            throw holder.wrong(
                member,
                "has \(object.object.count) facets; \(OpenLineageLimits.facetCountMax) are allowed"
            )
        }
        for one in object.object.members {
            let facet = try OpenLineageFields(one.value, in: holder.context)
            try facet.checkURI("_producer")
            try facet.checkURI("_schemaURL")
            if canBeDeleted, try facet.flag("_deleted") {
                deleted.append(one.key)
            } else {
                kept.append(one)
            }
        }
    }
}

extension OpenLineageColumns {
    /// The facet `columnLineage`, factored.
    init(_ facet: OpenLineageFields) throws(LineageError) {
        let fields = try facet.fields("fields")
        var countLeft = OpenLineageLimits.originCountMax
        guard fields.object.count <= OpenLineageLimits.fieldCountMax else {
            throw facet.wrong(
                "fields",
                "has \(fields.object.count) columns; "
                    + "\(OpenLineageLimits.fieldCountMax) are allowed"
            )
        }
        var outputs: [Output] = []
        outputs.reserveCapacity(fields.object.count)
        for member in fields.object.members {
            guard (1...OpenLineageLimits.textBytesMax).contains(member.key.utf8.count) else {
                throw fields.wrong(
                    String(member.key.prefix(100)),
                    "is a name that has not 1 to \(OpenLineageLimits.textBytesMax) bytes"
                )
            }
            let field = try OpenLineageFields(member.value, in: facet.context)
            _ = try field.required("inputFields")
            outputs.append(
                Output(
                    name: member.key,
                    origins: try Self.origins(field, "inputFields", &countLeft),
                    transformationType: try field.optionalText("transformationType"),
                    transformationDescription: try field.optionalText("transformationDescription")
                )
            )
        }
        self.init(fields: outputs, rows: try Self.origins(facet, "dataset", &countLeft))
        self = factored
    }

    private static func origins(
        _ holder: OpenLineageFields,
        _ member: String,
        _ countLeft: inout Int
    ) throws(LineageError) -> [Origin] {
        var origins: [Origin] = []
        for origin in try holder.objects(member, countMax: OpenLineageLimits.originCountMax) {
            countLeft -= 1
            guard countLeft >= 0 else {
                throw holder.wrong(
                    member,
                    "is one of more than \(OpenLineageLimits.originCountMax) origins"
                )
            }
            var transformations: [Transformation] = []
            let countMax = OpenLineageLimits.transformationCountMax
            for one in try origin.objects("transformations", countMax: countMax) {
                transformations.append(
                    Transformation(
                        type: try one.text("type"),
                        subtype: try one.optionalText("subtype"),
                        description: try one.optionalText("description"),
                        isMasking: try one.flag("masking")
                    )
                )
            }
            origins.append(
                Origin(
                    dataset: try origin.entity(),
                    field: try origin.name("field"),
                    transformations: transformations
                )
            )
        }
        return origins
    }
}

// MARK: - Canonical form

/// An event that was found good, and the name that its bytes give it.
package struct AcceptedEvent: Sendable, Equatable {
    /// SHA-256 of the canonical form, 64 hexadecimal digits.
    package let id: String
    /// As it came.
    package let view: JSONView
    /// How long the canonical form is.
    package let byteCount: Int

    /// - Throws: `invalid` as the decoder, and for an event that is too large.
    package init(_ view: JSONView, decoded: DecodedFacets? = nil) throws(LineageError) {
        _ = try OpenLineageEvent(view, decoded: decoded)
        let bytes = Self.canonicalBytes(of: view)
        guard bytes.count <= OpenLineageLimits.eventBytesMax else {
            throw LineageError(
                .invalid,
                "the event has \(bytes.count) bytes; \(OpenLineageLimits.eventBytesMax) are allowed"
            )
        }
        id = Self.id(ofCanonical: bytes)
        byteCount = bytes.count
        self.view = view
    }

    /// The id of an event of the log.
    package static func id(of view: JSONView) -> String {
        id(ofCanonical: canonicalBytes(of: view))
    }

    /// White space, the order of members and how strings are escaped do not count; how a number is written does.
    private static func canonicalBytes(of view: JSONView) -> [UInt8] {
        view.serialized(sortedKeys: true)
    }

    private static func id(ofCanonical bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).hexadecimal
    }
}
