import Columnar
import Kernels
import Planner

extension ExpressionCompiler {
    /// A function of lists, structs, maps or JSON whose operands are compiled.
    func compileNested(
        _ function: NestedFunction,
        _ arguments: [BoundExpression],
        _ operands: [ExpressionNode],
        _ type: DataType
    ) throws -> ExpressionNode {
        func node(_ apply: @escaping ([Column], Int) throws -> Column) -> ExpressionNode {
            NestedNode(type, operands, apply)
        }
        switch function {
        case .list: return node { try Lists.make($0, type: type, count: $1) }
        case .structure: return node { Structures.make($0, type: type, count: $1) }
        case .map:
            return node { columns, _ in
                try Maps.make(keys: columns[0], values: columns[1], type: type)
            }
        case .mapFromEntries:
            return node { columns, _ in try Maps.make(entries: columns[0], type: type) }
        case .field(let position):
            return node { columns, _ in Structures.field(columns[0], position) }
        case .element: return node { columns, _ in Lists.element(columns[0], at: columns[1]) }
        case .textElement:
            return node { columns, _ in
                try Lists.slice(text: columns[0], lower: columns[1], upper: columns[1])
            }
        case .slice(let hasLower, let hasUpper, let hasStep):
            return node { columns, _ in
                var rest = columns.dropFirst()
                let bounds = SliceBounds(
                    lower: hasLower ? rest.popFirst() : nil,
                    upper: hasUpper ? rest.popFirst() : nil,
                    step: hasStep ? rest.popFirst() : nil
                )
                return try Lists.slice(columns[0], bounds)
            }
        case .textSlice(let hasLower, let hasUpper):
            return node { columns, _ in
                try Lists.slice(
                    text: columns[0],
                    lower: hasLower ? columns[1] : nil,
                    upper: hasUpper ? columns[hasLower ? 2 : 1] : nil
                )
            }
        case .sort(let isDescending, let nullsFirst, let givesPlaces):
            let order = SortOrder(isDescending: isDescending, nullsFirst: nullsFirst)
            return node { columns, _ in
                try Lists.sorted(columns[0], order, givesPlaces: givesPlaces)
            }
        case .aggregate(let call):
            let argument = try call.argument.map { try compile($0) }
            return node { columns, _ in
                let list = try Lists.packed(columns[0])
                let elements = Lists.parts(of: list).elements[0]
                let chunk = Chunk(columns: [elements], rowCount: elements.count)
                return try Lists.aggregate(
                    list,
                    try argument?.evaluate(chunk) ?? elements,
                    try call.makeAccumulator()
                )
            }
        case .regexpExtractAll(let pattern, let options, let group):
            let expression = try RegularExpression(pattern, options: options)
            return node { columns, _ in try expression.extractAll(columns[0], group: group) }
        case .regexpSplit(let pattern, let options):
            let expression = try RegularExpression(pattern, options: options)
            return node { columns, _ in try expression.split(columns[0]) }
        case .transform(let lambda, let condition):
            return try TransformNode(type, operands, lambda, condition: condition)
        case .filter(let lambda): return try FilterNode(type, operands, lambda)
        case .reduce(let lambda, let hasInitial):
            return try ReduceNode(type, operands, lambda, hasInitial: hasInitial)
        case .plain(let function):
            let apply = Self.listFunction(function, type)
            return node { columns, _ in try apply(columns) }
        case .json(let function):
            return node(try Self.jsonFunction(function, arguments, type))
        }
    }

    private static func listFunction(
        _ function: ListFunction,
        _ type: DataType
    ) -> ([Column]) throws -> Column {
        switch function {
        case .length, .cardinality: { Lists.lengths($0[0]) }
        case .contains: { Lists.contains($0[0], $0[1]) }
        case .position: { Lists.position($0[0], of: $0[1]) }
        case .concatenate: { try Lists.concatenate($0, type: type) }
        case .reverse: { try Lists.reversed($0[0]) }
        case .distinct: { try Lists.distinct($0[0]) }
        case .distinctWithNull: { try Lists.distinct($0[0], withNull: true) }
        case .unique: { try Lists.distinctCount($0[0]) }
        case .flatten: { try Lists.flatten($0[0], type: type) }
        case .zip:
            { try Lists.zip(Array($0.dropLast()), isTruncated: $0[$0.count - 1], type: type) }
        case .resize:
            { try Lists.resize($0[0], $0[1], filler: $0.count > 2 ? $0[2] : nil, type: type) }
        case .select: { try Lists.select($0[0], $0[1]) }
        case .chosen: { try Lists.chosen($0[0], $0[1]) }
        case .hasAny: { Lists.has($0[0], all: false, of: $0[1]) }
        case .hasAll: { Lists.has($0[0], all: true, of: $0[1]) }
        case .intersect: { try Lists.intersection($0[0], $0[1]) }
        case .range: { try range($0, isClosed: false) }
        case .series: { try range($0, isClosed: true) }
        case .join:
            { try Lists.joined($0[0], separator: $0[1], null: $0.count > 2 ? $0[2] : nil) }
        case .split: { try Lists.split($0[0], separator: $0[1]) }
        case .distance: { try Lists.combine(.distance, $0[0], $0[1]) }
        case .innerProduct: { try Lists.combine(.innerProduct, $0[0], $0[1]) }
        case .negativeInnerProduct: { try Lists.combine(.negativeInnerProduct, $0[0], $0[1]) }
        case .cosineSimilarity: { try Lists.combine(.cosineSimilarity, $0[0], $0[1]) }
        case .cosineDistance: { try Lists.combine(.cosineDistance, $0[0], $0[1]) }
        case .mapKeys: { Maps.keysOrValues($0[0], isKeys: true) }
        case .mapValues: { Maps.keysOrValues($0[0], isKeys: false) }
        case .mapEntries: { try Maps.entries($0[0], type: type) }
        case .mapConcat: { try Maps.concatenate($0, type: type) }
        case .mapContains:
            { Lists.contains(Maps.keysOrValues($0[0], isKeys: true), $0[1]) }
        case .mapExtract: { try Maps.values($0[0], of: $0[1], type: type) }
        case .mapExtractValue: { Maps.value($0[0], of: $0[1]) }
        }
    }

    private static func range(_ columns: [Column], isClosed: Bool) throws -> Column {
        if columns.count == 3, columns[2].type == .interval {
            return try Lists.timeRange(
                start: columns[0],
                stop: columns[1],
                step: columns[2],
                isClosed: isClosed
            )
        }
        return try Lists.range(
            start: columns.count > 1 ? columns[0] : nil,
            stop: columns[columns.count > 1 ? 1 : 0],
            step: columns.count > 2 ? columns[2] : nil,
            isClosed: isClosed
        )
    }
}
