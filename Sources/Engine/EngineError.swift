/// Why a request could not be carried out, where no target below has its own word for it.
package struct EngineError: Error, Sendable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// The request makes no sense: change it.
        case invalid
        case notFound
        case alreadyExists
        /// The request is right but this version cannot do it.
        case unsupported
        /// Somebody else changed the same thing first: look again and retry.
        case conflict
    }

    package var code: Code
    package var message: String
    package var hint: String?

    package init(_ code: Code, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    package var description: String {
        hint.map { "\(message)\n\($0)" } ?? message
    }
}
