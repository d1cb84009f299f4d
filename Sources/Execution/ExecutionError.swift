/// Why a query that was planned could not be run to its end.
package struct ExecutionError: Error, Sendable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// The data do not allow what was asked (a scalar subquery with two rows).
        case data
        /// More memory is needed than the query may have.
        case outOfMemory
        /// This version cannot do it.
        case unsupported
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
