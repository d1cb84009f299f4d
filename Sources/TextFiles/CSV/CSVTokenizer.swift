/// Finds rows and fields in CSV text.
///
/// Eight bytes are looked at together for delimiters, line ends and quotes; what lies between is
/// never touched. A quote opens a field only at its beginning; elsewhere in an unquoted field it is
/// a character like others. A row that is cut off by the end of the bytes is not begun: the caller
/// comes again with more.
struct CSVTokenizer {
    enum Outcome {
        /// The index is full, or the batch has its bytes.
        case full
        /// Every byte behind `position` belongs to a row that is not complete.
        case needsMore
        /// All bytes are done.
        case atEnd
        /// A row is longer than allowed.
        case tooLong
    }

    private typealias Bytes = UnsafePointer<UInt8>

    let delimiter: UInt8
    let quote: UInt8?
    let escape: UInt8?
    let comment: UInt8?
    let newline: UInt8
    let rowBytesMax: Int
    let isNullPadding: Bool
    /// Physical line of the next row, from 1.
    var line = 1

    /// Rows of a batch end here or shortly behind, so that a batch has a bound in bytes.
    static let batchBytesMax = 1 << 25

    init(_ dialect: CSVDialect, rowBytesMax: Int, isNullPadding: Bool) {
        delimiter = dialect.delimiter
        quote = dialect.quote
        escape = dialect.escape
        comment = dialect.comment
        newline = dialect.newline
        self.rowBytesMax = rowBytesMax
        self.isNullPadding = isNullPadding
    }

    @inline(__always)
    private static func repeated(_ byte: UInt8) -> UInt64 {
        UInt64(byte) &* 0x0101_0101_0101_0101
    }

    /// The top bit of every byte of `word` that is not zero, and of none that is.
    @inline(__always)
    private static func nonZero(_ word: UInt64) -> UInt64 {
        ((word & 0x7F7F_7F7F_7F7F_7F7F) &+ 0x7F7F_7F7F_7F7F_7F7F) | word
    }

    private enum QuotedEnd {
        case needsMore
        case unterminated
        /// The closing quote, and whether something inside is escaped.
        case closed(at: Int, isEscaped: Bool)
    }

    /// Looks for the quote that closes a field whose text begins at `from`.
    @inline(never)
    private func closingQuote(
        _ base: Bytes,
        from: Int,
        to end: Int,
        isFinal: Bool,
        quote: UInt8,
        newlines: inout Int
    ) -> QuotedEnd {
        let quotes = Self.repeated(quote)
        let escapes = Self.repeated(escape ?? quote)
        let lines = Self.repeated(newline)
        var at = from
        var isEscaped = false
        while at < end {
            let word = FieldParsing.word(base + at)
            var hits =
                ~(Self.nonZero(word ^ quotes) & Self.nonZero(word ^ escapes)
                & Self.nonZero(word ^ lines)) & 0x8080_8080_8080_8080
            if at &+ 8 > end { hits &= UInt64.max &>> UInt64((at &+ 8 &- end) &* 8) }
            var next = at &+ 8
            scan: while hits != 0 {
                let place = at &+ hits.trailingZeroBitCount &>> 3
                hits &= hits &- 1
                let byte = base[place]
                if byte == newline {
                    newlines &+= 1
                    continue
                }
                let isEscape = byte == escape
                if isEscape, place &+ 1 < end {
                    let following = base[place &+ 1]
                    if following == quote || following == escape {
                        isEscaped = true
                        next = place &+ 2
                        break scan
                    }
                } else if isEscape, !isFinal {
                    return .needsMore
                }
                if byte == quote { return .closed(at: place, isEscaped: isEscaped) }
            }
            at = next
        }
        return isFinal ? .unterminated : .needsMore
    }

    /// Adds rows to `index` until it holds `rowCountMax`, from `position` on.
    ///
    /// `base` has `end` bytes and the padding that `FieldParsing` asks for.
    mutating func run(
        _ base: UnsafePointer<UInt8>,
        position: inout Int,
        end: Int,
        isFinal: Bool,
        index: CSVRowIndex,
        rowCountMax: Int
    ) -> Outcome {
        let columnCount = index.columnCount
        let delimiters = Self.repeated(delimiter)
        let lines = Self.repeated(newline)
        // Without a quote, the delimiter is looked for twice.
        let quotes = Self.repeated(quote ?? delimiter)
        let (delimiter, newline) = (delimiter, newline)
        var target = index.fields + index.rows.count * columnCount
        rows: while index.rows.count < rowCountMax, position < Self.batchBytesMax {
            let rowStart = position
            if rowStart >= end { return .atEnd }
            var newlines = 0
            var reason: String?
            var column = 0
            var fieldStart = rowStart
            var at = rowStart
            var rowEnd = -1
            if base[rowStart] == comment {
                guard let lineEnd = findNewline(base, from: rowStart, to: end) else {
                    if end - rowStart > rowBytesMax { return .tooLong }
                    if !isFinal { return .needsMore }
                    position = end
                    return .atEnd
                }
                position = lineEnd + 1
                line += 1
                continue
            }
            scan: while true {
                if at >= end {
                    // The file ends without a line end, or the rest is still to come.
                    if end - rowStart > rowBytesMax { return .tooLong }
                    if !isFinal { return .needsMore }
                    var fieldEnd = end
                    if newline == 10, fieldEnd > fieldStart, base[fieldEnd - 1] == 13 {
                        fieldEnd -= 1
                    }
                    if column < columnCount {
                        target[column] =
                            UInt64(fieldStart) | UInt64(fieldEnd - fieldStart) &<< 32
                    }
                    column += 1
                    rowEnd = end
                    break scan
                }
                let word = FieldParsing.word(base + at)
                var hits =
                    ~(Self.nonZero(word ^ delimiters) & Self.nonZero(word ^ lines)
                    & Self.nonZero(word ^ quotes)) & 0x8080_8080_8080_8080
                if at &+ 8 > end { hits &= UInt64.max &>> UInt64((at &+ 8 &- end) &* 8) }
                while hits != 0 {
                    let place = at &+ hits.trailingZeroBitCount &>> 3
                    hits &= hits &- 1
                    let byte = base[place]
                    if byte == delimiter {
                        if column < columnCount {
                            target[column] =
                                UInt64(fieldStart) | UInt64(place &- fieldStart) &<< 32
                        }
                        column &+= 1
                        fieldStart = place &+ 1
                    } else if byte == newline {
                        var fieldEnd = place
                        if newline == 10, place > fieldStart, base[place &- 1] == 13 {
                            fieldEnd &-= 1
                        }
                        if column < columnCount {
                            target[column] =
                                UInt64(fieldStart) | UInt64(fieldEnd &- fieldStart) &<< 32
                        }
                        column &+= 1
                        rowEnd = place
                        break scan
                    } else if place == fieldStart, let quote {
                        let close = closingQuote(
                            base,
                            from: place + 1,
                            to: end,
                            isFinal: isFinal,
                            quote: quote,
                            newlines: &newlines
                        )
                        guard case .closed(let closeAt, let isEscaped) = close else {
                            if end - rowStart > rowBytesMax { return .tooLong }
                            if case .needsMore = close { return .needsMore }
                            reason = "a quoted field is not closed"
                            rowEnd = end
                            break scan
                        }
                        // What follows the closing quote must end the field.
                        var after = closeAt + 1
                        if newline == 10, after < end, base[after] == 13 {
                            if after + 1 < end {
                                if base[after + 1] == 10 { after += 1 }
                            } else if isFinal {
                                after += 1
                            }
                        }
                        if after >= end, !isFinal {
                            if end - rowStart > rowBytesMax { return .tooLong }
                            return .needsMore
                        }
                        if after < end, base[after] != delimiter, base[after] != newline {
                            if reason == nil {
                                if base[after] == 13, newline == 10, after + 1 == end, !isFinal {
                                    return .needsMore
                                }
                                reason = "text follows the closing quote of field \(column + 1)"
                            }
                            at = after
                            continue scan
                        }
                        if column < columnCount {
                            target[column] =
                                UInt64(place + 1) | UInt64(closeAt - place - 1) &<< 32
                                | CSVRowIndex.quotedFlag
                                | (isEscaped ? CSVRowIndex.escapedFlag : 0)
                        }
                        column += 1
                        if after >= end {
                            rowEnd = end
                            break scan
                        }
                        if base[after] == newline {
                            rowEnd = after
                            break scan
                        }
                        fieldStart = after + 1
                        at = fieldStart
                        if at >= end, !isFinal { return .needsMore }
                        continue scan
                    }
                }
                at &+= 8
            }
            let row = CSVRowIndex.Row(start: rowStart, end: rowEnd, line: line)
            if rowEnd - rowStart > rowBytesMax { return .tooLong }
            position = min(end, rowEnd + 1)
            line += newlines + 1
            if column != columnCount || reason != nil {
                let first = base[rowStart]
                let isBlank =
                    reason == nil && column == 1
                    && (first == newline || (rowEnd == rowStart + 1 && first == 13))
                if isBlank { continue }
                guard reason == nil, column < columnCount, isNullPadding else {
                    index.malformed.append(
                        CSVRowIndex.Malformed(
                            row: row,
                            reason: reason ?? "\(column) fields instead of \(columnCount)",
                            rowsBefore: index.rows.count
                        )
                    )
                    if index.malformed.count >= index.capacity { return .full }
                    continue
                }
                for missing in column..<columnCount { target[missing] = UInt64(rowStart) }
            }
            index.rows.append(row)
            target += columnCount
        }
        return .full
    }

    /// The next line end from `from` on.
    func findNewline(_ base: UnsafePointer<UInt8>, from: Int, to end: Int) -> Int? {
        var at = from
        while at < end, base[at] != newline { at &+= 1 }
        return at < end ? at : nil
    }
}
