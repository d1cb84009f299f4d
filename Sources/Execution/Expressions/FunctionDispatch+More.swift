import Columnar
import Kernels
import Planner

extension ExpressionCompiler {
    static func moreText(_ function: ScalarFunction, _ type: DataType) -> Apply? {
        switch function {
        case .levenshtein: { try TextDistance.levenshtein($0[0], $0[1]) }
        case .damerauLevenshtein: { try TextDistance.damerauLevenshtein($0[0], $0[1]) }
        case .hamming: { try TextDistance.hamming($0[0], $0[1]) }
        case .jaccard: { try TextDistance.jaccard($0[0], $0[1]) }
        case .jaro, .jaroWinkler:
            { columns in
                try TextDistance.jaro(
                    columns[0],
                    columns[1],
                    least: columns.count > 2 ? columns[2] : nil,
                    prefersPrefix: function == .jaroWinkler
                )
            }
        case .hex: { try TextEncoding.hex($0[0]) }
        case .bin: { try TextEncoding.bin($0[0]) }
        case .unhex: { try TextEncoding.unhex($0[0]) }
        case .unbin: { try TextEncoding.unbin($0[0]) }
        case .toBase:
            { try TextEncoding.base($0[0], radix: $0[1], width: $0.count > 2 ? $0[2] : nil) }
        case .toBase64: { try TextEncoding.toBase64($0[0]) }
        case .fromBase64: { try TextEncoding.fromBase64($0[0]) }
        case .urlEncode: { try TextEncoding.urlEncode($0[0]) }
        case .urlDecode: { try TextEncoding.urlDecode($0[0]) }
        case .encode: { try TextEncoding.encode($0[0]) }
        case .decode: { try TextEncoding.decode($0[0]) }
        case .md5: { try Digests.md5($0[0]) }
        case .sha1: { try Digests.sha1($0[0]) }
        case .sha256: { try Digests.sha256($0[0]) }
        case .unicode: { try TextShape.codePoint($0[0]) }
        case .stripAccents: { try TextShape.withoutAccents($0[0]) }
        case .nfcNormalize: { try TextShape.composed($0[0]) }
        case .graphemeLength: { try TextShape.length($0[0]) }
        case .graphemeLeft: { try TextShape.left($0[0], $0[1]) }
        case .graphemeRight: { try TextShape.right($0[0], $0[1]) }
        case .graphemeSubstring:
            { try TextShape.substring($0[0], from: $0[1], for: $0.count > 2 ? $0[2] : nil) }
        case .overlay: { try overlaid($0) }
        case .bar:
            {
                try TextShape.bar(
                    $0[0],
                    least: $0[1],
                    most: $0[2],
                    width: $0.count > 3 ? $0[3] : nil
                )
            }
        case .formatBytes: { try TextShape.byteSize($0[0], isDecimal: false) }
        case .formatDecimalBytes: { try TextShape.byteSize($0[0], isDecimal: true) }
        case .parseFilename:
            { columns in
                let name = try TextShape.path(columns[0], .fileName)
                guard columns.count > 1 else { return name }
                let short = try TextShape.path(columns[0], .fileNameWithoutExtension)
                return Choice.select(columns[1], short, name)
            }
        case .parseDirname: { try TextShape.path($0[0], .firstFolder) }
        case .parseDirpath: { try TextShape.path($0[0], .folders) }
        case .regexpEscape: { try TextShape.quotedExpression($0[0]) }
        default: nil
        }
    }

    /// The text with the part of another's length (or of the length given) from a place replaced.
    private static func overlaid(_ columns: [Column]) throws -> Column {
        let (text, part, start) = (columns[0], columns[1], columns[2])
        let count = columns.count > 3 ? columns[3] : StringFunctions.length(part)
        let one = Column.constant(.int64(1), .int64, count: text.count)
        let kept = try Arithmetic.apply(.subtract, start, one, to: .int64)
        if NullTests.isTrue(
            try Comparison.compare(.less, kept, .constant(.int64(0), .int64, count: text.count))
        ).hasTrueRow {
            throw KernelError(.outOfRange, "overlay begins at 1 or behind it")
        }
        let rest = try Arithmetic.apply(.add, start, count, to: .int64)
        return try StringFunctions.concatenate(
            try StringFunctions.concatenate(try StringFunctions.left(text, kept), part),
            try StringFunctions.substring(text, from: rest)
        )
    }

    static func moreNumbers(_ function: ScalarFunction) -> Apply? {
        switch function {
        case .asinh: { try NumberFunctions.apply(.areaSine, $0[0]) }
        case .acosh: { try NumberFunctions.apply(.areaCosine, $0[0]) }
        case .atanh: { try NumberFunctions.apply(.areaTangent, $0[0]) }
        case .gamma: { try NumberFunctions.apply(.gamma, $0[0]) }
        case .lgamma: { try NumberFunctions.apply(.logGamma, $0[0]) }
        case .even: { try NumberFunctions.even($0[0]) }
        case .nextafter: { try NumberFunctions.next($0[0], toward: $0[1]) }
        case .signbit: { try NumberFunctions.signBit($0[0]) }
        case .gcd: { try NumberFunctions.greatestDivisor($0[0], $0[1]) }
        case .lcm: { try NumberFunctions.leastMultiple($0[0], $0[1]) }
        case .factorial: { try NumberFunctions.factorial($0[0]) }
        case .bitCount: { try NumberFunctions.bitCount($0[0]) }
        case .widthBucket:
            { try NumberFunctions.bucket($0[0], low: $0[1], high: $0[2], count: $0[3]) }
        case .roundEven: { try NumberFunctions.roundEven($0[0], digits: $0[1]) }
        case .uuidVersion: { try UUIDFunctions.version($0[0]) }
        case .uuidTimestamp: { try UUIDFunctions.timestamp($0[0]) }
        default: nil
        }
    }

    static func moreTime(_ function: ScalarFunction, _ type: DataType) -> Apply? {
        switch function {
        case .age: { try Temporal.age($0[0], $0[1]) }
        case .timeBucket:
            { columns in
                let moment = try Casting.cast(columns[1], to: .timestamp)
                var origin: Column?
                if columns.count > 2 { origin = try Casting.cast(columns[2], to: .timestamp) }
                return try Casting.cast(
                    try Temporal.bucket(columns[0], moment, origin: origin),
                    to: type
                )
            }
        case .makeTime: { try Temporal.makeTime($0[0], $0[1], $0[2]) }
        case .epochMicros: { try Temporal.epoch($0[0], microsPerUnit: 1) }
        case .epochNanos: { try Temporal.epoch($0[0], microsPerUnit: 1, unitsPerMicro: 1000) }
        case .julian: { try Temporal.julian($0[0]) }
        case .justifyHours: { try Temporal.justified($0[0], .hours) }
        case .justifyDays: { try Temporal.justified($0[0], .days) }
        case .justifyInterval: { try Temporal.justified($0[0], .all) }
        case .combineDateTime: { try Temporal.combine(date: $0[0], time: $0[1]) }
        default: nil
        }
    }
}

extension Column {
    /// Whether some row of a boolean column is true.
    fileprivate var hasTrueRow: Bool { Filter.selection(self).count > 0 }
}
