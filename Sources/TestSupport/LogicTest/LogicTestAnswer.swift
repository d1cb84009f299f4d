import Crypto

/// The rows that an engine gave, for comparison with those of a file.
package struct LogicTestAnswer: Sendable {
    /// How the values of a column are compared.
    package enum Comparison: Sendable {
        /// As numbers that are exact: `1` is `1.00`.
        case exact
        /// As doubles, which may be off by the last digits.
        case floating
        /// `1` is `true`, `0` is `false`.
        case boolean
        case text
    }

    package var columns: [Comparison]
    /// Values as texts; nil for null.
    package var rows: [[String?]]

    package init(columns: [Comparison], rows: [[String?]]) {
        self.columns = columns
        self.rows = rows
    }

    /// Why the rows are not those of a file; nil when they are.
    ///
    /// - Parameters:
    ///   - types: one letter a column.
    ///   - expected: the lines below `----`: a row each with tabs between values, or a value each, or
    ///     `N values hashing to MD5`.
    package func difference(
        types: String,
        sorting: LogicTestFile.Sorting,
        expected: [String]
    ) -> String? {
        guard columns.count == types.count else {
            return "gives \(columns.count) columns, expected \(types.count)"
        }
        var rows = rows.map { row in
            row.map { $0.map { $0.isEmpty ? "(empty)" : $0 } ?? "NULL" }
        }
        if expected.count == 1, let hashed = hashed(expected[0]) {
            return difference(rows, from: hashed, sorting)
        }
        guard var wanted = Self.rows(expected, width: columns.count, count: rows.count) else {
            return "gives \(Self.shown(rows)), expected \(expected.count) values"
        }
        switch sorting {
        case .none: break
        case .rows:
            rows = ordered(rows)
            wanted = ordered(wanted)
        case .values:
            // Of one column, whose values are compared as texts.
            rows = rows.joined().sorted().map { [$0] }
            wanted = wanted.joined().sorted().map { [$0] }
        }
        let same =
            rows.count == wanted.count
            && zip(rows, wanted).allSatisfy { row, other in
                row.indices.allSatisfy {
                    let comparison =
                        sorting == .values ? LogicTestAnswer.Comparison.text : columns[$0]
                    return Self.isSame(row[$0], other[$0], comparison)
                }
            }
        return same ? nil : "gives \(Self.shown(rows)), expected \(Self.shown(wanted))"
    }

    // MARK: Forms of an answer

    /// The values of the lines of a file, row by row; nil when they do not make whole rows.
    private static func rows(_ lines: [String], width: Int, count: Int) -> [[String]]? {
        let split = lines.map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        if split.allSatisfy({ $0.count == width }), width > 1 || lines.count == count {
            return split
        }
        guard width > 0, lines.count % width == 0 else { return nil }
        return stride(from: 0, to: lines.count, by: width).map { Array(lines[$0..<$0 + width]) }
    }

    private func hashed(_ line: String) -> (count: Int, digest: String)? {
        let words = line.split(separator: " ")
        guard words.count == 5, words[1...3].elementsEqual(["values", "hashing", "to"]),
            let count = Int(words[0])
        else { return nil }
        return (count, String(words[4]))
    }

    private func difference(
        _ rows: [[String]],
        from hashed: (count: Int, digest: String),
        _ sorting: LogicTestFile.Sorting
    ) -> String? {
        var values: [String]
        switch sorting {
        case .none: values = Array(rows.joined())
        case .rows:
            let sorted = rows.sorted { $0.lexicographicallyPrecedes($1) }
            values = Array(sorted.joined())
        case .values: values = rows.joined().sorted()
        }
        guard values.count == hashed.count else {
            return "gives \(values.count) values, expected \(hashed.count)"
        }
        let text = values.map { $0 + "\n" }.joined()
        let hexadecimal = Array("0123456789abcdef")
        let digest = Insecure.MD5.hash(data: Array(text.utf8)).flatMap {
            [hexadecimal[Int($0 >> 4)], hexadecimal[Int($0 & 15)]]
        }
        return String(digest) == hashed.digest ? nil : "gives other values than those hashed"
    }

    private static func shown(_ rows: [[String]]) -> String {
        let lines = rows.prefix(8).map { $0.joined(separator: " | ") }
        let rest = rows.count > 8 ? " … (\(rows.count) rows)" : ""
        return "[" + lines.joined(separator: " / ") + rest + "]"
    }

    // MARK: Values

    /// Rows in an order in which the same values stand together, however they are written.
    private func ordered(_ rows: [[String]]) -> [[String]] {
        let keyed = rows.map { row in (row: row, keys: zip(row, columns).map(Self.key)) }
        return keyed.sorted { left, right in
            for (a, b) in zip(left.keys, right.keys) where a != b { return a < b }
            return false
        }.map(\.row)
    }

    private struct Key: Comparable {
        var number: Double
        var text: String

        static func < (left: Key, right: Key) -> Bool {
            (left.number, left.text) < (right.number, right.text)
        }
    }

    private static func key(_ value: String, _ comparison: Comparison) -> Key {
        switch comparison {
        case .text: return Key(number: 0, text: value)
        case .boolean: return Key(number: 0, text: boolean(value))
        case .exact: return Key(number: Double(value) ?? .infinity, text: exact(value) ?? value)
        case .floating:
            guard let number = Double(value), !number.isNaN else {
                return Key(number: .infinity, text: value)
            }
            return Key(number: number, text: "")
        }
    }

    private static func isSame(_ got: String, _ wanted: String, _ comparison: Comparison) -> Bool {
        if got == wanted { return true }
        switch comparison {
        case .text: return false
        case .boolean: return boolean(got) == boolean(wanted)
        case .exact:
            guard let a = exact(got), let b = exact(wanted) else { return false }
            return a == b
        case .floating:
            guard let a = Double(got), let b = Double(wanted), a.isFinite, b.isFinite else {
                return false
            }
            return abs(a - b) <= 1e-9 * max(abs(a), abs(b))
        }
    }

    private static func boolean(_ text: String) -> String {
        switch text.lowercased() {
        case "1", "true": "true"
        case "0", "false": "false"
        default: text
        }
    }

    /// A number without zeros that say nothing; nil for what is none.
    private static func exact(_ text: String) -> String? {
        var digits = text[...]
        let sign = digits.hasPrefix("-") ? "-" : ""
        digits = digits.drop { $0 == "-" }
        let parts = digits.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.allSatisfy({ $0.allSatisfy(\.isNumber) }), !digits.isEmpty else { return nil }
        let whole = parts[0].drop { $0 == "0" }
        var fraction = parts.count > 1 ? parts[1] : ""
        while fraction.last == "0" { fraction.removeLast() }
        if whole.isEmpty, fraction.isEmpty { return "0" }
        return sign + whole + "." + fraction
    }
}
