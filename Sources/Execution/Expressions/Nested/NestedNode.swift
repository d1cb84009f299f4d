import Columnar
import Kernels
import Planner

/// A function of lists, structs or maps: of operands that are the same in every row it is computed once.
final class NestedNode: ExpressionNode {
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
        let columns = try operands.map { try $0.evaluate(chunk) }
        let count = chunk.rowCount
        guard count > 1, columns.allSatisfy(\.isTheSame) else { return try apply(columns, count) }
        let one = try apply(columns.map { $0.constant(repeated: 1) }, 1).flattened()
        if one.isNull(0) { return .nulls(type, count: count) }
        return Column(
            type: one.type,
            count: count,
            validity: nil,
            storage: .constant(ColumnBox(one))
        )
    }
}

extension Column {
    /// Whether the storage says that all rows are alike.
    fileprivate var isTheSame: Bool {
        switch storage {
        case .constant, .null: true
        default: false
        }
    }
}

/// The rows that a lambda's body sees: one for each element of the lists of a batch.
struct LambdaRows {
    let body: ExpressionNode
    private let lambda: Lambda
    private let usesPlace: Bool

    init(_ lambda: Lambda, place: Int) throws {
        self.lambda = lambda
        body = try ExpressionCompiler().compile(lambda.body)
        usesPlace = lambda.uses(place)
    }

    /// The columns of the body: the element, its place when it is asked for, what is captured.
    ///
    /// - Parameter owners: for each element the row that it is in.
    func chunk(_ list: Column, _ operands: [Column], _ owners: Selection) -> Chunk {
        let elements = Lists.parts(of: list).elements[0]
        let count = elements.count
        let place =
            usesPlace ? Lists.ordinals(of: list) : Column.nulls(.int64, count: count)
        return Chunk(
            columns: [elements, place] + captures(operands).map { Take.take($0, owners) },
            rowCount: count
        )
    }

    func captures(_ operands: [Column]) -> ArraySlice<Column> {
        operands[lambda.captureStart..<lambda.captureStart + lambda.captureCount]
    }
}

/// `list_transform`, also of those elements only that a condition chooses.
final class TransformNode: ExpressionNode {
    private let operands: [ExpressionNode]
    private let rows: LambdaRows
    private let condition: LambdaRows?

    init(
        _ type: DataType,
        _ operands: [ExpressionNode],
        _ lambda: Lambda,
        condition: Lambda?
    ) throws {
        self.operands = operands
        rows = try LambdaRows(lambda, place: 1)
        self.condition = try condition.map { try LambdaRows($0, place: 1) }
        super.init(type: type)
    }

    override func evaluate(_ chunk: Chunk) throws -> Column {
        let columns = try operands.map { try $0.evaluate(chunk) }
        let list = try Lists.packed(columns[0])
        let owners = Lists.parents(of: list)
        guard let condition else {
            let values = try rows.body.evaluate(rows.chunk(list, columns, owners))
            return Lists.replacing(list, elements: values, type: type)
        }
        let mask = try condition.body.evaluate(condition.chunk(list, columns, owners))
        let (kept, chosen) = Lists.filtered(list, mask)
        let values = try rows.body.evaluate(rows.chunk(list, columns, owners).taking(chosen))
        return Lists.replacing(kept, elements: values, type: type)
    }
}

/// `list_filter`.
final class FilterNode: ExpressionNode {
    private let operands: [ExpressionNode]
    private let rows: LambdaRows

    init(_ type: DataType, _ operands: [ExpressionNode], _ lambda: Lambda) throws {
        self.operands = operands
        rows = try LambdaRows(lambda, place: 1)
        super.init(type: type)
    }

    override func evaluate(_ chunk: Chunk) throws -> Column {
        let columns = try operands.map { try $0.evaluate(chunk) }
        let list = try Lists.packed(columns[0])
        let mask = try rows.body.evaluate(rows.chunk(list, columns, Lists.parents(of: list)))
        return Lists.filtered(list, mask).0
    }
}

/// `list_reduce`: the first elements of all lists are folded at once, then the second, and so on.
final class ReduceNode: ExpressionNode {
    private let operands: [ExpressionNode]
    private let rows: LambdaRows
    private let hasInitial: Bool
    private let usesPlace: Bool

    init(
        _ type: DataType,
        _ operands: [ExpressionNode],
        _ lambda: Lambda,
        hasInitial: Bool
    ) throws {
        self.operands = operands
        rows = try LambdaRows(lambda, place: 2)
        usesPlace = lambda.uses(2)
        self.hasInitial = hasInitial
        super.init(type: type)
    }

    override func evaluate(_ chunk: Chunk) throws -> Column {
        let columns = try operands.map { try $0.evaluate(chunk) }
        let list = try Lists.packed(columns[0])
        let (offsets, parts) = Lists.parts(of: list)
        var open: [Int32] = []
        for row in 0..<list.count where !list.isNull(row) {
            if !hasInitial, offsets[row + 1] == offsets[row] {
                throw ExecutionError(.data, "list_reduce of an empty list needs a first value")
            }
            open.append(Int32(truncatingIfNeeded: row))
        }
        if open.isEmpty { return .nulls(type, count: chunk.rowCount) }
        // The elements at the same place of the lists that have so many, and what was made of those before.
        func elements(_ place: Int) -> Column {
            let wanted = Selection(open.map { offsets[Int($0)] + Int32(truncatingIfNeeded: place) })
            return Take.take(parts[0], wanted)
        }
        var value =
            hasInitial ? Take.take(columns[1], Selection(open)) : elements(0)
        var place = hasInitial ? 0 : 1
        var finished: [(column: Column, rows: Selection)] = []
        while !open.isEmpty {
            var going: [Int32] = []
            var ended: [Int32] = []
            for (index, row) in open.enumerated() {
                let length = Int(offsets[Int(row) + 1] - offsets[Int(row)])
                if length > place {
                    going.append(Int32(truncatingIfNeeded: index))
                } else {
                    ended.append(Int32(truncatingIfNeeded: index))
                }
            }
            if !ended.isEmpty {
                let chosen = Selection(ended)
                finished.append(
                    (Take.take(value, chosen), Selection(ended.map { open[Int($0)] }))
                )
                value = Take.take(value, Selection(going))
                open = going.map { open[Int($0)] }
            }
            if open.isEmpty { break }
            let owners = Selection(open)
            let number =
                usesPlace
                ? Column.constant(.int64(Int64(place + 1)), .int64, count: open.count)
                : .nulls(.int64, count: open.count)
            let captured = rows.captures(columns).map { Take.take($0, owners) }
            value = try rows.body.evaluate(
                Chunk(columns: [value, elements(place), number] + captured, rowCount: open.count)
            )
            place += 1
        }
        return withExtendedLifetime(list) {
            scatter(finished, count: chunk.rowCount, type: type)
        }
    }
}
