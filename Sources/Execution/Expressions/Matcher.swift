import Columnar
import Kernels
import Planner

/// A pattern made ready to match columns of text.
enum Matcher {
    case like(LikePattern)
    case regularExpression(RegularExpression, isWhole: Bool)

    init(_ language: PatternLanguage, _ pattern: String, _ escape: UInt8?) throws {
        switch language {
        case .like(let ignoringCase):
            self = .like(
                try LikePattern(
                    pattern,
                    escape: escape.map { Unicode.Scalar($0) },
                    ignoresCase: ignoringCase
                )
            )
        case .regularExpression(let ignoringCase, isWhole: false):
            self = .regularExpression(
                try RegularExpression(pattern, options: ignoringCase ? "i" : ""),
                isWhole: false
            )
        case .regularExpression(let ignoringCase, isWhole: true):
            self = .regularExpression(
                try RegularExpression(
                    Self.regularExpression(similarTo: pattern, escape: escape),
                    options: ignoringCase ? "i" : ""
                ),
                isWhole: true
            )
        case .glob:
            self = .regularExpression(
                try RegularExpression(Self.regularExpression(glob: pattern)),
                isWhole: true
            )
        }
    }

    func matches(_ column: Column) throws -> Column {
        switch self {
        case .like(let pattern): pattern.matches(column)
        case .regularExpression(let expression, let isWhole):
            try expression.matches(column, whole: isWhole)
        }
    }

    /// SQL's SIMILAR TO in the words of a regular expression: `%` and `_` are wildcards, `|*+?{}()[]`
    /// mean what they mean there, everything else stands for itself.
    private static func regularExpression(similarTo pattern: String, escape: UInt8?) -> String {
        var result = ""
        var isEscaped = false
        for scalar in pattern.unicodeScalars {
            if isEscaped {
                result += quoted(scalar)
                isEscaped = false
            } else if let escape, scalar.value == UInt32(escape) {
                isEscaped = true
            } else if scalar == "%" {
                result += "(?s:.*)"
            } else if scalar == "_" {
                result += "(?s:.)"
            } else if "|*+?{}()[]-,".unicodeScalars.contains(scalar) {
                result.unicodeScalars.append(scalar)
            } else {
                result += quoted(scalar)
            }
        }
        return result
    }

    /// A shell's pattern: `*`, `?`, `[abc]`, `[!abc]`.
    private static func regularExpression(glob pattern: String) -> String {
        var result = ""
        var isInSet = false
        var isSetStart = false
        for scalar in pattern.unicodeScalars {
            if isInSet {
                if scalar == "]" && !isSetStart {
                    result += "]"
                    isInSet = false
                } else if scalar == "!" && isSetStart {
                    result += "^"
                } else if scalar == "-" {
                    result += "-"
                } else {
                    result += quoted(scalar)
                }
                isSetStart = false
                continue
            }
            switch scalar {
            case "*": result += "(?s:.*)"
            case "?": result += "(?s:.)"
            case "[":
                result += "["
                isInSet = true
                isSetStart = true
            default: result += quoted(scalar)
            }
        }
        return result
    }

    /// The scalar as itself in a regular expression.
    private static func quoted(_ scalar: Unicode.Scalar) -> String {
        let isPlain =
            scalar.properties.isAlphabetic || scalar.properties.numericType != nil
            || scalar.value >= 0x80 || scalar == " "
        return isPlain ? String(scalar) : "\\" + String(scalar)
    }
}
