/// The functions of one row that the executor knows, by their canonical SQL names.
package enum ScalarFunction: String, Sendable, Hashable, CaseIterable {
    // Text
    case lower, upper, length, octetLength = "octet_length", substring, trim, ltrim, rtrim
    case replace, concat, concatWS = "concat_ws", left, right, lpad, rpad, position
    case startsWith = "starts_with", endsWith = "ends_with", contains, reverse, repeated = "repeat"
    case splitPart = "split_part", ascii, chr, initcap, translate
    case regexpMatches = "regexp_matches", regexpReplace = "regexp_replace"
    case regexpExtract = "regexp_extract"
    // Choice
    case coalesce, nullif, greatest, least
    // Numbers
    case abs, sign, sqrt, cbrt, exp, ln, log10, log2, power, floor, ceil, round, trunc
    case sin, cos, tan, asin, acos, atan, atan2, degrees, radians, pi
    case sinh, cosh, tanh
    case bitwiseAnd = "bitwise_and", bitwiseOr = "bitwise_or", bitwiseXor = "xor"
    case shiftLeft = "shift_left", shiftRight = "shift_right", bitwiseNot = "bitwise_not"
    case isNaN = "isnan", isInfinite = "isinf", isFinite = "isfinite"
    // Dates and times
    case datePart = "date_part", dateTrunc = "date_trunc", dateDiff = "date_diff"
    case dateAdd = "date_add", lastDay = "last_day", dayName = "dayname", monthName = "monthname"
    case makeDate = "make_date", makeTimestamp = "make_timestamp", strftime, strptime
    case epochMillis = "epoch_ms", toTimestamp = "to_timestamp"
    // Iceberg
    case hash

    /// Whether two calls with the same arguments may differ.
    package var isVolatile: Bool { false }

    /// Whether a call may fail for some arguments.
    package var canFail: Bool {
        switch self {
        case .sqrt, .ln, .log10, .log2, .power, .chr, .repeated, .makeDate, .makeTimestamp,
            .strptime, .lpad, .rpad, .abs, .round, .dateAdd, .toTimestamp, .regexpMatches,
            .regexpReplace, .regexpExtract, .epochMillis, .asin, .acos,
            .shiftLeft, .shiftRight, .sin, .cos, .tan:
            true
        default: false
        }
    }
}
