package import Columnar

/// How two values are compared.
package enum ComparisonOperator: Sendable, Hashable, CaseIterable {
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
    /// IS DISTINCT FROM: null is a value like others; never null.
    case distinct
    /// IS NOT DISTINCT FROM.
    case notDistinct

    /// The operator with its sides exchanged.
    package var mirrored: ComparisonOperator {
        switch self {
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        default: self
        }
    }

    /// Whether the operator answers even when a side is null.
    package var seesNull: Bool { self == .distinct || self == .notDistinct }
}

/// Comparisons of columns of the same type (decimals: of the same scale).
///
/// Text is compared by its UTF-8 bytes; NaN comes after all numbers and equals itself; -0.0 equals
/// 0.0; false comes before true; lists and structs compare element by element.
package enum Comparison {
    /// A boolean column: for each row whether `a op b`, null where a side is null.
    package static func compare(
        _ op: ComparisonOperator,
        _ a: Column,
        _ b: Column
    ) throws(KernelError) -> Column {
        precondition(a.count == b.count)
        let count = a.count
        if a.isAllNull || b.isAllNull {
            switch op {
            case .distinct: return NullTests.isNotNull(a.isAllNull ? b : a)
            case .notDistinct: return NullTests.isNull(a.isAllNull ? b : a)
            default: return .nulls(.boolean, count: count)
            }
        }
        try checkTypes(a.type, b.type)
        switch (a.storage, b.storage) {
        case (.constant(let x), .constant(let y)):
            let one = try compare(op, x.column, y.column)
            return .constant(one.value(at: 0), .boolean, count: count)
        case (.constant, _):
            return try compare(op.mirrored, b, a)
        case (.dictionary(let codes, let dictionary), .constant)
        where dictionary.count <= count && !op.seesNull:
            let entries = try compare(
                op,
                dictionary.values,
                b.constant(repeated: dictionary.count)
            )
            return Take.gather(
                entries.flattened(),
                codes: codes,
                count: count,
                validity: a.validity
            )
        default:
            break
        }
        if a.type.isNested { return try NestedComparison.compare(op, a, b) }
        let (left, right) = (Operand(a), Operand(b))
        let validity = Bitmap.and(left.validity, right.validity)
        switch op {
        case .notDistinct, .distinct:
            let equal = bits(.equal, left, right)
            guard validity != nil else {
                return Column(bits: op == .distinct ? equal.inverted : equal)
            }
            let (x, y) = (left.validity?.words, right.validity?.words)
            let same = equal.words
            let flip: UInt64 = op == .distinct ? .max : 0
            let result = Bitmap.fromWords(count) {
                let (p, q) = (x?[$0] ?? .max, y?[$0] ?? .max)
                return ((p & q & same[$0]) | (~p & ~q)) ^ flip
            }
            return withExtendedLifetime((left, right, equal)) { Column(bits: result) }
        default:
            return Column(bits: bits(op, left, right), validity: validity)
        }
    }

    /// `low <= column AND column <= high`, in three-valued logic.
    package static func between(
        _ column: Column,
        _ low: Column,
        _ high: Column
    ) throws(KernelError) -> Column {
        Logic.and(
            try compare(.greaterOrEqual, column, low),
            try compare(.lessOrEqual, column, high)
        )
    }

    private static func checkTypes(_ a: DataType, _ b: DataType) throws(KernelError) {
        if a == b { return }
        switch (a, b) {
        case (.decimal(_, let x), .decimal(_, let y))
        where x == y && a.physical == b.physical:
            return
        case (.fixed, .fixed), (.fixed, .binary), (.binary, .fixed):
            return
        case (.list, .list), (.structure, .structure), (.map, .map):
            return
        default:
            throw KernelError(.unsupported, "cannot compare \(a) with \(b)")
        }
    }

    /// One bit a row, for flat operands; rows that are null get any bit.
    static func bits(_ op: ComparisonOperator, _ a: Operand, _ b: Operand) -> Bitmap {
        switch a.column.type.physical {
        case .bit: booleans(op, a, b)
        case .int32: lanes(op, a, b, Int32.self)
        case .int64: lanes(op, a, b, Int64.self)
        case .float32: lanes(op, a, b, Float.self)
        case .float64: lanes(op, a, b, Double.self)
        case .int128:
            a.column.type == .interval
                ? lanes(op, a, b, IntervalLane.self) : lanes(op, a, b, Int128.self)
        case .view: lanes(op, a, b, StringView.self)
        case .none, .list, .structure, .map:
            preconditionFailure("\(a.column.type) is not flat")
        }
    }

    private static func booleans(
        _ op: ComparisonOperator,
        _ a: Operand,
        _ b: Operand
    ) -> Bitmap {
        let (left, right) = (a.bits, b.bits)
        let (x, y) = (left.words, right.words)
        let count = left.count
        return withExtendedLifetime((left, right)) {
            switch op {
            case .equal, .notDistinct: .fromWords(count) { ~(x[$0] ^ y[$0]) }
            case .notEqual, .distinct: .fromWords(count) { x[$0] ^ y[$0] }
            case .less: .fromWords(count) { ~x[$0] & y[$0] }
            case .lessOrEqual: .fromWords(count) { ~x[$0] | y[$0] }
            case .greater: .fromWords(count) { x[$0] & ~y[$0] }
            case .greaterOrEqual: .fromWords(count) { x[$0] | ~y[$0] }
            }
        }
    }

    private static func lanes<T: OrderedLane>(
        _ op: ComparisonOperator,
        _ a: Operand,
        _ b: Operand,
        _: T.Type
    ) -> Bitmap {
        let (x, y) = (a.pointer(T.self), b.pointer(T.self))
        let count = max(a.count, b.count)
        return withExtendedLifetime((a, b)) {
            guard count > 0 else { return Bitmap(repeating: false, count: 0) }
            if b.isConstant { return against(op, x, y[0], count) }
            switch op {
            case .equal, .notDistinct: return buildBits(count) { T.same(x[$0], y[$0]) }
            case .notEqual, .distinct: return buildBits(count) { !T.same(x[$0], y[$0]) }
            case .less: return buildBits(count) { T.before(x[$0], y[$0]) }
            case .lessOrEqual: return buildBits(count) { !T.before(y[$0], x[$0]) }
            case .greater: return buildBits(count) { T.before(y[$0], x[$0]) }
            case .greaterOrEqual: return buildBits(count) { !T.before(x[$0], y[$0]) }
            }
        }
    }

    @inline(__always)
    static func against<T: OrderedLane>(
        _ op: ComparisonOperator,
        _ x: UnsafePointer<T>,
        _ constant: T,
        _ count: Int
    ) -> Bitmap {
        switch op {
        case .equal, .notDistinct: buildBits(count) { T.same(x[$0], constant) }
        case .notEqual, .distinct: buildBits(count) { !T.same(x[$0], constant) }
        case .less: buildBits(count) { T.before(x[$0], constant) }
        case .lessOrEqual: buildBits(count) { !T.before(constant, x[$0]) }
        case .greater: buildBits(count) { T.before(constant, x[$0]) }
        case .greaterOrEqual: buildBits(count) { !T.before(x[$0], constant) }
        }
    }
}
