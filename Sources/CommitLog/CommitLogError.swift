/// Why the log could not be read or written.
///
/// Stores' own errors (`ObjectStoreError`) and `CancellationError` pass through unchanged.
package struct CommitLogError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// There is no warehouse here, or no such entry.
        case notFound
        /// An object of the log is damaged, missing or rewritten: a person must look.
        case corrupt
        /// A later version of the format wrote this.
        case unsupported
        /// The commit itself can never be written: an id, a text or a size is out of bounds.
        case invalid
        /// Other writers won every attempt; nothing of ours landed. Try again later.
        case busy
        /// The commit may have landed or not. Ask again with the same id; never delete on this.
        case unknownOutcome
    }

    package var code: Code
    package var message: String
    /// The object at fault, relative to the store's root; empty when there is none.
    package var key: String

    package init(_ code: Code, _ message: String, key: String = "") {
        self.code = code
        self.message = message
        self.key = key
    }

    package var description: String {
        key.isEmpty ? message : "\(key): \(message)"
    }
}
