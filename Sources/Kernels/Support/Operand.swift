import Columnar
import Glibc

/// A column made ready for a loop: flat, or one value that stands for every row.
struct Operand {
    /// Flat storage; of one row when `isConstant`.
    let column: Column
    let isConstant: Bool
    /// How many rows it stands for.
    let count: Int

    init(_ column: Column) {
        count = column.count
        switch column.storage {
        case .constant(let box):
            self.column = box.column.flattened()
            isConstant = true
        case .dictionary, .null:
            self.column = column.flattened()
            isConstant = false
        default:
            self.column = column
            isConstant = false
        }
    }

    var validity: Bitmap? { isConstant ? nil : column.validity }

    /// -1 for a column, 0 for a constant: `pointer[row & mask]` is the value of a row.
    @inline(__always)
    var mask: Int { isConstant ? 0 : -1 }

    /// The values of fixed width or views; good while the operand is kept alive.
    func pointer<T: BitwiseCopyable>(_ type: T.Type) -> UnsafePointer<T> {
        // A binder that mixes up types must not make us read past the end.
        precondition(
            MemoryLayout<T>.stride == column.type.physical.byteWidth,
            "\(column.type) is not \(T.self)"
        )
        return rawPointer.assumingMemoryBound(to: type)
    }

    var views: UnsafePointer<StringView> {
        precondition(column.type.physical == .view, "\(column.type) is not text")
        return pointer(StringView.self)
    }

    /// The first value, of whatever width.
    var rawPointer: UnsafeRawPointer {
        switch column.storage {
        case .fixed(let values): UnsafeRawPointer(values.pointer(as: UInt8.self))
        case .views(let values, _): UnsafeRawPointer(values.pointer(as: UInt8.self))
        default: preconditionFailure("\(column.type) has no values of fixed width")
        }
    }

    var owners: BufferOwners {
        if case .views(_, let owners) = column.storage { return owners }
        return .none
    }

    /// The bits of a boolean operand, repeated when constant.
    var bits: Bitmap {
        guard case .bits(let bits) = column.storage else {
            preconditionFailure("\(column.type) is not boolean")
        }
        return isConstant ? Bitmap(repeating: bits[0], count: count) : bits
    }
}

/// Calls `body(row, left, right)` for all rows, one loop for each of column and constant.
@inline(__always)
func zipRows<A: BitwiseCopyable, B: BitwiseCopyable>(
    _ a: UnsafePointer<A>,
    _ aIsConstant: Bool,
    _ b: UnsafePointer<B>,
    _ bIsConstant: Bool,
    _ count: Int,
    _ body: (Int, A, B) -> Void
) {
    guard count > 0 else { return }
    if aIsConstant && bIsConstant {
        let (left, right) = (a[0], b[0])
        for row in 0..<count { body(row, left, right) }
    } else if bIsConstant {
        let right = b[0]
        for row in 0..<count { body(row, a[row], right) }
    } else if aIsConstant {
        let left = a[0]
        for row in 0..<count { body(row, left, b[row]) }
    } else {
        for row in 0..<count { body(row, a[row], b[row]) }
    }
}

/// Whether two views show the same bytes. (`StringView`'s own operators are calls from here.)
@inline(__always)
func viewsEqual(_ a: StringView, _ b: StringView) -> Bool {
    if (a.length ^ b.length) | (a.prefix ^ b.prefix) != 0 { return false }
    if a.rest == b.rest { return true }
    if a.length <= 12 { return false }
    return longViewsEqual(a, b)
}

@inline(never)
private func longViewsEqual(_ a: StringView, _ b: StringView) -> Bool {
    memcmp(a.start, b.start, Int(a.length)) == 0
}

/// Negative, zero or positive as `a` comes before, with or after `b` by unsigned bytes.
@inline(__always)
func viewsOrder(_ a: StringView, _ b: StringView) -> Int {
    let (x, y) = (a.prefix.byteSwapped, b.prefix.byteSwapped)
    if x != y { return x < y ? -1 : 1 }
    return StringView.compare(a, b)
}

extension StringView {
    /// Where the bytes are, for a view that is not inline, without a call into another module.
    @inline(__always)
    var start: UnsafePointer<UInt8> {
        UnsafePointer(bitPattern: UInt(rest)).unsafelyUnwrapped
    }
}

extension UnsafePointer where Pointee == StringView {
    /// The bytes of the view in this place, without a call into another module.
    @inline(__always)
    var text: UnsafeBufferPointer<UInt8> {
        let count = Int(pointee.length)
        let start =
            count <= 12
            ? UnsafeRawPointer(self).advanced(by: 4).assumingMemoryBound(to: UInt8.self)
            : UnsafePointer<UInt8>(bitPattern: UInt(pointee.rest)).unsafelyUnwrapped
        return UnsafeBufferPointer(start: start, count: count)
    }
}

extension Column {
    /// Whether every row is null by storage.
    var isAllNull: Bool {
        if case .null = storage { return true }
        return false
    }

    /// Runs unary work once for a constant and, when it is worth it, once per dictionary entry.
    ///
    /// The work must map null to null, row by row, and give a flat column as long as its argument.
    func mapped<E: Error>(
        to type: DataType,
        keepsDictionary: Bool = true,
        _ work: (Column) throws(E) -> Column
    ) throws(E) -> Column {
        switch storage {
        case .null:
            return .nulls(type, count: count)
        case .constant(let box):
            let result = try work(box.column)
            if result.isNull(0) { return .nulls(type, count: count) }
            return Column(
                type: type,
                count: count,
                validity: nil,
                storage: .constant(ColumnBox(result))
            )
        case .dictionary(let codes, let dictionary)
        where keepsDictionary && dictionary.count <= count:
            // An entry that fails may be one that no row uses.
            guard let result = try? work(dictionary.values) else { return try work(flattened()) }
            return Take.gather(result, codes: codes, count: count, validity: validity)
        default:
            return try work(flattened())
        }
    }
}
