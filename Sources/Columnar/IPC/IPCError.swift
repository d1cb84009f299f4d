/// Why Arrow IPC data could not be read or written.
package struct IPCError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// The bytes end inside a message.
        case truncated
        /// The bytes cannot be what they claim to be.
        case corrupt
        /// The data may be well formed, but has no equal among this program's types.
        case unsupported
    }

    package var code: Code
    package var message: String
    /// Names of the field and of those around it, outermost first; empty when no field is at fault.
    package var path: [String]

    package init(_ code: Code, _ message: String, path: [String] = []) {
        self.code = code
        self.message = message
        self.path = path
    }

    package var description: String {
        path.isEmpty ? message : "field \"\(path.joined(separator: "."))\": \(message)"
    }

    /// Puts the name of a field in front of the path of errors that happen in it.
    static func during<T>(
        _ name: String,
        _ body: () throws(IPCError) -> T
    ) throws(IPCError) -> T {
        do throws(IPCError) {
            return try body()
        } catch {
            var placed = error
            placed.path.insert(name, at: 0)
            throw placed
        }
    }
}
