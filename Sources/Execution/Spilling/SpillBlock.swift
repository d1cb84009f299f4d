package import Bytes
package import Columnar
import Glibc
import Kernels

// The bytes of a block of rows in a temporary file. Only the process that wrote them reads them; they
// are checked all the same, for disks and memory fail. Numbers are in the machine's byte order.
//
//   block:   magic "VSPL" (4) | codec (4: 0 none, 1 LZ4) | row count (8) | payload bytes (8)
//            | stored bytes (8) | xxHash64 of the stored bytes (8) | stored bytes
//   payload: a node for each column
//   node:    form (1) | has validity (1) | zeros (6) | row count (8)
//            | validity words, if any | body; every part begins at a multiple of 16
//   body:    null 0: nothing        bits 1: words         fixed 2: values
//            views 3: byte count (8), views, bytes; the address of a long view is an offset into the bytes
//            list 4: offsets from 0, node of the elements
//            structure 5: a node a field
//            map 6: offsets from 0, node of the keys, node of the values
//
// Types are not written: whoever reads knows them. Dictionaries and constants are written flat.

/// Writes columns as the bytes of a block; keeps its memory between blocks.
package final class SpillEncoder {
    private var memory = Buffer(byteCount: 1 << 16)
    private var count = 0
    /// Blocks to write as they are before compression is tried again.
    private var uncompressedCount = 0

    static let headerByteCount = 40
    static let magic: UInt32 = 0x4C50_5356

    package init() {}

    /// Makes a block and hands its bytes on.
    ///
    /// - Returns: what `body` gave, and the bytes that the columns take in memory.
    package func withBlock<R>(
        _ columns: [Column],
        rowCount: Int,
        _ body: (UnsafeRawBufferPointer) throws -> R
    ) throws -> (result: R, payloadByteCount: Int) {
        // The header has a place that keeps the payload aligned.
        count = 48
        for column in columns { try append(column) }
        let payloadByteCount = count - 48
        let payload = UnsafeRawBufferPointer(start: memory.base + 48, count: payloadByteCount)
        if uncompressedCount == 0, payloadByteCount > 256, payloadByteCount < 1 << 30 {
            let packed = try compress(.lz4Raw, payload)
            if packed.count < payloadByteCount / 8 * 7 {
                let block = Buffer(byteCount: packed.count + Self.headerByteCount)
                packed.withUnsafeBytes { packed in
                    guard let base = packed.baseAddress else { return }
                    (block.base + Self.headerByteCount)
                        .copyMemory(from: base, byteCount: packed.count)
                }
                Self.writeHeader(block.base, 1, rowCount, payloadByteCount, packed.count)
                return (try body(block.bytes), payloadByteCount)
            }
            uncompressedCount = 15
        } else if uncompressedCount > 0 {
            uncompressedCount -= 1
        }
        let start = memory.base + 48 - Self.headerByteCount
        Self.writeHeader(start, 0, rowCount, payloadByteCount, payloadByteCount)
        let block = UnsafeRawBufferPointer(
            start: start,
            count: payloadByteCount + Self.headerByteCount
        )
        // One huge block must not be remembered for ever.
        defer { if memory.byteCount > 16 << 20 { memory = Buffer(byteCount: 1 << 16) } }
        return (try body(block), payloadByteCount)
    }

    private static func writeHeader(
        _ start: UnsafeMutableRawPointer,
        _ codec: UInt32,
        _ rowCount: Int,
        _ payloadByteCount: Int,
        _ storedByteCount: Int
    ) {
        start.storeBytes(of: magic, as: UInt32.self)
        start.storeBytes(of: codec, toByteOffset: 4, as: UInt32.self)
        start.storeBytes(of: UInt64(rowCount), toByteOffset: 8, as: UInt64.self)
        start.storeBytes(of: UInt64(payloadByteCount), toByteOffset: 16, as: UInt64.self)
        start.storeBytes(of: UInt64(storedByteCount), toByteOffset: 24, as: UInt64.self)
        let stored = UnsafeRawBufferPointer(
            start: start + headerByteCount,
            count: storedByteCount
        )
        start.storeBytes(of: xxHash64(stored), toByteOffset: 32, as: UInt64.self)
    }

    // MARK: Nodes

    /// Room for `byteCount` bytes at a multiple of 16; what lies between is zero.
    private func reserve(_ byteCount: Int) -> UnsafeMutableRawPointer {
        let start = (count + 15) & ~15
        if start + byteCount > memory.byteCount {
            let grown = Buffer(byteCount: max(start + byteCount, memory.byteCount * 2))
            memcpy(grown.base, memory.base, count)
            memory = grown
        }
        memset(memory.base + count, 0, start - count)
        count = start + byteCount
        return memory.base + start
    }

    private func append(_ column: Column) throws {
        let flat = Self.isNull(column) ? column : column.flattened()
        let form = SpillForm(flat)
        let header = reserve(16)
        header.storeBytes(of: 0, as: UInt64.self)
        header.storeBytes(of: form.rawValue, as: UInt8.self)
        header.storeBytes(of: flat.validity == nil ? 0 : 1, toByteOffset: 1, as: UInt8.self)
        header.storeBytes(of: UInt64(flat.count), toByteOffset: 8, as: UInt64.self)
        if let validity = flat.validity {
            memcpy(reserve(validity.wordCount * 8), validity.words, validity.wordCount * 8)
        }
        switch flat.storage {
        case .bits(let bits): memcpy(reserve(bits.wordCount * 8), bits.words, bits.wordCount * 8)
        case .fixed(let values):
            let byteCount = flat.count * flat.type.physical.byteWidth
            memcpy(reserve(byteCount), values.pointer(as: UInt8.self), byteCount)
        case .views(let views, _): append(views.pointer(as: StringView.self), flat.count)
        case .structure(let fields):
            for field in fields { try append(field) }
        case .list(let offsets, let elements):
            try append(elements.column.slice(append(offsets, flat.count)))
        case .map(let offsets, let keys, let values):
            let range = append(offsets, flat.count)
            try append(keys.column.slice(range))
            try append(values.column.slice(range))
        default: break
        }
        withExtendedLifetime((flat, column)) {}
    }

    private static func isNull(_ column: Column) -> Bool {
        if case .null = column.storage { return true }
        return false
    }

    private func append(_ views: UnsafePointer<StringView>, _ rowCount: Int) {
        // Rows of a dictionary follow each other with the same bytes: those are written once.
        func isRepeated(_ row: Int, _ last: Int) -> Bool {
            last >= 0 && views[row].rest == views[last].rest
                && views[row].length == views[last].length
        }
        var byteCount = 0
        var last = -1
        for row in 0..<rowCount where !views[row].isInline {
            if !isRepeated(row, last) { byteCount &+= views[row].count }
            last = row
        }
        reserve(16).storeBytes(of: UInt64(byteCount), as: UInt64.self)
        _ = reserve(rowCount * 16)
        let viewStart = count - rowCount * 16
        _ = reserve(byteCount)
        let target = (memory.base + viewStart).assumingMemoryBound(to: StringView.self)
        let bytes = memory.base + (count - byteCount)
        var next = 0
        var place = 0
        last = -1
        for row in 0..<rowCount {
            var view = views[row]
            if !view.isInline {
                if !isRepeated(row, last) {
                    place = next
                    (bytes + next).copyMemory(from: view.address, byteCount: view.count)
                    next += view.count
                }
                last = row
                view.rest = UInt64(place)
            }
            target[row] = view
        }
    }

    /// The offsets, moved to begin at 0.
    ///
    /// - Returns: which elements they show.
    private func append(_ offsets: BufferSlice, _ rowCount: Int) -> Range<Int> {
        let source = offsets.pointer(as: Int32.self)
        let target = reserve((rowCount + 1) * 4).assumingMemoryBound(to: Int32.self)
        for row in 0...rowCount { target[row] = source[row] &- source[0] }
        return Int(source[0])..<Int(source[rowCount])
    }
}

/// How a column lies in a block.
enum SpillForm: UInt8 {
    case null = 0, bits, fixed, views, list, structure, map

    init(_ column: Column) {
        switch column.storage {
        case .null, .constant, .dictionary: self = .null
        case .bits: self = .bits
        case .fixed: self = .fixed
        case .views: self = .views
        case .list: self = .list
        case .structure: self = .structure
        case .map: self = .map
        }
    }

    /// What a type's flat columns are.
    init(_ type: DataType) {
        switch type.physical {
        case .none: self = .null
        case .bit: self = .bits
        case .int32, .int64, .float32, .float64, .int128: self = .fixed
        case .view: self = .views
        case .list: self = .list
        case .structure: self = .structure
        case .map: self = .map
        }
    }
}

/// Reads blocks back; their columns share one piece of memory.
package struct SpillDecoder {
    private let payload: Buffer
    private var offset = 0

    /// Bytes before a block in the memory that it is read into, so that its payload is aligned.
    package static let paddingByteCount = 48 - SpillEncoder.headerByteCount

    /// The columns of a block.
    ///
    /// - Parameters:
    ///   - memory: the block behind `paddingByteCount` bytes; nobody else may use it.
    ///   - types: of the columns; with `rowCount` and `payloadByteCount` what is known of what was written.
    /// - Throws: when the block is not what was written.
    package static func decode(
        _ memory: Buffer,
        payloadByteCount: Int,
        rowCount: Int,
        types: [DataType],
        _ decompressor: Decompressor
    ) throws -> [Column] {
        let header = SpillEncoder.headerByteCount
        let storedByteCount = memory.byteCount - paddingByteCount
        guard storedByteCount >= header else { throw damage("its length") }
        let start = memory.base + paddingByteCount
        let codec = start.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        let stored = UnsafeRawBufferPointer(
            start: start + header,
            count: storedByteCount - header
        )
        func number(_ at: Int) -> UInt64 {
            start.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        }
        guard start.loadUnaligned(as: UInt32.self) == SpillEncoder.magic, codec <= 1,
            number(8) == UInt64(rowCount), number(16) == UInt64(payloadByteCount),
            number(24) == UInt64(stored.count)
        else { throw damage("its header") }
        guard xxHash64(stored) == number(32) else { throw damage("its checksum") }
        var decoder: SpillDecoder
        if codec == 0 {
            guard stored.count == payloadByteCount else { throw damage("its length") }
            decoder = SpillDecoder(payload: memory, offset: 48)
        } else {
            let payload = Buffer(byteCount: payloadByteCount)
            try decompressor.decompress(
                .lz4Raw,
                stored,
                into: UnsafeMutableRawBufferPointer(
                    start: payload.base,
                    count: payloadByteCount
                )
            )
            decoder = SpillDecoder(payload: payload, offset: 0)
        }
        var columns: [Column] = []
        for type in types { columns.append(try decoder.column(type, rowCount, depth: 0)) }
        return columns
    }

    private init(payload: Buffer, offset: Int) {
        self.payload = payload
        self.offset = offset
    }

    private static func damage(_ what: String) -> ExecutionError {
        ExecutionError(
            .temporaryStorage,
            "a block of a temporary file is damaged: \(what) is not what was written"
        )
    }

    /// The next `byteCount` bytes from a multiple of 16 on.
    private mutating func take(_ byteCount: Int) throws -> Int {
        let start = (offset + 15) & ~15
        guard byteCount >= 0, start <= payload.byteCount, byteCount <= payload.byteCount - start
        else { throw Self.damage("its length") }
        offset = start + byteCount
        return start
    }

    private mutating func column(
        _ type: DataType,
        _ rowCount: Int,
        depth: Int
    ) throws -> Column {
        guard depth < 64 else { throw Self.damage("its depth") }
        let header = payload.base + (try take(16))
        let code = header.load(as: UInt8.self)
        let hasValidity = header.load(fromByteOffset: 1, as: UInt8.self)
        guard let form = SpillForm(rawValue: code), form == .null || form == SpillForm(type),
            hasValidity <= 1, header.load(fromByteOffset: 8, as: UInt64.self) == UInt64(rowCount)
        else {
            let found = header.load(fromByteOffset: 8, as: UInt64.self)
            throw Self.damage(
                "a column of \(rowCount) rows of \(type) (form \(code), \(found) rows)"
            )
        }
        let validity = hasValidity == 1 ? try bitmap(rowCount) : nil
        let storage: Column.Storage
        switch form {
        case .null:
            guard validity == nil else { throw Self.damage("a column") }
            storage = .null
        case .bits: storage = .bits(try bitmap(rowCount))
        case .fixed:
            storage = .fixed(
                BufferSlice(payload, byteOffset: try take(rowCount * type.physical.byteWidth))
            )
        case .views: storage = try views(rowCount)
        case .structure:
            guard case .structure(let fields) = type else { throw Self.damage("a column") }
            var columns: [Column] = []
            for field in fields {
                columns.append(try column(field.type, rowCount, depth: depth + 1))
            }
            storage = .structure(columns)
        case .list:
            guard case .list(let field) = type else { throw Self.damage("a column") }
            let (offsets, count) = try offsets(rowCount)
            let elements = try column(field.type, count, depth: depth + 1)
            storage = .list(offsets: offsets, elements: ColumnBox(elements))
        case .map:
            guard case .map(let key, let value) = type else { throw Self.damage("a column") }
            let (offsets, count) = try offsets(rowCount)
            let keys = try column(key.type, count, depth: depth + 1)
            let values = try column(value.type, count, depth: depth + 1)
            storage = .map(offsets: offsets, keys: ColumnBox(keys), values: ColumnBox(values))
        }
        return Column(type: type, count: rowCount, validity: validity, storage: storage)
    }

    private mutating func bitmap(_ rowCount: Int) throws -> Bitmap {
        let byteCount = Bitmap.wordCount(rowCount) * 8
        let start = try take(byteCount)
        let copy = Buffer(
            copying: UnsafeRawBufferPointer(start: payload.base + start, count: byteCount)
        )
        if rowCount > 0 { Bitmap.clearTail(copy.mutable(as: UInt64.self), count: rowCount) }
        return Bitmap(buffer: copy, count: rowCount)
    }

    private mutating func views(_ rowCount: Int) throws -> Column.Storage {
        let size = (payload.base + (try take(16))).load(as: UInt64.self)
        guard size <= UInt64(payload.byteCount) else { throw Self.damage("its text") }
        let place = try take(rowCount * 16)
        let bytes = payload.base + (try take(Int(size)))
        let views = (payload.base + place).assumingMemoryBound(to: StringView.self)
        for row in 0..<rowCount where !views[row].isInline {
            let view = views[row]
            guard view.rest <= size, UInt64(view.length) <= size - view.rest else {
                throw Self.damage("its text")
            }
            views[row].rest = UInt64(UInt(bitPattern: bytes)) + view.rest
        }
        return .views(
            BufferSlice(payload, byteOffset: place),
            owners: BufferOwners([payload])
        )
    }

    private mutating func offsets(_ rowCount: Int) throws -> (BufferSlice, Int) {
        let start = try take((rowCount + 1) * 4)
        let bounds = (payload.base + start).assumingMemoryBound(to: Int32.self)
        guard bounds[0] == 0 else { throw Self.damage("a list") }
        for row in 0..<rowCount where bounds[row + 1] < bounds[row] { throw Self.damage("a list") }
        return (BufferSlice(payload, byteOffset: start), Int(bounds[rowCount]))
    }
}
