import Columnar
import Kernels
import Planner

/// An expression made ready to run over batches.
///
/// One worker owns it: nodes remember work that was done for a dictionary.
class ExpressionNode {
    let type: DataType

    init(type: DataType) {
        self.type = type
    }

    /// A value for each row of the chunk.
    func evaluate(_ chunk: Chunk) throws -> Column {
        preconditionFailure("abstract")
    }
}

final class ColumnNode: ExpressionNode {
    let position: Int

    init(position: Int, type: DataType) {
        self.position = position
        super.init(type: type)
    }

    override func evaluate(_ chunk: Chunk) -> Column { chunk.columns[position] }
}

final class ConstantNode: ExpressionNode {
    private let column: Column

    init(_ value: Value, _ type: DataType) {
        column = .constant(value, type, count: 1)
        super.init(type: type)
    }

    override func evaluate(_ chunk: Chunk) -> Column {
        column.constant(repeated: chunk.rowCount)
    }
}

/// Any computation whose operands are evaluated first, for all rows.
final class ApplyNode: ExpressionNode {
    private let operands: [ExpressionNode]
    private let apply: ([Column], Int) throws -> Column

    init(
        _ type: DataType,
        _ operands: [ExpressionNode],
        _ apply: @escaping ([Column], Int) throws -> Column
    ) {
        self.operands = operands
        self.apply = apply
        super.init(type: type)
    }

    override func evaluate(_ chunk: Chunk) throws -> Column {
        var columns: [Column] = []
        columns.reserveCapacity(operands.count)
        for operand in operands { columns.append(try operand.evaluate(chunk)) }
        return try apply(columns, chunk.rowCount)
    }
}

/// AND or OR over operands that may fail: a later operand sees only the rows that the earlier ones
/// leave undecided.
final class GuardedLogicNode: ExpressionNode {
    private let operands: [ExpressionNode]
    private let isAnd: Bool

    init(_ operands: [ExpressionNode], isAnd: Bool) {
        self.operands = operands
        self.isAnd = isAnd
        super.init(type: .boolean)
    }

    override func evaluate(_ chunk: Chunk) throws -> Column {
        var result = try operands[0].evaluate(chunk)
        for operand in operands.dropFirst() {
            let decided = isAnd ? NullTests.isFalse(result) : NullTests.isTrue(result)
            let open = Filter.selection(Logic.not(decided))
            if open.count == 0 { return result }
            if open.count == chunk.rowCount {
                let next = try operand.evaluate(chunk)
                result = isAnd ? Logic.and(result, next) : Logic.or(result, next)
                continue
            }
            let part = try operand.evaluate(chunk.taking(open))
            let spread = scatter([(part, open)], count: chunk.rowCount, type: .boolean)
            // Rows that were decided got null here, and what was decided stands.
            result = isAnd ? Logic.and(result, spread) : Logic.or(result, spread)
        }
        return result
    }
}

/// CASE: each value is computed only for the rows that take it.
final class ConditionalNode: ExpressionNode {
    private let branches: [(condition: ExpressionNode, value: ExpressionNode)]
    private let otherwise: ExpressionNode?
    /// Whether all conditions and values may as well be computed for every row.
    private let isHarmless: Bool

    init(
        _ branches: [(condition: ExpressionNode, value: ExpressionNode)],
        otherwise: ExpressionNode?,
        type: DataType,
        isHarmless: Bool
    ) {
        self.branches = branches
        self.otherwise = otherwise
        self.isHarmless = isHarmless
        super.init(type: type)
    }

    override func evaluate(_ chunk: Chunk) throws -> Column {
        if isHarmless {
            var result =
                try otherwise?.evaluate(chunk) ?? .nulls(type, count: chunk.rowCount)
            for branch in branches.reversed() {
                let mask = try branch.condition.evaluate(chunk)
                result = Choice.select(mask, try branch.value.evaluate(chunk), result)
            }
            return result
        }
        var parts: [(Column, Selection)] = []
        var rest = chunk
        var rows = Filter.everyRow(chunk.rowCount)
        for branch in branches {
            if rest.rowCount == 0 { break }
            let mask = try branch.condition.evaluate(rest)
            let taken = Filter.selection(mask)
            if taken.count > 0 {
                let value = try branch.value.evaluate(rest.taking(taken))
                parts.append((value, Filter.compose(rows, taken)))
            }
            let left = Filter.selection(Logic.not(NullTests.isTrue(mask)))
            rest = rest.taking(left)
            rows = Filter.compose(rows, left)
        }
        if rest.rowCount > 0, let otherwise {
            parts.append((try otherwise.evaluate(rest), rows))
        }
        return scatter(parts, count: chunk.rowCount, type: type)
    }
}

/// A computation over one column, done once per dictionary entry while the column is coded.
final class DictionaryNode: ExpressionNode {
    private let inner: ExpressionNode
    private let position: Int
    /// Whether a null row gives null.
    private let isStrict: Bool
    private var known: ColumnDictionary?
    private var result: Column?
    private var resultDictionary: ColumnDictionary?

    init(_ inner: ExpressionNode, position: Int, isStrict: Bool) {
        self.inner = inner
        self.position = position
        self.isStrict = isStrict
        super.init(type: inner.type)
    }

    override func evaluate(_ chunk: Chunk) throws -> Column {
        let column = chunk.columns[position]
        guard case .dictionary(let codes, let dictionary) = column.storage,
            column.validity == nil || isStrict
        else { return try inner.evaluate(chunk) }
        if known !== dictionary {
            // A dictionary far larger than the batch pays only if it stays for many batches.
            let isWorthIt = dictionary.count <= 8 * chunk.rowCount
            guard isWorthIt, prepare(dictionary, chunk.columns.count) else {
                return try inner.evaluate(chunk)
            }
        }
        guard let result else { return try inner.evaluate(chunk) }
        if let resultDictionary {
            return Column(
                type: type,
                count: column.count,
                validity: column.validity,
                storage: .dictionary(codes: codes, resultDictionary)
            )
        }
        let taken = Take.take(
            result,
            rows: codes.pointer(as: Int32.self),
            count: column.count
        )
        return withExtendedLifetime(column) {
            column.validity.map { Choice.masked(taken, valid: $0) } ?? taken
        }
    }

    /// Computes the entries; false when that fails: the failing entry may be in no row.
    private func prepare(_ dictionary: ColumnDictionary, _ width: Int) -> Bool {
        known = dictionary
        result = nil
        resultDictionary = nil
        let empty = Column.nulls(.null, count: dictionary.count)
        var columns = [Column](repeating: empty, count: width)
        columns[position] = dictionary.values
        let entries = Chunk(columns: columns, rowCount: dictionary.count)
        guard let computed = try? inner.evaluate(entries) else { return true }
        let flat = computed.flattened()
        result = flat
        if flat.validity == nil, type.physical != .bit, !type.isNested, type != .null {
            resultDictionary = ColumnDictionary(flat)
        }
        return true
    }
}

extension Chunk {
    /// The selected rows of every column.
    func taking(_ selection: Selection) -> Chunk {
        Chunk(
            columns: columns.map { Take.take($0, selection) },
            rowCount: selection.count
        )
    }
}

/// Puts parts back in the rows they were taken from; rows of no part are null.
func scatter(_ parts: [(column: Column, rows: Selection)], count: Int, type: DataType) -> Column {
    if parts.count == 1, parts[0].rows.count == count { return parts[0].column }
    if parts.isEmpty { return .nulls(type, count: count) }
    let order = Buffer(byteCount: count * 4)
    let target = order.mutable(as: Int32.self)
    for row in 0..<count { target[row] = -1 }
    var next: Int32 = 0
    for (_, selection) in parts {
        let rows = selection.rows
        for index in 0..<selection.count {
            target[Int(rows[index])] = next
            next += 1
        }
    }
    let all = Concatenate.concatenate(parts.map(\.column))
    return Take.take(all, rows: target, count: count, nullable: Int(next) < count)
}
