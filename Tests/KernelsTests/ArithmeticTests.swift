import Columnar
import Kernels
import TestSupport
import Testing

@Suite("Arithmetic")
struct ArithmeticTests {
    /// The exact result as digits at the result's scale, or nil when it must be an error.
    static func exact(
        _ op: ArithmeticOperator,
        _ a: Int128,
        _ b: Int128
    ) -> Int128? {
        switch op {
        case .add:
            let (value, overflow) = a.addingReportingOverflow(b)
            return overflow ? nil : value
        case .subtract:
            let (value, overflow) = a.subtractingReportingOverflow(b)
            return overflow ? nil : value
        case .multiply:
            let (value, overflow) = a.multipliedReportingOverflow(by: b)
            return overflow ? nil : value
        case .integerDivide: return b == 0 ? nil : a / b
        case .modulo: return b == 0 ? nil : a % b
        case .divide: return nil
        }
    }

    @Test("integers give the exact result or an error, in every storage", arguments: 0..<60)
    func integers(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for type in [DataType.int32, .int64] {
            for op in ArithmeticOperator.allCases where op != .divide {
                let count = Random.count(using: &random)
                let a = Random.column(type, count: count, using: &random)
                let b = Random.column(type, count: count, using: &random)
                let wanted = zip(a.values, b.values).map { x, y -> Value?? in
                    guard let p = Self.number(x), let q = Self.number(y) else {
                        return .some(.null)
                    }
                    guard let value = Self.exact(op, p, q) else { return .some(nil) }
                    if type == .int32 { return Int32(exactly: value).map { .int32($0) } }
                    return Int64(exactly: value).map { .int64($0) }
                }
                let result = Result { try Arithmetic.apply(op, a, b, to: type) }
                if wanted.contains(where: { $0 == nil || $0 == .some(nil) }) {
                    #expect(throws: KernelError.self) { try result.get() }
                } else {
                    #expect((try? result.get().values) == wanted.map { ($0 ?? .null) ?? .null })
                }
            }
        }
    }

    static func number(_ value: Value) -> Int128? {
        switch value {
        case .int32(let number): Int128(number)
        case .int64(let number): Int128(number)
        case .decimal(let digits): digits
        default: nil
        }
    }

    @Test("every pair of small and extreme integers, one row at a time")
    func pairs() {
        let numbers: [Int64] = [.min, .min + 1, -7, -1, 0, 1, 2, 7, .max - 1, .max]
        for op in ArithmeticOperator.allCases where op != .divide {
            for x in numbers {
                for y in numbers {
                    let a = Column(.int64, [.int64(x), .null])
                    let b = Column(.int64, [.int64(y), .int64(0)])
                    let result = try? Arithmetic.apply(op, a, b, to: .int64)
                    let wanted = Self.exact(op, Int128(x), Int128(y))
                        .flatMap { Int64(exactly: $0) }
                    #expect(result?.values == wanted.map { [.int64($0), .null] })
                }
            }
        }
    }

    @Test("the message names the operands, and only rows that are not null matter")
    func messages() {
        let a = Column(.int64, [.int64(.max), .int64(1)])
        let b = Column(.int64, [.null, .int64(0)])
        #expect(throws: KernelError(.divisionByZero, "division by zero: 1 // 0")) {
            try Arithmetic.apply(.integerDivide, a, b, to: .int64)
        }
        #expect(throws: KernelError(.overflow, "2147483647 + 1 does not fit INTEGER")) {
            try Arithmetic.apply(
                .add,
                Column(.int32, [.int32(.max)]),
                Column(.int32, [.int32(1)]),
                to: .int32
            )
        }
    }

    @Test("floats follow IEEE but for division by zero", arguments: 0..<10)
    func floats(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let a = Random.column(.float64, count: 150, using: &random)
        let b = Random.column(.float64, count: 150, using: &random)
        for (op, body) in [
            (ArithmeticOperator.add, { $0 + $1 }), (.subtract, { $0 - $1 }),
            (.multiply, { $0 * $1 }),
        ] as [(ArithmeticOperator, (Double, Double) -> Double)] {
            let result = try Arithmetic.apply(op, a, b, to: .float64)
            let wanted = zip(a.values, b.values).map { x, y -> Value in
                guard case .float64(let p) = x, case .float64(let q) = y else { return .null }
                return .float64(body(p, q))
            }
            #expect(Model.same(result.values, wanted))
        }
        #expect(throws: KernelError.self) {
            try Arithmetic.apply(
                .divide,
                Column(.int32, [.int32(1)]),
                Column(.int32, [.int32(0)]),
                to: .float64
            )
        }
        let half = try Arithmetic.apply(
            .divide,
            Column(.int32, [.int32(1)]),
            Column(.int32, [.int32(2)]),
            to: .float64
        )
        #expect(half.values == [.float64(0.5)])
    }

    static let decimals: [DataType] = [
        .decimal(precision: 4, scale: 1), .decimal(precision: 9, scale: 2),
        .decimal(precision: 15, scale: 2), .decimal(precision: 18, scale: 0),
        .decimal(precision: 18, scale: 9), .decimal(precision: 30, scale: 5),
        .decimal(precision: 38, scale: 4), .int32, .int64,
    ]

    @Test("decimals give the exact result of the rules' type, or overflow", arguments: 0..<20)
    func decimals(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for x in Self.decimals {
            for y in Self.decimals where !(x.isInteger && y.isInteger) {
                for op in [ArithmeticOperator.add, .subtract, .multiply, .modulo] {
                    guard let type = try? DecimalRules.result(of: op, x, y) else { continue }
                    guard case .decimal(let precision, let scale) = type else { continue }
                    try check(op, x, y, type, precision, scale, &random)
                }
            }
        }
    }

    private func check(
        _ op: ArithmeticOperator,
        _ x: DataType,
        _ y: DataType,
        _ type: DataType,
        _ precision: Int,
        _ scale: Int,
        _ random: inout SeededGenerator
    ) throws {
        let a = Random.column(x, count: 66, using: &random)
        let b = Random.column(y, count: 66, using: &random)
        func power(_ n: Int) -> Int128 { (0..<n).reduce(1) { product, _ in product * 10 } }
        let shifts =
            op == .multiply
            ? (0, 0)
            : (
                scale - (DecimalRules.digits(x)?.scale ?? 0),
                scale - (DecimalRules.digits(y)?.scale ?? 0)
            )
        var fails = false
        let wanted = zip(a.values, b.values).map { p, q -> Value in
            guard let p = Self.number(p), let q = Self.number(q) else { return .null }
            let (u, f) = p.multipliedReportingOverflow(by: power(shifts.0))
            let (v, g) = q.multipliedReportingOverflow(by: power(shifts.1))
            guard !f, !g, let value = Self.exact(op, u, v),
                value.magnitude < power(precision).magnitude
            else {
                fails = true
                return .null
            }
            return .decimal(value)
        }
        let result = Result { try Arithmetic.apply(op, a, b, to: type) }
        if fails {
            #expect(throws: KernelError.self) { try result.get() }
        } else {
            let column = try result.get()
            #expect(column.type == type)
            #expect(column.values == wanted, "\(x) \(op) \(y)")
        }
    }

    @Test("the rules give the documented types")
    func rules() throws {
        func decimal(_ p: Int, _ s: Int) -> DataType { .decimal(precision: p, scale: s) }
        #expect(try DecimalRules.result(of: .add, decimal(15, 2), decimal(15, 2)) == decimal(16, 2))
        #expect(try DecimalRules.result(of: .add, decimal(5, 4), .int32) == decimal(15, 4))
        #expect(
            try DecimalRules.result(of: .multiply, decimal(15, 2), decimal(16, 2))
                == decimal(31, 4)
        )
        #expect(
            try DecimalRules.result(of: .multiply, decimal(30, 2), decimal(16, 2))
                == decimal(38, 4)
        )
        #expect(try DecimalRules.result(of: .divide, decimal(9, 2), .int32) == .float64)
        #expect(throws: KernelError.self) {
            try DecimalRules.result(of: .multiply, decimal(38, 20), decimal(38, 20))
        }
    }

    @Test("bits of integers")
    func bits() throws {
        let (a, b) = (Column(.int32, [.int32(-6), .null]), Column(.int64, [.int64(3), .int64(1)]))
        let wanted: [(BitwiseOperator, Int64)] = [
            (.and, -6 & 3), (.or, -6 | 3), (.exclusiveOr, -6 ^ 3), (.shiftLeft, -48),
            (.shiftRight, -1),
        ]
        for (op, value) in wanted {
            #expect(try Bitwise.apply(op, a, b).values == [.int64(value), .null])
        }
        #expect(try Bitwise.not(a).values == [.int32(5), .null])
        let big = Column(.int64, [.int64(.max)])
        for distance: Int64 in [1, 64, -1] {
            #expect(throws: KernelError.self) {
                try Bitwise.apply(.shiftLeft, big, Column(.int64, [.int64(distance)]))
            }
        }
    }

    @Test("negation, absolute value and sign", arguments: 0..<10)
    func unary(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let column = Random.column(.decimal(precision: 38, scale: 4), count: 99, using: &random)
        let numbers = column.values.map { Self.number($0) }
        #expect(
            try Arithmetic.negate(column).values
                == numbers.map { $0.map { .decimal(-$0) } ?? .null }
        )
        #expect(
            try Arithmetic.absolute(column).values
                == numbers.map { $0.map { .decimal(abs($0)) } ?? .null }
        )
        #expect(
            try Arithmetic.sign(column).values
                == numbers.map { $0.map { .int32(Int32($0.signum())) } ?? .null }
        )
        #expect(throws: KernelError.self) {
            try Arithmetic.negate(Column(.int64, [.int64(.min)]))
        }
        #expect(
            try Arithmetic.negate(Column(.int64, [.int64(.max), .null])).values == [
                .int64(-.max), .null,
            ]
        )
    }
}
