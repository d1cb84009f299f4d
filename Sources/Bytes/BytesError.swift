/// Why bytes from outside could not be understood, or a codec could not be run.
package struct BytesError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// The bytes end inside a value.
        case truncated
        /// The bytes cannot be what they claim to be.
        case corrupt
        /// The bytes may be well formed, but this program does not know their form.
        case unsupported
    }

    package var code: Code
    package var message: String
    /// The byte, counted from the start of what was being read, where reading stopped making sense.
    package var offset: Int

    package init(_ code: Code, _ message: String, offset: Int = 0) {
        self.code = code
        self.message = message
        self.offset = offset
    }

    package var description: String {
        "\(message) (at byte \(offset))"
    }
}
