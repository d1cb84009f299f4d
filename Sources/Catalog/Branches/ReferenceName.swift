/// Names of branches and tags of the catalog: one space.
///
/// - Spec: Formats/catalog-log/README.md, "Branches and tags".
package enum ReferenceName {
    /// The trunk: it is always there, and neither made nor dropped.
    package static let main = "main"
    package static let byteCountMax = 128
    /// Branches and tags together.
    package static let countMax = 1000

    /// Refuses what cannot be the name of a branch or tag.
    ///
    /// Positions are written in the same places, and names go into URLs: so ASCII letters, digits, `_`, `-` and `.`,
    /// the first a letter or `_`.
    ///
    /// - Throws: `invalid`.
    package static func check(_ name: String) throws(CatalogError) {
        guard (1...byteCountMax).contains(name.utf8.count) else {
            throw CatalogError(
                .invalid,
                "the name of a branch or tag has 1 to \(byteCountMax) bytes, not \(name.utf8.count)"
            )
        }
        for (index, byte) in name.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "_"):
                continue
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
                if index > 0 { continue }
            default: break
            }
            throw CatalogError(
                .invalid,
                "\"\(name)\" cannot be the name of a branch or tag: these are of ASCII letters, digits, "
                    + "\"_\", \"-\" and \".\", and begin with a letter or \"_\""
            )
        }
        guard name.lowercased() != main else {
            throw CatalogError(.invalid, "\"\(name)\" is the catalog's trunk: it is always there")
        }
    }
}
