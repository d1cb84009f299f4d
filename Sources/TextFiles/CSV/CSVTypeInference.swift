import Columnar

/// Guesses the types of columns from rows: what every value of the sample can be.
struct CSVTypeInference {
    struct Candidates: OptionSet {
        var rawValue: UInt8
        static let boolean = Candidates(rawValue: 1)
        static let integer = Candidates(rawValue: 2)
        static let double = Candidates(rawValue: 4)
        static let date = Candidates(rawValue: 8)
        static let time = Candidates(rawValue: 16)
        static let timestamp = Candidates(rawValue: 32)
        static let timestamptz = Candidates(rawValue: 64)
        static let all = Candidates(rawValue: 127)
    }

    private struct ColumnState {
        var candidates = Candidates.all
        var hasValues = false
        var nullWords: Set<String> = []
    }

    /// Texts that are taken for NULL, unless told otherwise, in columns that hold no other text.
    static let nullWords = ["NULL", "null", "Null", "NA", "N/A", "n/a", "\\N", "None", "nil"]

    private var columns: [ColumnState]
    private let nullStrings: [[UInt8]]
    private let acceptsNullWords: Bool

    init(columnCount: Int, nullStrings: [String]?) {
        columns = [ColumnState](repeating: ColumnState(), count: columnCount)
        self.nullStrings = (nullStrings ?? []).filter { !$0.isEmpty }.map { Array($0.utf8) }
        acceptsNullWords = nullStrings == nil
    }

    /// What the bytes can be, with spaces around them or not.
    static func candidates(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Candidates {
        let inner = CSVColumnConverter.trimmed(bytes, count)
        let (bytes, count) = inner
        guard count > 0 else { return .all }
        // Leading zeros are part of codes, which would lose them as numbers.
        let first = bytes[0] == UInt8(ascii: "-") || bytes[0] == UInt8(ascii: "+") ? 1 : 0
        let isCode =
            count > first + 1 && bytes[first] == UInt8(ascii: "0") && bytes[first + 1] &- 48 < 10
        if FieldParsing.int64(bytes, count) != nil { return isCode ? [] : [.integer, .double] }
        if FieldParsing.double(bytes, count) != nil { return isCode ? [] : .double }
        if FieldParsing.booleanWord(bytes, count) != nil { return .boolean }
        if FieldParsing.date(bytes, count) != nil { return [.date, .timestamp] }
        if FieldParsing.time(bytes, count) != nil { return .time }
        if let parsed = FieldParsing.timestamp(bytes, count) {
            return parsed.hasZone ? .timestamptz : .timestamp
        }
        return []
    }

    /// Looks at every field of the rows of an index.
    mutating func add(_ base: UnsafePointer<UInt8>, _ index: CSVRowIndex) {
        for column in columns.indices {
            for row in index.rows.indices {
                if columns[column].candidates.isEmpty { break }
                let raw = index.fields[row * index.columnCount + column]
                add(
                    base + Int(raw & 0xFFFF_FFFF),
                    Int(raw &>> 32 & CSVRowIndex.lengthMask),
                    isQuoted: raw & CSVRowIndex.quotedFlag != 0,
                    to: column
                )
            }
        }
    }

    private mutating func add(
        _ bytes: UnsafePointer<UInt8>,
        _ count: Int,
        isQuoted: Bool,
        to column: Int
    ) {
        guard count > 0 else { return }
        let text = UnsafeBufferPointer(start: bytes, count: count)
        if nullStrings.contains(where: { $0.elementsEqual(text) }) { return }
        let fits = columns[column].candidates.intersection(Self.candidates(bytes, count))
        if fits.isEmpty, acceptsNullWords, !isQuoted, count <= 4 {
            let word = String(decoding: text, as: UTF8.self)
            if Self.nullWords.contains(word) {
                columns[column].nullWords.insert(word)
                return
            }
        }
        columns[column].hasValues = true
        columns[column].candidates = fits
    }

    /// The type of a column: the narrowest that all its values have; text when there are none.
    func type(of column: Int) -> DataType {
        let state = columns[column]
        guard state.hasValues else { return .string }
        let fits = state.candidates
        if fits.contains(.boolean) { return .boolean }
        if fits.contains(.integer) { return .int64 }
        if fits.contains(.double) { return .float64 }
        if fits.contains(.date) { return .date }
        if fits.contains(.time) { return .time }
        if fits.contains(.timestamp) { return .timestamp }
        if fits.contains(.timestamptz) { return .timestamptz }
        return .string
    }

    /// The words taken for NULL in columns that are not text.
    var seenNullWords: [String] {
        var words: Set<String> = []
        for column in columns.indices where type(of: column) != .string {
            words.formUnion(columns[column].nullWords)
        }
        return words.sorted()
    }
}
