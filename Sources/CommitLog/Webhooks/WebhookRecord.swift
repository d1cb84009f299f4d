import Bytes

/// What `_varve/webhooks/<name>.json` says: how far a webhook has come, and who delivers for it.
///
/// - Spec: Formats/catalog-log/README.md, "Webhooks".
package struct WebhookRecord: Sendable, Equatable {
    /// The version of the format that this program writes, and the highest it reads.
    package static let formatVersion = 1
    static let keyPrefix = "_varve/webhooks/"

    /// A place in the log: before the commit with this index of the entry at this position.
    package struct Place: Sendable, Hashable, Comparable {
        package var position: Int64
        package var index: Int

        package init(position: Int64, index: Int = 0) {
            self.position = position
            self.index = index
        }

        package static func < (one: Place, other: Place) -> Bool {
            (one.position, one.index) < (other.position, other.index)
        }
    }

    /// Who delivers, and for how long after the last writing nobody else does.
    package struct Lease: Sendable, Equatable {
        /// Names one run of one process.
        package var holder: String
        package var seconds: Int

        package init(holder: String, seconds: Int) {
            self.holder = holder
            self.seconds = seconds
        }
    }

    /// Why the event at the place has not been taken yet.
    package struct Failure: Sendable, Equatable {
        /// When the first of these attempts failed, in milliseconds since 1970.
        package var sinceMillis: Int64
        package var attemptCount: Int
        package var message: String

        package init(sinceMillis: Int64, attemptCount: Int, message: String) {
            self.sinceMillis = sinceMillis
            self.attemptCount = attemptCount
            self.message = message
        }
    }

    /// That the receiver does not want to be asked again.
    package struct Disabling: Sendable, Equatable {
        /// Names the settings that were refused: others are tried again.
        package var settings: String
        /// Milliseconds since 1970.
        package var timeMillis: Int64

        package init(settings: String, timeMillis: Int64) {
            self.settings = settings
            self.timeMillis = timeMillis
        }
    }

    package var warehouseID: String
    /// 1 to 64 of `a` to `z`, digits, `-` and `_`, beginning with a letter or digit.
    package var name: String
    /// How often the record was written; every writing counts up, so that no two are the same bytes.
    package var writeCount: Int64 = 1
    /// Everything before it was delivered or is not wanted.
    package var place: Place
    package var lease: Lease?
    package var failure: Failure?
    package var disabling: Disabling?

    package init(warehouseID: String, name: String, place: Place) {
        self.warehouseID = warehouseID
        self.name = name
        self.place = place
    }

    /// Whether a text may be the name of a webhook.
    package static func isName(_ text: String) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard let first = text.utf8.first, text.utf8.count <= 64, isPlain(first) else {
            return false
        }
        return text.utf8.allSatisfy {
            isPlain($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
        }
    }

    /// Where the record of a webhook lies, relative to the warehouse's root.
    package static func key(of name: String) -> String { "\(keyPrefix)\(name).json" }

    /// The object's bytes.
    package func encoded() -> [UInt8] {
        var object: JSONObject = [
            "format-version": .integer(Self.formatVersion), "warehouse-id": .string(warehouseID),
            "name": .string(name), "write": .integer(writeCount),
            "position": .integer(place.position), "index": .integer(place.index),
        ]
        if let lease {
            object["lease"] = [
                "holder": .string(lease.holder), "seconds": .integer(lease.seconds),
            ]
        }
        if let failure {
            object["failing"] = [
                "since": .integer(failure.sinceMillis), "attempts": .integer(failure.attemptCount),
                "message": .string(failure.message),
            ]
        }
        if let disabling {
            object["disabled"] = [
                "settings": .string(disabling.settings), "time": .integer(disabling.timeMillis),
            ]
        }
        return sealed(JSON.object(object).serialized().dropLast())
    }

    /// Reads a record.
    ///
    /// - Throws: `corrupt`, also for the record of another webhook or warehouse; `unsupported` for a
    ///   later format.
    package static func decode(
        _ bytes: [UInt8],
        name: String,
        warehouseID: String
    ) throws(CommitLogError) -> WebhookRecord {
        let key = key(of: name)
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
                "the webhook's state has format version \(version); this program knows "
                    + "\(formatVersion)",
                key: key
            )
        }
        guard object["warehouse-id"]?.string == warehouseID, object["name"]?.string == name else {
            throw CommitLogError(
                .corrupt,
                "this is the state of another webhook, or of another warehouse",
                key: key
            )
        }
        let times = 0..<Int64.max / 2
        guard let write = object["write"]?.int64, (1..<Int64.max).contains(write),
            let position = object["position"]?.int64, (1..<Int64.max).contains(position),
            let index = object["index"]?.int, (0..<Int.max).contains(index)
        else { throw wrong("write, position or index") }
        var record = WebhookRecord(
            warehouseID: warehouseID,
            name: name,
            place: Place(position: position, index: index)
        )
        record.writeCount = write
        if let lease = object["lease"] {
            guard let holder = lease["holder"]?.string, !holder.isEmpty,
                let seconds = lease["seconds"]?.int, (1...86_400).contains(seconds)
            else { throw wrong("a member of lease") }
            record.lease = Lease(holder: holder, seconds: seconds)
        }
        if let failing = object["failing"] {
            guard let since = failing["since"]?.int64, times.contains(since),
                let attempts = failing["attempts"]?.int, (1..<Int.max).contains(attempts),
                let message = failing["message"]?.string
            else { throw wrong("a member of failing") }
            record.failure = Failure(
                sinceMillis: since,
                attemptCount: attempts,
                message: message
            )
        }
        if let disabled = object["disabled"] {
            guard let settings = disabled["settings"]?.string,
                let time = disabled["time"]?.int64, times.contains(time)
            else { throw wrong("a member of disabled") }
            record.disabling = Disabling(settings: settings, timeMillis: time)
        }
        return record
    }
}
