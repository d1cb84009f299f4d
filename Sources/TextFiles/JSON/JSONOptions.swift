package import Columnar

/// How the rows of a JSON file are put together.
package enum JSONLayout: Sendable, Hashable {
    /// One object a line.
    case newlineDelimited
    /// One array of objects.
    case array
}

/// What a caller may say about a JSON file; the comments give the names of DuckDB's `read_json`.
package struct JSONOptions: Sendable {
    /// What to do with keys that are no columns.
    package enum UnknownKeys: Sendable, Hashable {
        /// Such a row is one that cannot be read.
        case error
        case ignore
    }

    /// `format`; nil: an array when the file begins with a bracket.
    package var layout: JSONLayout?
    /// `columns`: all columns; nothing is guessed.
    package var columns: [Field]?
    /// The types of some columns, by name.
    package var types: [String: DataType] = [:]
    /// `sample_size`: how many rows the columns are guessed from.
    package var sampleRowCount = 20_480
    /// How many bytes at most they are guessed from.
    package var sampleBytesMax = 1 << 25
    /// `maximum_object_size`: how long a row may be.
    package var rowBytesMax = 1 << 24
    /// Whether strings that all look like dates or timestamps become such.
    package var detectsDates = true
    package var unknownKeys = UnknownKeys.error
    /// `ignore_errors`.
    package var onError = RowErrorPolicy.fail

    package init() {}

    func check() throws(TextFileError) {
        if sampleRowCount < 1 || sampleBytesMax < 1 {
            throw TextFileError(.invalidOption, "the sample must have a row")
        }
        if rowBytesMax < 1 || rowBytesMax > 1 << 30 {
            throw TextFileError(.invalidOption, "a row may have 1 byte to 1 GiB")
        }
    }
}

/// The columns of a JSON file.
package struct JSONFormat: Sendable, Hashable {
    package var layout: JSONLayout
    package var schema: Schema
    /// Paths of string columns that hold JSON text because their values are of several kinds.
    ///
    /// A path is the names from the outside in, `element` and `value` in lists and maps. In other
    /// string columns, strings are just their text.
    package var jsonTextPaths: Set<[String]>

    package init(layout: JSONLayout, schema: Schema, jsonTextPaths: Set<[String]> = []) {
        self.layout = layout
        self.schema = schema
        self.jsonTextPaths = jsonTextPaths
    }
}
