/// Takes CSV text apart byte by byte, whatever the number of fields: for guessing dialects and for
/// headers.
struct CSVPlainTokenizer {
    struct PlainField: Equatable {
        var bytes: [UInt8]
        var isQuoted: Bool
    }

    struct PlainRow: Equatable {
        var fields: [PlainField]
        /// Whether a quoted field is not closed, or text follows its end.
        var isMalformed: Bool
        var line: Int
        /// Where the row ends: behind its line end.
        var end: Int
    }

    let dialect: CSVDialect

    /// Rows from the beginning of `bytes`; the last is left out when it is cut off.
    func rows(
        _ bytes: UnsafeBufferPointer<UInt8>,
        isComplete: Bool,
        countMax: Int = .max,
        keepsBlankLines: Bool = false
    ) -> [PlainRow] {
        let newline = dialect.newline
        var result: [PlainRow] = []
        var at = 0
        var line = 1
        for _ in 0..<dialect.skipLineCount {
            while at < bytes.count, bytes[at] != newline { at += 1 }
            at += 1
            line += 1
        }
        while at < bytes.count, result.count < countMax {
            if bytes[at] == dialect.comment {
                while at < bytes.count, bytes[at] != newline { at += 1 }
                at += 1
                line += 1
                continue
            }
            let start = at
            let startLine = line
            var row = PlainRow(fields: [], isMalformed: false, line: startLine, end: 0)
            var isRowOpen = true
            while isRowOpen {
                var field = PlainField(bytes: [], isQuoted: false)
                if at < bytes.count, let quote = dialect.quote, bytes[at] == quote {
                    field.isQuoted = true
                    at += 1
                    var isClosed = false
                    while at < bytes.count, !isClosed {
                        let byte = bytes[at]
                        let isEscape =
                            byte == dialect.escape && at + 1 < bytes.count
                            && (bytes[at + 1] == quote || bytes[at + 1] == dialect.escape)
                        if isEscape {
                            field.bytes.append(bytes[at + 1])
                            at += 2
                        } else if byte == quote {
                            isClosed = true
                            at += 1
                        } else {
                            if byte == newline { line += 1 }
                            field.bytes.append(byte)
                            at += 1
                        }
                    }
                    if !isClosed { row.isMalformed = true }
                }
                let tail = at
                while at < bytes.count, bytes[at] != dialect.delimiter, bytes[at] != newline {
                    field.bytes.append(bytes[at])
                    at += 1
                }
                let isLineEnd = at >= bytes.count || bytes[at] == newline
                var tailCount = at - tail
                if isLineEnd, newline == 10, tailCount > 0, bytes[at - 1] == 13 {
                    field.bytes.removeLast()
                    tailCount -= 1
                }
                if field.isQuoted, tailCount > 0 { row.isMalformed = true }
                row.fields.append(field)
                if isLineEnd {
                    isRowOpen = false
                } else if bytes[at] == dialect.delimiter {
                    at += 1
                }
            }
            let isCutOff = at >= bytes.count && !isComplete
            at += 1
            line += 1
            row.end = min(at, bytes.count)
            if isCutOff { break }
            let isBlank =
                row.fields.count == 1 && row.fields[0].bytes.isEmpty && !row.fields[0].isQuoted
            if isBlank, !keepsBlankLines, row.end > start { continue }
            result.append(row)
        }
        return result
    }
}
