import Ambient
import Kernels

/// Frees what queries leave behind that nobody wanted any more, on a thread of its own.
///
/// Gigabytes of groups or rows, in buffers by the ten thousand, take up to a second to be given back to the
/// system. Workers that stop are to be free for others before that. What is left behind still counts as used
/// memory until it is freed, for whoever counts it is freed with it.
enum Leftovers {
    private static let threads = WorkerPool(threadCountMax: 1)

    /// Keeps `things` beyond their last owner here, if the calling thread's query is not wanted any more.
    static func take(_ things: @autoclosure () -> [AnyObject]) {
        guard Interruption.isRaised else { return }
        let held = Held(things())
        Task.detached {
            // Refused or not, `held` goes.
            try? await threads.run { held.things = [] }
        }
    }

    /// `@unchecked Sendable`: the thread that frees the things is the only one to touch them.
    private final class Held: @unchecked Sendable {
        var things: [AnyObject]

        init(_ things: [AnyObject]) {
            self.things = things
        }
    }
}
