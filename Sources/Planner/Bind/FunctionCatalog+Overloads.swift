import Columnar

extension FunctionCatalog {
    /// The first form of a function that takes arguments of these types; nil when there is none.
    static func overload(_ function: ScalarFunction, _ types: [DataType]) -> FunctionMatch? {
        switch function {
        case .hash:
            guard !types.isEmpty else { return nil }
            return FunctionMatch(function: function, argumentTypes: types, type: .int64)
        case .printf, .format:
            guard types.first == .string || types.first == .null else { return nil }
            return FunctionMatch(
                function: function,
                argumentTypes: [.string] + types.dropFirst().map { $0 == .null ? .string : $0 },
                type: .string
            )
        case .bitCount:
            guard types.count == 1, types[0].isInteger || types[0] == .null else { return nil }
            return FunctionMatch(
                function: function,
                argumentTypes: [types[0] == .int64 ? .int64 : .int32],
                type: .int32
            )
        case .try:
            guard types.count == 1 else { return nil }
            return FunctionMatch(function: function, argumentTypes: types, type: types[0])
        default: break
        }
        for (wanted, result) in overloads(function) where wanted.count == types.count {
            if zip(wanted, types).allSatisfy({ accepts($0, $1) }) {
                return FunctionMatch(function: function, argumentTypes: wanted, type: result)
            }
        }
        return nil
    }

    private static func overloads(_ function: ScalarFunction) -> [([DataType], DataType)] {
        switch function {
        case .levenshtein, .damerauLevenshtein, .hamming: [([.string, .string], .int64)]
        case .jaccard: [([.string, .string], .float64)]
        case .jaro, .jaroWinkler:
            [([.string, .string], .float64), ([.string, .string, .float64], .float64)]
        case .hex, .bin:
            [([.int64], .string), ([.string], .string), ([.binary], .string)]
        case .unhex, .unbin, .fromBase64: [([.string], .binary)]
        case .toBase: [([.int64, .int64], .string), ([.int64, .int64, .int64], .string)]
        case .toBase64: [([.binary], .string), ([.string], .string)]
        case .urlEncode, .urlDecode, .stripAccents, .nfcNormalize, .regexpEscape:
            [([.string], .string)]
        case .encode: [([.string], .binary)]
        case .decode: [([.binary], .string)]
        case .md5, .sha1, .sha256: [([.string], .string), ([.binary], .string)]
        case .unicode: [([.string], .int32)]
        case .graphemeLength: [([.string], .int64)]
        case .graphemeLeft, .graphemeRight: [([.string, .int64], .string)]
        case .graphemeSubstring:
            [([.string, .int64], .string), ([.string, .int64, .int64], .string)]
        case .overlay:
            [
                ([.string, .string, .int64], .string),
                ([.string, .string, .int64, .int64], .string),
            ]
        case .bar:
            [
                ([.float64, .float64, .float64], .string),
                ([.float64, .float64, .float64, .float64], .string),
            ]
        case .formatBytes, .formatDecimalBytes: [([.int64], .string)]
        case .parseFilename: [([.string], .string), ([.string, .boolean], .string)]
        case .parseDirname, .parseDirpath: [([.string], .string)]
        case .regexpFullMatch:
            [([.string, .string], .boolean), ([.string, .string, .string], .boolean)]
        case .asinh, .acosh, .atanh, .gamma, .lgamma, .even: [([.float64], .float64)]
        case .signbit: [([.float64], .boolean)]
        case .nextafter: [([.float64, .float64], .float64)]
        case .roundEven: [([.float64, .float64], .float64)]
        case .gcd, .lcm: [([.int64, .int64], .int64)]
        case .factorial: [([.int64], .decimal(precision: 38, scale: 0))]
        case .widthBucket: [([.float64, .float64, .float64, .int64], .int64)]
        case .random: [([], .float64)]
        case .age: [([.timestamp, .timestamp], .interval)]
        case .dateSub:
            [
                ([.string, .time, .time], .int64), ([.string, .timestamp, .timestamp], .int64),
            ]
        case .timeBucket:
            [
                ([.interval, .date], .date), ([.interval, .timestamp], .timestamp),
                ([.interval, .date, .date], .date),
                ([.interval, .timestamp, .timestamp], .timestamp),
            ]
        case .makeTime: [([.int64, .int64, .float64], .time)]
        case .epochMicros, .epochNanos:
            [
                ([.date], .int64), ([.timestamp], .int64), ([.timestamptz], .int64),
                ([.time], .int64), ([.interval], .int64),
            ]
        case .julian: [([.timestamp], .float64)]
        case .justifyHours, .justifyDays, .justifyInterval: [([.interval], .interval)]
        case .tryStrptime: [([.string, .string], .timestamp)]
        case .combineDateTime: [([.date, .time], .timestamp)]
        case .zoneLocal: [([.timestamptz, .string], .timestamp)]
        case .zoneInstant: [([.timestamp, .string], .timestamptz)]
        case .zoneText: [([.timestamptz, .string], .string)]
        case .zoneParse, .tryZoneParse: [([.string, .string], .timestamptz)]
        case .zoneOffset: [([.timestamptz, .string], .int64)]
        case .zoneAdd, .zoneSubtract: [([.timestamptz, .interval, .string], .timestamptz)]
        case .uuid, .uuidV7: [([], .uuid)]
        case .uuidVersion: [([.uuid], .int32)]
        case .uuidTimestamp: [([.uuid], .timestamptz)]
        case .error: [([.string], .null)]
        default: []
        }
    }
}
