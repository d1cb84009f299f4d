/// A tree of named, immutable byte strings: a folder, a bucket prefix, or memory.
///
/// Keys are relative to `root`, parts joined by `/`; see `validateKey`. Every operation throws
/// `ObjectStoreError`, or `CancellationError` when the task is cancelled. Reads see every write that
/// was answered before they began. Transient failures are retried inside the store. A write whose
/// task is cancelled may have landed.
package protocol ObjectStore: Sendable {
    /// The URL of the folder that keys are relative to, without a slash at its end:
    /// `file:///abs/path`, `s3://bucket/prefix`, `memory:`.
    var root: String { get }

    /// The whole object.
    ///
    /// - Throws: `notFound`.
    func get(_ key: String) async throws -> ObjectData

    /// The bytes of a range, cut off at the object's end; an empty range costs no request.
    ///
    /// - Throws: `notFound`; `rangeNotSatisfiable` when the range begins at or after the end.
    func get(_ key: String, range: Range<Int>) async throws -> [UInt8]

    /// The bytes of each range, in the order asked, all of them wholly inside the object.
    ///
    /// Near ranges share a request (`ReadOptions`); requests run in parallel, up to a bound.
    ///
    /// - Throws: `notFound`; `rangeNotSatisfiable` when a range ends outside the object.
    func getRanges(_ key: String, _ ranges: [Range<Int>]) async throws -> [[UInt8]]

    /// The last bytes of an object, all of it when it is shorter, and its size, in one request.
    ///
    /// - Throws: `notFound`.
    func getSuffix(_ key: String, count: Int) async throws -> ObjectSuffix

    /// What is known about an object, without its bytes.
    ///
    /// - Throws: `notFound`.
    func head(_ key: String) async throws -> ObjectMetadata

    /// Writes an object, whatever was there before; readers see the old or the new bytes, never a mix.
    @discardableResult
    func put(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata

    /// Creates an object; of many creators at once exactly one succeeds.
    ///
    /// - Throws: `alreadyExists` when the key is taken; `unknownOutcome` when the answer was lost and
    ///   reading back could not tell. Equal bytes written by two creators cannot be told apart after
    ///   a lost answer: make them differ (an id) where it matters.
    @discardableResult
    func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata

    /// Replaces the object that has this entity tag, atomically.
    ///
    /// - Throws: `preconditionFailed` when it has another one or is gone; `unknownOutcome` as above.
    @discardableResult
    func replace(
        _ key: String,
        _ bytes: [UInt8],
        ifMatch entityTag: String
    ) async throws -> ObjectMetadata

    /// One page of the keys that begin with a prefix, in the order of their UTF-8 bytes.
    ///
    /// - Parameters:
    ///   - prefix: need not end at a slash; empty for everything.
    ///   - startAfter: only keys greater than this one.
    ///   - delimiter: whether keys that go on with a `/` after the prefix are folded into
    ///     `commonPrefixes`, like the folders of a folder.
    ///   - limit: the most objects and common prefixes in the page, 1 to 1000.
    ///   - continuation: `next` of the page before, with all else the same.
    func list(
        prefix: String,
        startAfter: String?,
        delimiter: Bool,
        limit: Int,
        continuation: String?
    ) async throws -> ListPage

    /// Removes objects, as many as there are; missing keys are not errors.
    ///
    /// - Throws: when some could not be removed; others may have been.
    func delete(_ keys: [String]) async throws

    /// Begins to write an object whose bytes come piece by piece; nothing is visible before `finish`.
    func beginUpload(_ key: String) async throws -> any ObjectUpload
}

/// An object on its way; calls must not overlap.
///
/// An upload that is neither finished nor aborted leaves hidden parts behind, which the store's
/// sweeping or the bucket's lifecycle rule for incomplete uploads removes.
package protocol ObjectUpload: Sendable {
    /// Adds bytes, in pieces of any size; waits when too much is under way.
    func write(_ bytes: [UInt8]) async throws

    /// Makes the object visible, whole, in place of any before it.
    ///
    /// - Throws: after a failure nothing is visible (unless `unknownOutcome`) and the upload is over.
    func finish() async throws -> ObjectMetadata

    /// Throws away what was written, as well as it can; safe after a failed `write` or `finish`.
    func abort() async
}

/// What a store knows about an object.
package struct ObjectMetadata: Sendable, Equatable {
    package var key: String
    /// Bytes.
    package var size: Int
    /// Names these bytes, without quotes.
    ///
    /// It changes whenever the bytes do; compare only, never parse.
    package var entityTag: String
    /// Microseconds since 1970; answers to writes give the time of the answer.
    package var lastModifiedMicros: Int64

    package init(key: String, size: Int, entityTag: String, lastModifiedMicros: Int64) {
        self.key = key
        self.size = size
        self.entityTag = entityTag
        self.lastModifiedMicros = lastModifiedMicros
    }
}

/// A whole object.
package struct ObjectData: Sendable, Equatable {
    package var bytes: [UInt8]
    package var metadata: ObjectMetadata

    package init(bytes: [UInt8], metadata: ObjectMetadata) {
        self.bytes = bytes
        self.metadata = metadata
    }
}

/// The end of an object.
package struct ObjectSuffix: Sendable, Equatable {
    /// The last bytes, at most as many as were asked for.
    package var bytes: [UInt8]
    /// The size of the whole object in bytes.
    package var objectSize: Int
    package var entityTag: String

    package init(bytes: [UInt8], objectSize: Int, entityTag: String) {
        self.bytes = bytes
        self.objectSize = objectSize
        self.entityTag = entityTag
    }
}

/// A part of a listing.
package struct ListPage: Sendable, Equatable {
    package var objects: [ObjectMetadata]
    /// What the folded keys have in common, each ending with `/`; only with a delimiter.
    package var commonPrefixes: [String]
    /// What to hand in as `continuation` for the next page; nil when this is the last.
    package var next: String?

    package init(objects: [ObjectMetadata] = [], commonPrefixes: [String] = [], next: String? = nil)
    {
        self.objects = objects
        self.commonPrefixes = commonPrefixes
        self.next = next
    }
}

extension ObjectStore {
    /// Whether every request crosses a network, so that few and early ones pay.
    package var isFar: Bool { root.hasPrefix("s3://") }
}

extension ObjectStore {
    /// The first page of up to 1000 keys under a prefix.
    package func list(
        prefix: String,
        startAfter: String? = nil,
        delimiter: Bool = false,
        limit: Int = 1000
    ) async throws -> ListPage {
        try await list(
            prefix: prefix,
            startAfter: startAfter,
            delimiter: delimiter,
            limit: limit,
            continuation: nil
        )
    }

    /// Every object under a prefix, page after page; holds them all in memory.
    package func listAll(
        prefix: String,
        startAfter: String? = nil
    ) async throws -> [ObjectMetadata] {
        var objects: [ObjectMetadata] = []
        var continuation: String?
        repeat {
            try Task.checkCancellation()
            let page = try await list(
                prefix: prefix,
                startAfter: startAfter,
                delimiter: false,
                limit: 1000,
                continuation: continuation
            )
            objects += page.objects
            continuation = page.next
        } while continuation != nil
        return objects
    }

    /// The URL of a key in this store.
    package func url(of key: String) -> String {
        root.hasSuffix(":") ? root + key : "\(root)/\(key)"
    }

    /// Removes one object; not an error when there is none.
    package func delete(_ key: String) async throws {
        try await delete([key])
    }
}
