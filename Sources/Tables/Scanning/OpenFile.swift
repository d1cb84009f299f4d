import Columnar
import Iceberg
import ObjectStorage
import Parquet

/// Where a scan's column comes from in one file.
enum ColumnSource: Sendable {
    /// A column of the file, read as the type.
    case stored(Int, DataType)
    case constant(Value, DataType)
    case fileName
    case position
    case rowNumber(file: Int)
    /// The file's own column where it has a value, else the first row's id plus the position.
    case rowID(stored: Int?, first: Int64?)
    /// The file's own column where it has a value, else the sequence number of its data.
    case sequenceNumber(stored: Int?, inherited: Int64?)

    /// The column of the file that has to be fetched for it.
    var storedColumn: Int? {
        switch self {
        case .stored(let column, _): column
        case .rowID(let stored, _): stored
        case .sequenceNumber(let stored, _): stored
        case .constant, .fileName, .position, .rowNumber: nil
        }
    }
}

/// A file whose footer is read: where each column of the scan comes from.
final class OpenFile: Sendable {
    let file: ScanFile
    let footer: ParquetFooter
    let metadata: ParquetMetadata
    /// One a column of the scan, then the keys of the file's equality deletes.
    let sources: [ColumnSource]
    /// Columns of the file that are fetched when they are first read.
    private let lateColumns: Set<Int>

    init(
        _ file: ScanFile,
        footer: ParquetFooter,
        columns: [ScanColumn],
        resolution: ColumnResolution,
        options: ParquetScanOptions
    ) throws {
        self.file = file
        self.footer = footer
        var metadata = footer.metadata
        if options.readsBinaryAsString { metadata.schema.readBinaryAsString() }
        self.metadata = metadata
        if let expected = file.rowCount, expected != Int64(metadata.rowCount) {
            throw TablesError(
                .corrupt,
                "the manifest says \(expected) rows, the file has \(metadata.rowCount)",
                context: [file.place]
            )
        }
        let hidden = file.deletes?.equality.flatMap(\.columns) ?? []
        let sources = try Self.sources(
            columns + hidden,
            metadata.schema,
            file,
            resolution
        )
        self.sources = sources
        if file.store.isFar {
            lateColumns = []
        } else {
            let late = columns.indices.filter { columns[$0].isLate }
            lateColumns = Set(late.compactMap { sources[$0].storedColumn })
                .subtracting(
                    sources.indices.filter { !late.contains($0) }
                        .compactMap { sources[$0].storedColumn }
                )
        }
    }

    private static func sources(
        _ columns: [ScanColumn],
        _ schema: ParquetSchema,
        _ file: ScanFile,
        _ resolution: ColumnResolution
    ) throws -> [ColumnSource] {
        let stored: [Int?]
        switch resolution {
        case .fieldIDs(let nameMapping):
            stored = schema.resolve(fields: columns.map(\.field), nameMapping: nameMapping)
            for (column, index) in zip(columns, stored) {
                try checkCounted(column.field, storedAt: index, schema, file)
            }
        case .names(let allowsMissing):
            stored = try columns.map { column in
                if let id = column.field.id, isReserved(id) { return nil }
                if let index = schema.column(named: column.field.name) { return index }
                if allowsMissing { return nil }
                throw TablesError(
                    .invalid,
                    "there is no column \(column.field.name) in the file",
                    context: [file.name]
                )
            }
        }
        return zip(columns, stored).map { column, stored in
            source(of: column, stored: stored, file)
        }
    }

    /// Throws when the manifest has counted values of a field that the file lacks.
    ///
    /// The file is damaged then, or not the one that the manifest describes, and the column would read as
    /// nulls.
    private static func checkCounted(
        _ field: Field,
        storedAt index: Int?,
        _ schema: ParquetSchema,
        _ file: ScanFile
    ) throws(TablesError) {
        if file.countedFieldIDs.isEmpty { return }
        var leaves: [Field] = []
        collectLeaves(of: field, &leaves)
        let stored = index.map { schema.leaves[schema.columns[$0].leaves].compactMap(\.fieldID) }
        for leaf in leaves {
            // Values of identity partitions are in the manifest; some writers leave the column out.
            guard let id = leaf.id, file.counts(id), file.constants[id] == nil else { continue }
            if let stored {
                // A flat column was found by its id or name; leaves without ids go by their place.
                if !field.type.isNested || stored.isEmpty || stored.contains(id) { continue }
            }
            throw TablesError(
                .corrupt,
                "the manifest counts values of column \(leaf.name) (field id \(id)), which the file "
                    + "does not have",
                context: [file.place]
            )
        }
    }

    private static func collectLeaves(of field: Field, _ leaves: inout [Field]) {
        switch field.type {
        case .list(let element): collectLeaves(of: element, &leaves)
        case .structure(let fields): for field in fields { collectLeaves(of: field, &leaves) }
        case .map(let key, let value):
            collectLeaves(of: key, &leaves)
            collectLeaves(of: value, &leaves)
        default: leaves.append(field)
        }
    }

    private static func isReserved(_ id: Int) -> Bool { id > Iceberg.Schema.fieldIDMax }

    private static func source(
        of column: ScanColumn,
        stored: Int?,
        _ file: ScanFile
    ) -> ColumnSource {
        switch column.field.id {
        case MetadataColumn.file.id: return .fileName
        case MetadataColumn.position.id: return .position
        case MetadataColumn.rowNumber.id: return .rowNumber(file: file.ordinal ?? 0)
        case MetadataColumn.rowID.id: return .rowID(stored: stored, first: file.firstRowID)
        case MetadataColumn.lastUpdatedSequenceNumber.id:
            return .sequenceNumber(
                stored: stored,
                // Rows without lineage have neither.
                inherited: file.firstRowID == nil ? nil : file.sequenceNumber
            )
        default: break
        }
        if column.field.type == .null { return .constant(.null, .null) }
        if let stored { return .stored(stored, column.field.type) }
        let constant = column.field.id.flatMap { file.constants[$0] }
        return .constant(constant ?? column.missing, column.field.type)
    }

    // MARK: Row groups

    /// The row groups in which a row may match, by statistics and then by bloom filters.
    func rowGroups(
        matching predicate: Predicate?,
        columns: [ScanColumn],
        types: [Int: IcebergType],
        meter: ScanMeter
    ) async throws -> [Int] {
        let all = metadata.rowGroups.indices.filter { metadata.rowGroups[$0].rowCount > 0 }
        guard let predicate else { return all }
        var slots: [Int: Int] = [:]
        for (index, column) in columns.enumerated() {
            if let id = column.field.id { slots[id] = index }
        }
        func range(_ group: Int, _ id: Int) -> ValueRange {
            guard let slot = slots[id], let type = types[id] else { return .unknown }
            return self.range(rowGroup: group, slot: slot, type: type)
        }
        let left = all.filter { group in predicate.mayMatch(range: { range(group, $0) }) }
        var leaves: [Int: Int] = [:]
        for id in predicate.equalityFieldIDs {
            if let slot = slots[id], let leaf = flatLeaf(slot) { leaves[id] = leaf }
        }
        if leaves.isEmpty { return left }
        var result: [Int] = []
        for group in left {
            let filters = try await RowGroupFilters.read(
                leaves,
                of: self,
                rowGroup: group,
                meter: meter
            )
            if predicate.mayMatch(range: { range(group, $0) }, excludes: filters.excludes) {
                result.append(group)
            }
        }
        return result
    }

    /// The leaf that a column of the scan is stored in; nil for others and nested ones.
    private func flatLeaf(_ slot: Int) -> Int? {
        guard case .stored(let index, _) = sources[slot] else { return nil }
        let column = metadata.schema.columns[index]
        return column.isFlat ? column.leaves.lowerBound : nil
    }

    private func range(rowGroup: Int, slot: Int, type: IcebergType) -> ValueRange {
        switch sources[slot] {
        case .constant(let value, _): return ValueRange(constant: value, type: type)
        case .stored:
            guard let leaf = flatLeaf(slot) else { return .unknown }
            return ValueRange(metadata, rowGroup: rowGroup, leaf: leaf)
        case .fileName: return ValueRange(constant: .string(file.name), type: type)
        case .rowID(let stored, let first):
            return rowIDRange(rowGroup: rowGroup, stored: stored, first: first)
        case .position, .rowNumber, .sequenceNumber: return .unknown
        }
    }

    /// What is known of the ids of a row group's rows: those that the file has, or those that rows inherit.
    private func rowIDRange(rowGroup: Int, stored: Int?, first: Int64?) -> ValueRange {
        var inherited = ValueRange(only: nil)
        if let first {
            let start = Int64(footer.rowStarts[rowGroup])
            let end = Int64(footer.rowStarts[rowGroup + 1])
            inherited = ValueRange(
                lower: .long(first &+ start),
                upper: .long(first &+ end &- 1),
                mayBeNull: false,
                mayBeNaN: false
            )
        }
        guard let stored else { return inherited }
        let column = metadata.schema.columns[stored]
        guard column.isFlat else { return .unknown }
        let own = ValueRange(metadata, rowGroup: rowGroup, leaf: column.leaves.lowerBound)
        if !own.mayBeNull { return own }
        return own.mayHaveValues ? .unknown : inherited
    }

    /// The columns of the file that are fetched together.
    func storedColumns(areLate: Bool) -> [Int] {
        var columns: [Int] = []
        for source in sources {
            if let column = source.storedColumn, lateColumns.contains(column) == areLate,
                !columns.contains(column)
            {
                columns.append(column)
            }
        }
        return columns
    }

    /// The bytes to fetch for a row group, and for each of them which column of the file it belongs to.
    private func ranges(
        rowGroup: Int,
        areLate: Bool
    ) throws -> (columns: [Int], ranges: [[Range<Int>]]) {
        let columns = storedColumns(areLate: areLate)
        let ranges = try TablesError.inFile(file.place) {
            try columns.map { column in
                try metadata.chunkLocations(rowGroup: rowGroup, columns: [column])
                    .map(\.byteRange)
            }
        }
        return (columns, ranges)
    }

    /// Fetches the chunks of a part of a row group, apart from late ones.
    ///
    /// - Parameter service: fetches those, if somebody reads them.
    func fetch(
        _ part: RowGroupPart,
        meter: ScanMeter,
        service: FetchService?
    ) async throws -> FetchedRowGroup {
        let rows = rows(of: part)
        meter.add { $0.rows += rows.count }
        let chunks = try await fetch(part, areLate: false, meter)
        var result = FetchedRowGroup(
            file: self,
            rowGroup: part.rowGroup,
            rows: rows,
            chunks: chunks
        )
        if !lateColumns.isEmpty {
            guard let service else { preconditionFailure("late columns need a service") }
            result.late = {
                try service.wait {
                    try await self.fetch(part, areLate: true, meter)
                }
            }
        }
        return result
    }

    private func fetch(
        _ part: RowGroupPart,
        areLate: Bool,
        _ meter: ScanMeter
    ) async throws -> [Int: [ChunkBytes]] {
        if case .front(let rowCount) = part.extent,
            let fronts = try await fetchFronts(part.rowGroup, rowCount, areLate, meter)
        {
            return fronts
        }
        let (columns, ranges) = try ranges(rowGroup: part.rowGroup, areLate: areLate)
        return try await fetch(columns, ranges, meter)
    }

    /// Fetches ranges of the file, by column.
    func fetch(
        _ columns: [Int],
        _ ranges: [[Range<Int>]],
        _ meter: ScanMeter
    ) async throws -> [Int: [ChunkBytes]] {
        let all = ranges.flatMap { $0 }
        var chunks: [Int: [ChunkBytes]] = [:]
        if !all.isEmpty {
            var fetched = try await file.fetching {
                try await CoalescedRanges.fetch(all, of: file)
            }[...]
            for (column, ranges) in zip(columns, ranges) {
                chunks[column] = Array(fetched.prefix(ranges.count))
                fetched = fetched.dropFirst(ranges.count)
            }
        }
        let byteCount = all.reduce(0) { $0 + $1.count }
        meter.add { $0.bytesRead += byteCount }
        return chunks
    }

    /// Bytes that `fetch` will ask for, near enough.
    func byteCount(rowGroup: Int) -> Int {
        guard let (_, ranges) = try? ranges(rowGroup: rowGroup, areLate: false) else { return 0 }
        return ranges.joined().reduce(0) { $0 + $1.count }
    }
}

/// A row group, or a part of one, whose bytes are there.
struct FetchedRowGroup: Sendable {
    var file: OpenFile
    var rowGroup: Int
    /// The rows of it that are read.
    var rows: Range<Int>
    /// The chunks of each column of the file that is read.
    var chunks: [Int: [ChunkBytes]]
    /// Fetches the chunks of late columns; blocks the thread.
    var late: (@Sendable () throws -> [Int: [ChunkBytes]])?
}
