/// Why a kernel refused its rows.
///
/// Only rows that are not null can be the reason.
package struct KernelError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of thing the query did wrong; the server makes an SQLSTATE of it.
    package enum Code: Sendable {
        /// A result does not fit its type.
        case overflow
        case divisionByZero
        /// A value has no counterpart in the type it is cast to.
        case invalidCast
        /// An argument lies outside what the function is defined for.
        case outOfRange
        /// The kernel does not know this combination of types; a binder would have refused it.
        case unsupported
        /// A LIKE pattern, regular expression or format that cannot be understood.
        case invalidPattern
    }

    package var code: Code
    /// For a person, with a value that shows the problem.
    package var message: String
    /// The expression whose rows these were, and where the statement has it; nil when not known.
    package var place: String?

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { place.map { "\(message)\nin \($0)" } ?? message }
}
