package import Columnar
import Glibc

extension GroupedAccumulator {
    /// `approx_count_distinct`: a HyperLogLog of 4096 registers a group, of which the standard error is
    /// 1.6 %; exact up to 256 values.
    package static func distinctSketch() -> GroupedAccumulator { DistinctSketchAccumulator() }

    /// `approx_quantile`: the least value that the fraction of the numbers does not pass, off by at most
    /// 0.1 % of itself; exact up to 512 values.
    package static func quantileSketch(
        _ fraction: Double,
        result: DataType
    ) -> GroupedAccumulator {
        QuantileSketchAccumulator(fraction, resultType: result)
    }
}

/// How many different values there are, from the leading zeros of their hashes.
///
/// The result does not depend on the order of the values, nor on how they were spread over workers.
final class DistinctSketchAccumulator: GroupedAccumulator {
    private static let bits = 12
    private static let exactMax = 256

    private enum Sketch {
        /// The hashes themselves.
        case few(Set<UInt64>)
        case registers([UInt8])

        mutating func add(_ hash: UInt64) {
            switch self {
            case .few(var hashes):
                self = .few([])
                hashes.insert(hash)
                if hashes.count > exactMax {
                    var registers = Sketch.registers([UInt8](repeating: 0, count: 1 << bits))
                    for hash in hashes { registers.add(hash) }
                    self = registers
                } else {
                    self = .few(hashes)
                }
            case .registers(var registers):
                self = .few([])
                let place = Int(hash >> UInt64(64 - bits))
                let rank = UInt8(min(64 - bits, (hash << UInt64(bits)).leadingZeroBitCount) + 1)
                if registers[place] < rank { registers[place] = rank }
                self = .registers(registers)
            }
        }

        mutating func add(_ other: Sketch) {
            switch (self, other) {
            case (_, .few(let hashes)):
                for hash in hashes { add(hash) }
            case (.few(let hashes), .registers):
                self = other
                for hash in hashes { add(hash) }
            case (.registers(var registers), .registers(let others)):
                for place in registers.indices {
                    registers[place] = max(registers[place], others[place])
                }
                self = .registers(registers)
            }
        }

        var estimate: Int64 {
            switch self {
            case .few(let hashes): return Int64(hashes.count)
            case .registers(let registers):
                // Ertl's estimator, which needs no corrections for small and large counts.
                let m = Double(registers.count)
                let q = 64 - bits
                var counts = [Double](repeating: 0, count: q + 2)
                for register in registers { counts[Int(register)] += 1 }
                var z = m * tau(1 - counts[q + 1] / m)
                for rank in stride(from: q, through: 1, by: -1) { z = 0.5 * (z + counts[rank]) }
                z += m * sigma(counts[0] / m)
                return Int64((m * m / (2 * log(2) * z)).rounded())
            }
        }

        private func sigma(_ given: Double) -> Double {
            if given == 1 { return .infinity }
            var (x, y, z) = (given, 1.0, given)
            while true {
                x *= x
                let next = z + x * y
                y += y
                if next == z { return z }
                z = next
            }
        }

        private func tau(_ given: Double) -> Double {
            if given == 0 || given == 1 { return 0 }
            var (x, y, z) = (given, 1.0, 1 - given)
            while true {
                x = x.squareRoot()
                y *= 0.5
                let next = z - (1 - x) * (1 - x) * y
                if next == z { return z / 3 }
                z = next
            }
        }
    }

    private var sketches: [Sketch] = []

    init() { super.init(resultType: .int64) }

    private func grow(_ groupCount: Int) {
        while sketches.count < groupCount { sketches.append(.few([])) }
    }

    override func update(
        groups: UnsafePointer<UInt32>,
        groupCount: Int,
        column: Column,
        count: Int
    ) throws(KernelError) {
        grow(groupCount)
        if column.isAllNull { return }
        let buffer = Hashing.hash([column], count: count)
        let hashes = buffer.mutable(as: UInt64.self)
        for row in 0..<count where !column.isNull(row) {
            // The hash tables' hash, mixed once more: its bits must be as good as random.
            var z = hashes[row] &+ 0x9E37_79B9_7F4A_7C15
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            sketches[Int(groups[row])].add(z ^ (z >> 31))
        }
        withExtendedLifetime(buffer) {}
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? DistinctSketchAccumulator else {
            preconditionFailure("other kind")
        }
        grow(groupCount)
        for group in 0..<min(mapping.count, other.sketches.count) {
            if Interruption.isRaised(at: group) { break }
            sketches[Int(mapping[group])].add(other.sketches[group])
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        grow(groupCount)
        return Column(.int64, sketches.prefix(groupCount).map { .int64($0.estimate) })
    }

    override var byteCount: Int {
        sketches.reduce(0) { sum, sketch in
            switch sketch {
            case .few(let hashes): sum + 64 + hashes.capacity * 16
            case .registers(let registers): sum + 64 + registers.count
            }
        }
    }
}

/// Quantiles from counts of values by size, in classes that grow by 0.2 % each (DDSketch).
///
/// Counts only add up, so that the result does not depend on the order of the values, nor on how they
/// were spread over workers.
final class QuantileSketchAccumulator: GroupedAccumulator {
    private static let exactMax = 512
    private static let growth = 1.002
    private static let logGrowth = log(growth)

    private struct Sketch {
        var few: [Double] = []
        /// By class, negative numbers by that of their size; nil while the values are few.
        var classes: (negative: [Int32: Int64], zero: Int64, positive: [Int32: Int64])?
        var infinities: (negative: Int64, positive: Int64, nan: Int64) = (0, 0, 0)
        var count: Int64 = 0

        mutating func add(_ value: Double) {
            count += 1
            guard value.isFinite else {
                if value.isNaN {
                    infinities.nan += 1
                } else if value < 0 {
                    infinities.negative += 1
                } else {
                    infinities.positive += 1
                }
                return
            }
            if classes == nil {
                few.append(value)
                if few.count > exactMax { spread() }
            } else {
                put(value)
            }
        }

        private mutating func spread() {
            let values = few
            few = []
            classes = ([:], 0, [:])
            for value in values { put(value) }
        }

        private mutating func put(_ value: Double) {
            if value == 0 {
                classes?.zero += 1
                return
            }
            let number = Int32((log(value.magnitude) / logGrowth).rounded(.up))
            if value < 0 {
                classes?.negative[number, default: 0] += 1
            } else {
                classes?.positive[number, default: 0] += 1
            }
        }

        mutating func add(_ other: Sketch) {
            count += other.count
            infinities.negative += other.infinities.negative
            infinities.positive += other.infinities.positive
            infinities.nan += other.infinities.nan
            if let theirs = other.classes {
                if classes == nil { spread() }
                classes?.zero += theirs.zero
                for (number, n) in theirs.negative { classes?.negative[number, default: 0] += n }
                for (number, n) in theirs.positive { classes?.positive[number, default: 0] += n }
            }
            for value in other.few {
                if classes == nil {
                    few.append(value)
                    if few.count > exactMax { spread() }
                } else {
                    put(value)
                }
            }
        }

        func value(_ fraction: Double) -> Double? {
            guard count > 0 else { return nil }
            var rest = max(1, Int64((fraction * Double(count)).rounded(.up)))
            func passes(_ n: Int64) -> Bool {
                rest -= n
                return rest <= 0
            }
            if passes(infinities.negative) { return -.infinity }
            if let classes {
                // The middle of a class, by which no value in it is off by more than half its width.
                func middle(_ number: Int32) -> Double {
                    2 * exp(Double(number) * logGrowth) / (growth + 1)
                }
                for (number, n) in classes.negative.sorted(by: { $0.key > $1.key })
                where passes(n) { return -middle(number) }
                if passes(classes.zero) { return 0 }
                for (number, n) in classes.positive.sorted(by: { $0.key < $1.key })
                where passes(n) { return middle(number) }
            } else {
                for value in few.sorted() where passes(1) { return value }
            }
            if passes(infinities.positive) { return .infinity }
            return .nan
        }

        var byteCount: Int {
            96 + few.capacity * 8
                + (classes.map { ($0.negative.capacity + $0.positive.capacity) * 16 } ?? 0)
        }
    }

    private var sketches: [Sketch] = []
    private let fraction: Double

    init(_ fraction: Double, resultType: DataType) {
        self.fraction = fraction
        super.init(resultType: resultType)
    }

    private func grow(_ groupCount: Int) {
        while sketches.count < groupCount { sketches.append(Sketch()) }
    }

    override func update(
        groups: UnsafePointer<UInt32>,
        groupCount: Int,
        column: Column,
        count: Int
    ) throws(KernelError) {
        grow(groupCount)
        if column.isAllNull { return }
        let operand = Operand(try Casting.cast(column, to: .float64))
        let (source, mask) = (operand.pointer(Double.self), operand.mask)
        forEachValid(operand.validity, count) { row in
            sketches[Int(groups[row])].add(source[row & mask])
        }
        withExtendedLifetime(operand) {}
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? QuantileSketchAccumulator else {
            preconditionFailure("other kind")
        }
        grow(groupCount)
        for group in 0..<min(mapping.count, other.sketches.count) {
            if Interruption.isRaised(at: group) { break }
            sketches[Int(mapping[group])].add(other.sketches[group])
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        grow(groupCount)
        let values = Column(
            .float64,
            sketches.prefix(groupCount).map { $0.value(fraction).map { .float64($0) } ?? .null }
        )
        return try Casting.cast(values, to: resultType)
    }

    override var byteCount: Int { sketches.reduce(0) { $0 + $1.byteCount } }
}
