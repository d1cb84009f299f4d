package import Columnar

/// Reads JSON rows as they come: bytes are fed in pieces of any size, batches are taken out.
///
/// A row is an object: one a line (NDJSON), or one an element of an array. The columns are guessed
/// from the first rows: objects become structs, arrays lists, integers `BIGINT` (`DECIMAL(38,0)` when
/// they are larger), other numbers `DOUBLE`, and places with values of several kinds JSON text.
///
/// 1. `next` gives a batch as soon as 2048 rows (or 32 MiB of text) are there; the last one is shorter.
/// 2. Which rows make a batch does not depend on how the bytes were cut into pieces.
/// 3. Memory is bounded by the sample, one batch of text, one row, and what is fed at a time.
///
/// In lines, a broken row is one that cannot be read; broken JSON in an array ends the file. Not to
/// be shared between threads.
package final class JSONReader {
    /// The columns: given, or known when the sample has been seen.
    package private(set) var format: JSONFormat?
    /// Rows given out so far.
    package private(set) var rowCount = 0
    /// Rows left out so far, under `skip` and `collect`.
    package private(set) var rejectedRowCount = 0

    private let options: JSONOptions
    private let input = InputBuffer()
    private let scratch = JSONScratch()
    private var isFinished = false
    private var isMarkSkipped = false
    private var failure: TextFileError?
    private var rejectedRows: [RejectedRow] = []

    private var finder: JSONRowFinder
    private var rows: [JSONRowFinder.Row] = []
    /// Whether no row comes behind those in `rows`, and why when that is an error.
    private var isAtEnd = false
    private var endError: TextFileError?
    private var retryCount = 0
    private var root: JSONObjectNode?
    private var nodes: [JSONColumnNode] = []

    private static let batchBytesMax = 1 << 25

    /// A reader that finds out the columns itself, unless the options state them.
    package init(options: JSONOptions = JSONOptions()) throws(TextFileError) {
        try options.check()
        self.options = options
        finder = JSONRowFinder(layout: options.layout, rowBytesMax: options.rowBytesMax)
    }

    /// A reader of a known format.
    package init(
        format: JSONFormat,
        options: JSONOptions = JSONOptions()
    ) throws(TextFileError) {
        try options.check()
        self.options = options
        finder = JSONRowFinder(layout: format.layout, rowBytesMax: options.rowBytesMax)
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

    private func begin(_ format: JSONFormat) throws(TextFileError) {
        guard format.schema.count > 0 else {
            throw TextFileError(.malformed, "the objects have no keys: there are no columns")
        }
        self.format = format
        try makeNodes(format)
    }

    private func makeNodes(_ format: JSONFormat) throws(TextFileError) {
        nodes = []
        for field in format.schema.fields {
            nodes.append(
                try JSONColumnNode(
                    field,
                    builder: ColumnBuilder(field.type, capacity: RecordBatch.rowCountMax),
                    path: [field.name],
                    format: format,
                    ignoresUnknownKeys: options.unknownKeys == .ignore
                )
            )
        }
        root = JSONObjectNode(
            format.schema.fields,
            nodes,
            ignoresUnknownKeys: options.unknownKeys == .ignore
        )
    }

    private func advance() throws(TextFileError) -> RecordBatch? {
        if !isMarkSkipped {
            if input.count < 3, !isFinished { return nil }
            isMarkSkipped = true
            let bytes = input.bytes
            if input.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF {
                input.consume(3)
            }
        }
        if format == nil {
            if let columns = options.columns {
                let layout = options.layout ?? .newlineDelimited
                try begin(JSONFormat(layout: layout, schema: Schema(columns)))
            } else {
                guard findRows(countMax: options.sampleRowCount, bytesMax: options.sampleBytesMax)
                else { return nil }
                try infer()
            }
        }
        while true {
            _ = findRows(countMax: RecordBatch.rowCountMax, bytesMax: Self.batchBytesMax)
            guard let count = batchRowCount() else { return nil }
            if count == 0 {
                if let endError { throw endError }
                return nil
            }
            if let batch = try takeBatch(count) { return batch }
        }
    }

    /// Finds rows until there are `countMax`, or `bytesMax` bytes of them, or no more; false when
    /// more bytes are needed for that.
    private func findRows(countMax: Int, bytesMax: Int) -> Bool {
        while rows.count < countMax, (rows.last?.end ?? 0) < bytesMax {
            if isAtEnd { return true }
            if !isFinished, input.count < retryCount { return false }
            switch finder.next(input.bytes, end: input.count, isFinal: isFinished) {
            case .row(let row): rows.append(row)
            case .needsMore:
                // Twice as much of the row, so that long rows are not looked at too often.
                retryCount = finder.position + 2 * (input.count - finder.position)
                return false
            case .atEnd: isAtEnd = true
            case .tooLong:
                isAtEnd = true
                endError = TextFileError(
                    .limit,
                    "a row of more than \(options.rowBytesMax) bytes",
                    line: finder.line
                )
            case .malformed(let reason):
                isAtEnd = true
                endError = TextFileError(.malformed, reason, line: finder.line)
            }
        }
        return true
    }

    /// How many of the rows found make the next batch; nil when more must be found before.
    private func batchRowCount() -> Int? {
        var count = 0
        for row in rows {
            if count == RecordBatch.rowCountMax || row.start >= Self.batchBytesMax { return count }
            count += 1
        }
        let isFull =
            count == RecordBatch.rowCountMax || (rows.last?.end ?? 0) >= Self.batchBytesMax
        return isFull || isAtEnd ? count : nil
    }

    private func infer() throws(TextFileError) {
        let guess = JSONTypeGuess()
        for row in rows {
            let isObject = input.bytes[row.start] == UInt8(ascii: "{")
            // A row that is broken from its first byte on says nothing about the columns.
            guard isObject else { continue }
            var cursor = JSONCursor(input.bytes, from: row.start, to: row.end, scratch: scratch)
            do throws(JSONFault) {
                try guess.add(&cursor)
            } catch {
                if options.onError == .fail { throw located(error, row) }
            }
        }
        guard guess.isObject else {
            if let endError, rows.isEmpty { throw endError }
            throw TextFileError(
                .malformed,
                rows.isEmpty
                    ? "the file has no rows: its columns cannot be guessed"
                    : "rows must be objects",
                line: rows.first?.line
            )
        }
        var jsonTextPaths: Set<[String]> = []
        var fields = guess.structure(
            path: [],
            detectsDates: options.detectsDates,
            jsonTextPaths: &jsonTextPaths
        )
        for (name, type) in options.types.sorted(by: { $0.key < $1.key }) {
            guard let place = fields.firstIndex(where: { $0.name == name }) else {
                throw TextFileError(
                    .invalidOption,
                    "a type is stated for \"\(name)\", which is no key of the sample"
                )
            }
            fields[place].type = type
            jsonTextPaths = jsonTextPaths.filter { $0.first != name }
        }
        try begin(
            JSONFormat(
                layout: finder.layout ?? .newlineDelimited,
                schema: Schema(fields),
                jsonTextPaths: jsonTextPaths
            )
        )
    }

    private func located(_ fault: JSONFault, _ row: JSONRowFinder.Row) -> TextFileError {
        // Lines inside the row come before the fault when objects stretch over several.
        TextFileError(
            fault.kind == .malformed ? .malformed : .badValue,
            "\(fault.reason) (at byte \(fault.offset - row.start + 1) of the row)",
            line: row.line,
            column: fault.column.map { $0 + 1 },
            columnName: fault.column.flatMap { format?.schema[$0].name }
        )
    }

    private func parse(_ row: JSONRowFinder.Row) throws(JSONFault) {
        guard let root else { return }
        var cursor = JSONCursor(input.bytes, from: row.start, to: row.end, scratch: scratch)
        guard cursor.peek() == UInt8(ascii: "{") else {
            throw cursor.unexpected("an object")
        }
        try root.append(&cursor, depth: 1, isRow: true)
        try cursor.expectEnd()
    }

    /// Makes the first `count` rows a batch and forgets them; nil when none can be read.
    private func takeBatch(_ count: Int) throws(TextFileError) -> RecordBatch? {
        guard let format else { return nil }
        var good = Array(rows[..<count])
        var bad: Set<Int> = []
        for (place, row) in good.enumerated() {
            do throws(JSONFault) {
                try parse(row)
            } catch {
                try reject(located(error, row), row)
                bad.insert(place)
                // The columns have got a part of the row: begin anew with the good ones.
                try makeNodes(format)
            }
        }
        if !bad.isEmpty {
            good = good.enumerated().filter { !bad.contains($0.offset) }.map(\.element)
            try makeNodes(format)
            for row in good {
                do throws(JSONFault) {
                    try parse(row)
                } catch {
                    throw located(error, row)
                }
            }
        }
        let columns = nodes.map { $0.builder.finish() }
        let done = rows[count - 1].end
        input.consume(done)
        finder.position -= done
        retryCount = 0
        rows.removeFirst(count)
        for place in rows.indices {
            rows[place].start -= done
            rows[place].end -= done
        }
        if good.isEmpty { return nil }
        rowCount += good.count
        return RecordBatch(schema: format.schema, columns: columns, rowCount: good.count)
    }

    /// Does with a bad row what the policy says.
    private func reject(
        _ error: TextFileError,
        _ row: JSONRowFinder.Row
    ) throws(TextFileError) {
        switch options.onError {
        case .fail: throw error
        case .skip: rejectedRowCount += 1
        case .collect(let countMax):
            rejectedRowCount += 1
            guard rejectedRows.count < countMax else {
                var last = error
                last.code = .limit
                last.message = "more than \(countMax) rejected rows; the last: \(error.message)"
                throw last
            }
            let count = min(row.end - row.start, RejectedRow.rawTextBytesMax)
            let raw = UnsafeBufferPointer(start: input.bytes + row.start, count: count)
            rejectedRows.append(
                RejectedRow(
                    line: row.line,
                    column: error.column,
                    columnName: error.columnName,
                    reason: error.message,
                    rawText: String(decoding: raw, as: UTF8.self)
                )
            )
        }
    }
}

extension JSONReader {
    /// All rows of a file that is in memory; for tests and small files.
    package static func read(
        _ bytes: [UInt8],
        options: JSONOptions = JSONOptions()
    ) throws(TextFileError) -> (schema: Schema, batches: [RecordBatch]) {
        let reader = try JSONReader(options: options)
        reader.feed(bytes)
        reader.finish()
        var batches: [RecordBatch] = []
        while let batch = try reader.next() { batches.append(batch) }
        return (reader.schema ?? Schema([]), batches)
    }
}
