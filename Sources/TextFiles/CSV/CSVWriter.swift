package import Columnar

/// Writes record batches as CSV.
///
/// As RFC 4180 asks, but with line feeds alone at line ends. NULL is an empty field and an empty
/// string is `""`. Dates and times are in ISO 8601, floats in the shortest form that reads back the
/// same, bytes as `\x` and hexadecimal digits, nested values as JSON.
package final class CSVWriter {
    package let schema: Schema
    private let delimiter: UInt8
    private let output = OutputBuffer()
    private var isHeaderPending: Bool

    /// - Parameter delimiter: an ASCII character other than the double quote and line ends.
    package init(
        schema: Schema,
        delimiter: UInt8 = UInt8(ascii: ","),
        hasHeader: Bool = true
    ) throws(TextFileError) {
        let isUsable =
            delimiter < 0x80 && delimiter != UInt8(ascii: "\"") && delimiter != 10
            && delimiter != 13 && delimiter != 0
        guard isUsable else {
            throw TextFileError(.invalidOption, "byte \(delimiter) cannot be a delimiter")
        }
        self.schema = schema
        self.delimiter = delimiter
        isHeaderPending = hasHeader
    }

    /// The lines of a batch, before the first also the header.
    package func encode(_ batch: RecordBatch) -> [UInt8] {
        header()
        precondition(batch.schema.count == schema.count)
        let columns = batch.columns.map { ColumnText($0) }
        for row in 0..<batch.rowCount {
            for (place, column) in columns.enumerated() {
                if place > 0 { output.append(delimiter) }
                if column.isNull(row) { continue }
                if let bytes = column.stringBytes(row) {
                    appendField(bytes)
                } else if column.isNested {
                    let start = output.count
                    column.appendText(row, to: output)
                    let text = Array(output.bytes(from: start))
                    output.truncate(to: start)
                    text.withUnsafeBufferPointer { appendField($0) }
                } else {
                    column.appendText(row, to: output)
                }
            }
            output.append(UInt8(ascii: "\n"))
        }
        return output.take()
    }

    /// What is left to write: the header when there was no batch.
    package func end() -> [UInt8] {
        header()
        return output.take()
    }

    private func header() {
        guard isHeaderPending else { return }
        isHeaderPending = false
        for (place, field) in schema.fields.enumerated() {
            if place > 0 { output.append(delimiter) }
            var name = field.name
            name.withUTF8 { appendField($0) }
        }
        output.append(UInt8(ascii: "\n"))
    }

    private func appendField(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard let base = bytes.baseAddress, bytes.count > 0 else {
            output.append("\"\"" as StaticString)
            return
        }
        let quote = UInt8(ascii: "\"")
        // Spaces at the ends are quoted for readers that trim, the first byte for those that know
        // comments or byte order marks.
        var needsQuotes =
            base[0] <= 0x20 || base[bytes.count - 1] <= 0x20 || base[0] == UInt8(ascii: "#")
            || base[0] == 0xEF
        var quoteCount = 0
        for index in 0..<bytes.count {
            let byte = base[index]
            if byte == quote {
                quoteCount += 1
            } else if byte == delimiter || byte == 10 || byte == 13 {
                needsQuotes = true
            }
        }
        if !needsQuotes, quoteCount == 0 {
            output.append(base, bytes.count)
            return
        }
        output.append(quote)
        if quoteCount == 0 {
            output.append(base, bytes.count)
        } else {
            for index in 0..<bytes.count {
                if base[index] == quote { output.append(quote) }
                output.append(base[index])
            }
        }
        output.append(quote)
    }
}
