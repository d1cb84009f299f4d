import Bytes

/// Puts columns into the buffers of a record batch's body.
struct IPCBodyWriter {
    private(set) var body: [UInt8] = []
    /// Length and null count of every field, depth first.
    private(set) var nodes: [Int64] = []
    /// Offset and length of every buffer.
    private(set) var buffers: [Int64] = []
    private let compression: IPCCompression?
    private let usesLargeOffsets: Bool

    init(compression: IPCCompression?, usesLargeOffsets: Bool) {
        self.compression = compression
        self.usesLargeOffsets = usesLargeOffsets
    }

    mutating func add(_ column: Column) throws(IPCError) {
        let flat = column.flattened()
        nodes.append(Int64(flat.count))
        nodes.append(Int64(flat.nullCount))
        // A column of type null has no buffers at all.
        if case .null = flat.type { return }
        try addValidity(flat)
        switch flat.storage {
        case .bits(let bits):
            try add(UnsafeRawBufferPointer(start: bits.words, count: (bits.count + 7) / 8))
        case .fixed(let values): try addFixed(flat, values)
        case .views(let views, _): try addViews(flat, views)
        case .list(let offsets, let elements):
            let rows = try addOffsets(flat, offsets)
            try add(elements.column.slice(rows))
        case .structure(let columns):
            for child in columns { try add(child) }
        case .map(let offsets, let keys, let values):
            let rows = try addOffsets(flat, offsets)
            nodes.append(Int64(rows.count))
            nodes.append(0)
            try addBytes([])
            try add(keys.column.slice(rows))
            try add(values.column.slice(rows))
        case .null, .constant, .dictionary:
            preconditionFailure("a flattened column is none of these")
        }
        withExtendedLifetime(flat) {}
    }

    /// Adds indices into a dictionary, in 32 bits.
    mutating func addIndices(
        _ codes: BufferSlice,
        count: Int,
        validity: Bitmap?
    ) throws(IPCError) {
        nodes.append(Int64(count))
        nodes.append(Int64(validity.map { count - $0.trueCount } ?? 0))
        if let validity {
            try add(UnsafeRawBufferPointer(start: validity.words, count: (count + 7) / 8))
        } else {
            try addBytes([])
        }
        try add(UnsafeRawBufferPointer(start: codes.pointer(as: UInt8.self), count: count * 4))
    }

    private mutating func addValidity(_ column: Column) throws(IPCError) {
        guard let validity = column.validity, column.hasNulls else {
            try addBytes([])
            return
        }
        let byteCount = (validity.count + 7) / 8
        try add(UnsafeRawBufferPointer(start: validity.words, count: byteCount))
    }

    private mutating func addFixed(_ column: Column, _ values: BufferSlice) throws(IPCError) {
        let count = column.count
        switch column.type {
        case .decimal(let precision, _) where precision <= 18:
            let source = values.pointer(as: Int64.self)
            let target = Buffer(byteCount: count * 16)
            let wide = target.mutable(as: Int128.self)
            for row in 0..<count { wide[row] = Int128(source[row]) }
            try add(target.bytes)
        case .uuid:
            let source = values.pointer(as: Int128.self)
            let target = Buffer(byteCount: count * 16)
            let raw = target.mutable(as: UInt128.self)
            for row in 0..<count {
                raw[row] = UUIDBits.bigEndian(fromOrdered: source[row]).bigEndian
            }
            try add(target.bytes)
        case .interval:
            let source = values.pointer(as: Int128.self)
            let target = Buffer(byteCount: count * 16)
            let raw = target.mutable(as: UInt128.self)
            for row in 0..<count {
                let interval = Interval(bits: source[row])
                let (nanos, overflow) = interval.micros.multipliedReportingOverflow(by: 1000)
                if overflow, !column.isNull(row) {
                    throw IPCError(
                        .unsupported,
                        "an interval of \(interval.micros) microseconds does not fit nanoseconds"
                    )
                }
                raw[row] =
                    UInt128(UInt32(bitPattern: interval.months))
                    | UInt128(UInt32(bitPattern: interval.days)) << 32
                    | UInt128(UInt64(bitPattern: nanos)) << 64
            }
            try add(target.bytes)
        default:
            let byteCount = count * column.type.physical.byteWidth
            try add(
                UnsafeRawBufferPointer(start: values.pointer(as: UInt8.self), count: byteCount)
            )
        }
    }

    private mutating func addViews(_ column: Column, _ slice: BufferSlice) throws(IPCError) {
        let count = column.count
        let views = slice.pointer(as: StringView.self)
        if case .fixed(let width) = column.type {
            let target = Buffer(zeroedByteCount: count * width)
            for row in 0..<count where !column.isNull(row) {
                let bytes = (views + row).viewBytes
                guard bytes.count == width else {
                    throw IPCError(.corrupt, "\(bytes.count) bytes in a column of \(width)")
                }
                if let base = bytes.baseAddress {
                    (target.base + row * width).copyMemory(from: base, byteCount: width)
                }
            }
            try add(target.bytes)
            return
        }
        var total = 0
        for row in 0..<count { total &+= views[row].count }
        let data = Buffer(byteCount: total)
        if usesLargeOffsets {
            let offsets = Buffer(byteCount: (count + 1) * 8)
            Self.gather(views, count, offsets.mutable(as: Int64.self), data)
            try add(offsets.bytes)
        } else {
            guard total <= Int(Int32.max) else {
                throw IPCError(.unsupported, "\(total) bytes of text in one batch")
            }
            let offsets = Buffer(byteCount: (count + 1) * 4)
            Self.gather(views, count, offsets.mutable(as: Int32.self), data)
            try add(offsets.bytes)
        }
        try add(data.bytes)
    }

    @inline(__always)
    private static func gather<T: FixedWidthInteger & BitwiseCopyable>(
        _ views: UnsafePointer<StringView>,
        _ count: Int,
        _ offsets: UnsafeMutablePointer<T>,
        _ data: Buffer
    ) {
        var at = 0
        offsets[0] = 0
        for row in 0..<count {
            let bytes = (views + row).viewBytes
            if let base = bytes.baseAddress {
                (data.base + at).copyMemory(from: base, byteCount: bytes.count)
            }
            at &+= bytes.count
            offsets[row &+ 1] = T(truncatingIfNeeded: at)
        }
    }

    /// Writes the offsets of a list or map, moved so that the first is 0; gives the rows they cover.
    private mutating func addOffsets(
        _ column: Column,
        _ slice: BufferSlice
    ) throws(IPCError) -> Range<Int> {
        let source = slice.pointer(as: Int32.self)
        let first = source[0]
        let target = Buffer(byteCount: (column.count + 1) * 4)
        let offsets = target.mutable(as: Int32.self)
        for row in 0...column.count { offsets[row] = source[row] &- first }
        try add(target.bytes)
        return Int(first)..<Int(source[column.count])
    }

    private mutating func addBytes(_ bytes: [UInt8]) throws(IPCError) {
        var thrown: IPCError?
        bytes.withUnsafeBytes { raw in
            do throws(IPCError) {
                try add(raw)
            } catch {
                thrown = error
            }
        }
        if let thrown { throw thrown }
    }

    private mutating func add(_ bytes: UnsafeRawBufferPointer) throws(IPCError) {
        let start = body.count
        if let compression, bytes.count > 0 {
            try addCompressed(bytes, compression)
        } else {
            body.append(contentsOf: bytes)
        }
        buffers.append(Int64(start))
        buffers.append(Int64(body.count - start))
        let padded = (body.count + IPCFormat.alignment - 1) & ~(IPCFormat.alignment - 1)
        body.append(contentsOf: repeatElement(0, count: padded - body.count))
    }

    private mutating func addCompressed(
        _ bytes: UnsafeRawBufferPointer,
        _ compression: IPCCompression
    ) throws(IPCError) {
        let packed: [UInt8]
        do throws(BytesError) {
            switch compression {
            case .lz4Frame: packed = try compressLZ4Frame(bytes)
            case .zstd: packed = try compress(.zstd, bytes)
            }
        } catch {
            throw IPCError(.unsupported, error.message)
        }
        if packed.count < bytes.count {
            body.appendLittleEndian(Int64(bytes.count))
            body.append(contentsOf: packed)
        } else {
            // Minus one says that the bytes are as they were.
            body.appendLittleEndian(-1 as Int64)
            body.append(contentsOf: bytes)
        }
    }
}
