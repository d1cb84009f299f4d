import Ambient
package import Columnar
import Iceberg
import ObjectStorage
import Parquet
import Synchronization

// A scan of Parquet files: threads take morsels by number, a `FetchService` fetches ahead of them.
//
// With few files every footer is read when the scan is opened, and a morsel is a row group that
// pruning left. With many (`eagerFooterCountMax`) a morsel is a file, whose footer is read when its turn
// comes; its row groups follow each other within the morsel, the next one being fetched while one is read.
//
//   morsel i:  (not begun) ──> fetching ──> taken
//
// Invariants:
// 1. A morsel is fetched once: by the thread that wants it, or ahead of it by whoever took one before.
// 2. What is fetched ahead and not taken stays below `prefetchBytesMax`, or is one morsel.

/// The rows of some Parquet files, cut into morsels.
package final class ParquetScan: Sendable {
    /// A piece of work for one thread.
    private struct Plan: Sendable {
        var file: Int
        /// nil for all row groups of the file, found out when it is opened.
        var part: RowGroupPart?
        /// An estimate where the footer is not known yet.
        var byteCount: Int
    }

    /// What is there when a morsel begins.
    private struct Opening: Sendable {
        /// nil when no row group of the file is left.
        var first: FetchedRowGroup?
        /// What follows of the file.
        var rest: ArraySlice<RowGroupPart>
    }

    private struct State {
        var tickets: [FetchTicket<Opening>?]
        /// The first morsel that fetching ahead has not begun.
        var next = 0
        /// Bytes of morsels begun and not taken.
        var aheadByteCount = 0
        var isTaken: [Bool]
    }

    /// The columns that morsels give, in order.
    package let columns: [ScanColumn]
    /// Rows of all row groups that pruning left; nil while some footers are not known.
    package let rowCount: Int?
    private let files: [ScanFile]
    private let resolution: ColumnResolution
    private let predicate: Predicate?
    private let types: [Int: IcebergType]
    private let options: ScanOptions
    /// By column, and last for the columns of equality deletes.
    private let readOptions: [ParquetReadOptions]
    private let contexts = ReadContexts()
    private let service: FetchService
    private let meter: ScanMeter
    /// Files opened eagerly.
    private let openFiles: [Int: OpenFile]
    private let plans: [Plan]
    /// Morsels from here on hold no row that is wanted, unless rows before them were deleted.
    private let fetchAheadEnd: Int
    private let state: Mutex<State>

    /// Opens files: reads footers (of few files all, of many none) and leaves out row groups in which
    /// no row can match.
    ///
    /// - Parameters:
    ///   - columns: what to read; also those that the predicate speaks of, or it prunes less.
    ///   - predicate: only leaves out what cannot match; rows are not filtered.
    ///   - service: fetches for the morsels; the scan is good as long as it lives.
    /// - Throws: `TablesError` for files that are not what they should be, what the store throws.
    package static func open(
        files: [ScanFile],
        columns: [ScanColumn],
        resolution: ColumnResolution,
        predicate: TablePredicate = .always,
        options: ScanOptions = ScanOptions(),
        service: FetchService,
        meter: ScanMeter = ScanMeter()
    ) async throws -> ParquetScan {
        var known: [Int: IcebergType] = [:]
        for column in columns {
            if let id = column.field.id, let type = try? IcebergType(column.field.type) {
                known[id] = type
            }
        }
        let types = known
        let bound =
            predicate == .always || !options.parquet.prunesRowGroups
            ? nil : BoundTablePredicate(predicate) { types[$0] }.predicate
        var openFiles: [Int: (file: OpenFile, groups: [Int])] = [:]
        if files.count <= options.eagerFooterCountMax {
            let opened = try await mapBounded(
                Array(files.indices),
                countMax: options.footerParallelCount
            ) { index in
                let footer = try await options.footers.footer(of: files[index], meter: meter)
                let file = try OpenFile(
                    files[index],
                    footer: footer,
                    columns: columns,
                    resolution: resolution,
                    options: options.parquet
                )
                return (file, try await rowGroups(file, bound, columns, types, meter))
            }
            for (index, file) in opened.enumerated() { openFiles[index] = file }
        }
        return ParquetScan(
            files,
            columns,
            resolution,
            bound,
            types,
            options,
            service,
            meter,
            openFiles
        )
    }

    private init(
        _ files: [ScanFile],
        _ columns: [ScanColumn],
        _ resolution: ColumnResolution,
        _ predicate: Predicate?,
        _ types: [Int: IcebergType],
        _ options: ScanOptions,
        _ service: FetchService,
        _ meter: ScanMeter,
        _ opened: [Int: (file: OpenFile, groups: [Int])]
    ) {
        self.files = files
        self.columns = columns
        self.resolution = resolution
        self.predicate = predicate
        self.types = types
        self.options = options
        self.service = service
        self.meter = meter
        openFiles = opened.mapValues(\.file)
        var readOptions = ParquetReadOptions()
        readOptions.keepDictionary = options.parquet.keepsDictionaries ? .text : .never
        var coded = readOptions
        coded.keepDictionary = options.parquet.keepsDictionaries ? .always : .never
        self.readOptions = columns.map { $0.isCoded ? coded : readOptions } + [readOptions]

        var plans: [Plan] = []
        var rowCount: Int? = 0
        var fetchAheadEnd: Int?
        for index in files.indices {
            guard let (file, groups) = opened[index] else {
                let size = min(files[index].size ?? Self.unknownFileByteCount, 256 << 20)
                plans.append(Plan(file: index, part: nil, byteCount: size))
                rowCount = nil
                // Who wants few rows finds them in the first file, mostly.
                if options.wantedRowCount != nil, fetchAheadEnd == nil { fetchAheadEnd = 1 }
                continue
            }
            let wanted = options.wantedRowCount.flatMap { wanted in rowCount.map { wanted - $0 } }
            for part in file.parts(of: groups, wanted: wanted) {
                let byteCount = file.byteCount(rowGroup: part.rowGroup)
                plans.append(Plan(file: index, part: part, byteCount: byteCount))
                rowCount? += file.rows(of: part).count
                if let wanted = options.wantedRowCount, let rowCount, rowCount >= wanted,
                    fetchAheadEnd == nil
                {
                    fetchAheadEnd = plans.count
                }
            }
        }
        self.plans = plans
        self.fetchAheadEnd = fetchAheadEnd ?? plans.count
        self.rowCount = rowCount
        state = Mutex(
            State(
                tickets: Array(repeating: nil, count: plans.count),
                isTaken: Array(repeating: false, count: plans.count)
            )
        )
        state.withLock { fetchAhead(&$0) }
    }

    /// What a file of unknown size counts for when fetching ahead is bounded.
    private static let unknownFileByteCount = 16 << 20

    private static func rowGroups(
        _ file: OpenFile,
        _ predicate: Predicate?,
        _ columns: [ScanColumn],
        _ types: [Int: IcebergType],
        _ meter: ScanMeter
    ) async throws -> [Int] {
        let groups = try await file.rowGroups(
            matching: predicate,
            columns: columns,
            types: types,
            meter: meter
        )
        let all = file.metadata.rowGroups.count
        meter.add {
            $0.rowGroups += all
            $0.rowGroupsPruned += all - groups.count
        }
        return groups
    }

    // MARK: Morsels

    package var morselCount: Int { plans.count }

    /// What the scan has done so far.
    package var counters: ScanCounters { meter.current }

    /// Opens a morsel; blocks the calling thread until its bytes are there.
    ///
    /// Never to be called from a
    /// task, and once for each index.
    package func morsel(_ index: Int) throws -> ParquetMorsel {
        let ticket = state.withLock { state in
            precondition(!state.isTaken[index], "a morsel is taken once")
            let ticket = state.tickets[index] ?? begin(index, &state)
            state.isTaken[index] = true
            state.tickets[index] = nil
            state.aheadByteCount -= plans[index].byteCount
            fetchAhead(&state)
            return ticket
        }
        let opening = try ticket.wait()
        return ParquetMorsel(
            options: readOptions,
            meter: meter,
            contexts: contexts,
            next: follow(opening)
        )
    }

    private func begin(_ index: Int, _ state: inout State) -> FetchTicket<Opening> {
        let ticket = service.start { try await self.fetch(self.plans[index]) }
        state.tickets[index] = ticket
        state.aheadByteCount += plans[index].byteCount
        return ticket
    }

    /// Begins fetching what threads will ask for next, within the bound.
    private func fetchAhead(_ state: inout State) {
        // Near files come at the speed of memory: far ahead of their readers they only fill it.
        let isFar = files.first.map(\.store.isFar) ?? false
        let byteCountMax =
            isFar ? options.prefetchBytesMax : min(options.prefetchBytesMax, 16 << 20)
        while state.next < fetchAheadEnd {
            let index = state.next
            if state.tickets[index] == nil && !state.isTaken[index] {
                let after = state.aheadByteCount + plans[index].byteCount
                if state.aheadByteCount > 0 && after > byteCountMax { return }
                _ = begin(index, &state)
            }
            state.next += 1
        }
    }

    private func fetch(_ plan: Plan) async throws -> Opening {
        let file: OpenFile
        let parts: [RowGroupPart]
        if let open = openFiles[plan.file] {
            file = open
            parts = plan.part.map { [$0] } ?? []
        } else {
            let footer = try await options.footers.footer(of: files[plan.file], meter: meter)
            file = try OpenFile(
                files[plan.file],
                footer: footer,
                columns: columns,
                resolution: resolution,
                options: options.parquet
            )
            let groups = try await Self.rowGroups(file, predicate, columns, types, meter)
            parts = file.parts(of: groups, wanted: options.wantedRowCount)
        }
        guard let first = parts.first else { return Opening(first: nil, rest: []) }
        let fetched = try await file.fetch(first, meter: meter, service: service)
        return Opening(first: fetched, rest: parts.dropFirst())
    }

    /// Gives the first row group, then the others, each begun when the one before is handed out, or when
    /// it is asked for if few rows are wanted.
    private func follow(_ opening: Opening) -> () throws -> FetchedRowGroup? {
        var current = opening.first
        var rest = opening.rest
        var ticket: FetchTicket<FetchedRowGroup>?
        let (service, meter, file) = (service, meter, opening.first?.file)
        let isAhead = options.wantedRowCount == nil
        func begin() {
            guard let file, let part = rest.popFirst() else { return }
            ticket = service.start {
                try await file.fetch(part, meter: meter, service: service)
            }
        }
        return {
            if !isAhead, current == nil { begin() }
            let result = try ticket?.wait() ?? current
            current = nil
            ticket = nil
            if isAhead { begin() }
            return result
        }
    }
}

extension ParquetScan {
    /// The columns of a plain file, as a scan would read them.
    ///
    /// - Throws: `TablesError.unsupported`, naming the column, when one cannot be read.
    package static func schema(
        of file: ScanFile,
        options: ScanOptions = ScanOptions()
    ) async throws -> Columnar.Schema {
        let footer = try await options.footers.footer(of: file)
        return try TablesError.inFile(file.place) {
            var schema = footer.metadata.schema
            if options.parquet.readsBinaryAsString { schema.readBinaryAsString() }
            return try schema.fields()
        }
    }
}
