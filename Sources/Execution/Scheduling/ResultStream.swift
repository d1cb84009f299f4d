import Ambient
package import Columnar
import Kernels
import Synchronization

/// Batches of a result on their way from query threads to whoever asked.
///
/// A slow reader stops the producers when the queue is full; a reader that went away makes `send`
/// give false, which ends the query within a batch.
package final class ResultStream: Sendable {
    private let queue: BoundedQueue<Chunk>
    /// Raised when the reader wants no more.
    let interruption = StopFlag()
    package let schema: Schema
    private let zone = Mutex("UTC")

    /// The zone by whose clocks whoever shows the rows shows instants.
    package var timeZone: String {
        get { zone.withLock { $0 } }
        set { zone.withLock { $0 = newValue } }
    }

    init(schema: Schema, queueCountMax: Int = 16) {
        self.schema = schema
        queue = BoundedQueue(countMax: queueCountMax)
    }

    /// Hands a batch to the reader, waiting for room on the calling thread.
    ///
    /// - Returns: whether more is wanted.
    func send(_ chunk: Chunk) -> Bool {
        chunk.rowCount == 0 ? !wasAbandoned : queue.send(chunk)
    }

    /// No more batches: the query is done or failed.
    func finish(_ result: Result<Void, any Error>) { queue.finish(result) }

    /// The reader wants no more.
    func abandon() {
        // In this order: what workers leave half made when they see the flag finds the queue closed.
        queue.abandon()
        interruption.set()
    }

    package var wasAbandoned: Bool { interruption.isSet }

    /// The next batch; nil after the last one.
    ///
    /// One reader at a time.
    package func next() async throws -> RecordBatch? {
        // The queue ends by itself, too, but the workers are to learn of it at once.
        try await withTaskCancellationHandler {
            try await queue.next().map {
                RecordBatch(schema: schema, columns: $0.columns, rowCount: $0.rowCount)
            }
        } onCancel: {
            abandon()
        }
    }
}
