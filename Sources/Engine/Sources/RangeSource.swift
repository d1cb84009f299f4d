import Columnar
import Execution
import Kernels
import Tables

/// Whole numbers at equal distance, made as they are read.
struct RangeSource: OpenedSource {
    let start: Int64
    let step: Int64
    /// `Int.max` when there are more.
    let count: Int
    let schema: Schema

    init(start: Int64, stop: Int64, step: Int64, isClosed: Bool, schema: Schema) {
        self.start = start
        self.step = step
        self.schema = schema
        let distance = Int128(stop) - Int128(start)
        let steps = distance / Int128(step)
        let isExact = steps * Int128(step) == distance
        let isEmpty = distance != 0 && (distance > 0) != (step > 0)
        let numbers = isEmpty ? 0 : steps + (isClosed || !isExact ? 1 : 0)
        count = Int(clamping: numbers)
    }

    func open(
        _ request: ScanRequest,
        _ service: FetchService,
        _ meter: ScanMeter
    ) throws -> any ScanSource {
        RangeScan(self, columnCount: request.positions.count)
    }
}

private final class RangeScan: ScanSource {
    private static let morselRows = 1 << 17
    private let source: RangeSource

    init(_ source: RangeSource, columnCount: Int) {
        self.source = source
    }

    var morselCount: Int { (source.count + Self.morselRows - 1) / Self.morselRows }

    func morsel(_ index: Int) throws -> any Morsel {
        let first = index * Self.morselRows
        return RangeMorsel(source, rows: first..<min(source.count, first + Self.morselRows))
    }
}

private final class RangeMorsel: Morsel {
    private let source: RangeSource
    private let rows: Range<Int>
    private var window: Range<Int>

    init(_ source: RangeSource, rows: Range<Int>) {
        self.source = source
        self.rows = rows
        window = rows.lowerBound..<rows.lowerBound
    }

    func advance() throws -> Int {
        let end = min(rows.upperBound, window.upperBound + RecordBatch.rowCountMax)
        window = window.upperBound..<end
        return window.count
    }

    func read(_ column: Int) throws -> Column {
        let buffer = Buffer(byteCount: window.count * 8)
        let values = buffer.mutable(as: Int64.self)
        for (index, row) in window.enumerated() {
            values[index] = source.start &+ Int64(row) &* source.step
        }
        return Column(.int64, count: window.count, buffer: buffer)
    }

    func read(_ column: Int, _ selection: Selection) throws -> Column {
        Take.take(try read(column), selection)
    }
}
