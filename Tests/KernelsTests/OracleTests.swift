import Columnar
import Kernels
import TestSupport
import Testing

/// Kernels against DuckDB, expression by expression.
///
/// Where we differ on purpose the cases are left out, and the reason stands with the kernel.
@Suite("Kernels against DuckDB", .enabled(if: DuckDBOracle.python != nil, DuckDBOracle.isAbsent))
struct OracleTests {
    struct Question {
        let sql: String
        let own: () throws -> Column
    }

    /// Compares the text forms of both answers.
    private func check(_ questions: [Question], sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        let answers = try DuckDBOracle.ask(questions.map(\.sql))
        for (question, answer) in zip(questions, answers) {
            let own: DuckDBOracle.Answer
            do {
                let column = TextFormat.column(try question.own())
                if case .string(let text) = column.value(at: 0) {
                    own = .text(text)
                } else {
                    own = .null
                }
            } catch {
                own = .error
            }
            #expect(
                own == answer,
                "\(question.sql): \(own), DuckDB \(answer)",
                sourceLocation: sourceLocation
            )
        }
    }

    private func text(_ value: String) -> Column { Column(.string, [.string(value)]) }
    private func number(_ value: Int64) -> Column { Column(.int64, [.int64(value)]) }

    @Test("text forms of numbers")
    func numberText() throws {
        var random = SeededGenerator(seed: 1)
        var doubles: [Double] = [
            0, -0.0, 1, -1, 0.1, 1e15, 1e16, 123456789012345680, 1e-4, 1e-5, 1.5e-7,
            1.7976931348623157e308, 2.5, 1e20, 1e22, 1e100, 123.456, 9007199254740992, .nan,
            .infinity, -.infinity,
        ]
        for _ in 0..<300 {
            doubles.append(Double(bitPattern: random.next()))
            doubles.append(Double(Int64(bitPattern: random.next()) >> 20) / 1000)
        }
        try check(
            doubles.map { value in
                Question(sql: "'\(value)'::double") { Column(.float64, [.float64(value)]) }
            }
        )
        try check(
            [(5, 2), (18, 0), (18, 17), (38, 10), (38, 37)].flatMap { precision, scale in
                (0..<20).map { _ -> Question in
                    let digits = Int128(Int64(bitPattern: random.next())) % 100_000
                    let type = DataType.decimal(precision: precision, scale: scale)
                    let column = Column(type, [.decimal(digits)])
                    let sql = TextFormat.column(column).value(at: 0)
                    guard case .string(let text) = sql else { return Question(sql: "1") { column } }
                    return Question(sql: "'\(text)'::decimal(\(precision),\(scale))") { column }
                }
            }
        )
    }

    @Test("text forms of times, over the whole range")
    func timeText() throws {
        var random = SeededGenerator(seed: 2)
        var questions: [Question] = []
        for _ in 0..<400 {
            let days = Int32.random(in: -1_500_000...3_000_000, using: &random)
            questions.append(
                Question(sql: "date '1970-01-01' + \(days)") { Column(.date, [.date(days)]) }
            )
            let micros = Int64.random(
                in: -100_000_000_000_000_000...200_000_000_000_000_000,
                using: &random
            )
            let rounded = Bool.random(using: &random) ? micros : micros / 1_000_000 * 1_000_000
            questions.append(
                Question(sql: "make_timestamp(\(rounded))") {
                    Column(.timestamp, [.timestamp(rounded)])
                }
            )
            let interval = Interval(
                months: Int32.random(in: -30...30, using: &random),
                days: Int32.random(in: -3...40, using: &random),
                micros: rounded % 1_000_000_000_000
            )
            questions.append(
                Question(
                    sql: """
                        to_months(\(interval.months)) + to_days(\(interval.days)) \
                        + to_microseconds(\(interval.micros))
                        """
                ) { Column(.interval, [.interval(interval)]) }
            )
        }
        try check(questions)
    }

    @Test("casts from text")
    func fromText() throws {
        let numbers = [
            "1", "-1", "+5", " 42 ", "", "-", "abc", "9223372036854775807", "9223372036854775808",
            "-9223372036854775808", "2147483648", "00012",
        ]
        let floats = [
            "1.5", "-1e10", "inf", "-Infinity", "NaN", ".5", "5.", "1e", "e5", "--1",
            "0.1", "123456789.123456789", "1E-320", "4.35",
        ]
        let decimals = ["1.005", "-1.005", "1.995", "999.99", "12345678.9", "1e3", "x", "0.004999"]
        let dates = [
            "2020-02-29", "2019-02-29", "2020-1-5", "0001-01-01", "9999-12-31", "2020-13-01",
            "2020-00-10", "nope", "2020-02-30", "-0001-02-03", " 2020-01-01 ",
        ]
        let stamps = [
            "2020-02-29 12:34:56", "2020-02-29T12:34:56.789", "2020-02-29 12:34:56.123456789",
            "2020-02-29", "2020-02-29 24:00:01", "2020-02-29 12:60:00", "2020-02-29 12:34:56Z",
        ]
        let intervals = [
            "1 year", "2 years 3 months", "90 minutes", "1 day 04:05:06", "-3 days",
            "1 month -1 day",
            "04:05:06.5", "1 week", "3 quarters", "2 decades", "10 seconds", "garbage",
        ]
        var questions: [Question] = []
        func add(_ texts: [String], _ name: String, _ type: DataType) {
            for value in texts {
                questions.append(
                    Question(sql: "try_cast(\(DuckDBOracle.literal(value)) as \(name))") {
                        try Casting.cast(self.text(value), to: type, isTry: true)
                    }
                )
            }
        }
        add(numbers, "bigint", .int64)
        add(numbers, "integer", .int32)
        add(numbers + floats, "double", .float64)
        add(["0.1", "16777217", "3.4e38"], "float", .float32)
        add(numbers.dropLast(0) + decimals, "decimal(9,2)", .decimal(precision: 9, scale: 2))
        add(decimals, "decimal(38,10)", .decimal(precision: 38, scale: 10))
        add(dates, "date", .date)
        add(stamps, "timestamp", .timestamp)
        add(intervals, "interval", .interval)
        add(["true", "F", "yes", "0", "1", "maybe", "T"], "boolean", .boolean)
        add(
            ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC999C0B4EF8BB6D6BB9BD380A11", "zz"],
            "uuid",
            .uuid
        )
        add(["12:34:56", "1:02:03.5", "25:00:00", "12:34:56.123456"], "time", .time)
        try check(questions)
    }

    @Test("casts between numbers round and refuse alike")
    func betweenNumbers() throws {
        var questions: [Question] = []
        let doubles: [Double] = [
            0.5, 1.5, 2.5, -0.5, -2.5, 2147483647.4, 1e18, 1e19, -1e30, 0.005, 1.115,
            99999.995,
        ]
        for value in doubles {
            let column = Column(.float64, [.float64(value)])
            for (name, type) in [
                ("integer", DataType.int32), ("bigint", .int64),
                ("decimal(9,2)", .decimal(precision: 9, scale: 2)),
                ("decimal(38,6)", .decimal(precision: 38, scale: 6)), ("boolean", .boolean),
            ] {
                questions.append(
                    Question(sql: "try_cast('\(value)'::double as \(name))") {
                        try Casting.cast(column, to: type, isTry: true)
                    }
                )
            }
        }
        for digits in [5, -5, 15, -15, 149, 150, 12_345_678, 99_999_999] {
            let source = DataType.decimal(precision: 9, scale: 2)
            let column = Column(source, [.decimal(Int128(digits))])
            for (name, type) in [
                ("integer", DataType.int32), ("decimal(9,1)", .decimal(precision: 9, scale: 1)),
                ("decimal(4,2)", .decimal(precision: 4, scale: 2)), ("double", .float64),
                ("decimal(30,8)", .decimal(precision: 30, scale: 8)),
            ] {
                questions.append(
                    Question(
                        sql: "try_cast((\(digits)::decimal(18,2) / 100)::decimal(9,2) as \(name))"
                    ) {
                        try Casting.cast(column, to: type, isTry: true)
                    }
                )
            }
        }
        try check(questions)
    }

    @Test("text functions")
    func textFunctions() throws {
        let texts = Random.texts.filter { !$0.contains("\u{0}") } + ["a,b,,c", "xyxyx", "ÄÖÜ ß"]
        var questions: [Question] = []
        for value in texts {
            let sql = DuckDBOracle.literal(value)
            let column = text(value)
            func add(_ expression: String, _ own: @escaping () throws -> Column) {
                questions.append(Question(sql: expression, own: own))
            }
            add("length(\(sql))") { StringFunctions.length(column) }
            add("octet_length(encode(\(sql)))") { StringFunctions.octetLength(column) }
            add("lower(\(sql))") { StringFunctions.lower(column) }
            add("trim(\(sql))") { try StringFunctions.trim(column) }
            add("ltrim(\(sql), 'a ')") {
                try StringFunctions.trim(column, characters: self.text("a "), side: .leading)
            }
            add("rtrim(\(sql), 'ber ')") {
                try StringFunctions.trim(column, characters: self.text("ber "), side: .trailing)
            }
            add("ascii(\(sql))") { StringFunctions.ascii(column) }
            add("replace(\(sql), 'a', 'XY')") {
                try StringFunctions.replace(column, self.text("a"), with: self.text("XY"))
            }
            add("translate(\(sql), 'abü', 'xy')") {
                try StringFunctions.translate(column, from: self.text("abü"), to: self.text("xy"))
            }
            add("repeat(\(sql), 3)") { try StringFunctions.repeated(column, self.number(3)) }
            add("\(sql) || '-tail'") {
                try StringFunctions.concatenate(column, self.text("-tail"))
            }
            add("concat_ws(',', \(sql), null, 'z')") {
                try StringFunctions.concatenate(
                    [column, .nulls(.string, count: 1), self.text("z")],
                    separator: self.text(",")
                )
            }
            for part in ["", "a", "text", "ü", "語"] {
                let piece = DuckDBOracle.literal(part)
                add("strpos(\(sql), \(piece))") {
                    try StringFunctions.position(column, of: self.text(part))
                }
                add("starts_with(\(sql), \(piece))") {
                    try StringFunctions.startsWith(column, self.text(part))
                }
                add("suffix(\(sql), \(piece))") {
                    try StringFunctions.endsWith(column, self.text(part))
                }
                add("contains(\(sql), \(piece))") {
                    try StringFunctions.contains(column, self.text(part))
                }
            }
            for count in [0, 1, 3, 30] {
                add("left(\(sql), \(count))") {
                    try StringFunctions.left(column, self.number(Int64(count)))
                }
                add("right(\(sql), \(count))") {
                    try StringFunctions.right(column, self.number(Int64(count)))
                }
                add("left(\(sql), -\(count))") {
                    try StringFunctions.left(column, self.number(Int64(-count)))
                }
                add("lpad(\(sql), \(count), 'xü')") {
                    try StringFunctions.pad(
                        column,
                        to: self.number(Int64(count)),
                        with: self.text("xü"),
                        isLeft: true
                    )
                }
                add("rpad(\(sql), \(count), 'xü')") {
                    try StringFunctions.pad(
                        column,
                        to: self.number(Int64(count)),
                        with: self.text("xü"),
                        isLeft: false
                    )
                }
                add("substring(\(sql), 2, \(count))") {
                    try StringFunctions.substring(
                        column,
                        from: self.number(2),
                        for: self.number(Int64(count))
                    )
                }
                add("split_part(\(sql), ',', \(count + 1))") {
                    try StringFunctions.splitPart(
                        column,
                        separator: self.text(","),
                        index: self.number(Int64(count + 1))
                    )
                }
            }
            for pattern in [
                "%", "", "a%", "%b", "%a%", "a_c", "_", "%n_ï%", "%text%one", "ünï%dé", "__", "%語",
                "%a%b%", "exactly 1_ b%", "%_%_%", "_%b",
            ] {
                let literal = DuckDBOracle.literal(pattern)
                add("\(sql) like \(literal)") { try LikePattern(pattern).matches(column) }
                add("\(sql) ilike upper(\(literal))") {
                    try LikePattern(pattern.uppercased(), ignoresCase: true).matches(column)
                }
            }
            for pattern in ["a+", "^a", "[a-c]{2,}", "ü.*é", "([a-z]+) ([a-z]+)", "[0-9]+"] {
                let literal = DuckDBOracle.literal(pattern)
                add("regexp_matches(\(sql), \(literal))") {
                    try RegularExpression(pattern).matches(column)
                }
                add("regexp_replace(\(sql), \(literal), '<\\0>', 'g')") {
                    try RegularExpression(pattern).replace(column, with: "<\\0>", isGlobal: true)
                }
                add("regexp_extract(\(sql), \(literal))") {
                    try RegularExpression(pattern).extract(column)
                }
            }
        }
        try check(questions)
    }

    @Test("date functions over the years 1 to 9999")
    func dates() throws {
        var random = SeededGenerator(seed: 4)
        var questions: [Question] = []
        let parts: [(String, DatePart)] = [
            ("year", .year), ("quarter", .quarter), ("month", .month), ("week", .week),
            ("day", .day), ("hour", .hour), ("minute", .minute), ("second", .second),
            ("millisecond", .millisecond), ("microsecond", .microsecond), ("dow", .dayOfWeek),
            ("isodow", .isoDayOfWeek), ("doy", .dayOfYear), ("isoyear", .isoYear),
            ("decade", .decade), ("century", .century), ("millennium", .millennium),
            ("epoch", .epoch),
        ]
        let formats = [
            "%Y-%m-%d %H:%M:%S.%f", "%a %A %b %B %d %-d", "%y %j %-j %U %W %V %G", "%I:%M %p %g",
            "%w %u %x %X %c %%", "%-m/%-d/%y %-H:%-M:%-S",
        ]
        for _ in 0..<60 {
            let range: ClosedRange<Int64> = -62_135_596_800_000_000...253_402_300_799_999_999
            let micros = Int64.random(in: range, using: &random)
            let later = Int64.random(in: range, using: &random)
            let column = Column(.timestamp, [.timestamp(micros)])
            let other = Column(.timestamp, [.timestamp(later)])
            let (sql, otherSQL) = ("make_timestamp(\(micros))", "make_timestamp(\(later))")
            for (name, part) in parts {
                questions.append(
                    Question(sql: "extract(\(name) from \(sql))") {
                        try Temporal.extract(part, from: column)
                    }
                )
                // DuckDB begins centuries with a round year, PostgreSQL and we do not.
                if part != .century, part != .millennium, part != .dayOfWeek, part != .isoDayOfWeek,
                    part != .dayOfYear, part != .epoch
                {
                    questions.append(
                        Question(sql: "date_trunc('\(name)', \(sql))") {
                            try Temporal.truncate(column, to: part)
                        }
                    )
                    // Weeks begin on Monday with us, on Thursday in DuckDB's difference.
                    if part == .week { continue }
                    questions.append(
                        Question(sql: "date_diff('\(name)', \(sql), \(otherSQL))") {
                            try Temporal.difference(part, from: column, to: other)
                        }
                    )
                }
            }
            for format in formats {
                questions.append(
                    Question(sql: "strftime(\(sql), '\(format)')") {
                        try TimeFormat(format).format(column)
                    }
                )
            }
            let interval = Interval(
                months: Int32.random(in: -200...200, using: &random),
                days: Int32.random(in: -99...99, using: &random),
                micros: Int64.random(in: -1_000_000_000...1_000_000_000, using: &random)
            )
            let intervalSQL = """
                (to_months(\(interval.months)) + to_days(\(interval.days)) \
                + to_microseconds(\(interval.micros)))
                """
            let step = Column(.interval, [.interval(interval)])
            questions.append(
                Question(sql: "\(sql) + \(intervalSQL)") { try Temporal.add(column, step) }
            )
            questions.append(
                Question(sql: "\(sql) - \(intervalSQL)") {
                    try Temporal.add(column, step, isSubtraction: true)
                }
            )
            questions.append(
                Question(sql: "\(sql) - \(otherSQL)") { try Temporal.subtract(column, other) }
            )
            questions.append(
                Question(sql: "last_day(\(sql))") { try Temporal.lastDay(column) }
            )
            questions.append(
                Question(sql: "dayname(\(sql)) || monthname(\(sql))") {
                    try StringFunctions.concatenate(
                        try Temporal.dayName(column),
                        try Temporal.monthName(column)
                    )
                }
            )
        }
        for (value, format) in [
            ("2020-02-29 12:34:56", "%Y-%m-%d %H:%M:%S"), ("29/2/2020", "%d/%m/%Y"),
            ("Feb 29, 2020 1:05 PM", "%b %d, %Y %I:%M %p"), ("2020-060", "%Y-%j"), ("20", "%y"),
            ("2020-02-30", "%Y-%m-%d"), ("Sat 29 February 2020", "%a %d %B %Y"),
            ("2020-01-01 00:00:00.5", "%Y-%m-%d %H:%M:%S.%f"), ("x", "%Y"),
        ] {
            questions.append(
                Question(sql: "try_strptime('\(value)', '\(format)')") {
                    try TimeFormat(format).parse(self.text(value), isTry: true)
                }
            )
        }
        try check(questions)
    }

    @Test("mathematics")
    func mathematics() throws {
        var questions: [Question] = []
        for value in [-2.5, -1, -0.45, 0.5, 1, 2.345, 1234.5678, 1e10] as [Double] {
            let column = Column(.float64, [.float64(value)])
            let sql = "(\(value)::double)"
            func add(_ expression: String, _ own: @escaping () throws -> Column) {
                questions.append(Question(sql: expression, own: own))
            }
            for (name, function) in [
                ("sqrt", MathFunction.squareRoot), ("cbrt", .cubeRoot), ("exp", .exponential),
                ("ln", .logarithm), ("log10", .logarithm10), ("log2", .logarithm2), ("sin", .sine),
                ("cos", .cosine), ("tan", .tangent), ("atan", .arcTangent), ("asin", .arcSine),
                ("acos", .arcCosine), ("radians", .radians),
            ] {
                add("\(name)(\(sql))") { try Mathematics.apply(function, column) }
            }
            add("round(\(sql))") { try Mathematics.round(column) }
            add("round(\(sql), 2)") { try Mathematics.round(column, digits: 2) }
            add("round(\(sql), -2)") { try Mathematics.round(column, digits: -2) }
            add("floor(\(sql))") { try Mathematics.round(column, mode: .floor) }
            add("ceil(\(sql))") { try Mathematics.round(column, mode: .ceiling) }
            add("trunc(\(sql))") { try Mathematics.round(column, mode: .truncate) }
            add("pow(\(sql), 2)") { try Mathematics.power(column, self.number(2)) }
            add("atan2(\(sql), 3)") { try Mathematics.arcTangent2(column, self.number(3)) }
        }
        let type = DataType.decimal(precision: 9, scale: 3)
        for digits in [12_345, -12_345, 12_500, -12_500, 999_999_999, 499, 500] {
            let column = Column(type, [.decimal(Int128(digits))])
            let sql = "(\(digits)::decimal(18,3) / 1000)::decimal(9,3)"
            for places in [0, 1, 2] {
                questions.append(
                    Question(sql: "round(\(sql), \(places))") {
                        try Mathematics.round(column, digits: places)
                    }
                )
            }
            questions.append(
                Question(sql: "floor(\(sql))") { try Mathematics.round(column, mode: .floor) }
            )
            questions.append(
                Question(sql: "ceil(\(sql))") { try Mathematics.round(column, mode: .ceiling) }
            )
        }
        try check(questions)
    }
}
