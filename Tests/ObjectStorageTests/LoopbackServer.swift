import Glibc
import Synchronization

/// A request as a test's own server sees it.
struct SeenRequest: Sendable {
    var method: String
    /// Path and query.
    var target: String
    /// Names in lower case.
    var headers: [String: String]
    var body: [UInt8]
}

/// What a test's own server does with a request.
enum ServerAction: Sendable {
    case answer(status: Int, headers: [(String, String)] = [], body: [UInt8] = [])
    /// Answers, and then closes the connection although it said nothing of that.
    case answerAndClose(status: Int, headers: [(String, String)] = [], body: [UInt8] = [])
    /// Sends the head and the body one after the other, as a server does that has not heard of Nagle.
    case answerInTwo(status: Int, body: [UInt8])
    /// Announces a body and sends only a part of it.
    case cutOff(announced: Int, body: [UInt8])
    /// Closes the connection by a reset.
    case reset
    /// Never answers; the connection stays open until the other side ends it.
    case stall
    /// Sends bytes that are no HTTP.
    case raw([UInt8])
}

/// A small HTTP/1.1 server on this machine that misbehaves when a test says so.
///
/// `@unchecked Sendable`: the listening socket never changes; connections are threads of their own.
final class LoopbackServer: @unchecked Sendable {
    struct Failure: Error { var number: Int32 }

    let port: UInt16
    private let listener: Int32
    private let handler: @Sendable (SeenRequest) -> ServerAction

    init(_ handler: @escaping @Sendable (SeenRequest) -> ServerAction) throws {
        (listener, port) = try Self.listen()
        self.handler = handler
        start { [listener, handler] in
            while true {
                let socket = accept(listener, nil, nil)
                // A child process that got this socket would keep the connection open.
                _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
                guard socket >= 0 else { return }
                start { serve(socket, handler) }
            }
        }
    }

    deinit {
        // Ends `accept` in the other thread.
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// A listening socket on a port that nobody else has.
    static func listen() throws -> (socket: Int32, port: UInt16) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | 0o2000000, 0)
        guard listener >= 0 else { throw Failure(number: errno) }
        var address = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, length) == 0 && Glibc.listen(listener, 64) == 0
                    && getsockname(listener, pointer, &length) == 0
            }
        }
        guard code else { throw Failure(number: errno) }
        return (listener, UInt16(bigEndian: address.sin_port))
    }

    static func canConnect(port: UInt16) -> Bool {
        let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(probe) }
        var address = loopback(port: port)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                connect(probe, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

private final class Body: @unchecked Sendable {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}

private func start(_ run: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let body = Unmanaged.passRetained(Body(run))
    let code = pthread_create(
        &thread,
        nil,
        { argument in
            guard let argument else { return nil }
            Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
            return nil
        },
        body.toOpaque()
    )
    if code == 0 { pthread_detach(thread) } else { body.release() }
}

private func serve(_ socket: Int32, _ handler: @Sendable (SeenRequest) -> ServerAction) {
    defer { close(socket) }
    var buffer: [UInt8] = []
    while let request = readRequest(socket, &buffer) {
        switch handler(request) {
        case .answer(let status, let headers, let body):
            guard send(socket, response(status, headers, body, request)) else { return }
        case .answerAndClose(let status, let headers, let body):
            _ = send(socket, response(status, headers, body, request))
            return
        case .answerInTwo(let status, let body):
            let head = "HTTP/1.1 \(status) X\r\ncontent-length: \(body.count)\r\n\r\n"
            guard send(socket, Array(head.utf8)), send(socket, body) else { return }
        case .cutOff(let announced, let body):
            let head = "HTTP/1.1 200 OK\r\ncontent-length: \(announced)\r\n\r\n"
            _ = send(socket, Array(head.utf8) + body)
            return
        case .reset:
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(
                socket,
                SOL_SOCKET,
                SO_LINGER,
                &option,
                socklen_t(MemoryLayout<linger>.size)
            )
            return
        case .stall:
            var byte: UInt8 = 0
            while recv(socket, &byte, 1, 0) > 0 {}
            return
        case .raw(let bytes):
            _ = send(socket, bytes)
            return
        }
    }
}

private func response(
    _ status: Int,
    _ headers: [(String, String)],
    _ body: [UInt8],
    _ request: SeenRequest
) -> [UInt8] {
    var head = "HTTP/1.1 \(status) X\r\n"
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    if !headers.contains(where: { $0.0 == "content-length" }) {
        head += "content-length: \(body.count)\r\n"
    }
    return Array("\(head)\r\n".utf8) + (request.method == "HEAD" ? [] : body)
}

private func send(_ socket: Int32, _ bytes: [UInt8]) -> Bool {
    var done = 0
    while done < bytes.count {
        let count = bytes.withUnsafeBytes { buffer in
            Glibc.send(
                socket,
                buffer.baseAddress.map { $0 + done },
                buffer.count - done,
                Int32(MSG_NOSIGNAL)
            )
        }
        guard count > 0 else { return false }
        done += count
    }
    return true
}

private func readRequest(_ socket: Int32, _ buffer: inout [UInt8]) -> SeenRequest? {
    func receive() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(socket, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        buffer += chunk[..<count]
        return true
    }
    var headEnd: Int?
    while headEnd == nil {
        headEnd = buffer.indices.first { index in
            buffer[index...].starts(with: [13, 10, 13, 10])
        }
        if headEnd == nil && !receive() { return nil }
    }
    guard let headEnd else { return nil }
    let lines = String(decoding: buffer[..<headEnd], as: UTF8.self).split(separator: "\r\n")
    let words = (lines.first ?? "").split(separator: " ")
    guard words.count == 3 else { return nil }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
        guard let colon = line.firstIndex(of: ":") else { continue }
        headers[line[..<colon].lowercased()] = String(
            line[line.index(after: colon)...].drop { $0 == " " }
        )
    }
    let length = headers["content-length"].flatMap { Int($0) } ?? 0
    while buffer.count < headEnd + 4 + length {
        guard receive() else { return nil }
    }
    let body = Array(buffer[headEnd + 4..<headEnd + 4 + length])
    buffer = Array(buffer[(headEnd + 4 + length)...])
    return SeenRequest(
        method: String(words[0]),
        target: String(words[1]),
        headers: headers,
        body: body
    )
}
