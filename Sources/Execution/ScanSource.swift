package import Columnar
package import Planner

/// What a scan wants of a table.
package struct ScanRequest: Sendable {
    package var table: SourceTable
    /// Positions in the table's schema.
    package var positions: [Int]
    package var types: [DataType]
    /// Conjuncts over the columns of `positions`, by position among them.
    ///
    /// The source may use them to leave out what cannot match (files, row groups, pages); the scan
    /// applies them to every row that comes.
    package var filters: [BoundExpression]
    /// Positions among `positions` of columns that are best given as codes where they are stored so:
    /// what is asked of their values is asked once per entry of the dictionary.
    package var codedPositions: Set<Int> = []
    /// Positions among `positions` of columns that will be read of few rows only, by when others are
    /// known: best fetched when they are first read.
    package var latePositions: Set<Int> = []
    /// Rows after which nobody reads on, where that is known: more need not be fetched ahead.
    package var wantedRowCount: Int?
}

/// Opens tables for reading; the only way in which operators meet storage.
package protocol ScanProvider: Sendable {
    /// Called on a query thread, which it may block.
    func open(_ request: ScanRequest) throws -> any ScanSource
}

/// The rows of one scan, cut into morsels that workers take independently.
package protocol ScanSource: AnyObject, Sendable {
    var morselCount: Int { get }

    /// Opens a morsel: called once for each index, in ascending order per worker, from several
    /// threads at once; may block while bytes come.
    func morsel(_ index: Int) throws -> any Morsel
}

/// A run of rows that one worker reads, a window at a time.
package protocol Morsel: AnyObject {
    /// Moves to the next window, of at most `RecordBatch.rowCountMax` rows.
    ///
    /// - Returns: how many rows it has; 0 after the last one.
    func advance() throws -> Int

    /// The rows of the window, of one of the columns asked for.
    func read(_ column: Int) throws -> Column

    /// Only the selected rows of the window. A column is read at most once a window.
    func read(_ column: Int, _ selection: Selection) throws -> Column
}
