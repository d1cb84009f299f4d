package import Columnar

/// The characters that give a CSV file its shape.
package struct CSVDialect: Sendable, Hashable {
    /// Between fields; one ASCII character.
    package var delimiter: UInt8
    /// Around fields that hold delimiters, quotes or line ends; nil when nothing is quoted.
    package var quote: UInt8?
    /// Before a quote (or itself) inside a quoted field; RFC 4180 doubles the quote.
    package var escape: UInt8?
    /// Lines that begin with it are no rows; nil when there are none.
    package var comment: UInt8?
    /// Whether lines end in a carriage return alone; else in a line feed, with or without one before.
    package var isCarriageReturnLine: Bool
    /// Lines at the beginning that are no rows.
    package var skipLineCount: Int
    /// Whether the first row holds the columns' names.
    package var hasHeader: Bool

    /// RFC 4180: commas, double quotes, and a header.
    package init(
        delimiter: UInt8 = UInt8(ascii: ","),
        quote: UInt8? = UInt8(ascii: "\""),
        escape: UInt8? = UInt8(ascii: "\""),
        comment: UInt8? = nil,
        isCarriageReturnLine: Bool = false,
        skipLineCount: Int = 0,
        hasHeader: Bool = true
    ) {
        self.delimiter = delimiter
        self.quote = quote
        self.escape = escape
        self.comment = comment
        self.isCarriageReturnLine = isCarriageReturnLine
        self.skipLineCount = skipLineCount
        self.hasHeader = hasHeader
    }

    var newline: UInt8 { UInt8(ascii: isCarriageReturnLine ? "\r" : "\n") }
}

/// What a caller may say about a CSV file; what is nil is found out from a sample.
///
/// The comments give the names of DuckDB's `read_csv`.
package struct CSVOptions: Sendable {
    /// `delim`, `sep`.
    package var delimiter: UInt8?
    /// `quote`; `.some(nil)` says that nothing is quoted.
    package var quote: UInt8??
    /// `escape`.
    package var escape: UInt8?
    /// `comment`.
    package var comment: UInt8?
    /// `skip`: lines before the header.
    package var skipLineCount = 0
    /// `header`.
    package var hasHeader: Bool?
    /// `nullstr`: texts that mean NULL in every column.
    ///
    /// When nil, an empty field does, and texts such as `NA` do in columns that otherwise hold no
    /// text.
    package var nullStrings: [String]?
    /// `columns`: all columns; nothing is guessed but the dialect.
    package var columns: [Field]?
    /// `types`: the types of some columns, by name.
    package var types: [String: DataType] = [:]
    /// `all_varchar`.
    package var isAllStrings = false
    /// `null_padding`: rows that are too short end in NULLs.
    package var isNullPadding = false
    /// `sample_size`: how many rows the types are guessed from.
    package var sampleRowCount = 20_480
    /// How many bytes at most they are guessed from.
    package var sampleBytesMax = 1 << 25
    /// `max_line_size`: how long a row (and so a field) may be.
    package var rowBytesMax = 1 << 24
    /// `ignore_errors`, `store_rejects`.
    package var onError = RowErrorPolicy.fail

    package init() {}

    func check() throws(TextFileError) {
        let special = [delimiter, quote ?? nil, comment].compactMap { $0 }
        if Set(special).count != special.count {
            throw TextFileError(.invalidOption, "delimiter, quote and comment must differ")
        }
        for byte in special + [escape].compactMap({ $0 })
        where byte >= 0x80 || byte == 10 || byte == 13 || byte == 0 {
            throw TextFileError(.invalidOption, "byte \(byte) cannot be part of a CSV dialect")
        }
        if skipLineCount < 0 || sampleRowCount < 1 || sampleBytesMax < 1 {
            throw TextFileError(.invalidOption, "skip and sample size must not be negative")
        }
        if rowBytesMax < 1 || rowBytesMax > 1 << 30 {
            throw TextFileError(.invalidOption, "a row may have 1 byte to 1 GiB")
        }
    }
}

/// All that is needed to read a CSV file.
package struct CSVFormat: Sendable, Hashable {
    package var dialect: CSVDialect
    package var schema: Schema
    /// Texts that mean NULL, unquoted, in every column.
    package var nullStrings: [String]
    /// Texts that mean NULL in columns that are not strings.
    package var typedNullStrings: [String]

    package init(
        dialect: CSVDialect,
        schema: Schema,
        nullStrings: [String] = [""],
        typedNullStrings: [String] = []
    ) {
        self.dialect = dialect
        self.schema = schema
        self.nullStrings = nullStrings
        self.typedNullStrings = typedNullStrings
    }
}
