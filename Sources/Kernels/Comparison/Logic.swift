package import Columnar

/// AND, OR and NOT in three-valued logic, a word of 64 rows at a time.
package enum Logic {
    /// False where a side is false, else null where a side is null, else true.
    package static func and(_ a: Column, _ b: Column) -> Column {
        combine(a, b) { p, m, q, n in
            // Known true, known false.
            let isTrue = p & m & q & n
            let isFalse = (m & ~p) | (n & ~q)
            return (isTrue, isTrue | isFalse)
        }
    }

    /// True where a side is true, else null where a side is null, else false.
    package static func or(_ a: Column, _ b: Column) -> Column {
        combine(a, b) { p, m, q, n in
            let isTrue = (p & m) | (q & n)
            let isFalse = m & ~p & n & ~q
            return (isTrue, isTrue | isFalse)
        }
    }

    /// True for false, false for true, null for null.
    package static func not(_ column: Column) -> Column {
        column.mapped(to: .boolean) { column in
            guard case .bits(let bits) = column.storage else { return column }
            return Column(bits: bits.inverted, validity: column.validity)
        }
    }

    private struct Side {
        let values: Bitmap
        let validity: Bitmap?

        init(_ column: Column) {
            precondition(column.type == .boolean || column.type == .null)
            if column.isAllNull {
                values = Bitmap(repeating: false, count: column.count)
                validity = values
            } else {
                let operand = Operand(column)
                values = operand.bits
                validity = operand.validity
            }
        }
    }

    @inline(__always)
    private static func combine(
        _ a: Column,
        _ b: Column,
        _ body: (UInt64, UInt64, UInt64, UInt64) -> (value: UInt64, valid: UInt64)
    ) -> Column {
        precondition(a.count == b.count)
        let (left, right) = (Side(a), Side(b))
        let (p, q) = (left.values.words, right.values.words)
        let count = a.count
        if left.validity == nil && right.validity == nil {
            let result = Bitmap.fromWords(count) { body(p[$0], .max, q[$0], .max).value }
            return withExtendedLifetime((left, right)) { Column(bits: result) }
        }
        let (m, n) = (left.validity?.words, right.validity?.words)
        let values = Bitmap.fromWords(count) {
            body(p[$0], m?[$0] ?? .max, q[$0], n?[$0] ?? .max).value
        }
        let valid = Bitmap.fromWords(count) {
            body(p[$0], m?[$0] ?? .max, q[$0], n?[$0] ?? .max).valid
        }
        return withExtendedLifetime((left, right)) {
            Column(bits: values, validity: normalized(valid))
        }
    }
}

/// Tests whose answer is never null.
package enum NullTests {
    package static func isNull(_ column: Column) -> Column {
        switch column.storage {
        case .null: .constant(.boolean(true), .boolean, count: column.count)
        case .constant: .constant(.boolean(false), .boolean, count: column.count)
        default:
            column.validity.map { Column(bits: $0.inverted) }
                ?? .constant(.boolean(false), .boolean, count: column.count)
        }
    }

    package static func isNotNull(_ column: Column) -> Column {
        switch column.storage {
        case .null: .constant(.boolean(false), .boolean, count: column.count)
        case .constant: .constant(.boolean(true), .boolean, count: column.count)
        default:
            column.validity.map { Column(bits: $0) }
                ?? .constant(.boolean(true), .boolean, count: column.count)
        }
    }

    /// IS TRUE of a boolean column.
    package static func isTrue(_ column: Column) -> Column {
        Column(bits: Filter.trueRows(column))
    }

    /// IS FALSE of a boolean column.
    package static func isFalse(_ column: Column) -> Column {
        Column(bits: Filter.trueRows(Logic.not(column)))
    }

    /// Whether a number is NaN; null for null, false for types without NaN.
    package static func isNaN(_ column: Column) -> Column {
        floatingTest(column, { $0 != $0 }, { $0 != $0 })
    }

    /// Whether a number is an infinity.
    package static func isInfinite(_ column: Column) -> Column {
        floatingTest(column, { $0.isInfinite }, { $0.isInfinite })
    }

    /// Whether a number is neither an infinity nor NaN.
    package static func isFinite(_ column: Column) -> Column {
        let other = Logic.or(isNaN(column), isInfinite(column))
        return Logic.not(other)
    }

    @inline(__always)
    private static func floatingTest(
        _ column: Column,
        _ double: (Double) -> Bool,
        _ float: (Float) -> Bool
    ) -> Column {
        column.mapped(to: .boolean) { column in
            let count = column.count
            guard case .fixed(let values) = column.storage, column.type.isFloating else {
                return Column(
                    bits: Bitmap(repeating: false, count: count),
                    validity: column.validity
                )
            }
            let bits: Bitmap
            if column.type == .float64 {
                let pointer = values.pointer(as: Double.self)
                bits = buildBits(count) { double(pointer[$0]) }
            } else {
                let pointer = values.pointer(as: Float.self)
                bits = buildBits(count) { float(pointer[$0]) }
            }
            return withExtendedLifetime(column) { Column(bits: bits, validity: column.validity) }
        }
    }
}
