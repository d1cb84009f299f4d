import Columnar
import SQL

extension Binder {
    /// The second half of `bindRewritten`: dates, encodings, and what the session knows.
    mutating func bindMoreRewritten(
        _ name: String,
        _ arguments: [BoundExpression],
        at span: SourceSpan
    ) throws -> BoundExpression? {
        func text(_ value: String) -> BoundExpression { .constant(.string(value), .string) }
        switch (name, arguments.count) {
        case ("encode", 2), ("decode", 2):
            return try bindEncoding(name, arguments, at: span)
        case ("age", 1):
            let now = BoundExpression.constant(.timestamptz(environment.nowMicros), .timestamptz)
            let today = try folded(converted(now, to: .date), at: span)
            return try call_(.age, [today, arguments[0]], name, span)
        case ("strftime", 2) where arguments[0].type == .string && arguments[1].type != .string:
            return try call_(.strftime, [arguments[1], arguments[0]], name, span)
        case ("to_char", 2): return try bindToChar(arguments[0], arguments[1], at: span)
        case ("timezone", 2):
            return try bindZone(arguments[1], arguments[0], at: span)
        case ("timezone", 1), ("timezone_hour", 1), ("timezone_minute", 1):
            return try bindSpecialPart(name, arguments[0], at: span)
        case ("make_timestamptz", 1), ("make_timestamptz", 6):
            if arguments.count == 1 {
                let utc = try call_(.makeTimestamp, arguments, name, span)
                return try bindZone(utc, text("UTC"), at: span)
            }
            return try bindZone(
                try call_(.makeTimestamp, arguments, name, span),
                zoneConstant,
                at: span
            )
        case ("make_timestamptz", 7):
            let clock = try call_(.makeTimestamp, Array(arguments.dropLast()), name, span)
            return try bindZone(clock, arguments[6], at: span)
        case ("era", 1): return try bindSpecialPart("era", arguments[0], at: span)
        case ("nanosecond", 1): return try bindSpecialPart("nanosecond", arguments[0], at: span)
        case ("date_part", 2), ("datepart", 2), ("extract", 2):
            guard case .constant(.string(let part), _) = arguments[0] else { return nil }
            return try bindSpecialPart(part.lowercased(), arguments[1], at: span)
        case ("isfinite", 1), ("isinf", 1):
            guard arguments[0].type.isTemporal else { return nil }
            // No moment of ours is infinite.
            return .conditional(
                [
                    BoundExpression.Branch(
                        condition: .isNull(arguments[0], isNegated: true),
                        value: .constant(.boolean(name == "isfinite"), .boolean)
                    )
                ],
                otherwise: .constant(.null, .boolean),
                .boolean
            )
        case ("current_user", 0), ("user", 0), ("session_user", 0), ("current_role", 0):
            return text(environment.user)
        case ("current_schema", 0): return text(environment.namespace.joined(separator: "."))
        case ("current_database", 0), ("current_catalog", 0): return text("varve")
        case ("version", 0): return text("Varve \(environment.version)")
        case ("current_setting", 1):
            guard case .constant(.string(let setting), _) = arguments[0] else {
                throw PlanError(.invalid, "current_setting takes a constant name", at: span)
            }
            guard let value = environment.settings[setting.lowercased()] else {
                throw PlanError(
                    .invalid,
                    "there is no setting \"\(setting)\"",
                    hint:
                        "Known settings: \(environment.settings.keys.sorted().joined(separator: ", ")).",
                    at: span
                )
            }
            return text(value)
        case ("setseed", _):
            throw PlanError(
                .unsupported,
                "setseed is not supported: workers draw random numbers independently",
                hint: "For numbers that repeat, use hash(…) of a key.",
                at: span
            )
        case ("isnotnull", 1): return .isNull(arguments[0], isNegated: true)
        default: return nil
        }
    }

    /// Parts of a date that are computed from others; nil for those with a kernel.
    private mutating func bindSpecialPart(
        _ part: String,
        _ moment: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        func plain(_ part: String) throws -> BoundExpression {
            try call_(.datePart, [.constant(.string(part), .string), moment], part, span)
        }
        func number(_ value: Int64) -> BoundExpression { .constant(.int64(value), .int64) }
        switch part {
        case "era":
            return .conditional(
                [
                    BoundExpression.Branch(
                        condition: try compare(.greater, try plain("year"), number(0), at: span),
                        value: number(1)
                    ),
                    BoundExpression.Branch(
                        condition: .isNull(moment, isNegated: true),
                        value: number(0)
                    ),
                ],
                otherwise: .constant(.null, .int64),
                .int64
            )
        case "timezone", "timezone_hour", "timezone_minute":
            let instant = try coerce(moment, to: .timestamptz, at: span)
            let seconds = try call_(.zoneOffset, [instant, zoneConstant], part, span)
            switch part {
            case "timezone": return seconds
            case "timezone_hour":
                return try bindBinary(.integerDivide, seconds, number(3600), at: span)
            default:
                let minutes = try bindBinary(.integerDivide, seconds, number(60), at: span)
                return try bindBinary(.modulo, minutes, number(60), at: span)
            }
        case "julian": return try call_(.julian, [moment], part, span)
        case "nanosecond", "nanoseconds", "ns":
            return try bindBinary(.multiply, try plain("microsecond"), number(1000), at: span)
        case "yearweek":
            return try bindRewritten("yearweek", [moment], at: span)
        default: return nil
        }
    }

    /// PostgreSQL's `encode(bytes, form)` and `decode(text, form)`.
    private mutating func bindEncoding(
        _ name: String,
        _ arguments: [BoundExpression],
        at span: SourceSpan
    ) throws -> BoundExpression {
        guard case .constant(.string(let form), _) = arguments[1] else {
            throw PlanError(.invalid, "the form of \(name) is a constant text", at: span)
        }
        switch (name, form.lowercased()) {
        case ("encode", "hex"):
            return try call_(.lower, [try call_(.hex, [arguments[0]], name, span)], name, span)
        case ("encode", "base64"): return try call_(.toBase64, [arguments[0]], name, span)
        case ("decode", "hex"): return try call_(.unhex, [arguments[0]], name, span)
        case ("decode", "base64"): return try call_(.fromBase64, [arguments[0]], name, span)
        default:
            throw PlanError(
                .invalid,
                "\(name) knows no form \"\(form)\"",
                hint: "There are hex and base64.",
                at: span
            )
        }
    }
}
