/// The dictionaries of a stream or file, by their ids.
struct IPCDictionaries {
    private struct Entry {
        /// The values as they were sent: with nulls, of any type.
        var values: Column
        /// The same without nulls, when columns can count into it.
        var dictionary: ColumnDictionary?
    }

    private var entries: [Int64: Entry] = [:]

    /// Adds, extends or replaces a dictionary.
    mutating func set(_ id: Int64, _ values: Column, isDelta: Bool) throws(IPCError) {
        var values = values.flattened()
        if isDelta, let old = entries[id] {
            guard old.values.type == values.type else {
                throw IPCError(.corrupt, "dictionary \(id) goes on with another type")
            }
            let builder = ColumnBuilder(
                values.type,
                capacity: old.values.count + values.count
            )
            for row in 0..<old.values.count { builder.append(old.values.value(at: row)) }
            for row in 0..<values.count { builder.append(values.value(at: row)) }
            values = builder.finish()
        }
        let canCount = !values.type.isNested && values.type != .null && values.count > 0
        let plain = Column(
            type: values.type,
            count: values.count,
            validity: nil,
            storage: values.storage
        )
        entries[id] = Entry(
            values: values,
            dictionary: canCount ? ColumnDictionary(plain) : nil
        )
    }

    /// A column of indices into a dictionary.
    func column(
        _ encoding: IPCField.Dictionary,
        type: DataType,
        indices: IPCBodyReader.Piece,
        count: Int,
        validity: Bitmap?
    ) throws(IPCError) -> Column {
        let isAllNull = validity.map { $0.trueCount == 0 } ?? (count == 0)
        if isAllNull { return .nulls(type, count: count) }
        guard let entry = entries[encoding.id] else {
            throw IPCError(.corrupt, "dictionary \(encoding.id) has not been sent")
        }
        guard entry.values.type == type else {
            throw IPCError(.corrupt, "dictionary \(encoding.id) has another type")
        }
        let buffer = Buffer(zeroedByteCount: count * 4)
        let codes = buffer.mutable(as: UInt32.self)
        let limit = entry.values.count
        let isInside: Bool
        switch (encoding.indexBits, encoding.isSigned) {
        case (8, true): isInside = Self.copy(indices, Int8.self, codes, count, validity, limit)
        case (8, false): isInside = Self.copy(indices, UInt8.self, codes, count, validity, limit)
        case (16, true): isInside = Self.copy(indices, Int16.self, codes, count, validity, limit)
        case (16, false): isInside = Self.copy(indices, UInt16.self, codes, count, validity, limit)
        case (32, true): isInside = Self.copy(indices, Int32.self, codes, count, validity, limit)
        case (32, false): isInside = Self.copy(indices, UInt32.self, codes, count, validity, limit)
        case (64, true): isInside = Self.copy(indices, Int64.self, codes, count, validity, limit)
        default: isInside = Self.copy(indices, UInt64.self, codes, count, validity, limit)
        }
        guard isInside else {
            throw IPCError(.corrupt, "an index is outside dictionary \(encoding.id)")
        }
        guard let dictionary = entry.dictionary else {
            // Nested values: the column is written out.
            let builder = ColumnBuilder(type, capacity: count)
            for row in 0..<count {
                let isNull = validity.map { !$0[row] } ?? false
                builder.append(isNull ? .null : entry.values.value(at: Int(codes[row])))
            }
            return builder.finish()
        }
        return Column(
            type: type,
            count: count,
            validity: Self.validity(validity, codes, count, entry.values),
            storage: .dictionary(codes: BufferSlice(buffer), dictionary)
        )
    }

    /// Copies the indices of rows that are not null; false when one is not below `limit`.
    private static func copy<T: FixedWidthInteger & BitwiseCopyable>(
        _ indices: IPCBodyReader.Piece,
        _: T.Type,
        _ codes: UnsafeMutablePointer<UInt32>,
        _ count: Int,
        _ validity: Bitmap?,
        _ limit: Int
    ) -> Bool {
        let source = indices.pointer(as: T.self)
        for row in 0..<count {
            if let validity, !validity[row] { continue }
            guard let code = UInt32(exactly: source[row]), Int(code) < limit else { return false }
            codes[row] = code
        }
        return true
    }

    /// The validity of rows whose index leads to a null in the dictionary, too.
    private static func validity(
        _ validity: Bitmap?,
        _ codes: UnsafeMutablePointer<UInt32>,
        _ count: Int,
        _ values: Column
    ) -> Bitmap? {
        guard let valid = values.validity else { return validity }
        let buffer = Buffer(zeroedByteCount: Bitmap.wordCount(count) * 8)
        let words = buffer.mutable(as: UInt64.self)
        for row in 0..<count where valid[Int(codes[row])] {
            words[row >> 6] |= 1 << UInt64(row & 63)
        }
        return Bitmap.and(validity, Bitmap(buffer: buffer, count: count))
    }
}
