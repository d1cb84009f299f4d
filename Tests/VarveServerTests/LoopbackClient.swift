import Ambient
import Bytes
import Glibc

/// What a server sent back over one connection.
struct HTTPAnswer: Sendable {
    var status: Int
    /// By lower-case names.
    var headers: [String: String]
    var body: [UInt8]
    /// Whether the body ended as it said it would.
    var isComplete: Bool

    var text: String { String(decoding: body, as: UTF8.self) }

    var json: JSON { get throws { try JSON.parse(body) } }

    /// The `type` of an error in Iceberg's model.
    var errorType: String? { try? json["error"]?["type"]?.string }
}

/// A connection to a server on this machine, with the bytes in the test's hand.
///
/// Reads give up after 30 seconds, so that a server that hangs fails a test and does not hold it.
final class LoopbackConnection: @unchecked Sendable {
    // Sendable because tests make one call after the other.
    struct Failure: Error {
        var message: String
    }

    private let socket: Int32
    private var buffer: [UInt8] = []
    private var isClosed = false

    init(port: Int) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: 300, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Failure(message: "cannot connect: \(errno)") }
    }

    deinit { close() }

    func close() {
        if !isClosed { Glibc.close(socket) }
        isClosed = true
    }

    func send(_ bytes: [UInt8]) throws {
        var start = 0
        while start < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    socket,
                    $0.baseAddress.map { $0 + start },
                    $0.count - start,
                    Int32(MSG_NOSIGNAL)
                )
            }
            guard count > 0 else { throw Failure(message: "cannot send: \(errno)") }
            start += count
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// More bytes; false at the end or when the connection was reset.
    private func fill() -> Bool {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(socket, &piece, piece.count, 0)
        guard count > 0 else { return false }
        buffer += piece[..<count]
        return true
    }

    private func line() throws -> String {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                let line = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeSubrange(...end)
                return line.hasSuffix("\r") || line.hasSuffix("\r\n")
                    ? String(line.dropLast()) : line
            }
            guard fill() else { throw Failure(message: "the connection ended inside a line") }
        }
    }

    private func take(_ count: Int) -> [UInt8] {
        while buffer.count < count, fill() {}
        let taken = Array(buffer.prefix(count))
        buffer.removeFirst(taken.count)
        return taken
    }

    /// The next answer on this connection.
    func answer(toHead isHead: Bool = false) throws -> HTTPAnswer {
        let parts = try line().split(separator: " ")
        guard parts.count >= 2, let status = Int(parts[1]) else {
            throw Failure(message: "no status line")
        }
        var headers: [String: String] = [:]
        while true {
            let line = try line()
            if line.isEmpty { break }
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            headers[line[..<colon].lowercased()] = String(
                line[colon...].dropFirst().drop { $0 == " " }
            )
        }
        var answer = HTTPAnswer(status: status, headers: headers, body: [], isComplete: true)
        if isHead || status == 204 || status == 304 { return answer }
        if headers["transfer-encoding"] == "chunked" {
            while true {
                guard let size = try? line(), let count = Int(size, radix: 16) else {
                    answer.isComplete = false
                    return answer
                }
                let piece = take(count)
                answer.body += piece
                guard piece.count == count, (try? line()) != nil else {
                    answer.isComplete = false
                    return answer
                }
                if count == 0 { return answer }
            }
        }
        let count = headers["content-length"].flatMap { Int($0) } ?? 0
        answer.body = take(count)
        answer.isComplete = answer.body.count == count
        return answer
    }
}

/// Sends requests to one server.
struct LoopbackClient: Sendable {
    let port: Int
    var headers: [String: String] = [:]

    /// One request on a connection of its own.
    func send(
        _ method: String,
        _ path: String,
        _ body: [UInt8] = [],
        headers more: [String: String] = [:]
    ) async throws -> HTTPAnswer {
        var all = headers.merging(more) { $1 }
        all["Host"] = all["Host"] ?? "127.0.0.1:\(port)"
        all["Connection"] = "close"
        if !body.isEmpty || method == "POST" { all["Content-Length"] = String(body.count) }
        let head =
            "\(method) \(path) HTTP/1.1\r\n"
            + all.map { "\($0.key): \($0.value)\r\n" }.joined() + "\r\n"
        let port = port
        return try await WorkerPool.shared.run {
            let connection = try LoopbackConnection(port: port)
            try connection.send(Array(head.utf8) + body)
            return try connection.answer(toHead: method == "HEAD")
        }
    }

    func get(_ path: String, headers: [String: String] = [:]) async throws -> HTTPAnswer {
        try await send("GET", path, headers: headers)
    }

    func post(
        _ path: String,
        _ json: JSON,
        headers: [String: String] = [:]
    ) async throws -> HTTPAnswer {
        try await send("POST", path, json.serialized(), headers: headers)
    }

    func query(
        _ sql: String,
        accept: String = "application/json",
        _ members: JSONObject = JSONObject()
    ) async throws -> HTTPAnswer {
        var body: JSONObject = ["sql": .string(sql)]
        for member in members.members { body[member.key] = member.value }
        return try await post("/varve/v1/query", .object(body), headers: ["Accept": accept])
    }
}
