import Ambient
import Synchronization

// Conditional writes and their unknown outcomes.
//
// A try of a conditional write ends in one of these ways:
//   done       2xx, at the first sending
//   lost       412 (or 404 for If-Match), while no try before could have landed
//   again      409, 429, no connection: nothing landed, try again
//   in doubt   time-out, broken connection after sending, 5xx; or a 412 that may be the answer to our
//              own second sending
// When in doubt we read the key back. Every write carries a mark of its own in the object's metadata,
// the same in all tries; stores that drop it are compared by content.
//   ours       done
//   not ours   lost; but for If-Match, where ours may have been there and been replaced since,
//              the outcome stays unknown unless the expected entity tag is still there
//   absent     the try may still be under way in the store: try again; when time is over, unknown

/// The header that tells our own write from another's.
private let markHeader = "x-amz-meta-varve-write"

extension S3Store {
    @discardableResult
    package func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        try await conditionalWrite(key, bytes, ifMatch: nil)
    }

    @discardableResult
    package func replace(
        _ key: String,
        _ bytes: [UInt8],
        ifMatch entityTag: String
    ) async throws -> ObjectMetadata {
        let tag = bareEntityTag(entityTag)
        guard !tag.isEmpty, !tag.contains("\""), tag != "*" else {
            throw error(.invalid, "'\(entityTag)' is not an entity tag", key: key)
        }
        return try await conditionalWrite(key, bytes, ifMatch: tag)
    }

    private enum ReadBack {
        case ours(ObjectMetadata)
        case other(entityTag: String)
        case absent
    }

    /// - Parameter ifMatch: nil when the key shall be absent.
    private func conditionalWrite(
        _ key: String,
        _ bytes: [UInt8],
        ifMatch tag: String?
    ) async throws -> ObjectMetadata {
        let mark = ambient.uuidV4()
        var request = try request("PUT", key, body: bytes)
        request.isWrite = true
        let condition = { (isBare: Bool) -> (name: String, value: String) in
            guard let tag else { return ("if-none-match", "*") }
            return ("if-match", isBare ? tag : "\"\(tag)\"")
        }
        var isBare = sendsBareEntityTags.load(ordering: .relaxed)
        request.headers = encryptionHeaders + [(markHeader, mark), condition(isBare)]
        var retry = RetryState(
            policy: settings.options.retries,
            nowNanos: ambient.time.monotonicNanos()
        )
        var isInDoubt = false
        var hasTriedOtherForm = false
        while true {
            switch try await attempt(request, tryCount: retry.tryCount) {
            case .success(let response):
                if isBare { sendsBareEntityTags.store(true, ordering: .relaxed) }
                let metadata = writtenMetadata(key, response, size: bytes.count)
                if !metadata.entityTag.isEmpty { return metadata }
                return try await head(key)
            case .failure(let failure):
                isInDoubt = isInDoubt || failure.mayHaveLanded
                let isLost =
                    failure.error.code == .preconditionFailed
                    || tag != nil && failure.error.code == .notFound
                if isLost {
                    if isInDoubt || failure.wasSentTwice {
                        if let metadata = try await settle(key, bytes, mark, tag, after: failure) {
                            return metadata
                        }
                        throw unknown(key, failure)
                    }
                    if let tag, !hasTriedOtherForm, try await hasTag(key, tag) {
                        // The store contradicts itself: perhaps it wants the other form.
                        hasTriedOtherForm = true
                        isBare.toggle()
                        request.headers =
                            encryptionHeaders + [(markHeader, mark), condition(isBare)]
                        continue
                    }
                    throw lostError(key, isCreate: tag == nil, status: failure.error.status)
                }
                guard failure.isTransient else {
                    if isInDoubt { throw unknown(key, failure) }
                    throw failure.error
                }
                let goesOn = try await wait(for: failure, &retry)
                if isInDoubt,
                    let metadata = try await settle(key, bytes, mark, tag, after: failure)
                {
                    return metadata
                }
                if goesOn { continue }
                if isInDoubt { throw unknown(key, failure) }
                var error = failure.error
                error.message += tries(retry)
                throw error
            }
        }
    }

    /// Finds out whether a write in doubt has landed; nil when it has not, or not yet.
    ///
    /// - Throws: `alreadyExists` when somebody else won; `unknownOutcome` when nobody can tell.
    private func settle(
        _ key: String,
        _ bytes: [UInt8],
        _ mark: String,
        _ tag: String?,
        after failure: S3Failure
    ) async throws -> ObjectMetadata? {
        let found: ReadBack
        do {
            found = try await readBack(key, bytes, mark)
        } catch let error as ObjectStoreError {
            throw unknown(key, failure, because: error.message)
        }
        switch found {
        case .ours(let metadata):
            return metadata
        case .absent:
            return nil
        case .other(let current):
            guard let tag else {
                throw lostError(key, isCreate: true, status: failure.error.status)
            }
            if current == tag && failure.error.code != .preconditionFailed { return nil }
            if current == tag {
                throw lostError(key, isCreate: false, status: failure.error.status)
            }
            throw unknown(key, failure, because: "another object is there now")
        }
    }

    private func readBack(
        _ key: String,
        _ bytes: [UInt8],
        _ mark: String
    ) async throws -> ReadBack {
        var request = try request("GET", key)
        request.bodyBytesMax = max(bytes.count, 1 << 20)
        let response: HTTPResponse
        do {
            response = try await perform(request)
        } catch let error as ObjectStoreError where error.code == .notFound {
            return .absent
        }
        let isOurs = response.header(markHeader).map { $0 == mark } ?? (response.body == bytes)
        let metadata = try metadata(key, response, size: response.body.count)
        return isOurs ? .ours(metadata) : .other(entityTag: metadata.entityTag)
    }

    private func hasTag(_ key: String, _ tag: String) async throws -> Bool {
        do {
            return try await head(key).entityTag == tag
        } catch let error as ObjectStoreError where error.code == .notFound {
            return false
        }
    }

    private func lostError(_ key: String, isCreate: Bool, status: Int?) -> ObjectStoreError {
        isCreate
            ? error(.alreadyExists, "the key is taken", key: key, status: status)
            : error(
                .preconditionFailed,
                "the object is not the expected one any more",
                key: key,
                status: status
            )
    }

    private func unknown(
        _ key: String,
        _ failure: S3Failure,
        because reason: String? = nil
    ) -> ObjectStoreError {
        error(
            .unknownOutcome,
            "the write may have landed or not: \(failure.error.message)"
                + (reason.map { "; reading back: \($0)" } ?? ""),
            key: key,
            status: failure.error.status
        )
    }
}
