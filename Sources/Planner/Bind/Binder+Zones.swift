import Columnar
import SQL

/// The session's time zone: whatever looks at an instant's clock becomes a call with the zone.
///
/// In UTC, where clocks show instants, expressions stay as they are.
extension Binder {
    var isUniversal: Bool { environment.timeZone == "UTC" }

    var zoneConstant: BoundExpression { .constant(.string(environment.timeZone), .string) }

    /// A cast, by the clocks of the session's zone where instants are cast.
    func converted(
        _ expression: BoundExpression,
        to type: DataType,
        isTry: Bool = false
    ) -> BoundExpression {
        let plain = BoundExpression.cast(expression, type, isTry: isTry)
        switch (expression.type, type) {
        case (.string, .timestamptz):
            // Constants may name a zone also where the session's is UTC.
            if isUniversal && !expression.isConstant { return plain }
            return .call(isTry ? .tryZoneParse : .zoneParse, [expression, zoneConstant], type)
        case _ where isUniversal: return plain
        case (.timestamptz, .timestamp): return local(expression)
        case (.timestamptz, .date), (.timestamptz, .time):
            return .cast(local(expression), type, isTry: isTry)
        case (.timestamptz, .string):
            return .call(.zoneText, [expression, zoneConstant], .string)
        case (.timestamp, .timestamptz): return instant(expression)
        case (.date, .timestamptz):
            return instant(.cast(expression, .timestamp, isTry: isTry))
        default: return plain
        }
    }

    private func local(_ instant: BoundExpression) -> BoundExpression {
        if isUniversal { return .cast(instant, .timestamp, isTry: false) }
        return .call(.zoneLocal, [instant, zoneConstant], .timestamp)
    }

    private func instant(_ local: BoundExpression) -> BoundExpression {
        if isUniversal { return .cast(local, .timestamptz, isTry: false) }
        return .call(.zoneInstant, [local, zoneConstant], .timestamptz)
    }

    /// `moment AT TIME ZONE zone`.
    func bindZone(
        _ moment: BoundExpression,
        _ zone: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        guard zone.type == .string || zone.type == .null else {
            throw PlanError(
                .invalid,
                "a time zone is a text such as \'Europe/Zurich\', this is \(zone.type)",
                at: span
            )
        }
        switch moment.type {
        case .timestamptz: return try call_(.zoneLocal, [moment, zone], "timezone", span)
        case .timestamp, .date:
            let clock = try coerce(moment, to: .timestamp, at: span)
            return try call_(.zoneInstant, [clock, zone], "timezone", span)
        case .null: return .constant(.null, .timestamp)
        default:
            throw PlanError(
                .invalid,
                "AT TIME ZONE is for timestamps, this is \(moment.type)",
                hint: "Write TIMESTAMP \'…\' or TIMESTAMPTZ \'…\'.",
                at: span
            )
        }
    }

    /// A function of an instant as one of what the session's clocks show; nil where nothing changes.
    func bindZoned(
        _ function: ScalarFunction,
        _ arguments: [BoundExpression],
        _ name: String,
        _ span: SourceSpan
    ) throws -> BoundExpression? {
        guard arguments.contains(where: { $0.type == .timestamptz }) else { return nil }
        switch function {
        // These are of clocks alone.
        case .dayName, .monthName, .lastDay, .age, .julian, .timeBucket: break
        default: if isUniversal { return nil }
        }
        let locals = arguments.map { $0.type == .timestamptz ? local($0) : $0 }
        switch function {
        case .datePart:
            if case .constant(.string(let part), _) = arguments[0], part.lowercased() == "epoch" {
                return nil
            }
            return try call_(function, locals, name, span)
        case .dayName, .monthName, .lastDay, .age, .julian:
            return try call_(function, locals, name, span)
        case .strftime:
            if case .constant(.string(let format), _) = arguments[1],
                !format.lowercased().contains("%z")
            {
                return try call_(function, locals, name, span)
            }
            return try zonedFormat(arguments[0], arguments[1], at: span)
        case .dateDiff, .dateSub:
            // Parts of a day pass; days are counted by clocks.
            if case .constant(.string(let part), _) = arguments[0],
                ["hour", "minute", "second", "milli", "micro"].contains(where: {
                    part.lowercased().hasPrefix($0)
                })
            {
                return nil
            }
            return try call_(function, locals, name, span)
        case .dateTrunc:
            let truncated = try call_(function, locals, name, span)
            if case .constant(.string(let part), _) = arguments[0],
                ["hour", "minute", "second", "milli", "micro"].contains(where: {
                    part.lowercased().hasPrefix($0)
                })
            {
                // What is cut off is less than an hour: the instant goes back by it.
                let rest = BoundExpression.arithmetic(.subtract, locals[1], truncated, .interval)
                return .arithmetic(.subtract, arguments[1], rest, .timestamptz)
            }
            return instant(truncated)
        case .timeBucket:
            return instant(try call_(function, locals, name, span))
        default: return nil
        }
    }
}
