import Catalog
import Synchronization

/// Answers to loads of tables, as they were sent: a metadata file never changes, so neither does what is
/// made of it.
///
/// Which file is current, the log says anew for every request.
final class TableAnswers: Sendable {
    /// What an answer depends on.
    struct Key: Hashable, Sendable {
        /// Ways to its files may name the table.
        var table: TableIdentifier
        var metadataLocation: String
        var choice: SnapshotChoice
        /// Of the access that it carries.
        var mark: String
    }

    struct Answer: Sendable {
        var entityTag: String
        var body: [UInt8]
    }

    private struct State {
        var answers: [Key: (answer: Answer, lastUse: UInt64)] = [:]
        var byteCount = 0
        var useCount: UInt64 = 0
    }

    /// All answers together.
    private static let bytesMax = 64 << 20
    /// A larger one would push out too many others.
    private static let answerBytesMax = 4 << 20
    private let state = Mutex(State())

    func find(_ key: Key) -> Answer? {
        state.withLock { state in
            guard let place = state.answers.index(forKey: key) else { return nil }
            state.useCount &+= 1
            state.answers.values[place].lastUse = state.useCount
            return state.answers.values[place].answer
        }
    }

    func remember(_ key: Key, _ answer: Answer) {
        let byteCount = Self.size(answer)
        guard byteCount <= Self.answerBytesMax else { return }
        state.withLock { state in
            state.useCount &+= 1
            let old = state.answers.updateValue((answer, state.useCount), forKey: key)
            state.byteCount += byteCount - (old.map { Self.size($0.answer) } ?? 0)
            guard state.byteCount > Self.bytesMax else { return }
            // Down to three quarters at once, so that the sorting is paid for by many.
            for (key, one) in state.answers.sorted(by: { $0.value.lastUse < $1.value.lastUse }) {
                if state.byteCount <= Self.bytesMax / 4 * 3 { break }
                state.answers[key] = nil
                state.byteCount -= Self.size(one.answer)
            }
        }
    }

    /// With what it takes besides, about.
    private static func size(_ answer: Answer) -> Int { answer.body.count + 1024 }
}
