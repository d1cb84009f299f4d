/// Why a store did not do what it was asked.
///
/// A cancelled task gets `CancellationError` instead.
package struct ObjectStoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// No object has this key.
        case notFound
        /// Somebody else created the key first; nothing of ours landed.
        case alreadyExists
        /// The object is no longer the one with the given entity tag; nothing of ours landed.
        case preconditionFailed
        /// The range begins or ends outside the object.
        case rangeNotSatisfiable
        /// The store knows us and says no, or does not know us.
        case denied
        /// The store did not answer in time, in spite of retries; nothing of ours landed.
        case unavailable
        /// A write may have landed or not, and reading back could not tell. Never delete on this.
        case unknownOutcome
        /// The store cannot do this.
        case unsupported
        /// The request, the key, the settings or the store's answer make no sense.
        case invalid
    }

    package var code: Code
    package var message: String
    /// The key asked for, relative to the store's root; empty when no single key is to blame.
    package var key: String
    /// The root of the store.
    package var store: String
    /// The HTTP status that led here, where there was one.
    package var status: Int?

    package init(
        _ code: Code,
        _ message: String,
        key: String = "",
        store: String = "",
        status: Int? = nil
    ) {
        self.code = code
        self.message = message
        self.key = key
        self.store = store
        self.status = status
    }

    package var description: String {
        var text = message
        if !key.isEmpty { text += " (key \(key)" }
        if !store.isEmpty { text += key.isEmpty ? " (in \(store)" : " in \(store)" }
        if !key.isEmpty || !store.isEmpty { text += ")" }
        if let status { text += " [HTTP \(status)]" }
        return text
    }
}
