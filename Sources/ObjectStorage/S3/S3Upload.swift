import Ambient
import Synchronization

/// A multipart upload, or one plain PUT when the object turns out small.
///
/// Bytes gather until a wave of parts is full, which then goes out in parallel; `write` returns when
/// the wave has landed, so that memory stays within one wave. All parts but the last have one size,
/// which doubles after every 1000 parts: 10000 parts are the most that S3 takes.
///
/// States: empty -> (begun by the first full wave) -> finished | failed | aborted.
///
/// - Spec: S3 API Reference, "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload".
final class S3Upload: ObjectUpload {
    private struct State {
        var pending: [UInt8] = []
        var uploadID: String?
        /// Entity tags in the order of the parts; the first part has number 1.
        var partTags: [String] = []
        var size = 0
        var isBusy = false
        var isOver = false
    }

    private let store: S3Store
    private let key: String
    private let state = Mutex(State())
    /// Tells our object from another at the same key when the answer to `finish` is lost.
    private let mark: String

    init(store: S3Store, key: String) {
        self.store = store
        self.key = key
        mark = store.ambient.uuidV4()
    }

    private var partCountMax: Int { max(store.settings.options.partCountMax, 1) }

    private func partBytes(number: Int) -> Int {
        max(store.settings.options.partBytes, 5 << 20) << min((number - 1) / 1000, 10)
    }

    /// Claims the upload for one call.
    private func begin() throws {
        try Task.checkCancellation()
        let isFree = state.withLock { state -> Bool? in
            if state.isOver { return nil }
            defer { state.isBusy = true }
            return !state.isBusy
        }
        switch isFree {
        case nil: throw uploadIsOver(key: key, store: store.root)
        case false?: throw store.error(.invalid, "calls of one upload overlap", key: key)
        case true?: return
        }
    }

    func write(_ bytes: [UInt8]) async throws {
        try begin()
        defer { state.withLock { $0.isBusy = false } }
        let isFull = state.withLock { state -> Bool in
            if state.pending.isEmpty {
                state.pending = bytes
            } else {
                state.pending.append(contentsOf: bytes)
            }
            return state.pending.count > waveBytes(state)
        }
        guard isFull else { return }
        do {
            while let wave = state.withLock({ state in takeWave(&state) }) {
                try await send(wave)
            }
        } catch {
            // A cancelled task cannot ask for anything more; its owner calls `abort`.
            if !(error is CancellationError) { await abort() }
            state.withLock { $0.pending = [] }
            throw error
        }
    }

    private func waveBytes(_ state: State) -> Int {
        partBytes(number: state.partTags.count + 1) * partCountMax
    }

    /// Full parts to send, when a whole wave of them and at least one byte more are there.
    ///
    /// The byte more keeps the last part for `finish`, which must not be without one.
    private func takeWave(_ state: inout State) -> [[UInt8]]? {
        guard state.pending.count > waveBytes(state) else { return nil }
        var parts: [[UInt8]] = []
        var at = 0
        for index in 0..<partCountMax {
            let count = partBytes(number: state.partTags.count + 1 + index)
            guard state.pending.count - at > count else { break }
            parts.append(Array(state.pending[at..<at + count]))
            at += count
        }
        state.pending = Array(state.pending[at...])
        return parts
    }

    /// Sends parts in parallel and notes their tags.
    private func send(_ parts: [[UInt8]]) async throws {
        let id = try await uploadID()
        let first = state.withLock { $0.partTags.count + 1 }
        guard first + parts.count - 1 <= 10_000 else {
            throw store.error(.invalid, "the object needs more than 10000 parts", key: key)
        }
        let numbered = parts.enumerated().map { (number: first + $0.offset, bytes: $0.element) }
        let tags = try await mapBounded(numbered, countMax: partCountMax) { part in
            var request = try self.store.request("PUT", self.key, body: part.bytes)
            request.query = [("partNumber", String(part.number)), ("uploadId", id)]
            let response = try await self.store.perform(request)
            guard let tag = self.store.entityTag(response) else {
                throw self.store.error(.invalid, "a part got no entity tag", key: self.key)
            }
            return tag
        }
        state.withLock { state in
            state.partTags += tags
            state.size += parts.reduce(0) { $0 + $1.count }
        }
    }

    private func uploadID() async throws -> String {
        if let id = state.withLock({ $0.uploadID }) { return id }
        var request = try store.request("POST", key, body: [])
        request.query = [("uploads", "")]
        request.headers = store.encryptionHeaders + [(markHeader, mark)]
        let response = try await store.perform(request)
        let document = try? parseXML(response.body)
        guard let id = document?.text(of: "UploadId"), !id.isEmpty else {
            throw store.error(.invalid, "the store began an upload without a name", key: key)
        }
        state.withLock { $0.uploadID = id }
        return id
    }

    func finish() async throws -> ObjectMetadata {
        try begin()
        defer { state.withLock { $0.isBusy = false } }
        let (rest, isBegun) = state.withLock { ($0.pending, $0.uploadID != nil) }
        do {
            let metadata: ObjectMetadata
            if !isBegun && rest.count <= partBytes(number: 1) * 2 {
                metadata = try await store.put(key, rest)
            } else {
                var at = 0
                var parts: [[UInt8]] = []
                let done = state.withLock { $0.partTags.count }
                while at < rest.count {
                    let count = min(partBytes(number: done + parts.count + 1), rest.count - at)
                    parts.append(Array(rest[at..<at + count]))
                    at += count
                }
                try await send(parts)
                metadata = try await complete()
            }
            state.withLock { state in
                state.isOver = true
                state.pending = []
            }
            return metadata
        } catch {
            let isUnknown = (error as? ObjectStoreError)?.code == .unknownOutcome
            // Aborting what may still be joined would be a second change in doubt.
            if !isUnknown && !(error is CancellationError) { await abort() }
            state.withLock { state in
                state.isOver = state.isOver || isUnknown
                state.pending = []
            }
            throw error
        }
    }

    private func complete() async throws -> ObjectMetadata {
        let (tags, id, size) = state.withLock { ($0.partTags, $0.uploadID ?? "", $0.size) }
        var text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for (index, tag) in tags.enumerated() {
            text += "<Part><PartNumber>\(index + 1)</PartNumber>"
            text += "<ETag>&quot;\(xmlEscaped(tag))&quot;</ETag></Part>"
        }
        text += "</CompleteMultipartUpload>"
        var request = try store.request("POST", key, body: Array(text.utf8))
        request.query = [("uploadId", id)]
        request.headers = [("content-type", "application/xml")]
        request.isWrite = true
        request.bodyBytesMax = 1 << 20
        var retry = RetryState(
            policy: store.settings.options.retries,
            nowNanos: store.ambient.time.monotonicNanos()
        )
        var isInDoubt = false
        while true {
            switch try await store.attempt(request, tryCount: retry.tryCount) {
            case .success(let response):
                let tag = (try? parseXML(response.body))?.text(of: "ETag").map(bareEntityTag) ?? ""
                var metadata = store.writtenMetadata(key, response, size: size)
                metadata.entityTag = tag
                return tag.isEmpty ? try await store.head(key) : metadata
            case .failure(let failure):
                let isGone = failure.word == "NoSuchUpload" || failure.error.code == .notFound
                if isGone, isInDoubt || failure.wasSentTwice {
                    // An earlier try has joined the parts, if the object bears our mark.
                    if let metadata = try? await completed(size: size) { return metadata }
                }
                isInDoubt = isInDoubt || failure.mayHaveLanded
                if failure.isTransient, try await store.wait(for: failure, &retry) { continue }
                if isInDoubt {
                    if let metadata = try? await completed(size: size) { return metadata }
                    throw store.error(
                        .unknownOutcome,
                        "the upload may have been finished or not: \(failure.error.message)",
                        key: key,
                        status: failure.error.status
                    )
                }
                throw failure.error
            }
        }
    }

    /// The object at the key, if it is the one of this upload.
    private func completed(size: Int) async throws -> ObjectMetadata? {
        let response = try await store.perform(try store.request("HEAD", key))
        guard response.header(markHeader) == mark else { return nil }
        return try store.metadata(key, response, size: size)
    }

    func abort() async {
        let id = state.withLock { state -> String? in
            defer {
                state.isOver = true
                state.pending = []
            }
            return state.isOver ? nil : state.uploadID
        }
        guard let id, var request = try? store.request("DELETE", key) else { return }
        request.query = [("uploadId", id)]
        let (message, store) = (request, store)
        // A task of its own, because a cancelled one could not clean up behind itself; it is waited
        // for, and its retries are few.
        let cleanup = Task {
            try? await store.perform(
                message,
                policy: RetryPolicy(totalMillis: 5000, tryCountMax: 4)
            )
        }
        _ = await cleanup.value
    }
}

private let markHeader = "x-amz-meta-varve-write"
