import Columnar
import Kernels
import Planner

extension ExpressionCompiler {
    /// Arguments that say what a function does, and that are compiled with it.
    private static func definingPositions(_ function: ScalarFunction) -> [Int] {
        switch function {
        case .datePart, .dateTrunc, .dateDiff, .dateSub, .printf, .format: [0]
        case .strftime, .strptime, .tryStrptime, .round, .trunc: [1]
        case .zoneLocal, .zoneInstant, .zoneText, .zoneParse, .tryZoneParse, .zoneOffset: [1]
        case .zoneAdd, .zoneSubtract: [2]
        case .regexpMatches, .regexpFullMatch, .regexpExtract, .regexpReplace: [1, 2, 3]
        default: []
        }
    }

    /// The function where an argument that says what it does differs by row; nil where none does.
    func compileVarying(
        _ function: ScalarFunction,
        _ arguments: [BoundExpression],
        _ operands: [ExpressionNode],
        _ type: DataType
    ) throws -> ExpressionNode? {
        let positions = Self.definingPositions(function).filter { position in
            guard arguments.indices.contains(position) else { return false }
            if case .constant(let value, _) = arguments[position], !value.isNull { return false }
            return true
        }
        if positions.isEmpty { return nil }
        return VaryingNode(type, operands, positions) { values in
            var given = arguments.enumerated().map {
                BoundExpression.column(ColumnID($0), $1.type)
            }
            for (position, argument) in arguments.enumerated() where argument.isConstant {
                given[position] = argument
            }
            for (position, value) in zip(positions, values) {
                given[position] = .constant(value, arguments[position].type)
            }
            return try self.compile(.call(function, given, type))
        }
    }
}

/// A function of which some arguments, which differ by row, are compiled with it: once for each
/// combination of their values.
final class VaryingNode: ExpressionNode {
    private let operands: [ExpressionNode]
    private let positions: [Int]
    private let make: ([Value]) throws -> ExpressionNode
    private var known: [[Value]: ExpressionNode] = [:]
    private static let knownMax = 1024

    init(
        _ type: DataType,
        _ operands: [ExpressionNode],
        _ positions: [Int],
        _ make: @escaping ([Value]) throws -> ExpressionNode
    ) {
        self.operands = operands
        self.positions = positions
        self.make = make
        super.init(type: type)
    }

    override func evaluate(_ chunk: Chunk) throws -> Column {
        let inner = Chunk(
            columns: try operands.map { try $0.evaluate(chunk) },
            rowCount: chunk.rowCount
        )
        var rows: [[Value]: [Int32]] = [:]
        var order: [[Value]] = []
        for row in 0..<chunk.rowCount {
            let values = positions.map { inner.columns[$0].value(at: row) }
            // All functions of this kind give null for a null argument.
            if values.contains(.null) { continue }
            if rows[values] == nil { order.append(values) }
            rows[values, default: []].append(Int32(truncatingIfNeeded: row))
        }
        var parts: [(Column, Selection)] = []
        for values in order {
            guard let places = rows[values] else { continue }
            let buffer = places.withUnsafeBytes { Buffer(copying: $0) }
            let selection = Selection(buffer: buffer, count: places.count)
            if known.count >= Self.knownMax { known = [:] }
            let node = try known[values] ?? make(values)
            known[values] = node
            parts.append((try node.evaluate(inner.taking(selection)), selection))
        }
        return scatter(parts, count: chunk.rowCount, type: type)
    }
}

/// `try(…)`: rows whose value cannot be computed are null.
final class TryNode: ExpressionNode {
    private let inner: ExpressionNode

    init(_ inner: ExpressionNode) {
        self.inner = inner
        super.init(type: inner.type)
    }

    override func evaluate(_ chunk: Chunk) throws -> Column {
        do {
            return try inner.evaluate(chunk)
        } catch {
            guard Self.isOfRows(error) else { throw error }
        }
        if chunk.rowCount <= 1 { return .nulls(type, count: chunk.rowCount) }
        // Halves, until the rows at fault stand alone.
        let middle = chunk.rowCount / 2
        let halves = try [0..<middle, middle..<chunk.rowCount].map { range in
            try evaluate(
                Chunk(columns: chunk.columns.map { $0.slice(range) }, rowCount: range.count)
            )
        }
        return Concatenate.concatenate(halves)
    }

    /// Whether the rows are to blame: what this version cannot do, no other rows make better.
    private static func isOfRows(_ error: any Error) -> Bool {
        switch error {
        case let error as KernelError: error.code != .unsupported
        case let error as ExecutionError: error.code == .data
        default: false
        }
    }
}
