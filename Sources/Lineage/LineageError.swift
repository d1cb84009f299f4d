/// Why lineage could not be read, written or asked for.
package struct LineageError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// What was handed in can never be right: a question without sense, facts out of bounds.
        case invalid
        /// The log knows nothing of that name at that time.
        case notFound
        /// Bytes of the log are not what the format says.
        case corrupt
        /// A later version of the format wrote this.
        case unsupported
        /// The question takes more work than `LineageOptions.workMax`.
        case tooMuchWork
    }

    package var code: Code
    package var message: String
    /// The member of the JSON at fault, as `facts[0].output.table`; empty when there is none.
    package var place: String

    package init(_ code: Code, _ message: String, place: String = "") {
        self.code = code
        self.message = message
        self.place = place
    }

    package var description: String {
        place.isEmpty ? message : "\(place): \(message)"
    }
}
