package import Columnar
import Kernels

/// Rows of a data file that delete files take away.
package struct RowDeletes: Sendable {
    /// Row numbers in the file, ascending; may repeat.
    package var positions: [Int64]
    package var equality: [EqualityDeletes]

    package init(positions: [Int64] = [], equality: [EqualityDeletes] = []) {
        self.positions = positions
        self.equality = equality
    }

    var isEmpty: Bool { positions.isEmpty && equality.isEmpty }
}

/// Rows taken away by the values of some columns.
package final class EqualityDeletes: Sendable {
    /// The columns that are compared, each with its id.
    package let columns: [ScanColumn]
    private let keys: Set<[Value]>

    /// - Parameter rows: one column for each of `columns`, of the same length.
    package init(columns: [ScanColumn], rows: [[Column]]) {
        self.columns = columns
        var keys: Set<[Value]> = []
        for columns in rows {
            for row in 0..<(columns.first?.count ?? 0) {
                keys.insert(Self.key(columns, row))
            }
        }
        self.keys = keys
    }

    package var count: Int { keys.count }

    /// The rows, of those that `columns` hold, that stay.
    func surviving(_ columns: [Column], count: Int) -> Selection {
        var rows: [Int32] = []
        rows.reserveCapacity(count)
        for row in 0..<count where !keys.contains(Self.key(columns, row)) {
            rows.append(Int32(truncatingIfNeeded: row))
        }
        return Selection(rows)
    }

    /// The values of a row in a form in which equal means equal.
    ///
    /// Texts by their bytes (Swift's strings
    /// compare by canonical equivalence), one NaN, one zero. Nulls are equal here.
    private static func key(_ columns: [Column], _ row: Int) -> [Value] {
        columns.map { column in
            switch column.value(at: row) {
            case .string(let text): .binary(Array(text.utf8))
            case .float32(let value): canonical(Double(value))
            case .float64(let value): canonical(value)
            case let value: value
            }
        }
    }

    private static func canonical(_ value: Double) -> Value {
        // NaN equals nothing, itself included; no text is left as text, so this cannot be one.
        if value.isNaN { return .string("NaN") }
        return .float64(value == 0 ? 0 : value)
    }
}
