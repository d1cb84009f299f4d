import Glibc

/// Sends requests to a server that is no object store, and gives the answer's body as it comes.
///
/// Every client has a transport, and so a thread, of its own: a reader that is slow holds up nobody
/// else's transfers.
package struct StreamingClient: Sendable {
    private let transport = CurlTransport(connectionCountMax: 4)
    private let settings: CurlSettings

    /// The status of an answer, and its body unless it went to the receiver.
    package struct Answer: Sendable {
        package var status: Int
        package var body: [UInt8]
    }

    /// Why there is no answer.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package var message: String
        package var description: String { message }
    }

    /// - Parameter certificateFile: certificates to trust instead of the system's.
    package init(certificateFile: String? = nil) {
        var settings = CurlSettings()
        // A query may take as long as it takes; the server has a limit of its own.
        settings.attemptTimeoutMillis = 24 * 3_600_000
        settings.lowSpeedSeconds = 24 * 3600
        settings.certificateFile = certificateFile
        self.settings = settings
    }

    /// Sends a body and hands pieces of the answer to `receive` when its status is 200.
    ///
    /// - Parameters:
    ///   - headers: names in lower case.
    ///   - receive: called on a thread of its own, which it may block; false ends the transfer.
    /// - Throws: `Failure` without a whole answer; `CancellationError`.
    package func post(
        _ url: String,
        headers: [(name: String, value: String)],
        body: [UInt8],
        receive: @escaping @Sendable (UnsafeBufferPointer<UInt8>) -> Bool
    ) async throws -> Answer {
        let request = HTTPRequest(
            method: "POST",
            url: url,
            headers: headers,
            body: body,
            bodyBytesMax: 1 << 20,
            receive: receive
        )
        do {
            let response = try await transport.send(request, settings: settings)
            return Answer(status: response.status, body: response.body)
        } catch let error as TransportError {
            throw Failure(message: error.message)
        }
    }
}
