import Columnar

/// Reads one nested column of a row group: lists, structures and maps from the levels of its leaves.
final class NestedColumnReader {
    /// How a node of the file becomes a part of the column.
    private indirect enum Plan {
        /// A leaf of the file, by its place among the column's leaves.
        case leaf(Int, DataType)
        case structure(SchemaNode, levels: Int, [Plan], DataType)
        case list(SchemaNode, levels: Int, elementLevel: Int, Plan, DataType)
        case map(SchemaNode, levels: Int, elementLevel: Int, key: Plan, value: Plan, DataType)
        /// A field that the file does not have: nulls.
        case missing(DataType)

        var type: DataType {
            switch self {
            case .leaf(_, let type), .structure(_, _, _, let type),
                .list(_, _, _, _, let type), .map(_, _, _, _, _, let type), .missing(let type):
                type
            }
        }
    }

    let type: DataType
    private(set) var remainingRows: Int
    private let plan: Plan
    /// One a leaf of the column; nil for those that nobody asks for.
    private var readers: [LeafLevelsReader?]
    private var parts: [LeafLevelsReader.Part?] = []

    init(
        metadata: ParquetMetadata,
        rowGroup: Int,
        column: ParquetColumn,
        as target: DataType?,
        bytes: [ChunkBytes],
        options: ParquetReadOptions,
        context: ParquetReadContext
    ) throws(ParquetError) {
        remainingRows = metadata.rowGroups[rowGroup].rowCount
        var used: [Int: DataType] = [:]
        plan = try Self.plan(column.node, target, metadata, column.leaves.lowerBound, &used)
        type = plan.type
        readers = []
        for (index, leaf) in column.leaves.enumerated() {
            guard let leafType = used[index] else {
                readers.append(nil)
                continue
            }
            readers.append(
                try LeafLevelsReader(
                    leaf: metadata.schema.leaves[leaf],
                    chunk: metadata.rowGroups[rowGroup].columns[leaf],
                    type: leafType,
                    bytes: bytes[index],
                    options: options,
                    context: context
                )
            )
        }
    }

    private static func unreadable(_ node: SchemaNode, _ target: DataType?) -> ParquetError {
        if case .failure(let why) = node.type {
            return .unsupported("column \(node.name) cannot be read: \(why.reason)")
        }
        return .unsupported(
            "column \(node.name) cannot be read as \(target.map { "\($0)" } ?? "anything")"
        )
    }

    private static func plan(
        _ node: SchemaNode,
        _ target: DataType?,
        _ metadata: ParquetMetadata,
        _ firstLeaf: Int,
        _ used: inout [Int: DataType]
    ) throws(ParquetError) -> Plan {
        /// A leaf whose levels tell where the node is: one that is read anyway, if there is one.
        func levels(_ used: inout [Int: DataType]) throws(ParquetError) -> Int {
            for leaf in node.leaves where used[leaf - firstLeaf] != nil { return leaf - firstLeaf }
            for leaf in node.leaves {
                if let type = metadata.schema.leaves[leaf].type {
                    used[leaf - firstLeaf] = type
                    return leaf - firstLeaf
                }
            }
            throw unreadable(node, target)
        }
        switch node.shape {
        case .leaf(let leaf):
            guard let type = target ?? metadata.schema.leaves[leaf].type else {
                throw unreadable(node, target)
            }
            used[leaf - firstLeaf] = type
            return .leaf(leaf - firstLeaf, type)
        case .structure(let children):
            var plans: [Plan] = []
            var fields: [Field] = []
            if let target {
                guard case .structure(let wanted) = target else { throw unreadable(node, target) }
                fields = wanted
                for field in wanted {
                    if let child = match(field, children) {
                        plans.append(try plan(child, field.type, metadata, firstLeaf, &used))
                    } else {
                        plans.append(.missing(field.type))
                    }
                }
            } else {
                for child in children {
                    let part = try plan(child, nil, metadata, firstLeaf, &used)
                    plans.append(part)
                    fields.append(
                        Field(
                            child.name,
                            part.type,
                            isNullable: child.isNullable,
                            id: child.fieldID
                        )
                    )
                }
            }
            guard !fields.isEmpty else { throw unreadable(node, target) }
            return .structure(node, levels: try levels(&used), plans, .structure(fields))
        case .list(let element, let elementLevel):
            var field = Field("element", .null)
            if let target {
                guard case .list(let wanted) = target else { throw unreadable(node, target) }
                field = wanted
            }
            let inner = try plan(
                element,
                target == nil ? nil : field.type,
                metadata,
                firstLeaf,
                &used
            )
            if target == nil {
                field = Field(
                    element.name,
                    inner.type,
                    isNullable: element.isNullable,
                    id: element.fieldID
                )
            }
            return .list(
                node,
                levels: try levels(&used),
                elementLevel: elementLevel,
                inner,
                .list(field)
            )
        case .map(let key, let value, let elementLevel):
            var wanted: (key: Field, value: Field)?
            if let target {
                guard case .map(let key, let value) = target else {
                    throw unreadable(node, target)
                }
                wanted = (key, value)
            }
            let keys = try plan(key, wanted?.key.type, metadata, firstLeaf, &used)
            let values = try plan(value, wanted?.value.type, metadata, firstLeaf, &used)
            func field(_ node: SchemaNode, _ plan: Plan) -> Field {
                Field(node.name, plan.type, isNullable: node.isNullable, id: node.fieldID)
            }
            return .map(
                node,
                levels: try levels(&used),
                elementLevel: elementLevel,
                key: keys,
                value: values,
                .map(
                    key: wanted?.key ?? field(key, keys),
                    value: wanted?.value ?? field(value, values)
                )
            )
        }
    }

    /// The child that is a field of the table: by id, or by name where the file has no ids.
    private static func match(_ field: Field, _ children: [SchemaNode]) -> SchemaNode? {
        if let id = field.id, children.contains(where: { $0.fieldID != nil }) {
            return children.first { $0.fieldID == id }
        }
        return children.first { $0.name == field.name }
    }

    // MARK: Reading

    private func advance(rows count: Int, keeps: Bool) throws(ParquetError) {
        for reader in readers { try reader?.advance(rows: count, keeps: keeps) }
        remainingRows -= count
    }

    func skip(rows count: Int) throws(ParquetError) {
        try advance(rows: min(count, remainingRows), keeps: false)
    }

    func read(rows count: Int) throws(ParquetError) -> Column {
        let count = min(count, remainingRows)
        try advance(rows: count, keeps: true)
        return try takeColumn(rows: count)
    }

    func read(rows count: Int, selection: Selection) throws(ParquetError) -> Column {
        let count = min(count, remainingRows)
        let rows = selection.rows
        var (row, index) = (0, 0)
        while index < selection.count {
            let start = Int(rows[index])
            precondition(start >= row && start < count, "selected rows ascend among those read")
            var end = start + 1
            index += 1
            while index < selection.count, Int(rows[index]) == end {
                end += 1
                index += 1
            }
            precondition(end <= count, "a selected row is not among those read")
            try advance(rows: start - row, keeps: false)
            try advance(rows: end - start, keeps: true)
            row = end
        }
        try advance(rows: count - row, keeps: false)
        return try withExtendedLifetime(selection) { () throws(ParquetError) in
            try takeColumn(rows: selection.count)
        }
    }

    private func takeColumn(rows count: Int) throws(ParquetError) -> Column {
        parts = readers.map { $0?.takePart() }
        defer { parts = [] }
        let column = try build(plan, repetition: 0, definition: 0)
        guard column.count == count else {
            throw .corrupt("a nested column of \(column.count) rows where there are \(count)")
        }
        return column
    }

    // MARK: Putting together

    /// The column of a node, with a row for every entry that repeats at most at level `repetition`
    /// and is defined at least at level `definition`.
    private func build(
        _ plan: Plan,
        repetition: Int,
        definition: Int
    ) throws(ParquetError) -> Column {
        switch plan {
        case .missing: preconditionFailure("a parent gives missing fields their length")
        case .leaf(let index, let type):
            return try leafColumn(index, type, definition)
        case .structure(let node, let levels, let plans, let type):
            let part = try part(levels)
            var flags: [Bool] = []
            for entry in part.definitions.indices
            where Self.isSlot(part, entry, repetition, definition) {
                flags.append(Int(part.definitions[entry]) >= node.definitionLevel)
            }
            var columns: [Column] = []
            for child in plans {
                if case .missing(let type) = child {
                    columns.append(.nulls(type, count: flags.count))
                    continue
                }
                let column = try build(child, repetition: repetition, definition: definition)
                guard column.count == flags.count else {
                    throw .corrupt("the fields of \(node.name) differ in length")
                }
                columns.append(column)
            }
            return Column(
                type: type,
                count: flags.count,
                validity: flags.allSatisfy { $0 } ? nil : Bitmap(flags),
                storage: .structure(columns)
            )
        case .list(let node, let levels, let elementLevel, let element, let type):
            let (offsets, validity, count) = try offsets(
                node,
                try part(levels),
                repetition,
                definition,
                elementLevel
            )
            let elements = try build(
                element,
                repetition: repetition + 1,
                definition: elementLevel
            )
            try Self.check(elements, offsets, count, node)
            return Column(
                type: type,
                count: count,
                validity: validity,
                storage: .list(offsets: BufferSlice(offsets), elements: ColumnBox(elements))
            )
        case .map(let node, let levels, let elementLevel, let key, let value, let type):
            let (offsets, validity, count) = try offsets(
                node,
                try part(levels),
                repetition,
                definition,
                elementLevel
            )
            let keys = try build(key, repetition: repetition + 1, definition: elementLevel)
            let values = try build(value, repetition: repetition + 1, definition: elementLevel)
            try Self.check(keys, offsets, count, node)
            try Self.check(values, offsets, count, node)
            return Column(
                type: type,
                count: count,
                validity: validity,
                storage: .map(
                    offsets: BufferSlice(offsets),
                    keys: ColumnBox(keys),
                    values: ColumnBox(values)
                )
            )
        }
    }

    private func part(_ index: Int) throws(ParquetError) -> LeafLevelsReader.Part {
        guard let part = parts[index] else { preconditionFailure("a planned leaf has a reader") }
        return part
    }

    @inline(__always)
    private static func isSlot(
        _ part: LeafLevelsReader.Part,
        _ entry: Int,
        _ repetition: Int,
        _ definition: Int
    ) -> Bool {
        (part.repetitions.isEmpty || Int(part.repetitions[entry]) <= repetition)
            && Int(part.definitions[entry]) >= definition
    }

    private static func check(
        _ elements: Column,
        _ offsets: Buffer,
        _ count: Int,
        _ node: SchemaNode
    ) throws(ParquetError) {
        guard elements.count == Int(offsets.mutable(as: Int32.self)[count]) else {
            throw .corrupt("the lists of \(node.name) do not have the elements that are there")
        }
    }

    private func offsets(
        _ node: SchemaNode,
        _ part: LeafLevelsReader.Part,
        _ repetition: Int,
        _ definition: Int,
        _ elementLevel: Int
    ) throws(ParquetError) -> (Buffer, Bitmap?, count: Int) {
        var bounds: [Int32] = []
        var flags: [Bool] = []
        var elements: Int32 = 0
        for entry in part.definitions.indices {
            if Self.isSlot(part, entry, repetition, definition) {
                bounds.append(elements)
                flags.append(Int(part.definitions[entry]) >= node.definitionLevel)
            }
            if Self.isSlot(part, entry, repetition + 1, elementLevel) {
                guard !flags.isEmpty else { throw .corrupt("an element of no list") }
                elements += 1
            }
        }
        bounds.append(elements)
        return (
            bounds.withUnsafeBytes { Buffer(copying: $0) },
            flags.allSatisfy { $0 } ? nil : Bitmap(flags),
            flags.count
        )
    }

    private func leafColumn(
        _ index: Int,
        _ type: DataType,
        _ definition: Int
    ) throws(ParquetError) -> Column {
        let part = try part(index)
        guard let reader = readers[index] else {
            preconditionFailure("a planned leaf has a reader")
        }
        let full = reader.values.leaf.maxDefinitionLevel
        // Every entry of a leaf that is defined at its list's elements is one of them.
        var flags: [Bool] = []
        flags.reserveCapacity(part.definitions.count)
        for level in part.definitions where Int(level) >= definition {
            flags.append(Int(level) == full)
        }
        let count = flags.count
        if part.valueCount == 0 { return .nulls(type, count: count) }
        let bits = Bitmap(flags)
        let width = reader.values.width
        let buffer = Buffer(byteCount: count * width)
        buffer.base.copyMemory(from: part.values.base, byteCount: part.valueCount * width)
        spread(
            buffer.base,
            width: width,
            rowCount: count,
            valueCount: part.valueCount,
            words: bits.words,
            offset: 0
        )
        let storage: Column.Storage
        switch type.physical {
        case .bit: storage = .bits(packedBits(buffer.mutable(as: UInt8.self), count))
        case .view:
            storage = .views(BufferSlice(buffer), owners: BufferOwners.union(part.owners))
        default: storage = .fixed(BufferSlice(buffer))
        }
        return Column(
            type: type,
            count: count,
            validity: part.valueCount == count ? nil : bits,
            storage: storage
        )
    }
}
