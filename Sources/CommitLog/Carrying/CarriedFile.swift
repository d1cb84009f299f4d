import Bytes
import ObjectStorage

/// A file that an entry refers to and brings along, because it may not be in the store yet.
///
/// - Spec: Formats/catalog-log/README.md, "Files of an entry".
package struct CarriedFile: Sendable, Equatable {
    /// A file has no more bytes than this.
    static let byteCountMax = 64 << 20

    /// Where it lies, relative to the warehouse's root.
    package let key: String
    /// Of its bytes, in hexadecimal digits.
    package let sha256: String
    /// Its bytes, compressed and in base 64: looked into only when they are needed.
    private let data: String

    /// A file to be carried.
    ///
    /// - Throws: `invalid` when it cannot be compressed.
    init(key: String, bytes: [UInt8]) throws(CommitLogError) {
        self.key = key
        sha256 = sha256Text(bytes)
        do throws(BytesError) {
            // The quickest level: what takes up most of it is compressed already.
            let compressed = try bytes.withUnsafeBufferPointer { (raw) throws(BytesError) in
                try compress(.zstd, UnsafeRawBufferPointer(raw), level: 1)
            }
            data = base64Text(compressed)
        } catch {
            throw CommitLogError(.invalid, "\(error)", key: key)
        }
    }

    /// A file as an entry has it; nil when a member is missing or makes no sense.
    init?(json: JSON) {
        guard let key = json["key"]?.string, Self.isCarriable(key),
            let sha256 = json["sha256"]?.string, sha256.utf8.count == 64,
            sha256.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
            let data = json["data"]?.string
        else { return nil }
        self.key = key
        self.sha256 = sha256
        self.data = data
    }

    /// Whether a key can be that of a carried file: a store takes it, and it is none of the catalog's own.
    static func isCarriable(_ key: String) -> Bool {
        !key.hasPrefix("_varve/") && (try? validateKey(key, store: "")) != nil
    }

    /// About how many bytes it takes in an entry.
    var encodedByteCount: Int { data.utf8.count + key.utf8.count + 112 }

    var json: JSON {
        ["key": .string(key), "sha256": .string(sha256), "data": .string(data)]
    }

    /// The file's bytes.
    ///
    /// - Throws: `corrupt`, with the file's key, when they are damaged.
    package func bytes() throws(CommitLogError) -> [UInt8] {
        var text = data
        guard let compressed = text.withUTF8({ base64Decoded(UnsafeRawBufferPointer($0)) }) else {
            throw CommitLogError(.corrupt, "the entry's data of the file are not base 64", key: key)
        }
        let bytes: [UInt8]
        do throws(BytesError) {
            bytes = try decompressed(.zstd, compressed, sizeMax: Self.byteCountMax)
        } catch {
            throw CommitLogError(.corrupt, "the entry's data of the file: \(error)", key: key)
        }
        let found = sha256Text(bytes)
        guard found == sha256 else {
            throw CommitLogError(
                .corrupt,
                "the entry's data of the file have SHA-256 \(found) instead of \(sha256)",
                key: key
            )
        }
        return bytes
    }
}

// An entry with files must not be read by who does not know that it may lack them: such a reader would show
// what is not there yet, and such a writer would put an entry after it. Members that a reader does not know
// are ignored, but unknown kinds of changes are refused; so the first change of such an entry is of a kind of
// its own, which changes nothing. Nobody above the log sees it.

extension LoggedCommit {
    private static let carryKind = "carry-files"

    /// The commit with the mark of an entry that carries files.
    var markedAsCarrying: LoggedCommit {
        var commit = self
        commit.changes.insert(["change": .string(Self.carryKind)], at: 0)
        return commit
    }

    /// Takes the mark away; false when there is none.
    mutating func removeCarryMark() -> Bool {
        if let textChange, textChange.kind != Self.carryKind { return false }
        guard changes.first?["change"]?.string == Self.carryKind else { return false }
        changes.removeFirst()
        return true
    }
}
