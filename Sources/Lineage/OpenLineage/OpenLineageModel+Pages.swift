import Bytes

/// A part of a list, and how long the whole is.
package struct ModelPage<Element: Sendable>: Sendable {
    package var elements: [Element]
    package var totalCount: Int

    init(_ all: [Element], offset: Int, limit: Int) {
        elements = Array(all.dropFirst(offset).prefix(limit))
        totalCount = all.count
    }

    fileprivate init(elements: [Element], totalCount: Int) {
        self.elements = elements
        self.totalCount = totalCount
    }

    func map<Other: Sendable>(_ transform: (Element) -> Other) -> ModelPage<Other> {
        ModelPage<Other>(elements: elements.map(transform), totalCount: totalCount)
    }
}

/// A namespace, and when it was first and last named.
package struct NamespaceView: Sendable {
    package var name: String
    var createdMicros: Int64
    var updatedMicros: Int64
}

/// A dataset's version as somebody names it.
struct UseView: Sendable, Comparable {
    var dataset: EntityName
    var version: String?

    static func < (left: UseView, right: UseView) -> Bool {
        (left.dataset, left.version ?? "") < (right.dataset, right.version ?? "")
    }
}

/// A run without its facets, which are in its events.
package struct RunView: Sendable {
    package var id: String
    package var job: EntityName
    var record: OpenLineageModel.RunRecord
    var inputs: [UseView]
    var outputs: [UseView]

    /// Where its events lie, in the order of their times.
    package var places: [EventPlace] { record.places.sorted().map(\.place) }
}

package struct JobView: Sendable {
    package var name: EntityName
    var createdMicros: Int64
    var updatedMicros: Int64
    var facets: JSONObject
    var parent: EntityName?
    var inputs: [EntityName]
    var outputs: [EntityName]
    /// The newest first.
    package var latestRuns: [RunView]
}

package struct DatasetView: Sendable {
    package var name: EntityName
    var createdMicros: Int64
    var updatedMicros: Int64
    var writtenMicros: Int64?
    var facets: JSONObject
    var fields: [OpenLineageEvent.Field]
    var lifecycle: OpenLineageEvent.Lifecycle?
    var currentVersion: String?
    /// From all jobs that write it.
    var columnLineage: [OpenLineageColumns]
}

package struct VersionView: Sendable {
    var dataset: DatasetView
    var record: OpenLineageModel.VersionRecord
    var fields: [OpenLineageEvent.Field]
    package var run: RunView?
    package var text: String { record.text }
    /// The event that made it.
    package var place: EventPlace { record.place }
    /// All names of the dataset, by one of which that event knows it.
    package var names: [EntityName]
}

package struct SearchView: Sendable {
    var isJob: Bool
    var name: EntityName
    var updatedMicros: Int64
    var nodeID: String
}

extension OpenLineageModel {
    private static let latestRunCount = 10

    package func namespaces(offset: Int, limit: Int) -> ModelPage<NamespaceView> {
        let names = namespaces.keys.sorted()
        return ModelPage(names, offset: offset, limit: limit).map { view(ofNamespace: $0) }
    }

    private func view(ofNamespace name: String) -> NamespaceView {
        let times = namespaces[name] ?? (0, 0)
        return NamespaceView(
            name: name,
            createdMicros: times.createdMicros,
            updatedMicros: times.updatedMicros
        )
    }

    /// - Throws: `notFound`.
    package func namespace(_ name: String) throws(LineageError) -> NamespaceView {
        guard namespaces[name] != nil else {
            throw LineageError(.notFound, "no event has named the namespace \"\(name)\"")
        }
        return view(ofNamespace: name)
    }

    // MARK: - Jobs

    /// The jobs of a namespace by name; all jobs for nil.
    ///
    /// - Parameter states: only those whose latest run is in one of these; nil for all.
    /// - Throws: `notFound` for an unknown namespace.
    package func jobs(
        in namespace: String?,
        states: Set<RunState>?,
        offset: Int,
        limit: Int
    ) throws(LineageError) -> ModelPage<JobView> {
        if let namespace { _ = try self.namespace(namespace) }
        let found = jobs.indices.filter { index in
            if let namespace, jobs[index].name.namespace != namespace { return false }
            guard let states else { return true }
            guard let latest = newestRuns(of: index, offset: 0, limit: 1).elements.first else {
                return false
            }
            return runs[latest].map { states.contains($0.state) } ?? false
        }
        let sorted = found.sorted { jobs[$0].name < jobs[$1].name }
        return ModelPage(sorted, offset: offset, limit: limit).map { jobView($0) }
    }

    /// - Throws: `notFound`.
    package func job(_ name: EntityName) throws(LineageError) -> JobView {
        jobView(try jobIndex(name))
    }

    private func jobIndex(_ name: EntityName) throws(LineageError) -> Int {
        guard let index = jobIDs[name] else {
            throw LineageError(
                .notFound,
                "no event has named a job \"\(name.name)\" in the namespace \"\(name.namespace)\""
            )
        }
        return index
    }

    func jobView(_ index: Int, _ asOf: Int64? = nil) -> JobView {
        let job = jobs[index]
        let io = io(of: index, asOf)
        let latest = newestRuns(of: index, offset: 0, limit: Self.latestRunCount).elements
        return JobView(
            name: job.name,
            createdMicros: job.createdMicros,
            updatedMicros: job.updatedMicros,
            facets: job.facets.object,
            parent: job.parent,
            inputs: io.inputs.map { datasets[$0].name }.sorted(),
            outputs: io.outputs.map { datasets[$0].name }.sorted(),
            latestRuns: latest.compactMap { runView($0) }
        )
    }

    // MARK: - Runs

    private func newestRuns(of job: Int, offset: Int, limit: Int) -> ModelPage<RunID> {
        let all = jobs[job].runs
        func isNewer(_ left: (Int64, RunID), _ right: (Int64, RunID)) -> Bool { left > right }
        // Of very many only so many are sorted.
        let wanted = offset + limit
        var newest: [(Int64, RunID)] = []
        newest.reserveCapacity(min(all.count, wanted * 2 + 64))
        for id in all {
            newest.append((runs[id]?.createdMicros ?? .min, id))
            if newest.count >= wanted * 2 + 64 {
                newest.sort(by: isNewer)
                newest.removeLast(newest.count - wanted)
            }
        }
        newest.sort(by: isNewer)
        let page = newest.dropFirst(offset).prefix(limit).map(\.1)
        return ModelPage(elements: page, totalCount: all.count)
    }

    /// The runs of a job, newest first.
    ///
    /// - Throws: `notFound` for an unknown job.
    package func runs(
        of job: EntityName,
        offset: Int,
        limit: Int
    ) throws(LineageError) -> ModelPage<RunView> {
        let page = newestRuns(of: try jobIndex(job), offset: offset, limit: limit)
        return ModelPage(
            elements: page.elements.compactMap { runView($0) },
            totalCount: page.totalCount
        )
    }

    /// - Throws: `invalid` for what is no UUID, `notFound`.
    package func run(_ text: String) throws(LineageError) -> RunView {
        guard let id = RunID(text) else {
            throw LineageError(.invalid, "a run's id is a UUID, not \"\(text)\"")
        }
        guard let view = runView(id) else {
            throw LineageError(.notFound, "no event that is still kept has named the run \(text)")
        }
        return view
    }

    func runView(_ id: RunID) -> RunView? {
        guard let record = runs[id] else { return nil }
        func view(_ use: Use, asOf micros: Int64?) -> UseView {
            let dataset = datasets[root(use.dataset)]
            var version = use.version
            if version == nil, let micros { version = dataset.version(asOf: micros)?.text }
            return UseView(dataset: dataset.name, version: version)
        }
        return RunView(
            id: id.text,
            job: jobs[record.job].name,
            record: record,
            // What was read without saying which is what there was when the run began.
            inputs: record.inputs.map { view($0, asOf: record.createdMicros) }.sorted(),
            outputs: record.outputs.map { use in
                let made = datasets[root(use.dataset)].versions[id.text]
                return view(
                    Use(dataset: use.dataset, version: use.version ?? made?.text),
                    asOf: nil
                )
            }.sorted()
        )
    }

    // MARK: - Datasets

    /// The datasets of a namespace by name, those with another name there too.
    ///
    /// - Throws: `notFound` for an unknown namespace.
    package func datasets(
        in namespace: String,
        offset: Int,
        limit: Int
    ) throws(LineageError) -> ModelPage<DatasetView> {
        _ = try self.namespace(namespace)
        let found = datasets.indices.filter { index in
            let dataset = datasets[index]
            guard dataset.forward == nil else { return false }
            return dataset.name.namespace == namespace
                || dataset.aliases.contains { $0.namespace == namespace }
        }
        let sorted = found.sorted { datasets[$0].name < datasets[$1].name }
        return ModelPage(sorted, offset: offset, limit: limit).map { datasetView($0) }
    }

    /// - Throws: `notFound`.
    package func dataset(_ name: EntityName) throws(LineageError) -> DatasetView {
        datasetView(try existingDataset(name))
    }

    private func existingDataset(_ name: EntityName) throws(LineageError) -> Int {
        guard let index: Int = dataset(name) else {
            throw LineageError(
                .notFound,
                "no event has named a dataset \"\(name.name)\" in the namespace "
                    + "\"\(name.namespace)\""
            )
        }
        return index
    }

    func datasetView(_ index: Int, _ asOf: Int64? = nil) -> DatasetView {
        let dataset = datasets[index]
        return DatasetView(
            name: dataset.name,
            createdMicros: dataset.createdMicros,
            updatedMicros: dataset.updatedMicros,
            writtenMicros: dataset.writtenMicros,
            facets: dataset.facets.object,
            fields: fields(of: index, asOf: asOf),
            lifecycle: dataset.lifecycle?.state,
            currentVersion: dataset.version(asOf: asOf)?.text,
            columnLineage: columnLineage(of: index, asOf: asOf).map { lineages[$0] }
        )
    }

    /// The versions of a dataset, newest first.
    ///
    /// - Throws: `notFound` for an unknown dataset.
    package func versions(
        of name: EntityName,
        offset: Int,
        limit: Int
    ) throws(LineageError) -> ModelPage<VersionView> {
        let index = try existingDataset(name)
        let page = ModelPage(datasets[index].newestVersions, offset: offset, limit: limit)
        return page.map { versionView(index, $0) }
    }

    /// - Throws: `notFound`.
    package func version(
        _ text: String,
        of name: EntityName
    ) throws(LineageError) -> VersionView {
        let index = try existingDataset(name)
        guard let record = datasets[index].versions[text] else {
            throw LineageError(
                .notFound,
                "no event has named a version \"\(text)\" of the dataset \"\(name.name)\""
            )
        }
        return versionView(index, record)
    }

    private func versionView(_ index: Int, _ record: VersionRecord) -> VersionView {
        VersionView(
            dataset: datasetView(index, record.micros),
            record: record,
            fields: record.schema.map { schemas[$0] } ?? fields(of: index, asOf: record.micros),
            run: record.run.flatMap { runView($0) },
            names: names(of: index)
        )
    }

    // MARK: - Search and events

    /// What a search looks for.
    package struct SearchQuery: Sendable {
        package var text: String
        package var findsJobs = true
        package var findsDatasets = true
        package var sortsByUpdate = false
        package var namespace: String?
        package var beforeMicros: Int64?
        package var afterMicros: Int64?

        package init(_ text: String) {
            self.text = text
        }
    }

    /// Jobs and datasets a name of which contains a text, whatever the case of its letters.
    package func search(_ query: SearchQuery, limit: Int) -> ModelPage<SearchView> {
        let text = query.text.lowercased()
        func fits(_ names: [EntityName], _ micros: Int64) -> Bool {
            if let before = query.beforeMicros, micros >= before { return false }
            if let after = query.afterMicros, micros <= after { return false }
            return names.contains { name in
                (query.namespace == nil || name.namespace == query.namespace)
                    && name.name.lowercased().contains(text)
            }
        }
        var found: [SearchView] = []
        if query.findsJobs {
            for (index, job) in jobs.enumerated() where fits([job.name], job.updatedMicros) {
                found.append(
                    SearchView(
                        isJob: true,
                        name: job.name,
                        updatedMicros: job.updatedMicros,
                        nodeID: nodeID(job: index)
                    )
                )
            }
        }
        if query.findsDatasets {
            for (index, dataset) in datasets.enumerated()
            where dataset.forward == nil && fits(names(of: index), dataset.updatedMicros) {
                found.append(
                    SearchView(
                        isJob: false,
                        name: dataset.name,
                        updatedMicros: dataset.updatedMicros,
                        nodeID: nodeID(dataset: index)
                    )
                )
            }
        }
        found.sort { left, right in
            if query.sortsByUpdate, left.updatedMicros != right.updatedMicros {
                return left.updatedMicros > right.updatedMicros
            }
            return (left.name.name, left.nodeID) < (right.name.name, right.nodeID)
        }
        return ModelPage(found, offset: 0, limit: limit)
    }

    /// Where the events of runs lie, of a span of time with its beginning and without its end.
    ///
    /// `sortEvents` must have been called.
    package func events(
        afterMicros: Int64,
        beforeMicros: Int64,
        newestFirst: Bool,
        offset: Int,
        limit: Int
    ) -> ModelPage<EventPlace> {
        func place(_ micros: Int64) -> Int {
            var (low, high) = (0, events.count)
            while low < high {
                let middle = (low + high) / 2
                if events[middle].micros < micros { low = middle + 1 } else { high = middle }
            }
            return low
        }
        let (low, high) = (place(afterMicros), max(place(afterMicros), place(beforeMicros)))
        let count = high - low
        let first = min(offset, count)
        let last = min(first + min(limit, count), count)
        let places = (first..<last).map {
            newestFirst ? events[high - 1 - $0].place : events[low + $0].place
        }
        return ModelPage(elements: places, totalCount: count)
    }
}

extension OpenLineageEvent {
    /// A time as events have it, in microseconds since 1970; nil for anything else.
    package static func micros(ofTime text: String) -> Int64? { rfc3339Micros(text) }
}
