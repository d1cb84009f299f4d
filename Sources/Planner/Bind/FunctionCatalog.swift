import Columnar

/// What a call by name with arguments of given types means.
struct FunctionMatch {
    var function: ScalarFunction
    /// What each argument is cast to.
    var argumentTypes: [DataType]
    var type: DataType
}

/// Names in SQL to functions, with the types they take.
enum FunctionCatalog {
    /// What the name means under any of its spellings; nil when it is unknown.
    static func function(named name: String) -> ScalarFunction? {
        switch name {
        case "lcase": .lower
        case "ucase": .upper
        case "len", "char_length", "character_length": .length
        case "substr": .substring
        case "btrim": .trim
        case "strpos", "instr": .position
        case "prefix", "startswith": .startsWith
        case "suffix", "endswith": .endsWith
        case "string_split_part": .splitPart
        case "ifnull", "nvl": .coalesce
        case "pow": .power
        case "ceiling": .ceil
        case "truncate": .trunc
        case "sgn": .sign
        case "log": .log10
        case "datepart", "extract": .datePart
        case "datetrunc": .dateTrunc
        case "datediff": .dateDiff
        case "regexp_like": .regexpMatches
        case "regexp_full_match": .regexpFullMatch
        case "mismatches": .hamming
        case "editdist3": .levenshtein
        case "strlen": .octetLength
        case "to_hex": .hex
        case "to_binary": .bin
        case "from_hex": .unhex
        case "from_binary": .unbin
        case "base64": .toBase64
        case "ord": .unicode
        case "formatreadablesize": .formatBytes
        case "greatest_common_divisor": .gcd
        case "least_common_multiple": .lcm
        case "roundbankers": .roundEven
        case "datesub": .dateSub
        case "normalized_interval": .justifyInterval
        case "gen_random_uuid", "uuidv4": .uuid
        case "bit_length", "combine_date_time", "zone_local", "zone_instant", "zone_text",
            "zone_parse", "try_zone_parse", "zone_offset", "zone_add", "zone_subtract":
            nil
        default: ScalarFunction(rawValue: name)
        }
    }

    /// Every name a call may use, for suggestions.
    static var names: [String] {
        FunctionDescription.all.flatMap(\.names) + ListFunctionCatalog.names
    }

    /// Functions that are `date_part` with the part in their name.
    static let dateParts: Set<String> = [
        "year", "quarter", "month", "week", "day", "dayofmonth", "dayofweek", "isodow",
        "dayofyear", "hour", "minute", "second", "millisecond", "microsecond", "epoch", "decade",
        "century", "millennium", "isoyear", "weekofyear",
    ]

    /// The types of a call; nil when the function does not take such arguments.
    static func match(_ function: ScalarFunction, _ types: [DataType]) -> FunctionMatch? {
        func taking(_ wanted: [DataType], _ result: DataType) -> FunctionMatch? {
            guard wanted.count == types.count else { return nil }
            for (want, have) in zip(wanted, types) where !accepts(want, have) { return nil }
            return FunctionMatch(function: function, argumentTypes: wanted, type: result)
        }
        func first(_ options: FunctionMatch?...) -> FunctionMatch? {
            options.lazy.compactMap { $0 }.first
        }
        switch function {
        case .lower, .upper, .reverse, .initcap:
            return taking([.string], .string)
        case .trim, .ltrim, .rtrim:
            return first(taking([.string], .string), taking([.string, .string], .string))
        case .length:
            return taking([.string], .int64)
        case .octetLength:
            return first(taking([.binary], .int64), taking([.string], .int64))
        case .ascii: return taking([.string], .int32)
        case .chr: return taking([.int32], .string)
        case .substring:
            return first(
                taking([.string, .int64], .string),
                taking([.string, .int64, .int64], .string)
            )
        case .left, .right, .repeated: return taking([.string, .int64], .string)
        case .lpad, .rpad:
            return first(
                taking([.string, .int64], .string),
                taking([.string, .int64, .string], .string)
            )
        case .replace, .translate: return taking([.string, .string, .string], .string)
        case .position: return taking([.string, .string], .int64)
        case .startsWith, .endsWith, .contains: return taking([.string, .string], .boolean)
        case .splitPart: return taking([.string, .string, .int64], .string)
        case .regexpMatches:
            return first(
                taking([.string, .string], .boolean),
                taking([.string, .string, .string], .boolean)
            )
        case .regexpReplace:
            return first(
                taking([.string, .string, .string], .string),
                taking([.string, .string, .string, .string], .string)
            )
        case .regexpExtract:
            return first(
                taking([.string, .string], .string),
                taking([.string, .string, .int32], .string),
                taking([.string, .string, .int32, .string], .string)
            )
        case .concat, .concatWS:
            guard types.count >= (function == .concat ? 1 : 2) else { return nil }
            return FunctionMatch(
                function: function,
                argumentTypes: types.map { _ in .string },
                type: .string
            )
        case .coalesce, .greatest, .least:
            guard var type = types.first else { return nil }
            for other in types.dropFirst() {
                guard let common = CoercionRules.common(type, other) else { return nil }
                type = common
            }
            return FunctionMatch(
                function: function,
                argumentTypes: types.map { _ in type },
                type: type
            )
        case .nullif:
            guard types.count == 2, let type = CoercionRules.common(types[0], types[1]) else {
                return nil
            }
            return FunctionMatch(function: function, argumentTypes: [type, type], type: type)
        case .abs:
            guard types.count == 1, let only = types.first else { return nil }
            if only == .null { return taking([.int32], .int32) }
            guard only.isNumeric else { return nil }
            return taking([only], only)
        case .sign:
            guard types.count == 1, let only = types.first, only.isNumeric else { return nil }
            return taking([only], .int32)
        case .floor, .ceil:
            guard types.count == 1, let only = types.first, only.isNumeric else { return nil }
            if case .decimal(let precision, let scale) = only {
                let digits = min(38, max(1, precision - scale) + (scale > 0 ? 1 : 0))
                return taking([only], .decimal(precision: digits, scale: 0))
            }
            return taking([only], only)
        case .round, .trunc:
            guard let only = types.first, only.isNumeric else { return nil }
            let result: DataType
            if case .decimal(let precision, let scale) = only {
                // The scale stays when digits are asked for: their number may differ by row.
                let digits = types.count == 1 ? max(1, precision - scale) : precision
                result = .decimal(
                    precision: min(38, digits + (scale > 0 ? 1 : 0)),
                    scale: types.count == 1 ? 0 : scale
                )
            } else {
                result = only
            }
            return first(taking([only], result), taking([only, .int32], result))
        case .bitwiseAnd, .bitwiseOr, .bitwiseXor, .shiftLeft, .shiftRight:
            guard types.count == 2, types.allSatisfy({ $0.isInteger || $0 == .null }) else {
                return nil
            }
            let isShift = function == .shiftLeft || function == .shiftRight
            return FunctionMatch(
                function: function,
                argumentTypes: [.int64, .int64],
                type: isShift || types.contains(.int64) ? .int64 : .int32
            )
        case .bitwiseNot:
            return first(
                taking([.int32], .int32).flatMap { types[0] == .int64 ? nil : $0 },
                taking([.int64], .int64)
            )
        case .sinh, .cosh, .tanh: return taking([.float64], .float64)
        case .sqrt, .cbrt, .exp, .ln, .log10, .log2, .sin, .cos, .tan, .asin, .acos, .atan,
            .degrees, .radians:
            return taking([.float64], .float64)
        case .power, .atan2: return taking([.float64, .float64], .float64)
        case .pi: return taking([], .float64)
        case .isNaN, .isInfinite, .isFinite: return taking([.float64], .boolean)
        case .datePart:
            guard types.count == 2, types[0] == .string else { return nil }
            guard types[1].isTemporal || types[1] == .interval else { return nil }
            return taking([.string, types[1]], .int64)
        case .dateTrunc:
            guard types.count == 2, types[0] == .string else { return nil }
            switch types[1] {
            case .date: return taking([.string, .date], .date)
            case .timestamp: return taking([.string, .timestamp], .timestamp)
            case .timestamptz: return taking([.string, .timestamptz], .timestamptz)
            case .interval: return taking([.string, .interval], .interval)
            default: return nil
            }
        case .dateDiff:
            guard types.count == 3, types[0] == .string,
                let type = CoercionRules.common(types[1], types[2]), type.isTemporal
            else { return nil }
            return taking([.string, type, type], .int64)
        case .dateAdd:
            guard types.count == 2 else { return nil }
            return first(
                taking([.date, .interval], .timestamp),
                taking([.timestamp, .interval], .timestamp),
                taking([.timestamptz, .interval], .timestamptz)
            )
        case .lastDay: return first(taking([.date], .date), taking([.timestamp], .date))
        case .dayName, .monthName:
            return first(taking([.date], .string), taking([.timestamp], .string))
        case .makeDate:
            return first(taking([.int64, .int64, .int64], .date), taking([.int64], .date))
        case .makeTimestamp:
            return first(
                taking([.int64, .int64, .int64, .int64, .int64, .float64], .timestamp),
                taking([.int64], .timestamp)
            )
        case .strftime:
            if types.count == 2, types[0] == .string, types[1] != .string { return nil }
            return first(
                taking([.date, .string], .string),
                taking([.timestamp, .string], .string),
                taking([.timestamptz, .string], .string)
            )
        case .strptime: return taking([.string, .string], .timestamp)
        case .epochMillis:
            return first(
                types == [.null] ? nil : taking([.int64], .timestamp),
                taking([.time], .int64),
                taking([.interval], .int64),
                taking([.date], .int64),
                taking([.timestamp], .int64),
                taking([.timestamptz], .int64)
            )
        case .toTimestamp: return taking([.float64], .timestamptz)
        default: return overload(function, types)
        }
    }

    /// Whether a value of type `have` may be given where `want` is asked, without a CAST.
    static func accepts(_ want: DataType, _ have: DataType) -> Bool {
        if want == have || have == .null { return true }
        switch (want, have) {
        case (.int64, .int32), (.float64, .int32), (.float64, .int64), (.float64, .float32),
            (.float64, .decimal), (.timestamp, .date), (.binary, .fixed):
            return true
        // A narrower integer is wanted where constants usually stand (digits, codes).
        case (.int32, .int64): return true
        default: return false
        }
    }
}
