/// How a field lies in the buffers of a message, and what it becomes.
struct IPCField {
    enum Offsets {
        case small
        case large
        case view
    }

    enum Layout {
        case null
        case bool
        case integer(bits: Int, isSigned: Bool)
        case half
        case float
        case double
        case decimal(bits: Int)
        /// In units of which `perDay` make a day.
        case date(bits: Int)
        case time(bits: Int, IPCFormat.TimeUnit)
        case timestamp(IPCFormat.TimeUnit)
        case yearMonth
        case dayTime
        case monthDayNano
        case fixedSizeBinary(Int)
        case binary(Offsets)
        case utf8(Offsets)
        case list(isLarge: Bool)
        case fixedSizeList(Int)
        case structure
        case map
    }

    struct Dictionary {
        var id: Int64
        var indexBits: Int
        var isSigned: Bool
    }

    var layout: Layout
    var dictionary: Dictionary?
    var children: [IPCField]
    /// What the field is for this program.
    var field: Field
}

/// Reads schemas from Arrow's metadata.
struct IPCSchemaReader {
    /// Offsets may be shared, so that a small buffer can describe a huge tree: a bound for that.
    private var fieldsLeft = 100_000

    /// The fields of a Schema table.
    ///
    /// - Throws: `unsupported` when a type has no equal among this program's, naming the field.
    static func read(_ table: FlatBufferTable) throws(IPCError) -> [IPCField] {
        if try table.scalar(0, default: 0 as Int16) != 0 {
            throw IPCError(.unsupported, "the data is big-endian")
        }
        var reader = IPCSchemaReader()
        var fields: [IPCField] = []
        for child in try table.tables(1) { fields.append(try reader.field(child, depth: 0)) }
        return fields
    }

    private mutating func field(
        _ table: FlatBufferTable,
        depth: Int
    ) throws(IPCError) -> IPCField {
        fieldsLeft -= 1
        guard depth < IPCFormat.depthMax, fieldsLeft >= 0 else {
            throw IPCError(.unsupported, "the schema is nested too deep or has too many fields")
        }
        let name = try table.string(0) ?? ""
        do throws(IPCError) {
            return try field(table, name: name, depth: depth)
        } catch {
            var placed = error
            placed.path.insert(name, at: 0)
            throw placed
        }
    }

    private mutating func field(
        _ table: FlatBufferTable,
        name: String,
        depth: Int
    ) throws(IPCError) -> IPCField {
        var children: [IPCField] = []
        for child in try table.tables(5) { children.append(try field(child, depth: depth + 1)) }
        var metadata: [String: String] = [:]
        for pair in try table.tables(6) {
            if let key = try pair.string(0) { metadata[key] = try pair.string(1) ?? "" }
        }
        let (layout, type) = try Self.type(table, children, metadata)
        var dictionary: IPCField.Dictionary?
        if let encoding = try table.table(4) {
            let index = try encoding.table(1)
            let bits = Int(try index?.scalar(0, default: 0 as Int32) ?? 32)
            guard [8, 16, 32, 64].contains(bits) else {
                throw IPCError(.corrupt, "dictionary indices of \(bits) bits")
            }
            dictionary = IPCField.Dictionary(
                id: try encoding.scalar(0, default: 0),
                indexBits: bits,
                isSigned: try index?.bool(1) ?? true
            )
        }
        return IPCField(
            layout: layout,
            dictionary: dictionary,
            children: children,
            field: Field(
                name,
                type,
                isNullable: try table.bool(1),
                id: metadata[IPCFormat.fieldIDKey].flatMap { Int($0) }
            )
        )
    }

    private static func type(
        _ table: FlatBufferTable,
        _ children: [IPCField],
        _ metadata: [String: String]
    ) throws(IPCError) -> (IPCField.Layout, DataType) {
        let number = try table.scalar(2, default: 0 as UInt8)
        guard let typeID = IPCFormat.TypeID(rawValue: number) else {
            throw IPCError(.unsupported, "an unknown type (number \(number))")
        }
        guard let type = try table.table(3) else {
            throw IPCError(.corrupt, "a type without description")
        }
        let childCount: Int? =
            switch typeID {
            case .list, .largeList, .fixedSizeList, .map: 1
            case .structure, .union, .listView, .largeListView, .runEndEncoded: nil
            default: 0
            }
        if let childCount, children.count != childCount {
            throw IPCError(.corrupt, "a type with \(children.count) children, not \(childCount)")
        }
        switch typeID {
        case .null: return (.null, .null)
        case .bool: return (.bool, .boolean)
        case .int: return try integer(type)
        case .floatingPoint:
            switch try type.scalar(0, default: 0 as Int16) {
            case 0: return (.half, .float32)
            case 1: return (.float, .float32)
            case 2: return (.double, .float64)
            default: throw IPCError(.corrupt, "a float of unknown precision")
            }
        case .decimal: return try decimal(type)
        case .date, .time, .timestamp, .interval: return try temporal(typeID, type)
        case .duration:
            throw IPCError(.unsupported, "durations have no equal: store them as numbers")
        case .utf8: return (.utf8(.small), .string)
        case .largeUtf8: return (.utf8(.large), .string)
        case .utf8View: return (.utf8(.view), .string)
        case .binary: return (.binary(.small), .binary)
        case .largeBinary: return (.binary(.large), .binary)
        case .binaryView: return (.binary(.view), .binary)
        case .fixedSizeBinary:
            let width = Int(try type.scalar(0, default: 0 as Int32))
            guard width >= 0 else { throw IPCError(.corrupt, "a width of \(width) bytes") }
            let isUUID = metadata[IPCFormat.extensionNameKey] == IPCFormat.uuidExtension
            return (.fixedSizeBinary(width), isUUID && width == 16 ? .uuid : .fixed(width))
        case .list: return (.list(isLarge: false), .list(children[0].field))
        case .largeList: return (.list(isLarge: true), .list(children[0].field))
        case .fixedSizeList:
            let size = Int(try type.scalar(0, default: 0 as Int32))
            guard size >= 0 else { throw IPCError(.corrupt, "lists of \(size) elements") }
            return (.fixedSizeList(size), .list(children[0].field))
        case .structure: return (.structure, .structure(children.map(\.field)))
        case .map:
            guard case .structure = children[0].layout, children[0].children.count == 2,
                children[0].dictionary == nil
            else {
                throw IPCError(.corrupt, "the entries of a map are no pairs")
            }
            let entry = children[0].children
            return (.map, .map(key: entry[0].field, value: entry[1].field))
        case .union: throw IPCError(.unsupported, "unions have no equal")
        case .runEndEncoded: throw IPCError(.unsupported, "run-end encoding is not read")
        case .listView, .largeListView:
            throw IPCError(.unsupported, "list views are not read")
        }
    }

    private static func integer(
        _ type: FlatBufferTable
    ) throws(IPCError) -> (IPCField.Layout, DataType) {
        let bits = Int(try type.scalar(0, default: 0 as Int32))
        let isSigned = try type.bool(1)
        let layout = IPCField.Layout.integer(bits: bits, isSigned: isSigned)
        switch (bits, isSigned) {
        case (8, _), (16, _), (32, true): return (layout, .int32)
        case (32, false), (64, true): return (layout, .int64)
        case (64, false): return (layout, .decimal(precision: 20, scale: 0))
        default: throw IPCError(.corrupt, "an integer of \(bits) bits")
        }
    }

    private static func decimal(
        _ type: FlatBufferTable
    ) throws(IPCError) -> (IPCField.Layout, DataType) {
        let precision = Int(try type.scalar(0, default: 0 as Int32))
        let scale = Int(try type.scalar(1, default: 0 as Int32))
        let bits = Int(try type.scalar(2, default: 128 as Int32))
        guard bits != 256 else {
            throw IPCError(.unsupported, "decimals of 256 bits have no equal")
        }
        guard bits == 32 || bits == 64 || bits == 128 else {
            throw IPCError(.corrupt, "a decimal of \(bits) bits")
        }
        guard precision >= 1, precision <= 38, scale >= 0, scale <= precision else {
            throw IPCError(.unsupported, "a decimal of precision \(precision), scale \(scale)")
        }
        return (.decimal(bits: bits), .decimal(precision: precision, scale: scale))
    }

    private static func unit(
        _ type: FlatBufferTable,
        default value: IPCFormat.TimeUnit
    ) throws(IPCError) -> IPCFormat.TimeUnit {
        let number = try type.scalar(0, default: value.rawValue)
        guard let unit = IPCFormat.TimeUnit(rawValue: number) else {
            throw IPCError(.corrupt, "an unknown unit of time (number \(number))")
        }
        return unit
    }

    private static func temporal(
        _ typeID: IPCFormat.TypeID,
        _ type: FlatBufferTable
    ) throws(IPCError) -> (IPCField.Layout, DataType) {
        switch typeID {
        case .date:
            switch try type.scalar(0, default: 1 as Int16) {
            case 0: return (.date(bits: 32), .date)
            case 1: return (.date(bits: 64), .date)
            default: throw IPCError(.corrupt, "a date of unknown unit")
            }
        case .time:
            let unit = try unit(type, default: .millisecond)
            let bits = Int(try type.scalar(1, default: 32 as Int32))
            let isSmall = unit == .second || unit == .millisecond
            guard bits == (isSmall ? 32 : 64) else {
                throw IPCError(.corrupt, "a time of \(bits) bits in \(unit)s")
            }
            return (.time(bits: bits, unit), .time)
        case .timestamp:
            let hasZone = try !(type.string(1) ?? "").isEmpty
            let unit = try unit(type, default: .second)
            return (.timestamp(unit), hasZone ? .timestamptz : .timestamp)
        default:
            switch try type.scalar(0, default: 0 as Int16) {
            case 0: return (.yearMonth, .interval)
            case 1: return (.dayTime, .interval)
            case 2: return (.monthDayNano, .interval)
            default: throw IPCError(.corrupt, "an interval of unknown unit")
            }
        }
    }
}
