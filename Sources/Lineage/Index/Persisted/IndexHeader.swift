import Bytes
import CommitLog
import ObjectStorage

// The first line of an index's object: what the index has and where. The rest of the object are the tails of
// its regions.
//
// - Spec: Formats/lineage-index/README.md, "The index object"

/// What an index of the lineage of a warehouse says of itself.
package struct IndexHeader: Sendable, Equatable {
    /// Raised whenever another index would be made of the same log: a later or an earlier one is of no use.
    package static let formatVersion = 1
    static let keyPrefix = "_varve/lineage/index/"
    static let chunkPrefix = "_varve/lineage/index/chunks/"
    /// Varve cuts regions into pieces of so many bytes.
    package static let chunkByteCount = 16 << 20
    /// What is left of a region lies in the index's object when it has fewer bytes; pieces are whole multiples,
    /// which are also whole pages of any machine.
    static let tailByteCountMax = 64 << 10

    /// A piece of a region, an object of its own.
    package struct Chunk: Sendable, Hashable {
        package var sha256: String
        /// What is checked when it is loaded: SHA-256 would take too long.
        package var xxHash: UInt64

        package var key: String { IndexHeader.chunkPrefix + sha256 }
    }

    struct Part: Sendable, Equatable {
        /// How many values.
        var count: Int
        var chunks: [Chunk]
    }

    package var warehouseID: String
    /// The last entry of the log that is in it.
    package var position: Int64
    /// SHA-256 of that entry.
    package var entryHash: String
    /// Regions are cut into pieces of so many bytes.
    var chunkByteCount = Self.chunkByteCount
    /// As `RegionKind.all` has them.
    var parts: [Part]
    /// Of all tails, one behind the other.
    var tailsHash: String

    /// How many commits it has.
    package var commitCount: Int { parts.first?.count ?? 0 }
    package var chunks: [Chunk] { parts.flatMap(\.chunks) }
    package var key: String { Self.key(of: position) }

    /// All bytes of its regions.
    package var byteCount: Int {
        zip(RegionKind.all, parts).reduce(0) { $0 + $1.0.elementSize * $1.1.count }
    }

    static func key(of position: Int64) -> String {
        let digits = String(max(position, 0))
        return keyPrefix + String(repeating: "0", count: 20 - digits.utf8.count) + digits + ".index"
    }

    /// The position that a key names; nil for keys of other objects.
    static func position(ofKey key: String) -> Int64? {
        guard key.hasPrefix(keyPrefix), key.hasSuffix(".index") else { return nil }
        let digits = key.dropFirst(keyPrefix.count).dropLast(6)
        guard digits.utf8.count == 20, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(digits)
    }

    /// The pieces of so many bytes that are objects, and where the tail begins.
    static func pieces(
        ofByteCount count: Int,
        chunkByteCount: Int
    ) -> (chunks: [Range<Int>], tail: Range<Int>) {
        var chunks: [Range<Int>] = []
        var at = 0
        while count - at >= tailByteCountMax {
            let end = min(at + chunkByteCount, count)
            chunks.append(at..<end)
            at = end
        }
        return (chunks, at..<count)
    }

    // MARK: Bytes

    /// The object.
    func encoded(tails: [UInt8]) -> [UInt8] {
        let regions = zip(RegionKind.all, parts).map { kind, part -> JSON in
            let chunks = part.chunks.map { chunk -> JSON in
                ["sha256": .string(chunk.sha256), "xxh64": .string(Self.digits(chunk.xxHash))]
            }
            return [
                "name": .string(kind.name), "size": .integer(kind.elementSize),
                "count": .integer(part.count), "chunks": .array(chunks),
            ]
        }
        let object: JSON = [
            "format-version": .integer(Self.formatVersion), "warehouse-id": .string(warehouseID),
            "position": .integer(position), "hash": .string(entryHash),
            "chunk-bytes": .integer(chunkByteCount),
            "tails-sha256": .string(tailsHash), "regions": .array(regions),
        ]
        return sealed(object.serialized().dropLast()) + [UInt8(ascii: "\n")] + tails
    }

    /// Reads an index's object and checks that it makes sense in itself.
    ///
    /// - Throws: `corrupt`; `unsupported` for what another version of the format wrote.
    static func decode(
        _ bytes: [UInt8],
        position: Int64,
        warehouseID: String
    ) throws(LineageError) -> (header: IndexHeader, tails: ArraySlice<UInt8>) {
        let key = key(of: position)
        func wrong(_ what: String) -> LineageError { LineageError(.corrupt, what, place: key) }
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
            throw wrong("the index has no first line")
        }
        let object: JSONObject
        do throws(CommitLogError) {
            object = try unsealed(Array(bytes[..<end]), key: key)
        } catch {
            throw wrong(error.message)
        }
        guard let version = object["format-version"]?.int else {
            throw wrong("format-version is missing")
        }
        guard version >= formatVersion else {
            throw wrong("the index is of an earlier version, \(version)")
        }
        guard version == formatVersion else {
            throw LineageError(
                .unsupported,
                "the index has format version \(version); this program reads \(formatVersion)",
                place: key
            )
        }
        guard object["warehouse-id"]?.string == warehouseID,
            object["position"]?.int64 == position, position > 0, position < Int64.max / 2
        else { throw wrong("the index is of another position or warehouse") }
        guard let chunkByteCount = object["chunk-bytes"]?.int,
            (tailByteCountMax...Self.chunkByteCount).contains(chunkByteCount),
            chunkByteCount % tailByteCountMax == 0
        else { throw wrong("chunk-bytes is missing or makes no sense") }
        guard let hash = object["hash"]?.string, hash.utf8.count == 64,
            let tailsHash = object["tails-sha256"]?.string,
            let regions = object["regions"]?.array, regions.count == RegionKind.all.count
        else { throw wrong("hash, tails-sha256 or regions is missing or makes no sense") }
        var parts: [Part] = []
        var tailByteCount = 0
        for (kind, json) in zip(RegionKind.all, regions) {
            guard json["name"]?.string == kind.name, json["size"]?.int == kind.elementSize,
                let count = json["count"]?.int, (0...kind.countMax).contains(count),
                let list = json["chunks"]?.array
            else { throw wrong("the region \(kind.name) is missing or makes no sense") }
            let pieces = pieces(
                ofByteCount: count * kind.elementSize,
                chunkByteCount: chunkByteCount
            )
            let chunks = list.compactMap { Chunk(json: $0) }
            guard chunks.count == list.count, chunks.count == pieces.chunks.count else {
                throw wrong("the chunks of the region \(kind.name) make no sense")
            }
            tailByteCount += pieces.tail.count
            parts.append(Part(count: count, chunks: chunks))
        }
        let tails = bytes[(end + 1)...]
        guard tails.count == tailByteCount, sha256Text(Array(tails)) == tailsHash else {
            throw wrong("what follows the first line are not the tails that it tells of")
        }
        let header = IndexHeader(
            warehouseID: warehouseID,
            position: position,
            entryHash: hash,
            chunkByteCount: chunkByteCount,
            parts: parts,
            tailsHash: tailsHash
        )
        return (header, tails)
    }

    fileprivate static func digits(_ hash: UInt64) -> String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

extension IndexHeader.Chunk {
    fileprivate init?(json: JSON) {
        guard let sha256 = json["sha256"]?.string, sha256.utf8.count == 64,
            sha256.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
            let digits = json["xxh64"]?.string, digits.utf8.count == 16,
            let hash = UInt64(digits, radix: 16)
        else { return nil }
        self.init(sha256: sha256, xxHash: hash)
    }
}
