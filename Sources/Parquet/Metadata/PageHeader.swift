/// What stands before the bytes of a page.
///
/// - Spec: parquet.thrift, `PageHeader`.
struct PageHeader {
    enum Kind {
        case data(DataPage)
        case dictionary(valueCount: Int, encoding: ParquetEncoding)
        /// A kind of page that readers pass over.
        case other
    }

    struct DataPage {
        /// Values with nulls.
        var valueCount: Int
        var encoding: ParquetEncoding
        var levels: Levels
    }

    enum Levels {
        /// Version 1: in front of the values, compressed together with them.
        case v1(definition: ParquetEncoding, repetition: ParquetEncoding)
        /// Version 2: not compressed, of known size.
        case v2(definitionByteCount: Int, repetitionByteCount: Int, isCompressed: Bool)
    }

    var kind: Kind
    var uncompressedSize: Int
    var compressedSize: Int
    var crc: UInt32?
    /// Bytes that the header itself takes.
    var headerSize: Int

    init(_ bytes: UnsafeRawBufferPointer) throws(ParquetError) {
        var reader = ThriftReader(bytes)
        var last: Int16 = 0
        var type: Int32?
        var uncompressed: Int?
        var compressed: Int?
        var data: DataPage?
        var dictionary: (count: Int, encoding: ParquetEncoding)?
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: type = try reader.int32(field)
            case 2: uncompressed = Int(try reader.int32(field))
            case 3: compressed = Int(try reader.int32(field))
            case 4: crc = UInt32(bitPattern: try reader.int32(field))
            case 5: data = try Self.dataPage1(&reader, field)
            case 7: dictionary = try Self.dictionaryPage(&reader, field)
            case 8: data = try Self.dataPage2(&reader, field)
            default: try reader.skip(field)
            }
        }
        uncompressedSize = try required(uncompressed, "size of a page")
        compressedSize = try required(compressed, "size of a page")
        guard uncompressedSize >= 0, compressedSize >= 0 else {
            throw .corrupt("a page of negative size")
        }
        headerSize = reader.offset
        switch try required(type, "kind of a page") {
        case 0, 3: kind = .data(try required(data, "header of a data page"))
        case 2:
            let (count, encoding) = try required(dictionary, "header of a dictionary page")
            kind = .dictionary(valueCount: count, encoding: encoding)
        default: kind = .other
        }
    }

    private static func dataPage1(
        _ reader: inout ThriftReader,
        _ outer: ThriftReader.Field
    ) throws(ParquetError) -> DataPage {
        try reader.structure(outer)
        var last: Int16 = 0
        var count: Int?
        var encoding: Int32?
        var (definition, repetition) = (ParquetEncoding.rle, ParquetEncoding.rle)
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: count = Int(try reader.int32(field))
            case 2: encoding = try reader.int32(field)
            case 3: definition = ParquetEncoding(rawValue: try reader.int32(field))
            case 4: repetition = ParquetEncoding(rawValue: try reader.int32(field))
            default: try reader.skip(field)
            }
        }
        return DataPage(
            valueCount: try checkedCount(count),
            encoding: ParquetEncoding(rawValue: try required(encoding, "encoding of a page")),
            levels: .v1(definition: definition, repetition: repetition)
        )
    }

    private static func dataPage2(
        _ reader: inout ThriftReader,
        _ outer: ThriftReader.Field
    ) throws(ParquetError) -> DataPage {
        try reader.structure(outer)
        var last: Int16 = 0
        var count: Int?
        var encoding: Int32?
        var (definition, repetition) = (0, 0)
        var isCompressed = true
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: count = Int(try reader.int32(field))
            case 4: encoding = try reader.int32(field)
            case 5: definition = try reader.size(field)
            case 6: repetition = try reader.size(field)
            case 7: isCompressed = try reader.bool(field)
            default: try reader.skip(field)
            }
        }
        return DataPage(
            valueCount: try checkedCount(count),
            encoding: ParquetEncoding(rawValue: try required(encoding, "encoding of a page")),
            levels: .v2(
                definitionByteCount: definition,
                repetitionByteCount: repetition,
                isCompressed: isCompressed
            )
        )
    }

    private static func dictionaryPage(
        _ reader: inout ThriftReader,
        _ outer: ThriftReader.Field
    ) throws(ParquetError) -> (Int, ParquetEncoding) {
        try reader.structure(outer)
        var last: Int16 = 0
        var count: Int?
        var encoding = ParquetEncoding.plain
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: count = Int(try reader.int32(field))
            case 2: encoding = ParquetEncoding(rawValue: try reader.int32(field))
            default: try reader.skip(field)
            }
        }
        return (try checkedCount(count), encoding)
    }

    private static func checkedCount(_ count: Int?) throws(ParquetError) -> Int {
        let count = try required(count, "value count of a page")
        guard count >= 0 else { throw .corrupt("a page of \(count) values") }
        return count
    }
}
