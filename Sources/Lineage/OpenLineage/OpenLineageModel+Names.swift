// A dataset may have several names: events link them by the facet `symlinks`. All names lead to one record; the first
// name is the one that it is shown by.
//
//     unknown name                     -> a further name of the dataset
//     a dataset of its own             -> the two are one: what was known of both is put together
//     a further name of another one    -> it stands for this one from now on, if the event is newer (a table that was
//                                         dropped and made again has its name, and another place)

extension OpenLineageModel {
    /// The number of the dataset that a dataset turned out to be.
    func root(_ index: Int) -> Int {
        var index = index
        while let next = datasets[index].forward { index = next }
        return index
    }

    /// The number of the dataset of a name; nil when there is none.
    func dataset(_ name: EntityName) -> Int? { datasetIDs[name].map { root($0) } }

    /// The number of the dataset of a name, which is made when there is none.
    mutating func datasetIndex(_ name: EntityName, _ micros: Int64) -> Int {
        touch(name.namespace, micros)
        if let known = dataset(name) {
            datasets[known].createdMicros = min(datasets[known].createdMicros, micros)
            datasets[known].updatedMicros = max(datasets[known].updatedMicros, micros)
            return known
        }
        datasets.append(
            DatasetRecord(name: name, createdMicros: micros, updatedMicros: micros)
        )
        datasetIDs[name] = datasets.count - 1
        return datasets.count - 1
    }

    /// Makes a name stand for a dataset.
    ///
    /// - Returns: the dataset's number, which may be another one than before.
    mutating func link(_ alias: EntityName, to target: Int, _ micros: Int64) -> Int {
        touch(alias.namespace, micros)
        guard let known = dataset(alias) else {
            datasetIDs[alias] = target
            aliasMicros[alias] = micros
            datasets[target].aliases.append(alias)
            return target
        }
        if known == target {
            if let linked = aliasMicros[alias] { aliasMicros[alias] = max(linked, micros) }
            return target
        }
        if datasets[known].name != alias {
            // It stands for another dataset.
            guard micros >= aliasMicros[alias] ?? .min else { return target }
            datasets[known].aliases.removeAll { $0 == alias }
            datasetIDs[alias] = target
            aliasMicros[alias] = micros
            datasets[target].aliases.append(alias)
            return target
        }
        // A table of this warehouse is shown by its own name, whoever links to it.
        let keeps = datasets[known].isOwn && !datasets[target].isOwn
        let (kept, gone) = keeps ? (known, target) : (target, known)
        merge(gone, into: kept, micros)
        return kept
    }

    private mutating func merge(_ gone: Int, into kept: Int, _ micros: Int64) {
        let other = datasets[gone]
        datasets[gone] = DatasetRecord(
            name: other.name,
            createdMicros: other.createdMicros,
            updatedMicros: other.updatedMicros,
            forward: kept
        )
        for name in other.aliases + [other.name] {
            datasetIDs[name] = kept
            if aliasMicros[name] == nil { aliasMicros[name] = micros }
        }
        var record = datasets[kept]
        record.aliases += other.aliases + [other.name]
        record.createdMicros = min(record.createdMicros, other.createdMicros)
        record.updatedMicros = max(record.updatedMicros, other.updatedMicros)
        if let written = other.writtenMicros {
            record.writtenMicros = max(record.writtenMicros ?? written, written)
        }
        record.facets.merge(other.facets)
        record.schema.merge(other.schema)
        record.namedFields.formUnion(other.namedFields)
        for text in other.versionOrder {
            if let version = other.versions[text] {
                record.add(version, countMax: bounds.versionsMax)
            }
        }
        for (job, timeline) in other.columnLineage {
            record.columnLineage[job, default: Timeline()].merge(timeline)
        }
        if let deleted = other.lineageDeletedMicros {
            record.lineageDeletedMicros = max(record.lineageDeletedMicros ?? deleted, deleted)
        }
        record.jobs.formUnion(other.jobs)
        if let lifecycle = other.lifecycle, lifecycle.micros > record.lifecycle?.micros ?? .min {
            record.lifecycle = lifecycle
        }
        record.isOwn = record.isOwn || other.isOwn
        datasets[kept] = record
    }

    /// All names of a dataset.
    func names(of index: Int) -> [EntityName] { [datasets[index].name] + datasets[index].aliases }
}
