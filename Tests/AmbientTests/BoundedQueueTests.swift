import Ambient
import Testing

@Suite struct BoundedQueueTests {
    private struct Failure: Error {}

    @Test("everything comes out in order, and senders wait for room")
    func order() async throws {
        let queue = BoundedQueue<Int>(countMax: 2)
        async let sent: Void = WorkerPool.shared.run {
            for number in 0..<1000 { #expect(queue.send(number)) }
            queue.finish(.success(()))
        }
        var got: [Int] = []
        while let number = try await queue.next() { got.append(number) }
        try await sent
        #expect(got == Array(0..<1000))
        // The end stays the end.
        #expect(try await queue.next() == nil)
    }

    @Test("a failure comes behind what was sent before it, and only the first counts")
    func failure() async throws {
        let queue = BoundedQueue<Int>(countMax: 4)
        #expect(queue.send(1))
        queue.finish(.failure(Failure()))
        queue.finish(.success(()))
        #expect(try await queue.next() == 1)
        await #expect(throws: Failure.self) { try await queue.next() }
    }

    @Test("a sender that waits for room learns that the reader went away")
    func abandoned() async throws {
        let queue = BoundedQueue<Int>(countMax: 1)
        async let sent = WorkerPool.shared.run { () -> Int in
            var count = 0
            while queue.send(count) { count += 1 }
            return count
        }
        #expect(try await queue.next() == 0)
        queue.abandon()
        #expect(try await sent >= 1)
        #expect(queue.wasAbandoned)
        #expect(!queue.send(7))
    }

    @Test("a cancelled reader abandons the queue, and its end is no end of the elements")
    func cancelled() async throws {
        let queue = BoundedQueue<Int>(countMax: 1)
        let reader = Task { try await queue.next() }
        reader.cancel()
        // Whether the reader waits already or has not begun: what comes now is not for it.
        _ = queue.send(1)
        queue.finish(.success(()))
        await #expect(throws: CancellationError.self) { try await reader.value }
    }
}
