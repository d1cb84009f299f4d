package import Columnar

/// Reads CSV as it comes: bytes are fed in pieces of any size, batches are taken out.
///
/// ```
/// sampling ──▶ preamble ──▶ rows ──▶ done
///    │            │          │
///    └────────────┴──────────┴──▶ failed (the same error again and again)
/// ```
///
/// 1. `next` gives a batch as soon as 2048 rows (or 32 MiB of text, or 8 Mi fields) are there; the last
///    one is shorter.
/// 2. Which rows make a batch does not depend on how the bytes were cut into pieces.
/// 3. Memory is bounded by the sample, one batch of text, one row, and what is fed at a time: take all
///    batches out before feeding on.
///
/// Not to be shared between threads.
package final class CSVReader {
    /// What the file looks like: given, or known when the sample has been seen.
    package private(set) var format: CSVFormat?
    /// Rows given out so far.
    package private(set) var rowCount = 0
    /// Rows left out so far, under `skip` and `collect`.
    package private(set) var rejectedRowCount = 0

    private let options: CSVOptions
    private let input = InputBuffer()
    private var isFinished = false
    private var failure: TextFileError?
    private var rejectedRows: [RejectedRow] = []

    private var isMarkSkipped = false
    private var sampleScannedCount = 0
    private var sampleLineFeeds = 0
    private var sampleCarriageReturns = 0

    private var tokenizer: CSVTokenizer?
    private var converters: [CSVColumnConverter] = []
    private var index: CSVRowIndex?
    private var linesToSkip = 0
    private var isHeaderToSkip = false
    /// Up to here the input is indexed.
    private var position = 0
    /// The input must have grown to this before looking for the end of a row makes sense again.
    private var retryCount = 0

    /// A reader that finds out the format itself, as far as the options leave it open.
    package init(options: CSVOptions = CSVOptions()) throws(TextFileError) {
        try options.check()
        self.options = options
    }

    /// A reader of a known format; of the options only limits and error policy count.
    package init(
        format: CSVFormat,
        options: CSVOptions = CSVOptions()
    ) throws(TextFileError) {
        try options.check()
        self.options = options
        try begin(format)
    }

    /// The columns; nil until the sample has been seen.
    package var schema: Schema? { format?.schema }

    /// Takes more bytes of the file.
    package func feed(_ bytes: UnsafeRawBufferPointer) {
        precondition(!isFinished, "fed after the end")
        input.append(bytes)
    }

    /// Takes more bytes of the file.
    package func feed(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { feed($0) }
    }

    /// Says that the file ends here.
    package func finish() {
        isFinished = true
    }

    /// The rows that were left out since the last call, under the policy `collect`.
    package func takeRejectedRows() -> [RejectedRow] {
        defer { rejectedRows = [] }
        return rejectedRows
    }

    /// The next batch; nil when more bytes are needed or, after `finish`, when there are no more rows.
    package func next() throws(TextFileError) -> RecordBatch? {
        if let failure { throw failure }
        do throws(TextFileError) {
            return try advance()
        } catch {
            failure = error
            throw error
        }
    }

    private func begin(_ format: CSVFormat) throws(TextFileError) {
        guard format.schema.count > 0 else {
            throw TextFileError(.invalidOption, "a CSV file without columns")
        }
        guard format.schema.count <= CSVRowIndex.columnCountMax else {
            throw TextFileError(
                .limit,
                "\(format.schema.count) columns; \(CSVRowIndex.columnCountMax) are allowed"
            )
        }
        self.format = format
        tokenizer = CSVTokenizer(
            format.dialect,
            rowBytesMax: options.rowBytesMax,
            isNullPadding: options.isNullPadding
        )
        for (column, field) in format.schema.fields.enumerated() {
            converters.append(
                try CSVColumnConverter(field: field, column: column, format: format)
            )
        }
        index = CSVRowIndex(
            columnCount: format.schema.count,
            capacity: CSVRowIndex.capacity(columnCount: format.schema.count)
        )
        linesToSkip = format.dialect.skipLineCount
        isHeaderToSkip = format.dialect.hasHeader
    }

    private func advance() throws(TextFileError) -> RecordBatch? {
        guard skipMark() else { return nil }
        if format == nil {
            guard let sampleCount = sampleCount() else { return nil }
            let sample = UnsafeBufferPointer(start: input.bytes, count: sampleCount)
            try begin(
                try CSVSniffer.sniff(
                    sample,
                    isComplete: isFinished && sampleCount == input.count,
                    options: options
                )
            )
        }
        guard try skipPreamble() else { return nil }
        guard let index else { return nil }
        while true {
            if !isFinished, input.count < retryCount { return nil }
            let outcome = tokenize(index, rowCountMax: index.capacity)
            switch outcome {
            case .needsMore:
                // Twice as much of the row, so that long rows are not looked at too often.
                retryCount = position + 2 * (input.count - position)
                return nil
            case .atEnd:
                if !isFinished { return nil }
                return try takeBatch(index)
            case .tooLong:
                _ = try takeBatch(index)
                throw tooLong()
            case .full:
                if let batch = try takeBatch(index) { return batch }
            }
        }
    }

    private func tooLong() -> TextFileError {
        TextFileError(
            .limit,
            "a row of more than \(options.rowBytesMax) bytes (is a quote not closed?)",
            line: tokenizer?.line
        )
    }

    private func tokenize(_ index: CSVRowIndex, rowCountMax: Int) -> CSVTokenizer.Outcome {
        guard var tokenizer else { return .atEnd }
        let outcome = tokenizer.run(
            input.bytes,
            position: &position,
            end: input.count,
            isFinal: isFinished,
            index: index,
            rowCountMax: rowCountMax
        )
        self.tokenizer = tokenizer
        return outcome
    }

    /// Leaves out a byte order mark; false when it is not known yet whether there is one.
    private func skipMark() -> Bool {
        if isMarkSkipped { return true }
        if input.count < 3, !isFinished { return false }
        isMarkSkipped = true
        if input.count >= 3, input.bytes[0] == 0xEF, input.bytes[1] == 0xBB,
            input.bytes[2] == 0xBF
        {
            input.consume(3)
        }
        return true
    }

    /// How many bytes make the sample: whole lines, unless the byte limit cuts one.
    private func sampleCount() -> Int? {
        let lineMax = options.sampleRowCount + options.skipLineCount + 1
        let end = min(input.count, options.sampleBytesMax)
        let bytes = input.bytes
        while sampleScannedCount < end {
            let byte = bytes[sampleScannedCount]
            sampleScannedCount += 1
            if byte == 10 { sampleLineFeeds += 1 }
            if byte == 13 { sampleCarriageReturns += 1 }
            // A file has line feeds or, if it is very old, carriage returns alone.
            let lines = sampleLineFeeds > 0 ? sampleLineFeeds : sampleCarriageReturns - 1
            if byte == 10 || byte == 13, lines >= lineMax { return sampleScannedCount }
        }
        if sampleScannedCount == options.sampleBytesMax { return sampleScannedCount }
        return isFinished ? input.count : nil
    }

    /// Leaves out the lines before the header, and the header; false when more bytes are needed.
    private func skipPreamble() throws(TextFileError) -> Bool {
        while linesToSkip > 0, let tokenizer {
            guard let lineEnd = tokenizer.findNewline(input.bytes, from: 0, to: input.count) else {
                if input.count > options.rowBytesMax { throw tooLong() }
                if !isFinished { return false }
                input.consume(input.count)
                linesToSkip = 0
                break
            }
            input.consume(lineEnd + 1)
            self.tokenizer?.line += 1
            linesToSkip -= 1
        }
        guard isHeaderToSkip, let format else { return true }
        let header = CSVRowIndex(columnCount: format.schema.count, capacity: 1)
        let outcome = tokenize(header, rowCountMax: 1)
        if case .tooLong = outcome { throw tooLong() }
        if header.rows.isEmpty, header.malformed.isEmpty {
            return isFinished
        }
        isHeaderToSkip = false
        input.consume(position)
        position = 0
        return true
    }

    /// Makes the rows of the index a batch and forgets them; nil when there are none.
    private func takeBatch(_ index: CSVRowIndex) throws(TextFileError) -> RecordBatch? {
        guard let format else { return nil }
        let base = input.bytes
        var faults = CSVRowFaults()
        var columns = convert(base, index, &faults)
        if !faults.isEmpty || !index.malformed.isEmpty {
            try reject(base, index, faults, format)
            if !faults.isEmpty {
                index.removeRows(faults.isBad)
                var none = CSVRowFaults()
                columns = convert(base, index, &none)
            }
        }
        let count = index.rows.count
        index.removeAll()
        input.consume(position)
        position = 0
        retryCount = 0
        if count == 0 { return nil }
        rowCount += count
        return RecordBatch(schema: format.schema, columns: columns, rowCount: count)
    }

    private func convert(
        _ base: UnsafePointer<UInt8>,
        _ index: CSVRowIndex,
        _ faults: inout CSVRowFaults
    ) -> [Column] {
        var columns: [Column] = []
        columns.reserveCapacity(converters.count)
        for converter in converters { columns.append(converter.convert(base, index, &faults)) }
        return columns
    }

    /// Does with bad rows what the policy says, in the order of the file.
    private func reject(
        _ base: UnsafePointer<UInt8>,
        _ index: CSVRowIndex,
        _ faults: CSVRowFaults,
        _ format: CSVFormat
    ) throws(TextFileError) {
        var bad: [(row: CSVRowIndex.Row, column: Int?, reason: String)] = []
        for fault in faults.faults {
            bad.append((index.rows[fault.row], fault.column, fault.reason))
        }
        for malformed in index.malformed { bad.append((malformed.row, nil, malformed.reason)) }
        bad.sort { $0.row.start < $1.row.start }
        for (row, column, reason) in bad {
            let name = column.map { format.schema[$0].name }
            switch options.onError {
            case .fail:
                throw TextFileError(
                    column == nil ? .malformed : .badValue,
                    reason,
                    line: row.line,
                    column: column.map { $0 + 1 },
                    columnName: name
                )
            case .skip:
                rejectedRowCount += 1
            case .collect(let countMax):
                rejectedRowCount += 1
                if rejectedRows.count >= countMax {
                    throw TextFileError(
                        .limit,
                        "more than \(countMax) rejected rows; the last: \(reason)",
                        line: row.line,
                        column: column.map { $0 + 1 },
                        columnName: name
                    )
                }
                let count = min(row.end - row.start, RejectedRow.rawTextBytesMax)
                let raw = UnsafeBufferPointer(start: base + row.start, count: count)
                rejectedRows.append(
                    RejectedRow(
                        line: row.line,
                        column: column.map { $0 + 1 },
                        columnName: name,
                        reason: reason,
                        rawText: String(decoding: raw, as: UTF8.self)
                    )
                )
            }
        }
    }
}

extension CSVReader {
    /// All rows of a file that is in memory; for tests and small files.
    package static func read(
        _ bytes: [UInt8],
        options: CSVOptions = CSVOptions()
    ) throws(TextFileError) -> (schema: Schema, batches: [RecordBatch]) {
        let reader = try CSVReader(options: options)
        reader.feed(bytes)
        reader.finish()
        var batches: [RecordBatch] = []
        while let batch = try reader.next() { batches.append(batch) }
        return (reader.schema ?? Schema([]), batches)
    }
}
