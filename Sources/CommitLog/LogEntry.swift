package import Bytes

/// One commit as an entry carries it: what was done, by whom and why, and where the data came from.
///
/// The log gives no meaning to changes and lineage; the catalog does.
///
/// - Spec: Formats/catalog-log/README.md, "Commits".
package struct LoggedCommit: Sendable, Equatable {
    /// Chosen by whoever commits; a second commit with the same id gets the first one's outcome.
    package var id: String
    package var actor: String
    /// Names the request that led here, for tracing; nil when there was none.
    package var requestID: String?
    /// Why, in words for people; nil when nobody said.
    package var message: String?
    /// Tells requests with the same id apart: SHA-256 of what was asked, in hexadecimal digits.
    package var requestHash: String?
    package var changes: [JSON] {
        get { content.values }
        set { content = .values(newValue) }
    }
    package var lineage: JSON?
    private var content: Content

    /// The one change of a commit whose log leaves values in the text that they came in.
    package struct TextChange: Sendable, Equatable {
        /// What the change's member `change` says.
        package var kind: String
        /// Its only other member.
        package var member: String
        package var value: JSONView

        package init(kind: String, member: String, value: JSONView) {
            self.kind = kind
            self.member = member
            self.value = value
        }

        fileprivate var json: JSON {
            var object: JSONObject = ["change": .string(kind)]
            object[member] = value.json
            return .object(object)
        }
    }

    private enum Content: Sendable, Equatable {
        case values([JSON])
        case text(TextChange)

        var values: [JSON] {
            switch self {
            case .values(let values): values
            case .text(let change): [change.json]
            }
        }

        static func == (left: Content, right: Content) -> Bool {
            if case .text(let one) = left, case .text(let two) = right { return one == two }
            return left.values == right.values
        }
    }

    /// The commit's change, if it is one of a text.
    package var textChange: TextChange? {
        if case .text(let change) = content { change } else { nil }
    }

    package init(
        id: String,
        actor: String,
        requestID: String? = nil,
        message: String? = nil,
        requestHash: String? = nil,
        changes: [JSON],
        lineage: JSON? = nil
    ) {
        self.id = id
        self.actor = actor
        self.requestID = requestID
        self.message = message
        self.requestHash = requestHash
        self.content = .values(changes)
        self.lineage = lineage
    }

    /// A commit of one change whose value stays in its text.
    package init(id: String, actor: String, requestID: String? = nil, change: TextChange) {
        self.init(id: id, actor: actor, requestID: requestID, changes: [])
        content = .text(change)
    }

    var serialized: [UInt8] {
        var bytes = head.serialized()
        bytes.removeLast()
        bytes += Array(",\"changes\":".utf8)
        switch content {
        case .values(let values): bytes += JSON.array(values).serialized()
        case .text(let change):
            bytes += Array("[{\"change\":".utf8)
            bytes += JSON.string(change.kind).serialized()
            bytes.append(UInt8(ascii: ","))
            bytes += JSON.string(change.member).serialized()
            bytes.append(UInt8(ascii: ":"))
            change.value.serialize(into: &bytes)
            bytes += Array("}]".utf8)
        }
        if let lineage {
            bytes += Array(",\"lineage\":".utf8)
            bytes += lineage.serialized()
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// The members before `changes`.
    private var head: JSON {
        var object: JSONObject = ["id": .string(id), "actor": .string(actor)]
        if let requestID { object["request-id"] = .string(requestID) }
        if let message { object["message"] = .string(message) }
        if let requestHash { object["request-hash"] = .string(requestHash) }
        return .object(object)
    }

    init?(json: JSON) {
        guard case .object(let object) = json, let changes = object["changes"]?.array else {
            return nil
        }
        self.init(head: object, changes: .values(changes), lineage: object["lineage"])
    }

    /// A commit whose change stays in the text if it is one that can.
    init?(text: JSONView) {
        guard text.isObject, let changes = text["changes"], changes.isArray else { return nil }
        var head = JSONObject()
        for member in text.members where member.key != "changes" && member.key != "lineage" {
            head[member.key] = member.value.json
        }
        var content: Content?
        if let change = changes.elements.first, changes.count == 1, change.count == 2,
            let kind = change["change"]?.string,
            let other = change.members.first(where: { $0.key != "change" })
        {
            content = .text(TextChange(kind: kind, member: other.key, value: other.value))
        }
        self.init(
            head: head,
            changes: content ?? .values(changes.elements.map(\.json)),
            lineage: text["lineage"]?.json
        )
    }

    private init?(head: JSONObject, changes: Content, lineage: JSON?) {
        guard let id = head["id"]?.string, !id.isEmpty, let actor = head["actor"]?.string else {
            return nil
        }
        for name in ["request-id", "message", "request-hash"] {
            if let value = head[name], value.string == nil { return nil }
        }
        self.init(
            id: id,
            actor: actor,
            requestID: head["request-id"]?.string,
            message: head["message"]?.string,
            requestHash: head["request-hash"]?.string,
            changes: [],
            lineage: lineage
        )
        content = changes
    }

    /// The commit's bytes, proved to read back as this commit.
    ///
    /// - Throws: `invalid` when the id or a size is out of bounds, or something in the commit would
    ///   be written but never read again (nested too deep, a number that is none): one such entry
    ///   would make the whole log unreadable.
    func encoded(byteCountMax: Int) throws(CommitLogError) -> [UInt8] {
        guard (1...255).contains(id.utf8.count), !id.utf8.contains(where: { $0 < 0x20 }) else {
            throw CommitLogError(.invalid, "a commit's id is 1 to 255 bytes without controls")
        }
        let bytes = serialized
        guard bytes.count <= byteCountMax else {
            throw CommitLogError(
                .invalid,
                "the commit takes \(bytes.count) bytes in the log; the limit is \(byteCountMax)"
            )
        }
        // Three levels lie between a commit and the depth that the parser counts.
        let wrapped = Array("[[[".utf8) + bytes + Array("]]]".utf8)
        guard let read = Self.reading(wrapped, keepsText: textChange != nil), read == self else {
            throw CommitLogError(.invalid, "the commit does not read back as it was written")
        }
        return bytes
    }

    /// The commit inside three arrays; nil when it cannot be read.
    private static func reading(_ wrapped: [UInt8], keepsText: Bool) -> LoggedCommit? {
        do throws(BytesError) {
            guard keepsText else {
                return try JSON.parse(wrapped)[0]?[0]?[0].flatMap { LoggedCommit(json: $0) }
            }
            var view = try JSONText(wrapped).root
            for _ in 0..<3 {
                guard let inner = view.elements.first else { return nil }
                view = inner
            }
            return LoggedCommit(text: view)
        } catch {
            return nil
        }
    }
}

/// One object of the log: commits that became visible together.
///
/// - Spec: Formats/catalog-log/README.md, "Entries".
package struct LogEntry: Sendable, Equatable {
    /// What an entry says about itself, without its commits.
    package struct Header: Sendable, Equatable {
        /// 1 for the first entry, without gaps.
        package var sequence: Int64
        /// SHA-256 of the entry before; of the warehouse object for the first.
        package var previous: String
        /// Milliseconds since 1970; grows from entry to entry.
        package var timeMillis: Int64
        /// The server or process that wrote the entry.
        package var server: String

        package init(sequence: Int64, previous: String, timeMillis: Int64, server: String) {
            self.sequence = sequence
            self.previous = previous
            self.timeMillis = timeMillis
            self.server = server
        }
    }

    package var header: Header
    package var commits: [LoggedCommit]
    /// Files that the commits refer to and that may be missing while no entry follows this one.
    package var files: [CarriedFile] = []

    /// The position in the log.
    package var sequence: Int64 { header.sequence }

    /// The folder of the entries.
    package static let keyPrefix = "_varve/log/"

    /// Where an entry lies, relative to the warehouse's root.
    package static func key(of sequence: Int64) -> String {
        let digits = String(max(sequence, 0))
        return keyPrefix + String(repeating: "0", count: 20 - digits.count) + digits + ".json"
    }

    /// The position that a key names; nil for keys that name none.
    package static func sequence(ofKey key: String) -> Int64? {
        guard key.hasPrefix(keyPrefix), key.hasSuffix(".json") else { return nil }
        let digits = key.dropFirst(keyPrefix.count).dropLast(5)
        guard digits.utf8.count == 20, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(digits)
    }

    /// The entry's bytes from those of its commits.
    ///
    /// - Parameter files: where there are any, the first commit is marked as carrying.
    static func encode(
        _ header: Header,
        commits: [[UInt8]],
        files: [CarriedFile] = []
    ) -> [UInt8] {
        let head: JSON = [
            "sequence": .integer(header.sequence), "previous": .string(header.previous),
            "time": .integer(header.timeMillis), "server": .string(header.server),
        ]
        var body = head.serialized()
        body.reserveCapacity(
            body.count + commits.reduce(64) { $0 + $1.count + 1 }
                + files.reduce(0) { $0 + $1.encodedByteCount }
        )
        body.removeLast()
        body += Array(",\"commits\":[".utf8)
        for (index, commit) in commits.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body += commit
        }
        body.append(UInt8(ascii: "]"))
        if !files.isEmpty {
            body += Array(",\"files\":".utf8)
            body += JSON.array(files.map(\.json)).serialized()
        }
        return sealed(body)
    }

    /// Reads an entry; whether it belongs where it lies is `ChainTip`'s to check.
    ///
    /// - Parameter keepsText: whether changes stay in the text where they can.
    static func decode(
        _ bytes: [UInt8],
        key: String,
        keepsText: Bool = false
    ) throws(CommitLogError) -> LogEntry {
        var object: JSONObject
        var list: [LoggedCommit?] = []
        if keepsText {
            let text = try unsealedText(bytes, key: key)
            object = JSONObject()
            for member in text.members where member.key != "commits" {
                object[member.key] = member.value.json
            }
            list = text["commits"]?.elements.map { LoggedCommit(text: $0) } ?? []
        } else {
            object = try unsealed(bytes, key: key)
            list = object["commits"]?.array?.map { LoggedCommit(json: $0) } ?? []
        }
        guard let sequence = object["sequence"]?.int64, let previous = object["previous"]?.string,
            let time = object["time"]?.int64, let server = object["server"]?.string,
            !list.isEmpty
        else {
            throw CommitLogError(
                .corrupt,
                "sequence, previous, time, server or commits is missing",
                key: key
            )
        }
        var commits: [LoggedCommit] = []
        commits.reserveCapacity(list.count)
        for (index, commit) in list.enumerated() {
            guard let commit else {
                throw CommitLogError(
                    .corrupt,
                    "commit \(index) lacks id, actor or changes",
                    key: key
                )
            }
            commits.append(commit)
        }
        let files = try files(of: object, isMarked: commits[0].removeCarryMark(), key: key)
        let header = Header(
            sequence: sequence,
            previous: previous,
            timeMillis: time,
            server: server
        )
        return LogEntry(header: header, commits: commits, files: files)
    }

    /// The files that an entry carries, whose data nobody looks into yet.
    private static func files(
        of object: JSONObject,
        isMarked: Bool,
        key: String
    ) throws(CommitLogError) -> [CarriedFile] {
        guard let list = object["files"] else {
            if !isMarked { return [] }
            throw CommitLogError(
                .corrupt,
                "the entry says that it has files, but lacks them",
                key: key
            )
        }
        guard isMarked, let list = list.array, !list.isEmpty else {
            throw CommitLogError(.corrupt, "the entry's files make no sense", key: key)
        }
        var files: [CarriedFile] = []
        var keys: Set<String> = []
        files.reserveCapacity(list.count)
        for (index, json) in list.enumerated() {
            guard let file = CarriedFile(json: json), keys.insert(file.key).inserted else {
                throw CommitLogError(.corrupt, "file \(index) makes no sense", key: key)
            }
            files.append(file)
        }
        return files
    }
}
