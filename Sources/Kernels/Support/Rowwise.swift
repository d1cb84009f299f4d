import Columnar

/// Runs functions of several columns that give null when an argument is null.
enum Rowwise {
    /// Prepares the arguments and calls `body` once: with one row when all are constant, with the
    /// dictionary's entries when only the first argument is a dictionary, else with the batch.
    ///
    /// - Parameter body: gets the operands (index with `row & mask`), the number of rows and which
    ///   of them have all arguments; gives a flat column.
    @inline(__always)
    static func apply(
        _ columns: [Column],
        to type: DataType,
        _ body: ([Operand], Int, Bitmap?) throws(KernelError) -> Column
    ) throws(KernelError) -> Column {
        let count = columns[0].count
        precondition(columns.allSatisfy { $0.count == count })
        if columns.contains(where: \.isAllNull) { return .nulls(type, count: count) }
        if columns.allSatisfy(\.isConstant) {
            let operands = columns.map { Operand($0.constant(repeated: 1)) }
            let one = try body(operands, 1, nil)
            if one.isNull(0) { return .nulls(type, count: count) }
            return Column(
                type: type,
                count: count,
                validity: nil,
                storage: .constant(ColumnBox(one))
            )
        }
        if case .dictionary(let codes, let dictionary) = columns[0].storage,
            dictionary.count <= count, columns.dropFirst().allSatisfy(\.isConstant)
        {
            var operands = [Operand(dictionary.values)]
            for column in columns.dropFirst() {
                operands.append(Operand(column.constant(repeated: dictionary.count)))
            }
            // An entry that fails may be one that no row uses.
            if let entries = try? body(operands, dictionary.count, nil) {
                return Take.gather(
                    entries,
                    codes: codes,
                    count: count,
                    validity: columns[0].validity
                )
            }
        }
        let operands = columns.map { Operand($0) }
        var validity: Bitmap?
        for operand in operands { validity = Bitmap.and(validity, operand.validity) }
        return try body(operands, count, validity)
    }
}

extension Column {
    var isConstant: Bool {
        if case .constant = storage { return true }
        return false
    }
}
