extension LogicTestFile {
    /// What an engine does with a statement: its rows, no columns for a statement that gives none.
    package typealias Execute = (_ text: String) async throws -> LogicTestAnswer

    /// Runs all records in order; gives those that do not do what they must, as `line: text: why`.
    ///
    /// Rows compare as a bag where neither the record nor an ORDER BY in it orders them.
    ///
    /// - Parameter checksMessages: whether errors must say what the file says.
    package func failures(checksMessages: Bool = false, _ execute: Execute) async -> [String] {
        var failures: [String] = []
        for record in records {
            if let reason = await failure(of: record, checksMessages, execute) {
                failures.append("\(record.line): \(record.text)\n    \(reason)")
            }
        }
        return failures
    }

    private func failure(
        of record: Record,
        _ checksMessages: Bool,
        _ execute: Execute
    ) async -> String? {
        let answer: LogicTestAnswer
        do {
            answer = try await execute(record.text)
        } catch {
            switch record.expectation {
            case .any: return nil
            case .success, .rows: return "\(error)"
            case .failure(let message):
                let said = "\(error)"
                let missing = checksMessages ? message.first { !said.contains($0) } : nil
                return missing.map { "fails with \"\(said)\", expected \"\($0)\"" }
            }
        }
        switch record.expectation {
        case .any, .success: return nil
        case .failure: return "must fail"
        case .rows(let types, let sorting, let expected):
            return answer.difference(
                types: types,
                sorting: sorting ?? (Self.ordersRows(record.text) ? .none : .rows),
                expected: expected
            )
        }
    }

    /// Whether a query has an ORDER BY that is not inside parentheses.
    private static func ordersRows(_ text: String) -> Bool {
        var depth = 0
        var outside = ""
        for character in text {
            if character == "(" { depth += 1 }
            if depth == 0 { outside.append(character) }
            if character == ")" { depth -= 1 }
        }
        let words = outside.uppercased().split(whereSeparator: \.isWhitespace)
        return zip(words, words.dropFirst()).contains { $0 == "ORDER" && $1 == "BY" }
    }
}
