import Ambient

/// One operation on a bucket or a key, before it is signed.
struct S3Request: Sendable {
    var method: String
    /// Relative to the store's root; nil for the bucket itself.
    var key: String?
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    /// Nil for requests that have none.
    var body: [UInt8]?
    /// SHA-256 of the body, found once for all tries.
    let payloadHash: String
    /// The most that a good answer may hold; answers to failures always have room.
    var bodyBytesMax = 0
    var bodyBytesExpected = 0
    /// Whether the request changes what is stored, so that a lost answer leaves doubt.
    var isWrite = false

    init(_ method: String, key: String?, body: [UInt8]? = nil) {
        self.method = method
        self.key = key
        self.body = body
        payloadHash = sha256Text(body ?? [])
    }

    /// Whether a store that is well answers at once: listings and joining parts may take it a while.
    var isQuick: Bool {
        key != nil && method != "POST" && query.isEmpty && (body?.count ?? 0) <= 256 << 10
    }
}

/// Why one try of a request failed, and what that means for the next.
struct S3Failure: Sendable {
    var error: ObjectStoreError
    /// The store's own word, such as `NoSuchKey`; empty when it gave none.
    var word = ""
    /// Whether another try may do better.
    var isTransient = false
    /// Whether the request may have been carried out all the same.
    var mayHaveLanded = false
    /// How long the server asked to be left alone.
    var waitMillis: Int?
    /// Whether other credentials may do better.
    var isExpired = false
    /// Whether the transport sent the request twice, so that this may answer the second sending.
    var wasSentTwice = false
}

extension S3Failure {
    /// What an answer that is no success means.
    ///
    /// - Spec: S3 API Reference, "Error responses".
    init(
        _ response: HTTPResponse,
        request: S3Request,
        store: String,
        nowMicros: Int64
    ) {
        let document = try? parseXML(response.body)
        let report = document?.name == "Error" ? document : nil
        word = report?.text(of: "Code") ?? ""
        var text = report?.text(of: "Message") ?? ""
        if text.isEmpty { text = "the store answered HTTP \(response.status)" }
        if !word.isEmpty { text = "\(word): \(text)" }
        var message = String(text.prefix(400))

        wasSentTwice = response.sendCount > 1
        let status = response.status
        var code: ObjectStoreError.Code
        switch status {
        case 404 where word == "NoSuchBucket":
            code = .invalid
            message += "; create the bucket or correct the URL"
        case 404:
            code = .notFound
        case 401, 403:
            code = .denied
            if word == "RequestTimeTooSkewed" { message += "; set this machine's clock" }
        case 409 where word.hasPrefix("Bucket"):
            code = .alreadyExists
        case 412:
            code = .preconditionFailed
        case 416:
            code = .rangeNotSatisfiable
        case 501, 405:
            code = .unsupported
        case 408, 409, 425, 429, 500, 502, 503, 504, 509:
            code = .unavailable
            isTransient = true
            // 409 and 429 are refusals; behind all others the request may be at work still.
            mayHaveLanded = request.isWrite && status != 409 && status != 429 && status != 425
        case 300..<400:
            code = .invalid
            let region = response.header("x-amz-bucket-region").map { " (its region is \($0))" }
            message += "; the bucket is elsewhere\(region ?? ""): set AWS_REGION or the endpoint"
        case 505...:
            code = .unavailable
            mayHaveLanded = request.isWrite
        default:
            code = .invalid
            if word == "RequestTimeout" {
                code = .unavailable
                isTransient = true
                mayHaveLanded = request.isWrite
            }
            if word == "AuthorizationHeaderMalformed", let region = report?.text(of: "Region") {
                message += "; set AWS_REGION to \(region)"
            }
        }
        // A success that tells of a failure in its body (CompleteMultipartUpload may do so).
        if status / 100 == 2 {
            code = .unavailable
            isTransient = ["InternalError", "SlowDown", "ServiceUnavailable"].contains(word)
            mayHaveLanded = request.isWrite
            if !isTransient { code = .invalid }
        }
        isExpired = ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"].contains(word)
        if isExpired { code = .denied }
        error = ObjectStoreError(
            code,
            message,
            key: request.key ?? "",
            store: store,
            status: status
        )
        waitMillis = response.header("retry-after").flatMap {
            retryAfterMillis($0, nowMicros: nowMicros)
        }
    }

    /// What it means that no answer came.
    init(_ lost: TransportError, request: S3Request, store: String) {
        let code: ObjectStoreError.Code = lost.code == .lost ? .unavailable : .invalid
        error = ObjectStoreError(
            code,
            lost.message,
            key: request.key ?? "",
            store: store
        )
        isTransient = lost.code == .lost
        mayHaveLanded = request.isWrite && lost.mayHaveArrived
    }
}
