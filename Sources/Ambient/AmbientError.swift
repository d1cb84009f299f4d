/// Why the machine around us did not give what was asked for.
package struct AmbientError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// A stated limit is reached: give something back, spill, or ask for less.
        case exhausted
        /// The thing asked has been shut down.
        case closed
        /// The operating system refused.
        case system
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
