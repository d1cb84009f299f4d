import Ambient
import Synchronization

/// A prefix of a bucket of Amazon S3 or of a store that speaks its language.
///
/// Every try of a request is signed anew; transient failures are retried with exponential back-off and
/// full jitter for as long as `S3Options.retries` says. What a lost answer to a write means is found
/// out by reading back; see `S3Store+ConditionalWrites.swift`.
package final class S3Store: ObjectStore {
    package let root: String
    let settings: S3Settings
    let ambient: AmbientSources
    let transport: any HTTPTransport
    private let environment: EnvironmentVariables
    private let reads: ReadOptions
    private let limit: RequestLimit
    private let credentials: Mutex<S3Credentials?>
    /// Whether `If-Match` goes without quotes, which some stores insist on.
    let sendsBareEntityTags = Atomic<Bool>(false)

    /// Opens a prefix of a bucket; sends nothing yet.
    ///
    /// - Throws: `ObjectStoreError.invalid` when settings are missing or make no sense.
    package convenience init(url: String, options: StoreOptions = StoreOptions()) throws {
        let settings = try S3Settings(
            url: url,
            options: options.s3,
            environment: options.environment
        )
        let transport = ConfiguredTransport(
            transport: .shared,
            settings: CurlSettings(
                connectTimeoutMillis: options.s3.connectTimeoutMillis,
                attemptTimeoutMillis: options.s3.attemptTimeoutMillis,
                lowSpeedSeconds: options.s3.stallSeconds,
                certificateFile: settings.certificateFile,
                proxyExceptions: settings.proxyExceptions
            )
        )
        try self.init(settings: settings, options: options, transport: transport)
    }

    init(settings: S3Settings, options: StoreOptions, transport: any HTTPTransport) throws {
        let prefix = settings.keyPrefix.isEmpty ? "" : "/\(settings.keyPrefix.dropLast())"
        root = "s3://\(settings.bucket)\(prefix)"
        self.settings = settings
        self.transport = transport
        ambient = options.ambient
        environment = options.environment
        reads = options.reads
        limit = RequestLimit(countMax: settings.options.requestCountMax)
        var found: S3Credentials?
        if !settings.options.isAnonymous {
            found = try findCredentials(
                options: settings.options,
                environment: options.environment,
                store: root
            )
            guard found != nil else {
                throw ObjectStoreError(
                    .denied,
                    "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
                    store: root
                )
            }
        }
        credentials = Mutex(found)
    }

    package func get(_ key: String) async throws -> ObjectData {
        var request = try request("GET", key)
        request.bodyBytesMax = settings.options.wholeObjectBytesMax
        let response = try await perform(request)
        return ObjectData(
            bytes: response.body,
            metadata: try metadata(key, response, size: response.body.count)
        )
    }

    package func get(_ key: String, range: Range<Int>) async throws -> [UInt8] {
        var request = try request("GET", key)
        if range.isEmpty { return [] }
        guard range.lowerBound >= 0 else {
            throw error(.rangeNotSatisfiable, "the range begins before the object", key: key)
        }
        request.headers = [("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")]
        request.bodyBytesMax = range.count
        request.bodyBytesExpected = min(range.count, 64 << 20)
        let response = try await perform(request)
        if response.status == 206 { return response.body }
        // The range was ignored, and the whole object happened to fit.
        guard range.lowerBound < response.body.count else {
            throw rangeError(range, size: response.body.count, key: key, store: root)
        }
        return Array(response.body[range.lowerBound..<min(range.upperBound, response.body.count)])
    }

    package func getRanges(_ key: String, _ ranges: [Range<Int>]) async throws -> [[UInt8]] {
        try validateKey(key, store: root)
        return try await readCoalesced(ranges, options: reads, key: key, store: root) { range in
            try await self.get(key, range: range)
        }
    }

    package func getSuffix(_ key: String, count: Int) async throws -> ObjectSuffix {
        guard count > 0 else {
            let metadata = try await head(key)
            return ObjectSuffix(
                bytes: [],
                objectSize: metadata.size,
                entityTag: metadata.entityTag
            )
        }
        var request = try request("GET", key)
        request.headers = [("range", "bytes=-\(count)")]
        request.bodyBytesMax = count
        request.bodyBytesExpected = min(count, 64 << 20)
        let response: HTTPResponse
        do {
            response = try await perform(request)
        } catch let failure as ObjectStoreError where failure.code == .rangeNotSatisfiable {
            // An empty object has no last byte.
            let metadata = try await head(key)
            guard metadata.size == 0 else { throw failure }
            return ObjectSuffix(bytes: [], objectSize: 0, entityTag: metadata.entityTag)
        }
        let tag = entityTag(response) ?? ""
        guard response.status == 206 else {
            return ObjectSuffix(
                bytes: Array(response.body.suffix(count)),
                objectSize: response.body.count,
                entityTag: tag
            )
        }
        // "bytes 5-9/10"
        guard let text = response.header("content-range"), let slash = text.lastIndex(of: "/"),
            let size = Int(text[text.index(after: slash)...]), size >= response.body.count
        else {
            throw error(.invalid, "the answer does not give the object's size", key: key)
        }
        return ObjectSuffix(bytes: response.body, objectSize: size, entityTag: tag)
    }

    package func head(_ key: String) async throws -> ObjectMetadata {
        let response = try await perform(try request("HEAD", key))
        guard let text = response.header("content-length"), let size = Int(text), size >= 0 else {
            throw error(.invalid, "the answer does not give the object's size", key: key)
        }
        return try metadata(key, response, size: size)
    }

    @discardableResult
    package func put(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        var request = try request("PUT", key, body: bytes)
        request.headers = encryptionHeaders
        request.isWrite = true
        return writtenMetadata(key, try await perform(request), size: bytes.count)
    }

    package func beginUpload(_ key: String) async throws -> any ObjectUpload {
        try Task.checkCancellation()
        try validateKey(key, store: root)
        return S3Upload(store: self, key: key)
    }

    /// Makes the bucket, unless it is there and ours already; for new installations and tests.
    package func createBucket() async throws {
        var request = S3Request("PUT", key: nil, body: bucketConfiguration)
        request.isWrite = true
        do {
            _ = try await perform(request)
        } catch let error as ObjectStoreError where error.status == 409 {
            // Ours, or perhaps somebody else's: using it will tell.
            guard error.message.contains("BucketAlreadyOwnedByYou") else { throw error }
        }
    }

    private var bucketConfiguration: [UInt8] {
        guard settings.region != "us-east-1" else { return [] }
        let text =
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            + "<LocationConstraint>\(settings.region)</LocationConstraint>"
            + "</CreateBucketConfiguration>"
        return Array(text.utf8)
    }

    /// A URL with which anybody may do one thing with one key for a while, without credentials.
    ///
    /// - Parameters:
    ///   - method: `GET`, `PUT`, `HEAD` or `DELETE`.
    ///   - lifetimeSeconds: 1 to 604800 (a week); temporary credentials end it earlier.
    package func presignedURL(
        _ method: String,
        _ key: String,
        lifetimeSeconds: Int
    ) throws -> String {
        try validateKey(key, store: root)
        let address = settings.address
        guard let credentials = credentials.withLock({ $0 }) else {
            throw error(.unsupported, "a store without credentials cannot sign URLs", key: key)
        }
        let target = SignatureV4(credentials: credentials, region: settings.region).presign(
            method: method,
            host: address.host,
            path: path(key),
            lifetimeSeconds: lifetimeSeconds,
            timeMicros: ambient.time.nowMicros()
        )
        return "\(address.scheme)://\(address.host)\(target)"
    }
}

extension S3Store {
    func error(
        _ code: ObjectStoreError.Code,
        _ message: String,
        key: String = "",
        status: Int? = nil
    ) -> ObjectStoreError {
        ObjectStoreError(code, message, key: key, store: root, status: status)
    }

    /// A request for a key that has been found valid.
    func request(
        _ method: String,
        _ key: String,
        body: [UInt8]? = nil
    ) throws(ObjectStoreError) -> S3Request {
        try validateKey(key, store: root)
        return S3Request(method, key: key, body: body)
    }

    /// Headers that writes carry so that objects are kept as the options say.
    var encryptionHeaders: [(name: String, value: String)] {
        guard let kind = settings.options.serverSideEncryption else { return [] }
        var headers = [(name: "x-amz-server-side-encryption", value: kind)]
        if let key = settings.options.encryptionKeyID {
            headers.append(("x-amz-server-side-encryption-aws-kms-key-id", key))
        }
        return headers
    }

    private func path(_ key: String?) -> String {
        let base = settings.address.basePath
        guard let key else { return base.isEmpty ? "/" : base }
        return "\(base)/\(settings.keyPrefix)\(key)"
    }

    /// Sends a request until it succeeds, fails for good, or the time for retries is over.
    ///
    /// - Parameter policy: other than the store's own.
    /// - Throws: for writes `unknownOutcome` when time is over and one of the tries may have landed.
    func perform(_ request: S3Request, policy: RetryPolicy? = nil) async throws -> HTTPResponse {
        var retry = RetryState(
            policy: policy ?? settings.options.retries,
            nowNanos: ambient.time.monotonicNanos()
        )
        var mayHaveLanded = false
        while true {
            switch try await attempt(request, tryCount: retry.tryCount) {
            case .success(let response):
                return response
            case .failure(var failure):
                mayHaveLanded = mayHaveLanded || failure.mayHaveLanded
                if failure.isTransient, try await wait(for: failure, &retry) { continue }
                if failure.isTransient { failure.error.message += tries(retry) }
                if mayHaveLanded { failure.error.code = .unknownOutcome }
                throw failure.error
            }
        }
    }

    func tries(_ retry: RetryState) -> String {
        retry.tryCount == 1 ? "" : " (\(retry.tryCount) tries)"
    }

    /// Waits before the next try; false when there shall be none.
    func wait(for failure: S3Failure, _ retry: inout RetryState) async throws -> Bool {
        let wait = retry.nextWaitNanos(
            nowNanos: ambient.time.monotonicNanos(),
            serverMillis: failure.waitMillis,
            random: ambient.random
        )
        guard let wait else { return false }
        try await ambient.time.sleep(nanoseconds: wait)
        return true
    }

    enum Attempt {
        case success(HTTPResponse)
        case failure(S3Failure)
    }

    /// Sends a request once, or twice when the credentials have been renewed meanwhile.
    ///
    /// - Parameter tryCount: 1 for the operation's first try.
    /// - Throws: `CancellationError`; `invalid` for headers that cannot be sent.
    func attempt(_ request: S3Request, tryCount: Int) async throws -> Attempt {
        let first = try await attemptOnce(request, tryCount)
        guard case .failure(let failure) = first, failure.isExpired, renewCredentials() else {
            return first
        }
        return try await attemptOnce(request, tryCount)
    }

    private func attemptOnce(_ request: S3Request, _ tryCount: Int) async throws -> Attempt {
        try Task.checkCancellation()
        var message = try message(request)
        message.stallSeconds = settings.options.stallSeconds(
            tryCount: tryCount,
            isQuick: request.isQuick
        )
        do {
            let response = try await limit.run { try await transport.send(message) }
            if response.status / 100 == 2 && !isErrorInSuccess(response, request) {
                return .success(response)
            }
            return .failure(
                S3Failure(
                    response,
                    request: request,
                    store: root,
                    nowMicros: ambient.time.nowMicros()
                )
            )
        } catch let lost as TransportError {
            return .failure(S3Failure(lost, request: request, store: root))
        }
    }

    /// S3 answers 200 before it is done with joining parts, and then may say that it failed.
    private func isErrorInSuccess(_ response: HTTPResponse, _ request: S3Request) -> Bool {
        guard request.method == "POST" else { return false }
        return (try? parseXML(response.body))?.name == "Error"
    }

    private func message(_ request: S3Request) throws(ObjectStoreError) -> HTTPRequest {
        for (name, value) in request.headers {
            guard value.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) else {
                throw error(.invalid, "the value for \(name) holds odd characters")
            }
        }
        let address = settings.address
        let signature: SignatureV4.Signed
        if let credentials = credentials.withLock({ $0 }) {
            signature = SignatureV4(credentials: credentials, region: settings.region).sign(
                method: request.method,
                host: address.host,
                path: path(request.key),
                query: request.query,
                headers: request.headers,
                payloadHash: request.payloadHash,
                timeMicros: ambient.time.nowMicros()
            )
        } else {
            signature = SignatureV4.unsigned(
                path: path(request.key),
                query: request.query,
                headers: request.headers
            )
        }
        return HTTPRequest(
            method: request.method,
            url: "\(address.scheme)://\(address.host)\(signature.target)",
            headers: signature.headers,
            body: request.body,
            // Room for the words of a failure.
            bodyBytesMax: max(request.bodyBytesMax, 1 << 20),
            bodyBytesExpected: request.bodyBytesExpected
        )
    }

    /// Looks again where credentials come from; true when there are other ones now.
    private func renewCredentials() -> Bool {
        guard
            let found = try? findCredentials(
                options: settings.options,
                environment: environment,
                store: root
            )
        else { return false }
        return credentials.withLock { credentials in
            defer { credentials = found }
            return credentials != found
        }
    }

    /// The entity tag of an answer, without quotes; nil without one.
    func entityTag(_ response: HTTPResponse) -> String? {
        guard let tag = response.header("etag").map(bareEntityTag), !tag.isEmpty else { return nil }
        return tag
    }

    func metadata(
        _ key: String,
        _ response: HTTPResponse,
        size: Int
    ) throws(ObjectStoreError) -> ObjectMetadata {
        guard let tag = entityTag(response) else {
            throw error(.invalid, "the answer has no entity tag", key: key)
        }
        let text = response.header("last-modified")
        guard let time = text.flatMap({ CalendarTime(httpText: $0) }) else {
            throw error(.invalid, "the answer has no time of last change", key: key)
        }
        return ObjectMetadata(
            key: key,
            size: size,
            entityTag: tag,
            lastModifiedMicros: time.micros
        )
    }

    func writtenMetadata(_ key: String, _ response: HTTPResponse, size: Int) -> ObjectMetadata {
        let time = response.header("date").flatMap { CalendarTime(httpText: $0) }
        return ObjectMetadata(
            key: key,
            size: size,
            entityTag: entityTag(response) ?? "",
            lastModifiedMicros: time?.micros ?? ambient.time.nowMicros()
        )
    }
}

/// An entity tag without the quotes and the mark of weakness around it.
func bareEntityTag(_ text: String) -> String {
    var tag = text[...]
    if tag.hasPrefix("W/") { tag = tag.dropFirst(2) }
    if tag.count >= 2, tag.hasPrefix("\""), tag.hasSuffix("\"") { tag = tag.dropFirst().dropLast() }
    return String(tag)
}

extension SignatureV4 {
    /// The form of a request that nobody signs.
    static func unsigned(
        path: String,
        query: [(name: String, value: String)],
        headers: [(name: String, value: String)]
    ) -> Signed {
        let path = percentEncoded(path, keepsSlash: true)
        let query = query.map { "\(percentEncoded($0.name))=\(percentEncoded($0.value))" }
        return Signed(
            target: query.isEmpty ? path : "\(path)?\(query.joined(separator: "&"))",
            headers: headers,
            signature: ""
        )
    }
}
