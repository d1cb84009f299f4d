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
        /// The rows are not as they must be: nothing was committed.
        case badRows
    }

    /// Where in rows that came from outside something stands.
    package struct RowPlace: Sendable, Equatable {
        /// The line on which the row begins, from 1.
        package var line: Int?
        /// The column's number, from 1; nil when the whole row is meant.
        package var column: Int?
        package var columnName: String?
    }

    package var code: Code
    package var message: String
    package var hint: String?
    /// The row at fault, for rows that could not be read.
    package var row: RowPlace?

    package init(_ code: Code, _ message: String, hint: String? = nil, row: RowPlace? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
        self.row = row
    }

    package var description: String {
        hint.map { "\(message)\n\($0)" } ?? message
    }
}
