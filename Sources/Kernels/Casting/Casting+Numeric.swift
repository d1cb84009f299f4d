import Columnar

extension Casting {
    /// Numbers to numbers.
    static func numeric(_ column: Column, _ context: Context) throws(KernelError) -> Column {
        switch (column.type, context.type) {
        case (.int32, .int64):
            return convertAll(column, .int64, Int32.self) { Int64($0) }
        case (.int32, .float64):
            return convertAll(column, .float64, Int32.self) { Double($0) }
        case (.int32, .float32):
            return convertAll(column, .float32, Int32.self) { Float($0) }
        case (.int64, .float64):
            return convertAll(column, .float64, Int64.self) { Double($0) }
        case (.int64, .float32):
            return convertAll(column, .float32, Int64.self) { Float($0) }
        case (.float32, .float64):
            return convertAll(column, .float64, Float.self) { Double($0) }
        case (.float64, .float32):
            return try convert(column, context, Double.self) { value -> Float? in
                let result = Float(value)
                return result.isInfinite && !value.isInfinite ? nil : result
            }
        case (.int64, .int32):
            return try convert(column, context, Int64.self) { Int32(exactly: $0) }
        case (.float32, .int32):
            return try convert(column, context, Float.self) {
                Int32(exactly: $0.rounded(.toNearestOrEven))
            }
        case (.float32, .int64):
            return try convert(column, context, Float.self) {
                Int64(exactly: $0.rounded(.toNearestOrEven))
            }
        case (.float64, .int32):
            return try convert(column, context, Double.self) {
                Int32(exactly: $0.rounded(.toNearestOrEven))
            }
        case (.float64, .int64):
            return try convert(column, context, Double.self) {
                Int64(exactly: $0.rounded(.toNearestOrEven))
            }
        case (.float32, .decimal), (.float64, .decimal):
            return try decimalFromFloat(column, context)
        case (.decimal(_, let scale), .float32), (.decimal(_, let scale), .float64):
            return floatFromDecimal(column, context, scale)
        case (_, .decimal(let precision, let scale)):
            guard let (_, oldScale) = DecimalRules.digits(column.type) else { break }
            return try rescale(column, context, oldScale, scale, PowersOfTen.of(precision))
        case (.decimal(_, let oldScale), .int32):
            return try rescale(column, context, oldScale, 0, Int128(Int32.max) + 1)
        case (.decimal(_, let oldScale), .int64):
            return try rescale(column, context, oldScale, 0, Int128(Int64.max) + 1)
        default:
            break
        }
        throw KernelError(.unsupported, "cannot cast \(column.type) to \(context.type)")
    }

    private static func decimalFromFloat(
        _ column: Column,
        _ context: Context
    ) throws(KernelError) -> Column {
        guard case .decimal(let precision, let scale) = context.type else { return column }
        let wide = try cast(column, to: .float64)
        let factor = Double(PowersOfTen.of(scale))
        let limit = PowersOfTen.of(precision)
        let isNarrow = context.type.physical == .int64
        func digits(_ value: Double) -> Int128? {
            let scaled = (value * factor).rounded(.toNearestOrAwayFromZero)
            guard let result = Int128(whole: scaled), result < limit, result > -limit else {
                return nil
            }
            return result
        }
        if isNarrow {
            return try convert(wide, context, Double.self) { value -> Int64? in
                digits(value).map { Int64(truncatingIfNeeded: $0) }
            }
        }
        return try convert(wide, context, Double.self) { digits($0) }
    }

    private static func floatFromDecimal(
        _ column: Column,
        _ context: Context,
        _ scale: Int
    ) -> Column {
        let factor = Double(PowersOfTen.of(scale))
        let isDouble = context.type == .float64
        if column.type.physical == .int64 {
            return isDouble
                ? convertAll(column, .float64, Int64.self) { Double($0) / factor }
                : convertAll(column, .float32, Int64.self) { Float(Double($0) / factor) }
        }
        return isDouble
            ? convertAll(column, .float64, Int128.self) { Double(nearest: $0) / factor }
            : convertAll(column, .float32, Int128.self) { Float(Double(nearest: $0) / factor) }
    }

    /// Integers and decimals to decimals and integers: results must be below `limit` by magnitude
    /// (for integers the least value, whose magnitude is the limit, fits too).
    private static func rescale(
        _ column: Column,
        _ context: Context,
        _ oldScale: Int,
        _ newScale: Int,
        _ limit: Int128
    ) throws(KernelError) -> Column {
        let least = context.type.isInteger ? -limit : 1 - limit
        let factor = PowersOfTen.of(abs(newScale - oldScale))
        let isUp = newScale >= oldScale
        func rescaled(_ value: Int128) -> Int128? {
            let result: Int128
            if isUp {
                guard let product = DecimalArithmetic.product(value, factor) else { return nil }
                result = product
            } else {
                let (quotient, rest) = value.quotientAndRemainder(dividingBy: factor)
                // Half away from zero.
                let up = rest.magnitude >= (factor.magnitude + 1) / 2
                result = up ? quotient + (value < 0 ? -1 : 1) : quotient
            }
            return result < limit && result >= least ? result : nil
        }
        switch (column.type.physical, context.type.physical) {
        case (.int32, .int64):
            return try convert(column, context, Int32.self) { value -> Int64? in
                rescaled(Int128(value)).map { Int64(truncatingIfNeeded: $0) }
            }
        case (.int32, _):
            return try convert(column, context, Int32.self) { rescaled(Int128($0)) }
        case (.int64, .int32):
            return try convert(column, context, Int64.self) { value -> Int32? in
                rescaled(Int128(value)).map { Int32(truncatingIfNeeded: $0) }
            }
        case (.int64, .int64):
            return try convert(column, context, Int64.self) { value -> Int64? in
                rescaled(Int128(value)).map { Int64(truncatingIfNeeded: $0) }
            }
        case (.int64, _):
            return try convert(column, context, Int64.self) { rescaled(Int128($0)) }
        case (_, .int32):
            return try convert(column, context, Int128.self) { value -> Int32? in
                rescaled(value).map { Int32(truncatingIfNeeded: $0) }
            }
        case (_, .int64):
            return try convert(column, context, Int128.self) { value -> Int64? in
                rescaled(value).map { Int64(truncatingIfNeeded: $0) }
            }
        default:
            return try convert(column, context, Int128.self) { rescaled($0) }
        }
    }
}
