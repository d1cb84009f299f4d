import Bytes
import ObjectStorage

// A checkpoint is an index over immutable segments:
//
//     base     ranges of keys, side by side, that cover all keys; each with the records it had when
//              it was written, at position `through`
//     deltas   what changed since, oldest first; a base takes from a delta only what is newer than
//              itself (delta.through > base.through), and of two deltas the newer wins
//     commits  ids of the latest commits, oldest first
//
// A new checkpoint names the segments of the one before it and few new ones, so what it costs to write
// follows what changed, not how much there is.

/// Names an object of a checkpoint that is never changed, and says what is in it.
struct CheckpointObject: Sendable, Equatable {
    /// Of the object's bytes; its key follows from it.
    var sha256: String
    var byteCount: Int
    /// Bytes before compression.
    var rawByteCount: Int
    /// Records, or commits.
    var count: Int

    var key: String { "\(CheckpointIndex.segmentPrefix)\(sha256).zst" }
}

/// What the index of a checkpoint says.
///
/// - Spec: Formats/catalog-log/README.md, "Checkpoints".
struct CheckpointIndex: Sendable, Equatable {
    /// A range of keys, from `start` to the next one's.
    struct Base: Sendable, Equatable {
        var object: CheckpointObject
        /// The first key of the range; empty for the first range.
        var start: [UInt8]
        /// The position that the records are of.
        var through: Int64
        /// Bytes of changes to the range since then, in deltas.
        var pendingByteCount: Int
    }

    struct Delta: Sendable, Equatable {
        var object: CheckpointObject
        var first: [UInt8]
        var last: [UInt8]
        /// The position that the records are of.
        var through: Int64
        /// How often it was merged from several.
        var tier: Int
    }

    struct Commits: Sendable, Equatable {
        var object: CheckpointObject
        /// The first and the last entry whose commits are in it.
        var first: Int64
        var last: Int64
        /// The time of the last.
        var lastMillis: Int64
        var tier: Int
    }

    static let formatVersion = 1
    static let keyPrefix = "_varve/checkpoints/"
    static let segmentPrefix = "_varve/checkpoints/segments/"

    /// The entry that the state is after.
    var tip: ChainTip
    var warehouseID: String
    /// How many records the state has.
    var recordCount: Int
    var base: [Base] = []
    var deltas: [Delta] = []
    var commits: [Commits] = []

    /// Where the index of the checkpoint at a position lies.
    static func key(of position: Int64) -> String {
        let digits = String(max(position, 0))
        return keyPrefix + String(repeating: "0", count: 20 - digits.count) + digits + ".json"
    }

    /// The position that an index's key names; nil for other keys.
    static func position(ofKey key: String) -> Int64? {
        guard key.hasPrefix(keyPrefix), key.hasSuffix(".json") else { return nil }
        let digits = key.dropFirst(keyPrefix.count).dropLast(5)
        guard digits.utf8.count == 20, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(digits)
    }

    /// Which range a key belongs to; there must be one.
    func baseIndex(of key: ArraySlice<UInt8>) -> Int {
        var (low, high) = (0, base.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if keyPrecedes(key, base[middle].start[...]) { high = middle } else { low = middle }
        }
        return low
    }

    /// All objects that it names.
    var objects: [CheckpointObject] {
        base.map(\.object) + deltas.map(\.object) + commits.map(\.object)
    }
}

// MARK: - JSON

extension CheckpointIndex {
    func encoded() throws(CommitLogError) -> [UInt8] {
        var object: JSONObject = [
            "format-version": .integer(Self.formatVersion), "position": .integer(tip.sequence),
            "hash": .string(tip.hash), "time": .integer(tip.timeMillis),
            "warehouse-id": .string(warehouseID), "record-count": .integer(recordCount),
        ]
        var list: [JSON] = []
        for one in base {
            var member = one.object.json
            member["start"] = .string(try Self.text(one.start))
            member["through"] = .integer(one.through)
            member["pending-bytes"] = .integer(one.pendingByteCount)
            list.append(.object(member))
        }
        object["base"] = .array(list)
        list = []
        for one in deltas {
            var member = one.object.json
            member["first"] = .string(try Self.text(one.first))
            member["last"] = .string(try Self.text(one.last))
            member["through"] = .integer(one.through)
            member["tier"] = .integer(one.tier)
            list.append(.object(member))
        }
        object["deltas"] = .array(list)
        object["commits"] = .array(
            commits.map { one in
                var member = one.object.json
                member["first"] = .integer(one.first)
                member["last"] = .integer(one.last)
                member["last-time"] = .integer(one.lastMillis)
                member["tier"] = .integer(one.tier)
                return .object(member)
            }
        )
        return sealed(JSON.object(object).serialized().dropLast())
    }

    private static func text(_ key: [UInt8]) throws(CommitLogError) -> String {
        guard let text = String(validating: key, as: UTF8.self) else {
            throw CommitLogError(.invalid, "a record's key is not UTF-8")
        }
        return text
    }

    /// Reads an index and checks that it makes sense in itself.
    ///
    /// - Throws: `corrupt`, `unsupported` for a later format.
    static func decode(
        _ bytes: [UInt8],
        position: Int64,
        warehouseID: String
    ) throws(CommitLogError) -> CheckpointIndex {
        let key = key(of: position)
        func wrong(_ what: String) -> CommitLogError {
            CommitLogError(.corrupt, "\(what) is missing or makes no sense", key: key)
        }
        let object = try unsealed(bytes, key: key)
        guard let version = object["format-version"]?.int, version >= 1 else {
            throw wrong("format-version")
        }
        guard version <= formatVersion else {
            throw CommitLogError(
                .unsupported,
                "the checkpoint has format version \(version); this program knows \(formatVersion)",
                key: key
            )
        }
        guard object["position"]?.int64 == position, position > 0,
            object["warehouse-id"]?.string == warehouseID
        else {
            throw CommitLogError(
                .corrupt,
                "the checkpoint is of another position or warehouse",
                key: key
            )
        }
        guard let hash = object["hash"]?.string, hash.utf8.count == 64,
            let time = object["time"]?.int64, (0..<Int64.max / 2).contains(time)
        else { throw wrong("hash or time") }
        guard let count = object["record-count"]?.int, count >= 0 else {
            throw wrong("record-count")
        }
        var index = CheckpointIndex(
            tip: ChainTip(sequence: position, hash: hash, timeMillis: time),
            warehouseID: warehouseID,
            recordCount: count
        )
        let places: ClosedRange<Int64> = 1...position
        guard let base = object["base"]?.array, let deltas = object["deltas"]?.array,
            let commits = object["commits"]?.array
        else { throw wrong("base, deltas or commits") }
        for json in base {
            guard let object = CheckpointObject(json: json),
                let start = json["start"]?.string.map({ Array($0.utf8) }),
                let through = json["through"]?.int64, places.contains(through),
                let pending = json["pending-bytes"]?.int, (0...Int.max / 4).contains(pending),
                index.base.last.map({ keyPrecedes($0.start[...], start[...]) }) ?? start.isEmpty
            else { throw wrong("a member of base") }
            index.base.append(
                Base(object: object, start: start, through: through, pendingByteCount: pending)
            )
        }
        guard !index.base.isEmpty else { throw wrong("base") }
        for json in deltas {
            guard let object = CheckpointObject(json: json),
                let first = json["first"]?.string.map({ Array($0.utf8) }), !first.isEmpty,
                let last = json["last"]?.string.map({ Array($0.utf8) }),
                !keyPrecedes(last[...], first[...]),
                let through = json["through"]?.int64, places.contains(through),
                (index.deltas.last?.through ?? 0) <= through,
                let tier = json["tier"]?.int, (0...64).contains(tier)
            else { throw wrong("a member of deltas") }
            index.deltas.append(
                Delta(object: object, first: first, last: last, through: through, tier: tier)
            )
        }
        for json in commits {
            guard let object = CheckpointObject(json: json),
                let first = json["first"]?.int64, let last = json["last"]?.int64,
                first <= last, places.contains(first), places.contains(last),
                (index.commits.last?.last ?? 0) < first,
                let lastMillis = json["last-time"]?.int64, (0...time).contains(lastMillis),
                let tier = json["tier"]?.int, (0...64).contains(tier)
            else { throw wrong("a member of commits") }
            index.commits.append(
                Commits(
                    object: object,
                    first: first,
                    last: last,
                    lastMillis: lastMillis,
                    tier: tier
                )
            )
        }
        return index
    }
}

extension CheckpointObject {
    fileprivate var json: JSONObject {
        [
            "sha256": .string(sha256), "bytes": .integer(byteCount),
            "raw-bytes": .integer(rawByteCount), "count": .integer(count),
        ]
    }

    fileprivate init?(json: JSON) {
        guard let sha256 = json["sha256"]?.string, sha256.utf8.count == 64,
            sha256.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
            let bytes = json["bytes"]?.int, (0...Self.rawByteCountMax).contains(bytes),
            let raw = json["raw-bytes"]?.int, (0...Self.rawByteCountMax).contains(raw),
            let count = json["count"]?.int, (0...raw).contains(count)
        else { return nil }
        self.init(sha256: sha256, byteCount: bytes, rawByteCount: raw, count: count)
    }

    /// No segment is larger than this before compression.
    static let rawByteCountMax = 1 << 30
}

// MARK: - Objects

extension CheckpointObject {
    /// Compresses a segment.
    ///
    /// - Throws: `invalid` when it is too large.
    static func encode(
        raw: [UInt8],
        count: Int
    ) throws(CommitLogError) -> (object: CheckpointObject, bytes: [UInt8]) {
        guard raw.count <= rawByteCountMax else {
            throw CommitLogError(.invalid, "a segment of \(raw.count) bytes is too large")
        }
        let compressed: [UInt8]
        do throws(BytesError) {
            compressed = try raw.withUnsafeBufferPointer { (raw) throws(BytesError) in
                try compress(.zstd, UnsafeRawBufferPointer(raw))
            }
        } catch {
            throw CommitLogError(.invalid, "\(error)")
        }
        let object = CheckpointObject(
            sha256: sha256Text(compressed),
            byteCount: compressed.count,
            rawByteCount: raw.count,
            count: count
        )
        return (object, compressed)
    }

    /// Checks a segment's bytes and decompresses them.
    ///
    /// - Throws: `corrupt` when they are not the ones that the index names.
    func decode(_ bytes: [UInt8]) throws(CommitLogError) -> [UInt8] {
        guard bytes.count == byteCount, sha256Text(bytes) == sha256 else {
            throw CommitLogError(.corrupt, "the object's bytes are not those of its name", key: key)
        }
        do throws(BytesError) {
            let raw = try decompressed(.zstd, bytes, sizeMax: rawByteCount)
            guard raw.count == rawByteCount else {
                throw BytesError(.corrupt, "\(raw.count) bytes instead of \(rawByteCount)")
            }
            return raw
        } catch {
            throw CommitLogError(.corrupt, "\(error)", key: key)
        }
    }
}
