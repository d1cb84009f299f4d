extension TextFormat {
    /// Appends the value in a row; nothing for null.
    ///
    /// Lists as `[1, 2]`, structs as `{'a': 1}`, maps as `{k=v}`, with `NULL` for nulls inside and
    /// text inside between single quotes where it would be misread.
    package static func append(
        _ column: Column,
        row: Int,
        offsetSeconds: Int = 0,
        to text: inout [UInt8]
    ) {
        precondition(row >= 0 && row < column.count)
        if column.isNull(row) { return }
        switch column.storage {
        case .null:
            return
        case .constant(let box):
            append(box.column, row: 0, offsetSeconds: offsetSeconds, to: &text)
        case .dictionary(let codes, let dictionary):
            let code = Int(codes.pointer(as: UInt32.self)[row])
            append(dictionary.values, row: code, offsetSeconds: offsetSeconds, to: &text)
        case .bits(let bits):
            append(bits[row], to: &text)
        case .fixed(let values):
            appendFixed(column.type, values, row, offsetSeconds, to: &text)
        case .views(let views, _):
            let bytes = (views.pointer(as: StringView.self) + row).viewBytes
            if column.type == .string {
                text.append(contentsOf: bytes)
            } else {
                appendBinary(bytes, to: &text)
            }
        case .list(let offsets, let elements):
            let bounds = offsets.pointer(as: Int32.self)
            text.append(UInt8(ascii: "["))
            for element in Int(bounds[row])..<Int(bounds[row + 1]) {
                if element > Int(bounds[row]) { text.append(contentsOf: ", ".utf8) }
                appendInside(elements.column, element, offsetSeconds, to: &text)
            }
            text.append(UInt8(ascii: "]"))
        case .structure(let columns):
            guard case .structure(let fields) = column.type else { return }
            // Fields without names are a tuple.
            let isTuple = !fields.isEmpty && fields.allSatisfy { $0.name.isEmpty }
            text.append(UInt8(ascii: isTuple ? "(" : "{"))
            for (index, field) in fields.enumerated() {
                if index > 0 { text.append(contentsOf: ", ".utf8) }
                if !isTuple {
                    appendQuoted(Array(field.name.utf8)[...], to: &text)
                    text.append(contentsOf: ": ".utf8)
                }
                appendInside(columns[index], row, offsetSeconds, to: &text)
            }
            text.append(UInt8(ascii: isTuple ? ")" : "}"))
        case .map(let offsets, let keys, let values):
            let bounds = offsets.pointer(as: Int32.self)
            text.append(UInt8(ascii: "{"))
            for entry in Int(bounds[row])..<Int(bounds[row + 1]) {
                if entry > Int(bounds[row]) { text.append(contentsOf: ", ".utf8) }
                appendInside(keys.column, entry, offsetSeconds, to: &text)
                text.append(UInt8(ascii: "="))
                appendInside(values.column, entry, offsetSeconds, to: &text)
            }
            text.append(UInt8(ascii: "}"))
        }
    }

    private static func appendInside(
        _ column: Column,
        _ row: Int,
        _ offsetSeconds: Int,
        to text: inout [UInt8]
    ) {
        if column.isNull(row) { return text.append(contentsOf: "NULL".utf8) }
        if column.type.isNested {
            return append(column, row: row, offsetSeconds: offsetSeconds, to: &text)
        }
        let start = text.count
        append(column, row: row, offsetSeconds: offsetSeconds, to: &text)
        let bytes = text[start...]
        if isPlain(bytes) { return }
        var quoted: [UInt8] = []
        appendQuoted(bytes, to: &quoted)
        text.replaceSubrange(start..., with: quoted)
    }

    /// Whether text inside a nested value reads back as it is without quotes.
    private static func isPlain(_ bytes: ArraySlice<UInt8>) -> Bool {
        // Reading drops these around a value.
        func isBlank(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
        guard let first = bytes.first, let last = bytes.last, !isBlank(first), !isBlank(last) else {
            return false
        }
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"),
                UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ","), UInt8(ascii: "="),
                UInt8(ascii: ":"), UInt8(ascii: "'"), UInt8(ascii: "\""):
                return false
            default: break
            }
        }
        return bytes.count != 4 || String(decoding: bytes, as: UTF8.self).uppercased() != "NULL"
    }

    private static func appendQuoted(_ bytes: ArraySlice<UInt8>, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "'"))
        for byte in bytes {
            if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\\") {
                text.append(UInt8(ascii: "\\"))
            }
            text.append(byte)
        }
        text.append(UInt8(ascii: "'"))
    }

    private static func appendFixed(
        _ type: DataType,
        _ values: BufferSlice,
        _ row: Int,
        _ offsetSeconds: Int,
        to text: inout [UInt8]
    ) {
        func int64() -> Int64 { values.pointer(as: Int64.self)[row] }
        func int128() -> Int128 { values.pointer(as: Int128.self)[row] }
        switch type {
        case .int32: append(Int64(values.pointer(as: Int32.self)[row]), to: &text)
        case .date: appendDate(Int(values.pointer(as: Int32.self)[row]), to: &text)
        case .int64: append(int64(), to: &text)
        case .time: appendTime(Int(int64()), to: &text)
        case .timestamp: appendTimestamp(int64(), to: &text)
        case .timestamptz:
            appendTimestamptz(int64(), offsetSeconds: offsetSeconds, to: &text)
        case .float32: append(values.pointer(as: Float.self)[row], to: &text)
        case .float64: append(values.pointer(as: Double.self)[row], to: &text)
        case .decimal(_, let scale):
            let digits = type.physical == .int64 ? Int128(int64()) : int128()
            appendDecimal(digits, scale: scale, to: &text)
        case .uuid: appendUUID(int128(), to: &text)
        case .interval: append(Interval(bits: int128()), to: &text)
        default: preconditionFailure("\(type) has no fixed width")
        }
    }

    /// Integers as text, written backwards into scratch memory.
    private static func integers(_ column: Column) -> Column {
        guard case .fixed(let values) = column.storage else { return column }
        let (narrow, wide) = (values.pointer(as: Int32.self), values.pointer(as: Int64.self))
        let isWide = column.type == .int64
        var arena = ByteArena()
        let buffer = Buffer(byteCount: column.count * 16)
        let views = buffer.mutable(as: StringView.self)
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { scratch in
            guard let end = scratch.baseAddress.map({ $0 + 24 }) else { return }
            for row in 0..<column.count {
                let value = isWide ? wide[row] : Int64(narrow[row])
                var rest = value.magnitude
                var place = end
                repeat {
                    let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                    place -= 1
                    place.pointee = zero &+ UInt8(truncatingIfNeeded: digit)
                    rest = quotient
                } while rest > 0
                if value < 0 {
                    place -= 1
                    place.pointee = minus
                }
                views[row] = arena.intern(place, count: end - place)
            }
        }
        if let validity = column.validity {
            for row in 0..<column.count where !validity[row] { views[row] = .empty }
        }
        return withExtendedLifetime(column) {
            Column(
                type: .string,
                count: column.count,
                validity: column.validity,
                storage: .views(BufferSlice(buffer), owners: arena.owners)
            )
        }
    }

    /// A whole column as text; null stays null.
    ///
    /// Once per entry for constants and dictionaries that are not larger than the column.
    package static func column(_ column: Column, offsetSeconds: Int = 0) -> Column {
        if column.type == .string { return column }
        switch column.storage {
        case .null:
            return .nulls(.string, count: column.count)
        case .constant(let box):
            let one = self.column(box.column, offsetSeconds: offsetSeconds)
            return Column(
                type: .string,
                count: column.count,
                validity: nil,
                storage: .constant(ColumnBox(one))
            )
        case .dictionary(let codes, let dictionary):
            // Different values have different texts, so the entries stay distinct.
            let entries = self.column(dictionary.values, offsetSeconds: offsetSeconds)
            return Column(
                type: .string,
                count: column.count,
                validity: column.validity,
                storage: .dictionary(codes: codes, ColumnDictionary(entries))
            )
        default:
            break
        }
        if column.type == .int64 || column.type == .int32 { return integers(column) }
        var arena = ByteArena()
        let buffer = Buffer(zeroedByteCount: column.count * 16)
        let views = buffer.mutable(as: StringView.self)
        var text: [UInt8] = []
        text.reserveCapacity(64)
        for row in 0..<column.count where !column.isNull(row) {
            text.removeAll(keepingCapacity: true)
            append(column, row: row, offsetSeconds: offsetSeconds, to: &text)
            text.withUnsafeBufferPointer { bytes in
                guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
                views[row] = arena.intern(base, count: bytes.count)
            }
        }
        return Column(
            type: .string,
            count: column.count,
            validity: column.validity,
            storage: .views(BufferSlice(buffer), owners: arena.owners)
        )
    }
}
