import Bytes
import CommitLog
import HashTreeCollections

// The state as records of checkpoints. A namespace's key is its levels joined by 0x1F, that of a table or
// a view the namespace's, 0x01 and the name; names hold no control characters. In the order of bytes a
// namespace's record is followed by those of what lies directly in it, and then by the namespaces in it.
//
// Values begin with their kind; texts have their length in front of them, as a varint:
//
//     1 | varint count | that many times: name, value           a namespace's properties
//     2 | uuid | metadata location | metadata SHA-256           a table
//     3 | uuid | metadata location | metadata SHA-256           a view
//
// The last is empty where the log does not say it.

/// What a record stands for.
enum RecordName: Sendable, Hashable {
    case namespace(Namespace)
    /// A table or a view: they share their names.
    case table(TableIdentifier)
}

private let levelSeparator: UInt8 = 0x1F
private let nameSeparator: UInt8 = 0x01

enum RecordKind {
    /// In differences only: the name stands for nothing.
    static let gone: UInt8 = 0
    static let namespace: UInt8 = 1
    static let table: UInt8 = 2
    static let view: UInt8 = 3
    static let branch: UInt8 = 4
    static let tag: UInt8 = 5
}

extension CatalogChange {
    /// The names that stand for something else after the change.
    var names: [RecordName] {
        switch self {
        case .createNamespace(let namespace, _), .dropNamespace(let namespace),
            .updateNamespace(let namespace, _, _):
            [.namespace(namespace)]
        case .createTable(let table, _, _), .updateTable(let table, _, _, _, _),
            .replaceTable(let table, _, _, _), .dropTable(let table, _, _),
            .createView(let table, _), .updateView(let table, _, _), .dropView(let table, _):
            [.table(table)]
        case .renameTable(let table, let target, _), .renameView(let table, let target, _):
            [.table(table), .table(target)]
        case .onBranch(_, let changes), .mergeBranch(_, _, let changes): changes.flatMap(\.names)
        case .createBranch, .dropBranch, .createTag, .dropTag: []
        }
    }
}

extension CatalogState {
    /// How many records the state has.
    var recordCount: Int {
        namespaces.values.reduce(namespaces.count + tableCount) { $0 + $1.views.count }
    }

    /// The key of a name's record; nil when the name stands for nothing.
    func recordKey(of name: RecordName) -> [UInt8]? {
        switch name {
        case .namespace(let namespace):
            return namespaces[namespace].map { Self.key(of: $0.spelling) }
        case .table(let table):
            guard let entry = namespaces[table.namespace] else { return nil }
            guard
                let name = entry.tables.spelling(of: table.name)
                    ?? entry.views.spelling(of: table.name)
            else { return nil }
            return Self.key(of: entry.spelling) + [nameSeparator] + Array(name.utf8)
        }
    }

    /// The value of the record under exactly this key.
    func recordValue(_ key: [UInt8]) -> [UInt8]? {
        guard let (levels, name) = Self.parts(of: key[...]),
            let namespace = try? Namespace(levels), let entry = namespaces[namespace]
        else { return nil }
        guard let name else {
            guard Self.key(of: entry.spelling) == key else { return nil }
            return Self.value(of: entry.properties)
        }
        guard let table = try? TableIdentifier(namespace, name),
            recordKey(of: .table(table)) == key
        else { return nil }
        if let table = entry.tables[name] { return Self.value(RecordKind.table, table) }
        return entry.views[name].map { Self.value(RecordKind.view, $0) }
    }

    /// All records, in no order.
    var records: [CheckpointRecord] {
        var records: [CheckpointRecord] = []
        records.reserveCapacity(recordCount)
        for entry in namespaces.values {
            let key = Self.key(of: entry.spelling)
            records.append(
                CheckpointRecord(key: key[...], value: Self.value(of: entry.properties)[...])
            )
            for (kind, entries) in [
                (RecordKind.table, entry.tables), (RecordKind.view, entry.views),
            ] {
                for (name, table) in entries {
                    let tableKey = key + [nameSeparator] + Array(name.utf8)
                    records.append(
                        CheckpointRecord(key: tableKey[...], value: Self.value(kind, table)[...])
                    )
                }
            }
        }
        return records
    }

    /// The state with these records, sorted by their keys.
    ///
    /// - Throws: `corrupt` when they are not those of a state, `unsupported` for unknown kinds.
    init(records: [CheckpointRecord]) throws(CatalogError) {
        var entries: [NamespaceEntry] = []
        var namespaceKey: ArraySlice<UInt8> = []
        for record in records {
            guard let value = record.value, var fields = RecordFields(value) else {
                throw Self.corrupt(record.key)
            }
            switch fields.kind {
            case RecordKind.namespace:
                guard let (levels, name) = Self.parts(of: record.key), name == nil,
                    let properties = fields.properties(), fields.isAtEnd
                else { throw Self.corrupt(record.key) }
                namespaceKey = record.key
                entries.append(
                    NamespaceEntry(spelling: try Namespace(levels), properties: properties)
                )
            case RecordKind.table, RecordKind.view:
                // It follows the record of its namespace.
                let nameStart = record.key.startIndex + namespaceKey.count
                guard !entries.isEmpty, record.key.starts(with: namespaceKey),
                    nameStart < record.key.endIndex, record.key[nameStart] == nameSeparator,
                    let name = String(validating: record.key[(nameStart + 1)...], as: UTF8.self),
                    let uuid = fields.text(), let location = fields.text(), let sum = fields.text(),
                    fields.isAtEnd, !uuid.isEmpty, !location.isEmpty,
                    sum.isEmpty || sum.utf8.count == 64
                else { throw Self.corrupt(record.key) }
                let last = entries.count - 1
                _ = try TableIdentifier(entries[last].spelling, name)
                let table = TableEntry(
                    uuid: uuid,
                    metadataLocation: location,
                    metadataSHA256: sum.isEmpty ? nil : sum
                )
                let isTwice: Bool
                if fields.kind == RecordKind.table {
                    isTwice =
                        entries[last].tables.updateValue(table, forKey: name) != nil
                        || entries[last].views[name] != nil
                } else {
                    isTwice =
                        entries[last].views.updateValue(table, forKey: name) != nil
                        || entries[last].tables[name] != nil
                }
                if isTwice { throw Self.corrupt(record.key) }
            default:
                throw CatalogError(
                    .unsupported,
                    "this program does not know records of kind \(fields.kind)"
                )
            }
        }
        try self.init(entries)
    }

    static func corrupt(_ key: ArraySlice<UInt8>) -> CatalogError {
        CatalogError(
            .corrupt,
            "the record \"\(String(decoding: key, as: UTF8.self))\" makes no sense"
        )
    }

    private static func key(of namespace: Namespace) -> [UInt8] {
        var key: [UInt8] = []
        for (index, level) in namespace.levels.enumerated() {
            if index > 0 { key.append(levelSeparator) }
            key += level.utf8
        }
        return key
    }

    /// The name that a record's key spells; nil when it is none.
    static func name(ofKey key: ArraySlice<UInt8>) -> RecordName? {
        guard let (levels, name) = parts(of: key), let namespace = try? Namespace(levels) else {
            return nil
        }
        guard let name else { return .namespace(namespace) }
        return (try? TableIdentifier(namespace, name)).map { .table($0) }
    }

    /// The key of a name, as it is spelled.
    static func key(ofName name: RecordName) -> [UInt8] {
        switch name {
        case .namespace(let namespace): key(of: namespace)
        case .table(let table):
            key(of: table.namespace) + [nameSeparator] + Array(table.name.utf8)
        }
    }

    /// The value of a name's record.
    static func value(of content: CatalogDifference.Content) -> [UInt8] {
        switch content {
        case .namespace(let properties): value(of: properties)
        case .table(let entry): value(RecordKind.table, entry)
        case .view(let entry): value(RecordKind.view, entry)
        }
    }

    /// What a record's value says of a name; nil when it makes no sense.
    static func content(of value: ArraySlice<UInt8>) -> CatalogDifference.Content? {
        guard var fields = RecordFields(value) else { return nil }
        switch fields.kind {
        case RecordKind.namespace:
            guard let properties = fields.properties(), fields.isAtEnd else { return nil }
            return .namespace(properties)
        case RecordKind.table, RecordKind.view:
            guard let uuid = fields.text(), let location = fields.text(), let sum = fields.text(),
                fields.isAtEnd, !uuid.isEmpty, !location.isEmpty,
                sum.isEmpty || sum.utf8.count == 64
            else { return nil }
            let entry = TableEntry(
                uuid: uuid,
                metadataLocation: location,
                metadataSHA256: sum.isEmpty ? nil : sum
            )
            return fields.kind == RecordKind.table ? .table(entry) : .view(entry)
        default: return nil
        }
    }

    /// The names in a key; nil when it is not UTF-8.
    private static func parts(of key: ArraySlice<UInt8>) -> (levels: [String], name: String?)? {
        var name: String?
        var namespace = key
        if let at = key.firstIndex(of: nameSeparator) {
            name = String(validating: key[(at + 1)...], as: UTF8.self)
            if name == nil { return nil }
            namespace = key[..<at]
        }
        var levels: [String] = []
        for part in namespace.split(separator: levelSeparator, omittingEmptySubsequences: false) {
            guard let level = String(validating: part, as: UTF8.self) else { return nil }
            levels.append(level)
        }
        return (levels, name)
    }

    private static func value(of properties: [String: String]) -> [UInt8] {
        var bytes = [RecordKind.namespace]
        bytes.appendVarint(UInt64(properties.count))
        let sorted = properties.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        for (name, value) in sorted {
            append(name, to: &bytes)
            append(value, to: &bytes)
        }
        return bytes
    }

    private static func value(_ kind: UInt8, _ table: TableEntry) -> [UInt8] {
        var bytes = [kind]
        append(table.uuid, to: &bytes)
        append(table.metadataLocation, to: &bytes)
        append(table.metadataSHA256 ?? "", to: &bytes)
        return bytes
    }

    static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.appendVarint(UInt64(text.utf8.count))
        bytes += text.utf8
    }
}

extension TreeDictionary where Key == String {
    /// A key as it was given when its value was set.
    fileprivate func spelling(of key: String) -> String? {
        index(forKey: key).map { self[$0].key }
    }
}

/// Reads the fields of a record's value.
struct RecordFields {
    let kind: UInt8
    private var rest: ArraySlice<UInt8>

    init?(_ value: ArraySlice<UInt8>) {
        guard let kind = value.first else { return nil }
        self.kind = kind
        rest = value.dropFirst()
    }

    var isAtEnd: Bool { rest.isEmpty }

    /// A varint below 2^35.
    private mutating func number() -> Int? {
        var result = 0
        for shift in stride(from: 0, to: 35, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            result |= Int(byte & 0x7F) << shift
            if byte < 0x80 { return result }
        }
        return nil
    }

    /// A varint below 2^63.
    mutating func position() -> Int64? {
        var result: UInt64 = 0
        for shift in stride(from: 0, to: 63, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            result |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 { return Int64(exactly: result) }
        }
        return nil
    }

    mutating func text() -> String? {
        guard let count = number(), count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return String(validating: rest.prefix(count), as: UTF8.self)
    }

    mutating func properties() -> [String: String]? {
        guard let count = number(), count <= rest.count else { return nil }
        var properties: [String: String] = [:]
        for _ in 0..<count {
            guard let name = text(), let value = text(),
                properties.updateValue(value, forKey: name) == nil
            else { return nil }
        }
        return properties
    }
}
