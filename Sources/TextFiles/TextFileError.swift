/// Why a text file could not be read or written.
package struct TextFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the caller can do about it.
    package enum Code: Sendable {
        /// The text is not CSV or JSON, or a row has not as many fields as there are columns.
        case malformed
        /// A field is not a value of its column's type.
        case badValue
        /// A row, a value or a list of rejected rows is larger than the options allow.
        case limit
        /// The text, the type or the option may make sense, but this program cannot do it.
        case unsupported
        /// The options contradict each other or the file.
        case invalidOption
    }

    package var code: Code
    package var message: String
    /// The physical line on which the row begins, from 1; nil when it has no place.
    package var line: Int?
    /// The column's number, from 1; nil when the whole row is meant.
    package var column: Int?
    package var columnName: String?

    package init(
        _ code: Code,
        _ message: String,
        line: Int? = nil,
        column: Int? = nil,
        columnName: String? = nil
    ) {
        self.code = code
        self.message = message
        self.line = line
        self.column = column
        self.columnName = columnName
    }

    package var description: String {
        var place: [String] = []
        if let line { place.append("line \(line)") }
        if let column { place.append("column \(column)") }
        if let columnName { place.append("\"\(columnName)\"") }
        return place.isEmpty ? message : "\(place.joined(separator: ", ")): \(message)"
    }
}

/// What a reader does with a row that it cannot read.
package enum RowErrorPolicy: Sendable, Hashable {
    /// Throws an error that names the row.
    case fail
    /// Leaves the row out and counts it.
    case skip
    /// Leaves the row out and keeps it to be looked at; more than `countMax` untaken ones are an error.
    case collect(countMax: Int)
}

/// A row that a reader left out.
package struct RejectedRow: Sendable, Equatable {
    /// The physical line on which the row begins, from 1.
    package var line: Int
    /// The column's number, from 1; nil when the whole row is at fault.
    package var column: Int?
    package var columnName: String?
    package var reason: String
    /// The row as the file has it, cut after `rawTextBytesMax`, with broken UTF-8 repaired.
    package var rawText: String

    /// How much of a rejected row is kept.
    package static let rawTextBytesMax = 1 << 16
}

/// Text of a field for a message: short, and with broken UTF-8 repaired.
func excerpt(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    let countMax = 80
    if bytes.count <= countMax { return String(decoding: bytes, as: UTF8.self) }
    let start = UnsafeBufferPointer(rebasing: bytes[..<countMax])
    return String(decoding: start, as: UTF8.self) + "..."
}
