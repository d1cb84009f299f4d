import Bytes
import Engine
import HTTPTypes
import Lineage
import ObjectStorage

/// Takes events of OpenLineage, where clients of Marquez post them.
///
/// Sending an event again is harmless, so what goes wrong may be a 503 even where nobody knows what happened: that is
/// what clients try again after.
struct EventIntakeRoutes: Sendable {
    let parts: ServerParts

    /// Events of one batch.
    static let batchCountMax = 100_000

    var all: [Route] {
        [
            Route(.post, "/api/v1/lineage") { try await one($0) },
            Route(.post, "/api/v1/lineage/batch", weight: .query) { try await batch($0) },
        ]
    }

    /// One event: 201 when it is in the store, whether it was there before or not.
    private func one(_ request: ServerRequest) async throws -> Reply {
        let event = try AcceptedEvent(
            try await body(of: request),
            decoded: parts.engine.decodedFacets
        )
        let log = try await parts.engine.lineageEvents()
        _ = try await log.add(
            EventRequest(event: event, actor: request.principal, requestID: request.id)
        )
        return Reply(status: 201)
    }

    /// An array of events, each of which is taken or refused by itself.
    private func batch(_ request: ServerRequest) async throws -> Reply {
        let body = try await body(of: request)
        guard body.isArray else {
            throw ServerError(.badRequest, "the body must be an array of events")
        }
        let events = body.elements
        guard events.count <= Self.batchCountMax else {
            throw ServerError(
                .badRequest,
                "the batch has \(events.count) events; \(Self.batchCountMax) are allowed"
            )
        }
        var requests: [EventRequest] = []
        var places: [Int] = []
        var failures: [Failure] = []
        for (index, event) in events.enumerated() {
            if index % 256 == 255 {
                // Others want the thread, too.
                await Task.yield()
                try Task.checkCancellation()
            }
            do throws(LineageError) {
                requests.append(
                    EventRequest(
                        event: try AcceptedEvent(event, decoded: parts.engine.decodedFacets),
                        actor: request.principal,
                        requestID: request.id
                    )
                )
                places.append(index)
            } catch {
                failures.append(Failure(index: index, reason: error.description, retriable: false))
            }
        }
        if !requests.isEmpty {
            let log = try await parts.engine.lineageEvents()
            let mapping = ErrorMapping(effect: .read)
            for added in try await log.add(requests) {
                guard let error = added.error else { continue }
                let told = mapping.reply(to: error)
                failures.append(
                    Failure(
                        index: places[added.index],
                        reason: told.message,
                        retriable: told.status >= 500 || told.status == 429
                    )
                )
            }
        }
        if failures.isEmpty { return .noContent }
        return .json(Self.summary(received: events.count, failures))
    }

    private struct Failure {
        var index: Int
        var reason: String
        var retriable: Bool
    }

    private static func summary(received: Int, _ failures: [Failure]) -> JSON {
        let retriable = failures.count { $0.retriable }
        return [
            "status": "partial_success",
            "summary": [
                "received": .integer(received),
                "successful": .integer(received - failures.count),
                "failed": .integer(failures.count), "retriable": .integer(retriable),
                "non_retriable": .integer(failures.count - retriable),
            ],
            "failed_events": .array(
                failures.sorted { $0.index < $1.index }.map {
                    [
                        "index": .integer($0.index), "reason": .string($0.reason),
                        "retriable": .bool($0.retriable),
                    ]
                }
            ),
        ]
    }

    /// The body, decoded as its header says; no larger than bodies may be, before and after.
    private func body(of request: ServerRequest) async throws -> JSONView {
        var bytes = try await request.bytes()
        let codec: Codec?
        switch request.headers[.contentEncoding]?.lowercased() {
        case nil, "", "identity": codec = nil
        case "gzip", "x-gzip": codec = .gzip
        case "zstd": codec = .zstd
        case let other?:
            throw ServerError(
                .unsupportedMediaType,
                "Content-Encoding is gzip or zstd, not \"\(other)\""
            )
        }
        if let codec {
            do throws(BytesError) {
                bytes = try decompressed(codec, bytes, sizeMax: request.bodyBytesMax)
            } catch {
                if error.code == .unsupported {
                    throw ServerError(
                        .bodyTooLarge,
                        "the body has more than \(request.bodyBytesMax) bytes when it is decoded"
                    )
                }
                throw ServerError(
                    .badRequest,
                    "the body is not what Content-Encoding says: \(error)"
                )
            }
        }
        do throws(BytesError) {
            return try JSONText(bytes).root
        } catch {
            throw ServerError(.badRequest, "the body is no JSON: \(error)")
        }
    }
}
