import Bytes

/// Why a Parquet file could not be read or written.
package struct ParquetError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// The bytes cannot be what they claim to be.
        case corrupt
        /// The file may be well formed, but this program does not read (or write) that form.
        case unsupported
        /// The bytes end inside a value.
        case truncated
    }

    package var code: Code
    package var message: String
    /// The byte where reading stopped making sense, counted from the start of the part that the
    /// innermost context names.
    package var offset: Int
    /// Where it happened, outermost first: `["column city", "page 0"]`.
    package var context: [String]

    package init(_ code: Code, _ message: String, offset: Int = 0, context: [String] = []) {
        self.code = code
        self.message = message
        self.offset = offset
        self.context = context
    }

    init(_ error: BytesError) {
        switch error.code {
        case .corrupt: code = .corrupt
        case .truncated: code = .truncated
        case .unsupported: code = .unsupported
        }
        message = error.message
        offset = error.offset
        context = []
    }

    package var description: String {
        let place = context.isEmpty ? "" : context.joined(separator: ", ") + ": "
        return "\(place)\(message) (at byte \(offset))"
    }

    /// Runs `body`; an error that leaves it says that it happened during `place`.
    static func during<T>(
        _ place: @autoclosure () -> String,
        _ body: () throws(ParquetError) -> T
    ) throws(ParquetError) -> T {
        do throws(ParquetError) {
            return try body()
        } catch {
            var error = error
            error.context.insert(place(), at: 0)
            throw error
        }
    }

    static func corrupt(_ message: String, offset: Int = 0) -> ParquetError {
        ParquetError(.corrupt, message, offset: offset)
    }

    static func unsupported(_ message: String) -> ParquetError {
        ParquetError(.unsupported, message)
    }

    static func truncated(_ message: String, offset: Int = 0) -> ParquetError {
        ParquetError(.truncated, message, offset: offset)
    }
}
