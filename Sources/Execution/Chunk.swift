package import Columnar

/// What flows between operators: columns of equal length, without names.
package struct Chunk: Sendable {
    package var columns: [Column]
    package var rowCount: Int

    package init(columns: [Column], rowCount: Int) {
        self.columns = columns
        self.rowCount = rowCount
    }
}
