import NIOCore
import Synchronization

/// Knows when the client of a connection has gone away, while a request of it is being answered.
///
/// One is in the pipeline of every connection. Watching takes nothing off the connection, so that the next
/// request on it is not lost.
final class ConnectionWatch: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = Any

    private struct State {
        var isClosed = false
        var onClose: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// That of a connection; nil when it has none any more.
    static func of(_ channel: any Channel) async -> ConnectionWatch? {
        try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: ConnectionWatch.self)
        }.get()
    }

    func channelInactive(context: ChannelHandlerContext) {
        close()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A client that sends no more has gone: HTTP clients do not close one half.
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { close() }
        context.fireUserInboundEventTriggered(event)
    }

    private func close() {
        let onClose = state.withLock { state in
            state.isClosed = true
            defer { state.onClose = nil }
            return state.onClose
        }
        onClose?()
    }

    /// Runs something that is cancelled when the client goes away.
    ///
    /// Requests of a connection are answered one after the other, so at most one watches.
    func cancellingOnClose<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let task = Task { try await body() }
        let isClosed = state.withLock { state in
            if !state.isClosed { state.onClose = { task.cancel() } }
            return state.isClosed
        }
        if isClosed { task.cancel() }
        defer { state.withLock { $0.onClose = nil } }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
