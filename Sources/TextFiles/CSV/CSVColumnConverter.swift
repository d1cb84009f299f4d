import Columnar

/// Rows of one index that cannot be read, and why: for each the first column at fault.
struct CSVRowFaults {
    struct Fault {
        var row: Int
        var column: Int
        var reason: String
    }

    private(set) var isBad: [Bool] = []
    private(set) var faults: [Fault] = []

    var isEmpty: Bool { faults.isEmpty }

    mutating func add(row: Int, rowCount: Int, column: Int, reason: @autoclosure () -> String) {
        if isBad.isEmpty { isBad = [Bool](repeating: false, count: rowCount) }
        if isBad[row] { return }
        isBad[row] = true
        faults.append(Fault(row: row, column: column, reason: reason()))
    }
}

/// Makes a column out of one field of every row of an index.
///
/// The type is looked at once; then one loop goes down the rows and writes into buffers.
struct CSVColumnConverter {
    let field: Field
    let column: Int
    private let quote: UInt8?
    private let escape: UInt8?
    /// Whether an empty field without quotes is NULL in a string column.
    private let isEmptyNull: Bool
    /// Texts, not empty, that mean NULL.
    private let nullTexts: [[UInt8]]
    /// Bit `n` is set when a text of `n` bytes (63: of 63 or more) is among them.
    private let nullLengths: UInt64
    /// Whether such a text is also a value of the type, so that it must be looked for first.
    private let isNullCheckedFirst: Bool

    private typealias Bytes = UnsafePointer<UInt8>

    init(field: Field, column: Int, format: CSVFormat) throws(TextFileError) {
        switch field.type {
        case .interval, .list, .structure, .map:
            throw TextFileError(
                .unsupported,
                "a \(field.type) cannot be read from CSV",
                column: column + 1,
                columnName: field.name
            )
        default: break
        }
        self.field = field
        self.column = column
        quote = format.dialect.quote
        escape = format.dialect.escape
        isEmptyNull = format.nullStrings.contains("")
        var texts = format.nullStrings
        if field.type != .string { texts += format.typedNullStrings }
        nullTexts = texts.filter { !$0.isEmpty }.map { Array($0.utf8) }
        nullLengths = nullTexts.reduce(0) { $0 | 1 << UInt64(min(63, $1.count)) }
        isNullCheckedFirst = nullTexts.contains { text in
            let padded = text + [UInt8](repeating: 0, count: 8)
            return padded.withUnsafeBufferPointer {
                guard let base = $0.baseAddress else { return false }
                return CSVColumnConverter.isValue(base, text.count, of: field.type)
            }
        }
    }

    /// Whether the bytes are a value of `type`.
    static func isValue(_ bytes: UnsafePointer<UInt8>, _ count: Int, of type: DataType) -> Bool {
        switch type {
        case .boolean: FieldParsing.boolean(bytes, count) != nil
        case .int32: FieldParsing.int32(bytes, count) != nil
        case .int64: FieldParsing.int64(bytes, count) != nil
        case .float32, .float64: FieldParsing.double(bytes, count) != nil
        case .decimal(let precision, let scale):
            FieldParsing.decimal(bytes, count, precision: precision, scale: scale) != nil
        case .date: FieldParsing.date(bytes, count) != nil
        case .time: FieldParsing.time(bytes, count) != nil
        case .timestamp: FieldParsing.timestamp(bytes, count).map { !$0.hasZone } ?? false
        case .timestamptz: FieldParsing.timestamp(bytes, count) != nil
        case .uuid: FieldParsing.uuid(bytes, count) != nil
        default: true
        }
    }

    private func isNullText(_ bytes: Bytes, _ count: Int) -> Bool {
        guard nullLengths &>> UInt64(min(63, count)) & 1 != 0 else { return false }
        return nullTexts.contains { text in
            text.count == count && text.indices.allSatisfy { text[$0] == bytes[$0] }
        }
    }

    /// The field without spaces and tabs around it.
    static func trimmed(
        _ bytes: UnsafePointer<UInt8>,
        _ count: Int
    ) -> (bytes: UnsafePointer<UInt8>, count: Int) {
        var (start, end) = (0, count)
        while start < end, bytes[start] == 32 || bytes[start] == 9 { start += 1 }
        while end > start, bytes[end - 1] == 32 || bytes[end - 1] == 9 { end -= 1 }
        return (bytes + start, end - start)
    }

    /// The column, or rows added to `faults` (and then a column of no meaning).
    func convert(
        _ base: UnsafePointer<UInt8>,
        _ index: CSVRowIndex,
        _ faults: inout CSVRowFaults
    ) -> Column {
        let result: Column
        switch field.type {
        case .null:
            result = fixed(base, index, &faults, Int32(0)) { _, _ in nil }
        case .boolean:
            result = booleans(base, index, &faults)
        case .int32:
            result = fixed(base, index, &faults, Int32(0), FieldParsing.int32)
        case .int64:
            result = fixed(base, index, &faults, Int64(0), FieldParsing.int64)
        case .float32:
            result = fixed(base, index, &faults, Float(0), FieldParsing.float)
        case .float64:
            result = fixed(base, index, &faults, Double(0), FieldParsing.double)
        case .decimal(let precision, let scale) where precision <= 18:
            result = fixed(base, index, &faults, Int64(0)) { bytes, count in
                FieldParsing.decimal(bytes, count, precision: precision, scale: scale)
                    .map { Int64(truncatingIfNeeded: $0) }
            }
        case .decimal(let precision, let scale):
            result = fixed(base, index, &faults, Int128(0)) { bytes, count in
                FieldParsing.decimal(bytes, count, precision: precision, scale: scale)
            }
        case .date:
            result = fixed(base, index, &faults, Int32(0), FieldParsing.date)
        case .time:
            result = fixed(base, index, &faults, Int64(0), FieldParsing.time)
        case .timestamp:
            // A zone would have to be thrown away.
            result = fixed(base, index, &faults, Int64(0)) { bytes, count in
                guard let parsed = FieldParsing.timestamp(bytes, count), !parsed.hasZone else {
                    return nil
                }
                return parsed.micros
            }
        case .timestamptz:
            // Without a zone it is UTC.
            result = fixed(base, index, &faults, Int64(0)) { bytes, count in
                FieldParsing.timestamp(bytes, count)?.micros
            }
        case .uuid:
            result = fixed(base, index, &faults, Int128(0)) { bytes, count in
                FieldParsing.uuid(bytes, count).map { UUIDBits.ordered(fromBigEndian: $0) }
            }
        case .string:
            result = strings(base, index, &faults)
        case .binary, .fixed, .interval, .list, .structure, .map:
            // Only binary and fixed come here: `init` refuses the others.
            result = binaries(base, index, &faults)
        }
        if !field.isNullable, result.hasNulls {
            for row in 0..<result.count where result.isNull(row) {
                faults.add(
                    row: row,
                    rowCount: result.count,
                    column: column,
                    reason: "NULL in a column that must have values"
                )
            }
        }
        return result
    }

    private func reject(
        _ base: Bytes,
        _ raw: UInt64,
        _ row: Int,
        _ rowCount: Int,
        _ faults: inout CSVRowFaults
    ) {
        let start = Int(raw & 0xFFFF_FFFF)
        let count = Int(raw &>> 32 & CSVRowIndex.lengthMask)
        let text = UnsafeBufferPointer(start: base + start, count: count)
        faults.add(
            row: row,
            rowCount: rowCount,
            column: column,
            reason: "\"\(excerpt(text))\" is not a valid \(field.type)"
        )
    }

    @inline(__always)
    private func fixed<T: BitwiseCopyable>(
        _ base: UnsafePointer<UInt8>,
        _ index: CSVRowIndex,
        _ faults: inout CSVRowFaults,
        _ zero: T,
        _ parse: (UnsafePointer<UInt8>, Int) -> T?
    ) -> Column {
        let rowCount = index.rows.count
        let stride = index.columnCount
        let values = Buffer(byteCount: rowCount * MemoryLayout<T>.stride)
        let target = values.mutable(as: T.self)
        let validity = Buffer(zeroedByteCount: Bitmap.wordCount(rowCount) * 8)
        let words = validity.mutable(as: UInt64.self)
        let isNullCheckedFirst = isNullCheckedFirst
        var nullCount = 0
        var next = index.fields + column
        for row in 0..<rowCount {
            let raw = next.pointee
            next += stride
            let bytes = base + Int(truncatingIfNeeded: raw & 0xFFFF_FFFF)
            let count = Int(truncatingIfNeeded: raw &>> 32 & CSVRowIndex.lengthMask)
            if count > 0, !isNullCheckedFirst, let value = parse(bytes, count) {
                target[row] = value
                words[row &>> 6] |= 1 &<< UInt64(truncatingIfNeeded: row & 63)
                continue
            }
            target[row] = zero
            if count == 0 || isNullText(bytes, count) {
                nullCount &+= 1
                continue
            }
            let inner = Self.trimmed(bytes, count)
            if inner.count == 0 {
                nullCount &+= 1
            } else if let value = parse(inner.bytes, inner.count) {
                target[row] = value
                words[row &>> 6] |= 1 &<< UInt64(truncatingIfNeeded: row & 63)
            } else {
                reject(base, raw, row, rowCount, &faults)
            }
        }
        if case .null = field.type { return .nulls(.null, count: rowCount) }
        let bitmap = nullCount == 0 ? nil : Bitmap(buffer: validity, count: rowCount)
        return Column(field.type, count: rowCount, validity: bitmap, buffer: values)
    }

    private func booleans(
        _ base: UnsafePointer<UInt8>,
        _ index: CSVRowIndex,
        _ faults: inout CSVRowFaults
    ) -> Column {
        let rowCount = index.rows.count
        let values = Buffer(zeroedByteCount: Bitmap.wordCount(rowCount) * 8)
        let validity = Buffer(zeroedByteCount: Bitmap.wordCount(rowCount) * 8)
        let (bits, words) = (values.mutable(as: UInt64.self), validity.mutable(as: UInt64.self))
        var nullCount = 0
        for row in 0..<rowCount {
            let raw = index.fields[row * index.columnCount + column]
            let bytes = base + Int(raw & 0xFFFF_FFFF)
            let inner = Self.trimmed(bytes, Int(raw &>> 32 & CSVRowIndex.lengthMask))
            if inner.count == 0 || isNullText(inner.bytes, inner.count) {
                nullCount += 1
            } else if let value = FieldParsing.boolean(inner.bytes, inner.count) {
                bits[row >> 6] |= (value ? 1 : 0) << UInt64(row & 63)
                words[row >> 6] |= 1 << UInt64(row & 63)
            } else {
                reject(base, raw, row, rowCount, &faults)
            }
        }
        return Column(
            bits: Bitmap(buffer: values, count: rowCount),
            validity: nullCount == 0 ? nil : Bitmap(buffer: validity, count: rowCount)
        )
    }

    private func strings(
        _ base: UnsafePointer<UInt8>,
        _ index: CSVRowIndex,
        _ faults: inout CSVRowFaults
    ) -> Column {
        let rowCount = index.rows.count
        let stride = index.columnCount
        var heapCount = 0
        var next = index.fields + column
        for _ in 0..<rowCount {
            let raw = next.pointee
            next += stride
            let count = Int(truncatingIfNeeded: raw &>> 32 & CSVRowIndex.lengthMask)
            let isHeap = count > 12 || raw & CSVRowIndex.escapedFlag != 0
            heapCount &+= isHeap ? count : 0
        }
        let heap = Buffer(byteCount: heapCount)
        var free = heap.base.assumingMemoryBound(to: UInt8.self)
        let views = Buffer(byteCount: rowCount * 16)
        let target = views.mutable(as: UInt64.self)
        let validity = Buffer(zeroedByteCount: Bitmap.wordCount(rowCount) * 8)
        let words = validity.mutable(as: UInt64.self)
        let (isEmptyNull, nullLengths) = (isEmptyNull, nullLengths)
        var nullCount = 0
        next = index.fields + column
        for row in 0..<rowCount {
            let raw = next.pointee
            next += stride
            var bytes = base + Int(truncatingIfNeeded: raw & 0xFFFF_FFFF)
            var count = Int(truncatingIfNeeded: raw &>> 32 & CSVRowIndex.lengthMask)
            let view = target + row &* 2
            if raw & CSVRowIndex.quotedFlag == 0 {
                let isNull =
                    count == 0
                    ? isEmptyNull
                    : nullLengths != 0 && isNullText(bytes, count)
                if isNull {
                    view[0] = 0
                    view[1] = 0
                    nullCount &+= 1
                    continue
                }
            }
            words[row &>> 6] |= 1 &<< UInt64(truncatingIfNeeded: row & 63)
            if count <= 12, raw & CSVRowIndex.escapedFlag == 0 {
                // Both words are loaded whole, and what is behind the field is cut off.
                let low = FieldParsing.word(bytes) & Self.mask(count)
                let high = FieldParsing.word(bytes + 8) & Self.mask(count &- 8)
                if (low | high) & 0x8080_8080_8080_8080 != 0, !isValidUTF8(bytes, count) {
                    reject(base, raw, row, rowCount, &faults)
                }
                view[0] = UInt64(truncatingIfNeeded: count) | low &<< 32
                view[1] = low &>> 32 | high &<< 32
                continue
            }
            if !Self.isASCII(bytes, count), !isValidUTF8(bytes, count) {
                reject(base, raw, row, rowCount, &faults)
            }
            if raw & CSVRowIndex.escapedFlag == 0 {
                free.update(from: bytes, count: count)
            } else {
                count = unescape(bytes, count, to: free)
            }
            bytes = UnsafePointer(free)
            let made = StringView(bytes, count: count)
            view[0] = UInt64(made.length) | UInt64(made.prefix) &<< 32
            view[1] = made.rest
            free += count
        }
        return Column(
            type: field.type,
            count: rowCount,
            validity: nullCount == 0 ? nil : Bitmap(buffer: validity, count: rowCount),
            storage: .views(
                BufferSlice(views),
                owners: heapCount == 0 ? .none : BufferOwners([heap])
            )
        )
    }

    /// Ones over the first `count` bytes of a word.
    @inline(__always)
    private static func mask(_ count: Int) -> UInt64 {
        if count >= 8 { return .max }
        if count <= 0 { return 0 }
        return (1 &<< UInt64(truncatingIfNeeded: count &* 8)) &- 1
    }

    @inline(__always)
    private static func isASCII(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        var all: UInt64 = 0
        var at = 0
        while at &+ 8 <= count {
            all |= FieldParsing.word(bytes + at)
            at &+= 8
        }
        all |= FieldParsing.word(bytes + at) & mask(count &- at)
        return all & 0x8080_8080_8080_8080 == 0
    }

    /// Copies a quoted field without its escapes and gives its length.
    private func unescape(
        _ bytes: UnsafePointer<UInt8>,
        _ count: Int,
        to target: UnsafeMutablePointer<UInt8>
    ) -> Int {
        var written = 0
        var at = 0
        while at < count {
            // Inside a field, an escape is always followed by what it escapes, or means itself.
            if bytes[at] == escape, at + 1 < count, isEscapable(bytes[at + 1]) { at += 1 }
            target[written] = bytes[at]
            written += 1
            at += 1
        }
        return written
    }

    private func isEscapable(_ byte: UInt8) -> Bool {
        byte == escape || byte == quote
    }

    private func binaries(
        _ base: UnsafePointer<UInt8>,
        _ index: CSVRowIndex,
        _ faults: inout CSVRowFaults
    ) -> Column {
        let rowCount = index.rows.count
        let builder = ColumnBuilder(field.type, capacity: rowCount)
        for row in 0..<rowCount {
            let raw = index.fields[row * index.columnCount + column]
            let bytes = base + Int(raw & 0xFFFF_FFFF)
            let count = Int(raw &>> 32 & CSVRowIndex.lengthMask)
            if count == 0 || isNullText(bytes, count) {
                builder.appendNull()
                continue
            }
            let value = FieldParsing.binary(bytes, count)
            if case .fixed(let width) = field.type, let value, value.count != width {
                reject(base, raw, row, rowCount, &faults)
                builder.appendNull()
                continue
            }
            guard let value else {
                reject(base, raw, row, rowCount, &faults)
                builder.appendNull()
                continue
            }
            value.withUnsafeBufferPointer { builder.append($0) }
        }
        return builder.finish()
    }
}
