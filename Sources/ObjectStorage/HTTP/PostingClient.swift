/// Posts small bodies to servers that are no object stores, and keeps nothing of their answers but what
/// says whether to try again.
///
/// Certificates are verified, redirects are not followed, and an answer's body is not kept.
package struct PostingClient: Sendable {
    private let transport: CurlTransport

    /// What a server said.
    package struct Answer: Sendable, Equatable {
        package var status: Int
        /// The header `Retry-After` as it came.
        package var retryAfter: String?

        package init(status: Int, retryAfter: String? = nil) {
            self.status = status
            self.retryAfter = retryAfter
        }
    }

    /// Why there is no answer.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package var message: String
        package var description: String { message }

        package init(message: String) {
            self.message = message
        }
    }

    /// - Parameter connectionCountMax: connections kept open for the next request, all hosts together.
    package init(connectionCountMax: Int = 16) {
        transport = CurlTransport(connectionCountMax: connectionCountMax)
    }

    /// Sends a body once and waits for the answer's end.
    ///
    /// - Parameters:
    ///   - headers: names in lower case.
    ///   - timeoutMillis: for all of it, connecting too.
    ///   - certificateFile: certificates to trust instead of the system's.
    /// - Throws: `Failure` without a whole answer; `CancellationError`.
    package func post(
        _ url: String,
        headers: [(name: String, value: String)],
        body: [UInt8],
        timeoutMillis: Int,
        certificateFile: String?
    ) async throws -> Answer {
        var settings = CurlSettings()
        settings.connectTimeoutMillis = min(settings.connectTimeoutMillis, timeoutMillis)
        settings.attemptTimeoutMillis = timeoutMillis
        settings.certificateFile = certificateFile
        var request = HTTPRequest(
            method: "POST",
            url: url,
            headers: headers,
            body: body,
            bodyBytesMax: 0
        )
        request.ignoresBody = true
        do {
            let response = try await transport.send(request, settings: settings)
            return Answer(status: response.status, retryAfter: response.header("retry-after"))
        } catch let error as TransportError {
            throw Failure(message: error.message)
        }
    }
}
