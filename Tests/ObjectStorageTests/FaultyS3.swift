import Ambient
import ObjectStorage
import Synchronization

/// The least of S3 on a loopback server: objects, conditions, ranges, multipart uploads; and faults.
///
/// Faults are used up one a request, in order, by the requests that they name.
final class FaultyS3: Sendable {
    enum Fault: Sendable {
        /// Answers at once with this, and does nothing.
        case refuse(status: Int, headers: [(String, String)] = [], word: String = "")
        /// Does nothing and resets the connection.
        case resetBefore
        /// Does what was asked, then resets the connection.
        case resetAfter
        /// Does what was asked, then answers with this status.
        case answerAfter(status: Int)
        /// Does nothing and never answers.
        case stall
        /// Sends the body only in part.
        case cutOff
        /// Answers well, and closes the connection without a word of it.
        case closeAfter
        /// Sends something that is no HTTP.
        case rubbish
        /// Drops the user's metadata from what is written, as some gateways do.
        case dropMark
    }

    private struct Object {
        var bytes: [UInt8]
        var tag: String
        var mark: String?
    }

    private struct State {
        var objects: [String: Object] = [:]
        var uploads: [String: (key: String, mark: String?, parts: [Int: [UInt8]])] = [:]
        var faults: [(method: String, fault: Fault)] = []
        var requests: [SeenRequest] = []
        var writeCount = 0
        var waiters: [(method: String, count: Int, wake: UnsafeContinuation<Void, Never>)] = []

        func count(_ method: String) -> Int {
            requests.reduce(0) { $0 + ($1.method == method ? 1 : 0) }
        }
        /// Run once, when the next fault strikes.
        var onFault: (@Sendable (FaultyS3) -> Void)?
    }

    private let state = Mutex(State())

    /// The next request of this method (`*` for any) meets the fault.
    func fault(_ method: String, _ fault: Fault) {
        state.withLock { $0.faults.append((method, fault)) }
    }

    /// Something to do when the next fault strikes: what another writer does meanwhile.
    func onFault(_ body: @escaping @Sendable (FaultyS3) -> Void) {
        state.withLock { $0.onFault = body }
    }

    /// Writes as somebody else.
    func setObject(_ key: String, _ bytes: [UInt8]) {
        state.withLock { Self.store("/b/\(key)", bytes, mark: "another", &$0) }
    }

    func object(_ key: String) -> [UInt8]? {
        state.withLock { $0.objects["/b/\(key)"]?.bytes }
    }

    var requests: [SeenRequest] { state.withLock { $0.requests } }

    func count(_ method: String) -> Int { state.withLock { $0.count(method) } }

    /// Waits until so many requests of a method have come in.
    func waitFor(_ method: String, count: Int) async {
        await withUnsafeContinuation { continuation in
            let isThere = state.withLock { state -> Bool in
                if state.count(method) >= count { return true }
                state.waiters.append((method, count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    var uploadCount: Int { state.withLock { $0.uploads.count } }

    func respond(_ request: SeenRequest) -> ServerAction {
        let (fault, onFault) = state.withLock {
            state -> (Fault?, (@Sendable (FaultyS3) -> Void)?) in
            state.requests.append(request)
            let current = state
            for waiter in current.waiters where current.count(waiter.method) >= waiter.count {
                waiter.wake.resume()
            }
            state.waiters.removeAll { current.count($0.method) >= $0.count }
            guard
                let at = state.faults.firstIndex(where: {
                    $0.method == "*" || $0.method == request.method
                })
            else { return (nil, nil) }
            defer { state.onFault = nil }
            return (state.faults.remove(at: at).fault, state.onFault)
        }
        switch fault {
        case .refuse(let status, let headers, let word):
            onFault?(self)
            let body = word.isEmpty ? "" : "<Error><Code>\(word)</Code><Message>m</Message></Error>"
            return .answer(status: status, headers: headers, body: Array(body.utf8))
        case .resetBefore:
            onFault?(self)
            return .reset
        case .resetAfter:
            _ = serve(request)
            onFault?(self)
            return .reset
        case .answerAfter(let status):
            _ = serve(request)
            onFault?(self)
            return .answer(status: status)
        case .stall:
            onFault?(self)
            return .stall
        case .cutOff:
            guard case .answer(_, _, let body) = serve(request) else { return .reset }
            return .cutOff(announced: body.count, body: Array(body.dropLast(body.count / 2 + 1)))
        case .closeAfter:
            guard case .answer(let status, let headers, let body) = serve(request) else {
                return .reset
            }
            onFault?(self)
            return .answerAndClose(status: status, headers: headers, body: body)
        case .rubbish:
            return .raw(Array("hello\r\n\r\n".utf8))
        case .dropMark:
            var bare = request
            bare.headers["x-amz-meta-varve-write"] = nil
            _ = serve(bare)
            onFault?(self)
            return .reset
        case nil:
            return serve(request)
        }
    }

    private static func store(
        _ path: String,
        _ bytes: [UInt8],
        mark: String?,
        _ state: inout State
    ) {
        state.writeCount += 1
        state.objects[path] = Object(bytes: bytes, tag: "t\(state.writeCount)", mark: mark)
    }

    private func serve(_ request: SeenRequest) -> ServerAction {
        state.withLock { state in
            let parts = request.target.split(separator: "?", maxSplits: 1)
            let path = String(parts.first ?? "")
            var query: [String: String] = [:]
            for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
                let halves = pair.split(separator: "=", omittingEmptySubsequences: false)
                query[String(halves[0])] = halves.count > 1 ? String(halves[1]) : ""
            }
            switch request.method {
            case "GET", "HEAD": return Self.read(path, request, state)
            case "PUT": return Self.put(path, query, request, &state)
            case "POST": return Self.post(path, query, request, &state)
            case "DELETE":
                if let id = query["uploadId"] {
                    state.uploads[id] = nil
                } else {
                    state.objects[path] = nil
                }
                return .answer(status: 204)
            default: return .answer(status: 405)
            }
        }
    }

    private static func read(
        _ path: String,
        _ request: SeenRequest,
        _ state: State
    ) -> ServerAction {
        guard let object = state.objects[path] else {
            return .answer(status: 404, body: Array("<Error><Code>NoSuchKey</Code></Error>".utf8))
        }
        var headers = [
            ("etag", "\"\(object.tag)\""), ("last-modified", "Fri, 24 May 2013 00:00:00 GMT"),
        ]
        if let mark = object.mark { headers.append(("x-amz-meta-varve-write", mark)) }
        if request.method == "HEAD" {
            return .answer(
                status: 200,
                headers: headers + [("content-length", "\(object.bytes.count)")]
            )
        }
        guard let range = request.headers["range"] else {
            return .answer(status: 200, headers: headers, body: object.bytes)
        }
        let bounds = range.dropFirst(6).split(separator: "-").compactMap { Int($0) }
        guard bounds.count == 2, bounds[0] < object.bytes.count else { return .answer(status: 416) }
        let part = Array(object.bytes[bounds[0]...min(bounds[1], object.bytes.count - 1)])
        return .answer(status: 206, headers: headers, body: part)
    }

    private static func put(
        _ path: String,
        _ query: [String: String],
        _ request: SeenRequest,
        _ state: inout State
    ) -> ServerAction {
        if let id = query["uploadId"], let number = query["partNumber"].flatMap({ Int($0) }) {
            state.uploads[id]?.parts[number] = request.body
            return .answer(status: 200, headers: [("etag", "\"p\(number)\"")])
        }
        if request.headers["if-none-match"] == "*", state.objects[path] != nil {
            return .answer(status: 412)
        }
        if let tag = request.headers["if-match"], "\"\(state.objects[path]?.tag ?? "")\"" != tag {
            return .answer(status: 412)
        }
        store(path, request.body, mark: request.headers["x-amz-meta-varve-write"], &state)
        return .answer(status: 200, headers: [("etag", "\"\(state.objects[path]?.tag ?? "")\"")])
    }

    private static func post(
        _ path: String,
        _ query: [String: String],
        _ request: SeenRequest,
        _ state: inout State
    ) -> ServerAction {
        if query["uploads"] != nil {
            state.writeCount += 1
            let id = "u\(state.writeCount)"
            state.uploads[id] = (path, request.headers["x-amz-meta-varve-write"], [:])
            return .answer(status: 200, body: Array("<R><UploadId>\(id)</UploadId></R>".utf8))
        }
        guard let id = query["uploadId"], let upload = state.uploads.removeValue(forKey: id) else {
            let body = "<Error><Code>NoSuchUpload</Code></Error>"
            return .answer(status: 404, body: Array(body.utf8))
        }
        let bytes = upload.parts.sorted { $0.key < $1.key }.flatMap(\.value)
        store(path, bytes, mark: upload.mark, &state)
        let body = "<R><ETag>\"\(state.objects[path]?.tag ?? "")\"</ETag></R>"
        return .answer(status: 200, body: Array(body.utf8))
    }
}

/// A store, its misbehaving server, and the clock that its retries run on.
struct FaultyS3Fixture {
    let s3: FaultyS3
    let server: LoopbackServer
    let time: ManualTime
    let store: S3Store

    init(_ change: (inout S3Options) -> Void = { _ in }) throws {
        let s3 = FaultyS3()
        self.s3 = s3
        server = try LoopbackServer { s3.respond($0) }
        time = ManualTime()
        var options = S3Options()
        options.endpoint = "http://127.0.0.1:\(server.port)"
        options.credentials = S3Credentials(accessKey: "test", secretKey: Secret("test"))
        change(&options)
        store = try S3Store(
            url: "s3://b",
            options: StoreOptions(
                ambient: AmbientSources(time: time, random: SeededRandom(seed: 1)),
                environment: EnvironmentVariables([:]),
                s3: options
            )
        )
    }

    /// The code with which something fails, or nil.
    func code(_ body: () async throws -> some Any) async -> ObjectStoreError.Code? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? ObjectStoreError)?.code
        }
    }
}
