import HTTPTypes
import HummingbirdCore
import NIOCore

/// The way back to one request's client: a whole reply, or a head and then pieces.
final class ResponseChannel: @unchecked Sendable {
    // Sendable because one request's handling owns it and makes one call after the other.
    private enum State: ~Copyable {
        case waiting(ResponseWriter)
        case streaming(any ResponseBodyWriter)
        case finished
    }

    private var state: State
    /// On every response of this request.
    private let headers: HTTPFields
    private let isHead: Bool
    private(set) var status: Int?
    private(set) var byteCount = 0
    /// Whether the body comes in pieces.
    private(set) var isStreamed = false

    init(_ writer: consuming ResponseWriter, headers: HTTPFields, isHead: Bool) {
        state = .waiting(writer)
        self.headers = headers
        self.isHead = isHead
    }

    /// Whether a head was sent, after which no other status can be told.
    var hasStarted: Bool { status != nil }

    /// What the request turned out to do, where its route alone does not say.
    var effect: RequestEffect?

    private func takeState() -> State {
        var taken = State.finished
        swap(&taken, &state)
        return taken
    }

    private func head(_ status: Int, _ fields: HTTPFields) -> HTTPResponse {
        var all = headers
        for field in fields { all[field.name] = field.value }
        return HTTPResponse(status: HTTPResponse.Status(code: status), headerFields: all)
    }

    /// Sends a whole reply; nothing when one was begun already.
    func send(_ reply: Reply) async throws {
        switch takeState() {
        case .waiting(let writer):
            status = reply.status
            var fields = reply.headers
            // These have no body, and must not claim a length.
            let isBodyless = reply.status == 204 || reply.status == 304
            if !isBodyless { fields[.contentLength] = String(reply.body.count) }
            let response = head(reply.status, fields)
            if isHead || isBodyless || reply.body.isEmpty {
                try await writer.writeResponse(response)
            } else {
                byteCount = reply.body.count
                try await writer.write(
                    response: response,
                    body: ResponseBody(byteBuffer: ByteBuffer(bytes: reply.body))
                )
            }
        case .streaming(let writer): state = .streaming(writer)
        case .finished: break
        }
    }

    /// Tells a client that waits with its body to send it.
    func continueBody(_ headers: HTTPFields) async throws {
        guard headers[.expect]?.lowercased() == "100-continue" else { return }
        switch takeState() {
        case .waiting(let writer):
            try await writer.writeInformationalHead(HTTPResponse(status: .continue))
            state = .waiting(writer)
        case .streaming(let writer): state = .streaming(writer)
        case .finished: break
        }
    }

    /// Sends the head of a body that comes in pieces.
    func begin(status: Int, headers fields: HTTPFields) async throws {
        switch takeState() {
        case .waiting(let writer):
            self.status = status
            isStreamed = true
            state = .streaming(try await writer.writeHead(head(status, fields)))
        case .streaming(let writer): state = .streaming(writer)
        case .finished: break
        }
    }

    /// Sends a piece; waits while the client is slow.
    ///
    /// - Throws: when the client is gone.
    func write(_ bytes: [UInt8]) async throws {
        guard !bytes.isEmpty else { return }
        switch takeState() {
        case .streaming(var writer):
            byteCount += bytes.count
            try await writer.write(ByteBuffer(bytes: bytes))
            state = .streaming(writer)
        case .waiting(let writer): state = .waiting(writer)
        case .finished: break
        }
    }

    /// Ends the body; without this call the client sees that it was cut off.
    func finish() async throws {
        switch takeState() {
        case .streaming(let writer): try await writer.finish(nil)
        case .waiting(let writer): state = .waiting(writer)
        case .finished: break
        }
    }
}
