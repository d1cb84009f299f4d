import Columnar

extension ParquetSchema {
    /// Builds the tree from elements in depth-first order, the root first.
    init(elements: [SchemaElement]) throws(ParquetError) {
        guard let root = elements.first, root.type == nil, root.childCount >= 0 else {
            throw .corrupt("the schema has no root")
        }
        var builder = SchemaBuilder(elements: elements)
        var columns: [ParquetColumn] = []
        for _ in 0..<root.childCount {
            let node = try builder.node(
                definitionLevel: 0,
                repetitionLevel: 0,
                path: [],
                depth: 0
            )
            var column = ParquetColumn(
                name: node.name,
                fieldID: node.fieldID,
                isNullable: node.isNullable,
                leaves: node.leaves,
                node: node
            )
            switch node.type {
            case .success(let type): column.type = type
            case .failure(let why): column.unsupportedReason = why.reason
            }
            columns.append(column)
        }
        guard builder.next == elements.count else {
            throw .corrupt("the schema has \(elements.count - builder.next) elements too many")
        }
        self.init(columns: columns, leaves: builder.leaves)
    }
}

private struct SchemaBuilder {
    let elements: [SchemaElement]
    var next = 1
    var leaves: [ParquetLeaf] = []

    /// Nodes inside each other that are followed.
    private static let depthMax = 48

    init(elements: [SchemaElement]) {
        self.elements = elements
    }

    private mutating func take() throws(ParquetError) -> SchemaElement {
        guard next < elements.count else { throw .corrupt("the schema ends inside a group") }
        defer { next += 1 }
        return elements[next]
    }

    /// Reads the next element with all below it.
    ///
    /// A repeated element that is not the inside of an
    /// annotated list or map becomes a list of its own.
    mutating func node(
        definitionLevel: Int,
        repetitionLevel: Int,
        path: [String],
        depth: Int
    ) throws(ParquetError) -> SchemaNode {
        let element = try take()
        let own = definitionLevel + (element.repetition == .required ? 0 : 1)
        guard element.repetition == .repeated else {
            return try content(
                of: element,
                isNullable: element.repetition == .optional,
                definitionLevel: own,
                repetitionLevel: repetitionLevel,
                path: path,
                depth: depth
            )
        }
        // A list that is never null, of elements that are never null.
        let inner = try content(
            of: element,
            isNullable: false,
            definitionLevel: own,
            repetitionLevel: repetitionLevel + 1,
            path: path,
            depth: depth + 1
        )
        return SchemaNode(
            element: element,
            isNullable: false,
            definitionLevel: definitionLevel,
            repetitionLevel: repetitionLevel,
            shape: .list(element: inner, elementLevel: own),
            leaves: inner.leaves,
            type: Self.listType(inner)
        )
    }

    private static func listType(
        _ element: SchemaNode
    ) -> Result<DataType, SchemaNode.Unsupported> {
        Result { () throws(SchemaNode.Unsupported) in .list(try element.field()) }
    }

    /// The node of an element whose levels have been counted already.
    private mutating func content(
        of element: SchemaElement,
        isNullable: Bool,
        definitionLevel: Int,
        repetitionLevel: Int,
        path: [String],
        depth: Int
    ) throws(ParquetError) -> SchemaNode {
        guard depth < Self.depthMax else { throw .unsupported("the schema is nested too deep") }
        let path = path + [element.name]
        let firstLeaf = leaves.count
        func made(
            _ shape: SchemaNode.Shape,
            _ type: Result<DataType, SchemaNode.Unsupported>,
            _ leafCount: Int
        ) -> SchemaNode {
            SchemaNode(
                element: element,
                isNullable: isNullable,
                definitionLevel: definitionLevel,
                repetitionLevel: repetitionLevel,
                shape: shape,
                leaves: firstLeaf..<leafCount,
                type: type
            )
        }
        if let physical = element.type {
            var leaf = ParquetLeaf(
                name: path.joined(separator: "."),
                fieldID: element.fieldID,
                physical: physical,
                typeLength: element.typeLength,
                logical: element.logicalType,
                maxDefinitionLevel: definitionLevel,
                maxRepetitionLevel: repetitionLevel
            )
            let type = leaf.naturalType()
            switch type {
            case .success(let type): leaf.type = type
            case .failure(let why): leaf.unsupportedReason = why.reason
            }
            leaves.append(leaf)
            return made(.leaf(leaves.count - 1), type, leaves.count)
        }
        // A map without values is a list of its keys.
        let isList =
            element.logicalType == .list
            || element.logicalType == .map && next < elements.count
                && elements[next].type == nil && elements[next].childCount == 1
        if isList, element.childCount == 1,
            next < elements.count, elements[next].repetition == .repeated
        {
            let (inner, level) = try listElement(
                outerName: element.name,
                definitionLevel: definitionLevel,
                repetitionLevel: repetitionLevel,
                path: path,
                depth: depth + 1
            )
            return made(
                .list(element: inner, elementLevel: level),
                Self.listType(inner),
                leaves.count
            )
        }
        if element.logicalType == .map, element.childCount == 1, next < elements.count,
            elements[next].repetition == .repeated, elements[next].type == nil,
            elements[next].childCount == 2
        {
            let entries = try take()
            let (own, level) = (definitionLevel + 1, repetitionLevel + 1)
            let inside = path + [entries.name]
            let key = try node(
                definitionLevel: own,
                repetitionLevel: level,
                path: inside,
                depth: depth + 1
            )
            let value = try node(
                definitionLevel: own,
                repetitionLevel: level,
                path: inside,
                depth: depth + 1
            )
            let type = Result { () throws(SchemaNode.Unsupported) -> DataType in
                .map(key: try key.field(), value: try value.field())
            }
            return made(
                .map(key: key, value: value, elementLevel: own),
                type,
                leaves.count
            )
        }
        guard element.childCount >= 0 else { throw .corrupt("a group of negative size") }
        var children: [SchemaNode] = []
        for _ in 0..<element.childCount {
            children.append(
                try node(
                    definitionLevel: definitionLevel,
                    repetitionLevel: repetitionLevel,
                    path: path,
                    depth: depth + 1
                )
            )
        }
        let type: Result<DataType, SchemaNode.Unsupported>
        if children.isEmpty {
            type = .failure(SchemaNode.Unsupported(reason: "a group without fields"))
        } else if element.logicalType == .variant {
            type = .failure(SchemaNode.Unsupported(reason: "the type VARIANT"))
        } else {
            type = Result { () throws(SchemaNode.Unsupported) -> DataType in
                var fields: [Field] = []
                for child in children { fields.append(try child.field()) }
                return .structure(fields)
            }
        }
        return made(.structure(children), type, leaves.count)
    }

    /// What lies inside a group annotated as a list, by the rules for old writers.
    ///
    /// - Spec: Parquet, LogicalTypes.md, "Lists: backward-compatibility rules".
    private mutating func listElement(
        outerName: String,
        definitionLevel: Int,
        repetitionLevel: Int,
        path: [String],
        depth: Int
    ) throws(ParquetError) -> (SchemaNode, level: Int) {
        let repeated = try take()
        let (own, level) = (definitionLevel + 1, repetitionLevel + 1)
        let isElementItself =
            repeated.type != nil || repeated.childCount != 1
            || repeated.name == "array" || repeated.name == outerName + "_tuple"
            || (next < elements.count && elements[next].repetition == .repeated)
        if isElementItself {
            let inner = try content(
                of: repeated,
                isNullable: false,
                definitionLevel: own,
                repetitionLevel: level,
                path: path,
                depth: depth
            )
            return (inner, own)
        }
        let inner = try node(
            definitionLevel: own,
            repetitionLevel: level,
            path: path + [repeated.name],
            depth: depth
        )
        return (inner, own)
    }
}

extension ParquetLeaf {
    /// What the leaf's values are, in the types that queries know.
    func naturalType() -> Result<DataType, SchemaNode.Unsupported> {
        func no(_ reason: String) -> Result<DataType, SchemaNode.Unsupported> {
            .failure(SchemaNode.Unsupported(reason: reason))
        }
        if logical == .null { return .success(.null) }
        if case .decimal(let precision, let scale)? = logical {
            switch physical {
            case .int32, .int64, .byteArray, .fixedLengthByteArray:
                guard (1...38).contains(precision), (0...precision).contains(scale) else {
                    return no("the type DECIMAL(\(precision), \(scale))")
                }
                if physical == .fixedLengthByteArray, typeLength <= 0 {
                    return no("values of \(typeLength) bytes")
                }
                return .success(.decimal(precision: precision, scale: scale))
            default: break
            }
        }
        switch physical {
        case .boolean: return .success(.boolean)
        case .int32:
            switch logical {
            case .date: return .success(.date)
            case .time(.millis): return .success(.time)
            case .integer(32, isSigned: false): return .success(.int64)
            default: return .success(.int32)
            }
        case .int64:
            switch logical {
            case .time(.micros), .time(.nanos): return .success(.time)
            case .timestamp(_, let isUTC): return .success(isUTC ? .timestamptz : .timestamp)
            case .integer(64, isSigned: false): return .success(.decimal(precision: 20, scale: 0))
            default: return .success(.int64)
            }
        case .int96: return .success(.timestamp)
        case .float: return .success(.float32)
        case .double: return .success(.float64)
        case .byteArray:
            switch logical {
            case .string, .enumeration, .json: return .success(.string)
            default: return .success(.binary)
            }
        case .fixedLengthByteArray:
            guard typeLength > 0 else { return no("values of \(typeLength) bytes") }
            switch logical {
            case .uuid where typeLength == 16: return .success(.uuid)
            case .interval where typeLength == 12: return .success(.interval)
            case .float16 where typeLength == 2: return .success(.float32)
            default: return .success(.fixed(typeLength))
            }
        }
    }
}
