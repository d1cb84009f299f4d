/// The words that the grammar knows; every other word is a plain identifier.
enum Keyword: String, CaseIterable, Sendable {
    case abort, add, after, all, alter, analyze, and, anti, any, array, `as`, asc, asof, asymmetric
    case at, begin, between, both, branch, by, cascade, `case`, cast, check, collate, column
    case columns, comment, commit, constraint, copy, create, cross, cube, current
    case currentCatalog = "current_catalog"
    case currentDate = "current_date"
    case currentRole = "current_role"
    case currentSchema = "current_schema"
    case currentTime = "current_time"
    case currentTimestamp = "current_timestamp"
    case currentUser = "current_user"
    case data, database, databases, day, days, deallocate, `default`, delete, desc, describe,
        distinct, `do`, drop
    case `else`, end, escape, except, exclude, execute, exists, explain, extract, `false`, fetch
    case fields, field, filter, first, following, `for`, foreign, format, from, full, glob, global
    case group, grouping, groups, having, hours, identifier, `if`, ignore, ilike, `in`, inner
    case insert, intersect, interval, into, `is`, isnull, join, lambda, last, lateral, leading, left
    case like, limit, lineage, local, localtime, localtimestamp, location, locally, map, matched
    case materialized, merge, minutes, name, namespace, namespaces, natural, next, no, not, nothing
    case notnull, null, nulls, of, offset, on, only, or, order, ordered, ordinality, others, outer
    case over, overlay, overwrite, partition, partitioned, percent, pivot, placing, position
    case positional, preceding, prepare, primary, purge, qualify, range, read, recursive
    case references, rename, repeatable, replace, reset, respect, restrict, retain, retention
    case returning, right, rollback, rollup, row, rows, sample, schema, schemas, select, semi
    case session
    case sessionUser = "session_user"
    case set, sets, show, similar, snapshot, snapshots, some, sorted, source, start, substring
    case symmetric
    case systemTime = "system_time"
    case systemVersion = "system_version"
    case table, tables, tablesample, tag, target, tblproperties, temp, temporary, then, ties, time
    case timestamp, to, trailing, transaction, trim, `true`, truncate
    case tryCast = "try_cast"
    case type, unbounded, union, unique, unknown, unordered, unpivot, unset, update, use, user
    case using, values, version, view, views, when, `where`, window, with, within, without, work
    case write, zone

    /// Where a keyword may serve as a name.
    enum Role: Sendable {
        /// Nowhere, unless quoted, behind a dot or after `AS`.
        case reserved
        /// The name of a function (`left('abc', 2)`), not of a column or table.
        case function
        /// A call without parentheses, not the name of a column.
        case call
        /// Everywhere: special only where the grammar asks for the word.
        case free
    }

    /// Where this keyword may serve as a name, as in PostgreSQL with DuckDB's additions.
    var role: Role {
        switch self {
        case .all, .analyze, .and, .any, .array, .as, .asc, .both, .case, .cast, .check, .collate,
            .column, .constraint, .create, .default, .desc, .distinct, .else, .end, .except, .false,
            .fetch, .for, .foreign, .from, .group, .having, .in, .intersect, .into, .lateral,
            .leading, .limit, .not, .null, .offset, .on, .or, .order, .pivot, .placing, .primary,
            .qualify, .references, .returning, .select, .some, .symmetric, .table, .then, .to,
            .trailing, .true, .union, .unique, .unpivot, .using, .when, .where, .window, .with:
            .reserved
        case .cross, .full, .glob, .ilike, .inner, .is, .isnull, .join, .left, .like, .natural,
            .notnull, .outer, .right, .similar, .tablesample:
            .function
        case .currentCatalog, .currentDate, .currentRole, .currentSchema, .currentTime,
            .currentTimestamp, .currentUser, .localtime, .localtimestamp, .sessionUser, .user:
            .call
        default:
            .free
        }
    }

    /// The keyword as messages and printed SQL show it.
    var text: String { rawValue.uppercased() }
}

/// Finds keywords by their bytes, in any case: open addressing over a table made once.
struct KeywordTable: Sendable {
    static let shared = KeywordTable()

    /// The longest keyword; no longer word needs a look.
    let lengthMax: Int
    private let slots: [Keyword?]
    /// The bytes of each slot's keyword in lower case, at `slot * stride`, the length first.
    private let texts: [UInt8]
    private static let slotCount = 1024
    private static let stride = 32

    private init() {
        var slots = [Keyword?](repeating: nil, count: Self.slotCount)
        var texts = [UInt8](repeating: 0, count: Self.slotCount * Self.stride)
        var lengthMax = 0
        for keyword in Keyword.allCases {
            let bytes = Array(keyword.rawValue.utf8)
            precondition(bytes.count < Self.stride, "a keyword outgrew its slot")
            lengthMax = max(lengthMax, bytes.count)
            var slot = Self.slot(of: bytes.reduce(Self.hashStart, Self.hash))
            while slots[slot] != nil { slot = (slot + 1) & (Self.slotCount - 1) }
            slots[slot] = keyword
            texts[slot * Self.stride] = UInt8(bytes.count)
            for (index, byte) in bytes.enumerated() { texts[slot * Self.stride + 1 + index] = byte }
        }
        self.slots = slots
        self.texts = texts
        self.lengthMax = lengthMax
    }

    static let hashStart: UInt32 = 2_166_136_261

    /// Adds one byte to the hash of a word; letters count the same in either case.
    static func hash(_ hash: UInt32, _ byte: UInt8) -> UInt32 {
        (hash ^ UInt32(byte | 0x20)) &* 16_777_619
    }

    private static func slot(of hash: UInt32) -> Int {
        Int((hash ^ (hash >> 15)) & UInt32(slotCount - 1))
    }

    /// The keyword that the bytes spell, given their hash.
    func keyword(in bytes: [UInt8], _ range: Range<Int>, hash: UInt32) -> Keyword? {
        guard range.count <= lengthMax else { return nil }
        var slot = Self.slot(of: hash)
        while let keyword = slots[slot] {
            if matches(bytes, range, slot: slot) { return keyword }
            slot = (slot + 1) & (Self.slotCount - 1)
        }
        return nil
    }

    private func matches(_ bytes: [UInt8], _ range: Range<Int>, slot: Int) -> Bool {
        let start = slot * Self.stride
        guard Int(texts[start]) == range.count else { return false }
        for index in 0..<range.count {
            let expected = texts[start + 1 + index]
            let byte = bytes[range.lowerBound + index]
            // Setting the bit of the case maps "_" and DEL onto one value, hence the second look.
            let folded = expected == 0x5F ? byte : byte | 0x20
            guard folded == expected else { return false }
        }
        return true
    }
}
