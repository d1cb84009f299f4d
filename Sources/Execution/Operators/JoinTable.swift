import Columnar
import Glibc
import Kernels

/// The built side of a hash join: all its rows, and a way from a key to the rows that have it.
///
/// Rows with equal hashes form a chain through `next`. A single integer key whose values lie close
/// together is looked up by position instead of by hash. Immutable once built, so all workers probe
/// it at once.
///
/// `@unchecked Sendable`: buffers are written in `init` only.
final class JoinTable: @unchecked Sendable {
    /// The columns of the built side, then its keys.
    let columns: [Column]
    let keys: [Column]
    let rowCount: Int
    /// Whether some row has a null key that matches nothing.
    let hasNullKey: Bool
    private let nullsMatch: [Bool]
    private let heads: Buffer
    private let next: Buffer
    private let hashes: Buffer?
    private let mask: Int
    /// For dense keys, the least key; `heads` is indexed by distance from it.
    private let denseBase: Int64?
    private let denseCount: Int

    init(columns: [Column], keys: [Column], rowCount: Int, nullsMatch: [Bool]) throws {
        guard rowCount < Int(Int32.max) else {
            throw ExecutionError(
                .unsupported,
                "the smaller side of a join has \(rowCount) rows, 2^31 - 1 are possible"
            )
        }
        self.columns = columns
        self.keys = keys.map { $0.flattened() }
        self.rowCount = rowCount
        self.nullsMatch = nullsMatch
        next = Buffer(byteCount: rowCount * 4)
        let chain = next.mutable(as: Int32.self)
        let absent = Self.rowsWithoutKey(self.keys, nullsMatch)
        hasNullKey = absent.map { $0.trueCount > 0 } ?? false

        if keys.count == 1, !(nullsMatch.first ?? false), let range = Self.denseRange(self.keys[0])
        {
            denseBase = range.lowerBound
            denseCount = Int(range.upperBound - range.lowerBound) + 1
            mask = 0
            hashes = nil
            heads = Buffer(byteCount: denseCount * 4)
            memset(heads.base, 0xff, denseCount * 4)
            let head = heads.mutable(as: Int32.self)
            let base = range.lowerBound
            // From the last row to the first, so that chains come out in the order of the rows.
            try Self.eachInteger(self.keys[0], rowCount) { row, key in
                if row & (Interruption.rowCount - 1) == 0 { try Interruption.check() }
                if let absent, absent[row] { return }
                let place = Int(key &- base)
                chain[row] = head[place]
                head[place] = Int32(truncatingIfNeeded: row)
            }
            return
        }
        denseBase = nil
        denseCount = 0
        var capacity = 64
        while capacity < rowCount * 2 { capacity *= 2 }
        mask = capacity - 1
        heads = Buffer(byteCount: capacity * 4)
        memset(heads.base, 0xff, capacity * 4)
        let hashBuffer = Hashing.hash(self.keys, count: rowCount)
        hashes = hashBuffer
        let head = heads.mutable(as: Int32.self)
        let hash = hashBuffer.mutable(as: UInt64.self)
        for row in stride(from: rowCount - 1, through: 0, by: -1) {
            if row & (Interruption.rowCount - 1) == 0 { try Interruption.check() }
            if let absent, absent[row] { continue }
            let slot = Int(truncatingIfNeeded: hash[row]) & mask
            chain[row] = head[slot]
            head[slot] = Int32(truncatingIfNeeded: row)
        }
    }

    /// Rows that cannot match because a key is null; nil when there are none.
    static func rowsWithoutKey(_ keys: [Column], _ nullsMatch: [Bool]) -> Bitmap? {
        var present: Bitmap?
        var count = 0
        for (key, matches) in zip(keys, nullsMatch) where !matches {
            count = key.count
            if case .null = key.storage { return Bitmap(repeating: true, count: key.count) }
            present = Bitmap.and(present, key.validity)
        }
        guard let present else { return nil }
        guard case .bits(let absent) = Logic.not(Column(bits: present)).flattened().storage else {
            return nil
        }
        precondition(absent.count == count)
        return absent
    }

    private static func eachInteger(
        _ key: Column,
        _ count: Int,
        _ body: (Int, Int64) throws -> Void
    ) rethrows {
        guard case .fixed(let values) = key.storage else { return }
        if key.type.physical == .int32 {
            let source = values.pointer(as: Int32.self)
            for row in stride(from: count - 1, through: 0, by: -1) {
                try body(row, Int64(source[row]))
            }
        } else {
            let source = values.pointer(as: Int64.self)
            for row in stride(from: count - 1, through: 0, by: -1) { try body(row, source[row]) }
        }
    }

    /// The span of an integer key when it is at most a few times the number of rows.
    private static func denseRange(_ key: Column) -> ClosedRange<Int64>? {
        guard key.type.physical == .int32 || key.type.physical == .int64, key.count > 0 else {
            return nil
        }
        var low = Int64.max
        var high = Int64.min
        let validity = key.validity
        eachInteger(key, key.count) { row, value in
            if let validity, !validity[row] { return }
            low = min(low, value)
            high = max(high, value)
        }
        guard low <= high else { return nil }
        let (span, overflow) = high.subtractingReportingOverflow(low)
        guard !overflow, span < Int64(key.count) * 8 + 1024 else { return nil }
        return low...high
    }

    /// Pairs of rows whose keys are equal, in the order of the probing rows.
    struct Pairs {
        /// `Int32` row numbers of each side, `count` of them.
        var probe: Buffer
        var build: Buffer
        var count: Int
    }

    /// Bytes for each row, besides its columns, that a table of such keys takes at most.
    static func rowByteCount(_ keys: [DataType]) -> Int {
        let isInteger =
            keys.count == 1 && (keys[0].physical == .int32 || keys[0].physical == .int64)
        // Chain, and heads: up to 8 for each row of dense keys; else with hashes.
        return isInteger ? 4 + 32 : 4 + 16 + 8
    }

    /// Bytes that it takes besides the columns.
    var byteCount: Int { heads.byteCount + next.byteCount + (hashes?.byteCount ?? 0) }

    /// Pairs after which probing pauses: rows with very many matches must not fill the memory.
    private static let pairCountMax = 1 << 20

    /// All pairs for the first rows of a batch.
    ///
    /// - Returns: for how many rows; fewer than `count` when there are very many pairs.
    func probe(_ keyColumns: [Column], count: Int) -> (pairs: Pairs, rowCount: Int) {
        var doneCount = count
        let flat = keyColumns.map { $0.flattened() }
        var pairs = PairBuilder(capacity: count)
        let head = heads.mutable(as: Int32.self)
        let chain = next.mutable(as: Int32.self)
        if let denseBase, flat[0].type.physical == keys[0].type.physical {
            let limit = UInt64(denseCount)
            let validity = flat[0].validity
            @inline(__always)
            func look<T: FixedWidthInteger & BitwiseCopyable>(_ source: UnsafePointer<T>) {
                for row in 0..<count {
                    let place = UInt64(
                        bitPattern: Int64(truncatingIfNeeded: source[row]) &- denseBase
                    )
                    if place >= limit { continue }
                    var build = head[Int(place)]
                    if build < 0 { continue }
                    if let validity, !validity[row] { continue }
                    if pairs.count >= Self.pairCountMax {
                        doneCount = row
                        return
                    }
                    while build >= 0 {
                        pairs.append(Int32(truncatingIfNeeded: row), build)
                        build = chain[Int(build)]
                    }
                }
            }
            switch flat[0].storage {
            case .fixed(let values) where flat[0].type.physical == .int32:
                look(values.pointer(as: Int32.self))
            case .fixed(let values): look(values.pointer(as: Int64.self))
            default: break
            }
            withExtendedLifetime((flat, self)) {}
            return (pairs.finish(), doneCount)
        }
        guard let hashes else { return (pairs.finish(), count) }
        let absent = Self.rowsWithoutKey(flat, nullsMatch)
        let probeHashes = Hashing.hash(flat, count: count)
        let hash = probeHashes.mutable(as: UInt64.self)
        let buildHash = hashes.mutable(as: UInt64.self)
        for row in 0..<count {
            if let absent, absent[row] { continue }
            if pairs.count >= Self.pairCountMax {
                doneCount = row
                break
            }
            let wanted = hash[row]
            var build = head[Int(truncatingIfNeeded: wanted) & mask]
            while build >= 0 {
                if buildHash[Int(build)] == wanted {
                    pairs.append(Int32(truncatingIfNeeded: row), build)
                }
                build = chain[Int(build)]
            }
        }
        let candidates = pairs.finish()
        withExtendedLifetime((probeHashes, self)) {}
        return (verified(candidates, flat), doneCount)
    }

    /// The candidates whose keys are equal, not only their hashes.
    private func verified(_ candidates: Pairs, _ probeKeys: [Column]) -> Pairs {
        let nullsEqual = nullsMatch.contains(true)
        let equality = RowEquality(probeKeys, keys, nullsEqual: nullsEqual)
        let flags = Buffer(byteCount: candidates.count)
        let flag = flags.mutable(as: UInt8.self)
        let probe = candidates.probe.mutable(as: Int32.self)
        let build = candidates.build.mutable(as: Int32.self)
        equality.matches(probe, build, count: candidates.count, into: flag)
        guard memchr(flag, 0, candidates.count) != nil else { return candidates }
        var kept = PairBuilder(capacity: candidates.count)
        for index in 0..<candidates.count where flag[index] != 0 {
            kept.append(probe[index], build[index])
        }
        withExtendedLifetime((flags, candidates)) {}
        return kept.finish()
    }
}

/// Grows two lists of row numbers together.
struct PairBuilder {
    private var probe: Buffer
    private var build: Buffer
    private var probeRows: UnsafeMutablePointer<Int32>
    private var buildRows: UnsafeMutablePointer<Int32>
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int) {
        self.capacity = max(64, capacity)
        probe = Buffer(byteCount: self.capacity * 4)
        build = Buffer(byteCount: self.capacity * 4)
        probeRows = probe.mutable(as: Int32.self)
        buildRows = build.mutable(as: Int32.self)
    }

    @inline(__always)
    mutating func append(_ probeRow: Int32, _ buildRow: Int32) {
        if count == capacity { grow() }
        probeRows[count] = probeRow
        buildRows[count] = buildRow
        count &+= 1
    }

    @inline(never)
    private mutating func grow() {
        let newProbe = Buffer(byteCount: capacity * 8)
        let newBuild = Buffer(byteCount: capacity * 8)
        memcpy(newProbe.base, probe.base, capacity * 4)
        memcpy(newBuild.base, build.base, capacity * 4)
        (probe, build, capacity) = (newProbe, newBuild, capacity * 2)
        probeRows = probe.mutable(as: Int32.self)
        buildRows = build.mutable(as: Int32.self)
    }

    func finish() -> JoinTable.Pairs {
        JoinTable.Pairs(probe: probe, build: build, count: count)
    }
}
