import Parquet
import Synchronization

/// The read contexts of a scan: one for each morsel that is open, used again by later ones, so that
/// their memory for pages is not got anew for each row group.
///
/// `@unchecked Sendable`: a context is in the hands of one morsel, hence one thread, or in `spare`.
final class ReadContexts: @unchecked Sendable {
    private struct Spare: @unchecked Sendable {
        var contexts: [ParquetReadContext] = []
    }

    private let spare = Mutex(Spare())

    func take() -> ParquetReadContext {
        spare.withLock { $0.contexts.popLast() } ?? ParquetReadContext()
    }

    func giveBack(_ context: ParquetReadContext) {
        spare.withLock { $0.contexts.append(context) }
    }
}
