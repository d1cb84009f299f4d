import Bytes
import Synchronization

// Producers send the same schemas and column lineages again with every run. What the same bytes were decoded to is
// found again, so that each is read, checked and hashed once.

/// The schemas and column lineages that were decoded lately, by their text.
///
/// What is here was found good: nobody need check it again. It keeps texts of `byteCountMax` altogether, and what was
/// made of them; when there are more, it begins anew.
package final class DecodedFacets: Sendable {
    /// A value, and a hash that equal values have in common in this process.
    struct Hashed<Value: Sendable & Hashable>: Sendable {
        let value: Value
        let hash: Int

        init(_ value: Value) {
            self.value = value
            hash = value.hashValue
        }
    }

    private enum Decoded: Sendable {
        case fields(Hashed<[OpenLineageEvent.Field]>)
        case columns(Hashed<OpenLineageColumns>)
    }

    private struct State {
        /// By the hash of the text; of two that have it in common the later one stays.
        var known: [UInt64: (text: JSONView, decoded: Decoded)] = [:]
        var byteCount = 0
    }

    private let byteCountMax: Int
    private let state = Mutex(State())

    package init(byteCountMax: Int = 8 << 20) { self.byteCountMax = byteCountMax }

    func fields(
        _ facet: JSONView,
        decode: () throws(LineageError) -> [OpenLineageEvent.Field]
    ) throws(LineageError) -> Hashed<[OpenLineageEvent.Field]> {
        let hash = facet.textHash
        if case .fields(let known)? = find(facet, hash) { return known }
        let decoded = Hashed(try decode())
        insert(.fields(decoded), facet, hash)
        return decoded
    }

    func columns(
        _ facet: JSONView,
        decode: () throws(LineageError) -> OpenLineageColumns
    ) throws(LineageError) -> Hashed<OpenLineageColumns> {
        let hash = facet.textHash
        if case .columns(let known)? = find(facet, hash) { return known }
        let decoded = Hashed(try decode())
        insert(.columns(decoded), facet, hash)
        return decoded
    }

    private func find(_ facet: JSONView, _ hash: UInt64) -> Decoded? {
        let found = state.withLock { $0.known[hash] }
        guard let found, found.text.hasSameText(as: facet) else { return nil }
        return found.decoded
    }

    private func insert(_ decoded: Decoded, _ facet: JSONView, _ hash: UInt64) {
        let (byteCount, text) = (facet.byteCount + 256, facet.detached)
        if byteCount > byteCountMax / 8 { return }
        state.withLock { state in
            if state.byteCount + byteCount > byteCountMax { state = State() }
            state.known[hash] = (text, decoded)
            state.byteCount += byteCount
        }
    }
}
