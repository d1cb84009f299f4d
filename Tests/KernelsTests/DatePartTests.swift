import Columnar
import Kernels
import TestSupport
import Testing

@Suite("Parts of dates")
struct DatePartTests {
    /// What parts of a day are, by the calendar that is slow and plain.
    private func part(_ part: DatePart, _ days: Int) -> Int64? {
        let (year, month, day) = CivilCalendar.civil(days)
        return switch part {
        case .year: Int64(year)
        case .quarter: Int64((month - 1) / 3 + 1)
        case .month: Int64(month)
        case .day: Int64(day)
        case .dayOfWeek: Int64(CivilCalendar.floorDivide(days + 4, 7).rest)
        case .isoDayOfWeek: Int64(CivilCalendar.floorDivide(days + 3, 7).rest + 1)
        default: nil
        }
    }

    private static let parts: [DatePart] = [
        .year, .quarter, .month, .day, .dayOfWeek, .isoDayOfWeek,
    ]

    private func column(_ days: [Int32]) -> Column {
        Column(.date, count: days.count, buffer: days.withUnsafeBytes { Buffer(copying: $0) })
    }

    private func numbers(_ column: Column) throws -> [Int64] {
        guard case .fixed(let values) = column.flattened().storage else { return [] }
        let source = values.pointer(as: Int64.self)
        return withExtendedLifetime(column) { (0..<column.count).map { source[$0] } }
    }

    private func check(_ days: [Int32]) throws {
        let dates = column(days)
        for one in Self.parts {
            let found = try numbers(try Temporal.extract(one, from: dates))
            let wanted = days.map { part(one, Int($0)) }
            #expect(found.elementsEqual(wanted, by: { $0 == $1 }), "\(one) from \(days[0])")
        }
    }

    @Test("are right for every day of four thousand years, and where ranges of days end")
    func everyDay() throws {
        // From 1600 years before 1970 on, and spans of 400 years where quicker ways end.
        for start in stride(from: Int32(-584_388), to: 876_582, by: 100_000) {
            try check(Array(start..<start + 100_000))
        }
        let first = Int32(-(719_468 + 146_097 * 3670))
        let last = Int32((1 << 30) - 1) + first
        for edge in [first, last, -719_468, Int32.min + 1000, Int32.max - 1000] {
            try check(Array(edge - 1000...edge + 1000))
        }
    }

    @Test("of timestamps are those of their dates and clocks", arguments: 0..<8)
    func timestamps(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let day = 86_400_000_000
        var micros = (0..<5000).map { _ -> Int64 in
            let size = Int64(1) << Int64.random(in: 20...62, using: &random)
            return Int64.random(in: -size...size, using: &random)
        }
        micros += [0, -1, 1, Int64(day) - 1, -Int64(day), -Int64(day) - 1, .max, .min]
        let column = Column(
            .timestamp,
            count: micros.count,
            buffer: micros.withUnsafeBytes { Buffer(copying: $0) }
        )
        for one in Self.parts {
            let found = try numbers(try Temporal.extract(one, from: column))
            let wanted = micros.map { part(one, CivilCalendar.floorDivide(Int($0), day).quotient) }
            #expect(found.elementsEqual(wanted, by: { $0 == $1 }), "\(one)")
        }
        let clocks: [(DatePart, (Int) -> Int)] = [
            (.hour, { $0 / 3_600_000_000 }), (.minute, { $0 / 60_000_000 % 60 }),
            (.second, { $0 / 1_000_000 % 60 }), (.millisecond, { $0 / 1000 % 60_000 }),
            (.microsecond, { $0 % 60_000_000 }),
        ]
        for (one, clock) in clocks {
            let found = try numbers(try Temporal.extract(one, from: column))
            let wanted = micros.map { Int64(clock(CivilCalendar.floorDivide(Int($0), day).rest)) }
            #expect(found == wanted, "\(one)")
        }
    }

    @Test("begin where truncating to them says", arguments: 0..<4)
    func truncating(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let day = 86_400_000_000
        let micros = (0..<5000).map { _ in
            Int64.random(in: -9_000_000_000_000_000_000...9_000_000_000_000_000_000, using: &random)
        }
        let column = Column(
            .timestamp,
            count: micros.count,
            buffer: micros.withUnsafeBytes { Buffer(copying: $0) }
        )
        for one in [DatePart.year, .quarter, .month, .day, .decade] {
            let found = try numbers(try Temporal.truncate(column, to: one))
            let wanted = micros.map { value -> Int64 in
                let days = CivilCalendar.floorDivide(Int(value), day).quotient
                let (year, month, _) = CivilCalendar.civil(days)
                let start: Int
                switch one {
                case .year: start = CivilCalendar.days(year: year, month: 1, day: 1)
                case .quarter:
                    let first = (month - 1) / 3 * 3 + 1
                    start = CivilCalendar.days(year: year, month: first, day: 1)
                case .month: start = CivilCalendar.days(year: year, month: month, day: 1)
                case .decade:
                    let first = CivilCalendar.floorDivide(year, 10).quotient * 10
                    start = CivilCalendar.days(year: first, month: 1, day: 1)
                default: start = days
                }
                return Int64(start * day)
            }
            #expect(found == wanted, "\(one)")
        }
        let earliest = Column(.timestamp, [.timestamp(.min)])
        #expect(throws: KernelError.self) { try Temporal.truncate(earliest, to: .month) }
    }

    @Test("of doubles: each way of rounding to whole numbers is that of the standard library")
    func rounding() throws {
        var values: [Double] = [
            0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, .nan, .infinity, -.infinity, 1e300,
            0.49999999999999994,
            4_503_599_627_370_497.5, -1e-300,
        ]
        var random = SeededGenerator(seed: 1)
        values += (0..<1000).map { _ in Double.random(in: -1e6...1e6, using: &random) }
        let column = Column(.float64, values.map { .float64($0) })
        let modes: [(RoundingMode, FloatingPointRoundingRule)] = [
            (.nearest, .toNearestOrAwayFromZero), (.floor, .down), (.ceiling, .up),
            (.truncate, .towardZero),
        ]
        for (mode, rule) in modes {
            let found = try Mathematics.round(column, mode: mode).values
            let wanted = values.map { Value.float64($0.rounded(rule)) }
            #expect(Model.same(found, wanted), "\(mode)")
        }
    }
}
