import Columnar
import Glibc
import Kernels

/// A column that grows by whole columns and can be looked at in between without copying.
///
/// The columns it gives share its buffer; rows are only ever written behind the last one given, so
/// they never see a change.
final class ColumnStore {
    private let type: DataType
    private let physical: PhysicalType
    private(set) var count = 0
    private var capacity = 0
    private var values = Buffer(byteCount: 0)
    /// One byte a row, 1 for valid; made into bits when somebody looks and there are nulls.
    private var valid = Buffer(byteCount: 0)
    private var validBits = GrowingBits()
    /// The values, where they are bits.
    private var valueBits = GrowingBits()
    private var nullCount = 0
    private var arena = ByteArena(blockSizeBytes: 1 << 12)
    /// The parts of nested types: elements; or one a field; or keys and values.
    ///
    /// The values of lists and maps are offsets.
    private let children: [ColumnStore]

    init(_ type: DataType) {
        self.type = type
        physical = type.physical
        switch type {
        case .list(let element): children = [ColumnStore(element.type)]
        case .structure(let fields): children = fields.map { ColumnStore($0.type) }
        case .map(let key, let value): children = [ColumnStore(key.type), ColumnStore(value.type)]
        default: children = []
        }
    }

    var byteCount: Int {
        let own = values.byteCount + valid.byteCount + arena.byteCount
        return children.reduce(own + validBits.byteCount + valueBits.byteCount) {
            $0 + $1.byteCount
        }
    }

    /// Values that a buffer holds for `count` rows: one more where they are offsets.
    private func slots(_ count: Int) -> Int {
        physical == .list || physical == .map ? count + 1 : count
    }

    private func reserve(_ more: Int) {
        guard count + more > capacity else { return }
        let newCapacity = max(count + more, capacity * 2, 256)
        let width = physical == .bit ? 1 : physical.byteWidth
        let isFirst = values.byteCount == 0
        Buffer.grow(&values, to: slots(newCapacity) * width)
        Buffer.grow(&valid, to: newCapacity)
        if isFirst, width > 0 { memset(values.base, 0, width) }
        capacity = newCapacity
    }

    func append(_ column: Column) {
        let added = column.count
        if physical == .none || added == 0 {
            count += added
            return
        }
        reserve(added)
        let flat = column.flattened()
        let flags = valid.mutable(as: UInt8.self) + count
        if let bitmap = flat.validity {
            let words = bitmap.words
            for row in 0..<added {
                let bit = UInt8(truncatingIfNeeded: words[row >> 6] &>> UInt64(row & 63)) & 1
                flags[row] = bit
                nullCount &+= Int(1 &- bit)
            }
        } else {
            memset(flags, 1, added)
        }
        switch flat.storage {
        case .bits(let bits):
            let target = values.mutable(as: UInt8.self) + count
            let words = bits.words
            for row in 0..<added {
                target[row] = UInt8(truncatingIfNeeded: words[row >> 6] &>> UInt64(row & 63)) & 1
            }
        case .fixed(let source):
            let width = physical.byteWidth
            memcpy(
                values.base + count * width,
                source.pointer(as: UInt8.self),
                added * width
            )
        case .views(let views, _):
            let source = views.pointer(as: StringView.self)
            let target = values.mutable(as: StringView.self) + count
            for row in 0..<added { target[row] = arena.intern(source[row]) }
        case .list(let offsets, let elements):
            append(offsets, [elements.column], added)
        case .map(let offsets, let keys, let values):
            append(offsets, [keys.column, values.column], added)
        case .structure(let fields):
            for (store, field) in zip(children, fields) { store.append(field) }
        default:
            preconditionFailure("flattened columns are flat")
        }
        withExtendedLifetime(flat) {}
        count += added
    }

    /// Appends lists or maps: offsets that go on from the last one, and what lies between them.
    private func append(_ offsets: BufferSlice, _ parts: [Column], _ added: Int) {
        let source = offsets.pointer(as: Int32.self)
        let target = values.mutable(as: Int32.self) + count
        let base = target[0] - source[0]
        for row in 1...added { target[row] = base + source[row] }
        for (store, part) in zip(children, parts) {
            store.append(part.slice(Int(source[0])..<Int(source[added])))
        }
    }

    /// All rows so far.
    var column: Column {
        if physical == .none || count == 0 && type.isNested {
            return Column.zeros(type, count: count, isNull: false)
        }
        let validity = nullCount == 0 ? nil : validBits.bitmap(of: valid, count: count)
        let storage: Column.Storage
        switch physical {
        case .bit: storage = .bits(valueBits.bitmap(of: values, count: count))
        case .view: storage = .views(BufferSlice(values), owners: arena.owners)
        case .list:
            storage = .list(
                offsets: BufferSlice(values),
                elements: ColumnBox(children[0].column)
            )
        case .map:
            storage = .map(
                offsets: BufferSlice(values),
                keys: ColumnBox(children[0].column),
                values: ColumnBox(children[1].column)
            )
        case .structure: storage = .structure(children.map(\.column))
        default: storage = .fixed(BufferSlice(values))
        }
        return Column(type: type, count: count, validity: validity, storage: storage)
    }
}

/// Bytes of 0 and 1 as bits, made of new bytes only: a column that grows is looked at after every batch.
private struct GrowingBits {
    /// Zero behind `count` bits.
    private var buffer = Buffer(byteCount: 0)
    private var count = 0

    var byteCount: Int { buffer.byteCount }

    /// The bits of the first bytes, which begin with those of the last call.
    mutating func bitmap(of bytes: Buffer, count newCount: Int) -> Bitmap {
        if newCount > count {
            let needed = Bitmap.wordCount(newCount) * 8
            if needed > buffer.byteCount {
                Buffer.grow(&buffer, to: max(needed, 2 * buffer.byteCount), isZeroed: true)
            } else if !isKnownUniquelyReferenced(&buffer) {
                // The last word shows in a column that somebody has.
                let copy = Buffer(zeroedByteCount: buffer.byteCount)
                copy.base.copyMemory(from: buffer.base, byteCount: buffer.byteCount)
                buffer = copy
            }
            let words = buffer.mutable(as: UInt64.self)
            let source = bytes.mutable(as: UInt8.self)
            for row in count..<newCount {
                words[row >> 6] |= UInt64(source[row]) &<< UInt64(row & 63)
            }
            count = newCount
        }
        return Bitmap(buffer: buffer, count: newCount)
    }
}
