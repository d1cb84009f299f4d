package import Columnar

/// Functions of lists (and of maps seen as lists of entries).
///
/// They work on offsets and on the elements of all rows at once; a list never becomes a value of its
/// own. The elements of a row are its list's; rows that are null have none.
package enum Lists {
    /// How many elements the lists of one batch may have together in a result.
    static let elementsMax = 1 << 28

    static func checkCount(_ count: Int) throws(KernelError) {
        guard count <= elementsMax else {
            throw KernelError(
                .outOfRange,
                "lists of together more than \(elementsMax) elements in one batch"
            )
        }
    }
}

/// A column of lists or maps made ready for a loop; a constant stands for every row.
struct ListOperand {
    /// The elements of a list, or keys and values of a map; flat.
    let parts: [Column]
    let count: Int
    /// Nil when no row is null.
    let validity: Bitmap?
    private let mask: Int
    private let owner: BufferSlice
    private let bounds: UnsafePointer<Int32>

    init(_ column: Column) {
        count = column.count
        var flat = column
        var isConstant = false
        switch column.storage {
        case .constant(let box):
            flat = box.column
            isConstant = true
        case .null:
            // One row without elements stands for all.
            flat = Column.zeros(column.type, count: 1, isNull: false)
            isConstant = true
        default: break
        }
        switch flat.storage {
        case .list(let offsets, let elements):
            owner = offsets
            parts = [elements.column.flattened()]
        case .map(let offsets, let keys, let values):
            owner = offsets
            parts = [keys.column.flattened(), values.column.flattened()]
        default:
            preconditionFailure("\(column.type) is no list")
        }
        bounds = owner.pointer(as: Int32.self)
        mask = isConstant ? 0 : -1
        if case .null = column.storage {
            validity = Bitmap(repeating: false, count: count)
        } else {
            validity = isConstant ? nil : flat.validity
        }
    }

    /// The elements of a list, or the keys of a map.
    var elements: Column { parts[0] }

    @inline(__always)
    func start(_ row: Int) -> Int { Int(bounds[row & mask]) }

    @inline(__always)
    func end(_ row: Int) -> Int { Int(bounds[(row & mask) &+ 1]) }

    /// How many elements a row has; none for null.
    @inline(__always)
    func length(_ row: Int) -> Int { isNull(row) ? 0 : end(row) &- start(row) }

    @inline(__always)
    func isNull(_ row: Int) -> Bool {
        guard let validity else { return false }
        return bitOf(validity.words, row) == 0
    }

    /// The places of the elements of a row; none for null.
    @inline(__always)
    func range(_ row: Int) -> Range<Int> { isNull(row) ? 0..<0 : start(row)..<end(row) }
}

/// Collects, list by list, the rows of elements that the lists of a result have.
struct ListRows {
    private(set) var rows: [Int32] = []
    private let offsets: Buffer
    private var row = 0
    let count: Int

    init(count: Int, capacity: Int = 0) {
        self.count = count
        offsets = Buffer(zeroedByteCount: (count + 1) * 4)
        rows.reserveCapacity(capacity)
    }

    /// Adds an element to the list of the current row; -1 is null.
    @inline(__always)
    mutating func append(_ element: Int) { rows.append(Int32(truncatingIfNeeded: element)) }

    mutating func append(_ elements: Range<Int>) {
        for element in elements { rows.append(Int32(truncatingIfNeeded: element)) }
    }

    /// Ends the list of the current row.
    @inline(__always)
    mutating func finishRow() throws(KernelError) {
        try Lists.checkCount(rows.count)
        row &+= 1
        offsets.mutable(as: Int32.self)[row] = Int32(truncatingIfNeeded: rows.count)
    }

    /// The elements taken from `source`.
    func taken(_ source: Column, nullable: Bool = false) -> Column {
        rows.withUnsafeBufferPointer { rows in
            guard let base = rows.baseAddress, rows.count > 0 else {
                return Column.zeros(source.type, count: 0, isNull: false)
            }
            return Take.take(source, rows: base, count: rows.count, nullable: nullable)
        }
    }

    var slice: BufferSlice { BufferSlice(offsets) }

    /// The lists of these elements of `source`.
    func lists(
        _ type: DataType,
        of source: Column,
        validity: Bitmap?,
        nullable: Bool = false
    ) -> Column {
        Column(
            type: type,
            count: count,
            validity: normalized(validity),
            storage: .list(
                offsets: slice,
                elements: ColumnBox(taken(source, nullable: nullable).flattened())
            )
        )
    }
}

extension Lists {
    /// The column with offsets that begin at 0, no element outside a list and none in a null row:
    /// so that work on all elements is work on what the rows show, and no more.
    ///
    /// Lists and maps; flat.
    package static func packed(_ column: Column) throws(KernelError) -> Column {
        if case .null = column.storage {
            return Column.zeros(column.type, count: column.count, isNull: true)
        }
        let operand = ListOperand(column)
        let count = column.count
        if !column.isConstant, isPacked(operand, count) { return column }
        var rows = ListRows(count: count)
        for row in 0..<count {
            rows.append(operand.range(row))
            try rows.finishRow()
        }
        let parts = operand.parts.map { ColumnBox(rows.taken($0).flattened()) }
        return Column(
            type: column.type,
            count: count,
            validity: operand.validity,
            storage: parts.count == 1
                ? .list(offsets: rows.slice, elements: parts[0])
                : .map(offsets: rows.slice, keys: parts[0], values: parts[1])
        )
    }

    private static func isPacked(_ operand: ListOperand, _ count: Int) -> Bool {
        if count == 0 { return operand.elements.count == 0 }
        guard operand.start(0) == 0, operand.end(count - 1) == operand.elements.count else {
            return false
        }
        guard operand.validity != nil else { return true }
        for row in 0..<count where operand.isNull(row) && operand.start(row) < operand.end(row) {
            return false
        }
        return true
    }

    /// The parts of a packed column of lists or maps.
    package static func parts(
        of column: Column
    ) -> (offsets: UnsafePointer<Int32>, elements: [Column]) {
        switch column.storage {
        case .list(let offsets, let elements):
            return (offsets.pointer(as: Int32.self), [elements.column])
        case .map(let offsets, let keys, let values):
            return (offsets.pointer(as: Int32.self), [keys.column, values.column])
        default:
            preconditionFailure("\(column.type) is no list")
        }
    }

    /// For every element of a packed column the row that it is in.
    package static func parents(of column: Column) -> Selection {
        let (offsets, elements) = parts(of: column)
        let total = elements[0].count
        let buffer = Buffer(byteCount: total * 4)
        let target = buffer.mutable(as: Int32.self)
        for row in 0..<column.count {
            let value = Int32(truncatingIfNeeded: row)
            var place = Int(offsets[row])
            let end = Int(offsets[row + 1])
            while place < end {
                target[place] = value
                place &+= 1
            }
        }
        return withExtendedLifetime(column) { Selection(buffer: buffer, count: total) }
    }

    /// For every element of a packed column its place in its list, from 1, as BIGINT.
    package static func ordinals(of column: Column) -> Column {
        let (offsets, elements) = parts(of: column)
        let total = elements[0].count
        let buffer = Buffer(byteCount: total * 8)
        let target = buffer.mutable(as: Int64.self)
        for row in 0..<column.count {
            let start = Int(offsets[row])
            for place in start..<Int(offsets[row + 1]) {
                target[place] = Int64(place &- start &+ 1)
            }
        }
        return withExtendedLifetime(column) { Column(.int64, count: total, buffer: buffer) }
    }

    /// A packed column of lists with other elements, as many.
    package static func replacing(
        _ column: Column,
        elements: Column,
        type: DataType
    ) -> Column {
        guard case .list(let offsets, let old) = column.storage else {
            preconditionFailure("\(column.type) is no list")
        }
        precondition(elements.count == old.column.count)
        return Column(
            type: type,
            count: column.count,
            validity: column.validity,
            storage: .list(offsets: offsets, elements: ColumnBox(elements.flattened()))
        )
    }

    /// A packed column of lists with only the elements whose bit is set.
    package static func filtered(_ column: Column, _ mask: Column) -> (Column, Selection) {
        guard case .list(let offsets, let elements) = column.storage else {
            preconditionFailure("\(column.type) is no list")
        }
        let kept = Filter.selection(mask)
        let newOffsets = Buffer(byteCount: (column.count + 1) * 4)
        let target = newOffsets.mutable(as: Int32.self)
        let source = offsets.pointer(as: Int32.self)
        let rows = kept.rows
        var next = 0
        target[0] = 0
        for row in 0..<column.count {
            let end = source[row + 1]
            while next < kept.count, rows[next] < end { next &+= 1 }
            target[row + 1] = Int32(truncatingIfNeeded: next)
        }
        let result = Column(
            type: column.type,
            count: column.count,
            validity: column.validity,
            storage: .list(
                offsets: BufferSlice(newOffsets),
                elements: ColumnBox(Take.take(elements.column, kept).flattened())
            )
        )
        return withExtendedLifetime(column) { (result, kept) }
    }
}
