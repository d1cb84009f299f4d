import Columnar
import Kernels

/// Batches that an operator keeps, and the memory that they really hold.
///
/// Strings and dictionaries point into pages that are counted when they are first seen; where a batch shows
/// little of the pages that it alone would keep alive, it is copied out of them.
struct HeldRows {
    private(set) var chunks: [Chunk] = []
    private(set) var rowCount = 0
    private(set) var byteCount = 0
    private var seen: Set<ObjectIdentifier> = []

    /// What `append` would make of a batch, and the bytes that it adds.
    mutating func prepared(_ chunk: Chunk) -> (chunk: Chunk, byteCount: Int) {
        var chunk = chunk
        var total = 0
        for index in chunk.columns.indices {
            let column = chunk.columns[index]
            guard pagesMatter(column) else {
                total += column.heldByteCount
                continue
            }
            let shared = sharedByteCount(column)
            let own = Self.shownByteCount(column)
            if shared > 4 * own + (64 << 10) {
                let compact = Compact.compacted(column)
                chunk.columns[index] = compact
                total += Compact.byteCount(compact)
            } else {
                markSeen(column)
                total += column.heldByteCount + shared
            }
        }
        return (chunk, total)
    }

    /// Takes a batch that `prepared` gave.
    mutating func append(_ prepared: (chunk: Chunk, byteCount: Int)) {
        chunks.append(prepared.chunk)
        rowCount += prepared.chunk.rowCount
        byteCount += prepared.byteCount
    }

    mutating func append(_ chunk: Chunk) { append(prepared(chunk)) }

    private func pagesMatter(_ column: Column) -> Bool {
        switch column.storage {
        case .views, .dictionary, .list, .structure, .map: true
        case .null, .constant, .bits, .fixed: false
        }
    }

    /// Bytes of the pages that the column points into, of those not yet counted.
    private func sharedByteCount(_ column: Column) -> Int {
        switch column.storage {
        case .views(_, let owners):
            if owners.buffers.isEmpty || seen.contains(ObjectIdentifier(owners)) { return 0 }
            return owners.buffers.reduce(0) {
                $0 + (seen.contains(ObjectIdentifier($1)) ? 0 : $1.byteCount)
            }
        case .dictionary(_, let dictionary):
            if seen.contains(ObjectIdentifier(dictionary)) { return 0 }
            return sharedByteCount(dictionary.values) + dictionary.values.heldByteCount
        case .list(_, let elements): return sharedByteCount(elements.column)
        case .structure(let fields): return fields.reduce(0) { $0 + sharedByteCount($1) }
        case .map(_, let keys, let values):
            return sharedByteCount(keys.column) + sharedByteCount(values.column)
        case .null, .constant, .bits, .fixed: return 0
        }
    }

    private mutating func markSeen(_ column: Column) {
        switch column.storage {
        case .views(_, let owners):
            if owners.buffers.isEmpty { return }
            if seen.insert(ObjectIdentifier(owners)).inserted {
                for buffer in owners.buffers { seen.insert(ObjectIdentifier(buffer)) }
            }
        case .dictionary(_, let dictionary):
            if seen.insert(ObjectIdentifier(dictionary)).inserted { markSeen(dictionary.values) }
        case .list(_, let elements): markSeen(elements.column)
        case .structure(let fields): for field in fields { markSeen(field) }
        case .map(_, let keys, let values):
            markSeen(keys.column)
            markSeen(values.column)
        case .null, .constant, .bits, .fixed: break
        }
    }

    /// Bytes that the column's rows would take in memory of their own.
    private static func shownByteCount(_ column: Column) -> Int {
        if case .dictionary = column.storage {
            return column.count * max(16, column.type.physical.byteWidth)
        }
        return Compact.byteCount(column)
    }
}
