import Columnar
import Kernels

/// The exact sum of integers or decimals.
struct ExactSumState: WindowState {
    var sum: Int128
    var count: Int

    static var empty: ExactSumState { ExactSumState(sum: 0, count: 0) }

    func joined(with next: ExactSumState) throws -> ExactSumState {
        let (total, overflow) = sum.addingReportingOverflow(next.sum)
        if overflow { throw ExecutionError(.data, "a sum passes 128 bits") }
        return ExactSumState(sum: total, count: count + next.count)
    }
}

/// The sum of floating-point numbers.
struct FloatSumState: WindowState {
    var sum: Double
    var count: Int

    static var empty: FloatSumState { FloatSumState(sum: 0, count: 0) }

    func joined(with next: FloatSumState) -> FloatSumState {
        FloatSumState(sum: sum + next.sum, count: count + next.count)
    }
}

/// Mean and sum of squared distances from it.
struct VarianceState: WindowState {
    var count: Double
    var mean: Double
    var squares: Double

    static var empty: VarianceState { VarianceState(count: 0, mean: 0, squares: 0) }

    init(count: Double, mean: Double, squares: Double) {
        self.count = count
        self.mean = mean
        self.squares = squares
    }

    init(_ value: Double) {
        self.init(count: 1, mean: value, squares: 0)
    }

    func joined(with next: VarianceState) -> VarianceState {
        if count == 0 { return next }
        if next.count == 0 { return self }
        let total = count + next.count
        let distance = next.mean - mean
        return VarianceState(
            count: total,
            mean: mean + distance * next.count / total,
            squares: squares + next.squares + distance * distance * count * next.count / total
        )
    }
}

/// The row with the least or greatest value; the earliest of equal ones.
struct ExtremeState: WindowState {
    /// -1 for none.
    var row: Int32
    /// The place of the row's value among all values.
    var rank: Int32

    static var empty: ExtremeState { ExtremeState(row: -1, rank: .max) }

    func joined(with next: ExtremeState) -> ExtremeState {
        next.row >= 0 && (row < 0 || next.rank < rank) ? next : self
    }
}
