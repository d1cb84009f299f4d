import Bytes
import HTTPTypes

extension HTTPField.Name {
    /// Names a request in logs, on both sides.
    static let requestID = Self("X-Request-ID")
    /// Names a change, so that a retry does not make it twice.
    static let idempotencyKey = Self("Idempotency-Key")
}

extension HTTPFields {
    /// A field whose name is not among the library's own.
    subscript(name: HTTPField.Name?) -> String? {
        get { name.flatMap { self[$0] } }
        set { if let name { self[name] = newValue } }
    }
}

/// A whole response.
struct Reply: Sendable {
    var status: Int
    var headers = HTTPFields()
    var body: [UInt8] = []

    init(status: Int) {
        self.status = status
    }

    /// A JSON document.
    static func json(_ json: JSON, status: Int = 200) -> Reply {
        .json(json.serialized(), status: status)
    }

    /// JSON that has been written already.
    static func json(_ text: [UInt8], status: Int = 200) -> Reply {
        var reply = Reply(status: status)
        reply.headers[.contentType] = "application/json"
        reply.body = text
        return reply
    }

    /// Text for people and probes.
    static func text(_ text: String, type: String = "text/plain; charset=utf-8") -> Reply {
        var reply = Reply(status: 200)
        reply.headers[.contentType] = type
        reply.body = Array(text.utf8)
        return reply
    }

    /// Done, and nothing to say.
    static var noContent: Reply { Reply(status: 204) }

    /// An error in Iceberg's model.
    static func error(_ error: ErrorReply) -> Reply {
        var reply = Reply.json(error.json, status: error.status)
        if let seconds = error.retryAfterSeconds { reply.headers[.retryAfter] = String(seconds) }
        if error.status == 401 { reply.headers[.wwwAuthenticate] = "Bearer" }
        return reply
    }
}
