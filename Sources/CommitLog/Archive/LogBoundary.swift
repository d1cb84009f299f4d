import Bytes
import ObjectStorage

/// Up to where entries may have been removed, and where they lie instead.
///
/// - Spec: Formats/catalog-log/README.md, "Archive".
struct LogBoundary: Sendable, Equatable {
    /// Consecutive entries, exactly as they lay in the log, compressed together.
    struct Archive: Sendable, Equatable {
        var first: Int64
        var last: Int64
        var object: CheckpointObject
        /// When the boundary first covered them, in milliseconds since 1970.
        var archivedMillis: Int64

        var key: String { Self.key(first, last) }

        static func key(_ first: Int64, _ last: Int64) -> String {
            "_varve/archive/\(twentyDigits(first))-\(twentyDigits(last)).zst"
        }
    }

    static let formatVersion = 1
    static let key = "_varve/log-boundary.json"

    /// The last entry that is archived.
    var tip: ChainTip
    var warehouseID: String
    /// A checkpoint that was sound when the boundary was written, at or behind it.
    var checkpoint: Int64
    /// Oldest first; together entries 1 to the boundary.
    var archives: [Archive]

    /// The archive that has an entry; nil behind the boundary.
    func archive(of sequence: Int64) -> Archive? {
        var (low, high) = (0, archives.count)
        while low < high {
            let middle = (low + high) / 2
            if archives[middle].last < sequence { low = middle + 1 } else { high = middle }
        }
        return low < archives.count && archives[low].first <= sequence ? archives[low] : nil
    }

    func encoded() -> [UInt8] {
        let object: JSON = [
            "format-version": .integer(Self.formatVersion), "warehouse-id": .string(warehouseID),
            "boundary": .integer(tip.sequence), "hash": .string(tip.hash),
            "time": .integer(tip.timeMillis), "checkpoint": .integer(checkpoint),
            "archives": .array(
                archives.map { one in
                    [
                        "first": .integer(one.first), "last": .integer(one.last),
                        "sha256": .string(one.object.sha256),
                        "bytes": .integer(one.object.byteCount),
                        "raw-bytes": .integer(one.object.rawByteCount),
                        "archived": .integer(one.archivedMillis),
                    ]
                }
            ),
        ]
        return sealed(object.serialized().dropLast())
    }

    /// - Throws: `corrupt`, `unsupported` for a later format.
    static func decode(
        _ bytes: [UInt8],
        warehouseID: String
    ) throws(CommitLogError) -> LogBoundary {
        let object = try unsealed(bytes, key: key)
        func wrong(_ what: String) -> CommitLogError {
            CommitLogError(.corrupt, "\(what) is missing or makes no sense", key: key)
        }
        guard let version = object["format-version"]?.int, version >= 1 else {
            throw wrong("format-version")
        }
        guard version <= formatVersion else {
            throw CommitLogError(
                .unsupported,
                "the boundary has format version \(version); this program knows \(formatVersion)",
                key: key
            )
        }
        guard object["warehouse-id"]?.string == warehouseID else {
            throw CommitLogError(.corrupt, "the boundary is of another warehouse", key: key)
        }
        guard let boundary = object["boundary"]?.int64, boundary > 0,
            let hash = object["hash"]?.string, hash.utf8.count == 64,
            let time = object["time"]?.int64, (0..<Int64.max / 2).contains(time),
            let checkpoint = object["checkpoint"]?.int64, checkpoint >= boundary,
            let list = object["archives"]?.array
        else { throw wrong("boundary, hash, time, checkpoint or archives") }
        var archives: [Archive] = []
        for json in list {
            guard let first = json["first"]?.int64, let last = json["last"]?.int64,
                first == (archives.last?.last ?? 0) + 1, last >= first,
                let archived = json["archived"]?.int64, archived >= 0,
                let object = CheckpointObject(
                    archived: json,
                    count: Int(clamping: last - first) &+ 1
                )
            else { throw wrong("a member of archives") }
            archives.append(
                Archive(first: first, last: last, object: object, archivedMillis: archived)
            )
        }
        guard archives.last?.last == boundary else { throw wrong("archives") }
        return LogBoundary(
            tip: ChainTip(sequence: boundary, hash: hash, timeMillis: time),
            warehouseID: warehouseID,
            checkpoint: checkpoint,
            archives: archives
        )
    }
}

extension CheckpointObject {
    fileprivate init?(archived json: JSON, count: Int) {
        guard let sha256 = json["sha256"]?.string, sha256.utf8.count == 64,
            let bytes = json["bytes"]?.int, (0...Self.rawByteCountMax).contains(bytes),
            let raw = json["raw-bytes"]?.int, (0...Self.rawByteCountMax).contains(raw),
            (1...raw).contains(count)
        else { return nil }
        self.init(sha256: sha256, byteCount: bytes, rawByteCount: raw, count: count)
    }
}

/// A position as keys have it.
func twentyDigits(_ position: Int64) -> String {
    let digits = String(max(position, 0))
    return String(repeating: "0", count: 20 - digits.count) + digits
}
