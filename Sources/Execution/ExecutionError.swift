/// Why a query that was planned could not be run to its end.
package struct ExecutionError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// The data do not allow what was asked (a scalar subquery with two rows).
        case data
        /// More memory is needed than the query may have.
        case outOfMemory
        /// The temporary folder is full or gives back other bytes than it was given.
        case temporaryStorage
        /// This version cannot do it.
        case unsupported
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// More than one row came where one is a value.
    package static let severalRows = ExecutionError(
        .data,
        "a subquery used as a value gave more than one row"
    )

    package var description: String { message }
}
