/// Grows one column a row at a time: for values that come one by one (text files, literals, tests).
///
/// Not for kernels, which write whole buffers. The typed `append`s must fit the type's physical form.
package final class ColumnBuilder {
    package let type: DataType
    package private(set) var count = 0
    private let physical: PhysicalType
    private var capacity: Int
    private var values: Buffer
    private var validity: Buffer
    private var nullCount = 0
    private var arena: ByteArena
    /// Builders of the parts of nested types: elements; or one a field; or keys and values.
    private var children: [ColumnBuilder] = []

    package init(_ type: DataType, capacity: Int = 256) {
        self.type = type
        physical = type.physical
        self.capacity = max(64, capacity)
        let width = Self.width(physical)
        values = Buffer(zeroedByteCount: (self.capacity + 1) * width)
        validity = Buffer(zeroedByteCount: Bitmap.wordCount(self.capacity) * 8)
        arena = ByteArena()
        switch type {
        case .list(let element): children = [ColumnBuilder(element.type, capacity: capacity)]
        case .structure(let fields):
            children = fields.map { ColumnBuilder($0.type, capacity: capacity) }
        case .map(let key, let value):
            children = [key, value].map { ColumnBuilder($0.type, capacity: capacity) }
        default: break
        }
    }

    private static func width(_ physical: PhysicalType) -> Int {
        // Booleans are kept as bytes until they are finished.
        physical == .bit ? 1 : physical.byteWidth
    }

    private func grow() {
        let width = Self.width(physical)
        let newCapacity = capacity * 2
        let newValues = Buffer(zeroedByteCount: (newCapacity + 1) * width)
        newValues.base.copyMemory(from: values.base, byteCount: (capacity + 1) * width)
        let newValidity = Buffer(zeroedByteCount: Bitmap.wordCount(newCapacity) * 8)
        newValidity.base.copyMemory(
            from: validity.base,
            byteCount: Bitmap.wordCount(capacity) * 8
        )
        (values, validity, capacity) = (newValues, newValidity, newCapacity)
    }

    @inline(__always)
    private func put<T: BitwiseCopyable>(_ value: T) {
        if count == capacity { grow() }
        values.mutable(as: T.self)[count] = value
        markValid()
    }

    @inline(__always)
    private func markValid() {
        validity.mutable(as: UInt64.self)[count >> 6] |= 1 &<< UInt64(count & 63)
        count &+= 1
    }

    package func appendNull() {
        if count == capacity { grow() }
        switch type {
        case .list, .map:
            values.mutable(as: Int32.self)[count + 1] = Int32(children[0].count)
        case .structure:
            for child in children { child.appendNull() }
        default: break
        }
        nullCount += 1
        count += 1
    }

    package func append(_ value: Bool) {
        precondition(physical == .bit)
        put(UInt8(value ? 1 : 0))
    }

    package func append(_ value: Int32) {
        precondition(physical == .int32)
        put(value)
    }

    package func append(_ value: Int64) {
        precondition(physical == .int64)
        put(value)
    }

    package func append(_ value: Float) {
        precondition(physical == .float32)
        put(value)
    }

    package func append(_ value: Double) {
        precondition(physical == .float64)
        put(value)
    }

    package func append(_ value: Int128) {
        precondition(physical == .int128)
        put(value)
    }

    /// Appends text or bytes, copying them.
    package func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        precondition(physical == .view)
        guard let base = bytes.baseAddress, bytes.count > 0 else {
            put(StringView.empty)
            return
        }
        put(arena.intern(base, count: bytes.count))
    }

    package func append(_ text: String) {
        var text = text
        text.withUTF8 { append($0) }
    }

    /// Appends a decimal's digits (without the point, at the type's scale), whatever its width.
    package func appendDecimal(_ digits: Int128) {
        if physical == .int64 {
            append(Int64(digits))
        } else {
            append(digits)
        }
    }

    /// Closes a list or map row whose elements (`elementBuilders`) have been appended before.
    package func finishListRow() {
        if count == capacity { grow() }
        values.mutable(as: Int32.self)[count + 1] = Int32(children[0].count)
        markValid()
    }

    /// Closes a struct row whose fields have been appended to `elementBuilders` before.
    package func finishStructRow() {
        if count == capacity { grow() }
        markValid()
    }

    /// The builders of a list's elements, a struct's fields, or a map's keys and values.
    package var elementBuilders: [ColumnBuilder] { children }

    /// Appends a value of this builder's type, or null.
    package func append(_ value: Value) {
        switch value {
        case .null: appendNull()
        case .boolean(let value): append(value)
        case .int32(let value), .date(let value): append(value)
        case .int64(let value), .time(let value), .timestamp(let value), .timestamptz(let value):
            append(value)
        case .float32(let value): append(value)
        case .float64(let value): append(value)
        case .decimal(let digits): appendDecimal(digits)
        case .interval(let interval): append(interval.bits)
        case .uuid(let bits): append(bits)
        case .string(let text): append(text)
        case .binary(let bytes), .fixed(let bytes): bytes.withUnsafeBufferPointer { append($0) }
        case .list(let elements):
            for element in elements { children[0].append(element) }
            finishListRow()
        case .structure(let fields):
            precondition(fields.count == children.count)
            for (child, field) in zip(children, fields) { child.append(field) }
            finishStructRow()
        case .map(let entries):
            for entry in entries {
                children[0].append(entry.key)
                children[1].append(entry.value)
            }
            finishListRow()
        }
    }

    /// The column; the builder is empty afterwards and can go on with the next one.
    package func finish() -> Column {
        let finishedCount = count
        let bitmap =
            nullCount == 0 ? nil : Bitmap(buffer: validity, count: finishedCount)
        let storage: Column.Storage
        switch physical {
        case .none:
            storage = .null
        case .bit:
            let flags = UnsafePointer(values.mutable(as: UInt8.self))
            let bits = Buffer(zeroedByteCount: Bitmap.wordCount(finishedCount) * 8)
            let words = bits.mutable(as: UInt64.self)
            for row in 0..<finishedCount {
                words[row >> 6] |= UInt64(flags[row]) &<< UInt64(row & 63)
            }
            storage = .bits(Bitmap(buffer: bits, count: finishedCount))
        case .int32, .int64, .float32, .float64, .int128:
            storage = .fixed(BufferSlice(values))
        case .view:
            storage = .views(BufferSlice(values), owners: arena.owners)
        case .list:
            storage = .list(
                offsets: BufferSlice(values),
                elements: ColumnBox(children[0].finish())
            )
        case .structure:
            storage = .structure(children.map { $0.finish() })
        case .map:
            storage = .map(
                offsets: BufferSlice(values),
                keys: ColumnBox(children[0].finish()),
                values: ColumnBox(children[1].finish())
            )
        }
        let column = Column(
            type: type,
            count: finishedCount,
            validity: physical == .none ? nil : bitmap,
            storage: storage
        )
        count = 0
        nullCount = 0
        values = Buffer(zeroedByteCount: (capacity + 1) * Self.width(physical))
        validity = Buffer(zeroedByteCount: Bitmap.wordCount(capacity) * 8)
        arena = ByteArena()
        return column
    }
}

extension Column {
    /// A column of these values; for tests, literals and small results.
    package init(_ type: DataType, _ values: [Value]) {
        let builder = ColumnBuilder(type, capacity: values.count)
        for value in values { builder.append(value) }
        self = builder.finish()
    }

    /// The same value in every row.
    package static func constant(_ value: Value, _ type: DataType, count: Int) -> Column {
        if value.isNull { return .nulls(type, count: count) }
        return Column(
            type: type,
            count: count,
            validity: nil,
            storage: .constant(ColumnBox(Column(type, [value])))
        )
    }

    /// The value in a row; for printing and small results, not for loops over data.
    package func value(at row: Int) -> Value {
        precondition(row >= 0 && row < count)
        if isNull(row) { return .null }
        switch storage {
        case .null: return .null
        case .bits(let bits): return .boolean(bits[row])
        case .fixed(let values): return fixedValue(values, row)
        case .views(let views, _):
            let place = views.pointer(as: StringView.self) + row
            switch type {
            case .string: return .string(place.viewString)
            case .fixed: return .fixed(Array(place.viewBytes))
            default: return .binary(Array(place.viewBytes))
            }
        case .dictionary(let codes, let dictionary):
            return dictionary.values.value(at: Int(codes.pointer(as: UInt32.self)[row]))
        case .constant(let box): return box.column.value(at: 0)
        case .list(let offsets, let elements):
            let bounds = offsets.pointer(as: Int32.self)
            let rows = Int(bounds[row])..<Int(bounds[row + 1])
            return .list(rows.map { elements.column.value(at: $0) })
        case .structure(let columns):
            return .structure(columns.map { $0.value(at: row) })
        case .map(let offsets, let keys, let values):
            let bounds = offsets.pointer(as: Int32.self)
            let rows = Int(bounds[row])..<Int(bounds[row + 1])
            return .map(
                rows.map {
                    Value.MapEntry(
                        key: keys.column.value(at: $0),
                        value: values.column.value(at: $0)
                    )
                }
            )
        }
    }

    /// All values; for tests and small results.
    package var values: [Value] { (0..<count).map { value(at: $0) } }

    private func fixedValue(_ values: BufferSlice, _ row: Int) -> Value {
        switch type {
        case .int32: .int32(values.pointer(as: Int32.self)[row])
        case .date: .date(values.pointer(as: Int32.self)[row])
        case .int64: .int64(values.pointer(as: Int64.self)[row])
        case .time: .time(values.pointer(as: Int64.self)[row])
        case .timestamp: .timestamp(values.pointer(as: Int64.self)[row])
        case .timestamptz: .timestamptz(values.pointer(as: Int64.self)[row])
        case .float32: .float32(values.pointer(as: Float.self)[row])
        case .float64: .float64(values.pointer(as: Double.self)[row])
        case .decimal:
            type.physical == .int64
                ? .decimal(Int128(values.pointer(as: Int64.self)[row]))
                : .decimal(values.pointer(as: Int128.self)[row])
        case .uuid: .uuid(values.pointer(as: Int128.self)[row])
        case .interval: .interval(Interval(bits: values.pointer(as: Int128.self)[row]))
        default: preconditionFailure("\(type) has no fixed width")
        }
    }
}
