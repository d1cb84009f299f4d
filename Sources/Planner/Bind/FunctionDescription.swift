/// What a person is told about a function: in `varve.functions`, in docs/sql.md, in suggestions.
package struct FunctionDescription: Sendable, Hashable {
    package enum Kind: String, Sendable { case scalar, aggregate, window }

    package var kind: Kind
    /// The group it is listed in.
    package var category: String
    /// Its usual name, then its other spellings.
    package var names: [String]
    package var signature: String
    /// One sentence.
    package var summary: String
    /// An expression that shows it; what it gives is in docs/sql.md.
    package var example: String

    /// All functions, by group.
    package static let all: [FunctionDescription] =
        parse(textLines, .scalar) + parse(numberLines, .scalar) + parse(timeLines, .scalar)
        + parse(nestedLines, .scalar) + parse(otherLines, .scalar)
        + parse(aggregateLines, .aggregate)
        + parse(windowLines, .window)

    /// Lines of `names | signature | summary | example`, and of `# group`.
    private static func parse(_ lines: String, _ kind: Kind) -> [FunctionDescription] {
        var category = ""
        var found: [FunctionDescription] = []
        for line in lines.split(separator: "\n") {
            if line.first == "#" {
                category = String(line.dropFirst(2))
                continue
            }
            let fields = line.split(separator: "¦", omittingEmptySubsequences: false).map {
                String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            }
            guard fields.count == 4 else { continue }
            found.append(
                FunctionDescription(
                    kind: kind,
                    category: category,
                    names: fields[0].split(separator: " ").map(String.init),
                    signature: fields[1],
                    summary: fields[2],
                    example: fields[3]
                )
            )
        }
        return found
    }
}
