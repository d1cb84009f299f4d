package import Columnar
import Glibc

extension GroupedAccumulator {
    /// `entropy`: of the frequencies of the values, in bits; 0 of none.
    package static func entropy(of input: DataType) -> GroupedAccumulator {
        EntropyAccumulator(resultType: input)
    }

    /// `mad`: the median of the distances from the median, as DOUBLE, of numbers.
    package static func medianDeviation() -> GroupedAccumulator {
        MedianDeviationAccumulator(resultType: .float64)
    }
}

/// Keeps all values and counts the runs of their sorted groups.
final class EntropyAccumulator: CollectingAccumulator {
    override func finish(groupCount: Int) throws(KernelError) -> Column {
        let (values, offsets) = grouped(groupCount, resultType)
        let bounds = offsets.mutable(as: Int32.self)
        var results: [Value] = []
        for group in 0..<groupCount {
            let part = values.slice(Int(bounds[group])..<Int(bounds[group + 1]))
            if part.count == 0 {
                results.append(.float64(0))
                continue
            }
            let sorted = SortKeys([part], [SortOrder()]).sorted()
            let ordered = Take.take(part, sorted)
            let boundaries = RowComparator.boundaries([ordered], count: ordered.count)
            let total = Double(part.count)
            var bits = 0.0
            var run = 0
            func close() {
                guard run > 0 else { return }
                let share = Double(run) / total
                bits -= share * log2(share)
                run = 0
            }
            for index in 0..<ordered.count {
                if boundaries[index] { close() }
                run += 1
            }
            close()
            results.append(.float64(max(0, bits)))
        }
        withExtendedLifetime(offsets) {}
        return Column(.float64, results)
    }
}

/// Keeps all numbers.
final class MedianDeviationAccumulator: CollectingAccumulator {
    override func finish(groupCount: Int) throws(KernelError) -> Column {
        let (values, offsets) = grouped(groupCount, .float64)
        let bounds = offsets.mutable(as: Int32.self)
        let operand = Operand(try Casting.cast(values, to: .float64))
        let source = operand.pointer(Double.self)
        var results: [Value] = []
        for group in 0..<groupCount {
            let (start, end) = (Int(bounds[group]), Int(bounds[group + 1]))
            if start == end {
                results.append(.null)
                continue
            }
            var numbers = Array(UnsafeBufferPointer(start: source + start, count: end - start))
            let middle = Self.median(&numbers)
            for index in numbers.indices { numbers[index] = abs(numbers[index] - middle) }
            results.append(.float64(Self.median(&numbers)))
        }
        return withExtendedLifetime((operand, offsets)) { Column(.float64, results) }
    }

    private static func median(_ numbers: inout [Double]) -> Double {
        numbers.sort(by: Double.before)
        let place = numbers.count / 2
        if numbers.count % 2 == 1 { return numbers[place] }
        return numbers[place - 1] + (numbers[place] - numbers[place - 1]) * 0.5
    }
}
