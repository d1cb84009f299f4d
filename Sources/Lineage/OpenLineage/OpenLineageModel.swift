import Bytes

// What events say together: namespaces, jobs, runs, datasets and their versions.
//
//     events of others (their log)  ---\
//                                       decode -> apply -> this
//     our own commits (catalog log) ---/
//
// 1. What counts as latest is decided by the events' own times, not by the order in which they came: two processes
//    that read the two logs in different turns agree, and a late event changes only what was so before. The one
//    exception is a name that stands for one dataset after the other (a table dropped and made again): events that
//    use it belong to the dataset that it stood for when they were read.
// 2. An event that is applied twice changes nothing but the list of events.
// 3. Facets of runs and versions are not kept here but read from the logs when somebody asks: what is kept of an
//    event is where it lies.
// 4. Everything that grows with the number of events has a bound (`Bounds`); the logs keep all.

/// Where an event lies.
package struct EventPlace: Sendable, Hashable, Comparable {
    package enum Log: UInt8, Sendable {
        /// The catalog's: the event is made from a commit.
        case commits
        case events
    }

    package var log: Log
    package var position: Int64
    /// Its number in the entry.
    package var index: Int32

    package init(_ log: Log, position: Int64, index: Int) {
        self.log = log
        self.position = position
        self.index = Int32(clamping: index)
    }

    package static func < (left: EventPlace, right: EventPlace) -> Bool {
        (left.log.rawValue, left.position, left.index)
            < (right.log.rawValue, right.position, right.index)
    }
}

/// A place and the time of its event.
package struct TimedPlace: Sendable, Hashable, Comparable {
    package var micros: Int64
    package var place: EventPlace

    package static func < (left: TimedPlace, right: TimedPlace) -> Bool {
        (left.micros, left.place) < (right.micros, right.place)
    }
}

/// The id of a run: a UUID.
package struct RunID: Sendable, Hashable, Comparable {
    private var high: UInt64
    private var low: UInt64

    /// - Returns: nil for what is no UUID.
    package init?(_ text: String) {
        guard isUUID(text) else { return nil }
        (high, low) = (0, 0)
        var count = 0
        for byte in text.utf8 where byte != 0x2D {
            let digit = UInt64(byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x61 + 10)
            if count < 16 { high = high << 4 | digit } else { low = low << 4 | digit }
            count += 1
        }
    }

    package var text: String {
        var result = ""
        for count in 0..<32 {
            if [8, 12, 16, 20].contains(count) { result += "-" }
            let word = count < 16 ? high : low
            result += String(word >> (60 - 4 * UInt64(count % 16)) & 15, radix: 16)
        }
        return result
    }

    package static func < (left: RunID, right: RunID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// What is known from events; a fold, whose order does not matter.
package struct OpenLineageModel: Sendable {
    /// How much is kept.
    package struct Bounds: Sendable {
        /// Runs of all jobs; those that were told of first go first.
        package var runsMax = 1_000_000
        /// Versions of one dataset.
        package var versionsMax = 10_000
        /// Events of one run whose facets are looked for.
        package var placesMax = 200
        /// Events in the list of events.
        package var eventsMax = 5_000_000

        package init() {}
    }

    /// What a job reads and writes, as numbers of datasets in order.
    struct JobIO: Sendable, Equatable {
        var inputs: [Int] = []
        var outputs: [Int] = []

        var isEmpty: Bool { inputs.isEmpty && outputs.isEmpty }
    }

    struct JobRecord: Sendable {
        var name: EntityName
        var createdMicros: Int64
        var updatedMicros: Int64
        var facets = TimedFacets()
        /// As runs that were completed had it, and as job events say.
        var done = Timeline<JobIO>()
        /// As other runs had it, which counts as long as there is nothing better.
        var begun = Timeline<JobIO>()
        /// In the order in which they were told of.
        var runs: [RunID] = []
        var parent: EntityName?
        var parentMicros = Int64.min

        func io(asOf micros: Int64? = nil) -> JobIO {
            done.value(asOf: micros) ?? begun.value(asOf: micros) ?? JobIO()
        }
    }

    /// A dataset that a run read or wrote.
    struct Use: Sendable, Equatable {
        var dataset: Int
        /// Nil where nobody said.
        var version: String?
    }

    package enum RunState: String, Sendable {
        case new = "NEW"
        case running = "RUNNING"
        case completed = "COMPLETED"
        case aborted = "ABORTED"
        case failed = "FAILED"
    }

    struct RunRecord: Sendable {
        var job: Int
        var state = RunState.new
        var createdMicros: Int64
        var updatedMicros: Int64
        var startedMicros: Int64?
        var endedMicros: Int64?
        /// When it was last said to be complete, whatever else was said.
        var completedMicros: Int64?
        var nominalStartMicros: Int64?
        var nominalEndMicros: Int64?
        var parent: OpenLineageEvent.ParentRun?
        var places: [TimedPlace] = []
        var inputs: [Use] = []
        var outputs: [Use] = []
    }

    struct VersionRecord: Sendable {
        var text: String
        var micros: Int64
        var run: RunID?
        /// Whether the run's id is its only name.
        var isMade: Bool
        var place: EventPlace
        /// The columns that it was said to have; a number in `schemas`.
        var schema: Int?
        var lifecycle: OpenLineageEvent.Lifecycle?
    }

    struct DatasetRecord: Sendable {
        var name: EntityName
        /// Other names that stand for it.
        var aliases: [EntityName] = []
        var createdMicros: Int64
        var updatedMicros: Int64
        /// When a run wrote to it last.
        var writtenMicros: Int64?
        var facets = TimedFacets()
        var schema = Timeline<Int>()
        /// Columns that lineage named, for datasets whose schema nobody told.
        var namedFields: Set<String> = []
        /// By their names.
        var versions: [String: VersionRecord] = [:]
        /// The names of versions in the order in which they were told of, some of which are gone.
        var versionOrder: [String] = []
        /// By job: which columns it made the dataset's columns from; numbers in `lineages`.
        var columnLineage: [Int: Timeline<Int>] = [:]
        /// When somebody last took the facet away: what was told until then counts no more.
        var lineageDeletedMicros: Int64?
        /// Jobs that read or wrote it at some time.
        var jobs: Set<Int> = []
        var lifecycle: (micros: Int64, state: OpenLineageEvent.Lifecycle)?
        /// Whether it is a table of this warehouse.
        var isOwn = false
        /// The dataset that this one turned out to be.
        var forward: Int?
    }

    let bounds: Bounds
    var jobs: [JobRecord] = []
    var jobIDs: [EntityName: Int] = [:]
    var datasets: [DatasetRecord] = []
    /// All names of all datasets.
    var datasetIDs: [EntityName: Int] = [:]
    /// When a name that is not a dataset's first was last said to be its.
    var aliasMicros: [EntityName: Int64] = [:]
    var runs: [RunID: RunRecord] = [:]
    private var runOrder: [RunID] = []
    private var runHead = 0
    private(set) var schemas: [[OpenLineageEvent.Field]] = []
    /// By their hashes.
    private var schemaIDs: [Int: [Int]] = [:]
    private(set) var lineages: [OpenLineageColumns] = []
    private var lineageIDs: [Int: [Int]] = [:]
    /// Of each lineage the columns that it reads, by dataset.
    private var lineageSources: [[(dataset: EntityName, fields: [String])]] = []
    /// Of each dataset, by the name that was used, those whose columns were made from its.
    var derived: [EntityName: Set<Int>] = [:]
    /// Events of runs; sorted when somebody asks.
    var events: [TimedPlace] = []
    var eventsAreSorted = true
    /// When each namespace was first and last named.
    var namespaces: [String: (createdMicros: Int64, updatedMicros: Int64)] = [:]

    package init(bounds: Bounds = Bounds()) {
        self.bounds = bounds
    }

    /// How many different column lineages and schemas are kept.
    package var differentLineageCount: Int { lineages.count }
    package var differentSchemaCount: Int { schemas.count }

    // MARK: - Applying

    /// Adds what an event says.
    ///
    /// - Parameter isOwn: whether it was made from a commit of this warehouse, so that its outputs are our tables.
    package mutating func apply(
        _ event: OpenLineageEvent,
        at place: EventPlace,
        isOwn: Bool = false
    ) {
        let micros = event.timeMicros
        switch event.subject {
        case .dataset(let dataset):
            let index = apply(dataset, micros)
            let made = "\(place.log == .commits ? "c" : "e")\(place.position)-\(place.index)"
            // What somebody says of a dataset is a version of it, as in Marquez, if only by where it was said.
            addVersion(dataset, index, named: dataset.version ?? made, micros, nil, place)
        case .job(let job):
            let index = apply(job, micros)
            let io = JobIO(
                inputs: unique(event.inputs.map { apply($0, micros) }),
                outputs: unique(event.outputs.map { applyOutput($0, micros, job: index) })
            )
            if !io.isEmpty { observe(io, of: index, at: micros, isDone: true) }
        case .run(let run, let job, let type):
            guard let id = RunID(run.id) else { return }
            apply(event, run, id, job, type, TimedPlace(micros: micros, place: place), isOwn)
        }
    }

    private mutating func apply(
        _ event: OpenLineageEvent,
        _ run: OpenLineageEvent.Run,
        _ id: RunID,
        _ job: OpenLineageEvent.Job,
        _ type: OpenLineageEvent.EventType?,
        _ at: TimedPlace,
        _ isOwn: Bool
    ) {
        let micros = at.micros
        let jobIndex = apply(job, micros)
        if let parent = run.parent, micros >= jobs[jobIndex].parentMicros {
            jobs[jobIndex].parent = parent.job
            jobs[jobIndex].parentMicros = micros
        }
        var record: RunRecord
        if let known = runs[id] {
            record = known
        } else {
            record = RunRecord(job: jobIndex, createdMicros: micros, updatedMicros: micros)
            addRun(id, to: jobIndex)
        }
        if !record.places.contains(at) {
            record.places.append(at)
            if record.places.count > bounds.placesMax {
                // How it began and how it goes on tell more than what was in between.
                record.places.sort()
                record.places.remove(at: bounds.placesMax / 8)
            }
            addEvent(at)
        }
        record.apply(run, type, micros)
        for dataset in event.inputs {
            let index = apply(dataset, micros)
            record.inputs.note(Use(dataset: index, version: dataset.version))
        }
        let writes = type != .start && type != .fail && type != .abort
        for dataset in event.outputs {
            let index = applyOutput(dataset, micros, job: jobIndex)
            if isOwn { datasets[index].isOwn = true }
            record.outputs.note(Use(dataset: index, version: dataset.version))
            if writes {
                let written = datasets[index].writtenMicros
                datasets[index].writtenMicros = max(written ?? micros, micros)
            }
            if let version = dataset.version {
                addVersion(dataset, index, named: version, micros, id, at.place)
            } else if writes, !dataset.namesMissingSnapshot,
                !record.outputs.contains(where: { $0.dataset == index && $0.version != nil })
            {
                // It has no name but that of the run that wrote it.
                addVersion(dataset, index, named: id.text, micros, id, at.place, isMade: true)
            }
        }
        // What became of the run may have been told before what it read.
        let io = JobIO(
            inputs: unique(record.inputs.map { root($0.dataset) }),
            outputs: unique(record.outputs.map { root($0.dataset) })
        )
        if !io.isEmpty {
            observe(
                io,
                of: record.job,
                at: record.completedMicros ?? record.updatedMicros,
                isDone: record.completedMicros != nil
            )
        }
        runs[id] = record
    }

    private mutating func observe(
        _ io: JobIO,
        of job: Int,
        at micros: Int64,
        isDone: Bool
    ) {
        if isDone {
            jobs[job].done.observe(io, at: micros)
        } else {
            jobs[job].begun.observe(io, at: micros)
        }
        for dataset in io.inputs + io.outputs { datasets[dataset].jobs.insert(job) }
    }

    private mutating func apply(_ job: OpenLineageEvent.Job, _ micros: Int64) -> Int {
        touch(job.name.namespace, micros)
        let index: Int
        if let known = jobIDs[job.name] {
            index = known
            jobs[index].createdMicros = min(jobs[index].createdMicros, micros)
            jobs[index].updatedMicros = max(jobs[index].updatedMicros, micros)
        } else {
            index = jobs.count
            jobs.append(JobRecord(name: job.name, createdMicros: micros, updatedMicros: micros))
            jobIDs[job.name] = index
        }
        jobs[index].facets.apply(job.facets, micros)
        return index
    }

    /// - Returns: the dataset's number.
    private mutating func apply(_ dataset: OpenLineageEvent.Dataset, _ micros: Int64) -> Int {
        var index = datasetIndex(dataset.name, micros)
        for alias in dataset.symlinks { index = link(alias, to: index, micros) }
        if dataset.lifecycle == .rename, let before = dataset.previousName {
            index = link(before, to: index, micros)
        }
        datasets[index].createdMicros = min(datasets[index].createdMicros, micros)
        datasets[index].updatedMicros = max(datasets[index].updatedMicros, micros)
        // Kept in a form of its own.
        datasets[index].facets.apply(dataset.facets, micros, without: "columnLineage")
        if let fields = dataset.fields {
            let id = schemaID(fields, dataset.fieldsHash)
            datasets[index].schema.observe(id, at: micros)
        }
        for name in dataset.facets.deleted {
            switch name {
            case "schema": datasets[index].schema.observe(schemaID([], nil), at: micros)
            case "columnLineage":
                let known = datasets[index].lineageDeletedMicros
                datasets[index].lineageDeletedMicros = max(known ?? micros, micros)
            default: break
            }
        }
        if let lifecycle = dataset.lifecycle, micros >= datasets[index].lifecycle?.micros ?? .min {
            datasets[index].lifecycle = (micros, lifecycle)
        }
        return index
    }

    private mutating func applyOutput(
        _ dataset: OpenLineageEvent.Dataset,
        _ micros: Int64,
        job: Int
    ) -> Int {
        let index = apply(dataset, micros)
        guard let lineage = dataset.columnLineage else { return index }
        let id = lineageID(lineage, dataset.columnLineageHash)
        for output in lineage.fields { datasets[index].namedFields.insert(output.name) }
        for place in lineageSources[id].indices {
            let (name, fields) = lineageSources[id][place]
            let source = datasetIndex(name, micros)
            datasets[source].namedFields.formUnion(fields)
            derived[name, default: []].insert(index)
        }
        datasets[index].columnLineage[job, default: Timeline()].observe(id, at: micros)
        return index
    }

    private mutating func schemaID(_ fields: [OpenLineageEvent.Field], _ hash: Int?) -> Int {
        let hash = hash ?? fields.hashValue
        if let known = schemaIDs[hash]?.first(where: { schemas[$0] == fields }) { return known }
        schemas.append(fields)
        schemaIDs[hash, default: []].append(schemas.count - 1)
        return schemas.count - 1
    }

    private mutating func lineageID(_ lineage: OpenLineageColumns, _ hash: Int?) -> Int {
        let hash = hash ?? lineage.hashValue
        if let known = lineageIDs[hash]?.first(where: { lineages[$0] == lineage }) { return known }
        lineages.append(lineage)
        lineageSources.append(lineage.sources)
        lineageIDs[hash, default: []].append(lineages.count - 1)
        return lineages.count - 1
    }

    // MARK: - Versions

    private mutating func addVersion(
        _ dataset: OpenLineageEvent.Dataset,
        _ index: Int,
        named text: String,
        _ micros: Int64,
        _ run: RunID?,
        _ place: EventPlace,
        isMade: Bool = false
    ) {
        let schema = dataset.fields.map { schemaID($0, dataset.fieldsHash) }
        datasets[index].add(
            VersionRecord(
                text: text,
                micros: micros,
                run: run,
                isMade: isMade,
                place: place,
                schema: schema,
                lifecycle: dataset.lifecycle
            ),
            countMax: bounds.versionsMax
        )
    }

    // MARK: - Bounds

    private mutating func addRun(_ id: RunID, to job: Int) {
        jobs[job].runs.append(id)
        runOrder.append(id)
        guard runOrder.count - runHead > bounds.runsMax else { return }
        let oldest = runOrder[runHead]
        runHead += 1
        if let gone = runs.removeValue(forKey: oldest),
            let place = jobs[gone.job].runs.firstIndex(of: oldest)
        {
            jobs[gone.job].runs.remove(at: place)
        }
        if runHead > 1024, runHead * 2 > runOrder.count {
            runOrder.removeFirst(runHead)
            runHead = 0
        }
    }

    private mutating func addEvent(_ event: TimedPlace) {
        if let last = events.last, event < last { eventsAreSorted = false }
        events.append(event)
        guard events.count > bounds.eventsMax + bounds.eventsMax / 8 else { return }
        sortEvents()
        events.removeFirst(events.count - bounds.eventsMax)
    }

    /// Brings the list of events into the order of time.
    package mutating func sortEvents() {
        if eventsAreSorted { return }
        events.sort()
        eventsAreSorted = true
    }

    mutating func touch(_ namespace: String, _ micros: Int64) {
        guard let known = namespaces[namespace] else {
            namespaces[namespace] = (micros, micros)
            return
        }
        if micros < known.createdMicros || micros > known.updatedMicros {
            namespaces[namespace] = (
                min(known.createdMicros, micros), max(known.updatedMicros, micros)
            )
        }
    }
}

/// The elements, each once and in order.
private func unique(_ numbers: [Int]) -> [Int] { Set(numbers).sorted() }

extension [OpenLineageModel.Use] {
    /// Adds a use unless it is known; one that names a version takes the place of one that names none.
    fileprivate mutating func note(_ use: OpenLineageModel.Use) {
        if contains(where: { $0.dataset == use.dataset && $0.version == use.version }) { return }
        if use.version == nil {
            if contains(where: { $0.dataset == use.dataset }) { return }
        } else if let known = firstIndex(where: { $0.dataset == use.dataset && $0.version == nil })
        {
            self[known] = use
            return
        }
        append(use)
    }
}

extension OpenLineageModel.DatasetRecord {
    /// Adds a version, or what else is told of one.
    mutating func add(_ version: OpenLineageModel.VersionRecord, countMax: Int) {
        if let run = version.run, !version.isMade, versions[run.text]?.isMade == true {
            // The run's id was its name only as long as there was none better.
            versions[run.text] = nil
        }
        if var known = versions[version.text] {
            // The first event that had it made it.
            if version.micros < known.micros {
                known.micros = version.micros
                known.place = version.place
                known.run = version.run ?? known.run
            }
            known.schema = version.schema ?? known.schema
            known.lifecycle = version.lifecycle ?? known.lifecycle
            versions[version.text] = known
            return
        }
        versions[version.text] = version
        versionOrder.append(version.text)
        guard versions.count > countMax + countMax / 8 else { return }
        // Names that went and came again are in the order twice; the last place counts.
        var seen: Set<String> = []
        var order: [String] = []
        for text in versionOrder.reversed() where versions[text] != nil {
            if seen.insert(text).inserted { order.append(text) }
        }
        versionOrder = order.reversed()
        for text in versionOrder.prefix(max(0, versionOrder.count - countMax)) {
            versions[text] = nil
        }
        versionOrder.removeFirst(max(0, versionOrder.count - countMax))
    }

    /// The versions, newest first.
    var newestVersions: [OpenLineageModel.VersionRecord] {
        versions.values.sorted { ($0.micros, $0.text) > ($1.micros, $1.text) }
    }

    /// The newest version at a time.
    func version(asOf micros: Int64?) -> OpenLineageModel.VersionRecord? {
        versions.values.filter { $0.micros <= micros ?? .max }
            .max { ($0.micros, $0.text) < ($1.micros, $1.text) }
    }
}

extension OpenLineageModel.RunRecord {
    fileprivate mutating func apply(
        _ run: OpenLineageEvent.Run,
        _ type: OpenLineageEvent.EventType?,
        _ micros: Int64
    ) {
        let isLatest = micros >= updatedMicros
        createdMicros = min(createdMicros, micros)
        updatedMicros = max(updatedMicros, micros)
        if let parent = run.parent, isLatest || self.parent == nil { self.parent = parent }
        if let nominal = run.nominalStartMicros, isLatest || nominalStartMicros == nil {
            nominalStartMicros = nominal
            nominalEndMicros = run.nominalEndMicros
        }
        guard let type, type != .other else { return }
        if type == .complete { completedMicros = max(completedMicros ?? micros, micros) }
        if type.isTerminal {
            // Of several ends the latest; the end counts however late its beginning is told.
            if let ended = endedMicros, ended > micros { return }
            endedMicros = micros
            state =
                switch type {
                case .fail: .failed
                case .abort: .aborted
                default: .completed
                }
        } else {
            startedMicros = min(startedMicros ?? micros, micros)
            if endedMicros == nil { state = .running }
        }
    }
}
