/// In which way texts are compared otherwise than by their bytes.
package struct Collation: Sendable, Hashable {
    /// `NOCASE`: in lower case.
    package var ignoresCase = false
    /// `NOACCENT`: without marks on letters.
    package var ignoresAccents = false

    /// - Parameter parts: of a name such as `NOCASE.NOACCENT`, in any case; nil for others.
    package init?(_ parts: [String]) {
        for part in parts.flatMap({ $0.split(separator: ".") }) {
            switch part.lowercased() {
            case "nocase": ignoresCase = true
            case "noaccent": ignoresAccents = true
            case "binary", "c", "posix": break
            default: return nil
            }
        }
    }

    /// Whether texts are compared by their bytes, as those without a collation are.
    package var isBinary: Bool { !ignoresCase && !ignoresAccents }

    /// As it is written.
    package var name: String {
        let parts = (ignoresCase ? ["NOCASE"] : []) + (ignoresAccents ? ["NOACCENT"] : [])
        return parts.isEmpty ? "BINARY" : parts.joined(separator: ".")
    }
}
