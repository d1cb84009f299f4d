package import Columnar

extension Temporal {
    /// What the zone's clocks show at instants: timestamptz to timestamp.
    package static func local(_ column: Column, _ zone: ZoneRules) throws(KernelError) -> Column {
        try shifted(column, .timestamptz, .timestamp, zone) { zone.local($0) }
    }

    /// When the zone's clocks show times: timestamp to timestamptz (see `ZoneRules.instant`).
    package static func instant(_ column: Column, _ zone: ZoneRules) throws(KernelError) -> Column {
        try shifted(column, .timestamp, .timestamptz, zone) { zone.instant($0) }
    }

    @inline(__always)
    private static func shifted(
        _ column: Column,
        _ from: DataType,
        _ to: DataType,
        _ zone: ZoneRules,
        _ body: (Int64) -> Int64?
    ) throws(KernelError) -> Column {
        guard column.type == from || column.isAllNull else {
            throw KernelError(.unsupported, "the zone of \(column.type)")
        }
        return try column.mapped(to: to) { column throws(KernelError) -> Column in
            let context = Casting.Context(type: to, isTry: false, offsetSeconds: 0)
            return try Casting.convert(column, context, Int64.self, .overflow, body)
        }
    }

    /// The zone's offset from UTC in seconds at instants, as int64.
    package static func zoneOffset(
        _ column: Column,
        _ zone: ZoneRules
    ) throws(KernelError) -> Column {
        guard column.type == .timestamptz || column.isAllNull else {
            throw KernelError(.unsupported, "the zone of \(column.type)")
        }
        return column.mapped(to: .int64) { column in
            Casting.convertAll(column, .int64, Int64.self) { micros -> Int64 in
                Int64(zone.offset(at: CivilSeconds.floor(micros)))
            }
        }
    }

    /// Instants as the zone's clocks show them, with the offset.
    package static func zonedText(
        _ column: Column,
        _ zone: ZoneRules
    ) throws(KernelError) -> Column {
        guard column.type == .timestamptz || column.isAllNull else {
            throw KernelError(.unsupported, "the zone of \(column.type)")
        }
        return try Rowwise.texts([column], "i") { arguments, row, result in
            let micros = arguments.int64(0, row)
            TextFormat.appendTimestamptz(
                micros,
                offsetSeconds: zone.offset(at: CivilSeconds.floor(micros)),
                to: &result
            )
        }
    }

    /// Instants from text that names an offset or a zone itself, or else means the zone's clocks.
    ///
    /// - Parameters:
    ///   - isTry: text that names no moment gives null.
    ///   - find: the zone of a name.
    package static func instants(
        fromText column: Column,
        _ zone: ZoneRules,
        isTry: Bool,
        find: (String) -> ZoneRules?
    ) throws(KernelError) -> Column {
        try Rowwise.values([column], "t", to: .timestamptz, Int64.self) {
            (arguments, row) throws(KernelError) -> Int64? in
            let text = Casting.trimmed(arguments.text(0, row))
            if let micros = instant(text, zone, find) { return micros }
            if isTry { return nil }
            let shown = String(decoding: text.prefix(200), as: UTF8.self)
            throw KernelError(.invalidCast, "'\(shown)' is not a \(DataType.timestamptz)")
        }
    }

    private static func instant(
        _ text: UTF8Text.Bytes,
        _ zone: ZoneRules,
        _ find: (String) -> ZoneRules?
    ) -> Int64? {
        if let (micros, offset) = TextParse.timestamp(text) {
            guard let offset else { return zone.instant(micros) }
            let (result, overflow) = micros.subtractingReportingOverflow(Int64(offset) * 1_000_000)
            return overflow ? nil : result
        }
        // `2024-05-01 10:00 Europe/Zurich`
        guard let blank = text.lastIndex(of: 32), blank + 1 < text.count, text.count - blank < 64,
            let clock = TextParse.timestamp(Casting.trimmed(UTF8Text.slice(text, 0..<blank))),
            clock.offsetSeconds == nil,
            let named = find(
                String(decoding: UTF8Text.slice(text, blank + 1..<text.count), as: UTF8.self)
            )
        else { return nil }
        return named.instant(clock.micros)
    }

    /// `instant ± interval`: months and days by the zone's clocks, the rest as time that passes.
    package static func add(
        _ column: Column,
        _ interval: Column,
        isSubtraction: Bool,
        _ zone: ZoneRules
    ) throws(KernelError) -> Column {
        try Rowwise.apply([column, interval], to: .timestamptz) {
            (operands, count, validity) throws(KernelError) -> Column in
            let (x, y) = (operands[0].pointer(Int64.self), operands[1].pointer(Int128.self))
            let masks = (operands[0].mask, operands[1].mask)
            let buffer = Buffer(zeroedByteCount: count * 8)
            let target = buffer.mutable(as: Int64.self)
            try forEachValid(validity, count) { (row) throws(KernelError) in
                let interval = Interval(bits: y[row & masks.1])
                let start = x[row & masks.0]
                let calendar = Interval(months: interval.months, days: interval.days)
                var moved: Int64? = start
                if interval.months != 0 || interval.days != 0 {
                    moved = zone.local(start)
                        .flatMap { sum($0, calendar, isSubtraction, 0) }
                        .flatMap { zone.instant($0) }
                }
                let rest = Interval(micros: interval.micros)
                guard let moved, let result = sum(moved, rest, isSubtraction, 0) else {
                    throw KernelError(
                        .overflow,
                        "a timestamp and an interval do not fit \(DataType.timestamptz)"
                    )
                }
                target[row] = result
            }
            return withExtendedLifetime(operands) {
                Column(.timestamptz, count: count, validity: validity, buffer: buffer)
            }
        }
    }
}
