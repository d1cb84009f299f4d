import Bytes
import HTTPTypes
import HummingbirdCore
import NIOCore

/// A request that found its route.
struct ServerRequest: Sendable {
    /// The client's own, or made here; in every log line about the request and in the response.
    let id: String
    let method: HTTPRequest.Method
    let target: RequestTarget
    let headers: HTTPFields
    /// The variable parts of the path, by the names in the route's template.
    let captures: [String: String]
    /// The branch, tag or position of the catalog that the path's prefix names; nil for `main`, now.
    let catalogName: String?
    /// Who asks; the actor of commits.
    let principal: String
    let body: RequestBody
    let bodyBytesMax: Int
    /// What makes a retry of this request safe; nil when it changes nothing or has no key.
    let retry: RequestRetry?
    /// For routes that answer piece by piece.
    let channel: ResponseChannel
    /// The connection that it came on.
    let connection: any Channel

    /// Runs something that is cancelled when the client goes away.
    func cancellingWhenClientLeaves(
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        guard let watch = await ConnectionWatch.of(connection) else { throw CancellationError() }
        try await watch.cancellingOnClose(body)
    }

    /// A variable part of the path, never empty.
    ///
    /// - Throws: `badRequest`.
    func capture(_ name: String) throws(ServerError) -> String {
        guard let value = captures[name], !value.isEmpty else {
            throw ServerError(.badRequest, "the path has an empty part where the \(name) belongs")
        }
        return value
    }

    /// The whole body.
    ///
    /// - Throws: `bodyTooLarge`; when the client goes away; `RepeatedReply` when a request with this key
    ///   was refused before.
    func bytes() async throws -> [UInt8] {
        let bytes = try await collect(body, bytesMax: bodyBytesMax)
        try await retry?.check(body: bytes)
        return bytes
    }

    /// The body as a JSON object.
    ///
    /// - Throws: `badRequest`, `bodyTooLarge`.
    func object() async throws -> RequestFields {
        try RequestFields(parsing: try await bytes(), "the body")
    }
}

/// Everything that a body holds.
///
/// - Throws: `bodyTooLarge` as soon as it is.
func collect(_ body: RequestBody, bytesMax: Int) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    for try await buffer in body {
        guard buffer.readableBytes <= bytesMax - bytes.count else {
            throw ServerError(.bodyTooLarge, "the body is larger than \(bytesMax) bytes")
        }
        bytes.append(contentsOf: buffer.readableBytesView)
    }
    return bytes
}

/// Members of a JSON object in a request, with errors that name what is wrong.
struct RequestFields: Sendable {
    let object: JSONObject
    private let place: String

    /// - Throws: `badRequest` for what is not one JSON object.
    init(parsing bytes: [UInt8], _ place: String) throws(ServerError) {
        let json: JSON
        do throws(BytesError) {
            json = try JSON.parse(bytes)
        } catch {
            throw ServerError(.badRequest, "\(place) is no JSON: \(error)")
        }
        try self.init(json, place)
    }

    /// - Throws: `badRequest` for what is no object.
    init(_ json: JSON, _ place: String) throws(ServerError) {
        guard let object = json.object else {
            throw ServerError(.badRequest, "\(place) must be a JSON object")
        }
        self.object = object
        self.place = place
    }

    /// A member; nil when it is missing or null.
    subscript(name: String) -> JSON? {
        guard let value = object[name], !value.isNull else { return nil }
        return value
    }

    func wrong(_ name: String, _ expected: String) -> ServerError {
        ServerError(.badRequest, "\(place): \"\(name)\" must be \(expected)")
    }

    func required(_ name: String) throws(ServerError) -> JSON {
        guard let value = self[name] else { throw wrong(name, "given") }
        return value
    }

    func optionalString(_ name: String) throws(ServerError) -> String? {
        guard let value = self[name] else { return nil }
        guard let text = value.string else { throw wrong(name, "a string") }
        return text
    }

    func string(_ name: String) throws(ServerError) -> String {
        guard let text = try optionalString(name) else { throw wrong(name, "a string") }
        return text
    }

    func flag(_ name: String) throws(ServerError) -> Bool {
        guard let value = self[name] else { return false }
        guard let flag = value.bool else { throw wrong(name, "true or false") }
        return flag
    }

    func strings(_ name: String) throws(ServerError) -> [String]? {
        guard let value = self[name] else { return nil }
        guard let array = value.array else { throw wrong(name, "an array of strings") }
        let texts = array.compactMap(\.string)
        guard texts.count == array.count else { throw wrong(name, "an array of strings") }
        return texts
    }

    /// An object of strings; empty when it is missing.
    func stringMap(_ name: String) throws(ServerError) -> [String: String] {
        guard let value = self[name] else { return [:] }
        guard let object = value.object else { throw wrong(name, "an object of strings") }
        var map: [String: String] = [:]
        for member in object.members {
            guard let text = member.value.string else { throw wrong(name, "an object of strings") }
            map[member.key] = text
        }
        return map
    }

    func fields(_ name: String) throws(ServerError) -> RequestFields {
        try RequestFields(try required(name), "\(place): \"\(name)\"")
    }

    func array(_ name: String) throws(ServerError) -> [JSON] {
        guard let array = try required(name).array else { throw wrong(name, "an array") }
        return array
    }
}
