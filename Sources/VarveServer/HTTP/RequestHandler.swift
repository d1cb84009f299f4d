import Ambient
import Bytes
import Engine
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore

/// What becomes of every request: find its route, let it in, run it in its time, tell its errors, log it.
struct RequestHandler: Sendable {
    let parts: ServerParts
    let routes: RouteTable

    /// What is known of a request when it ends.
    private struct Account {
        var template = "unmatched"
        var principal: String?
        var error: ErrorReply?
        var detail: String?
        var unsupportedIsBadRequest = false
    }

    /// Answers one request.
    ///
    /// - Throws: when the client is gone, or a streamed body fails half-way: the caller then closes the
    ///   connection, by which the client sees that the body is not complete.
    func handle(
        _ request: Request,
        _ writer: consuming ResponseWriter,
        on connection: any Channel
    ) async throws {
        let began = parts.ambient.time.monotonicNanos()
        let id = requestID(request.headers)
        var headers = HTTPFields()
        headers[HTTPField.Name.requestID] = id
        headers[.date] = parts.date.text(micros: parts.ambient.time.nowMicros())
        let channel = ResponseChannel(writer, headers: headers, isHead: request.method == .head)
        parts.metrics.requestBegan()
        var account = Account()
        var failure: (any Error)?
        do {
            try await answer(request, id, channel, connection, &account)
        } catch {
            failure = error
        }
        // The pieces were handed to the event loop from the pool, and wait for their turn there. What the connection does
        // next it does on the loop, at once: closing would come before them.
        if channel.isStreamed { await turn(of: connection.eventLoop) }
        let nanos = parts.ambient.time.monotonicNanos() - began
        log(request, id, channel, account, failure, nanos)
        parts.metrics.requestEnded(
            route: account.template,
            method: request.method.rawValue,
            status: channel.status ?? 0,
            seconds: Double(nanos) / 1e9
        )
        if let failure { throw failure }
    }

    private func answer(
        _ request: Request,
        _ id: String,
        _ channel: ResponseChannel,
        _ connection: any Channel,
        _ account: inout Account
    ) async throws {
        var retry: RequestRetry?
        var mapping = ErrorMapping(effect: request.method == .get ? .read : .change)
        var allowed = ""
        do {
            var target = try RequestTarget(request.head.path ?? "")
            let catalogName = try target.takeCatalogName(
                warehouses: parts.clientConfiguration.names
            )
            let (route, captures) = try find(request.method, target, allowed: &allowed)
            account.template = route.template
            account.unsupportedIsBadRequest = route.unsupportedIsBadRequest
            mapping = ErrorMapping(
                effect: route.effect,
                namespaceMeansTable: route.namespaceMeansTable
            )
            if !route.isOpen {
                account.principal = try authenticate(request)
            }
            try checkLength(request.headers, route)
            guard parts.gate.enter(route.weight) else {
                parts.metrics.rejected(reason: "busy")
                throw ServerError(.tooManyRequests, "the server is busy; try again in a moment")
            }
            defer { parts.gate.leave(route.weight) }
            retry = try RequestRetry(request, route, account.principal ?? "anonymous", parts)
            // What has no body is known by now.
            if request.method == .delete { try await retry?.check(body: []) }
            let prepared = ServerRequest(
                id: id,
                method: request.method,
                target: target,
                headers: request.headers,
                captures: captures,
                catalogName: catalogName,
                principal: account.principal ?? "anonymous",
                body: request.body,
                bodyBytesMax: bodyBytesMax(route),
                retry: retry,
                channel: channel,
                connection: connection
            )
            // Routes that take rows may have something to say before they come.
            if !route.takesRows { try await channel.continueBody(request.headers) }
            let reply = try await run(route, prepared)
            if let reply { try await channel.send(reply) }
        } catch {
            // Once a body has begun there is no other status to tell: it must end as what it is, cut off.
            if channel.hasStarted { throw error }
            // Routes that know better what they were about say so.
            var told = error
            if let placed = error as? PlacedError {
                told = placed.error
            }
            if let effect = channel.effect { mapping.effect = effect }
            var reply = mapping.reply(to: told)
            if account.unsupportedIsBadRequest, reply.status == 406 { reply.status = 400 }
            if let placed = error as? PlacedError {
                reply.statement = placed.statement
                for member in placed.details.members { reply.details[member.key] = member.value }
                placed.hideSpool(in: &reply)
            }
            if !(told is RepeatedReply) { retry?.remember(reply) }
            account.error = reply
            if reply.isServersFault { account.detail = "\(told)" }
            var whole = Reply.error(reply)
            if reply.status == 405 { whole.headers[.allow] = allowed }
            // What is left of a body that was too large is not worth reading.
            if reply.status == 413 || parts.leavesBodyUnread(account.template) {
                whole.headers[.connection] = "close"
            }
            try await channel.send(whole)
        }
    }

    /// What a route answers, in the time that it has, on the pool unless it is quick.
    private func run(_ route: Route, _ request: ServerRequest) async throws -> Reply? {
        let limits = parts.configuration.limits
        let seconds: Int
        switch route.weight {
        case .stream: return try await onPool { try await route.handler(request) }
        case .query: seconds = limits.queryTimeoutSeconds
        case .probe, .request: seconds = limits.requestTimeoutSeconds
        }
        return try await parts.deadlines.limit(
            seconds: seconds,
            on: route.isQuick ? nil : globalConcurrentExecutor
        ) { try await route.handler(request) }
    }

    private func find(
        _ method: HTTPRequest.Method,
        _ target: RequestTarget,
        allowed: inout String
    ) throws(ServerError) -> (Route, [String: String]) {
        switch routes.match(method, target.segments) {
        case .route(let route, let captures): return (route, captures)
        case .otherMethods(let methods):
            allowed = methods.joined(separator: ", ")
            throw ServerError(.methodNotAllowed, "this path takes \(allowed)")
        case .none: throw ServerError(.noRoute, "there is no such path here")
        }
    }

    private func authenticate(_ request: Request) throws(ServerError) -> String {
        do throws(ServerError) {
            return try parts.authenticator.principal(
                of: request.headers,
                authority: request.head.authority
            )
        } catch {
            parts.metrics.rejected(reason: "unauthorized")
            throw error
        }
    }

    /// Refuses what says itself that it is too large, before any of it is read.
    private func checkLength(_ headers: HTTPFields, _ route: Route) throws(ServerError) {
        guard let text = headers[.contentLength], let length = Int(text) else { return }
        let limit = bodyBytesMax(route)
        if length > limit {
            let name = route.takesRows ? "upload_bytes_max" : "body_bytes_max"
            throw ServerError(.bodyTooLarge, "the body is larger than \(limit) bytes (\(name))")
        }
    }

    private func bodyBytesMax(_ route: Route) -> Int {
        let limits = parts.configuration.limits
        return route.takesRows ? limits.uploadBytesMax : limits.bodyBytesMax
    }

    /// The client's id when it is a harmless one; else a new one.
    private func requestID(_ headers: HTTPFields) -> String {
        if let given = headers[HTTPField.Name.requestID], (1...128).contains(given.utf8.count),
            given.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C })
        {
            return given
        }
        return parts.ambient.uuidV7()
    }

    private func log(
        _ request: Request,
        _ id: String,
        _ channel: ResponseChannel,
        _ account: Account,
        _ failure: (any Error)?,
        _ nanos: Int64
    ) {
        var fields: Logger.Metadata = [
            "request_id": "\(id)", "method": "\(request.method.rawValue)",
            "route": "\(account.template)", "status": "\(channel.status ?? 0)",
            "duration_ms": "\(Double(nanos / 1000) / 1000)", "bytes": "\(channel.byteCount)",
        ]
        if let principal = account.principal { fields["principal"] = "\(principal)" }
        if let error = account.error { fields["error"] = "\(error.type)" }
        if let detail = account.detail { fields["detail"] = "\(detail)" }
        if let failure { fields["cut_off"] = "\(type(of: failure))" }
        let isServersFault = account.error?.isServersFault == true
        parts.logger.log(level: isServersFault ? .error : .info, "request", metadata: fields)
    }
}

/// An error of one of several statements.
struct PlacedError: Error {
    var error: any Error
    /// The number of the statement that failed, from 1, where there are several: those before it are done.
    var statement: Int?
    /// What else the answer says.
    var details = JSONObject()
    /// The file that the body was kept in, which is nobody's business.
    var spoolPath: String?

    /// Speaks of the body where an error speaks of the file it was kept in; what is wrong with that is the
    /// client's to mend.
    fileprivate func hideSpool(in reply: inout ErrorReply) {
        guard let spoolPath else { return }
        let names = [
            "file:///" + spoolPath, "file://" + spoolPath, spoolPath, String(spoolPath.dropFirst()),
        ]
        for name in names where reply.message.contains(name) {
            reply.message = reply.message.replacing(name, with: "the body")
            reply.isServersFault = false
        }
    }
}
