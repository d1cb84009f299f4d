extension SchemaElement {
    func write(to writer: inout ThriftWriter, isRoot: Bool) {
        if let type { writer.int32(1, type.rawValue) }
        if type == .fixedLengthByteArray { writer.int32(2, Int32(typeLength)) }
        if !isRoot { writer.int32(3, repetition.rawValue) }
        writer.string(4, name)
        if type == nil { writer.int32(5, Int32(childCount)) }
        if let converted = logicalType?.converted { writer.int32(6, converted) }
        if case .decimal(let precision, let scale)? = logicalType {
            writer.int32(7, Int32(scale))
            writer.int32(8, Int32(precision))
        }
        if let fieldID { writer.int32(9, Int32(truncatingIfNeeded: fieldID)) }
        if let logicalType { logicalType.write(to: &writer) }
    }
}

extension LogicalType {
    /// The annotation that readers from before logical types know; nil where there is none.
    fileprivate var converted: Int32? {
        switch self {
        case .string: 0
        case .map: 1
        case .list: 3
        case .decimal: 5
        case .date: 6
        case .time(.micros): 8
        case .timestamp(.micros, isAdjustedToUTC: true): 10
        default: nil
        }
    }

    fileprivate func write(to writer: inout ThriftWriter) {
        func unit(_ writer: inout ThriftWriter, _ unit: TimeUnit) {
            writer.structure(2) {
                switch unit {
                case .millis: $0.emptyStructure(1)
                case .micros: $0.emptyStructure(2)
                case .nanos: $0.emptyStructure(3)
                }
            }
        }
        writer.structure(10) { writer in
            switch self {
            case .string: writer.emptyStructure(1)
            case .map: writer.emptyStructure(2)
            case .list: writer.emptyStructure(3)
            case .date: writer.emptyStructure(6)
            case .null: writer.emptyStructure(11)
            case .uuid: writer.emptyStructure(14)
            case .decimal(let precision, let scale):
                writer.structure(5) {
                    $0.int32(1, Int32(scale))
                    $0.int32(2, Int32(precision))
                }
            case .time(let timeUnit):
                writer.structure(7) {
                    $0.bool(1, false)
                    unit(&$0, timeUnit)
                }
            case .timestamp(let timeUnit, let isUTC):
                writer.structure(8) {
                    $0.bool(1, isUTC)
                    unit(&$0, timeUnit)
                }
            default: preconditionFailure("a type that is not written")
            }
        }
    }
}

extension ParquetStatistics {
    func write(to writer: inout ThriftWriter) {
        if let nullCount { writer.int64(3, Int64(nullCount)) }
        if let max { writer.binary(5, max) }
        if let min { writer.binary(6, min) }
        if let isMaxExact, max != nil { writer.bool(7, isMaxExact) }
        if let isMinExact, min != nil { writer.bool(8, isMinExact) }
    }
}

extension ColumnChunkMetadata {
    func write(to writer: inout ThriftWriter, path: [String]) {
        writer.int64(2, 0)
        writer.structure(3) { writer in
            writer.int32(1, type.rawValue)
            writer.int32List(2, encodings.map(\.rawValue))
            writer.binaryList(3, path.map { Array($0.utf8) })
            writer.int32(4, compression.rawValue)
            writer.int64(5, Int64(valueCount))
            writer.int64(6, Int64(uncompressedSize))
            writer.int64(7, Int64(compressedSize))
            writer.int64(9, Int64(dataPageOffset))
            if let dictionaryPageOffset { writer.int64(11, Int64(dictionaryPageOffset)) }
            if let statistics { writer.structure(12) { statistics.write(to: &$0) } }
            writer.list(13, pageEncodings) { writer, page in
                writer.int32(1, page.pageType)
                writer.int32(2, page.encoding.rawValue)
                writer.int32(3, Int32(page.count))
            }
            if let bloomFilterOffset, let bloomFilterLength {
                writer.int64(14, Int64(bloomFilterOffset))
                writer.int32(15, Int32(clamping: bloomFilterLength))
            }
        }
        if let range = offsetIndexRange {
            writer.int64(4, Int64(range.lowerBound))
            writer.int32(5, Int32(range.count))
        }
        if let range = columnIndexRange {
            writer.int64(6, Int64(range.lowerBound))
            writer.int32(7, Int32(range.count))
        }
    }
}

/// What the footer of a file that is written says.
struct WrittenFooter {
    var elements: [SchemaElement]
    var leaves: [WriteLeaf]
    var rowGroups: [RowGroupMetadata]
    /// Where each row group begins.
    var offsets: [Int]
    var keyValues: [KeyValue]
    var createdBy: String

    func message() -> [UInt8] {
        ThriftWriter.message { writer in
            writer.int32(1, 2)
            writer.list(2, Array(elements.enumerated())) { writer, element in
                element.element.write(to: &writer, isRoot: element.offset == 0)
            }
            writer.int64(3, Int64(rowGroups.reduce(0) { $0 + $1.rowCount }))
            writer.list(4, Array(rowGroups.enumerated())) { writer, group in
                self.group(group.element, number: group.offset, &writer)
            }
            if !keyValues.isEmpty {
                writer.list(5, keyValues) { writer, pair in
                    writer.string(1, pair.key)
                    if let value = pair.value { writer.string(2, value) }
                }
            }
            writer.string(6, createdBy)
            writer.list(7, leaves) { writer, _ in writer.emptyStructure(1) }
        }
    }

    private func group(
        _ group: RowGroupMetadata,
        number: Int,
        _ writer: inout ThriftWriter
    ) {
        writer.list(1, Array(zip(group.columns, leaves))) { writer, column in
            column.0.write(to: &writer, path: column.1.path)
        }
        writer.int64(2, Int64(group.totalByteSize))
        writer.int64(3, Int64(group.rowCount))
        if !group.sortingColumns.isEmpty {
            writer.list(4, group.sortingColumns) { writer, sorting in
                writer.int32(1, Int32(sorting.leaf))
                writer.bool(2, sorting.isDescending)
                writer.bool(3, sorting.areNullsFirst)
            }
        }
        writer.int64(5, Int64(offsets[number]))
        writer.int64(6, Int64(group.columns.reduce(0) { $0 + $1.compressedSize }))
        if let ordinal = Int16(exactly: number) { writer.int16(7, ordinal) }
    }
}
