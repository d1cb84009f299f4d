private typealias Wire = ThriftReader.Wire

/// Unwraps a field that the format requires.
@inline(__always)
func required<T>(_ value: T?, _ name: String) throws(ParquetError) -> T {
    guard let value else { throw .corrupt("the metadata has no \(name)") }
    return value
}

extension ParquetMetadata {
    /// Reads the footer's Thrift message.
    ///
    /// - Parameter footerOffset: where it begins in the file.
    init(
        footer bytes: UnsafeRawBufferPointer,
        footerOffset: Int,
        fileSize: Int
    ) throws(ParquetError) {
        var reader = ThriftReader(bytes)
        var last: Int16 = 0
        var version: Int32?
        var elements: [SchemaElement]?
        var rowCount: Int?
        var rowGroups: [RowGroupMetadata]?
        var keyValues: [KeyValue] = []
        var createdBy: String?
        var orders: [ColumnOrder] = []
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: version = try reader.int32(field)
            case 2:
                elements = try reader.list(field, of: Wire.structure) {
                    (reader) throws(ParquetError) in try SchemaElement(&reader)
                }
            case 3: rowCount = try reader.size(field)
            case 4:
                rowGroups = try reader.list(field, of: Wire.structure) {
                    (reader) throws(ParquetError) in try RowGroupMetadata(&reader)
                }
            case 5:
                keyValues = try reader.list(field, of: Wire.structure) {
                    (reader) throws(ParquetError) in try KeyValue(&reader)
                }
            case 6: createdBy = try reader.string(field)
            case 7:
                orders = try reader.list(field, of: Wire.structure) {
                    (reader) throws(ParquetError) in try ColumnOrder(&reader)
                }
            default: try reader.skip(field)
            }
        }
        self.version = version ?? 1
        schemaElements = try required(elements, "schema")
        self.rowCount = try required(rowCount, "row count")
        self.rowGroups = try required(rowGroups, "row groups")
        self.keyValues = keyValues
        self.createdBy = createdBy
        self.fileSize = fileSize
        self.footerOffset = footerOffset
        schema = try ParquetSchema(elements: schemaElements)
        let leafCount = schema.leaves.count
        columnOrders =
            orders.count == leafCount
            ? orders : Array(repeating: .undefined, count: leafCount)
        try check()
    }

    /// What all later code relies on: as many chunks as leaves, of the leaves' types, and counts that
    /// add up.
    private mutating func check() throws(ParquetError) {
        var total = 0
        for (index, group) in rowGroups.enumerated() {
            let place = "row group \(index)"
            try ParquetError.during(place) { () throws(ParquetError) in
                guard group.columns.count == schema.leaves.count else {
                    throw .corrupt(
                        "\(group.columns.count) column chunks for \(schema.leaves.count) columns"
                    )
                }
                let (sum, overflow) = total.addingReportingOverflow(group.rowCount)
                if overflow { throw .corrupt("row counts do not fit 64 bits") }
                total = sum
                for (chunk, leaf) in zip(group.columns, schema.leaves)
                where chunk.unreadableReason == nil {
                    guard chunk.type == leaf.physical else {
                        throw .corrupt("column \(leaf.name) is stored as \(chunk.type)")
                    }
                    if leaf.maxRepetitionLevel == 0, chunk.valueCount != group.rowCount {
                        throw .corrupt(
                            "column \(leaf.name) has \(chunk.valueCount) values in "
                                + "\(group.rowCount) rows"
                        )
                    }
                }
            }
        }
        // Some writers claim another number for the file: what can be read is what counts.
        rowCount = total
    }
}

extension KeyValue {
    fileprivate init(_ reader: inout ThriftReader) throws(ParquetError) {
        var last: Int16 = 0
        var key: String?
        var value: String?
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: key = try reader.string(field)
            case 2: value = try reader.string(field)
            default: try reader.skip(field)
            }
        }
        self.init(key: try required(key, "key of a remark"), value: value)
    }
}

extension ColumnOrder {
    fileprivate init(_ reader: inout ThriftReader) throws(ParquetError) {
        var last: Int16 = 0
        self = .undefined
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: self = .typeDefined
            case 2: self = .ieee754TotalOrder
            default: break
            }
            try reader.skip(field)
        }
    }
}

extension SchemaElement {
    fileprivate init(_ reader: inout ThriftReader) throws(ParquetError) {
        var last: Int16 = 0
        var name: String?
        var type: Int32?
        var repetition: Int32?
        var converted: Int32?
        var (precision, scale) = (0, 0)
        typeLength = 0
        childCount = 0
        fieldID = nil
        logicalType = nil
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: type = try reader.int32(field)
            case 2: typeLength = Int(try reader.int32(field))
            case 3: repetition = try reader.int32(field)
            case 4: name = try reader.string(field)
            case 5: childCount = Int(try reader.int32(field))
            case 6: converted = try reader.int32(field)
            case 7: scale = Int(try reader.int32(field))
            case 8: precision = Int(try reader.int32(field))
            case 9: fieldID = Int(try reader.int32(field))
            case 10: logicalType = try LogicalType(&reader, field)
            default: try reader.skip(field)
            }
        }
        self.name = try required(name, "name of a column")
        if let type {
            guard let known = ParquetPhysicalType(rawValue: type) else {
                throw .unsupported("column \(self.name) has the unknown type \(type)")
            }
            self.type = known
        } else {
            self.type = nil
        }
        if let repetition {
            guard let known = Repetition(rawValue: repetition) else {
                throw .corrupt("column \(self.name) has the repetition \(repetition)")
            }
            self.repetition = known
        } else {
            // Only the root may do without.
            self.repetition = .required
        }
        isConvertedOnly = logicalType == nil && converted != nil
        if logicalType == nil, let converted {
            logicalType = LogicalType(converted: converted, precision: precision, scale: scale)
        }
    }
}

extension LogicalType {
    /// What an old file's `ConvertedType` stands for; nil for those that say nothing more.
    init?(converted: Int32, precision: Int, scale: Int) {
        switch converted {
        case 0: self = .string
        // MAP_KEY_VALUE was used for MAP by mistake, and on the inner group by design.
        case 1, 2: self = .map
        case 3: self = .list
        case 4: self = .enumeration
        case 5: self = .decimal(precision: precision, scale: scale)
        case 6: self = .date
        case 7: self = .time(.millis)
        case 8: self = .time(.micros)
        // The specification calls these instants, but writers of the time used them for both, and
        // the readers that people know (Arrow, DuckDB) show them without a zone.
        case 9: self = .timestamp(.millis, isAdjustedToUTC: false)
        case 10: self = .timestamp(.micros, isAdjustedToUTC: false)
        case 11: self = .integer(bitWidth: 8, isSigned: false)
        case 12: self = .integer(bitWidth: 16, isSigned: false)
        case 13: self = .integer(bitWidth: 32, isSigned: false)
        case 14: self = .integer(bitWidth: 64, isSigned: false)
        case 15: self = .integer(bitWidth: 8, isSigned: true)
        case 16: self = .integer(bitWidth: 16, isSigned: true)
        case 17: self = .integer(bitWidth: 32, isSigned: true)
        case 18: self = .integer(bitWidth: 64, isSigned: true)
        case 19: self = .json
        case 20: self = .bson
        case 21: self = .interval
        default: return nil
        }
    }

    fileprivate init?(
        _ reader: inout ThriftReader,
        _ outer: ThriftReader.Field
    ) throws(ParquetError) {
        try reader.structure(outer)
        var last: Int16 = 0
        var result: LogicalType?
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 5: result = try Self.decimal(&reader, field)
            case 7: result = .time(try Self.unit(&reader, field).unit)
            case 8:
                let (unit, isUTC) = try Self.unit(&reader, field)
                result = .timestamp(unit, isAdjustedToUTC: isUTC)
            case 10: result = try Self.integer(&reader, field)
            default:
                result = Self.named(field.id)
                try reader.skip(field)
            }
        }
        guard let result else { return nil }
        self = result
    }

    private static func named(_ id: Int16) -> LogicalType {
        switch id {
        case 1: .string
        case 2: .map
        case 3: .list
        case 4: .enumeration
        case 6: .date
        case 11: .null
        case 12: .json
        case 13: .bson
        case 14: .uuid
        case 15: .float16
        case 16: .variant
        case 17: .geometry
        case 18: .geography
        default: .unknown(id)
        }
    }

    private static func decimal(
        _ reader: inout ThriftReader,
        _ outer: ThriftReader.Field
    ) throws(ParquetError) -> LogicalType {
        try reader.structure(outer)
        var last: Int16 = 0
        var (precision, scale) = (0, 0)
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: scale = Int(try reader.int32(field))
            case 2: precision = Int(try reader.int32(field))
            default: try reader.skip(field)
            }
        }
        return .decimal(precision: precision, scale: scale)
    }

    private static func unit(
        _ reader: inout ThriftReader,
        _ outer: ThriftReader.Field
    ) throws(ParquetError) -> (unit: TimeUnit, isUTC: Bool) {
        try reader.structure(outer)
        var last: Int16 = 0
        var isUTC = false
        var unit: TimeUnit?
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: isUTC = try reader.bool(field)
            case 2:
                switch try reader.unionMember(field) {
                case 1: unit = .millis
                case 2: unit = .micros
                case 3: unit = .nanos
                default: throw .unsupported("an unknown unit of time")
                }
            default: try reader.skip(field)
            }
        }
        return (try required(unit, "unit of a time"), isUTC)
    }

    private static func integer(
        _ reader: inout ThriftReader,
        _ outer: ThriftReader.Field
    ) throws(ParquetError) -> LogicalType {
        try reader.structure(outer)
        var last: Int16 = 0
        var width = 0
        var isSigned = true
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: width = Int(try reader.int32(field))
            case 2: isSigned = try reader.bool(field)
            default: try reader.skip(field)
            }
        }
        return .integer(bitWidth: width, isSigned: isSigned)
    }
}

extension RowGroupMetadata {
    fileprivate init(_ reader: inout ThriftReader) throws(ParquetError) {
        var last: Int16 = 0
        var columns: [ColumnChunkMetadata]?
        var rowCount: Int?
        totalByteSize = 0
        sortingColumns = []
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1:
                columns = try reader.list(field, of: Wire.structure) {
                    (reader) throws(ParquetError) in try ColumnChunkMetadata(&reader)
                }
            case 2: totalByteSize = Int(try reader.int64(field))
            case 3: rowCount = try reader.size(field)
            case 4:
                sortingColumns = try reader.list(field, of: Wire.structure) {
                    (reader) throws(ParquetError) in try SortingColumn(&reader)
                }
            default: try reader.skip(field)
            }
        }
        self.columns = try required(columns, "columns of a row group")
        self.rowCount = try required(rowCount, "row count of a row group")
    }
}

extension SortingColumn {
    fileprivate init(_ reader: inout ThriftReader) throws(ParquetError) {
        var last: Int16 = 0
        leaf = 0
        isDescending = false
        areNullsFirst = false
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: leaf = Int(try reader.int32(field))
            case 2: isDescending = try reader.bool(field)
            case 3: areNullsFirst = try reader.bool(field)
            default: try reader.skip(field)
            }
        }
    }
}

extension ColumnChunkMetadata {
    fileprivate init(_ reader: inout ThriftReader) throws(ParquetError) {
        var last: Int16 = 0
        var offsetIndex: (offset: Int?, length: Int?) = (nil, nil)
        var columnIndex: (offset: Int?, length: Int?) = (nil, nil)
        var details: ColumnChunkMetadata?
        var unreadable: String?
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: unreadable = "it lies in another file, \(try reader.string(field))"
            case 3: details = try ColumnChunkMetadata(details: &reader, field)
            case 4: offsetIndex.offset = Int(try reader.int64(field))
            case 5: offsetIndex.length = Int(try reader.int64(field))
            case 6: columnIndex.offset = Int(try reader.int64(field))
            case 7: columnIndex.length = Int(try reader.int64(field))
            case 8:
                unreadable = "it is encrypted"
                try reader.skip(field)
            default: try reader.skip(field)
            }
        }
        if let details {
            self = details
        } else if unreadable != nil {
            self = ColumnChunkMetadata()
        } else {
            throw .corrupt("a column chunk has no metadata")
        }
        unreadableReason = unreadable
        func range(_ part: (offset: Int?, length: Int?)) -> Range<Int>? {
            guard let offset = part.offset, let length = part.length, offset > 0, length > 0
            else { return nil }
            let (end, overflow) = offset.addingReportingOverflow(length)
            return overflow ? nil : offset..<end
        }
        offsetIndexRange = range(offsetIndex)
        columnIndexRange = range(columnIndex)
    }

    /// A chunk about which nothing is known.
    init() {
        type = .boolean
        encodings = []
        compression = .uncompressed
        valueCount = 0
        compressedSize = 0
        uncompressedSize = 0
        dataPageOffset = 0
        pageEncodings = []
    }

    private init(
        details reader: inout ThriftReader,
        _ outer: ThriftReader.Field
    ) throws(ParquetError) {
        try reader.structure(outer)
        self.init()
        var last: Int16 = 0
        var type: Int32?
        var codec: Int32?
        var values: Int?
        var (compressed, uncompressed, dataOffset): (Int?, Int?, Int?) = (nil, nil, nil)
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: type = try reader.int32(field)
            case 2: encodings = try reader.int32List(field).map { ParquetEncoding(rawValue: $0) }
            case 4: codec = try reader.int32(field)
            case 5: values = try reader.size(field)
            case 6: uncompressed = try reader.size(field)
            case 7: compressed = try reader.size(field)
            case 9: dataOffset = try reader.size(field)
            case 11: dictionaryPageOffset = Int(try reader.int64(field))
            case 12: statistics = try ParquetStatistics(&reader, field)
            case 13:
                pageEncodings = try reader.list(field, of: Wire.structure) {
                    (reader) throws(ParquetError) in try PageEncodingStatistics(&reader)
                }
            // Early writers had other things under these numbers.
            case 14 where field.type == Wire.int64: bloomFilterOffset = try reader.size(field)
            case 15 where field.type == Wire.int32: bloomFilterLength = try reader.size(field)
            default: try reader.skip(field)
            }
        }
        let rawType = try required(type, "type of a column chunk")
        guard let known = ParquetPhysicalType(rawValue: rawType) else {
            throw .unsupported("a column chunk has the unknown type \(rawType)")
        }
        self.type = known
        compression = ParquetCompression(rawValue: try required(codec, "codec of a column chunk"))
        valueCount = try required(values, "value count of a column chunk")
        compressedSize = try required(compressed, "size of a column chunk")
        uncompressedSize = try required(uncompressed, "uncompressed size of a column chunk")
        dataPageOffset = try required(dataOffset, "offset of a column chunk")
    }
}

extension PageEncodingStatistics {
    fileprivate init(_ reader: inout ThriftReader) throws(ParquetError) {
        var last: Int16 = 0
        pageType = 0
        encoding = .plain
        count = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: pageType = try reader.int32(field)
            case 2: encoding = ParquetEncoding(rawValue: try reader.int32(field))
            case 3: count = Int(try reader.int32(field))
            default: try reader.skip(field)
            }
        }
    }
}

extension ParquetStatistics {
    init(_ reader: inout ThriftReader, _ outer: ThriftReader.Field) throws(ParquetError) {
        try reader.structure(outer)
        self.init()
        var last: Int16 = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: deprecatedMax = try reader.bytes(field)
            case 2: deprecatedMin = try reader.bytes(field)
            case 3: nullCount = Int(try reader.int64(field))
            case 4: distinctCount = Int(try reader.int64(field))
            case 5: max = try reader.bytes(field)
            case 6: min = try reader.bytes(field)
            case 7: isMaxExact = try reader.bool(field)
            case 8: isMinExact = try reader.bool(field)
            case 9: nanCount = Int(try reader.int64(field))
            default: try reader.skip(field)
            }
        }
        if let count = nullCount, count < 0 { nullCount = nil }
    }
}
