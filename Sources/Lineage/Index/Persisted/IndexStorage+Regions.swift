// The regions of the index as bytes, in the order in which files have them.
//
// Most regions only grow: what was there at some position of the log is there, unchanged, at every later one.
// Nine of them, and the tables, are changed in place as well.
//
// - Spec: Formats/lineage-index/README.md, "Regions"

/// What a region is, apart from what it holds.
struct RegionKind: Sendable {
    let name: String
    let elementSize: Int
    /// Whether values that are there may change, and not only others come behind them.
    let isChangedInPlace: Bool

    /// More would not fit, or could not be told apart by places of 32 bits.
    var countMax: Int {
        let most = Region<UInt8>.byteCountMax / elementSize
        return name == "text-bytes" ? most : min(most, Int(UInt32.max) - 1)
    }

    static let all: [RegionKind] = [
        kind("commits", CommitRecord.self), kind("datasets", DatasetRecord.self, inPlace: true),
        kind("names", NameRecord.self), kind("name-uses", NameUse.self),
        kind("columns", ColumnRecord.self, inPlace: true), kind("column-names", ColumnName.self),
        kind("events", EventRecord.self), kind("snapshots", SnapshotRecord.self, inPlace: true),
        kind("jobs", JobRecord.self), kind("runs", RunRecord.self),
        kind("inputs", InputRecord.self), kind("hashes", HashRecord.self, inPlace: true),
        kind("maps", MapRecord.self), kind("rows", RowRecord.self),
        kind("edges", EdgeRecord.self), kind("sources", SourceRecord.self),
        kind("targets", TargetRecord.self), kind("direct-inputs", UInt8.self),
        kind("subtypes", UInt32.self), kind("unknown-changes", NameRecord.self),
        kind("text-bytes", UInt8.self), kind("text-ends", UInt64.self),
        table("text-table"), table("dataset-table"), table("name-table"), table("snapshot-table"),
        table("job-table"), table("run-table"), table("hash-table"), table("map-table"),
    ]

    private static func kind<Element: BitwiseCopyable>(
        _ name: String,
        _ element: Element.Type,
        inPlace: Bool = false
    ) -> RegionKind {
        RegionKind(
            name: name,
            elementSize: MemoryLayout<Element>.stride,
            isChangedInPlace: inPlace
        )
    }

    private static func table(_ name: String) -> RegionKind {
        kind(name, IndexTable.Slot.self, inPlace: true)
    }
}

extension Region {
    /// Everything, as bytes at an address that stays as long as the region.
    fileprivate var bytes: UnsafeRawBufferPointer { withBytes { $0 } }
}

extension IndexStorage {
    /// The bytes of every region, as `RegionKind.all` has them.
    ///
    /// Those of regions that only grow stay true without the lock, as long as the graph is there.
    var regionBytes: [UnsafeRawBufferPointer] {
        [
            commits.bytes, datasets.bytes, names.bytes, nameUses.bytes, columns.bytes,
            columnNames.bytes, events.bytes, snapshots.bytes, jobs.bytes, runs.bytes, inputs.bytes,
            hashes.bytes, maps.bytes, rows.bytes, edges.bytes, sources.bytes, targets.bytes,
            directInputs.bytes, subtypes.bytes, unknownChanges.bytes, textBytes.bytes,
            textEnds.bytes, textTable.slots.bytes, datasetTable.slots.bytes, nameTable.slots.bytes,
            snapshotTable.slots.bytes, jobTable.slots.bytes, runTable.slots.bytes,
            hashTable.slots.bytes, mapTable.slots.bytes,
        ]
    }

    /// Makes room for the values of a file.
    ///
    /// - Parameter counts: as many values as each region has, as `RegionKind.all` has them.
    mutating func open(_ counts: [Int]) -> [UnsafeMutableRawBufferPointer] {
        precondition(counts.count == RegionKind.all.count)
        var rest = counts[...]
        var places: [UnsafeMutableRawBufferPointer] = []
        func open<Element>(_ region: inout Region<Element>) {
            places.append(region.open(count: rest.popFirst() ?? 0))
        }
        open(&commits)
        open(&datasets)
        open(&names)
        open(&nameUses)
        open(&columns)
        open(&columnNames)
        open(&events)
        open(&snapshots)
        open(&jobs)
        open(&runs)
        open(&inputs)
        open(&hashes)
        open(&maps)
        open(&rows)
        open(&edges)
        open(&sources)
        open(&targets)
        open(&directInputs)
        open(&subtypes)
        open(&unknownChanges)
        open(&textBytes)
        open(&textEnds)
        open(&textTable.slots)
        open(&datasetTable.slots)
        open(&nameTable.slots)
        open(&snapshotTable.slots)
        open(&jobTable.slots)
        open(&runTable.slots)
        open(&hashTable.slots)
        open(&mapTable.slots)
        return places
    }

    /// Counts what tables of a file hold.
    mutating func recountTables() {
        textTable.recount()
        datasetTable.recount()
        nameTable.recount()
        snapshotTable.recount()
        jobTable.recount()
        runTable.recount()
        hashTable.recount()
        mapTable.recount()
    }
}
