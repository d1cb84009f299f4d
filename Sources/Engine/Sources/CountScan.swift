import Columnar
import Execution

/// Rows of which no column is wanted: metadata say how many there are, and no file is opened.
final class CountScan: ScanSource {
    private static let morselRows = 1 << 24
    private let rowCount: Int

    init(rowCount: Int) {
        self.rowCount = rowCount
    }

    var morselCount: Int { rowCount / Self.morselRows + (rowCount % Self.morselRows > 0 ? 1 : 0) }

    func morsel(_ index: Int) throws -> any Morsel {
        CountMorsel(rowCount: min(Self.morselRows, rowCount - index * Self.morselRows))
    }
}

private final class CountMorsel: Morsel {
    private var left: Int

    init(rowCount: Int) {
        left = rowCount
    }

    func advance() throws -> Int {
        let count = min(left, RecordBatch.rowCountMax)
        left -= count
        return count
    }

    func read(_ column: Int) throws -> Column {
        preconditionFailure("a count has no columns")
    }

    func read(_ column: Int, _ selection: Selection) throws -> Column {
        preconditionFailure("a count has no columns")
    }
}
