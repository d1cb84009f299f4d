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
    private var nullCount = 0
    private var arena = ByteArena(blockSizeBytes: 1 << 12)
    /// Types without a flat form of fixed width are kept as pieces.
    private var pieces: [Column] = []
    private var pieceBytes = 0

    init(_ type: DataType) {
        self.type = type
        physical = type.physical
    }

    var byteCount: Int { values.byteCount + valid.byteCount + arena.byteCount + pieceBytes }

    private var isPieces: Bool { physical == .none || type.isNested }

    private func reserve(_ more: Int) {
        guard count + more > capacity else { return }
        let newCapacity = max(count + more, capacity * 2, 256)
        let width = physical == .bit ? 1 : physical.byteWidth
        let newValues = Buffer(byteCount: newCapacity * width)
        memcpy(newValues.base, values.base, count * width)
        let newValid = Buffer(byteCount: newCapacity)
        memcpy(newValid.base, valid.base, count)
        (values, valid, capacity) = (newValues, newValid, newCapacity)
    }

    func append(_ column: Column) {
        let added = column.count
        if isPieces {
            let kept = Compact.compacted(column)
            pieces.append(kept)
            // Looking at them makes values of them, which take several times as much.
            pieceBytes += 4 * Compact.byteCount(kept)
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
        default:
            preconditionFailure("flattened columns are flat")
        }
        withExtendedLifetime(flat) {}
        count += added
    }

    /// All rows so far.
    var column: Column {
        if isPieces {
            let builder = ColumnBuilder(type, capacity: count)
            for piece in pieces { for value in piece.values { builder.append(value) } }
            return builder.finish()
        }
        let validity = nullCount == 0 ? nil : bits(valid)
        let storage: Column.Storage
        switch physical {
        case .bit: storage = .bits(bits(values))
        case .view: storage = .views(BufferSlice(values), owners: arena.owners)
        default: storage = .fixed(BufferSlice(values))
        }
        return Column(type: type, count: count, validity: validity, storage: storage)
    }

    private func bits(_ bytes: Buffer) -> Bitmap {
        let result = Buffer(zeroedByteCount: Bitmap.wordCount(count) * 8)
        let words = result.mutable(as: UInt64.self)
        let source = bytes.mutable(as: UInt8.self)
        for row in 0..<count { words[row >> 6] |= UInt64(source[row]) &<< UInt64(row & 63) }
        return Bitmap(buffer: result, count: count)
    }
}
