package import Columnar
import Glibc

/// Functions of whole numbers, and of doubles that `Mathematics` has no place for.
package enum NumberFunctions {
    // MARK: Whole numbers

    /// The greatest common divisor, never negative, as int64.
    package static func greatestDivisor(_ a: Column, _ b: Column) throws(KernelError) -> Column {
        try Rowwise.values([a, b], "ii", to: .int64, Int64.self) {
            (arguments, row) throws(KernelError) -> Int64? in
            let (x, y) = (arguments.int64(0, row), arguments.int64(1, row))
            guard let divisor = Int64(exactly: divisor(x.magnitude, y.magnitude)) else {
                throw KernelError(.overflow, "gcd(\(x), \(y)) does not fit BIGINT")
            }
            return divisor
        }
    }

    private static func divisor(_ a: UInt64, _ b: UInt64) -> UInt64 {
        var (a, b) = (a, b)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }

    /// The least common multiple, never negative, as int64; 0 when a side is 0.
    package static func leastMultiple(_ a: Column, _ b: Column) throws(KernelError) -> Column {
        try Rowwise.values([a, b], "ii", to: .int64, Int64.self) {
            (arguments, row) throws(KernelError) -> Int64? in
            let (x, y) = (arguments.int64(0, row), arguments.int64(1, row))
            if x == 0 || y == 0 { return 0 }
            let part = x.magnitude / divisor(x.magnitude, y.magnitude)
            let (product, overflow) = part.multipliedReportingOverflow(by: y.magnitude)
            guard !overflow, let result = Int64(exactly: product) else {
                throw KernelError(.overflow, "lcm(\(x), \(y)) does not fit BIGINT")
            }
            return result
        }
    }

    /// n!, as DECIMAL(38,0), which holds those up to 33!.
    package static func factorial(_ column: Column) throws(KernelError) -> Column {
        let type = DataType.decimal(precision: 38, scale: 0)
        return try Rowwise.values([column], "i", to: type, Int128.self) {
            (arguments, row) throws(KernelError) -> Int128? in
            let number = arguments.int64(0, row)
            guard number >= 0 else {
                throw KernelError(.outOfRange, "there is no factorial of \(number)")
            }
            guard number <= 33 else {
                throw KernelError(.overflow, "\(number)! has more than 38 digits")
            }
            var product: Int128 = 1
            for factor in 1..<Int128(max(2, number + 1)) { product *= factor }
            return product
        }
    }

    /// How many bits are set, of 32 or 64 as the column's type has them, as int32.
    package static func bitCount(_ column: Column) throws(KernelError) -> Column {
        if column.type == .int32 {
            return column.mapped(to: .int32) { column in
                Casting.convertAll(column, .int32, Int32.self) { Int32($0.nonzeroBitCount) }
            }
        }
        return column.mapped(to: .int32) { column in
            Casting.convertAll(column, .int32, Int64.self) { Int32($0.nonzeroBitCount) }
        }
    }

    /// In which of `count` equal parts of the range from `low` to `high` a value lies, from 1.
    ///
    /// 0 and `count` + 1 are for values outside. A range that goes down is counted from its upper end.
    package static func bucket(
        _ value: Column,
        low: Column,
        high: Column,
        count buckets: Column
    ) throws(KernelError) -> Column {
        let columns = [
            try Casting.cast(value, to: .float64), try Casting.cast(low, to: .float64),
            try Casting.cast(high, to: .float64), try Casting.cast(buckets, to: .int64),
        ]
        return try Rowwise.apply(columns, to: .int64) {
            (operands, count, validity) throws(KernelError) -> Column in
            let (v, l, h) = (
                operands[0].pointer(Double.self), operands[1].pointer(Double.self),
                operands[2].pointer(Double.self)
            )
            let n = operands[3].pointer(Int64.self)
            let (m0, m1, m2, m3) = (
                operands[0].mask, operands[1].mask, operands[2].mask, operands[3].mask
            )
            let buffer = Buffer(zeroedByteCount: count * 8)
            let target = buffer.mutable(as: Int64.self)
            try forEachValid(validity, count) { (row) throws(KernelError) in
                let (value, low, high) = (v[row & m0], l[row & m1], h[row & m2])
                let parts = n[row & m3]
                guard parts > 0, parts < .max else {
                    throw KernelError(.outOfRange, "width_bucket needs parts, not \(parts)")
                }
                guard low.isFinite, high.isFinite, low != high, !value.isNaN else {
                    throw KernelError(
                        .outOfRange,
                        "width_bucket needs a value and a range, not \(value) in \(low) to \(high)"
                    )
                }
                let isDown = low > high
                if isDown ? value > low : value < low {
                    target[row] = 0
                } else if isDown ? value <= high : value >= high {
                    target[row] = parts + 1
                } else {
                    // Halves, so that the range of the greatest doubles does not overflow.
                    let share = (value / 2 - low / 2) / (high / 2 - low / 2)
                    let place = Int64(exactly: (share * Double(parts)).rounded(.down)) ?? parts - 1
                    target[row] = min(place, parts - 1) + 1
                }
            }
            return withExtendedLifetime(operands) {
                Column(.int64, count: count, validity: validity, buffer: buffer)
            }
        }
    }

    // MARK: Doubles

    /// The next even whole number away from zero, as DOUBLE.
    package static func even(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.values([try Casting.cast(column, to: .float64)], "d", to: .float64, Double.self)
        {
            (arguments, row) throws(KernelError) -> Double? in
            let value = arguments.double(0, row)
            let whole = value.rounded(value < 0 ? .down : .up)
            if whole.truncatingRemainder(dividingBy: 2) == 0 || !whole.isFinite { return whole }
            return whole < 0 ? whole - 1 : whole + 1
        }
    }

    /// The double next to a number on the side of another.
    package static func next(_ column: Column, toward: Column) throws(KernelError) -> Column {
        try Rowwise.values(
            [try Casting.cast(column, to: .float64), try Casting.cast(toward, to: .float64)],
            "dd",
            to: .float64,
            Double.self
        ) { arguments, row in nextafter(arguments.double(0, row), arguments.double(1, row)) }
    }

    /// Whether the sign is a minus, also of zero and NaN.
    package static func signBit(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.flags([try Casting.cast(column, to: .float64)], "d") { arguments, row in
            arguments.double(0, row).sign == .minus
        }
    }

    /// A double rounded to digits, halves to the even neighbour, as DOUBLE.
    package static func roundEven(_ column: Column, digits: Column) throws(KernelError) -> Column {
        let columns = [
            try Casting.cast(column, to: .float64), try Casting.cast(digits, to: .float64),
        ]
        return try Rowwise.values(columns, "dd", to: .float64, Double.self) { arguments, row in
            let (value, digits) = (arguments.double(0, row), arguments.double(1, row))
            if digits == 0 { return value.rounded(.toNearestOrEven) }
            let factor = pow(10, digits)
            let scaled = (value * factor).rounded(.toNearestOrEven) / factor
            return scaled.isFinite ? scaled : value
        }
    }
}

/// Further functions of one double.
package enum SpecialFunction: Sendable, Hashable, CaseIterable {
    case gamma, logGamma, areaSine, areaCosine, areaTangent
}

extension NumberFunctions {
    /// A function of any numbers, as DOUBLE; `outOfRange` where it is not defined.
    package static func apply(
        _ function: SpecialFunction,
        _ column: Column
    ) throws(KernelError) -> Column {
        try Rowwise.values([try Casting.cast(column, to: .float64)], "d", to: .float64, Double.self)
        {
            (arguments, row) throws(KernelError) -> Double? in
            let value = arguments.double(0, row)
            func refuse(_ name: String) -> KernelError {
                KernelError(.outOfRange, "\(name) is not defined for \(value)")
            }
            switch function {
            case .gamma:
                guard value != 0 else { throw refuse("gamma") }
                return tgamma(value)
            case .logGamma:
                guard value != 0 else { throw refuse("lgamma") }
                return lgamma(value)
            case .areaSine: return asinh(value)
            case .areaCosine: return acosh(value)
            case .areaTangent:
                guard !(value.magnitude > 1) else { throw refuse("atanh") }
                return atanh(value)
            }
        }
    }
}
