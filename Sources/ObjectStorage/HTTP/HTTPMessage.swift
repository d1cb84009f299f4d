/// One HTTP request, ready to send.
struct HTTPRequest: Sendable {
    var method: String
    /// With everything percent-encoded that must be.
    var url: String
    /// Names in lower case; without `host` and `content-length`, which the transport adds.
    var headers: [(name: String, value: String)] = []
    /// Nil for requests without a body; an empty body is announced as such.
    var body: [UInt8]?
    /// More than this in the answer fails the transfer.
    var bodyBytesMax: Int
    /// How many bytes of body the answer should have; room is made for them at once.
    var bodyBytesExpected = 0
    /// Takes the body of an answer of status 200 as it comes, which then is not kept.
    ///
    /// Called on the transport's thread, which it may hold up; false ends the transfer.
    var receive: (@Sendable (UnsafeBufferPointer<UInt8>) -> Bool)?
    /// After so long without progress the attempt is given up; nil for as long as the transport's settings say.
    var stallSeconds: Int?
    /// Whether the body of an answer is of no interest, however long it is.
    var ignoresBody = false
}

/// The answer to a request.
struct HTTPResponse: Sendable {
    var status: Int
    /// Names in lower case.
    var headers: [(name: String, value: String)]
    var body: [UInt8]
    /// How often the request went out: a transport may repeat it once when a connection that was kept
    /// alive turns out to be dead, so the answer may be that to the second.
    var sendCount: Int

    /// The value of the first header of this name, given in lower case.
    func header(_ name: String) -> String? {
        headers.first { $0.name == name }?.value
    }
}

/// Why there is no answer to a request.
struct TransportError: Error, Sendable, Equatable {
    enum Code: Sendable {
        /// No connection, time-out, or the connection broke: another try may do better.
        case lost
        /// The answer is larger than asked for.
        case tooLarge
        /// The URL, the certificate or the protocol is at fault: another try will not help.
        case refused
    }

    var code: Code
    var message: String
    /// Whether the request, or a part of it, may have reached the server.
    var mayHaveArrived: Bool
}

/// Sends requests; the seam where tests put a server of their own making.
protocol HTTPTransport: Sendable {
    /// Sends one request once.
    ///
    /// - Throws: `TransportError`, or `CancellationError` promptly when the task is cancelled.
    func send(_ request: HTTPRequest) async throws -> HTTPResponse
}
