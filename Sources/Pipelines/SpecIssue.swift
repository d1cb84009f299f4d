/// Where in a spec's text something stands, as a person counts: from 1.
package struct SpecPlace: Sendable, Hashable, CustomStringConvertible {
    package var file: String
    package var line: Int
    package var column: Int

    package init(file: String, line: Int, column: Int = 1) {
        self.file = file
        self.line = line
        self.column = column
    }

    package var description: String { "\(file):\(line)" }
}

/// One thing that is wrong with a spec.
package struct SpecIssue: Sendable, Hashable, CustomStringConvertible {
    package var place: SpecPlace
    /// The keys that lead there, as `steps[2].join.type`; empty for the spec itself.
    package var key: String
    package var message: String
    package var hint: String?

    package init(_ place: SpecPlace, key: String, _ message: String, hint: String? = nil) {
        self.place = place
        self.key = key
        self.message = message
        self.hint = hint
    }

    /// The issue as `file:line: key: message (hint)`.
    package var description: String {
        let start = key.isEmpty ? "\(place): \(message)" : "\(place): \(key): \(message)"
        return hint.map { "\(start) (\($0))" } ?? start
    }
}

/// Why specs cannot be planned or run.
package struct PipelineError: Error, Sendable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// The spec is wrong: every issue says where.
        case invalid
        /// The spec is right, but this version cannot do what it asks.
        case unsupported
        /// No spec is called so.
        case notFound
    }

    package var code: Code
    /// At least one, in the order of files and lines.
    package var issues: [SpecIssue]

    package init(_ code: Code, _ issues: [SpecIssue]) {
        self.code = code
        self.issues = issues
    }

    /// One line for each issue.
    package var description: String {
        issues.map(\.description).joined(separator: "\n")
    }
}

/// The known word that was most likely meant; nil when none is near.
func nearest(_ word: String, in known: [String]) -> String? {
    let lower = Array(word.lowercased().unicodeScalars.prefix(64))
    var best: (word: String, distance: Int)?
    for candidate in known {
        let distance = editDistance(lower, Array(candidate.lowercased().unicodeScalars))
        if distance <= max(1, candidate.count / 3), distance < best?.distance ?? .max {
            best = (candidate, distance)
        }
    }
    return best?.word
}

private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, y) in b.enumerated() {
            let above = row[j + 1]
            row[j + 1] = min(diagonal + (x == y ? 0 : 1), min(above, row[j]) + 1)
            diagonal = above
        }
    }
    return row[b.count]
}
