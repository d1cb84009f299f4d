/// The functions of one row that the executor knows, by their canonical SQL names.
package enum ScalarFunction: String, Sendable, Hashable, CaseIterable {
    // Text
    case lower, upper, length, octetLength = "octet_length", substring, trim, ltrim, rtrim
    case replace, concat, concatWS = "concat_ws", left, right, lpad, rpad, position
    case startsWith = "starts_with", endsWith = "ends_with", contains, reverse, repeated = "repeat"
    case splitPart = "split_part", ascii, chr, initcap, translate
    case regexpMatches = "regexp_matches", regexpReplace = "regexp_replace"
    case regexpExtract = "regexp_extract"
    case regexpFullMatch = "regexp_full_match", regexpEscape = "regexp_escape"
    case levenshtein, damerauLevenshtein = "damerau_levenshtein", hamming, jaccard
    case jaro = "jaro_similarity", jaroWinkler = "jaro_winkler_similarity"
    case hex, bin, unhex, unbin, toBase = "to_base", toBase64 = "to_base64"
    case fromBase64 = "from_base64", urlEncode = "url_encode", urlDecode = "url_decode"
    case encode, decode, md5, sha1, sha256, unicode, overlay, printf, format, bar
    case stripAccents = "strip_accents", nfcNormalize = "nfc_normalize"
    case graphemeLength = "length_grapheme", graphemeLeft = "left_grapheme"
    case graphemeRight = "right_grapheme", graphemeSubstring = "substring_grapheme"
    case formatBytes = "format_bytes", formatDecimalBytes = "formatreadabledecimalsize"
    case parseFilename = "parse_filename", parseDirname = "parse_dirname"
    case parseDirpath = "parse_dirpath"
    // Choice
    case coalesce, nullif, greatest, least
    // Numbers
    case abs, sign, sqrt, cbrt, exp, ln, log10, log2, power, floor, ceil, round, trunc
    case sin, cos, tan, asin, acos, atan, atan2, degrees, radians, pi
    case sinh, cosh, tanh
    case bitwiseAnd = "bitwise_and", bitwiseOr = "bitwise_or", bitwiseXor = "xor"
    case shiftLeft = "shift_left", shiftRight = "shift_right", bitwiseNot = "bitwise_not"
    case asinh, acosh, atanh, gamma, lgamma, even, nextafter, signbit
    case gcd, lcm, factorial, bitCount = "bit_count", widthBucket = "width_bucket"
    case roundEven = "round_even", random
    case isNaN = "isnan", isInfinite = "isinf", isFinite = "isfinite"
    // Dates and times
    case datePart = "date_part", dateTrunc = "date_trunc", dateDiff = "date_diff"
    case dateAdd = "date_add", lastDay = "last_day", dayName = "dayname", monthName = "monthname"
    case makeDate = "make_date", makeTimestamp = "make_timestamp", strftime, strptime
    case epochMillis = "epoch_ms", toTimestamp = "to_timestamp"
    case age, dateSub = "date_sub", timeBucket = "time_bucket", makeTime = "make_time"
    case epochMicros = "epoch_us", epochNanos = "epoch_ns", julian
    case justifyHours = "justify_hours", justifyDays = "justify_days"
    case justifyInterval = "justify_interval", tryStrptime = "try_strptime"
    case combineDateTime = "combine_date_time"
    /// What a zone's clocks show at instants, and when they show a time; the zone is argument 1.
    case zoneLocal = "zone_local", zoneInstant = "zone_instant"
    case zoneText = "zone_text", zoneParse = "zone_parse", tryZoneParse = "try_zone_parse"
    case zoneOffset = "zone_offset", zoneAdd = "zone_add", zoneSubtract = "zone_subtract"
    // Everything
    case hash, uuid, uuidV7 = "uuidv7", uuidVersion = "uuid_extract_version"
    case uuidTimestamp = "uuid_extract_timestamp"
    /// Fails with the text it is given.
    case error
    /// Its argument, or null where computing that fails.
    case `try`

    /// Whether two calls with the same arguments may differ, or a call must not be made early.
    package var isVolatile: Bool {
        switch self {
        case .random, .uuid, .uuidV7, .error: true
        default: false
        }
    }

    /// Whether a call may fail for some arguments.
    package var canFail: Bool {
        switch self {
        case .sqrt, .ln, .log10, .log2, .power, .chr, .repeated, .makeDate, .makeTimestamp,
            .strptime, .lpad, .rpad, .abs, .round, .dateAdd, .toTimestamp, .regexpMatches,
            .regexpReplace, .regexpExtract, .epochMillis, .asin, .acos,
            .shiftLeft, .shiftRight, .sin, .cos, .tan, .regexpFullMatch, .hamming, .jaccard,
            .levenshtein, .damerauLevenshtein, .jaro, .jaroWinkler, .unhex, .unbin, .toBase,
            .fromBase64, .urlDecode, .decode, .printf, .format, .bar, .graphemeSubstring,
            .substring, .splitPart, .gamma, .lgamma, .atanh, .gcd, .lcm, .factorial, .widthBucket,
            .dateSub, .timeBucket, .makeTime, .epochMicros, .epochNanos, .justifyHours,
            .justifyDays, .justifyInterval, .combineDateTime, .uuidTimestamp, .error, .overlay,
            .dateTrunc, .replace, .tryStrptime, .zoneLocal, .zoneInstant, .zoneText, .zoneParse,
            .tryZoneParse, .zoneOffset, .zoneAdd, .zoneSubtract:
            true
        default: false
        }
    }
}
