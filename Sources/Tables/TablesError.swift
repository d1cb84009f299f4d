import Iceberg
import ObjectStorage
import Parquet

/// Why a table could not be read, written or changed.
///
/// Errors of the store (`ObjectStoreError`), of Iceberg metadata (`IcebergError`) and cancellation pass
/// through unchanged; errors of data files become this, with the file's name.
package struct TablesError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// A file is not what it claims to be, or not what the table says of it.
        case corrupt
        /// The table or file may be well formed, but this program does not read or write that form.
        case unsupported
        /// What was asked for makes no sense for this table.
        case invalid
        /// A row breaks a rule of the table, such as NOT NULL.
        case constraint
        /// The table is not what the change was made for; look at it again.
        case conflict
    }

    package var code: Code
    package var message: String
    /// Where it happened, outermost first: a file, a column.
    package var context: [String]

    package init(_ code: Code, _ message: String, context: [String] = []) {
        self.code = code
        self.message = message
        self.context = context
    }

    package var description: String { (context + [message]).joined(separator: ": ") }

    /// The same error with the file, and who refers to it, in front of its context.
    func at(_ place: String) -> TablesError {
        var error = self
        error.context.insert(place, at: 0)
        return error
    }

    /// Runs `body`, which fetches bytes of a file that something else refers to: a file that is not there
    /// means a damaged table, and both are named.
    static func fetching<Value>(
        _ place: @autoclosure () -> String,
        _ body: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await body()
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
            throw TablesError(.corrupt, "the file is missing", context: [place()])
        }
    }

    /// Runs `body`, which works on one data file; Parquet's errors get the file's name.
    static func inFile<Value>(
        _ file: @autoclosure () -> String,
        _ body: () throws -> Value
    ) throws -> Value {
        do {
            return try body()
        } catch let error as ParquetError {
            throw TablesError(
                error.code == .unsupported ? .unsupported : .corrupt,
                error.description,
                context: [file()]
            )
        }
    }
}
