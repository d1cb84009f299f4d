import Columnar
import Kernels
import Planner

/// One worker's reading of morsels: filter columns first, then of the others only what is left.
final class MorselScan {
    private let scan: PhysicalPlan.Scan
    private let predicate: Predicate
    private let sink: PushOperator
    private var keys: [KeyUse]
    private let bounds: [ScanBound]
    /// Windows of which a bound was asked before all else, and those that it left nothing of.
    private var firstAsked = 0
    private var firstEmptied = 0

    /// A set of keys, and whether asking it pays.
    private struct KeyUse {
        let filter: ScanKeyFilter
        var rowsIn = 0
        var rowsOut = 0

        /// Rows after which what passes is known well enough.
        private static let trialRowCount = 32_768

        /// Whether it leaves out enough to be asked on.
        var isUseful: Bool { rowsIn < Self.trialRowCount || rowsOut * 8 < rowsIn * 7 }
    }

    init(
        _ scan: PhysicalPlan.Scan,
        keys: [ScanKeyFilter],
        bounds: [ScanBound],
        sink: PushOperator
    ) throws {
        self.scan = scan
        self.bounds = bounds
        self.keys = keys.map { KeyUse(filter: $0) }
        predicate = try Predicate(scan.filters)
        self.sink = sink
    }

    /// - Returns: whether the sink wants more.
    func run(_ morsel: any Morsel, _ stop: StopFlag) throws -> Bool {
        while !stop.isSet {
            try Interruption.check()
            let rowCount = try morsel.advance()
            if rowCount == 0 { return true }
            var known = [Column?](repeating: nil, count: scan.positions.count)
            if try isBehindBounds(&known, morsel) { continue }
            var selection = try predicate.select(rowCount: rowCount) { position in
                if let column = known[position] { return column }
                let column = try morsel.read(position)
                known[position] = column
                return column
            }
            if selection?.count == 0 { continue }
            try applyKeys(&selection, &known, rowCount, morsel)
            if selection?.count == 0 { continue }
            try applyBounds(&selection, &known, morsel)
            if selection?.count == 0 { continue }
            var columns: [Column] = []
            columns.reserveCapacity(scan.output.count)
            for position in scan.output {
                switch (known[position], selection) {
                case (let column?, nil): columns.append(Self.passedOn(column))
                case (let column?, let rows?):
                    columns.append(Self.passedOn(Take.take(column, rows)))
                case (nil, nil): columns.append(try morsel.read(position))
                case (nil, let rows?): columns.append(try morsel.read(position, rows))
                }
            }
            let chunk = Chunk(columns: columns, rowCount: selection?.count ?? rowCount)
            guard try sink.push(chunk) else { return false }
        }
        return false
    }

    /// A column as operators get it: only text stays in codes.
    private static func passedOn(_ column: Column) -> Column {
        guard case .dictionary = column.storage, column.type.physical != .view else {
            return column
        }
        return column.flattened()
    }

    /// Whether a bound, asked before the filters, leaves nothing of the window: then columns that only
    /// filters ask for are not read.
    ///
    /// Given up where it hardly ever does, for filters may leave nothing, too.
    private func isBehindBounds(_ known: inout [Column?], _ morsel: any Morsel) throws -> Bool {
        guard !scan.filters.isEmpty, firstAsked < 16 || firstEmptied * 4 > firstAsked else {
            return false
        }
        for one in bounds where one.bound.isKnown {
            if scan.types[one.position].physical == .view { continue }
            let column = try morsel.read(one.position)
            known[one.position] = column
            firstAsked += 1
            if try one.bound.select(Self.passedOn(column), within: nil)?.count == 0 {
                firstEmptied += 1
                return true
            }
        }
        return false
    }

    /// Leaves out rows that a sort with a limit above would throw away.
    private func applyBounds(
        _ selection: inout Selection?,
        _ known: inout [Column?],
        _ morsel: any Morsel
    ) throws {
        for one in bounds where one.bound.isKnown {
            let column = try known[one.position] ?? morsel.read(one.position)
            known[one.position] = column
            selection = try one.bound.select(Self.passedOn(column), within: selection)
            if selection?.count == 0 { return }
        }
    }

    /// Leaves out rows whose keys a join above will not find.
    private func applyKeys(
        _ selection: inout Selection?,
        _ known: inout [Column?],
        _ rowCount: Int,
        _ morsel: any Morsel
    ) throws {
        for index in keys.indices where keys[index].isUseful {
            let count = selection?.count ?? rowCount
            if count == 0 { return }
            let position = keys[index].filter.position
            // A column of which few rows are wanted is not read whole for this.
            if known[position] == nil, count * 8 < rowCount { continue }
            let column = try known[position] ?? morsel.read(position)
            known[position] = column
            let found = keys[index].filter.filter.select(
                column,
                within: selection,
                rowCount: rowCount
            )
            keys[index].rowsIn += count
            keys[index].rowsOut += found.count
            if found.count < count { selection = found }
        }
    }
}
