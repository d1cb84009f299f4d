import Columnar

/// Finds out from the beginning of a CSV file what its dialect, its columns and their types are.
///
/// Delimiter, quote and escape are those under which most rows have the same number of fields. Types
/// are guessed over the whole sample: a column has a type only if every value of the sample has it.
package enum CSVSniffer {
    /// The format of the file that begins with `sample`, without a byte order mark.
    ///
    /// - Parameter isComplete: whether the sample is the whole file; else its last row may be cut.
    /// - Throws: `malformed` when there is nothing to guess from, `invalidOption` when the options
    ///   name columns that are not there.
    package static func sniff(
        _ sample: [UInt8],
        isComplete: Bool,
        options: CSVOptions = CSVOptions()
    ) throws(TextFileError) -> CSVFormat {
        try options.check()
        let buffer = InputBuffer()
        sample.withUnsafeBytes { buffer.append($0) }
        if sample.starts(with: [0xEF, 0xBB, 0xBF]) { buffer.consume(3) }
        return try sniff(
            UnsafeBufferPointer(start: buffer.bytes, count: buffer.count),
            isComplete: isComplete,
            options: options
        )
    }

    private static let dialectBytesMax = 1 << 17

    /// The same on bytes of an `InputBuffer`, that is, with readable padding behind them.
    static func sniff(
        _ sample: UnsafeBufferPointer<UInt8>,
        isComplete: Bool,
        options: CSVOptions
    ) throws(TextFileError) -> CSVFormat {
        let head = UnsafeBufferPointer(rebasing: sample.prefix(dialectBytesMax))
        let isHeadComplete = isComplete && head.count == sample.count
        let (guessed, columnCount) = dialect(head, isComplete: isHeadComplete, options: options)
        var dialect = guessed
        guard let base = sample.baseAddress, columnCount > 0 else {
            if let columns = options.columns {
                return CSVFormat(
                    dialect: dialect,
                    schema: Schema(columns),
                    nullStrings: options.nullStrings ?? [""]
                )
            }
            throw TextFileError(
                .malformed,
                sample.isEmpty
                    ? "the file is empty: its columns cannot be guessed"
                    : "no complete row in the first \(sample.count) bytes"
            )
        }
        if let columns = options.columns, columns.count != columnCount, !options.isNullPadding {
            throw TextFileError(
                .invalidOption,
                "\(columns.count) columns are stated, but rows have \(columnCount) fields"
            )
        }
        let fieldCount = options.columns?.count ?? columnCount
        guard fieldCount <= CSVRowIndex.columnCountMax else {
            throw TextFileError(
                .limit,
                "\(fieldCount) columns; \(CSVRowIndex.columnCountMax) are allowed"
            )
        }
        var first =
            CSVPlainTokenizer(dialect: dialect)
            .rows(head, isComplete: isHeadComplete, countMax: 1)
            .first?
            .fields ?? []
        if first.count < fieldCount {
            let missing = CSVPlainTokenizer.PlainField(bytes: [], isQuoted: false)
            first += [CSVPlainTokenizer.PlainField](
                repeating: missing,
                count: fieldCount - first.count
            )
        }

        // Types of all rows but the first, which may be the header.
        var tokenizer = CSVTokenizer(
            dialect,
            rowBytesMax: options.rowBytesMax,
            isNullPadding: options.isNullPadding
        )
        var position = 0
        for _ in 0..<dialect.skipLineCount {
            position =
                tokenizer.findNewline(base, from: position, to: sample.count)
                .map { $0 + 1 } ?? sample.count
        }
        var inference = CSVTypeInference(
            columnCount: fieldCount,
            nullStrings: options.nullStrings
        )
        let firstIndex = CSVRowIndex(columnCount: fieldCount, capacity: 1)
        _ = tokenizer.run(
            base,
            position: &position,
            end: sample.count,
            isFinal: isComplete,
            index: firstIndex,
            rowCountMax: 1
        )
        var offset = position
        var rowsSeen = 0
        var outcome = CSVTokenizer.Outcome.full
        while case .full = outcome, rowsSeen < options.sampleRowCount {
            let capacity = CSVRowIndex.capacity(columnCount: fieldCount)
            let index = CSVRowIndex(columnCount: fieldCount, capacity: capacity)
            var inBatch = 0
            outcome = tokenizer.run(
                base + offset,
                position: &inBatch,
                end: sample.count - offset,
                isFinal: isComplete,
                index: index,
                rowCountMax: min(capacity, options.sampleRowCount - rowsSeen)
            )
            inference.add(base + offset, index)
            rowsSeen += index.rows.count
            offset += inBatch
            if inBatch == 0 { break }
        }
        dialect.hasHeader =
            options.hasHeader
            ?? isHeader(
                first,
                inference,
                rowsSeen: rowsSeen,
                fieldCount: fieldCount,
                options: options
            )
        if !dialect.hasHeader, options.sampleRowCount > 1 || rowsSeen == 0 {
            inference.add(base, firstIndex)
        }
        let fields: [Field]
        if let columns = options.columns {
            fields = columns
        } else {
            fields = try columnsOf(
                names(first, hasHeader: dialect.hasHeader, count: fieldCount),
                inference,
                options
            )
        }
        return CSVFormat(
            dialect: dialect,
            schema: Schema(fields),
            nullStrings: options.nullStrings ?? [""],
            typedNullStrings: options.nullStrings == nil ? inference.seenNullWords : []
        )
    }

    private static func columnsOf(
        _ names: [String],
        _ inference: CSVTypeInference,
        _ options: CSVOptions
    ) throws(TextFileError) -> [Field] {
        for name in options.types.keys.sorted() where !names.contains(name) {
            throw TextFileError(
                .invalidOption,
                "a type is stated for column \"\(name)\", which the file has not; it has "
                    + names.map { "\"\($0)\"" }.joined(separator: ", ")
            )
        }
        return names.enumerated().map { column, name in
            let guess = options.isAllStrings ? .string : inference.type(of: column)
            return Field(name, options.types[name] ?? guess)
        }
    }

    /// The columns' names, each once; those without one are named after their number, from 0.
    private static func names(
        _ first: [CSVPlainTokenizer.PlainField],
        hasHeader: Bool,
        count: Int
    ) -> [String] {
        var used: Set<String> = []
        var names: [String] = []
        for column in 0..<count {
            var name = "column\(column)"
            if hasHeader, column < first.count {
                let text = String(decoding: first[column].bytes, as: UTF8.self)
                let trimmed = text.drop { $0 == " " || $0 == "\t" }
                if !trimmed.isEmpty { name = String(trimmed) }
                while name.last == " " || name.last == "\t" { name.removeLast() }
            }
            var unique = name
            var number = 1
            while !used.insert(unique).inserted {
                unique = "\(name)_\(number)"
                number += 1
            }
            names.append(unique)
        }
        return names
    }

    /// Whether the first row holds names: it is unlike the rows below it, or all is text and it
    /// looks like names.
    private static func isHeader(
        _ first: [CSVPlainTokenizer.PlainField],
        _ inference: CSVTypeInference,
        rowsSeen: Int,
        fieldCount: Int,
        options: CSVOptions
    ) -> Bool {
        if let columns = options.columns {
            let names = columns.map { $0.name.lowercased() }
            let cells = first.map { String(decoding: $0.bytes, as: UTF8.self).lowercased() }
            if names == cells { return true }
        }
        var isTyped = false
        for (column, cell) in first.enumerated() where column < fieldCount {
            let type = inference.type(of: column)
            if type == .string || cell.bytes.isEmpty { continue }
            isTyped = true
            let padded = cell.bytes + [UInt8](repeating: 0, count: 16)
            let fits = padded.withUnsafeBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return false }
                let inner = CSVColumnConverter.trimmed(base, cell.bytes.count)
                return CSVColumnConverter.isValue(inner.bytes, inner.count, of: type)
            }
            let isNullWord = CSVTypeInference.nullWords.contains(
                String(decoding: cell.bytes, as: UTF8.self)
            )
            if !fits, !isNullWord { return true }
        }
        if isTyped { return false }
        // All text: names are there, differ, and are no numbers or dates.
        guard !first.isEmpty, Set(first.map(\.bytes)).count == first.count else { return false }
        return first.allSatisfy { cell in
            let padded = cell.bytes + [UInt8](repeating: 0, count: 16)
            return padded.withUnsafeBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return false }
                return CSVTypeInference.candidates(base, cell.bytes.count).isEmpty
            }
        }
    }

    // MARK: Dialect

    private struct Score {
        var dialect: CSVDialect
        var columnCount: Int
        var value: Double
        var quotedCount: Int
    }

    /// The dialect under which the rows agree best, and how many fields they have.
    private static func dialect(
        _ head: UnsafeBufferPointer<UInt8>,
        isComplete: Bool,
        options: CSVOptions
    ) -> (CSVDialect, columnCount: Int) {
        let isCarriageReturnLine = !head.contains(10) && head.contains(13)
        let quotes: [(quote: UInt8?, escape: UInt8?)]
        let double = UInt8(ascii: "\"")
        let single = UInt8(ascii: "'")
        let backslash = UInt8(ascii: "\\")
        if let forced = options.quote {
            quotes =
                options.escape.map { [(forced, $0)] }
                ?? (forced == nil ? [(nil, nil)] : [(forced, forced), (forced, backslash)])
        } else if let escape = options.escape {
            quotes = [(double, escape), (single, escape)]
        } else {
            quotes = [(double, double), (double, backslash), (single, single), (single, backslash)]
        }
        // , ; tab | ^
        let delimiters: [UInt8] = options.delimiter.map { [$0] } ?? [44, 59, 9, 124, 94]
        var best: Score?
        for delimiter in delimiters {
            for (order, (quote, escape)) in quotes.enumerated() {
                if quote == delimiter { continue }
                if order > 0, let escape, escape == backslash, !head.contains(backslash) {
                    continue
                }
                if order > 0, let quote, !head.contains(quote) { continue }
                let candidate = CSVDialect(
                    delimiter: delimiter,
                    quote: quote,
                    escape: escape,
                    comment: options.comment,
                    isCarriageReturnLine: isCarriageReturnLine,
                    skipLineCount: options.skipLineCount
                )
                guard
                    let score = score(
                        candidate,
                        head,
                        isComplete: isComplete,
                        columnCount: options.columns?.count
                    )
                else { continue }
                if let current = best {
                    // A later candidate must be better, not just as good; but quotes that are
                    // used are better than quotes that are not.
                    let usesQuotes = score.quotedCount > 0 && current.quotedCount == 0
                    let isBetter =
                        score.value > current.value
                        || (score.value == current.value && usesQuotes
                            && current.dialect.delimiter == delimiter)
                    if isBetter { best = score }
                } else {
                    best = score
                }
            }
        }
        if let best { return (best.dialect, best.columnCount) }
        let (quote, escape) = quotes[0]
        return (
            CSVDialect(
                delimiter: delimiters[0],
                quote: quote,
                escape: escape,
                comment: options.comment,
                isCarriageReturnLine: isCarriageReturnLine,
                skipLineCount: options.skipLineCount
            ),
            0
        )
    }

    private static func score(
        _ dialect: CSVDialect,
        _ head: UnsafeBufferPointer<UInt8>,
        isComplete: Bool,
        columnCount: Int?
    ) -> Score? {
        let rows = CSVPlainTokenizer(dialect: dialect)
            .rows(head, isComplete: isComplete, countMax: 2048)
        guard !rows.isEmpty else { return nil }
        var counts: [Int: Int] = [:]
        var quotedCount = 0
        for row in rows {
            if !row.isMalformed { counts[row.fields.count, default: 0] += 1 }
            quotedCount += row.fields.count { $0.isQuoted }
        }
        let common = counts.max { ($0.value, $0.key) < ($1.value, $1.key) }
        // When the columns are known, rows that have them decide.
        let chosen = columnCount.flatMap { counts[$0] == nil ? nil : $0 } ?? common?.key ?? 1
        let ratio = Double(counts[chosen] ?? 0) / Double(rows.count)
        let width = Double(min(8, chosen - 1)).squareRoot()
        // One column is what is left when no delimiter makes sense.
        var value = chosen == 1 ? ratio * 0.1 : ratio * ratio * width
        if chosen > 1, ratio < 0.5 { value *= 0.1 }
        if chosen == columnCount { value += 10 }
        return Score(
            dialect: dialect,
            columnCount: chosen,
            value: value,
            quotedCount: quotedCount
        )
    }
}
