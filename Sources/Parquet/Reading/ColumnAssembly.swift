import Columnar

/// Puts the parts of one batch, read from one page or several, together to a column.
///
/// It holds codes while all parts are dictionary-coded; the first part that is not turns what is
/// there into values.
struct ColumnAssembly {
    private let chunk: ChunkValues
    private let count: Int
    private var codeBuffer: Buffer?
    private var dictionary: ColumnDictionary?
    private var valueBuffer: Buffer?
    private var owners: [BufferOwners] = []
    /// Bits of the rows that hold a value; one word is spare, as bits are added across words.
    private var validity: Buffer?
    /// Rows so far, all valid, that `validity` (while it is nil) stands for.
    private var validPrefix = 0
    private var nullCount = 0

    init(values chunk: ChunkValues, count: Int) {
        self.chunk = chunk
        self.count = count
    }

    /// Whether values, not codes, are put together.
    var isFlat: Bool { valueBuffer != nil }

    // MARK: Validity

    private mutating func words() -> UnsafeMutablePointer<UInt64> {
        if let validity { return validity.mutable(as: UInt64.self) }
        let buffer = Buffer(zeroedByteCount: (Bitmap.wordCount(count) + 1) * 8)
        validity = buffer
        let words = buffer.mutable(as: UInt64.self)
        setBits(words, from: 0, count: validPrefix)
        return words
    }

    mutating func setValid(at place: Int, count: Int) {
        if validity == nil {
            validPrefix = place + count
        } else {
            setBits(words(), from: place, count: count)
        }
    }

    /// Reads `part` levels as the validity of the rows from `place` on.
    ///
    /// - Returns: how many rows hold a value.
    mutating func readLevels(
        _ levels: inout HybridDecoder?,
        _ part: Int,
        at place: Int
    ) throws(ParquetError) -> Int {
        let words = words()
        let valid = try levels?.readBits(part, into: words, offset: place) ?? 0
        nullCount += part - valid
        return valid
    }

    /// Sets the validity of the selected rows, of whose page part `bits` is the validity.
    ///
    /// - Parameter indexes: gets which of the part's values the selected rows have.
    /// - Returns: how many of them hold a value.
    mutating func choose(
        _ rows: UnsafePointer<Int32>,
        _ rowCount: Int,
        base: Int,
        bits: UnsafePointer<UInt64>,
        at place: Int,
        into indexes: UnsafeMutablePointer<Int32>
    ) -> Int {
        let words = words()
        var (picked, word, before) = (0, 0, 0)
        for index in 0..<rowCount {
            let row = Int(rows[index]) &- base
            while word < row &>> 6 {
                before &+= bits[word].nonzeroBitCount
                word &+= 1
            }
            let bit = UInt64(row & 63)
            let isValid = (bits[word] &>> bit) & 1
            let rank = (bits[word] & ((1 &<< bit) &- 1)).nonzeroBitCount
            indexes[picked] = Int32(truncatingIfNeeded: before &+ rank)
            picked &+= Int(truncatingIfNeeded: isValid)
            let target = place &+ index
            words[target &>> 6] |= isValid &<< UInt64(target & 63)
        }
        nullCount += rowCount - picked
        return picked
    }

    // MARK: Values

    /// Where the values from row `place` on belong.
    mutating func values(at place: Int) -> UnsafeMutableRawPointer {
        if let valueBuffer { return valueBuffer.base + place * chunk.width }
        let buffer = Buffer(byteCount: count * chunk.width)
        valueBuffer = buffer
        if let codeBuffer, let dictionary {
            // Codes so far become values; codes under nulls are 0, which an empty dictionary of
            // nothing but nulls does not have.
            if place > 0 {
                if dictionary.count == 0 {
                    buffer.base.initializeMemory(
                        as: UInt8.self,
                        repeating: 0,
                        count: place * chunk.width
                    )
                } else {
                    gather(
                        dictionary,
                        codeBuffer.mutable(as: UInt32.self),
                        place,
                        at: 0
                    )
                    // What code 0 stands for does not belong under nulls.
                    clearNulls(place)
                }
            }
            self.codeBuffer = nil
            self.dictionary = nil
        }
        return buffer.base + place * chunk.width
    }

    private func clearNulls(_ rowCount: Int) {
        guard let valueBuffer, nullCount > 0, let validity else { return }
        let words = validity.mutable(as: UInt64.self)
        let width = chunk.width
        for row in 0..<rowCount where words[row >> 6] &>> UInt64(row & 63) & 1 == 0 {
            (valueBuffer.base + row * width).initializeMemory(
                as: UInt8.self,
                repeating: 0,
                count: width
            )
        }
    }

    /// Where the codes from row `place` on belong.
    mutating func codes(
        at place: Int,
        _ dictionary: ColumnDictionary
    ) -> UnsafeMutablePointer<UInt32> {
        self.dictionary = dictionary
        let buffer = codeBuffer ?? Buffer(byteCount: count * 4)
        codeBuffer = buffer
        return buffer.mutable(as: UInt32.self) + place
    }

    mutating func gather(
        _ dictionary: ColumnDictionary,
        _ codes: UnsafePointer<UInt32>,
        _ codeCount: Int,
        at place: Int
    ) {
        let target = values(at: place)
        switch dictionary.values.storage {
        case .fixed(let slice):
            Parquet.gather(
                slice.pointer(as: UInt8.self),
                width: chunk.width,
                codes: codes,
                count: codeCount,
                into: target
            )
        case .views(let slice, let viewOwners):
            Parquet.gather(
                slice.pointer(as: UInt8.self),
                width: 16,
                codes: codes,
                count: codeCount,
                into: target
            )
            add(viewOwners)
        default: preconditionFailure("a dictionary holds numbers or views")
        }
    }

    mutating func add(_ more: BufferOwners) {
        if more.buffers.isEmpty || owners.last === more { return }
        owners.append(more)
    }

    /// Moves the values of the part at `place` to their rows.
    func spreadValues(at place: Int, rowCount: Int, valueCount: Int) {
        guard valueCount < rowCount, let valueBuffer, let validity else { return }
        spread(
            valueBuffer.base + place * chunk.width,
            width: chunk.width,
            rowCount: rowCount,
            valueCount: valueCount,
            words: validity.mutable(as: UInt64.self),
            offset: place
        )
    }

    /// Moves the codes of the part at `place` to their rows.
    func spreadCodes(at place: Int, rowCount: Int, valueCount: Int) {
        guard valueCount < rowCount, let codeBuffer, let validity else { return }
        spread(
            codeBuffer.mutable(as: UInt32.self) + place,
            rowCount: rowCount,
            valueCount: valueCount,
            words: validity.mutable(as: UInt64.self),
            offset: place
        )
    }

    // MARK: Result

    func finish() -> Column {
        let type = chunk.type
        if nullCount == count { return .nulls(type, count: count) }
        var bitmap: Bitmap?
        if nullCount > 0, let validity { bitmap = Bitmap(buffer: validity, count: count) }
        if let codeBuffer, let dictionary {
            return Column(
                type: type,
                count: count,
                validity: bitmap,
                storage: .dictionary(codes: BufferSlice(codeBuffer), dictionary)
            )
        }
        guard let valueBuffer else { return .nulls(type, count: count) }
        switch type.physical {
        case .bit:
            return Column(
                type: type,
                count: count,
                validity: bitmap,
                storage: .bits(packedBits(valueBuffer.mutable(as: UInt8.self), count))
            )
        case .view:
            return Column(
                type: type,
                count: count,
                validity: bitmap,
                storage: .views(
                    BufferSlice(valueBuffer),
                    owners: owners.count == 1 ? owners[0] : BufferOwners.union(owners)
                )
            )
        default:
            return Column(
                type: type,
                count: count,
                validity: bitmap,
                storage: .fixed(BufferSlice(valueBuffer))
            )
        }
    }
}

/// Bytes of 0 or 1 as a bitmap.
func packedBits(_ flags: UnsafePointer<UInt8>, _ count: Int) -> Bitmap {
    let buffer = Buffer(zeroedByteCount: Bitmap.wordCount(count) * 8)
    let bytes = buffer.mutable(as: UInt8.self)
    let raw = UnsafeRawPointer(flags)
    let whole = count / 8
    for index in 0..<whole {
        // The product moves the lowest bit of each byte into the highest byte.
        let eight = raw.loadUnaligned(fromByteOffset: index &* 8, as: UInt64.self)
        bytes[index] = UInt8(truncatingIfNeeded: (eight &* 0x0102_0408_1020_4080) &>> 56)
    }
    for index in whole * 8..<count { bytes[index / 8] |= flags[index] << UInt8(index % 8) }
    return Bitmap(buffer: buffer, count: count)
}
