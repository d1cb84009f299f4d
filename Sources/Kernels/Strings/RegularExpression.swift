import CPCRE2
package import Columnar

/// A regular expression of PCRE2, compiled once.
///
/// Matching is bounded: an expression that needs more than `stepsMax` steps on a row is refused with
/// `outOfRange` instead of running on. `@unchecked Sendable`: the compiled code is only read after
/// `init`; every call brings memory of its own for matches.
package final class RegularExpression: @unchecked Sendable {
    private let code: OpaquePointer
    private let pattern: String

    /// Steps of the matcher that one row may take.
    private static let stepsMax: UInt32 = 10_000_000

    /// Compiles an expression.
    ///
    /// - Parameter options: letters as in PostgreSQL and DuckDB: `i` ignores case, `s` lets `.` match
    ///   line ends, `m` (or `n`, `p`) lets `^` and `$` match at line ends, `x` ignores blanks in the
    ///   pattern, `c` and `g` mean nothing here.
    /// - Throws: `invalidPattern`, with the place in the pattern.
    package init(_ pattern: String, options: String = "") throws(KernelError) {
        var flags = PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C
        for option in options.unicodeScalars {
            switch option {
            case "i": flags |= PCRE2_CASELESS
            case "s": flags |= PCRE2_DOTALL
            case "m", "n", "p": flags |= PCRE2_MULTILINE
            case "x": flags |= PCRE2_EXTENDED
            case "c", "g": break
            default:
                throw KernelError(
                    .invalidPattern,
                    "'\(option)' is not an option of regular expressions"
                )
            }
        }
        var errorCode: Int32 = 0
        var errorOffset = 0
        var text = pattern
        let compiled = text.withUTF8 {
            pcre2_compile_8($0.baseAddress, $0.count, flags, &errorCode, &errorOffset, nil)
        }
        guard let compiled else {
            throw KernelError(
                .invalidPattern,
                "regular expression '\(pattern)': \(Self.message(errorCode)) at \(errorOffset)"
            )
        }
        // Without the just-in-time compiler matching is slower, not wrong.
        _ = pcre2_jit_compile_8(compiled, PCRE2_JIT_COMPLETE)
        code = compiled
        self.pattern = pattern
    }

    deinit {
        pcre2_code_free_8(code)
    }

    private static func message(_ code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = pcre2_get_error_message_8(code, &buffer, buffer.count)
        return String(decoding: buffer.prefix(Int(max(0, count))), as: UTF8.self)
    }

    /// What one call needs for matching.
    struct Matcher: ~Copyable {
        let code: OpaquePointer
        let data: OpaquePointer
        let context: OpaquePointer
        let pattern: String

        init(_ expression: RegularExpression) throws(KernelError) {
            guard let data = pcre2_match_data_create_from_pattern_8(expression.code, nil) else {
                throw KernelError(.outOfRange, "no memory for a regular expression")
            }
            guard let context = pcre2_match_context_create_8(nil) else {
                pcre2_match_data_free_8(data)
                throw KernelError(.outOfRange, "no memory for a regular expression")
            }
            pcre2_set_match_limit_8(context, RegularExpression.stepsMax)
            pcre2_set_heap_limit_8(context, 64 << 10)
            code = expression.code
            pattern = expression.pattern
            self.data = data
            self.context = context
        }

        deinit {
            pcre2_match_data_free_8(data)
            pcre2_match_context_free_8(context)
        }

        /// How many groups (with the whole match) are set; 0 without a match.
        func match(
            _ text: UTF8Text.Bytes,
            from offset: Int = 0,
            options: UInt32 = 0
        ) throws(KernelError) -> Int {
            var empty: UInt8 = 0
            let status = withUnsafePointer(to: &empty) {
                pcre2_match_8(
                    code,
                    text.baseAddress ?? $0,
                    text.count,
                    offset,
                    options,
                    data,
                    context
                )
            }
            if status > 0 { return Int(status) }
            if status == PCRE2_ERROR_NOMATCH { return 0 }
            throw KernelError(
                .outOfRange,
                "regular expression '\(pattern)': \(RegularExpression.message(status))"
            )
        }

        /// The range of a group; nil if it took no part.
        func range(_ group: Int) -> Range<Int>? {
            let places = pcre2_get_ovector_pointer_8(data)
            guard group < Int(pcre2_get_ovector_count_8(data)), let places else { return nil }
            let (start, end) = (places[group * 2], places[group * 2 + 1])
            guard start != Int.max, start >= 0, end >= start else { return nil }
            return start..<end
        }
    }

    /// Whether the expression matches somewhere in the text (or all of it, with `whole`).
    package func matches(_ column: Column, whole: Bool = false) throws(KernelError) -> Column {
        try column.mapped(to: .boolean) { column throws(KernelError) -> Column in
            let places = Operand(column).views
            let flags = Buffer(zeroedByteCount: column.count)
            let flag = flags.mutable(as: UInt8.self)
            let matcher = try Matcher(self)
            let options = whole ? PCRE2_ANCHORED | PCRE2_ENDANCHORED : 0
            try forEachValid(column.validity, column.count) { (row) throws(KernelError) in
                let count = try matcher.match((places + row).text, options: options)
                flag[row] = count > 0 ? 1 : 0
            }
            return withExtendedLifetime((column, flags)) {
                Column(
                    bits: .fromFlags(UnsafePointer(flag), count: column.count),
                    validity: column.validity
                )
            }
        }
    }

    /// The text that group `group` (0: the whole match) took in the first match; empty without a
    /// match.
    ///
    /// Shares the text's bytes.
    package func extract(_ column: Column, group: Int = 0) throws(KernelError) -> Column {
        try column.mapped(to: .string) { column throws(KernelError) -> Column in
            let operand = Operand(column)
            let places = operand.views
            let writer = ViewWriter(count: column.count)
            let matcher = try Matcher(self)
            guard group >= 0, group < Int(pcre2_get_ovector_count_8(matcher.data)) else {
                throw KernelError(
                    .outOfRange,
                    "regular expression '\(pattern)' has no group \(group)"
                )
            }
            try forEachValid(column.validity, column.count) { (row) throws(KernelError) in
                let text = (places + row).text
                guard try matcher.match(text) > 0, let range = matcher.range(group),
                    let base = text.baseAddress
                else { return }
                writer.share(row, base + range.lowerBound, range.count)
            }
            return writer.finish(.string, validity: column.validity, sharing: operand.owners)
        }
    }

    /// The text with the first match (or, with `isGlobal`, every match) replaced.
    ///
    /// - Parameter replacement: `\1` to `\9` stand for groups, `\0` and `\&` for the whole match,
    ///   `\\` for a backslash.
    package func replace(
        _ column: Column,
        with replacement: String,
        isGlobal: Bool = false
    ) throws(KernelError) -> Column {
        let pieces = Self.pieces(replacement)
        return try column.mapped(to: .string) { column throws(KernelError) -> Column in
            let places = Operand(column).views
            var writer = ViewWriter(count: column.count)
            let matcher = try Matcher(self)
            var result: [UInt8] = []
            try forEachValid(column.validity, column.count) { (row) throws(KernelError) in
                let text = (places + row).text
                result.removeAll(keepingCapacity: true)
                var done = 0
                var offset = 0
                while offset <= text.count, try matcher.match(text, from: offset) > 0 {
                    // With \K in a lookahead a match may begin before where the search did.
                    guard let range = matcher.range(0), range.lowerBound >= done else { break }
                    result.append(contentsOf: text[done..<range.lowerBound])
                    for piece in pieces {
                        switch piece {
                        case .literal(let bytes): result.append(contentsOf: bytes)
                        case .group(let group):
                            if let part = matcher.range(group) {
                                result.append(contentsOf: text[part])
                            }
                        }
                    }
                    if result.count > StringFunctions.resultBytesMax {
                        throw KernelError(.outOfRange, "a replaced text is too long")
                    }
                    done = range.upperBound
                    if !isGlobal { break }
                    // Behind an empty match the search goes on one code point further.
                    offset =
                        range.isEmpty
                        ? (done < text.count
                            ? UTF8Text.offset(text, from: done, skipping: 1) : done + 1)
                        : done
                }
                result.append(contentsOf: text[min(done, text.count)...])
                writer.set(row, result)
            }
            return withExtendedLifetime(column) {
                writer.finish(.string, validity: column.validity)
            }
        }
    }

    private enum Piece {
        case literal([UInt8])
        case group(Int)
    }

    private static func pieces(_ replacement: String) -> [Piece] {
        var pieces: [Piece] = []
        var literal: [UInt8] = []
        var bytes = Array(replacement.utf8)[...]
        while let byte = bytes.popFirst() {
            guard byte == UInt8(ascii: "\\"), let next = bytes.first else {
                literal.append(byte)
                continue
            }
            bytes = bytes.dropFirst()
            if next &- 48 <= 9 || next == UInt8(ascii: "&") {
                if !literal.isEmpty { pieces.append(.literal(literal)) }
                literal = []
                pieces.append(.group(next == UInt8(ascii: "&") ? 0 : Int(next - 48)))
            } else {
                literal.append(next)
            }
        }
        if !literal.isEmpty { pieces.append(.literal(literal)) }
        return pieces
    }
}
