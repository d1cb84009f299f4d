import Ambient
import Bytes
import Catalog
import Engine
import ObjectStorage
import Testing

import VarveServer

@Suite("The mapping of errors to statuses")
struct ErrorMappingTests {
    private static let catalogCodes: [CatalogError.Code] = [
        .warehouseNotFound, .namespaceNotFound, .tableNotFound, .positionNotFound,
        .referenceNotFound,
        .alreadyExists,
        .conflict, .notEmpty, .invalid, .unsupported, .busy, .corrupt,
    ]

    @Test("a change that is known not to have happened is never a 5xx", arguments: catalogCodes)
    func definitive(code: CatalogError.Code) {
        for effect in [RequestEffect.change, .commit] {
            let reply = ErrorMapping(effect: effect).reply(to: CatalogError(code, "x"))
            #expect((400..<500).contains(reply.status))
        }
    }

    @Test("a change that may have happened is 500 or 504 with the type that says so")
    func unknown() {
        for effect in [RequestEffect.change, .commit] {
            let mapping = ErrorMapping(effect: effect)
            let errors: [any Error] = [
                CatalogError(.unknownOutcome, "x"), ObjectStoreError(.unknownOutcome, "x"),
                CancellationError(), Strange(), ServerError(.timedOut, "x"),
            ]
            for error in errors {
                let reply = mapping.reply(to: error)
                #expect(reply.status == 500 || reply.status == 504)
                #expect(reply.type == "CommitStateUnknownException")
            }
        }
        let read = ErrorMapping(effect: .read).reply(to: Strange())
        #expect(read.status == 500 && read.type == "InternalServerError")
    }

    private struct Strange: Error, CustomStringConvertible {
        var description: String { "secret detail" }
    }

    @Test("what the server does not know is not told to clients")
    func discretion() {
        let reply = ErrorMapping(effect: .read).reply(to: Strange())
        #expect(!reply.message.contains("secret detail") && reply.isServersFault)
        let store = ErrorMapping(effect: .read).reply(
            to: ObjectStoreError(.unavailable, "x", key: "k", store: "s3://bucket")
        )
        #expect(!store.message.contains("bucket"))
        #expect(store.status == 503 && store.retryAfterSeconds == 1)
    }

    @Test("losing to others is for the client to retry, as far as the client knows how")
    func busy() {
        let error = CatalogError(.busy, "x")
        #expect(ErrorMapping(effect: .commit).reply(to: error).type == "CommitFailedException")
        let change = ErrorMapping(effect: .change).reply(to: error)
        #expect(change.status == 429 && change.retryAfterSeconds == 1)
    }

    @Test("every reply has Iceberg's form")
    func form() {
        var reply = ErrorReply(409, "CommitFailedException", "x \"y\"")
        #expect(
            reply.json == [
                "error": ["message": "x \"y\"", "type": "CommitFailedException", "code": 409]
            ]
        )
        reply.line = 3
        #expect(reply.json["error"]?["line"]?.int == 3)
    }
}
