import Bytes

/// Why Iceberg metadata could not be read, changed or written.
package struct IcebergError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// The bytes or the JSON cannot be what they claim to be.
        case corrupt
        /// It may be well formed, but this program does not know its form.
        case unsupported
        /// The asked-for change is against the rules: asking again will not help (HTTP 400).
        case invalid
        /// The table is not what the change was made for: look at it again and retry (HTTP 409).
        case conflict
    }

    /// What the caller can do about it.
    package var code: Code
    /// What is wrong, for a person.
    package var message: String
    /// Where it happened, outermost first: `["table metadata", "snapshot 42"]`.
    package var context: [String]

    package init(_ code: Code, _ message: String, context: [String] = []) {
        self.code = code
        self.message = message
        self.context = context
    }

    package var description: String {
        (context + [message]).joined(separator: ": ")
    }

    /// The same error, with `code` where the code said that bytes were at fault.
    ///
    /// For JSON that comes with a request and not from a file.
    func blaming(_ code: Code) -> IcebergError {
        var error = self
        if error.code == .corrupt { error.code = code }
        return error
    }

    /// Runs `body`; an error gets `place` in front of its context.
    static func during<T>(
        _ place: @autoclosure () -> String,
        _ body: () throws(IcebergError) -> T
    ) throws(IcebergError) -> T {
        do {
            return try body()
        } catch {
            var error = error
            error.context.insert(place(), at: 0)
            throw error
        }
    }

    /// Runs `body`, which reads or writes bytes, and says its errors in this target's words.
    static func bytes<T>(_ body: () throws(BytesError) -> T) throws(IcebergError) -> T {
        do {
            return try body()
        } catch {
            let code: Code = error.code == .unsupported ? .unsupported : .corrupt
            throw IcebergError(code, error.description)
        }
    }
}
