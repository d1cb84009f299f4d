import CCurl
import Glibc
import Synchronization

/// How long to wait for what.
struct CurlSettings: Sendable, Equatable {
    var connectTimeoutMillis = 5000
    /// One attempt in all, however large.
    var attemptTimeoutMillis = 300_000
    /// A transfer slower than this for so long is given up; waiting for an answer counts.
    var lowSpeedBytesPerSecond = 1024
    var lowSpeedSeconds = 20
    /// A file of certificates to trust instead of the system's.
    var certificateFile: String?
    /// Hosts that a proxy is not asked for, besides this machine.
    var proxyExceptions = ""
}

/// HTTP/1.1 over libcurl's multi interface, driven by one thread of its own.
///
/// Tasks queue transfers under a lock and wake the thread; only the thread touches libcurl's handles.
/// A task is resumed after its handle has left the multi handle, so nothing writes behind its back.
/// The thread ends when the transport goes away; transfers under way then fail as cancelled.
final class CurlTransport: HTTPTransport {
    /// The transport of the process, so that connections are shared.
    static let shared = CurlTransport()

    private let core: CurlCore
    private let nextID = Atomic<UInt64>(1)

    /// - Parameter connectionCountMax: connections kept open for the next request, all hosts together.
    init(connectionCountMax: Int = 256) {
        core = CurlCore(connectionCountMax: connectionCountMax)
    }

    deinit {
        core.close()
    }

    func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await send(request, settings: CurlSettings())
    }

    func send(_ request: HTTPRequest, settings: CurlSettings) async throws -> HTTPResponse {
        try Task.checkCancellation()
        let id = nextID.wrappingAdd(1, ordering: .relaxed).oldValue
        let transfer = CurlTransfer(id: id, request: request, settings: settings)
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                transfer.continuation = continuation
                core.submit(transfer)
            }
        } onCancel: {
            // The flag before the message: whichever of them the thread meets first is enough.
            transfer.isCancelled.store(true, ordering: .releasing)
            core.cancel(id)
        }
    }
}

/// A transport with settings of its own over the connections of another.
struct ConfiguredTransport: HTTPTransport {
    var transport: CurlTransport
    var settings: CurlSettings

    func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await transport.send(request, settings: settings)
    }
}

/// The queue between tasks and the thread.
///
/// `@unchecked Sendable`: the multi handle is used by the thread alone, but for `curl_multi_wakeup`,
/// which libcurl allows from any thread; it lives as long as this object, which the thread retains.
private final class CurlCore: @unchecked Sendable {
    private struct Inbox {
        var transfers: [CurlTransfer] = []
        var cancelled: [UInt64] = []
        var isClosed = false
    }

    private let inbox = Mutex(Inbox())
    private let multi: UnsafeMutableRawPointer?
    private let connectionCountMax: Int
    /// For the thread, and for libcurl when it closes them at the end.
    private let sockets = ConnectionSockets()

    init(connectionCountMax: Int) {
        self.connectionCountMax = connectionCountMax
        let isReady = curlIsInitialized
        multi = isReady ? curl_multi_init() : nil
        guard multi != nil else { return }
        var thread = pthread_t()
        let core = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                let core = Unmanaged<CurlCore>.fromOpaque(argument).takeRetainedValue()
                core.run()
                return nil
            },
            core.toOpaque()
        )
        guard code == 0 else {
            core.release()
            inbox.withLock { $0.isClosed = true }
            return
        }
        pthread_detach(thread)
    }

    deinit {
        if let multi { curl_multi_cleanup(multi) }
    }

    func submit(_ transfer: CurlTransfer) {
        let isTaken = inbox.withLock { inbox -> Bool in
            guard !inbox.isClosed else { return false }
            inbox.transfers.append(transfer)
            return true
        }
        guard isTaken, let multi else {
            let error = TransportError(
                code: .refused,
                message: "libcurl or its thread could not be started",
                mayHaveArrived: false
            )
            transfer.resume(throwing: error)
            return
        }
        curl_multi_wakeup(multi)
    }

    func cancel(_ id: UInt64) {
        inbox.withLock { $0.cancelled.append(id) }
        if let multi { curl_multi_wakeup(multi) }
    }

    func close() {
        inbox.withLock { $0.isClosed = true }
        if let multi { curl_multi_wakeup(multi) }
    }

    private func run() {
        guard let multi else { return }
        _ = ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, connectionCountMax)
        var live: [UInt64: (transfer: CurlTransfer, easy: UnsafeMutableRawPointer)] = [:]
        var idOfEasy: [UnsafeMutableRawPointer: UInt64] = [:]
        var idle: [UnsafeMutableRawPointer] = []

        func take(_ id: UInt64) -> CurlTransfer? {
            guard let (transfer, easy) = live.removeValue(forKey: id) else { return nil }
            idOfEasy[easy] = nil
            curl_multi_remove_handle(multi, easy)
            transfer.release()
            // Resetting keeps connections, which belong to the multi handle, and forgets the rest.
            curl_easy_reset(easy)
            if idle.count < 64 { idle.append(easy) } else { curl_easy_cleanup(easy) }
            return transfer
        }

        while true {
            let news = inbox.withLock { inbox -> Inbox in
                defer {
                    inbox.transfers = []
                    inbox.cancelled = []
                }
                return inbox
            }
            for transfer in news.transfers {
                if transfer.isCancelled.load(ordering: .acquiring) {
                    transfer.resume(throwing: CancellationError())
                    continue
                }
                guard let easy = idle.popLast() ?? curl_easy_init(),
                    transfer.prepare(easy, sockets),
                    curl_multi_add_handle(multi, easy) == CURLM_OK
                else {
                    transfer.release()
                    transfer.resume(
                        throwing: TransportError(
                            code: .refused,
                            message: "libcurl refused the request",
                            mayHaveArrived: false
                        )
                    )
                    continue
                }
                live[transfer.id] = (transfer, easy)
                idOfEasy[easy] = transfer.id
            }
            for id in news.cancelled {
                take(id)?.resume(throwing: CancellationError())
            }
            if news.isClosed {
                for id in Array(live.keys) { take(id)?.resume(throwing: CancellationError()) }
                for easy in idle { curl_easy_cleanup(easy) }
                return
            }
            var runningCount: Int32 = 0
            curl_multi_perform(multi, &runningCount)
            var leftCount: Int32 = 0
            while let message = curl_multi_info_read(multi, &leftCount) {
                guard ccurl_message_is_done(message) != 0, let easy = message.pointee.easy_handle,
                    let id = idOfEasy[easy]
                else { continue }
                let code = ccurl_message_result(message)
                var status = 0
                _ = ccurl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
                take(id)?.finish(code: code, status: status)
            }
            curl_multi_poll(multi, nil, 0, live.isEmpty ? 60_000 : 1000, nil)
        }
    }
}

private let curlIsInitialized: Bool = ccurl_global_init() == CURLE_OK

/// One request on its way.
///
/// `@unchecked Sendable`: made by a task, handed to the thread through the inbox, and from then on
/// touched by the thread alone until the continuation is resumed; `isCancelled` is atomic.
private final class CurlTransfer: @unchecked Sendable {
    let id: UInt64
    let isCancelled = Atomic<Bool>(false)
    var continuation: UnsafeContinuation<HTTPResponse, any Error>?
    private let request: HTTPRequest
    private let settings: CurlSettings
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private var sentBytes = 0
    private var response: HTTPResponse
    private var headerBytes = 0
    private var isTooLarge = false
    private var sockets: ConnectionSockets?
    private var localPort = 0

    init(id: UInt64, request: HTTPRequest, settings: CurlSettings) {
        self.id = id
        self.request = request
        self.settings = settings
        response = HTTPResponse(status: 0, headers: [], body: [], sendCount: 0)
    }

    func resume(throwing error: any Error) {
        continuation?.resume(throwing: error)
        continuation = nil
    }

    /// Frees what libcurl used, once the handle is out of its hands.
    func release() {
        curl_slist_free_all(headerList)
        headerList = nil
    }

    /// Sets every option of a fresh handle; false when libcurl refuses one.
    func prepare(_ easy: UnsafeMutableRawPointer, _ sockets: ConnectionSockets) -> Bool {
        self.sockets = sockets
        let this = Unmanaged.passUnretained(self).toOpaque()
        var isFine = true
        func check(_ code: CURLcode) { isFine = isFine && code == CURLE_OK }
        check(ccurl_set_string(easy, CURLOPT_URL, request.url))
        check(ccurl_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https"))
        check(ccurl_set_string(easy, CURLOPT_CUSTOMREQUEST, request.method))
        check(ccurl_set_long(easy, CURLOPT_PATH_AS_IS, 1))
        check(ccurl_set_long(easy, CURLOPT_NOSIGNAL, 1))
        check(ccurl_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)))
        check(ccurl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, settings.connectTimeoutMillis))
        check(ccurl_set_long(easy, CURLOPT_TIMEOUT_MS, settings.attemptTimeoutMillis))
        check(ccurl_set_long(easy, CURLOPT_LOW_SPEED_LIMIT, settings.lowSpeedBytesPerSecond))
        let stallSeconds = min(request.stallSeconds ?? Int.max, settings.lowSpeedSeconds)
        check(ccurl_set_long(easy, CURLOPT_LOW_SPEED_TIME, stallSeconds))
        check(ccurl_set_long(easy, CURLOPT_BUFFERSIZE, 512 << 10))
        check(ccurl_set_long(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512 << 10))
        check(ccurl_set_long(easy, CURLOPT_TCP_KEEPALIVE, 1))
        let exceptions = ["localhost,127.0.0.1,::1", settings.proxyExceptions]
        check(
            ccurl_set_string(
                easy,
                CURLOPT_NOPROXY,
                exceptions.filter { !$0.isEmpty }.joined(separator: ",")
            )
        )
        if let file = settings.certificateFile {
            check(ccurl_set_string(easy, CURLOPT_CAINFO, file))
        }

        check(ccurl_set_data_function(easy, CURLOPT_HEADERFUNCTION, receiveHeader))
        check(ccurl_set_pointer(easy, CURLOPT_HEADERDATA, this))
        check(ccurl_set_data_function(easy, CURLOPT_WRITEFUNCTION, receiveBody))
        check(ccurl_set_pointer(easy, CURLOPT_WRITEDATA, this))
        check(ccurl_set_before_request_function(easy, countRequest))
        check(ccurl_set_pointer(easy, CURLOPT_PREREQDATA, this))
        // A connection may outlive the transfer, but not the sockets' owner.
        let owner = Unmanaged.passUnretained(sockets).toOpaque()
        check(ccurl_set_open_socket_function(easy, openSocket))
        check(ccurl_set_pointer(easy, CURLOPT_OPENSOCKETDATA, owner))
        check(ccurl_set_close_socket_function(easy, closeSocket))
        check(ccurl_set_pointer(easy, CURLOPT_CLOSESOCKETDATA, owner))
        if let body = request.body {
            check(ccurl_set_long(easy, CURLOPT_UPLOAD, 1))
            check(ccurl_set_offset(easy, CURLOPT_INFILESIZE_LARGE, curl_off_t(body.count)))
            check(ccurl_set_data_function(easy, CURLOPT_READFUNCTION, sendBody))
            check(ccurl_set_pointer(easy, CURLOPT_READDATA, this))
            check(ccurl_set_seek_function(easy, seekInBody))
            check(ccurl_set_pointer(easy, CURLOPT_SEEKDATA, this))
        } else if request.method == "HEAD" {
            check(ccurl_set_long(easy, CURLOPT_NOBODY, 1))
        }
        // Nobody waits for permission to send a body; an empty value removes the header.
        for line in ["expect:"] + request.headers.map({ "\($0.name): \($0.value)" }) {
            guard let list = curl_slist_append(headerList, line) else { return false }
            headerList = list
        }
        check(ccurl_set_list(easy, CURLOPT_HTTPHEADER, headerList))
        response.body.reserveCapacity(min(request.bodyBytesExpected, request.bodyBytesMax))
        return isFine
    }

    func finish(code: CURLcode, status: Int) {
        if code == CURLE_OK {
            response.status = status
            continuation?.resume(returning: response)
            continuation = nil
            return
        }
        let kind: TransportError.Code
        switch code {
        case CURLE_WRITE_ERROR where isTooLarge:
            kind = .tooLarge
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT, CURLE_SSL_CACERT_BADFILE,
            CURLE_PEER_FAILED_VERIFICATION, CURLE_WEIRD_SERVER_REPLY:
            kind = .refused
        default:
            kind = .lost
        }
        let text = String(cString: curl_easy_strerror(code))
        resume(
            throwing: TransportError(
                code: kind,
                message: isTooLarge
                    ? "the answer has more than \(request.bodyBytesMax) bytes" : text,
                mayHaveArrived: response.sendCount > 0
            )
        )
    }

    func addHeader(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        headerBytes += line.count
        guard headerBytes <= 256 << 10 else {
            isTooLarge = true
            return false
        }
        // The empty line: a server may hold back the body until it knows that we have the head.
        if line.count <= 2 { sockets?.acknowledge(localPort: localPort) }
        let text = String(decoding: line, as: UTF8.self)
        if text.hasPrefix("HTTP/") {
            // A final answer follows an interim one.
            response.headers = []
            response.status = Int(text.dropFirst(9).prefix(3)) ?? 0
            return true
        }
        guard let colon = text.firstIndex(of: ":") else { return true }
        let name = text[..<colon].lowercased()
        let value = trimmed(text[text.index(after: colon)...])
        response.headers.append((name, value))
        if name == "content-length", request.method != "HEAD", let count = Int(value), count > 0 {
            // Room for what is announced, but no more than a liar could make us waste.
            response.body.reserveCapacity(min(count, request.bodyBytesMax, 64 << 20))
        }
        return true
    }

    func addBody(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        if let receive = request.receive, response.status == 200 { return receive(bytes) }
        if request.ignoresBody { return true }
        guard bytes.count <= request.bodyBytesMax - response.body.count else {
            isTooLarge = true
            return false
        }
        response.body.append(contentsOf: bytes)
        return true
    }

    func nextBody(into target: UnsafeMutableRawBufferPointer) -> Int {
        guard let body = request.body else { return 0 }
        let count = min(target.count, body.count - sentBytes)
        guard count > 0 else { return 0 }
        body.withUnsafeBytes { bytes in
            target.copyMemory(
                from: UnsafeRawBufferPointer(rebasing: bytes[sentBytes...].prefix(count))
            )
        }
        sentBytes += count
        return count
    }

    func seekBody(to offset: Int) -> Bool {
        guard let body = request.body, (0...body.count).contains(offset) else { return false }
        sentBytes = offset
        return true
    }

    /// Called before every sending, the one that libcurl repeats by itself too.
    func countSend(localPort: Int) {
        self.localPort = localPort
        response.sendCount += 1
        // Every sending begins with the body's first byte, whatever libcurl has read of it before.
        sentBytes = 0
        response.body.removeAll(keepingCapacity: true)
    }
}

private func trimmed(_ text: Substring) -> String {
    var bytes = text.utf8[...]
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 13 || byte == 10 }
    while let first = bytes.first, isBlank(first) { bytes.removeFirst() }
    while let last = bytes.last, isBlank(last) { bytes.removeLast() }
    return String(Substring(bytes))
}

// What libcurl calls on its thread; the context is the transfer, which `live` keeps alive.

private func transfer(_ context: UnsafeMutableRawPointer?) -> CurlTransfer? {
    context.map { Unmanaged<CurlTransfer>.fromOpaque($0).takeUnretainedValue() }
}

private func received(
    _ data: UnsafeMutablePointer<CChar>?,
    _ count: Int
) -> UnsafeBufferPointer<UInt8> {
    let start = data.map { UnsafeRawPointer($0).assumingMemoryBound(to: UInt8.self) }
    return UnsafeBufferPointer(start: start, count: start == nil ? 0 : count)
}

private let receiveHeader: ccurl_data_function = { data, size, count, context in
    let line = received(data, size * count)
    return transfer(context)?.addHeader(line) == true ? size * count : 0
}

private let receiveBody: ccurl_data_function = { data, size, count, context in
    let bytes = received(data, size * count)
    // Any other number than that offered ends the transfer, also when that is 0.
    return transfer(context)?.addBody(bytes) == true ? size * count : size * count &+ 1
}

private let sendBody: ccurl_data_function = { data, size, count, context in
    let target = UnsafeMutableRawBufferPointer(start: data, count: data == nil ? 0 : size * count)
    return transfer(context)?.nextBody(into: target) ?? 0
}

private let seekInBody: ccurl_seek_function = { context, offset, origin in
    guard origin == SEEK_SET, transfer(context)?.seekBody(to: Int(offset)) == true else {
        return CURL_SEEKFUNC_CANTSEEK
    }
    return CURL_SEEKFUNC_OK
}

private let countRequest: ccurl_before_request_function = { context, _, _, _, port in
    transfer(context)?.countSend(localPort: Int(port))
    return CURL_PREREQFUNC_OK
}

// The context of these is the sockets' owner.

private func sockets(_ context: UnsafeMutableRawPointer?) -> ConnectionSockets? {
    context.map { Unmanaged<ConnectionSockets>.fromOpaque($0).takeUnretainedValue() }
}

private let openSocket: ccurl_open_socket_function = { context, _, address in
    guard let address, let sockets = sockets(context) else { return -1 }
    return sockets.open(address.pointee)
}

private let closeSocket: ccurl_close_socket_function = { context, socket in
    sockets(context)?.close(socket) ?? close(socket)
}
