/// The first part of keys that stores keep for themselves; no object may be written or read there.
let reservedKeyPart = ".varve-store"

/// Refuses keys that some store could not hold or would take for something else.
///
/// A key is 1 to 1024 bytes of UTF-8, parts joined by single slashes; no part is empty, `.`, `..` or
/// longer than 255 bytes; no control characters; the first part is not `.varve-store`.
package func validateKey(_ key: String, store: String) throws(ObjectStoreError) {
    if let reason = keyFault(key, isPrefix: false) {
        throw ObjectStoreError(.invalid, "the key \(reason)", key: printable(key), store: store)
    }
}

/// Refuses prefixes that no valid key begins with; the empty prefix and one ending in `/` are fine.
func validatePrefix(_ prefix: String, store: String) throws(ObjectStoreError) {
    if prefix.isEmpty { return }
    if let reason = keyFault(prefix, isPrefix: true) {
        throw ObjectStoreError(
            .invalid,
            "the prefix \(reason)",
            key: printable(prefix),
            store: store
        )
    }
}

private func keyFault(_ key: String, isPrefix: Bool) -> String? {
    let bytes = key.utf8
    if bytes.isEmpty { return "is empty" }
    if bytes.count > 1024 { return "is longer than 1024 bytes" }
    if bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "holds a control character" }
    let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
        let isOpenEnd = isPrefix && index == parts.count - 1
        if part.isEmpty && !isOpenEnd { return "has an empty part" }
        if part.count > 255 { return "has a part longer than 255 bytes" }
        // An open end may still grow into a harmless name.
        if !isOpenEnd && (part.elementsEqual(".".utf8) || part.elementsEqual("..".utf8)) {
            return "has a part . or .."
        }
        if index == 0 && !isOpenEnd && part.elementsEqual(reservedKeyPart.utf8) {
            return "begins with \(reservedKeyPart), which the store keeps for itself"
        }
    }
    return nil
}

/// A key fit for messages: control characters replaced, not too long.
private func printable(_ key: String) -> String {
    let scalars = key.unicodeScalars.prefix(200).map { scalar -> Character in
        scalar.value < 0x20 || scalar.value == 0x7F ? "?" : Character(scalar)
    }
    return String(scalars)
}

/// A key ordered and compared by its UTF-8 bytes, as stores do; Swift's strings compare by Unicode
/// equivalence, under which two different keys can be equal.
struct ByteOrderedKey: Hashable, Comparable, Sendable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    static func == (left: Self, right: Self) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    static func < (left: Self, right: Self) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
    }

    func hasPrefix(_ prefix: String) -> Bool {
        text.utf8.starts(with: prefix.utf8)
    }
}
