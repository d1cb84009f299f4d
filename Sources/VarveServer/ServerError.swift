/// Why the server refuses a request or a setting, where no target below has its own word for it.
package struct ServerError: Error, Sendable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// The request makes no sense: change it.
        case badRequest
        /// The request is well formed, but its parts contradict each other or an earlier request.
        case unprocessable
        /// No credentials, or none that are known here.
        case unauthorized
        /// Known, but not allowed.
        case forbidden
        /// There is nothing of that name, where no target below has a word for it.
        case notFound
        /// There is no such route.
        case noRoute
        /// There is no warehouse of this name.
        case noWarehouse
        /// There is no view of this name.
        case noView
        /// There is no plan of a scan with this id.
        case noPlan
        /// There is no part of a plan of this name.
        case noPlanTask
        /// There is no function of this name.
        case noFunction
        /// The route does not take this method.
        case methodNotAllowed
        /// None of the accepted content types can be given.
        case notAcceptable
        /// The request needs what this version does not have.
        case unsupported
        /// The body's content type or encoding is not one that the route takes.
        case unsupportedMediaType
        /// The body is larger than the settings allow.
        case bodyTooLarge
        /// As many requests as the settings allow are under way; later there is room.
        case tooManyRequests
        /// The disk that uploads wait on is full or gone: nothing was done.
        case noSpace
        /// The request took longer than the settings allow and was cancelled.
        case timedOut
        /// The log cannot be read.
        case notReady
        /// The configuration file, an option or a variable of the environment is wrong.
        case configuration
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
