import Columnar
import SQL

/// The types of the functions of lists and maps.
extension Binder {
    func bind(
        _ function: ListFunction,
        _ given: [BoundExpression],
        _ name: String,
        at span: SourceSpan
    ) throws -> BoundExpression {
        var arguments = given
        func refuse() -> PlanError {
            PlanError(
                .invalid,
                "function \(name)(\(given.map { "\($0.type)" }.joined(separator: ", "))) does not exist",
                hint: "Check the number and the types of its arguments, or use CAST.",
                at: span
            )
        }
        func want(_ count: ClosedRange<Int>) throws {
            guard count.contains(arguments.count) else { throw refuse() }
        }
        func call(_ type: DataType) throws -> BoundExpression {
            try nested(.plain(function), arguments, type, at: span)
        }
        /// All lists of the arguments (from `from` on) at one type, bare nulls as empty ones of it.
        func unifyLists(from: Int = 0) throws -> DataType {
            var type = DataType.null
            for argument in arguments[from...] {
                guard argument.type == .null || argument.type.elementType != nil,
                    let common = CoercionRules.common(type, argument.type)
                else { throw refuse() }
                type = common
            }
            if type != .null {
                for index in arguments.indices[from...] {
                    arguments[index] = try coerce(arguments[index], to: type, at: span)
                }
            }
            return type
        }
        /// The first argument as a list and the second as one of its elements, at one type.
        func unifyElement() throws -> Bool {
            if arguments[0].type == .null { return false }
            guard let element = arguments[0].type.elementType else { throw refuse() }
            let type = try unified(element, arguments[1], at: span)
            arguments[0] = try coerce(arguments[0], to: .list(of: type), at: span)
            arguments[1] = try coerce(arguments[1], to: type, at: span)
            return true
        }
        switch function {
        case .length:
            try want(1...2)
            if arguments.count == 2 {
                guard case .constant(.int32(1), _) = arguments[1] else {
                    throw PlanError(.unsupported, "\(name) measures dimension 1 only", at: span)
                }
                arguments.removeLast()
            }
            if arguments[0].type == .null { return .constant(.null, .int64) }
            guard arguments[0].type.elementType != nil else { throw refuse() }
            return try call(.int64)
        case .contains, .position:
            try want(2...2)
            let type: DataType = function == .contains ? .boolean : .int32
            return try unifyElement() ? try call(type) : .constant(.null, type)
        case .concatenate:
            try want(1...Int.max)
            let type = try unifyLists()
            if type == .null { return .constant(.null, .null) }
            return try call(type)
        case .reverse, .distinct, .distinctWithNull:
            try want(1...1)
            if arguments[0].type == .null { return .constant(.null, .null) }
            guard arguments[0].type.elementType != nil else { throw refuse() }
            return try call(arguments[0].type)
        case .unique:
            try want(1...1)
            if arguments[0].type == .null { return .constant(.null, .int64) }
            guard arguments[0].type.elementType != nil else { throw refuse() }
            return try call(.int64)
        case .flatten:
            try want(1...1)
            if arguments[0].type == .null { return .constant(.null, .null) }
            guard let inner = arguments[0].type.elementType else { throw refuse() }
            if inner == .null {
                arguments[0] = try coerce(arguments[0], to: .list(of: .list(of: .null)), at: span)
                return try call(.list(of: .null))
            }
            guard inner.elementType != nil else { throw refuse() }
            return try call(inner)
        case .zip:
            try want(1...Int.max)
            var lists = arguments
            var flag: BoundExpression?
            if lists.count > 1, let last = lists.last, last.type == .boolean {
                flag = last
                lists.removeLast()
            }
            for index in lists.indices where lists[index].type == .null {
                lists[index] = try coerce(lists[index], to: .list(of: .null), at: span)
            }
            let elements = lists.compactMap(\.type.elementType)
            guard elements.count == lists.count else { throw refuse() }
            arguments = lists + [flag ?? .constant(.boolean(false), .boolean)]
            return try call(.list(of: .structure(elements.map { Field("", $0) })))
        case .resize:
            try want(2...3)
            if arguments[0].type == .null { return .constant(.null, .null) }
            guard let element = arguments[0].type.elementType else { throw refuse() }
            arguments[1] = try place(arguments[1], at: span)
            if arguments.count == 3 {
                let type = try unified(element, arguments[2], at: span)
                arguments[0] = try coerce(arguments[0], to: .list(of: type), at: span)
                arguments[2] = try coerce(arguments[2], to: type, at: span)
            }
            return try call(arguments[0].type)
        case .select, .chosen:
            try want(2...2)
            if arguments[0].type == .null { return .constant(.null, .null) }
            guard arguments[0].type.elementType != nil else { throw refuse() }
            let other: DataType = function == .select ? .int64 : .boolean
            let own = arguments[1].type.elementType
            guard
                arguments[1].type == .null || own == .null || own == other
                    || function == .select && own?.isInteger ?? false
            else { throw refuse() }
            arguments[1] = try coerce(arguments[1], to: .list(of: other), at: span)
            return try call(arguments[0].type)
        case .hasAny, .hasAll, .intersect:
            try want(2...2)
            let type = try unifyLists()
            if function == .intersect {
                return type == .null ? .constant(.null, .null) : try call(type)
            }
            return type == .null ? .constant(.null, .boolean) : try call(.boolean)
        case .range, .series: return try bindRange(function, arguments, refuse(), at: span)
        case .join:
            try want(2...3)
            if arguments[0].type == .null { return .constant(.null, .string) }
            guard arguments[0].type.elementType != nil else { throw refuse() }
            for index in 1..<arguments.count {
                arguments[index] = try coerce(arguments[index], to: .string, at: span)
            }
            return try call(.string)
        case .split:
            try want(2...2)
            guard arguments.allSatisfy({ $0.type == .string || $0.type == .null }) else {
                throw refuse()
            }
            arguments = try arguments.map { try coerce($0, to: .string, at: span) }
            return try call(.list(of: .string))
        case .distance, .innerProduct, .negativeInnerProduct, .cosineSimilarity, .cosineDistance:
            try want(2...2)
            for index in arguments.indices {
                guard let element = arguments[index].type.elementType,
                    element.isNumeric || element == .null
                else { throw refuse() }
                arguments[index] = try coerce(arguments[index], to: .list(of: .float64), at: span)
            }
            return try call(.float64)
        case .cardinality, .mapKeys, .mapValues, .mapEntries, .mapConcat, .mapContains,
            .mapExtract, .mapExtractValue:
            return try bindMapFunction(function, arguments, refuse(), at: span)
        }
    }

    private func bindRange(
        _ function: ListFunction,
        _ given: [BoundExpression],
        _ refusal: PlanError,
        at span: SourceSpan
    ) throws -> BoundExpression {
        guard (1...3).contains(given.count) else { throw refusal }
        var arguments = given
        if arguments.allSatisfy({ $0.type.isInteger || $0.type == .null }) {
            arguments = try arguments.map { try coerce($0, to: .int64, at: span) }
            return try nested(.plain(function), arguments, .list(of: .int64), at: span)
        }
        guard arguments.count == 3, arguments[2].type == .interval || arguments[2].type == .null,
            var type = CoercionRules.common(arguments[0].type, arguments[1].type)
        else { throw refusal }
        if type == .date { type = .timestamp }
        guard type == .timestamp || type == .timestamptz else { throw refusal }
        arguments[0] = try coerce(arguments[0], to: type, at: span)
        arguments[1] = try coerce(arguments[1], to: type, at: span)
        arguments[2] = try coerce(arguments[2], to: .interval, at: span)
        return try nested(.plain(function), arguments, .list(of: type), at: span)
    }

    private func bindMapFunction(
        _ function: ListFunction,
        _ given: [BoundExpression],
        _ refusal: PlanError,
        at span: SourceSpan
    ) throws -> BoundExpression {
        var arguments = given
        guard let first = given.first else { throw refusal }
        if function == .mapConcat {
            var type = DataType.null
            for argument in arguments {
                guard argument.type == .null || argument.type.isMap,
                    let common = CoercionRules.common(type, argument.type)
                else { throw refusal }
                type = common
            }
            if type == .null { return .constant(.null, .null) }
            arguments = try arguments.map { try coerce($0, to: type, at: span) }
            return try nested(.plain(function), arguments, type, at: span)
        }
        let isLookup =
            function == .mapContains || function == .mapExtract || function == .mapExtractValue
        guard arguments.count == (isLookup ? 2 : 1) else { throw refusal }
        if first.type == .null { return .constant(.null, .null) }
        guard case .map(let key, let value) = first.type else { throw refusal }
        if isLookup { arguments[1] = try coerce(arguments[1], to: key.type, at: span) }
        let type: DataType
        switch function {
        case .cardinality: type = .int64
        case .mapKeys: type = .list(of: key.type)
        case .mapValues, .mapExtract: type = .list(of: value.type)
        case .mapEntries:
            type = .list(of: .structure([Field("key", key.type), Field("value", value.type)]))
        case .mapContains: type = .boolean
        default: type = value.type
        }
        return try nested(.plain(function), arguments, type, at: span)
    }

    /// The functions of structs; nil when the name is none of them.
    func bindStructureFunction(
        _ name: String,
        _ arguments: [BoundExpression],
        _ names: [String?],
        _ call: FunctionCall,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        func fields(_ index: Int) throws -> [(name: String, value: BoundExpression)] {
            guard arguments.indices.contains(index),
                case .structure(let fields) = arguments[index].type
            else {
                throw PlanError(.invalid, "\(name) needs a struct", at: span)
            }
            return try fields.enumerated().map { place, field in
                let value = arguments[index]
                if case .nested(.structure, let parts, _) = value {
                    return (field.name, parts[place])
                }
                return (field.name, try nested(.field(place), [value], field.type, at: span))
            }
        }
        /// The arguments from `start` on under their names; a column's name is its own.
        func named(_ start: Int) throws -> [(name: String, value: BoundExpression)] {
            try arguments.indices[start...].map { index in
                if let own = names[index] { return (own, arguments[index]) }
                if case .column(let column) = call.arguments[index].value.node,
                    let last = column.last
                {
                    return (last.name, arguments[index])
                }
                throw PlanError(
                    .invalid,
                    "\(name) needs a name for each value",
                    hint: "Write \(name)(name := value).",
                    at: call.arguments[index].value.span
                )
            }
        }
        switch name {
        case "struct_pack": return try makeStructure(try named(0), at: span)
        case "struct_insert": return try makeStructure(try fields(0) + named(1), at: span)
        case "struct_update":
            var result = try fields(0)
            for (own, value) in try named(1) {
                if let place = result.firstIndex(where: { $0.name.lowercased() == own.lowercased() }
                ) {
                    result[place].value = value
                } else {
                    result.append((own, value))
                }
            }
            return try makeStructure(result, at: span)
        case "struct_concat":
            var result: [(name: String, value: BoundExpression)] = []
            for index in arguments.indices { result += try fields(index) }
            return try makeStructure(result, at: span)
        case "struct_keys":
            let all = try fields(0)
            let keys = try makeList(
                all.map { .constant(.string($0.name), .string) },
                at: span
            )
            return .conditional(
                [
                    BoundExpression.Branch(
                        condition: .isNull(arguments[0], isNegated: true),
                        value: keys
                    )
                ],
                otherwise: nil,
                keys.type
            )
        case "struct_values":
            return try makeStructure(try fields(0).map { ("", $0.value) }, at: span)
        case "struct_contains", "struct_has", "struct_position", "struct_indexof":
            guard arguments.count == 2 else { return nil }
            let values = try makeList(try fields(0).map(\.value), at: span)
            return try bind(
                name.hasSuffix("contains") || name.hasSuffix("has") ? .contains : .position,
                [values, arguments[1]],
                name,
                at: span
            )
        default: return nil
        }
    }
}
