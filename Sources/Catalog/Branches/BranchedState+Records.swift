import Bytes
import CommitLog
import HashTreeCollections

// Branches and tags as records of checkpoints. Those of `main`'s names are what they always were; the keys of
// the others begin with a byte that no name has:
//
//     0x02 | branch                        4 | parent | varint made at | varint base position | varint head position
//     0x02 | branch | 0x03 | key           how the branch's names differ from those of `main`
//     0x02 | branch | 0x04 | key           how its base differs from the branch's names
//     0x03 | tag                           5 | branch | varint made at | varint position
//     0x03 | tag | 0x03 | key              how the tag's names differ from those of `main`
//
// The key of a difference goes on as that of the name's record, its value is that of the name's record there, or
// a single 0 where the name stands for nothing.
//
// A change of `main` may so change a record of every branch and tag: it comes when `main` leaves what it shared.

private let branchMark: UInt8 = 0x02
private let tagMark: UInt8 = 0x03
private let headMark: UInt8 = 0x03
private let baseMark: UInt8 = 0x04

extension CatalogState {
    /// The records that make another state of this one.
    fileprivate func recordDifferences(
        to other: CatalogState,
        prefix: [UInt8]
    ) -> [CheckpointRecord] {
        // Names in a state were checked when they came in.
        let differences = (try? spelledDifferences(to: other)) ?? []
        return differences.flatMap { Self.records(from: $0.old, to: $0.new, prefix: prefix) }
    }

    /// Those of one name.
    fileprivate func recordDifferences(
        at name: RecordName,
        to other: CatalogState,
        prefix: [UInt8]
    ) -> [CheckpointRecord] {
        Self.records(from: side(name), to: other.side(name), prefix: prefix)
    }

    private static func records(
        from old: CatalogDifference.Side?,
        to new: CatalogDifference.Side?,
        prefix: [UInt8]
    ) -> [CheckpointRecord] {
        let (oldKey, newKey) = (old.map { key(ofName: $0.name) }, new.map { key(ofName: $0.name) })
        if oldKey == newKey, old?.content == new?.content { return [] }
        var records: [CheckpointRecord] = []
        if let oldKey, oldKey != newKey {
            records.append(
                CheckpointRecord(key: (prefix + oldKey)[...], value: [RecordKind.gone][...])
            )
        }
        if let newKey, let new {
            records.append(
                CheckpointRecord(key: (prefix + newKey)[...], value: value(of: new.content)[...])
            )
        }
        return records
    }
}

extension BranchedState {
    private static func key(_ mark: UInt8, _ name: String) -> [UInt8] { [mark] + Array(name.utf8) }

    private func record(of branch: CatalogBranch) -> CheckpointRecord {
        var value = [RecordKind.branch]
        CatalogState.append(branch.parent ?? "", to: &value)
        for number in [branch.createdMillis, branch.basePosition, branch.headPosition] {
            value.appendVarint(UInt64(clamping: number))
        }
        return CheckpointRecord(key: Self.key(branchMark, branch.name)[...], value: value[...])
    }

    private func record(of tag: CatalogTag) -> CheckpointRecord {
        var value = [RecordKind.tag]
        CatalogState.append(tag.branch ?? "", to: &value)
        for number in [tag.createdMillis, tag.position] {
            value.appendVarint(UInt64(clamping: number))
        }
        return CheckpointRecord(key: Self.key(tagMark, tag.name)[...], value: value[...])
    }

    private func records(of branch: CatalogBranch) -> [CheckpointRecord] {
        let key = Self.key(branchMark, branch.name)
        return [record(of: branch)]
            + main.recordDifferences(to: branch.head, prefix: key + [headMark])
            + branch.head.recordDifferences(to: branch.base, prefix: key + [baseMark])
    }

    private func records(of tag: CatalogTag) -> [CheckpointRecord] {
        let key = Self.key(tagMark, tag.name)
        return [record(of: tag)] + main.recordDifferences(to: tag.state, prefix: key + [headMark])
    }

    /// The records of branches and tags, in no order.
    private var referenceRecords: [CheckpointRecord] {
        branchesByName.values.flatMap { records(of: $0) }
            + tagsByName.values.flatMap { records(of: $0) }
    }

    /// How many records the state has; the cost follows what branches and tags do not share with `main`.
    var recordCount: Int { main.recordCount + referenceRecords.count }

    /// All records, in no order.
    var records: [CheckpointRecord] { main.records + referenceRecords }

    /// The value of the record under exactly this key.
    func recordValue(_ key: [UInt8]) -> [UInt8]? {
        guard let mark = key.first, mark == branchMark || mark == tagMark else {
            return main.recordValue(key)
        }
        let rest = key.dropFirst()
        let end = rest.firstIndex { $0 == headMark || $0 == baseMark } ?? rest.endIndex
        guard let name = String(validating: rest[..<end], as: UTF8.self) else { return nil }
        let branch = mark == branchMark ? branchesByName[name] : nil
        let tag = mark == tagMark ? tagsByName[name] : nil
        guard end < rest.endIndex else {
            return (branch.map { record(of: $0) } ?? tag.map { record(of: $0) })?.value
                .map { Array($0) }
        }
        guard let inner = CatalogState.name(ofKey: rest[(end + 1)...]) else { return nil }
        let (from, to): (CatalogState, CatalogState)
        switch (branch, tag, rest[end]) {
        case (let branch?, _, headMark): (from, to) = (main, branch.head)
        case (let branch?, _, baseMark): (from, to) = (branch.head, branch.base)
        case (_, let tag?, headMark): (from, to) = (main, tag.state)
        default: return nil
        }
        let prefix = Array(key[...end])
        return from.recordDifferences(at: inner, to: to, prefix: prefix)
            .first { $0.key.elementsEqual(key) }?.value.map { Array($0) }
    }

    // MARK: - What a commit changes

    /// The keys of the records that a change may have made, changed or removed.
    static func changedKeys(
        by change: CatalogChange,
        from before: BranchedState,
        to after: BranchedState
    ) -> [[UInt8]] {
        switch change {
        case .onBranch(let name, let changes):
            return keys(changes.flatMap(\.names), ofBranch: name, before, after)
        case .createBranch(let start): return keys(ofReference: start.name, before, after)
        case .createTag(let start): return keys(ofReference: start.name, before, after)
        case .dropBranch(let name), .dropTag(let name):
            return keys(ofReference: name, before, after)
        case .mergeBranch(let source, let target, let changes):
            var keys: [[UInt8]] = []
            for name in [source, target] where name != ReferenceName.main {
                keys += self.keys(ofReference: name, before, after)
            }
            if target == ReferenceName.main {
                keys += self.keys(ofMain: changes.flatMap(\.names), before, after)
            }
            return keys
        default: return keys(ofMain: change.names, before, after)
        }
    }

    private static func keys(
        ofMain names: [RecordName],
        _ before: BranchedState,
        _ after: BranchedState
    ) -> [[UInt8]] {
        var keys: [[UInt8]] = []
        for name in names {
            // Equal names may differ in their bytes; records are under those that the state has.
            let old = before.main.recordKey(of: name)
            let new = after.main.recordKey(of: name)
            if let old { keys.append(old) }
            if let new, new != old { keys.append(new) }
            for branch in after.branchesByName.values {
                let prefix = key(branchMark, branch.name) + [headMark]
                let head = before.branchesByName[branch.name]?.head ?? branch.head
                add(
                    before.main.recordDifferences(at: name, to: head, prefix: prefix),
                    after.main.recordDifferences(at: name, to: branch.head, prefix: prefix),
                    &keys
                )
            }
            for tag in after.tagsByName.values {
                let prefix = key(tagMark, tag.name) + [headMark]
                add(
                    before.main.recordDifferences(at: name, to: tag.state, prefix: prefix),
                    after.main.recordDifferences(at: name, to: tag.state, prefix: prefix),
                    &keys
                )
            }
        }
        return keys
    }

    private static func keys(
        _ names: [RecordName],
        ofBranch branch: String,
        _ before: BranchedState,
        _ after: BranchedState
    ) -> [[UInt8]] {
        // The record of the branch itself says which entry was the last.
        var keys = [key(branchMark, branch)]
        for name in names {
            for state in [before, after] {
                guard let found = state.branchesByName[branch] else { continue }
                let head = key(branchMark, branch) + [headMark]
                let base = key(branchMark, branch) + [baseMark]
                keys += state.main.recordDifferences(at: name, to: found.head, prefix: head)
                    .map { Array($0.key) }
                keys += found.head.recordDifferences(at: name, to: found.base, prefix: base)
                    .map { Array($0.key) }
            }
        }
        return keys
    }

    private static func keys(
        ofReference name: String,
        _ before: BranchedState,
        _ after: BranchedState
    ) -> [[UInt8]] {
        var keys: [[UInt8]] = []
        for state in [before, after] {
            if let branch = state.branchesByName[name] {
                keys += state.records(of: branch).map { Array($0.key) }
            }
            if let tag = state.tagsByName[name] {
                keys += state.records(of: tag).map { Array($0.key) }
            }
        }
        return keys
    }

    private static func add(
        _ before: [CheckpointRecord],
        _ after: [CheckpointRecord],
        _ keys: inout [[UInt8]]
    ) {
        let isSame = before.elementsEqual(after) { $0.key == $1.key && $0.value == $1.value }
        if !isSame { keys += (before + after).map { Array($0.key) } }
    }

    // MARK: - From records

    /// The state with these records, sorted by their keys.
    ///
    /// - Throws: `corrupt` when they are not those of a state, `unsupported` for unknown kinds.
    init(records: [CheckpointRecord]) throws(CatalogError) {
        let count = records.prefix { $0.key.first == branchMark || $0.key.first == tagMark }.count
        let main = try CatalogState(records: Array(records[count...]))
        self.main = main
        var index = 0
        while index < count {
            let record = records[index]
            var next = index + 1
            let prefix = record.key
            var (heads, bases): ([CheckpointRecord], [CheckpointRecord]) = ([], [])
            while next < count, records[next].key.starts(with: prefix),
                case let place = records[next].key.startIndex + prefix.count,
                place < records[next].key.endIndex,
                records[next].key[place] == headMark || records[next].key[place] == baseMark
            {
                let inner = CheckpointRecord(
                    key: records[next].key[(place + 1)...],
                    value: records[next].value
                )
                if records[next].key[place] == headMark {
                    heads.append(inner)
                } else {
                    bases.append(inner)
                }
                next += 1
            }
            try add(record, heads, bases)
            index = next
        }
        for branch in branchesByName.values {
            if let parent = branch.parent, branchesByName[parent] == nil {
                throw CatalogError(.corrupt, "branch \"\(branch.name)\" was made from none")
            }
        }
    }

    private mutating func add(
        _ record: CheckpointRecord,
        _ heads: [CheckpointRecord],
        _ bases: [CheckpointRecord]
    ) throws(CatalogError) {
        guard let value = record.value, var fields = RecordFields(value),
            let name = String(validating: record.key.dropFirst(), as: UTF8.self),
            (try? ReferenceName.check(name)) != nil, branchesByName[name] == nil,
            tagsByName[name] == nil, let branch = fields.text(), let created = fields.position()
        else { throw CatalogState.corrupt(record.key) }
        let head = try Self.state(heads, on: main)
        switch (record.key.first, fields.kind) {
        case (branchMark, RecordKind.branch):
            guard let base = fields.position(), let last = fields.position(), fields.isAtEnd else {
                throw CatalogState.corrupt(record.key)
            }
            branchesByName[name] = CatalogBranch(
                name: name,
                parent: branch.isEmpty ? nil : branch,
                createdMillis: created,
                basePosition: base,
                headPosition: last,
                base: try Self.state(bases, on: head),
                head: head
            )
        case (tagMark, RecordKind.tag):
            guard let position = fields.position(), fields.isAtEnd, bases.isEmpty else {
                throw CatalogState.corrupt(record.key)
            }
            tagsByName[name] = CatalogTag(
                name: name,
                branch: branch.isEmpty ? nil : branch,
                createdMillis: created,
                position: position,
                state: head
            )
        default: throw CatalogState.corrupt(record.key)
        }
    }

    private static func state(
        _ records: [CheckpointRecord],
        on other: CatalogState
    ) throws(CatalogError) -> CatalogState {
        if records.isEmpty { return other }
        var (gone, set): ([RecordName], [CatalogDifference.Side]) = ([], [])
        for record in records {
            guard let name = CatalogState.name(ofKey: record.key), let value = record.value else {
                throw CatalogState.corrupt(record.key)
            }
            if value.elementsEqual([RecordKind.gone]) {
                gone.append(name)
                continue
            }
            guard let content = CatalogState.content(of: value) else {
                throw CatalogState.corrupt(record.key)
            }
            switch (name, content) {
            case (.namespace, .namespace), (.table, .table), (.table, .view):
                set.append(CatalogDifference.Side(name: name, content: content))
            default: throw CatalogState.corrupt(record.key)
            }
        }
        return try other.changed(gone: gone, set: set)
    }
}
