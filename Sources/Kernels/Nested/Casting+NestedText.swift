import Columnar

/// Lists, structs and maps from their text, as `TextFormat` writes them: `[1, NULL]`, `{'a': 1}`,
/// `{k=v}`, `(1, x)`.
///
/// A level at a time: the texts of a column are cut into the texts of their parts, which are a column
/// that is cast in turn.
extension Casting {
    static func nestedFromText(_ column: Column, _ context: Context) throws(KernelError) -> Column {
        let flat = column.flattened()
        let fields: [Field]
        switch context.type {
        case .list(let element): fields = [element]
        case .structure(let parts): fields = parts
        case .map(let key, let value): fields = [key, value]
        default: throw KernelError(.unsupported, "cannot cast \(column.type) to \(context.type)")
        }
        let texts = Operand(flat).views
        let builders = fields.map { _ in ColumnBuilder(.string, capacity: flat.count) }
        let offsets = Buffer(zeroedByteCount: (flat.count + 1) * 4)
        let bounds = offsets.mutable(as: Int32.self)
        var nulls = NullMarks(flat.validity, count: flat.count)
        for row in 0..<flat.count {
            let isNull = flat.isNull(row)
            if isNull || !cut((texts + row).text, context.type, fields, builders) {
                if !isNull {
                    guard context.isTry else { throw failure(flat, row, context, .invalidCast) }
                    nulls.mark(row)
                }
                if case .structure = context.type {
                    for builder in builders { builder.appendNull() }
                }
            }
            bounds[row + 1] = Int32(truncatingIfNeeded: builders.first?.count ?? 0)
        }
        var parts: [Column] = []
        for (builder, field) in zip(builders, fields) {
            parts.append(
                try cast(
                    builder.finish(),
                    to: field.type,
                    isTry: context.isTry,
                    offsetSeconds: context.offsetSeconds
                ).flattened()
            )
        }
        let storage: Column.Storage
        switch context.type {
        case .list:
            storage = .list(offsets: BufferSlice(offsets), elements: ColumnBox(parts[0]))
        case .structure: storage = .structure(parts)
        default:
            storage = .map(
                offsets: BufferSlice(offsets),
                keys: ColumnBox(parts[0]),
                values: ColumnBox(parts[1])
            )
        }
        let result = Column(
            type: context.type,
            count: flat.count,
            validity: normalized(nulls.bitmap),
            storage: storage
        )
        if case .map = context.type { return try Maps.checked(result) }
        return result
    }

    /// Appends the parts of one text to the builders; false, with nothing appended, when it is no such value.
    private static func cut(
        _ source: UnsafeBufferPointer<UInt8>,
        _ type: DataType,
        _ fields: [Field],
        _ builders: [ColumnBuilder]
    ) -> Bool {
        let text = trimmed(source)
        guard text.count >= 2, let first = text.first, let last = text.last else { return false }
        let isTuple: Bool
        switch (type, first, last) {
        case (.list, 0x5B, 0x5D), (.map, 0x7B, 0x7D): isTuple = false
        case (.structure, 0x7B, 0x7D): isTuple = false
        case (.structure, 0x28, 0x29): isTuple = true
        default: return false
        }
        let inside = UnsafeBufferPointer(rebasing: text[1..<text.count - 1])
        guard let pieces = split(inside, at: UInt8(ascii: ",")) else { return false }
        switch type {
        case .list(let element):
            for piece in pieces { append(piece, element.type, to: builders[0]) }
        case .map(let key, let value):
            var entries: [(UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>)] = []
            for piece in pieces {
                guard let pair = divided(piece, at: UInt8(ascii: "=")) else { return false }
                entries.append(pair)
            }
            for entry in entries {
                append(entry.0, key.type, to: builders[0])
                append(entry.1, value.type, to: builders[1])
            }
        default:
            var found = [UnsafeBufferPointer<UInt8>?](repeating: nil, count: fields.count)
            if isTuple {
                guard pieces.count == fields.count else { return false }
                found = pieces
            } else {
                for piece in pieces {
                    guard let pair = divided(piece, at: UInt8(ascii: ":")) else { return false }
                    let name = String(decoding: unquoted(pair.0).bytes, as: UTF8.self)
                    guard
                        let place = fields.firstIndex(where: {
                            $0.name.lowercased() == name.lowercased()
                        })
                    else { return false }
                    found[place] = pair.1
                }
            }
            for (index, piece) in found.enumerated() {
                guard let piece else {
                    builders[index].appendNull()
                    continue
                }
                append(piece, fields[index].type, to: builders[index])
            }
        }
        return true
    }

    private static func append(
        _ piece: UnsafeBufferPointer<UInt8>,
        _ type: DataType,
        to builder: ColumnBuilder
    ) {
        let text = trimmed(piece)
        if text.count == 4, String(decoding: text, as: UTF8.self).uppercased() == "NULL" {
            return builder.appendNull()
        }
        // The parts of parts keep their quotes until they are cut themselves.
        if type.isNested { return builder.append(text) }
        unquoted(text).bytes.withUnsafeBufferPointer { builder.append($0) }
    }

    /// The text without blanks and quotes around it, and without backslashes before other characters.
    private static func unquoted(
        _ piece: UnsafeBufferPointer<UInt8>
    ) -> (bytes: [UInt8], wasQuoted: Bool) {
        var text = trimmed(piece)
        var wasQuoted = false
        if text.count >= 2, let first = text.first, first == text.last,
            first == UInt8(ascii: "'") || first == UInt8(ascii: "\"")
        {
            text = UnsafeBufferPointer(rebasing: text[1..<text.count - 1])
            wasQuoted = true
        }
        guard text.contains(UInt8(ascii: "\\")) else { return (Array(text), wasQuoted) }
        var bytes: [UInt8] = []
        var index = 0
        while index < text.count {
            if text[index] == UInt8(ascii: "\\"), index + 1 < text.count { index += 1 }
            bytes.append(text[index])
            index += 1
        }
        return (bytes, wasQuoted)
    }

    /// The pieces between separators outside quotes and brackets, none of blanks alone; nil when quotes or
    /// brackets do not close.
    private static func split(
        _ text: UnsafeBufferPointer<UInt8>,
        at separator: UInt8
    ) -> [UnsafeBufferPointer<UInt8>]? {
        if trimmed(text).isEmpty { return [] }
        var pieces: [UnsafeBufferPointer<UInt8>] = []
        var start = 0
        while true {
            guard let end = scan(text, from: start, to: separator) else { return nil }
            pieces.append(UnsafeBufferPointer(rebasing: text[start..<end]))
            if end == text.count { return pieces }
            start = end + 1
        }
    }

    /// What stands before and behind the first separator outside quotes and brackets; nil without one.
    private static func divided(
        _ text: UnsafeBufferPointer<UInt8>,
        at separator: UInt8
    ) -> (UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>)? {
        guard let place = scan(text, from: 0, to: separator), place < text.count else { return nil }
        return (
            UnsafeBufferPointer(rebasing: text[..<place]),
            UnsafeBufferPointer(rebasing: text[(place + 1)...])
        )
    }

    /// Where the next separator outside quotes and brackets is, or the end; nil when something does not close.
    private static func scan(
        _ text: UnsafeBufferPointer<UInt8>,
        from start: Int,
        to separator: UInt8
    ) -> Int? {
        var open: [UInt8] = []
        var quote: UInt8?
        // A quote opens only where a value begins: in the middle of a word it is an apostrophe.
        var isAtStart = true
        var index = start
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "\\") {
                index += 2
                isAtStart = false
                continue
            }
            if let mark = quote {
                if byte == mark { quote = nil }
                index += 1
                continue
            }
            if byte == separator, open.isEmpty { return index }
            switch byte {
            case UInt8(ascii: "'") where isAtStart, UInt8(ascii: "\"") where isAtStart:
                quote = byte
            case UInt8(ascii: "["): open.append(UInt8(ascii: "]"))
            case UInt8(ascii: "{"): open.append(UInt8(ascii: "}"))
            case UInt8(ascii: "("): open.append(UInt8(ascii: ")"))
            case UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ")"):
                guard open.popLast() == byte else { return nil }
            default: break
            }
            switch byte {
            case UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "("), UInt8(ascii: ","),
                UInt8(ascii: ":"), UInt8(ascii: "="), 9...13, 32:
                isAtStart = isAtStart || byte > 32
            default: isAtStart = false
            }
            index += 1
        }
        guard open.isEmpty, quote == nil else { return nil }
        return text.count
    }
}

extension Casting {
    /// Whether text can be cast: to everything but a bare null, of which nothing is made of.
    static func canCastText(to type: DataType) -> Bool {
        switch type {
        case .null: false
        case .list(let element): canCastText(to: element.type) || element.type == .null
        case .structure(let fields):
            fields.allSatisfy { canCastText(to: $0.type) || $0.type == .null }
        case .map(let key, let value): canCastText(to: key.type) && canCastText(to: value.type)
        default: true
        }
    }

    /// For each field of a struct the place that its value comes from, nil for none; nil when the structs
    /// have nothing to do with each other.
    ///
    /// By name, and by position where one of the structs has no names.
    static func structurePlaces(from: [Field], to: [Field]) -> [Int?]? {
        let isPositional =
            from.allSatisfy { $0.name.isEmpty } || to.allSatisfy { $0.name.isEmpty }
        let places: [Int?]
        if isPositional {
            guard from.count == to.count else { return nil }
            places = Array(to.indices)
        } else {
            places = to.map { field in
                from.firstIndex { $0.name == field.name }
                    ?? from.firstIndex { $0.name.lowercased() == field.name.lowercased() }
            }
            if places.allSatisfy({ $0 == nil }) { return nil }
        }
        for (place, field) in zip(places, to) {
            if let place, !canCast(from[place].type, to: field.type) { return nil }
        }
        return places
    }
}
