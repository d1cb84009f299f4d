package import Columnar
import Kernels
import Parquet

/// One or more row groups of a file, read a window at a time by one thread.
///
/// Columns are decoded when they are asked for: one that is not asked for in a window is passed over
/// in the next, and pages of which nothing is wanted are not decompressed.
package final class ParquetMorsel {
    private let columnCount: Int
    /// How each column is read; columns after these (of equality deletes) are read as the last says.
    private let options: [ParquetReadOptions]
    private let meter: ScanMeter
    private let context: ParquetReadContext
    private let contexts: ReadContexts
    /// Gives the row groups after the first; blocks.
    private var next: () throws -> FetchedRowGroup?
    private var cursor: RowGroupCursor?
    /// Rows of the window that delete files leave; nil for all.
    private var live: Selection?
    private var isFirst = true

    init(
        options: [ParquetReadOptions],
        meter: ScanMeter,
        contexts: ReadContexts,
        next: @escaping () throws -> FetchedRowGroup?
    ) {
        columnCount = options.count - 1
        self.options = options
        self.meter = meter
        self.contexts = contexts
        context = contexts.take()
        self.next = next
    }

    deinit {
        // Its readers' pages belong to the context: they go first.
        cursor = nil
        contexts.giveBack(context)
    }

    /// Moves to the next window, of at most `RecordBatch.rowCountMax` rows.
    ///
    /// - Returns: how many rows it has; 0 after the last one.
    /// - Throws: `TablesError` when the file is corrupt or of a form that is not read, what the store
    ///   throws, `CancellationError`.
    package func advance() throws -> Int {
        while true {
            if cursor == nil {
                guard let fetched = try next() else { return 0 }
                cursor = RowGroupCursor(fetched, options: options, context: context)
            }
            guard let cursor, cursor.advance() else {
                self.cursor = nil
                continue
            }
            let rowCount = try applyDeletes(cursor)
            if rowCount > 0 { return rowCount }
        }
    }

    /// The rows of the window, of one of the columns asked for; once a window.
    package func read(_ column: Int) throws -> Column {
        precondition(column < columnCount)
        guard let cursor else { preconditionFailure("there is no window") }
        return try cursor.read(column, live)
    }

    /// Only the selected rows of the window; a column is read at most once a window.
    package func read(_ column: Int, _ selection: Selection) throws -> Column {
        precondition(column < columnCount)
        guard let cursor else { preconditionFailure("there is no window") }
        guard let live else { return try cursor.read(column, selection) }
        return try cursor.read(column, Filter.compose(live, selection))
    }

    /// Finds out which rows of the window are left.
    private func applyDeletes(_ cursor: RowGroupCursor) throws -> Int {
        live = nil
        guard let deletes = cursor.file.file.deletes, !deletes.isEmpty else {
            return cursor.windowCount
        }
        let start = cursor.windowStart
        live = Self.undeleted(deletes.positions, start: start, count: cursor.windowCount)
        var slot = columnCount
        for equality in deletes.equality {
            let slots = slot..<slot + equality.columns.count
            slot = slots.upperBound
            if live?.count == 0 { continue }
            let columns = try slots.map { try cursor.read($0, live) }
            let count = live?.count ?? cursor.windowCount
            let surviving = equality.surviving(columns, count: count)
            if surviving.count == count { continue }
            live = live.map { Filter.compose($0, surviving) } ?? surviving
        }
        let left = live?.count ?? cursor.windowCount
        let gone = cursor.windowCount - left
        if gone > 0 { meter.add { $0.rowsDeleted += gone } }
        return left
    }

    /// The rows of a window that no position names; nil when none is named.
    private static func undeleted(_ positions: [Int64], start: Int, count: Int) -> Selection? {
        var (low, high) = (0, positions.count)
        while low < high {
            let middle = (low + high) / 2
            if positions[middle] < start { low = middle + 1 } else { high = middle }
        }
        guard low < positions.count, positions[low] < start + count else { return nil }
        var rows: [Int32] = []
        rows.reserveCapacity(count)
        for row in 0..<count {
            let position = Int64(start + row)
            while low < positions.count, positions[low] < position { low += 1 }
            if low < positions.count, positions[low] == position { continue }
            rows.append(Int32(truncatingIfNeeded: row))
        }
        return Selection(rows)
    }
}

/// Where the reading of one row group is.
final class RowGroupCursor {
    let file: OpenFile
    /// The number of the window's first row in the file.
    private(set) var windowStart: Int
    private(set) var windowCount = 0

    private let rowGroup: Int
    /// Behind the last row of the file that is read.
    private let endRow: Int
    /// Behind the last row of the row group.
    private let rowGroupEnd: Int
    private let options: [ParquetReadOptions]
    private let context: ParquetReadContext
    private var chunks: [Int: [ChunkBytes]]
    private var late: (@Sendable () throws -> [Int: [ChunkBytes]])?
    /// By column of the scan; made when the column is first read.
    private var readers: [RowGroupColumnReader?]

    init(_ fetched: FetchedRowGroup, options: [ParquetReadOptions], context: ParquetReadContext) {
        file = fetched.file
        rowGroup = fetched.rowGroup
        chunks = fetched.chunks
        late = fetched.late
        self.options = options
        self.context = context
        let start = fetched.file.footer.rowStarts[fetched.rowGroup]
        rowGroupEnd = fetched.file.footer.rowStarts[fetched.rowGroup + 1]
        windowStart = start + fetched.rows.lowerBound
        endRow = start + fetched.rows.upperBound
        readers = Array(repeating: nil, count: fetched.file.sources.count)
    }

    /// Moves to the next window; false after the last one.
    func advance() -> Bool {
        windowStart += windowCount
        windowCount = min(RecordBatch.rowCountMax, endRow - windowStart)
        return windowCount > 0
    }

    /// The selected rows of the window, or all.
    func read(_ slot: Int, _ selection: Selection?) throws -> Column {
        let count = selection?.count ?? windowCount
        switch file.sources[slot] {
        case .constant(let value, let type): return .constant(value, type, count: count)
        case .fileName: return .constant(.string(file.file.name), .string, count: count)
        case .position: return numbers(from: Int64(windowStart), selection)
        case .rowNumber(let ordinal):
            let first = Int64(truncatingIfNeeded: ordinal) << MetadataColumn.rowNumberPositionBits
            return numbers(from: first | Int64(windowStart), selection)
        case .stored(let column, let type):
            return try stored(column, as: type, slot, selection)
        case .rowID(let column, let first):
            let inherited = first.map { numbers(from: $0 &+ Int64(windowStart), selection) }
            return try filled(column, slot, selection, count, with: inherited)
        case .sequenceNumber(let column, let sequenceNumber):
            let inherited = sequenceNumber.map {
                Column.constant(.int64($0), .int64, count: count)
            }
            return try filled(column, slot, selection, count, with: inherited)
        }
    }

    private func stored(
        _ column: Int,
        as type: DataType,
        _ slot: Int,
        _ selection: Selection?
    ) throws -> Column {
        try TablesError.inFile(file.file.place) {
            let reader = try readers[slot] ?? makeReader(column, as: type, slot)
            readers[slot] = reader
            let done = rowGroupEnd - reader.remainingRows
            precondition(done <= windowStart, "a column is read once a window")
            if done < windowStart { try reader.skip(rows: windowStart - done) }
            if let selection {
                return try reader.read(rows: windowCount, selection: selection)
            }
            return try reader.read(rows: windowCount)
        }
    }

    private func makeReader(
        _ column: Int,
        as type: DataType,
        _ slot: Int
    ) throws -> RowGroupColumnReader {
        if chunks[column] == nil, let late {
            chunks.merge(try late()) { first, _ in first }
            self.late = nil
        }
        return try RowGroupColumnReader(
            metadata: file.metadata,
            rowGroup: rowGroup,
            column: column,
            as: type,
            bytes: chunks[column] ?? [],
            options: options[min(slot, options.count - 1)],
            context: context
        )
    }

    /// The file's own values, and where they are null what the row inherits.
    private func filled(
        _ column: Int?,
        _ slot: Int,
        _ selection: Selection?,
        _ count: Int,
        with inherited: Column?
    ) throws -> Column {
        guard let column else { return inherited ?? .nulls(.int64, count: count) }
        let own = try stored(column, as: .int64, slot, selection).flattened()
        guard let inherited, own.hasNulls else { return own }
        return Choice.coalesce([own, inherited])
    }

    /// Numbers that count the rows of the file.
    private func numbers(from first: Int64, _ selection: Selection?) -> Column {
        let count = selection?.count ?? windowCount
        let buffer = Buffer(byteCount: count * 8)
        let target = buffer.mutable(as: Int64.self)
        if let rows = selection?.rows {
            for index in 0..<count { target[index] = first &+ Int64(rows[index]) }
        } else {
            for index in 0..<count { target[index] = first &+ Int64(index) }
        }
        return Column(.int64, count: count, buffer: buffer)
    }
}
