import Columnar

/// Comparison of lists, structs and maps, element by element.
///
/// Nulls inside equal each other and come last; a list that is a prefix of another comes first. Row at a time: not for hot paths.
enum NestedComparison {
    static func compare(
        _ op: ComparisonOperator,
        _ a: Column,
        _ b: Column
    ) throws(KernelError) -> Column {
        let (left, right) = (a.flattened(), b.flattened())
        let result = buildBits(a.count) { row in
            if op.seesNull {
                let nulls = (left.isNull(row), right.isNull(row))
                if nulls.0 || nulls.1 {
                    return (nulls.0 && nulls.1) == (op == .notDistinct)
                }
            } else if left.isNull(row) || right.isNull(row) {
                return false
            }
            let sign = order(left, row, right, row)
            return switch op {
            case .equal, .notDistinct: sign == 0
            case .notEqual, .distinct: sign != 0
            case .less: sign < 0
            case .lessOrEqual: sign <= 0
            case .greater: sign > 0
            case .greaterOrEqual: sign >= 0
            }
        }
        return Column(
            bits: result,
            validity: op.seesNull ? nil : Bitmap.and(left.validity, right.validity)
        )
    }

    /// -1, 0 or 1 for two rows of any type; nulls equal each other and come last.
    static func order(_ a: Column, _ row: Int, _ b: Column, _ otherRow: Int) -> Int {
        let nulls = (a.isNull(row), b.isNull(otherRow))
        if nulls.0 || nulls.1 {
            return nulls.0 == nulls.1 ? 0 : (nulls.0 ? 1 : -1)
        }
        switch (a.storage, b.storage) {
        case (.constant(let box), _):
            return order(box.column, 0, b, otherRow)
        case (_, .constant(let box)):
            return order(a, row, box.column, 0)
        case (.dictionary(let codes, let dictionary), _):
            let code = Int(codes.pointer(as: UInt32.self)[row])
            return order(dictionary.values, code, b, otherRow)
        case (_, .dictionary(let codes, let dictionary)):
            let code = Int(codes.pointer(as: UInt32.self)[otherRow])
            return order(a, row, dictionary.values, code)
        case (.bits(let x), .bits(let y)):
            return Int(x[row] ? 1 : 0) - Int(y[otherRow] ? 1 : 0)
        case (.structure(let x), .structure(let y)):
            for (left, right) in zip(x, y) {
                let sign = order(left, row, right, otherRow)
                if sign != 0 { return sign }
            }
            return x.count - y.count
        case (.list(let x, let left), .list(let y, let right)):
            return orderLists(
                range(x, row),
                range(y, otherRow),
                [(left.column, right.column)]
            )
        case (.map(let x, let keys, let values), .map(let y, let otherKeys, let otherValues)):
            return orderLists(
                range(x, row),
                range(y, otherRow),
                [(keys.column, otherKeys.column), (values.column, otherValues.column)]
            )
        case (.fixed(let x), .fixed(let y)):
            return orderFixed(a.type, x, row, b.type, y, otherRow)
        case (.views(let x, _), .views(let y, _)):
            return viewsOrder(
                x.pointer(as: StringView.self)[row],
                y.pointer(as: StringView.self)[otherRow]
            ).signum()
        default:
            preconditionFailure("columns of one type have comparable storage")
        }
    }

    private static func range(_ offsets: BufferSlice, _ row: Int) -> Range<Int> {
        let bounds = offsets.pointer(as: Int32.self)
        return Int(bounds[row])..<Int(bounds[row + 1])
    }

    private static func orderLists(
        _ a: Range<Int>,
        _ b: Range<Int>,
        _ columns: [(Column, Column)]
    ) -> Int {
        for index in 0..<min(a.count, b.count) {
            for (left, right) in columns {
                let sign = order(left, a.lowerBound + index, right, b.lowerBound + index)
                if sign != 0 { return sign }
            }
        }
        return (a.count - b.count).signum()
    }

    private static func orderFixed(
        _ type: DataType,
        _ a: BufferSlice,
        _ row: Int,
        _ otherType: DataType,
        _ b: BufferSlice,
        _ otherRow: Int
    ) -> Int {
        func sign<T: OrderedLane>(_: T.Type) -> Int {
            let (x, y) = (a.pointer(as: T.self)[row], b.pointer(as: T.self)[otherRow])
            return T.same(x, y) ? 0 : (T.before(x, y) ? -1 : 1)
        }
        precondition(type.physical == otherType.physical)
        switch type.physical {
        case .int32: return sign(Int32.self)
        case .int64: return sign(Int64.self)
        case .float32: return sign(Float.self)
        case .float64: return sign(Double.self)
        default: return type == .interval ? sign(IntervalLane.self) : sign(Int128.self)
        }
    }
}
