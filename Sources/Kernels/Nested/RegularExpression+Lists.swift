import CPCRE2
package import Columnar

extension RegularExpression {
    /// The texts that a group (0: the whole match) took in every match, as a list.
    ///
    /// Shares the text's bytes.
    package func extractAll(_ column: Column, group: Int = 0) throws(KernelError) -> Column {
        let operand = Operand(column)
        var parts = TextParts(count: column.count)
        let matcher = try Matcher(self)
        guard group >= 0, group < Int(pcre2_get_ovector_count_8(matcher.data)) else {
            throw KernelError(.outOfRange, "the regular expression has no group \(group)")
        }
        for row in 0..<column.count {
            if operand.validity.map({ $0[row] }) ?? !column.isAllNull {
                let text = (operand.views + (row & operand.mask)).text
                try Self.visit(matcher, text) { matcher, _ in
                    parts.append(text, matcher.range(group) ?? 0..<0)
                }
            }
            try parts.finishRow()
        }
        return withExtendedLifetime(operand) {
            parts.lists(validity: operand.validity, owners: operand.owners)
        }
    }

    /// The parts of each text between the matches, as a list.
    ///
    /// Shares the text's bytes.
    package func split(_ column: Column) throws(KernelError) -> Column {
        let operand = Operand(column)
        var parts = TextParts(count: column.count)
        let matcher = try Matcher(self)
        for row in 0..<column.count {
            if operand.validity.map({ $0[row] }) ?? !column.isAllNull {
                let text = (operand.views + (row & operand.mask)).text
                var start = 0
                try Self.visit(matcher, text) { _, range in
                    // A match of nothing divides only between characters.
                    if range.isEmpty, range.lowerBound == 0 || range.lowerBound == text.count {
                        return
                    }
                    parts.append(text, start..<range.lowerBound)
                    start = range.upperBound
                }
                parts.append(text, start..<text.count)
            }
            try parts.finishRow()
        }
        return withExtendedLifetime(operand) {
            parts.lists(validity: operand.validity, owners: operand.owners)
        }
    }

    /// Calls `body` for every match, from left to right, none of which overlap.
    private static func visit(
        _ matcher: borrowing Matcher,
        _ text: UTF8Text.Bytes,
        _ body: (borrowing Matcher, Range<Int>) -> Void
    ) throws(KernelError) {
        var offset = 0
        var done = 0
        while offset <= text.count, try matcher.match(text, from: offset) > 0 {
            // With \K in a lookahead a match may begin before where the search did.
            guard let range = matcher.range(0), range.lowerBound >= done else { return }
            body(matcher, range)
            done = range.upperBound
            offset =
                range.isEmpty
                ? UTF8Text.offset(text, from: range.upperBound, skipping: 1) : range.upperBound
            if range.isEmpty, range.upperBound == text.count { return }
        }
    }
}
