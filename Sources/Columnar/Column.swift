/// The values of one field for a number of rows, immutable and shared.
///
/// Kernels look at `storage` once a batch. Values under a null row are defined memory (zero, an empty
/// view, code 0) but mean nothing.
package struct Column: Sendable {
    package let type: DataType
    /// How many rows.
    package let count: Int
    /// Set for rows that hold a value; nil when all do.
    ///
    /// Always nil for `constant` and `null` storage.
    package let validity: Bitmap?
    package let storage: Storage

    package enum Storage: Sendable {
        /// Every row is null; of any type.
        case null
        /// Booleans.
        case bits(Bitmap)
        /// `type.physical.byteWidth` bytes a row, naturally aligned.
        case fixed(BufferSlice)
        /// A `StringView` a row; `owners` keep alive what they point to.
        case views(BufferSlice, owners: BufferOwners)
        /// A `UInt32` a row that counts into the dictionary. Codes are checked when they are read.
        case dictionary(codes: BufferSlice, ColumnDictionary)
        /// The same value in every row: a column of one row, not null.
        case constant(ColumnBox)
        /// `count + 1` offsets (`Int32`) into the elements.
        case list(offsets: BufferSlice, elements: ColumnBox)
        /// One column a field, each as long as this one.
        case structure([Column])
        /// `count + 1` offsets (`Int32`) into keys and values.
        case map(offsets: BufferSlice, keys: ColumnBox, values: ColumnBox)
    }

    package init(type: DataType, count: Int, validity: Bitmap?, storage: Storage) {
        precondition(validity == nil || validity?.count == count)
        self.type = type
        self.count = count
        self.validity = validity
        self.storage = storage
    }

    /// A column of numbers (or anything of fixed width) in `buffer`.
    package init(_ type: DataType, count: Int, validity: Bitmap? = nil, buffer: Buffer) {
        precondition(buffer.byteCount >= count * type.physical.byteWidth)
        self.init(
            type: type,
            count: count,
            validity: validity,
            storage: .fixed(BufferSlice(buffer))
        )
    }

    /// A column of booleans.
    package init(bits: Bitmap, validity: Bitmap? = nil) {
        self.init(type: .boolean, count: bits.count, validity: validity, storage: .bits(bits))
    }

    /// A column in which every row is null.
    package static func nulls(_ type: DataType, count: Int) -> Column {
        Column(type: type, count: count, validity: nil, storage: .null)
    }

    /// Whether some row is null; the answer of a look at the words, not an estimate.
    package var hasNulls: Bool { nullCount > 0 }

    package var nullCount: Int {
        if case .null = storage { return count }
        return validity.map { count - $0.trueCount } ?? 0
    }

    package func isNull(_ row: Int) -> Bool {
        if case .null = storage { return true }
        return validity.map { !$0[row] } ?? false
    }

    /// The same values seen as another type of the same physical form.
    package func retyped(_ newType: DataType) -> Column {
        precondition(newType.physical == type.physical)
        if case .constant(let box) = storage {
            return Column(
                type: newType,
                count: count,
                validity: nil,
                storage: .constant(ColumnBox(box.column.retyped(newType)))
            )
        }
        if case .dictionary(let codes, let dictionary) = storage {
            let values = ColumnDictionary(dictionary.values.retyped(newType))
            return Column(
                type: newType,
                count: count,
                validity: validity,
                storage: .dictionary(codes: codes, values)
            )
        }
        return Column(type: newType, count: count, validity: validity, storage: storage)
    }

    /// The first `rowCount` of a constant or null column stretched or cut to another length.
    package func constant(repeated newCount: Int) -> Column {
        Column(type: type, count: newCount, validity: nil, storage: storage)
    }
}

/// A column on the heap, where a column is part of another's storage.
package final class ColumnBox: Sendable {
    package let column: Column

    package init(_ column: Column) {
        self.column = column
    }
}

/// The distinct values that codes count into, kept as the file had them.
///
/// It is a class so that work done once per dictionary (a predicate, a hash) can be remembered by
/// its identity.
package final class ColumnDictionary: Sendable {
    /// Flat and without nulls.
    package let values: Column

    package init(_ values: Column) {
        precondition(values.validity == nil)
        self.values = values
    }

    package var count: Int { values.count }
}
