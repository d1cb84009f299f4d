import Columnar
import Kernels

/// Conjuncts over one column, answered once per entry of its dictionary instead of once per row.
///
/// One thread's.
final class CodePredicate {
    let position: Int
    private var nodes: [ExpressionNode]
    private var known: (dictionary: ColumnDictionary, answers: CodeAnswers?)?

    /// Entries above which a dictionary is not asked as a whole: rows may never come to most of them.
    private static let entryCountMax = 1 << 16

    init(position: Int, _ node: ExpressionNode) {
        self.position = position
        nodes = [node]
    }

    func add(_ node: ExpressionNode) { nodes.append(node) }

    /// Which entries of a dictionary pass.
    ///
    /// - Returns: nil when that cannot be told entry by entry: there are too many, or one makes the
    ///   expression fail. Whether a row has that entry, only the rows say.
    func answers(_ dictionary: ColumnDictionary, of type: DataType) -> CodeAnswers? {
        if let known, known.dictionary === dictionary { return known.answers }
        let answers = try? makeAnswers(dictionary, type)
        known = (dictionary, answers)
        return answers
    }

    private func makeAnswers(
        _ dictionary: ColumnDictionary,
        _ type: DataType
    ) throws -> CodeAnswers? {
        guard dictionary.count <= Self.entryCountMax else { return nil }
        let table = Buffer(zeroedByteCount: max(dictionary.count, 1))
        try mark(dictionary.values, dictionary.count, table)
        let null = Buffer(zeroedByteCount: 1)
        try mark(.nulls(type, count: 1), 1, null)
        return CodeAnswers(table, passesNull: null.mutable(as: UInt8.self)[0] != 0)
    }

    /// Sets the bytes of the values that pass all conjuncts.
    private func mark(_ values: Column, _ count: Int, _ table: Buffer) throws {
        let none = Column.nulls(.null, count: count)
        var columns = [Column](repeating: none, count: position + 1)
        columns[position] = values
        let chunk = Chunk(columns: columns, rowCount: count)
        var passing: Bitmap?
        for node in nodes {
            let bits = Filter.trueRows(try node.evaluate(chunk).flattened())
            passing = Bitmap.and(passing, bits)
        }
        guard let passing else { return }
        let bytes = table.mutable(as: UInt8.self)
        for index in 0..<count { bytes[index] = passing[index] ? 1 : 0 }
    }
}

/// Which codes of one dictionary pass a predicate.
struct CodeAnswers {
    /// A byte per code, 0 or 1; at least one, for the codes under nulls.
    private let table: Buffer
    private let passesNull: Bool

    init(_ table: Buffer, passesNull: Bool) {
        self.table = table
        self.passesNull = passesNull
    }

    /// The rows of `within` (nil: all) that pass; nil when all rows do.
    func select(
        _ codes: UnsafePointer<UInt32>,
        _ validity: Bitmap?,
        within: Selection?,
        rowCount: Int
    ) -> Selection? {
        // One place more: the loops write before they know whether the row stays.
        let buffer = Buffer(byteCount: ((within?.count ?? rowCount) + 1) * 4)
        let target = buffer.mutable(as: Int32.self)
        let table = UnsafePointer(self.table.mutable(as: UInt8.self))
        var next = 0
        if let validity {
            let words = validity.words
            let null: UInt8 = passesNull ? 1 : 0
            @inline(__always)
            func look(_ row: Int) {
                let isValid = words[row &>> 6] &>> UInt64(row & 63) & 1 != 0
                target[next] = Int32(truncatingIfNeeded: row)
                next &+= Int(isValid ? table[Int(codes[row])] : null)
            }
            if let within {
                let rows = within.rows
                for index in 0..<within.count { look(Int(rows[index])) }
            } else {
                for row in 0..<rowCount { look(row) }
            }
        } else if let within {
            let rows = within.rows
            for index in 0..<within.count {
                let row = rows[index]
                target[next] = row
                next &+= Int(table[Int(codes[Int(row)])])
            }
        } else {
            for row in 0..<rowCount {
                target[next] = Int32(truncatingIfNeeded: row)
                next &+= Int(table[Int(codes[row])])
            }
        }
        withExtendedLifetime((within, validity, self.table)) {}
        if next == rowCount { return nil }
        return Selection(buffer: buffer, count: next)
    }
}
