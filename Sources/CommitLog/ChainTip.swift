import ObjectStorage

/// How far a chain of entries has been read: all that is needed to check or write the next one.
package struct ChainTip: Sendable, Equatable {
    /// The position of the last entry read, 0 before the first.
    package let sequence: Int64
    /// SHA-256 of that entry's bytes; of the warehouse object at position 0.
    package let hash: String
    /// That entry's time in milliseconds since 1970; the warehouse's creation at position 0.
    package let timeMillis: Int64

    /// The tip of a log without entries.
    package init(_ warehouse: Warehouse) {
        self.init(sequence: 0, hash: warehouse.hash, timeMillis: warehouse.createdMillis)
    }

    init(sequence: Int64, hash: String, timeMillis: Int64) {
        self.sequence = sequence
        self.hash = hash
        self.timeMillis = timeMillis
    }

    /// What the next entry will say about itself when it is written now.
    func header(nowMillis: Int64, server: String) -> LogEntry.Header {
        LogEntry.Header(
            sequence: sequence + 1,
            previous: hash,
            timeMillis: max(nowMillis, timeMillis + 1),
            server: server
        )
    }

    /// Checks that bytes are the next entry.
    ///
    /// - Parameter keepsText: as for `LogEntry.decode`.
    /// - Returns: the entry and the tip after it.
    /// - Throws: `corrupt`, naming the entry's key.
    func following(
        _ bytes: [UInt8],
        keepsText: Bool = false
    ) throws(CommitLogError) -> (entry: LogEntry, tip: ChainTip) {
        let key = LogEntry.key(of: sequence + 1)
        let entry = try LogEntry.decode(bytes, key: key, keepsText: keepsText)
        guard entry.sequence == sequence + 1 else {
            throw CommitLogError(.corrupt, "the entry says it is entry \(entry.sequence)", key: key)
        }
        guard entry.header.previous == hash else {
            throw CommitLogError(
                .corrupt,
                "the entry follows an object with SHA-256 \(entry.header.previous), but "
                    + (sequence == 0 ? Warehouse.key : LogEntry.key(of: sequence)) + " has \(hash)",
                key: key
            )
        }
        guard entry.header.timeMillis > timeMillis, entry.header.timeMillis < Int64.max / 2 else {
            throw CommitLogError(
                .corrupt,
                "the entry's time \(entry.header.timeMillis) does not follow \(timeMillis)",
                key: key
            )
        }
        let tip = ChainTip(
            sequence: sequence + 1,
            hash: sha256Text(bytes),
            timeMillis: entry.header.timeMillis
        )
        return (entry, tip)
    }
}
