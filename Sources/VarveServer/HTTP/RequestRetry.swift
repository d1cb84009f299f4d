import Ambient
import Bytes
import Catalog
import CommitLog
import Crypto
import Engine
import HTTPTypes
import HummingbirdCore
import Synchronization

// A client that lost an answer asks again with the same Idempotency-Key:
//
//     it was done       the key is the commit's id, in the log: every server finds it, for a day
//     it was refused    this server remembers the answer for as long, of the last few thousand
//     nobody knows      it is done now; two at once meet in the log, where one id lands once
//
// A refusal changed nothing, so a server that does not remember it may as well decide anew: all that an
// answer promises is what is in the log.

/// What makes a retry of one request safe: its key, and what tells it from other requests.
final class RequestRetry: Sendable {
    let key: String
    private let identity: String
    /// Whether losing a race says for good that nothing was done: so it is for changes that name the state
    /// they were made for, and not for rows, which can be added to any.
    private var isConflictFinal: Bool { !takesRows }
    private let takesRows: Bool
    private let known = Mutex<String?>(nil)
    private let parts: ServerParts

    /// - Returns: nil when the request has no key or changes nothing.
    /// - Throws: `badRequest` for what cannot be a commit's id.
    init?(
        _ request: Request,
        _ route: Route,
        _ principal: String,
        _ parts: ServerParts
    ) throws(ServerError) {
        guard route.effect != .read, let key = request.headers[HTTPField.Name.idempotencyKey] else {
            return nil
        }
        guard (8...128).contains(key.utf8.count),
            key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw ServerError(
                .badRequest,
                "Idempotency-Key must be 8 to 128 visible characters, best a UUID"
            )
        }
        self.key = key
        self.parts = parts
        takesRows = route.takesRows
        identity = "\(principal)\n\(request.method.rawValue)\n\(request.head.path ?? "")\n"
    }

    /// What a request gets whose key was another one's: the Iceberg protocol has no 422 for it, as it
    /// takes keys to be used once.
    var otherRequest: ServerError {
        ServerError(
            takesRows ? .unprocessable : .badRequest,
            "the Idempotency-Key belongs to another request than this one"
        )
    }

    /// SHA-256 of everything that was asked; nil until the body is known.
    var hash: String? { known.withLock { $0 } }

    /// Whether a commit with this key was made for another request.
    func isOther(_ receipt: CommitReceipt) -> Bool {
        guard let hash, let theirs = receipt.requestHash else { return false }
        return hash != theirs
    }

    /// Looks for an earlier refusal of this request, now that its body is known.
    ///
    /// - Throws: `RepeatedReply` when there is one; `otherRequest` when the key was another request's.
    func check(body: [UInt8]) async throws {
        try await check(bodyHash: hexText(SHA256.hash(data: body)))
    }

    /// The same for a body that was hashed piece by piece.
    func check(bodyHash: String) async throws {
        let hash = hexText(SHA256.hash(data: Array((identity + bodyHash).utf8)))
        known.withLock { $0 = hash }
        guard let refusal = parts.refusals.refusal(key, now: parts.ambient.time.nowMicros() / 1000)
        else { return }
        // Another server may have done since what this one refused.
        if try await parts.catalog().receipt(ofCommit: key) != nil { return }
        guard refusal.hash == hash else { throw otherRequest }
        throw RepeatedReply(reply: refusal.reply)
    }

    /// Keeps an answer that a retry must get again: one that says for good that nothing was done.
    func remember(_ reply: ErrorReply) {
        guard let hash, reply.isFinal,
            isConflictFinal || reply.type != "CommitFailedException"
        else { return }
        parts.refusals.remember(
            key,
            RememberedRefusals.Refusal(hash: hash, reply: reply),
            now: parts.ambient.time.nowMicros() / 1000,
            windowMillis: parts.engine.options.catalog.log.idWindowMillis
        )
    }
}

/// An error that is an earlier one's answer.
struct RepeatedReply: Error {
    var reply: ErrorReply
}

extension ErrorReply {
    /// Whether asking again can only give the same: neither credentials, nor load, nor time decide.
    fileprivate var isFinal: Bool {
        (400..<500).contains(status) && ![401, 403, 408, 413, 425, 429].contains(status)
            && retryAfterSeconds == nil
    }
}

/// The latest refusals of requests with keys; the oldest go first.
final class RememberedRefusals: Sendable {
    struct Refusal: Sendable {
        var hash: String
        var reply: ErrorReply
    }

    private struct State {
        var refusals: [String: (refusal: Refusal, endMillis: Int64)] = [:]
        var order: [String] = []
        var head = 0
    }

    private static let countMax = 4096
    private static let messageBytesMax = 8192
    private let state = Mutex(State())

    func refusal(_ key: String, now millis: Int64) -> Refusal? {
        state.withLock { state in
            guard let found = state.refusals[key], found.endMillis > millis else { return nil }
            return found.refusal
        }
    }

    /// The first refusal under a key stays.
    func remember(_ key: String, _ refusal: Refusal, now millis: Int64, windowMillis: Int64) {
        guard refusal.reply.message.utf8.count <= Self.messageBytesMax else { return }
        state.withLock { state in
            if let old = state.refusals[key], old.endMillis > millis { return }
            if state.refusals.updateValue((refusal, millis + windowMillis), forKey: key) == nil {
                state.order.append(key)
            }
            while state.order.count - state.head > Self.countMax {
                state.refusals[state.order[state.head]] = nil
                state.head += 1
            }
            if state.head > Self.countMax {
                state.order.removeFirst(state.head)
                state.head = 0
            }
        }
    }
}

/// Lower-case hexadecimal digits.
func hexText(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
