package import Bytes

/// One flow of data that a commit made: a run of a job read inputs and wrote an output.
///
/// - Spec: Formats/lineage-facts/README.md
package struct LineageFacts: Sendable, Hashable {
    /// Inputs of one flow, at most.
    package static let inputCountMax = 4096
    /// Output columns of one map, at most.
    package static let columnCountMax = 32_768
    /// Origins in one map, at most.
    package static let originCountMax = 262_144
    /// The longest text: a name, a path, a version.
    package static let textBytesMax = 8192
    /// Flows in one commit, at most.
    package static let factCountMax = 4096

    /// What did it.
    package struct Job: Sendable, Hashable {
        /// `sql`, `transform`, `import`; later versions may write others.
        package var kind: String
        /// The transform's name, or for statements and imports the output's.
        package var name: String
        /// Tells versions of the same job apart: a hash of the transform's spec or of the statement.
        package var version: String?

        package init(kind: String, name: String, version: String? = nil) {
            self.kind = kind
            self.name = name
            self.version = version
        }
    }

    /// A table of this warehouse or something outside it.
    package enum Dataset: Sendable, Hashable {
        /// By its uuid, which stays when it is renamed. The name is the one it had then.
        case table(uuid: String, name: [String])
        /// A file's path or URL, as absolute as the writer knew it.
        case file(String)
    }

    /// A dataset as it was read.
    package struct Input: Sendable, Hashable {
        package var dataset: Dataset
        /// nil for files and for tables without data.
        package var snapshotID: Int64?
        package var schemaID: Int32?

        package init(_ dataset: Dataset, snapshotID: Int64? = nil, schemaID: Int32? = nil) {
            self.dataset = dataset
            self.snapshotID = snapshotID
            self.schemaID = schemaID
        }
    }

    /// A dataset as it was left.
    package struct Output: Sendable, Hashable {
        package var dataset: Dataset
        /// nil means the snapshot that the same commit gives the table.
        package var snapshotID: Int64?
        /// As Iceberg's snapshot summary says it: `append`, `overwrite`, `replace`, `delete`.
        package var operation: String
        /// Whether nothing that was there before is left, so that earlier flows no longer count.
        package var replacesContents: Bool

        package init(
            _ dataset: Dataset,
            snapshotID: Int64? = nil,
            operation: String,
            replacesContents: Bool
        ) {
            self.dataset = dataset
            self.snapshotID = snapshotID
            self.operation = operation
            self.replacesContents = replacesContents
        }
    }

    package var job: Job
    /// Names this execution; several flows of one run share it.
    package var runID: String
    /// In a stable order, since the column map refers to them by number.
    package var inputs: [Input]
    package var output: Output
    /// The hash of the column map; nil when columns were not traced.
    package var columnMapHash: String?

    package init(
        job: Job,
        runID: String,
        inputs: [Input],
        output: Output,
        columnMapHash: String? = nil
    ) {
        self.job = job
        self.runID = runID
        self.inputs = inputs
        self.output = output
        self.columnMapHash = columnMapHash
    }
}

/// What a commit says about where its data came from: the member `lineage` of the log.
///
/// Column maps are carried in full when the log has not carried them before; otherwise only their
/// hashes, in the facts.
package struct CommitLineage: Sendable, Hashable {
    /// The version of the format that this program writes and reads.
    package static let formatVersion: Int64 = 1

    package var facts: [LineageFacts]
    /// By their hashes.
    package private(set) var columnMaps: [String: ColumnMap]

    package init() {
        facts = []
        columnMaps = [:]
    }

    /// Flows with their maps, by hashes that are taken as they are.
    package init(facts: [LineageFacts], columnMaps: [String: ColumnMap]) {
        self.facts = facts
        self.columnMaps = columnMaps
    }

    /// Adds a flow.
    ///
    /// - Parameters:
    ///   - map: sets `columnMapHash` of the facts.
    ///   - hash: the map's, from who knows it already.
    package mutating func add(_ facts: LineageFacts, map: ColumnMap?, hash: String? = nil) {
        var facts = facts
        if let map {
            let hash = hash ?? map.hash
            facts.columnMapHash = hash
            columnMaps[hash] = map
        }
        self.facts.append(facts)
    }

    /// The same without those maps that the log has carried before.
    ///
    /// A map carried twice does no harm.
    package func omittingMaps(_ isKnown: (String) -> Bool) -> CommitLineage {
        var needed = self
        needed.columnMaps = columnMaps.filter { !isKnown($0.key) }
        return needed
    }

    /// Adds the flows of another commit, behind its own.
    package mutating func append(_ other: CommitLineage) {
        facts += other.facts
        columnMaps.merge(other.columnMaps) { own, _ in own }
    }
}

// MARK: - JSON

extension CommitLineage {
    /// The JSON form, proved to be readable.
    ///
    /// - Throws: `invalid` when something is out of the bounds of the format: a reader would refuse it.
    package func encoded() throws(LineageError) -> JSON {
        let json = self.json
        do throws(LineageError) {
            guard try CommitLineage(json: json) == self else {
                throw LineageError(.invalid, "the facts do not read back as they were written")
            }
        } catch {
            throw LineageError(.invalid, error.message, place: error.place)
        }
        return json
    }

    private var json: JSON {
        var object: JSONObject = [
            "version": .integer(Self.formatVersion), "facts": .array(facts.map(\.json)),
        ]
        if !columnMaps.isEmpty {
            var maps = JSONObject()
            for hash in columnMaps.keys.sorted(by: bytesPrecede) {
                maps[hash] = columnMaps[hash]?.json
            }
            object["column-maps"] = .object(maps)
        }
        return .object(object)
    }

    /// Reads what a commit carries; members that this version does not know are ignored.
    ///
    /// - Throws: `unsupported` for a later version of the format; `corrupt` when a member is missing,
    ///   wrong or out of bounds, or a column map is not what its hash says.
    package init(json: JSON) throws(LineageError) {
        let fields = try FactFields(json, place: "")
        let version = try fields.integer("version")
        guard version >= 1 else { throw fields.wrong("version", "is not positive") }
        guard version <= Self.formatVersion else {
            throw LineageError(
                .unsupported,
                "lineage of format version \(version); this program reads up to "
                    + "\(Self.formatVersion)"
            )
        }
        columnMaps = [:]
        if let maps = fields.object["column-maps"]?.object {
            guard maps.count <= LineageFacts.factCountMax else {
                throw fields.wrong("column-maps", "has too many members")
            }
            for member in maps.members {
                let map = try ColumnMap(
                    FactFields(member.value, place: "column-maps.\(member.key.prefix(64))")
                )
                guard map.hash == member.key else {
                    throw fields.wrong("column-maps", "a map is not what its hash says")
                }
                columnMaps[member.key] = map
            }
        } else if fields.has("column-maps") {
            throw fields.wrong("column-maps", "is no object")
        }
        facts = []
        for element in try fields.elements("facts", countMax: LineageFacts.factCountMax) {
            let fact = try LineageFacts(element)
            if let hash = fact.columnMapHash, let map = columnMaps[hash],
                map.inputCountMin > fact.inputs.count
            {
                throw element.wrong("column-map", "refers to an input that is not there")
            }
            facts.append(fact)
        }
    }
}

extension LineageFacts {
    fileprivate var json: JSON {
        var job: JSONObject = ["kind": .string(self.job.kind), "name": .string(self.job.name)]
        if let version = self.job.version { job["version"] = .string(version) }
        var output = Self.members(self.output.dataset)
        if let id = self.output.snapshotID { output["snapshot-id"] = .integer(id) }
        output["operation"] = .string(self.output.operation)
        if self.output.replacesContents { output["replaces-contents"] = true }
        var object: JSONObject = [
            "job": .object(job), "run": .string(runID),
            "inputs": .array(
                inputs.map { input in
                    var object = Self.members(input.dataset)
                    if let id = input.snapshotID { object["snapshot-id"] = .integer(id) }
                    if let id = input.schemaID { object["schema-id"] = .integer(id) }
                    return .object(object)
                }
            ),
            "output": .object(output),
        ]
        if let columnMapHash { object["column-map"] = .string(columnMapHash) }
        return .object(object)
    }

    private static func members(_ dataset: Dataset) -> JSONObject {
        switch dataset {
        case .table(let uuid, let name): ["table": .string(uuid), "name": .strings(name)]
        case .file(let path): ["file": .string(path)]
        }
    }

    fileprivate init(_ fields: FactFields) throws(LineageError) {
        let job = try fields.object("job")
        self.job = Job(
            kind: try job.text("kind"),
            name: try job.text("name"),
            version: try job.optionalText("version")
        )
        runID = try fields.text("run")
        inputs = []
        for input in try fields.elements("inputs", countMax: Self.inputCountMax) {
            var schemaID: Int32?
            if let id = try input.optionalInteger("schema-id") {
                schemaID = Int32(exactly: id)
                if schemaID == nil { throw input.wrong("schema-id", "is no integer of 32 bits") }
            }
            inputs.append(
                Input(
                    try Self.dataset(input),
                    snapshotID: try input.optionalInteger("snapshot-id"),
                    schemaID: schemaID
                )
            )
        }
        let output = try fields.object("output")
        self.output = Output(
            try Self.dataset(output),
            snapshotID: try output.optionalInteger("snapshot-id"),
            operation: try output.text("operation"),
            replacesContents: try output.flag("replaces-contents")
        )
        columnMapHash = try fields.optionalText("column-map")
        if let hash = columnMapHash,
            hash.utf8.count != 64 || !hash.utf8.allSatisfy({ Self.isDigit($0) })
        {
            throw fields.wrong("column-map", "is not 64 lower-case hexadecimal digits")
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func dataset(_ fields: FactFields) throws(LineageError) -> Dataset {
        switch (fields.has("table"), fields.has("file")) {
        case (true, false):
            .table(
                uuid: try fields.text("table"),
                name: try fields.texts("name", countMax: 17)
            )
        case (false, true): .file(try fields.text("file"))
        default: throw fields.wrong("table", "either this or \"file\" must be there")
        }
    }
}
