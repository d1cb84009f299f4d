import Ambient
import Catalog

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

    /// All answers together.
    private static let bytesMax = 64 << 20
    /// A larger one would push out too many others.
    private static let answerBytesMax = 4 << 20
    private let answers = LeastRecentlyUsedCache<Key, Answer>(byteCountMax: bytesMax)

    func find(_ key: Key) -> Answer? { answers.find(key) }

    func remember(_ key: Key, _ answer: Answer) {
        guard answer.body.count <= Self.answerBytesMax else { return }
        // With what it takes besides, about.
        answers.insert(answer, for: key, byteCount: answer.body.count + 1024)
    }
}
