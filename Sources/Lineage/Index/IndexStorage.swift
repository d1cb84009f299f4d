import Bytes
import Glibc

/// Everything that the lineage index keeps; `IndexStorage+Fold` fills it, the walks read it.
///
/// - Spec: Formats/lineage-index/README.md
struct IndexStorage: ~Copyable {
    var commits = Region<CommitRecord>()
    var datasets = Region<DatasetRecord>()
    var names = Region<NameRecord>()
    var nameUses = Region<NameUse>()
    var columns = Region<ColumnRecord>()
    var columnNames = Region<ColumnName>()
    var events = Region<EventRecord>()
    var snapshots = Region<SnapshotRecord>()
    var jobs = Region<JobRecord>()
    var runs = Region<RunRecord>()
    var inputs = Region<InputRecord>()
    var hashes = Region<HashRecord>()
    var maps = Region<MapRecord>()
    var rows = Region<RowRecord>()
    var edges = Region<EdgeRecord>()
    var sources = Region<SourceRecord>()
    var targets = Region<TargetRecord>()
    var directInputs = Region<UInt8>()
    /// Texts of subtypes; 0 stands for none.
    var subtypes = Region<UInt32>()
    /// Kinds of changes that this program does not know, as texts, with the first commit of each.
    var unknownChanges = Region<NameRecord>()
    /// All texts, one behind the other, and where each ends.
    var textBytes = Region<UInt8>()
    var textEnds = Region<UInt64>()

    var textTable = IndexTable()
    var datasetTable = IndexTable()
    /// Newest uses of names.
    var nameTable = IndexTable()
    var snapshotTable = IndexTable()
    var jobTable = IndexTable()
    /// Newest flows of runs' ids.
    var runTable = IndexTable()
    var hashTable = IndexTable()
    var mapTable = IndexTable()

    init() { subtypes.append(none) }

    /// An index that is to be filled with that of a file.
    init(unfilled: Void) {}

    /// Whether a commit more fits, whatever it says.
    var hasRoom: Bool {
        // What one commit may add at most to a region, far beyond what the format allows it to say.
        let most = 512 << 20
        return textBytes.hasRoom(forBytes: most) && columns.hasRoom(forBytes: most)
            && edges.hasRoom(forBytes: most) && targets.hasRoom(forBytes: most)
            && sources.hasRoom(forBytes: most) && rows.hasRoom(forBytes: most)
            && inputs.hasRoom(forBytes: most) && events.hasRoom(forBytes: most)
            && runs.hasRoom(forBytes: most) && names.hasRoom(forBytes: most)
            && nameUses.hasRoom(forBytes: most) && snapshots.hasRoom(forBytes: most)
            && directInputs.count < 1 << 31 && textTable.slots.hasRoom(forBytes: 8 << 30)
    }

    // MARK: Texts

    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 { xxHash64(bytes) }

    /// Numbers that belong together, as one hash.
    static func hash(_ a: UInt64, _ b: UInt64) -> UInt64 {
        var mixed = a &* 0x9E37_79B9_7F4A_7C15 ^ b
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    private func textRange(_ text: UInt32) -> Range<Int> {
        let end = Int(truncatingIfNeeded: textEnds[text])
        return (text == 0 ? 0 : Int(truncatingIfNeeded: textEnds[text - 1]))..<end
    }

    func string(_ text: UInt32) -> String {
        textBytes.withElements(textRange(text)) { String(decoding: $0, as: UTF8.self) }
    }

    func appendBytes(ofText text: UInt32, to bytes: inout [UInt8]) {
        textBytes.withElements(textRange(text)) { bytes += $0 }
    }

    func optionalString(_ text: UInt32) -> String? { text == none ? nil : string(text) }

    /// Whether the bytes of a text sort before those of another.
    func text(_ a: UInt32, precedes b: UInt32) -> Bool {
        if a == b { return false }
        return textBytes.withElements(textRange(a)) { x in
            textBytes.withElements(textRange(b)) { y in bytesPrecede(x, y) }
        }
    }

    /// The place of a text that is there.
    func findText(_ string: String) -> UInt32? {
        var string = string
        return string.withUTF8 { find($0, Self.hash(UnsafeRawBufferPointer($0))) }
    }

    private func find(_ bytes: UnsafeBufferPointer<UInt8>, _ hash: UInt64) -> UInt32? {
        var search = textTable.search(hash)
        while let text = textTable.next(&search) {
            let isSame = textBytes.withElements(textRange(text)) { $0.elementsEqual(bytes) }
            if isSame { return text }
        }
        return nil
    }

    /// The place of a text, which is added when it is new.
    mutating func text(_ string: String) -> UInt32 {
        var string = string
        return string.withUTF8 { bytes in
            let hash = Self.hash(UnsafeRawBufferPointer(bytes))
            if let known = find(bytes, hash) { return known }
            textBytes.append(contentsOf: bytes)
            let text = textEnds.append(UInt64(textBytes.count))
            textTable.insert(hash, text)
            return text
        }
    }

    mutating func optionalText(_ string: String?) -> UInt32 { string.map { text($0) } ?? none }

    // MARK: Datasets

    static func hash(dataset identity: UInt32, isFile: Bool) -> UInt64 {
        hash(UInt64(identity), isFile ? 1 : 0)
    }

    func findDataset(_ identity: String, isFile: Bool) -> UInt32? {
        findText(identity).flatMap { findDataset(text: $0, isFile: isFile) }
    }

    func findDataset(text: UInt32, isFile: Bool) -> UInt32? {
        var search = datasetTable.search(Self.hash(dataset: text, isFile: isFile))
        while let dataset = datasetTable.next(&search) {
            if datasets[dataset].identity == text, datasets[dataset].isFile == isFile {
                return dataset
            }
        }
        return nil
    }

    /// The name after the first commits, and whether it was dropped by then.
    func name(of dataset: UInt32, before commitCount: UInt32) -> (name: UInt32?, isDropped: Bool) {
        var at = datasets[dataset].lastName
        var isDropped: Bool?
        while at != none {
            let record = names[at]
            if record.commit < commitCount {
                if isDropped == nil { isDropped = record.name == none }
                if record.name != none { return (record.name, isDropped ?? false) }
            }
            at = record.earlier
        }
        return (nil, isDropped ?? false)
    }

    /// The text of a dataset's name after the first commits: a path of files, the identity of what had no name then.
    func nameText(of dataset: UInt32, before commitCount: UInt32) -> UInt32 {
        let record = datasets[dataset]
        if record.isFile { return record.identity }
        return name(of: dataset, before: commitCount).name ?? record.identity
    }

    /// The dataset that had the name after the first commits.
    func dataset(named name: UInt32, before commitCount: UInt32) -> UInt32? {
        var at = lastUse(ofName: name)
        while at != none {
            if nameUses[at].commit < commitCount {
                return nameUses[at].dataset == none ? nil : nameUses[at].dataset
            }
            at = nameUses[at].earlier
        }
        return nil
    }

    func lastUse(ofName name: UInt32) -> UInt32 {
        var search = nameTable.search(Self.hash(UInt64(name), 2))
        while let use = nameTable.next(&search) {
            if nameUses[use].name == name { return use }
        }
        return none
    }

    // MARK: Events

    /// The last event of a dataset that the first commits made.
    func lastEvent(of dataset: UInt32, before commitCount: UInt32) -> UInt32 {
        var at = datasets[dataset].lastEvent
        while at != none, events[at].commit >= commitCount {
            let jump = events[at].jump
            at = jump != none && events[jump].commit >= commitCount ? jump : events[at].earlier
        }
        return at
    }

    func findSnapshot(_ id: Int64, of dataset: UInt32) -> UInt32? {
        var search = snapshotTable.search(Self.hash(UInt64(bitPattern: id), UInt64(dataset)))
        while let snapshot = snapshotTable.next(&search) {
            let record = snapshots[snapshot]
            if record.id == id, record.dataset == dataset { return snapshot }
        }
        return nil
    }

    /// The event after which a snapshot was current.
    func event(ofSnapshot id: Int64, of dataset: UInt32) -> UInt32? {
        findSnapshot(id, of: dataset).map { snapshots[$0].event }
    }

    // MARK: Columns

    func column(_ column: UInt32, of dataset: UInt32) -> ColumnRecord {
        columns[datasets[dataset].firstColumn + column]
    }

    /// The text of a column's name after the first commits; of one made later, its first.
    func columnName(_ column: UInt32, of dataset: UInt32, before commitCount: UInt32) -> UInt32 {
        let record = self.column(column, of: dataset)
        if record.since < commitCount || record.earlier == none { return record.name }
        var at = record.earlier
        while columnNames[at].since >= commitCount, columnNames[at].earlier != none {
            at = columnNames[at].earlier
        }
        return columnNames[at].name
    }

    /// When a column was first heard of.
    private func firstCommit(of record: ColumnRecord) -> UInt32 {
        var (since, at) = (record.since, record.earlier)
        while at != none { (since, at) = (columnNames[at].since, columnNames[at].earlier) }
        return since
    }

    /// The column that had the name after the first commits.
    func column(
        named name: UInt32,
        of dataset: UInt32,
        before commitCount: UInt32
    ) -> UInt32? {
        for column in (0..<datasets[dataset].columnCount).reversed()
        where columnName(column, of: dataset, before: commitCount) == name {
            if firstCommit(of: self.column(column, of: dataset)) < commitCount { return column }
        }
        return nil
    }

    // MARK: As of

    /// How many commits a question as of then sees.
    func commitCount(_ instant: LineageInstant) -> UInt32 {
        switch instant {
        case .newest: UInt32(commits.count)
        case .position(let position): count { $0.position <= position }
        case .timeMillis(let time): count { $0.timeMillis <= time }
        }
    }

    private func count(_ isSeen: (CommitRecord) -> Bool) -> UInt32 {
        var (low, high) = (0, commits.count)
        while low < high {
            let middle = (low + high) / 2
            if isSeen(commits[middle]) { low = middle + 1 } else { high = middle }
        }
        return UInt32(low)
    }

    /// What makes every answer after the first commits incomplete.
    func generalGaps(before commitCount: UInt32) -> Set<String> {
        var gaps: Set<String> = []
        for index in 0..<unknownChanges.count where unknownChanges[index].commit < commitCount {
            gaps.insert(
                "the log has changes \"\(string(unknownChanges[index].name))\", which this program does not know"
            )
        }
        return gaps
    }
}

/// Whether bytes sort before others.
func bytesPrecede(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let x = a.baseAddress, let y = b.baseAddress else { return a.isEmpty && !b.isEmpty }
    let order = memcmp(x, y, min(a.count, b.count))
    return order != 0 ? order < 0 : a.count < b.count
}
