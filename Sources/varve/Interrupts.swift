import Glibc
import Synchronization

/// What Ctrl-C does: it calls whoever asked last, on a thread of its own.
///
/// The signal's handler only writes a byte to a pipe, which is all that a handler may do; a thread
/// that waits at the pipe's other end does the rest.
final class Interrupts: Sendable {
    static let shared = Interrupts()

    private let action = Mutex<(@Sendable () -> Void)?>(nil)

    private init() {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return }
        interruptPipe = ends[1]
        let reading = ends[0]
        var thread = pthread_t()
        let argument = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
        argument.initialize(to: reading)
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                let descriptor = argument.assumingMemoryBound(to: Int32.self).pointee
                var byte: UInt8 = 0
                while true {
                    let count = read(descriptor, &byte, 1)
                    if count < 0, errno == EINTR { continue }
                    if count != 1 { return nil }
                    Interrupts.shared.act()
                }
            },
            argument
        )
        guard code == 0 else { return }
        pthread_detach(thread)
        signal(SIGINT) { _ in
            var byte: UInt8 = 0
            _ = write(interruptPipe, &byte, 1)
        }
    }

    private func act() {
        action.withLock { $0 }?()
    }

    /// Sets what an interrupt does; nil lets it do nothing.
    func set(_ action: (@Sendable () -> Void)?) {
        self.action.withLock { $0 = action }
    }
}

/// Where the signal's handler writes; set once, before the handler is.
private nonisolated(unsafe) var interruptPipe: Int32 = -1

/// Runs `body` so that Ctrl-C cancels it; the process ends when that takes most of a second.
///
/// Nothing is lost by that: what was not committed is seen by nobody.
func cancelledByInterrupts<R: Sendable>(
    _ body: @escaping @Sendable () async throws -> R
) async throws -> R {
    let task = Task { try await body() }
    Interrupts.shared.set {
        task.cancel()
        usleep(800_000)
        Failure.report("cancelled")
        _exit(1)
    }
    defer { Interrupts.shared.set(nil) }
    return try await task.value
}
