import Columnar
import SQL

/// `to_char` of moments, by PostgreSQL's patterns, and formats that show the session's zone.
extension Binder {
    /// A pattern of `to_char` and what it stands for.
    private enum Piece {
        /// Codes of `strftime`, padded with zeros and without.
        case code(String, plain: String)
        /// A name, padded with blanks to nine places unless `FM` stands before.
        case name(String, upper: Bool?)
        /// A part of a date, padded with zeros to so many places.
        case part(String, width: Int)
        case zone(upper: Bool)
        case offset
    }

    /// Longer ones before those that they begin with.
    private static let pieces: [(pattern: String, piece: Piece)] = [
        ("MONTH", .name("%B", upper: true)), ("Month", .name("%B", upper: nil)),
        ("month", .name("%B", upper: false)), ("MON", .name("%b", upper: true)),
        ("Mon", .name("%b", upper: nil)), ("mon", .name("%b", upper: false)),
        ("DAY", .name("%A", upper: true)), ("Day", .name("%A", upper: nil)),
        ("day", .name("%A", upper: false)), ("DY", .name("%a", upper: true)),
        ("Dy", .name("%a", upper: nil)), ("dy", .name("%a", upper: false)),
        ("SSSSS", .part("second of day", width: 0)), ("SSSS", .part("second of day", width: 0)),
        ("IYYY", .part("isoyear", width: 4)), ("YYYY", .part("year", width: 4)),
        ("HH24", .code("%H", plain: "%-H")), ("HH12", .code("%I", plain: "%-I")),
        ("HH", .code("%I", plain: "%-I")), ("MI", .code("%M", plain: "%-M")),
        ("SS", .code("%S", plain: "%-S")), ("MS", .code("%g", plain: "%-g")),
        ("US", .code("%f", plain: "%-f")), ("FF3", .code("%g", plain: "%g")),
        ("FF6", .code("%f", plain: "%f")), ("AM", .name("%p", upper: true)),
        ("PM", .name("%p", upper: true)), ("am", .name("%p", upper: false)),
        ("pm", .name("%p", upper: false)), ("YY", .code("%y", plain: "%-y")),
        ("MM", .code("%m", plain: "%-m")), ("DDD", .code("%j", plain: "%-j")),
        ("DD", .code("%d", plain: "%-d")), ("ID", .code("%u", plain: "%u")),
        ("IW", .code("%V", plain: "%-V")), ("WW", .part("week of year", width: 2)),
        ("CC", .part("century", width: 2)), ("TZ", .zone(upper: true)),
        ("tz", .zone(upper: false)), ("OF", .offset), ("D", .part("day of week", width: 0)),
        ("W", .part("week of month", width: 0)), ("Q", .part("quarter", width: 0)),
        ("J", .part("julian day", width: 0)),
    ]

    /// Letters that stand for nothing here but would for PostgreSQL.
    private static let unknown = [
        "Y,YYY", "YYY", "Y", "IYY", "IY", "IDDD", "RM", "rm", "BC", "AD", "bc", "ad", "B.C.",
        "A.D.", "A.M.",
        "P.M.", "a.m.", "p.m.", "TZH", "TZM", "FF1", "FF2", "FF4", "FF5", "TM", "FX", "SP", "I",
    ]

    func bindToChar(
        _ moment: BoundExpression,
        _ pattern: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        switch moment.type {
        case .date, .timestamp, .timestamptz: break
        case .null: return .constant(.null, .string)
        default:
            throw PlanError(
                .unsupported,
                "to_char of \(moment.type) is not supported: it is for dates and timestamps",
                hint: "format() and printf() write numbers.",
                at: span
            )
        }
        guard case .constant(.string(let text), _) = pattern else {
            throw PlanError(.unsupported, "the pattern of to_char must be a constant", at: span)
        }
        var parts: [BoundExpression] = []
        var format = ""
        func flush() throws {
            if format.isEmpty { return }
            parts.append(try strftime(moment, format, span))
            format = ""
        }
        var rest = text[...]
        while let next = rest.first {
            if next == "\"" {
                // Text in quotes stands for itself.
                rest.removeFirst()
                while let quoted = rest.popFirst(), quoted != "\"" {
                    var character = quoted
                    if quoted == "\\", let escaped = rest.popFirst() { character = escaped }
                    format += character == "%" ? "%%" : String(character)
                }
                continue
            }
            var isPlain = false
            if rest.hasPrefix("FM") || rest.hasPrefix("fm") {
                rest = rest.dropFirst(2)
                isPlain = true
            }
            // PostgreSQL takes all but names in any case.
            let found = Self.pieces.first { known in
                if case .name = known.piece { return rest.hasPrefix(known.pattern) }
                if case .zone = known.piece { return rest.hasPrefix(known.pattern) }
                return rest.uppercased().hasPrefix(known.pattern)
            }
            if let other = Self.unknown.first(where: {
                rest.hasPrefix($0) && $0.count > (found?.pattern.count ?? 0)
            }) {
                throw PlanError(
                    .unsupported,
                    "to_char does not know the pattern \(other)",
                    hint: "Put letters that stand for themselves into quotes: \"…\".",
                    at: span
                )
            }
            guard let (pattern, piece) = found else {
                if let character = rest.popFirst() {
                    format += character == "%" ? "%%" : String(character)
                }
                continue
            }
            rest = rest.dropFirst(pattern.count)
            if ["TH", "th"].contains(where: { rest.hasPrefix($0) }) {
                throw PlanError(
                    .unsupported,
                    "to_char does not write ordinals (\(pattern)\(rest.prefix(2)))",
                    at: span
                )
            }
            switch piece {
            case .code(let padded, let plain): format += isPlain ? plain : padded
            case .name(let code, let isUpper):
                if isUpper == nil, isPlain || code != "%B" && code != "%A" {
                    format += code
                    break
                }
                try flush()
                var name = try strftime(moment, code, span)
                if let isUpper {
                    name = try call_(isUpper ? .upper : .lower, [name], "upper", span)
                }
                if !isPlain, code == "%B" || code == "%A" {
                    name = try call_(.rpad, [name, number(9), string(" ")], "rpad", span)
                }
                parts.append(name)
            case .part(let part, let width):
                try flush()
                parts.append(try number(part, of: moment, width: isPlain ? 0 : width, span))
            case .zone(let isUpper):
                guard moment.type == .timestamptz else { break }
                try flush()
                parts.append(
                    string(isUpper ? environment.timeZone : environment.timeZone.lowercased())
                )
            case .offset:
                if moment.type == .timestamptz {
                    try flush()
                    parts.append(try offset(of: moment, span))
                } else {
                    format += "+00"
                }
            }
        }
        try flush()
        return joined(parts, nullIf: moment)
    }

    private func number(_ value: Int32) -> BoundExpression { .constant(.int32(value), .int32) }

    private func string(_ value: String) -> BoundExpression { .constant(.string(value), .string) }

    private func strftime(
        _ moment: BoundExpression,
        _ format: String,
        _ span: SourceSpan
    ) throws -> BoundExpression {
        try call_(.strftime, [moment, string(format)], "strftime", span)
    }

    /// Texts one after the other; null where the moment is, even if none of them comes from it.
    private func joined(
        _ parts: [BoundExpression],
        nullIf moment: BoundExpression
    ) -> BoundExpression {
        let all = parts.isEmpty ? [string("")] : parts
        let text = all.dropFirst().reduce(all[0]) { .call(.concat, [$0, $1], .string) }
        if all.contains(where: { !$0.isConstant }) || moment.isConstant { return text }
        return .conditional(
            [
                BoundExpression.Branch(
                    condition: .isNull(moment, isNegated: true),
                    value: text
                )
            ],
            otherwise: nil,
            .string
        )
    }

    /// A part of a moment in digits.
    private func number(
        _ part: String,
        of moment: BoundExpression,
        width: Int,
        _ span: SourceSpan
    ) throws -> BoundExpression {
        func plain(_ part: String) throws -> BoundExpression {
            try call_(.datePart, [string(part), moment], part, span)
        }
        func whole(_ value: Int64) -> BoundExpression { .constant(.int64(value), .int64) }
        func weeks(_ day: String) throws -> BoundExpression {
            let before = try bindBinary(.subtract, try plain(day), whole(1), at: span)
            let passed = try bindBinary(.integerDivide, before, whole(7), at: span)
            return try bindBinary(.add, passed, whole(1), at: span)
        }
        let value: BoundExpression
        switch part {
        case "second of day":
            let hours = try bindBinary(.multiply, try plain("hour"), whole(3600), at: span)
            let minutes = try bindBinary(.multiply, try plain("minute"), whole(60), at: span)
            let both = try bindBinary(.add, hours, minutes, at: span)
            value = try bindBinary(.add, both, try plain("second"), at: span)
        case "week of year": value = try weeks("doy")
        case "week of month": value = try weeks("day")
        case "day of week": value = try bindBinary(.add, try plain("dow"), whole(1), at: span)
        case "julian day":
            value = try call_(.floor, [try call_(.julian, [moment], part, span)], part, span)
            return try coerce(try coerce(value, to: .int64, at: span), to: .string, at: span)
        default: value = try plain(part)
        }
        let digits = try coerce(value, to: .string, at: span)
        if width == 0 { return digits }
        // Years may have more digits than there are places.
        let padded = try call_(
            .lpad,
            [digits, number(Int32(clamping: width)), string("0")],
            "lpad",
            span
        )
        let isLong = try compare(
            .greater,
            try call_(.length, [digits], "length", span),
            whole(Int64(width)),
            at: span
        )
        return .conditional(
            [BoundExpression.Branch(condition: isLong, value: digits)],
            otherwise: padded,
            .string
        )
    }

    // MARK: Zones

    /// `strftime` of an instant with the zone in its format: the offset as `+02`, the zone's name.
    func zonedFormat(
        _ moment: BoundExpression,
        _ format: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        guard case .constant(.string(let text), _) = format else {
            throw PlanError(
                .unsupported,
                "the format of strftime must be a constant where the session's zone is not UTC",
                at: span
            )
        }
        let clock = BoundExpression.call(.zoneLocal, [moment, zoneConstant], .timestamp)
        var parts: [BoundExpression] = []
        var piece = ""
        func flush() throws {
            if !piece.isEmpty { parts.append(try strftime(clock, piece, span)) }
            piece = ""
        }
        var rest = text[...]
        while let next = rest.popFirst() {
            guard next == "%", let code = rest.popFirst() else {
                piece.append(next)
                continue
            }
            switch code {
            case "z":
                try flush()
                parts.append(try offset(of: moment, span))
            case "Z": piece += environment.timeZone
            default: piece += "%\(code)"
            }
        }
        try flush()
        return joined(parts, nullIf: moment)
    }

    /// How far the session's clocks are ahead: `+02`, `-03:30`.
    private func offset(
        of moment: BoundExpression,
        _ span: SourceSpan
    ) throws -> BoundExpression {
        func whole(_ value: Int64) -> BoundExpression { .constant(.int64(value), .int64) }
        let seconds = try call_(.zoneOffset, [moment, zoneConstant], "timezone", span)
        let minutes = try bindBinary(.integerDivide, seconds, whole(60), at: span)
        let size = try call_(.abs, [minutes], "abs", span)
        func digits(_ value: BoundExpression) throws -> BoundExpression {
            try call_(
                .lpad,
                [try coerce(value, to: .string, at: span), number(2), string("0")],
                "lpad",
                span
            )
        }
        let hours = try digits(try bindBinary(.integerDivide, size, whole(60), at: span))
        let rest = try bindBinary(.modulo, size, whole(60), at: span)
        let sign = BoundExpression.conditional(
            [
                BoundExpression.Branch(
                    condition: try compare(.less, minutes, whole(0), at: span),
                    value: string("-")
                )
            ],
            otherwise: string("+"),
            .string
        )
        let tail = BoundExpression.conditional(
            [
                BoundExpression.Branch(
                    condition: try compare(.equal, rest, whole(0), at: span),
                    value: string("")
                )
            ],
            otherwise: .call(.concat, [string(":"), try digits(rest)], .string),
            .string
        )
        return .call(.concat, [.call(.concat, [sign, hours], .string), tail], .string)
    }
}
