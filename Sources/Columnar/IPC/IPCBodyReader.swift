import Bytes

/// Takes the columns of a record batch out of its body.
///
/// Nodes and buffers come depth first, as the schema says. Numbers and long strings stay where they
/// are in the body; what has another form here is copied. Nothing that the metadata or an offset
/// says is believed before it was compared with the bytes that are there.
struct IPCBodyReader {
    private let header: IPCBatchHeader
    private let body: Buffer
    private let dictionaries: IPCDictionaries
    private let decompressor: Decompressor
    private var nextNode = 0
    private var nextBuffer = 0
    private var nextVariadic = 0
    /// Bytes that may still be allocated for this batch.
    private var bytesLeft: Int

    init(
        _ header: IPCBatchHeader,
        body: Buffer,
        dictionaries: IPCDictionaries,
        decompressor: Decompressor,
        bytesMax: Int
    ) {
        self.header = header
        self.body = body
        self.dictionaries = dictionaries
        self.decompressor = decompressor
        bytesLeft = bytesMax
    }

    /// A place in the memory of this batch.
    struct Piece {
        var slice: BufferSlice
        var byteCount: Int

        func pointer<T: BitwiseCopyable>(as type: T.Type) -> UnsafePointer<T> {
            slice.pointer(as: type)
        }
    }

    mutating func allocate(_ byteCount: Int) throws(IPCError) -> Buffer {
        guard byteCount >= 0, byteCount <= bytesLeft else {
            throw IPCError(.unsupported, "a batch needs too much memory")
        }
        bytesLeft -= byteCount
        return Buffer(byteCount: byteCount)
    }

    mutating func allocateZeroed(_ byteCount: Int) throws(IPCError) -> Buffer {
        let buffer = try allocate(byteCount)
        for word in stride(from: 0, to: byteCount, by: 8) {
            // Buffers are padded: the last word may reach behind the end.
            (buffer.base + word).storeBytes(of: 0, as: UInt64.self)
        }
        return buffer
    }

    /// The length and null count of the next field.
    private mutating func node() throws(IPCError) -> (count: Int, nullCount: Int) {
        guard nextNode + 1 < header.nodes.count else {
            throw IPCError(.corrupt, "the batch has too few nodes")
        }
        defer { nextNode += 2 }
        let count = header.nodes[nextNode]
        guard count >= 0, count < Int64(Int32.max) else {
            throw IPCError(.corrupt, "a column of \(count) rows")
        }
        return (Int(count), Int(truncatingIfNeeded: header.nodes[nextNode + 1]))
    }

    /// The next buffer, uncompressed and aligned to `alignment`; at least `required` bytes.
    mutating func piece(required: Int, alignment: Int = 1) throws(IPCError) -> Piece {
        guard nextBuffer + 1 < header.buffers.count else {
            throw IPCError(.corrupt, "the batch has too few buffers")
        }
        let (start, length) = (header.buffers[nextBuffer], header.buffers[nextBuffer + 1])
        nextBuffer += 2
        guard start >= 0, length >= 0, start <= Int64(body.byteCount),
            length <= Int64(body.byteCount) - start
        else {
            throw IPCError(.corrupt, "a buffer lies outside the body")
        }
        var piece = Piece(
            slice: BufferSlice(body, byteOffset: Int(start)),
            byteCount: Int(length)
        )
        if let compression = header.compression, length > 0 {
            piece = try decompressed(piece, compression)
        }
        guard piece.byteCount >= required else {
            throw IPCError(
                .corrupt,
                "a buffer of \(piece.byteCount) bytes where \(required) are needed"
            )
        }
        if Int(bitPattern: piece.pointer(as: UInt8.self)) % alignment != 0 {
            let copy = try allocate(piece.byteCount)
            copy.base.copyMemory(from: piece.pointer(as: UInt8.self), byteCount: piece.byteCount)
            piece.slice = BufferSlice(copy)
        }
        return piece
    }

    private mutating func decompressed(
        _ piece: Piece,
        _ compression: IPCCompression
    ) throws(IPCError) -> Piece {
        guard piece.byteCount >= 8 else {
            throw IPCError(.corrupt, "a compressed buffer without length")
        }
        let raw = UnsafeRawBufferPointer(
            start: piece.pointer(as: UInt8.self),
            count: piece.byteCount
        )
        let stated = Int64(littleEndian: raw.loadUnaligned(as: Int64.self))
        if stated == -1 {
            return Piece(slice: piece.slice.advanced(byBytes: 8), byteCount: piece.byteCount - 8)
        }
        guard stated >= 0, stated <= Int64(bytesLeft) else {
            throw IPCError(.unsupported, "a buffer of \(stated) bytes uncompressed")
        }
        let result = try allocate(Int(stated))
        let source = UnsafeRawBufferPointer(rebasing: raw[8...])
        let target = UnsafeMutableRawBufferPointer(start: result.base, count: Int(stated))
        do throws(BytesError) {
            switch compression {
            case .lz4Frame: try decompressLZ4Frame(source, into: target)
            case .zstd: try decompressor.decompress(.zstd, source, into: target)
            }
        } catch {
            throw IPCError(.corrupt, error.message)
        }
        return Piece(slice: BufferSlice(result), byteCount: Int(stated))
    }

    /// The bits of a buffer as a bitmap, whose tail is clear.
    private mutating func bitmap(count: Int) throws(IPCError) -> Bitmap {
        let byteCount = (count + 7) / 8
        let piece = try piece(required: byteCount)
        let target = try allocateZeroed(Bitmap.wordCount(count) * 8)
        target.base.copyMemory(from: piece.pointer(as: UInt8.self), byteCount: byteCount)
        Bitmap.clearTail(target.mutable(as: UInt64.self), count: count)
        return Bitmap(buffer: target, count: count)
    }

    /// The validity of the next field; nil when all rows have values.
    private mutating func validity(count: Int, nullCount: Int) throws(IPCError) -> Bitmap? {
        guard nextBuffer + 1 < header.buffers.count else {
            throw IPCError(.corrupt, "the batch has too few buffers")
        }
        if nullCount == 0 || count == 0 || header.buffers[nextBuffer + 1] == 0 {
            if nullCount > 0, count > 0 {
                throw IPCError(.corrupt, "\(nullCount) nulls without a validity buffer")
            }
            _ = try piece(required: 0)
            return nil
        }
        let bitmap = try bitmap(count: count)
        return bitmap.trueCount == count ? nil : bitmap
    }

    /// The column of a top-level field.
    mutating func column(_ field: IPCField) throws(IPCError) -> Column {
        try column(field, isDictionaryRead: true, depth: 0)
    }

    /// The values of a dictionary: the field without its own indices.
    mutating func dictionaryValues(_ field: IPCField) throws(IPCError) -> Column {
        try column(field, isDictionaryRead: false, depth: 0)
    }

    /// Whether everything the header states was used.
    func checkEnd() throws(IPCError) {
        if nextNode != header.nodes.count || nextBuffer != header.buffers.count {
            throw IPCError(.corrupt, "the batch has nodes or buffers that no field uses")
        }
    }

    private mutating func column(
        _ field: IPCField,
        isDictionaryRead: Bool,
        depth: Int
    ) throws(IPCError) -> Column {
        do throws(IPCError) {
            let (count, nullCount) = try node()
            if depth == 0, count != header.rowCount {
                throw IPCError(
                    .corrupt,
                    "a column of \(count) rows in a batch of \(header.rowCount)"
                )
            }
            let type = field.field.type
            if isDictionaryRead, let encoding = field.dictionary {
                let validity = try validity(count: count, nullCount: nullCount)
                let indices = try piece(
                    required: count * (encoding.indexBits / 8),
                    alignment: encoding.indexBits / 8
                )
                return try dictionaries.column(
                    encoding,
                    type: type,
                    indices: indices,
                    count: count,
                    validity: validity
                )
            }
            if case .null = field.layout { return .nulls(.null, count: count) }
            let validity = try validity(count: count, nullCount: nullCount)
            switch field.layout {
            case .null: return .nulls(.null, count: count)
            case .bool: return Column(bits: try bitmap(count: count), validity: validity)
            case .list, .fixedSizeList, .structure, .map:
                return try nested(field, count, validity, depth)
            case .binary(let offsets):
                return try text(type, offsets, count, validity, isText: false)
            case .utf8(let offsets):
                return try text(type, offsets, count, validity, isText: true)
            default:
                return try fixed(field, count, validity)
            }
        } catch {
            var placed = error
            placed.path.insert(field.field.name, at: 0)
            throw placed
        }
    }

    // MARK: Nested

    private mutating func nested(
        _ field: IPCField,
        _ count: Int,
        _ validity: Bitmap?,
        _ depth: Int
    ) throws(IPCError) -> Column {
        let storage: Column.Storage
        switch field.layout {
        case .structure:
            var columns: [Column] = []
            for child in field.children {
                let column = try column(child, isDictionaryRead: true, depth: depth + 1)
                guard column.count == count else {
                    throw IPCError(
                        .corrupt,
                        "\(column.count) rows in a struct of \(count)",
                        path: [child.field.name]
                    )
                }
                columns.append(column)
            }
            storage = .structure(columns)
        case .map:
            let offsets = try listOffsets(count, isLarge: false)
            let entries = field.children[0]
            let (entryCount, entryNulls) = try node()
            if try self.validity(count: entryCount, nullCount: entryNulls) != nil {
                throw IPCError(.corrupt, "a map has entries that are null")
            }
            let keys = try column(entries.children[0], isDictionaryRead: true, depth: depth + 1)
            let values = try column(entries.children[1], isDictionaryRead: true, depth: depth + 1)
            guard keys.count == entryCount, values.count == entryCount,
                offsets.last <= entryCount
            else {
                throw IPCError(.corrupt, "the offsets of a map do not fit its entries")
            }
            storage = .map(
                offsets: offsets.slice,
                keys: ColumnBox(keys),
                values: ColumnBox(values)
            )
        case .fixedSizeList(let size):
            let (total, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow, total <= Int(Int32.max) else {
                throw IPCError(.unsupported, "\(count) lists of \(size) elements in a batch")
            }
            let offsets = try allocate((count + 1) * 4)
            let target = offsets.mutable(as: Int32.self)
            for row in 0...count { target[row] = Int32(truncatingIfNeeded: row &* size) }
            let elements = try column(field.children[0], isDictionaryRead: true, depth: depth + 1)
            guard elements.count >= total else {
                throw IPCError(.corrupt, "\(elements.count) elements instead of \(total)")
            }
            storage = .list(offsets: BufferSlice(offsets), elements: ColumnBox(elements))
        default:
            var isLarge = false
            if case .list(true) = field.layout { isLarge = true }
            let offsets = try listOffsets(count, isLarge: isLarge)
            let elements = try column(field.children[0], isDictionaryRead: true, depth: depth + 1)
            guard offsets.last <= elements.count else {
                throw IPCError(.corrupt, "the offsets of a list do not fit its elements")
            }
            storage = .list(offsets: offsets.slice, elements: ColumnBox(elements))
        }
        return Column(type: field.field.type, count: count, validity: validity, storage: storage)
    }

    /// Offsets that ascend from 0 or more, as 32 bits.
    private mutating func listOffsets(
        _ count: Int,
        isLarge: Bool
    ) throws(IPCError) -> (slice: BufferSlice, last: Int) {
        let width = isLarge ? 8 : 4
        // Old writers leave the buffer out when there are no rows.
        let piece = try piece(required: count == 0 ? 0 : (count + 1) * width, alignment: width)
        if count == 0 { return (BufferSlice(try allocateZeroed(4)), 0) }
        if !isLarge {
            let offsets = piece.pointer(as: Int32.self)
            guard Self.ascend(offsets, count) else {
                throw IPCError(.corrupt, "offsets do not ascend")
            }
            return (piece.slice, Int(offsets[count]))
        }
        let offsets = piece.pointer(as: Int64.self)
        guard Self.ascend(offsets, count) else {
            throw IPCError(.corrupt, "offsets do not ascend")
        }
        guard offsets[count] <= Int64(Int32.max) else {
            throw IPCError(.unsupported, "\(offsets[count]) list elements in a batch")
        }
        let target = try allocate((count + 1) * 4)
        let small = target.mutable(as: Int32.self)
        for row in 0...count { small[row] = Int32(truncatingIfNeeded: offsets[row]) }
        return (BufferSlice(target), Int(offsets[count]))
    }

    @inline(__always)
    static func ascend<T: FixedWidthInteger>(_ offsets: UnsafePointer<T>, _ count: Int) -> Bool {
        var isDown = offsets[0] < 0
        for row in 0..<count { isDown = isDown || offsets[row &+ 1] < offsets[row] }
        return !isDown
    }

    // MARK: Text

    private mutating func text(
        _ type: DataType,
        _ offsets: IPCField.Offsets,
        _ count: Int,
        _ validity: Bitmap?,
        isText: Bool
    ) throws(IPCError) -> Column {
        switch offsets {
        case .view:
            return try views(type, count, validity, isText: isText)
        case .small:
            let piece = try piece(required: count == 0 ? 0 : (count + 1) * 4, alignment: 4)
            return try text(type, piece.pointer(as: Int32.self), count, validity, isText: isText)
        case .large:
            let piece = try piece(required: count == 0 ? 0 : (count + 1) * 8, alignment: 8)
            return try text(type, piece.pointer(as: Int64.self), count, validity, isText: isText)
        }
    }

    private mutating func text<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: DataType,
        _ offsets: UnsafePointer<T>,
        _ count: Int,
        _ validity: Bitmap?,
        isText: Bool
    ) throws(IPCError) -> Column {
        let views = try allocate(count * 16)
        let data = try piece(required: 0)
        guard count > 0 else {
            return Column(
                type: type,
                count: 0,
                validity: nil,
                storage: .views(BufferSlice(views), owners: .none)
            )
        }
        guard Self.ascend(offsets, count), Int64(offsets[count]) <= Int64(data.byteCount) else {
            throw IPCError(.corrupt, "the offsets of text do not fit its bytes")
        }
        let base = data.pointer(as: UInt8.self)
        let first = Int(offsets[0])
        let last = Int(offsets[count])
        let isCheckNeeded = isText && !IPCUTF8.isASCII(base + first, last - first)
        let target = views.mutable(as: StringView.self)
        for row in 0..<count {
            if let validity, !validity[row] {
                target[row] = .empty
                continue
            }
            let start = Int(offsets[row])
            let length = Int(offsets[row &+ 1]) - start
            guard length <= Int(UInt32.max) else {
                throw IPCError(.unsupported, "a text of \(length) bytes")
            }
            if isCheckNeeded, !IPCUTF8.isValid(base + start, length) {
                throw IPCError(.corrupt, "a text is not valid UTF-8 (row \(row) of the batch)")
            }
            target[row] = StringView(base + start, count: length)
        }
        return Column(
            type: type,
            count: count,
            validity: validity,
            storage: .views(BufferSlice(views), owners: BufferOwners([data.slice.buffer]))
        )
    }

    /// Arrow's views have a buffer's number and an offset where ours have an address.
    private mutating func views(
        _ type: DataType,
        _ count: Int,
        _ validity: Bitmap?,
        isText: Bool
    ) throws(IPCError) -> Column {
        let source = try piece(required: count * 16, alignment: 8)
        guard nextVariadic < header.variadicCounts.count else {
            throw IPCError(.corrupt, "the batch does not say how many buffers views have")
        }
        let bufferCount = header.variadicCounts[nextVariadic]
        nextVariadic += 1
        guard bufferCount >= 0, bufferCount <= Int64(header.buffers.count / 2) else {
            throw IPCError(.corrupt, "views with \(bufferCount) buffers")
        }
        var buffers: [Piece] = []
        for _ in 0..<bufferCount { buffers.append(try piece(required: 0)) }
        let views = try allocate(count * 16)
        let target = views.mutable(as: StringView.self)
        let raw = source.pointer(as: UInt8.self)
        for row in 0..<count {
            if let validity, !validity[row] {
                target[row] = .empty
                continue
            }
            let view = UnsafeRawPointer(raw + row * 16)
            let length = Int(view.loadUnaligned(as: Int32.self))
            let bytes: UnsafePointer<UInt8>
            if length >= 0, length <= StringView.inlineCountMax {
                bytes = raw + row * 16 + 4
            } else {
                let number = Int(view.loadUnaligned(fromByteOffset: 8, as: Int32.self))
                let offset = Int(view.loadUnaligned(fromByteOffset: 12, as: Int32.self))
                guard length >= 0, number >= 0, number < buffers.count, offset >= 0,
                    offset + length <= buffers[number].byteCount
                else {
                    throw IPCError(.corrupt, "a view points outside its buffers")
                }
                bytes = buffers[number].pointer(as: UInt8.self) + offset
            }
            if isText, !IPCUTF8.isASCII(bytes, length), !IPCUTF8.isValid(bytes, length) {
                throw IPCError(.corrupt, "a text is not valid UTF-8 (row \(row) of the batch)")
            }
            target[row] = StringView(bytes, count: length)
        }
        return Column(
            type: type,
            count: count,
            validity: validity,
            storage: .views(
                BufferSlice(views),
                owners: BufferOwners(buffers.map(\.slice.buffer))
            )
        )
    }
}

/// Checks of text that comes in Arrow buffers.
enum IPCUTF8 {
    static func isASCII(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        let raw = UnsafeRawPointer(bytes)
        var all: UInt64 = 0
        var at = 0
        while at &+ 8 <= count {
            all |= raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            at &+= 8
        }
        while at < count {
            all |= UInt64(bytes[at])
            at &+= 1
        }
        return all & 0x8080_8080_8080_8080 == 0
    }

    static func isValid(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        if isASCII(bytes, count) { return true }
        let text = UnsafeBufferPointer(start: bytes, count: count)
        return String(validating: text, as: UTF8.self) != nil
    }
}
