import Columnar
import Kernels
import Planner

/// What the workers of one join share after the right side is built.
final class JoinState: Sendable {
    let plan: PhysicalPlan.Join
    let table: JoinTable
    /// Of each worker, a byte for each built row that met a match; only for right and full joins.
    let matched: [MatchedRows]

    /// What is known of the whole right side, of which `table` may hold a part.
    let facts: JoinFacts

    init(
        plan: PhysicalPlan.Join,
        table: JoinTable,
        facts: JoinFacts,
        workerCount: Int
    ) {
        self.plan = plan
        self.table = table
        self.facts = facts
        let keeps = plan.kind.decidesOnRight
        matched = (0..<workerCount).map { _ in MatchedRows(count: keeps ? table.rowCount : 0) }
    }
}

/// What a join must know of its whole right side.
struct JoinFacts: Sendable {
    var isEmpty: Bool
    /// Whether some row has a null key that matches nothing.
    var hasNullKey: Bool
}

/// Flags that one worker sets and that are read when all are done.
///
/// `@unchecked Sendable`: one worker writes, and a barrier lies between that and reading.
final class MatchedRows: @unchecked Sendable {
    let flags: Buffer

    init(count: Int) {
        flags = Buffer(zeroedByteCount: count)
    }
}

/// One worker's probing of a join: left rows come in, joined rows go on.
final class JoinProbeOperator: PushOperator {
    private let state: JoinState
    private let matched: MatchedRows
    private let keyNodes: [ExpressionNode]
    private let residual: Predicate?
    private let comparison: ExpressionNode?
    private let comparisonPositions: Set<Int>
    private let next: PushOperator

    init(_ state: JoinState, worker: Int, next: PushOperator) throws {
        self.state = state
        matched = state.matched[worker]
        let compiler = ExpressionCompiler()
        keyNodes = try state.plan.leftKeys.map { try compiler.compile($0) }
        residual = try state.plan.residual.map { try Predicate([$0]) }
        comparison = try state.plan.comparison.map { try compiler.compile($0) }
        comparisonPositions = Set(state.plan.comparison?.columnIDs.map(\.number) ?? [])
        self.next = next
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        let plan = state.plan
        if plan.leftKeys.isEmpty { return try pushWithoutKeys(chunk) }
        var rest = chunk
        while true {
            let keys = try keyColumns(rest)
            let (pairs, doneCount) = state.table.probe(keys, count: rest.rowCount)
            if doneCount == rest.rowCount { return try push(rest, keys, pairs) }
            let rows = 0..<doneCount
            guard try push(rest.slice(rows), keys.map { $0.slice(rows) }, pairs) else {
                return false
            }
            rest = rest.slice(doneCount..<rest.rowCount)
        }
    }

    private func keyColumns(_ chunk: Chunk) throws -> [Column] {
        var keys: [Column] = []
        for node in keyNodes { keys.append(try node.evaluate(chunk)) }
        return keys
    }

    /// Hands on what becomes of left rows whose keys are equal to those of right rows.
    private func push(
        _ chunk: Chunk,
        _ keys: [Column],
        _ allPairs: JoinTable.Pairs
    ) throws -> Bool {
        let plan = state.plan
        let pairs = try residual.map { try filtered(allPairs, chunk, $0) } ?? allPairs
        switch plan.kind {
        case .semi, .anti:
            let flags = matchFlags(pairs, chunk.rowCount)
            return try pushSelected(chunk, flags, keeping: plan.kind == .semi)
        case .mark(let isNullAware):
            let flags = matchFlags(pairs, chunk.rowCount)
            let mark = markColumn(flags, keys, chunk.rowCount, isNullAware)
            return try next.push(
                Chunk(
                    columns: plan.leftOutput.map { chunk.columns[$0] } + [mark],
                    rowCount: chunk.rowCount
                )
            )
        case .markAny:
            return try pushMarked(chunk, try anyColumn(pairs, chunk))
        case .single:
            try requireSingle(pairs)
            return try pushPairs(chunk, withUnmatched(pairs, chunk.rowCount), nullable: true)
        case .left, .full:
            noteMatches(pairs)
            return try pushPairs(chunk, withUnmatched(pairs, chunk.rowCount), nullable: true)
        case .right:
            noteMatches(pairs)
            return try pushPairs(chunk, pairs, nullable: false)
        case .rightSemi, .rightAnti:
            noteMatches(pairs)
            return true
        case .inner, .cross:
            return try pushPairs(chunk, pairs, nullable: false)
        }
    }

    // MARK: Pairs

    private func pushPairs(
        _ chunk: Chunk,
        _ pairs: JoinTable.Pairs,
        nullable: Bool
    ) throws -> Bool {
        if pairs.count == 0 { return true }
        let probe = pairs.probe.mutable(as: Int32.self)
        let build = pairs.build.mutable(as: Int32.self)
        var start = 0
        // A row with many matches makes many pairs: they go on in batches.
        while start < pairs.count {
            try Interruption.check()
            let count = min(pairs.count - start, RecordBatch.rowCountMax)
            var columns: [Column] = []
            for position in state.plan.leftOutput {
                columns.append(
                    Take.take(chunk.columns[position], rows: probe + start, count: count)
                )
            }
            for position in state.plan.rightOutput {
                columns.append(
                    Take.take(
                        state.table.columns[position],
                        rows: build + start,
                        count: count,
                        nullable: nullable
                    )
                )
            }
            guard try next.push(Chunk(columns: columns, rowCount: count)) else { return false }
            start += count
        }
        withExtendedLifetime(pairs) {}
        return true
    }

    /// The pairs for which the residual holds too.
    private func filtered(
        _ pairs: JoinTable.Pairs,
        _ chunk: Chunk,
        _ residual: Predicate
    ) throws -> JoinTable.Pairs {
        let probe = pairs.probe.mutable(as: Int32.self)
        let build = pairs.build.mutable(as: Int32.self)
        let positions = residual.positions
        var kept = PairBuilder(capacity: pairs.count)
        var start = 0
        while start < pairs.count {
            let count = min(pairs.count - start, RecordBatch.rowCountMax)
            let both = gathered(positions, chunk, probe + start, build + start, count)
            let selection = try residual.select(both) ?? Filter.everyRow(count)
            for index in 0..<selection.count {
                let pair = start + Int(selection.rows[index])
                kept.append(probe[pair], build[pair])
            }
            start += count
        }
        withExtendedLifetime(pairs) {}
        return kept.finish()
    }

    /// Some columns of pairs, left ones first, by position; the others are nulls.
    private func gathered(
        _ positions: Set<Int>,
        _ chunk: Chunk,
        _ probe: UnsafeMutablePointer<Int32>,
        _ build: UnsafeMutablePointer<Int32>,
        _ count: Int
    ) -> Chunk {
        let width = chunk.columns.count + state.table.columns.count
        var columns = [Column](repeating: .nulls(.null, count: count), count: width)
        for position in positions {
            columns[position] =
                position < chunk.columns.count
                ? Take.take(chunk.columns[position], rows: probe, count: count)
                : Take.take(
                    state.table.columns[position - chunk.columns.count],
                    rows: build,
                    count: count
                )
        }
        return Chunk(columns: columns, rowCount: count)
    }

    /// The pairs and, for each left row without one, a pair with -1; in the order of the left rows.
    private func withUnmatched(_ pairs: JoinTable.Pairs, _ rowCount: Int) -> JoinTable.Pairs {
        var all = PairBuilder(capacity: pairs.count + rowCount)
        let probe = pairs.probe.mutable(as: Int32.self)
        let build = pairs.build.mutable(as: Int32.self)
        var index = 0
        for row in 0..<Int32(rowCount) {
            if index >= pairs.count || probe[index] != row {
                all.append(row, -1)
                continue
            }
            while index < pairs.count && probe[index] == row {
                all.append(row, build[index])
                index += 1
            }
        }
        withExtendedLifetime(pairs) {}
        return all.finish()
    }

    private func noteMatches(_ pairs: JoinTable.Pairs) {
        guard matched.flags.byteCount > 0 else { return }
        let flags = matched.flags.mutable(as: UInt8.self)
        let build = pairs.build.mutable(as: Int32.self)
        for index in 0..<pairs.count { flags[Int(build[index])] = 1 }
        withExtendedLifetime(pairs) {}
    }

    private func requireSingle(_ pairs: JoinTable.Pairs) throws {
        let probe = pairs.probe.mutable(as: Int32.self)
        for index in 1..<max(1, pairs.count) where probe[index] == probe[index - 1] {
            throw ExecutionError.severalRows
        }
        withExtendedLifetime(pairs) {}
    }

    // MARK: Marks

    private func matchFlags(_ pairs: JoinTable.Pairs, _ rowCount: Int) -> Bitmap {
        let buffer = Buffer(zeroedByteCount: Bitmap.wordCount(rowCount) * 8)
        let words = buffer.mutable(as: UInt64.self)
        let probe = pairs.probe.mutable(as: Int32.self)
        for index in 0..<pairs.count {
            let row = Int(probe[index])
            words[row >> 6] |= 1 &<< UInt64(row & 63)
        }
        withExtendedLifetime(pairs) {}
        return Bitmap(buffer: buffer, count: rowCount)
    }

    /// Whether the comparison is true for some pair of each left row; null where it is unknown for
    /// some and true for none.
    private func anyColumn(_ pairs: JoinTable.Pairs, _ chunk: Chunk) throws -> Column {
        let marks = MarkBuilder(count: chunk.rowCount)
        try note(pairs, chunk, offset: 0, in: marks)
        return marks.finish()
    }

    private func note(
        _ pairs: JoinTable.Pairs,
        _ chunk: Chunk,
        offset: Int,
        in marks: MarkBuilder
    ) throws {
        guard let comparison else { return }
        let probe = pairs.probe.mutable(as: Int32.self)
        let build = pairs.build.mutable(as: Int32.self)
        var start = 0
        while start < pairs.count {
            try Interruption.check()
            let count = min(pairs.count - start, RecordBatch.rowCountMax)
            let both = gathered(
                comparisonPositions,
                chunk,
                probe + start,
                build + start,
                count
            )
            marks.note(try comparison.evaluate(both), probe + start, offset: offset)
            start += count
        }
        withExtendedLifetime(pairs) {}
    }

    private func pushMarked(_ chunk: Chunk, _ mark: Column) throws -> Bool {
        try next.push(
            Chunk(
                columns: state.plan.leftOutput.map { chunk.columns[$0] } + [mark],
                rowCount: chunk.rowCount
            )
        )
    }

    private func pushSelected(_ chunk: Chunk, _ flags: Bitmap, keeping: Bool) throws -> Bool {
        let mask = Column(bits: flags)
        let selection = Filter.selection(keeping ? mask : Logic.not(mask))
        if selection.count == 0 { return true }
        return try next.push(
            Chunk(
                columns: state.plan.leftOutput.map { Take.take(chunk.columns[$0], selection) },
                rowCount: selection.count
            )
        )
    }

    /// True for a match; otherwise null when a null may hide one, else false.
    private func markColumn(
        _ flags: Bitmap,
        _ keys: [Column],
        _ rowCount: Int,
        _ isNullAware: Bool
    ) -> Column {
        guard isNullAware, !state.facts.isEmpty else { return Column(bits: flags) }
        if state.facts.hasNullKey { return Column(bits: flags, validity: flags) }
        let nullsMatch = state.plan.nullsMatch
        guard let absent = JoinTable.rowsWithoutKey(keys.map { $0.flattened() }, nullsMatch) else {
            return Column(bits: flags)
        }
        let known = Logic.or(Column(bits: flags), Logic.not(Column(bits: absent)))
        guard case .bits(let validity) = known.flattened().storage else { return known }
        return Column(bits: flags, validity: validity)
    }

    // MARK: Without keys

    /// Every left row against every right one, in pieces.
    private func pushWithoutKeys(_ chunk: Chunk) throws -> Bool {
        let plan = state.plan
        let rightCount = state.table.rowCount
        switch plan.kind {
        case .single where rightCount > 1 && residual == nil:
            throw ExecutionError.severalRows
        case .mark where residual == nil:
            let mark = Column.constant(.boolean(rightCount > 0), .boolean, count: chunk.rowCount)
            return try next.push(
                Chunk(
                    columns: plan.leftOutput.map { chunk.columns[$0] } + [mark],
                    rowCount: chunk.rowCount
                )
            )
        case .markAny: return try pushMarked(chunk, try anyColumn(ofProduct: chunk))
        default: break
        }
        // A bounded number of left rows at a time, so that the pairs stay few.
        let step = max(1, 65_536 / max(1, rightCount))
        var start = 0
        while start < chunk.rowCount {
            let rows = start..<min(chunk.rowCount, start + step)
            let part = Chunk(columns: chunk.columns.map { $0.slice(rows) }, rowCount: rows.count)
            guard try pushProduct(part) else { return false }
            start = rows.upperBound
        }
        return true
    }

    /// `anyColumn` over every pair, in pieces.
    private func anyColumn(ofProduct chunk: Chunk) throws -> Column {
        let marks = MarkBuilder(count: chunk.rowCount)
        let step = max(1, 65_536 / max(1, state.table.rowCount))
        var start = 0
        while start < chunk.rowCount {
            let rows = start..<min(chunk.rowCount, start + step)
            let part = Chunk(columns: chunk.columns.map { $0.slice(rows) }, rowCount: rows.count)
            var pairs = product(part)
            if let residual { pairs = try filtered(pairs, part, residual) }
            try note(pairs, part, offset: start, in: marks)
            start = rows.upperBound
        }
        return marks.finish()
    }

    private func product(_ chunk: Chunk) -> JoinTable.Pairs {
        let rightCount = state.table.rowCount
        var builder = PairBuilder(capacity: chunk.rowCount * rightCount)
        for row in 0..<Int32(chunk.rowCount) {
            for build in 0..<Int32(rightCount) { builder.append(row, build) }
        }
        return builder.finish()
    }

    private func pushProduct(_ chunk: Chunk) throws -> Bool {
        try Interruption.check()
        var pairs = product(chunk)
        if let residual { pairs = try filtered(pairs, chunk, residual) }
        switch state.plan.kind {
        case .inner, .cross: return try pushPairs(chunk, pairs, nullable: false)
        case .right:
            noteMatches(pairs)
            return try pushPairs(chunk, pairs, nullable: false)
        case .rightSemi, .rightAnti:
            noteMatches(pairs)
            return true
        case .left, .full:
            noteMatches(pairs)
            return try pushPairs(chunk, withUnmatched(pairs, chunk.rowCount), nullable: true)
        case .single:
            try requireSingle(pairs)
            return try pushPairs(chunk, withUnmatched(pairs, chunk.rowCount), nullable: true)
        case .semi, .anti:
            let flags = matchFlags(pairs, chunk.rowCount)
            return try pushSelected(chunk, flags, keeping: state.plan.kind == .semi)
        case .mark:
            return try pushMarked(chunk, Column(bits: matchFlags(pairs, chunk.rowCount)))
        case .markAny:
            return try pushMarked(chunk, try anyColumn(pairs, chunk))
        }
    }

    // MARK: A part of the right side at a time

    /// Joins left rows with the part of the right side that the table holds, noting in `settled` what only
    /// all parts together decide.
    ///
    /// - Parameter firstRow: the number of the first row among all left rows.
    func push(_ chunk: Chunk, firstRow: Int, _ settled: SettledRows) throws -> Bool {
        var start = 0
        while start < chunk.rowCount {
            let rest = chunk.slice(start..<chunk.rowCount)
            let part: Chunk
            var pairs: JoinTable.Pairs
            if keyNodes.isEmpty {
                try Interruption.check()
                part = rest.slice(
                    0..<min(rest.rowCount, max(1, 65_536 / max(1, state.table.rowCount)))
                )
                pairs = product(part)
            } else {
                let (some, doneCount) = state.table.probe(
                    try keyColumns(rest),
                    count: rest.rowCount
                )
                (pairs, part) = (some, rest.slice(0..<doneCount))
            }
            if let residual { pairs = try filtered(pairs, part, residual) }
            if let marks = settled.marks {
                try note(pairs, part, offset: firstRow + start, in: marks)
            } else {
                try settled.note(pairs, firstRow + start, state.plan.kind)
                noteMatches(pairs)
                switch state.plan.kind {
                case .inner, .cross, .left, .right, .full, .single:
                    guard try pushPairs(part, pairs, nullable: false) else { return false }
                case .semi, .anti, .rightSemi, .rightAnti, .mark, .markAny: break
                }
            }
            start += part.rowCount
        }
        return true
    }

    /// Hands on what is left to say of left rows when they have met all parts of the right side.
    func pushSettled(_ chunk: Chunk, firstRow: Int, _ settled: SettledRows) throws -> Bool {
        let count = chunk.rowCount
        switch state.plan.kind {
        case .inner, .cross, .right, .rightSemi, .rightAnti: return true
        case .left, .full, .single:
            var unmatched = PairBuilder(capacity: count)
            let flags = settled.flags.mutable(as: UInt8.self) + firstRow
            for row in 0..<count where flags[row] == 0 {
                unmatched.append(Int32(truncatingIfNeeded: row), -1)
            }
            return try pushPairs(chunk, unmatched.finish(), nullable: true)
        case .semi, .anti:
            return try pushSelected(
                chunk,
                settled.bits(firstRow..<firstRow + count),
                keeping: state.plan.kind == .semi
            )
        case .mark(let isNullAware):
            let flags = settled.bits(firstRow..<firstRow + count)
            let keys = try keyColumns(chunk)
            return try pushMarked(
                chunk,
                keys.isEmpty
                    ? Column(bits: flags) : markColumn(flags, keys, count, isNullAware)
            )
        case .markAny:
            guard let marks = settled.finishedMarks else { return true }
            return try pushMarked(chunk, marks.slice(firstRow..<firstRow + count))
        }
    }

    /// Hands on the built rows that no worker matched, with nulls for the left columns; of a right semi
    /// join those that some worker matched.
    static func pushDecided(
        _ state: JoinState,
        leftTypes: [DataType],
        into sink: PushOperator
    ) throws -> Bool {
        var rows: [Int32] = []
        let flags = state.matched.map { $0.flags.mutable(as: UInt8.self) }
        func send() throws -> Bool {
            try Interruption.check()
            let selection = Selection(rows)
            let left = state.plan.leftOutput.map {
                Column.nulls(leftTypes[$0], count: selection.count)
            }
            let right = state.plan.rightOutput.map { Take.take(state.table.columns[$0], selection) }
            rows.removeAll(keepingCapacity: true)
            return try sink.push(Chunk(columns: left + right, rowCount: selection.count))
        }
        let wantsMatched = state.plan.kind == .rightSemi
        for row in 0..<state.table.rowCount
        where flags.contains(where: { $0[row] != 0 }) == wantsMatched {
            rows.append(Int32(truncatingIfNeeded: row))
            if rows.count == RecordBatch.rowCountMax, try !send() { return false }
        }
        return try withExtendedLifetime(state) { try rows.isEmpty || send() }
    }
}

/// What is known of left rows that meet the right side part by part.
final class SettledRows {
    /// A byte for each row, 1 when it met a match.
    let flags: Buffer
    fileprivate let marks: MarkBuilder?
    private(set) lazy var finishedMarks: Column? = marks?.finish()

    init(rowCount: Int, kind: PhysicalPlan.Join.Kind) {
        flags = Buffer(zeroedByteCount: rowCount)
        marks = kind == .markAny ? MarkBuilder(count: rowCount) : nil
    }

    fileprivate func note(
        _ pairs: JoinTable.Pairs,
        _ firstRow: Int,
        _ kind: PhysicalPlan.Join.Kind
    ) throws {
        let own = flags.mutable(as: UInt8.self) + firstRow
        let probe = pairs.probe.mutable(as: Int32.self)
        for index in 0..<pairs.count {
            if kind == .single, own[Int(probe[index])] != 0 { throw ExecutionError.severalRows }
            own[Int(probe[index])] = 1
        }
        withExtendedLifetime(pairs) {}
    }

    fileprivate func bits(_ rows: Range<Int>) -> Bitmap {
        let buffer = Buffer(zeroedByteCount: Bitmap.wordCount(rows.count) * 8)
        let words = buffer.mutable(as: UInt64.self)
        let own = flags.mutable(as: UInt8.self) + rows.lowerBound
        for row in 0..<rows.count { words[row >> 6] |= UInt64(own[row]) &<< UInt64(row & 63) }
        return Bitmap(buffer: buffer, count: rows.count)
    }
}

/// Collects, for each of some rows, whether anything was true or unknown of it.
private final class MarkBuilder {
    private let isTrue: Buffer
    private let isUnknown: Buffer
    private let count: Int

    init(count: Int) {
        self.count = count
        isTrue = Buffer(zeroedByteCount: Bitmap.wordCount(count) * 8)
        isUnknown = Buffer(zeroedByteCount: Bitmap.wordCount(count) * 8)
    }

    /// - Parameter answers: a boolean for each of `rows`, which are counted from `offset`.
    func note(_ answers: Column, _ rows: UnsafePointer<Int32>, offset: Int) {
        let trueWords = isTrue.mutable(as: UInt64.self)
        let unknownWords = isUnknown.mutable(as: UInt64.self)
        let flat = answers.flattened()
        guard case .bits(let bits) = flat.storage else {
            for index in 0..<answers.count { set(unknownWords, Int(rows[index]) + offset) }
            return
        }
        for index in 0..<answers.count {
            let row = Int(rows[index]) + offset
            if let validity = flat.validity, !validity[index] {
                set(unknownWords, row)
            } else if bits[index] {
                set(trueWords, row)
            }
        }
    }

    private func set(_ words: UnsafeMutablePointer<UInt64>, _ row: Int) {
        words[row >> 6] |= 1 &<< UInt64(row & 63)
    }

    func finish() -> Column {
        let flags = Bitmap(buffer: isTrue, count: count)
        let unknown = Column(bits: Bitmap(buffer: isUnknown, count: count))
        let known = Logic.or(Column(bits: flags), Logic.not(unknown)).flattened()
        guard case .bits(let validity) = known.storage else { return Column(bits: flags) }
        return Column(bits: flags, validity: validity)
    }
}
