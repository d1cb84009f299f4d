import ObjectStorage
import Synchronization
import Testing

@Suite("StreamingClient")
struct StreamingClientTests {
    /// What was received, as one.
    private final class Received: Sendable {
        private let bytes = Mutex<[UInt8]>([])
        var all: [UInt8] { bytes.withLock { $0 } }
        func add(_ piece: UnsafeBufferPointer<UInt8>) { bytes.withLock { $0 += piece } }
    }

    private func post(
        to server: LoopbackServer,
        _ receive: @escaping @Sendable (UnsafeBufferPointer<UInt8>) -> Bool
    ) async throws -> StreamingClient.Answer {
        try await StreamingClient().post(
            "http://127.0.0.1:\(server.port)/varve/v1/query",
            headers: [("authorization", "Bearer secret")],
            body: Array("{}".utf8),
            receive: receive
        )
    }

    @Test("A body of status 200 goes to the receiver and nowhere else")
    func streams() async throws {
        let body = [UInt8](repeating: 7, count: 5_000_000)
        let server = try LoopbackServer { request in
            let isRight =
                request.method == "POST" && request.body == Array("{}".utf8)
                && request.headers["authorization"] == "Bearer secret"
            return .answer(status: isRight ? 200 : 400, body: body)
        }
        let received = Received()
        let answer = try await post(to: server) {
            received.add($0)
            return true
        }
        #expect(answer.status == 200 && answer.body.isEmpty)
        #expect(received.all == body)
    }

    @Test("A body of another status is kept and not handed on")
    func refusals() async throws {
        let server = try LoopbackServer { _ in .answer(status: 404, body: Array("gone".utf8)) }
        let received = Received()
        let answer = try await post(to: server) {
            received.add($0)
            return true
        }
        #expect(answer.status == 404 && answer.body == Array("gone".utf8))
        #expect(received.all.isEmpty)
    }

    @Test("A body that is cut off is an error")
    func cutOff() async throws {
        let server = try LoopbackServer { _ in .cutOff(announced: 100, body: [1, 2, 3]) }
        await #expect(throws: StreamingClient.Failure.self) {
            _ = try await post(to: server) { _ in true }
        }
    }

    @Test("A receiver that wants no more ends the transfer")
    func abandons() async throws {
        let server = try LoopbackServer { _ in
            .answer(status: 200, body: [UInt8](repeating: 1, count: 50_000_000))
        }
        await #expect(throws: StreamingClient.Failure.self) {
            _ = try await post(to: server) { _ in false }
        }
    }

    // The kernel puts acknowledgements off for at least 40 ms, once it has seen that we answer; then every
    // one of these would take so long, however quick the machine is. Slowness alone makes some take longer,
    // not all of two hundred.
    @Test("A body that is held back until its head is acknowledged comes at once")
    func acknowledges() async throws {
        let server = try LoopbackServer { _ in .answerInTwo(status: 200, body: [1, 2, 3]) }
        let client = StreamingClient()
        var isQuick = false
        for number in 0..<240 where !isQuick {
            let received = Received()
            let clock = ContinuousClock()
            let began = clock.now
            _ = try await client.post(
                "http://127.0.0.1:\(server.port)/",
                headers: [],
                body: Array("{}".utf8)
            ) {
                received.add($0)
                return true
            }
            #expect(received.all == [1, 2, 3])
            // A new connection is acknowledged promptly by itself.
            isQuick = number >= 40 && began.duration(to: clock.now) < .milliseconds(35)
        }
        #expect(isQuick)
        withExtendedLifetime(server) {}
    }
}
