import Columnar

/// What the readers of one chunk share, flat or nested: its dictionary, and decoders for its pages.
struct ChunkValues {
    let leaf: ParquetLeaf
    let type: DataType
    let conversion: Conversion
    let isText: Bool
    let context: ParquetReadContext

    init(
        leaf: ParquetLeaf,
        type: DataType,
        options: ParquetReadOptions,
        context: ParquetReadContext
    ) throws(ParquetError) {
        self.leaf = leaf
        self.type = type
        conversion = try leaf.conversion(to: type)
        isText = type == .string && options.validatesUTF8
        self.context = context
    }

    /// Bytes of a value while a batch is put together: booleans take one.
    var width: Int { type.physical == .bit ? 1 : type.physical.byteWidth }

    /// Whether the check of decimals' digits is due, and for how many.
    private var decimalPrecision: Int? {
        guard case .decimal = type, case .decimal(let precision, _)? = leaf.logical else {
            return nil
        }
        return precision
    }

    /// The decoder of a page's values; nil when they are codes of the dictionary.
    func decoder(
        _ values: UnsafeRawBufferPointer,
        _ encoding: ParquetEncoding
    ) throws(ParquetError) -> ValueDecoder? {
        let width = leaf.rawWidth
        switch (encoding, leaf.physical) {
        case (.plainDictionary, _), (.rleDictionary, _): return nil
        case (.plain, .boolean): return PlainBooleanDecoder(values)
        case (.plain, .byteArray): return PlainByteArrayDecoder(values, isText: isText)
        case (.plain, _): return PlainFixedDecoder(values, width: width)
        case (.rle, .boolean): return try RunBooleanDecoder(values)
        case (.deltaBinaryPacked, .int32), (.deltaBinaryPacked, .int64):
            return try DeltaBinaryDecoder(values, width: width)
        case (.deltaLengthByteArray, .byteArray):
            return try DeltaLengthDecoder(values, isText: isText)
        case (.deltaByteArray, .byteArray):
            return try DeltaByteArrayDecoder(values, isText: isText, fixedLength: nil)
        case (.deltaByteArray, .fixedLengthByteArray):
            return try DeltaByteArrayDecoder(values, isText: false, fixedLength: leaf.typeLength)
        case (.byteStreamSplit, .int32), (.byteStreamSplit, .int64), (.byteStreamSplit, .float),
            (.byteStreamSplit, .double), (.byteStreamSplit, .fixedLengthByteArray):
            return try ByteStreamSplitDecoder(values, width: width)
        default:
            throw .unsupported("the encoding \(encoding) of \(leaf.physical)")
        }
    }

    /// Reads the next `count` values as values of the column.
    ///
    /// - Parameters:
    ///   - picks: which of them to read; nil for all.
    ///   - page: the page's memory, into which views may point.
    /// - Returns: buffers that views point into.
    func read(
        _ decoder: ValueDecoder,
        _ count: Int,
        picks: (indexes: UnsafePointer<Int32>, count: Int)?,
        into target: UnsafeMutableRawPointer,
        page: BufferOwners?
    ) throws(ParquetError) -> BufferOwners {
        let resultCount = picks?.count ?? count
        var owners = BufferOwners.none
        if conversion.isIdentity {
            if let picks {
                try decoder.pick(picks.indexes, picks.count, of: count, into: target)
            } else {
                try decoder.read(count, into: target)
            }
            if width == 16 { owners = takeOwners(decoder, page) }
        } else {
            if case .fixedToView(let length) = conversion {
                owners = try readFixed(decoder, count, picks, length, target, page)
            } else {
                let scratch = context.rawValues(byteCount: resultCount * decoder.width + 64)
                var source = UnsafeRawPointer(scratch)
                if let picks {
                    try decoder.pick(picks.indexes, picks.count, of: count, into: scratch)
                } else if let place = try decoder.readInPlace(count) {
                    source = place
                } else {
                    try decoder.read(count, into: scratch)
                }
                try conversion.apply(source, resultCount, into: target)
                // Views that were converted to something else point nowhere any more.
                _ = decoder.takeViewOwners()
            }
        }
        if let precision = decimalPrecision {
            try checkDecimals(target, resultCount, precision: precision, isWide: width == 16)
        }
        return owners
    }

    private func takeOwners(_ decoder: ValueDecoder, _ page: BufferOwners?) -> BufferOwners {
        let (usesPage, others) = decoder.takeViewOwners()
        if usesPage, others.isEmpty { return page ?? .none }
        if others.isEmpty { return .none }
        return BufferOwners((usesPage ? page?.buffers ?? [] : []) + others)
    }

    /// Values of fixed length as views: into the page where they lie there side by side.
    private func readFixed(
        _ decoder: ValueDecoder,
        _ count: Int,
        _ picks: (indexes: UnsafePointer<Int32>, count: Int)?,
        _ length: Int,
        _ target: UnsafeMutableRawPointer,
        _ page: BufferOwners?
    ) throws(ParquetError) -> BufferOwners {
        if let source = try decoder.readInPlace(count) {
            if let picks {
                for index in 0..<picks.count {
                    let place = source + Int(picks.indexes[index]) &* length
                    makeView(place, length, at: target + index &* 16)
                }
            } else {
                try conversion.apply(source, count, into: target)
            }
            try checkFixedText(target, picks?.count ?? count, length)
            return length > StringView.inlineCountMax ? page ?? .none : .none
        }
        let resultCount = picks?.count ?? count
        let arena = Buffer(byteCount: resultCount * length)
        if let picks {
            try decoder.pick(picks.indexes, picks.count, of: count, into: arena.base)
        } else {
            try decoder.read(count, into: arena.base)
        }
        try conversion.apply(arena.base, resultCount, into: target)
        try checkFixedText(target, resultCount, length)
        return length > StringView.inlineCountMax ? BufferOwners([arena]) : .none
    }

    private func checkFixedText(
        _ views: UnsafeMutableRawPointer,
        _ count: Int,
        _ length: Int
    ) throws(ParquetError) {
        guard isText else { return }
        let places = UnsafePointer(views.assumingMemoryBound(to: StringView.self))
        for index in 0..<count {
            let bytes = (places + index).viewBytes
            guard isUTF8(UnsafeRawBufferPointer(bytes).start, bytes.count) else {
                throw .corrupt("text is not valid UTF-8")
            }
        }
    }

    /// Decodes a dictionary page.
    func dictionary(
        _ bytes: UnsafeRawBufferPointer,
        valueCount: Int,
        encoding: ParquetEncoding,
        owner: Buffer
    ) throws(ParquetError) -> ColumnDictionary {
        guard encoding == .plain || encoding == .plainDictionary else {
            throw .unsupported("a dictionary in the encoding \(encoding)")
        }
        if leaf.physical == .boolean { throw .unsupported("a dictionary of booleans") }
        // A value takes a byte at least: the claim is bounded before memory is taken for it.
        let least = leaf.physical == .byteArray ? 4 : leaf.rawWidth
        guard valueCount <= bytes.count / least else {
            throw .truncated("a dictionary of \(valueCount) values in \(bytes.count) bytes")
        }
        guard let decoder = try decoder(bytes, .plain) else {
            throw .unsupported("a dictionary in the encoding \(encoding)")
        }
        let buffer = Buffer(byteCount: valueCount * width)
        let owners = try read(
            decoder,
            valueCount,
            picks: nil,
            into: buffer.base,
            page: BufferOwners([owner])
        )
        let storage: Column.Storage =
            type.physical == .view
            ? .views(BufferSlice(buffer), owners: owners) : .fixed(BufferSlice(buffer))
        return ColumnDictionary(
            Column(type: type, count: valueCount, validity: nil, storage: storage)
        )
    }
}
