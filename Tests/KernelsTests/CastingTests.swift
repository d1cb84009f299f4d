import Columnar
import Kernels
import TestSupport
import Testing

@Suite("Casting")
struct CastingTests {
    @Test("text of any value reads back as the value", arguments: 0..<10)
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for type in Random.flatTypes {
            let column = Random.column(type, count: 150, using: &random)
            let text = try Casting.cast(column, to: .string)
            let back = try Casting.cast(text, to: type)
            #expect(Model.same(back.values, column.values.map { Self.canonical($0) }), "\(type)")
            let zoned = try Casting.cast(column, to: .string, offsetSeconds: -19_800)
            let unzoned = try Casting.cast(zoned, to: type, offsetSeconds: 3600)
            #expect(Model.same(unzoned.values, column.values.map { Self.canonical($0) }))
        }
    }

    /// The sign of a NaN has no text.
    static func canonical(_ value: Value) -> Value {
        if case .float64(let number) = value, number.isNaN { return .float64(.nan) }
        return value
    }

    @Test("integers cast to narrower types or refuse", arguments: 0..<10)
    func integers(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let column = Random.column(.int64, count: 150, using: &random)
        let tried = try Casting.cast(column, to: .int32, isTry: true)
        let wanted = column.values.map { value -> Value in
            guard case .int64(let number) = value else { return .null }
            return Int32(exactly: number).map { .int32($0) } ?? .null
        }
        #expect(tried.values == wanted)
        if tried.nullCount > column.nullCount {
            #expect(throws: KernelError.self) { try Casting.cast(column, to: .int32) }
        }
        let wide = try Casting.cast(tried, to: .decimal(precision: 38, scale: 20))
        let back = try Casting.cast(wide, to: .int32)
        #expect(back.values == tried.values)
    }

    @Test("entries of a dictionary that no row uses do not fail a cast")
    func unusedEntries() throws {
        let dictionary = ColumnDictionary(Column(.string, [.string("x"), .string("7")]))
        let codes: [UInt32] = [1, 1, 1]
        let column = Column(
            type: .string,
            count: 3,
            validity: nil,
            storage: .dictionary(
                codes: BufferSlice(codes.withUnsafeBytes { Buffer(copying: $0) }),
                dictionary
            )
        )
        #expect(try Casting.cast(column, to: .int32).values == [.int32(7), .int32(7), .int32(7)])
    }

    @Test("lists, structs and maps are cast by their elements")
    func nested() throws {
        let lists = Column(
            .list(Field("element", .int32)),
            [.list([.int32(1), .null]), .null, .list([])]
        )
        let target = DataType.list(Field("element", .string))
        #expect(
            try Casting.cast(lists.slice(0..<2), to: target).values == [
                .list([.string("1"), .null]), .null,
            ]
        )
        #expect(
            try Casting.cast(lists, to: .string).values == [
                .string("[1, NULL]"), .null, .string("[]"),
            ]
        )
    }

    @Test("zones shift between timestamps and instants")
    func zones() throws {
        let stamp = Column(.timestamp, [.timestamp(0)])
        let instant = try Casting.cast(stamp, to: .timestamptz, offsetSeconds: 7200)
        #expect(instant.values == [.timestamptz(-7_200_000_000)])
        #expect(
            try Casting.cast(instant, to: .string, offsetSeconds: 7200).values == [
                .string("1970-01-01 00:00:00+02")
            ]
        )
        #expect(
            try Casting.cast(instant, to: .date, offsetSeconds: 0).values == [.date(-1)]
        )
    }

    @Test("never traps on any text", arguments: 0..<16)
    func anyText(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let alphabet = Array("0123456789-+:. eTZPYMDHSinfyearsmonth()BC\\x{}é".utf8)
        for _ in 0..<400 {
            let bytes = (0..<Int.random(in: 0...30, using: &random)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            let builder = ColumnBuilder(.string)
            bytes.withUnsafeBufferPointer { builder.append($0) }
            let column = builder.finish()
            for type in Random.flatTypes {
                let result = try? Casting.cast(column, to: type, isTry: true)
                #expect(result?.count == 1)
            }
            for format in ["%Y-%m-%d %H:%M:%S", "%d %b %Y %p", "%j%y%z", "%f%A%G"] {
                _ = try? TimeFormat(format).parse(column, isTry: true)
            }
            let text = String(decoding: bytes, as: UTF8.self)
            _ = try? TimeFormat(text)
            _ = try? RegularExpression(text)
            _ = (try? LikePattern(text))?.matches(column)
        }
    }

    @Test("doubles are read correctly rounded", arguments: 0..<8)
    func doubles(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            for text in ["\(value)", "\(Float(value).isFinite ? Double(Float(value)) : value)"] {
                var utf8 = text
                let read = utf8.withUTF8 { TextParse.double($0) }
                #expect(read == Double(text), "\(text)")
            }
        }
    }
}

@Suite("Calendar")
struct CalendarTests {
    @Test("days and dates go round over all of Int32 and match a day-by-day count")
    func wholeRange() {
        // Day by day over 800 years and around the ends.
        var (year, month, day) = (1, 1, 1)
        var days = -719_162
        while year < 801 {
            let civil = CivilCalendar.civil(days)
            guard civil == (year, month, day),
                CivilCalendar.days(year: year, month: month, day: day) == days
            else {
                Issue.record("\(year)-\(month)-\(day) is \(civil)")
                return
            }
            days += 1
            day += 1
            if day > CivilCalendar.daysInMonth(year: year, month: month) {
                (day, month) = (1, month + 1)
            }
            if month > 12 { (month, year) = (1, year + 1) }
        }
        for days in stride(from: Int(Int32.min), through: Int(Int32.max), by: 9973) {
            let (year, month, day) = CivilCalendar.civil(days)
            guard CivilCalendar.days(year: year, month: month, day: day) == days,
                (1...12).contains(month), day >= 1,
                day <= CivilCalendar.daysInMonth(year: year, month: month)
            else {
                Issue.record("\(days)")
                return
            }
        }
    }

    @Test("dates and timestamps keep their text at the ends of their range")
    func ends() throws {
        for days in [Int32.min, -719_163, -1, 0, .max] {
            let column = Column(.date, [.date(days)])
            let text = try Casting.cast(column, to: .string)
            #expect(try Casting.cast(text, to: .date).values == [.date(days)], "\(text.values)")
        }
        for micros: Int64 in [.min / 2, -1, 0, .max / 2] {
            let column = Column(.timestamp, [.timestamp(micros)])
            let text = try Casting.cast(column, to: .string)
            #expect(try Casting.cast(text, to: .timestamp).values == [.timestamp(micros)])
        }
    }

    @Test("adding months stops at the month's last day")
    func months() throws {
        let column = try Casting.cast(Column(.string, [.string("2024-01-31")]), to: .date)
        let interval = Column(.interval, [.interval(Interval(months: 1))])
        #expect(
            try Casting.cast(try Temporal.add(column, interval), to: .string).values == [
                .string("2024-02-29 00:00:00")
            ]
        )
        #expect(
            try Temporal.addDays(column, Column(.int32, [.int32(1)])).values == [.date(19_754)]
        )
    }

    @Test("impossible dates and far sums are refused")
    func refusals() {
        let impossible: [[Int64]] = [[2023, 2, 29], [2023, 13, 1], [.max, 1, 1]]
        for numbers in impossible {
            let bad = numbers.map { Column(.int64, [.int64($0)]) }
            #expect(throws: KernelError.self) { try Temporal.makeDate(bad[0], bad[1], bad[2]) }
        }
        #expect(throws: KernelError.self) {
            try Temporal.add(
                Column(.timestamp, [.timestamp(.max)]),
                Column(.interval, [.interval(Interval(days: 1))])
            )
        }
    }
}
