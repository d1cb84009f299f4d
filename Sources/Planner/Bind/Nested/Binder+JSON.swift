import Columnar
import SQL

/// JSON in texts.
///
/// There is no type of its own: JSON is text. Whether an expression is known to be JSON (a cast to
/// JSON, a function that gives it) matters only where a text and a JSON value are written differently.
extension Binder {
    /// Whether an expression is known to give JSON.
    func isJSON(_ expression: BoundExpression) -> Bool {
        switch expression {
        case .nested(.json(let function), _, _): function.givesJSON
        case .nested(.element, let arguments, _): isListOfJSON(arguments[0])
        case .conditional(let branches, let otherwise, _):
            branches.allSatisfy { isJSON($0.value) } && otherwise.map { isJSON($0) } ?? true
        default: false
        }
    }

    private func isListOfJSON(_ expression: BoundExpression) -> Bool {
        switch expression {
        case .nested(.json(let function), _, _): function.kind == .extract && function.givesList
        case .nested(.list, let elements, _):
            !elements.isEmpty && elements.allSatisfy { isJSON($0) }
        default: false
        }
    }

    /// `base -> path` and `base ->> path`.
    func bindJSONPath(
        _ base: BoundExpression,
        _ path: BoundExpression,
        asText: Bool,
        at span: SourceSpan
    ) throws -> BoundExpression {
        try bindQuestion(
            JSONFunction(asText ? .extractString : .extract),
            [base, path],
            asText ? "->>" : "->",
            .string,
            at: span
        )
    }

    /// A function of a JSON text and, perhaps, a path or a list of paths.
    private func bindQuestion(
        _ function: JSONFunction,
        _ arguments: [BoundExpression],
        _ name: String,
        _ type: DataType,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let base = try json(arguments[0], name, at: span)
        guard arguments.count > 1 else {
            return try nested(.json(function), [base], type, at: span)
        }
        let path = arguments[1]
        if path.type.elementType != nil {
            // Several paths give a list of what each meets.
            var paths: [BoundExpression] = []
            switch path {
            case .constant(.list(let values), _):
                let element = path.type.elementType ?? .string
                paths = values.map { .constant($0, element) }
            case .nested(.list, let elements, _): paths = elements
            default:
                throw PlanError(
                    .unsupported,
                    "the paths of \(name) must be written as a list",
                    at: span
                )
            }
            let found = try makeList(
                try paths.map { try bindQuestion(function, [base, $0], name, type, at: span) },
                at: span
            )
            let isKnown = BoundExpression.isNull(base, isNegated: true)
            return .conditional(
                [BoundExpression.Branch(condition: isKnown, value: found)],
                otherwise: nil,
                found.type
            )
        }
        if path.type == .null { return .constant(.null, type) }
        guard path.type == .string || path.type.isInteger else {
            throw PlanError(
                .invalid,
                "the path of \(name) is a text or a whole number, this is \(path.type)",
                at: span
            )
        }
        var own = function
        if case .constant(.string(let text), _) = path { own.givesList = Self.hasWildcard(text) }
        return try nested(
            .json(own),
            [base, path],
            own.givesList ? .list(of: type) : type,
            at: span
        )
    }

    /// Whether a path may meet several values.
    private static func hasWildcard(_ path: String) -> Bool {
        guard path.hasPrefix("$") else { return false }
        var quote: Character?
        var last: Character = "$"
        for character in path {
            if let mark = quote {
                if character == mark { quote = nil }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if character == "*" && (last == "." || last == "[")
                || character == "." && last == "."
            {
                return true
            }
            last = character
        }
        return false
    }

    /// A JSON text: a text, or the JSON of anything else.
    private func json(
        _ expression: BoundExpression,
        _ name: String,
        at span: SourceSpan
    ) throws -> BoundExpression {
        switch expression.type {
        case .string: return expression
        case .null: return .constant(.null, .string)
        default:
            throw PlanError(
                .invalid,
                "\(name) needs JSON in a text, this is \(expression.type)",
                hint: "to_json makes JSON of other values.",
                at: span
            )
        }
    }

    /// A value as JSON.
    func toJSON(_ value: BoundExpression, at span: SourceSpan) throws -> BoundExpression {
        if isJSON(value) { return value }
        if value.type == .null { return .constant(.null, .string) }
        var function = JSONFunction(.toJSON)
        if isListOfJSON(value) { function.jsonArguments = [0] }
        return try nested(.json(function), [value], .string, at: span)
    }

    /// `CAST(value AS JSON)`: text must be JSON, anything else becomes it.
    func castToJSON(
        _ value: BoundExpression,
        isTry: Bool,
        at span: SourceSpan
    ) throws -> BoundExpression {
        guard value.type == .string else { return try toJSON(value, at: span) }
        if isJSON(value) { return value }
        var function = JSONFunction(.cast)
        function.isStrict = !isTry
        return try nested(.json(function), [value], .string, at: span)
    }

    /// `CAST(value AS type)` of JSON; nil when the text is cast as any other.
    func castFromJSON(
        _ value: BoundExpression,
        _ type: DataType,
        isTry: Bool,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        guard type != .string, isJSON(value) else { return nil }
        var function = JSONFunction(.fromJSON)
        function.isStrict = !isTry
        return try nested(.json(function), [value], type, at: span)
    }

    /// The functions of JSON by name; nil when the name is none of them.
    mutating func bindJSONCall(
        _ name: String,
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        if name == "json_group_array" || name == "json_group_object" {
            return try bindJSONAggregate(name, call, &context, at: span)
        }
        guard let function = Self.jsonFunction(named: name) else { return nil }
        guard call.arguments.allSatisfy({ $0.name == nil }) else {
            throw PlanError(.invalid, "\(name) has no named arguments", at: span)
        }
        var arguments: [BoundExpression] = []
        for argument in call.arguments { arguments.append(try bind(argument.value, &context)) }
        func ask(_ type: DataType) throws -> BoundExpression {
            try expect(1...2, call, name, at: span)
            return try bindQuestion(function, arguments, name, type, at: span)
        }
        switch function.kind {
        case .check, .valid, .structure, .pretty:
            try expect(1...1, call, name, at: span)
            let type: DataType = function.kind == .valid ? .boolean : .string
            let text = try json(arguments[0], name, at: span)
            return try nested(.json(function), [text], type, at: span)
        case .extract, .extractString, .value:
            try expect(2...2, call, name, at: span)
            return try ask(.string)
        case .exists:
            try expect(2...2, call, name, at: span)
            return try ask(.boolean)
        case .type: return try ask(.string)
        case .arrayLength: return try ask(.int64)
        case .keys: return try ask(.list(of: .string))
        case .contains, .mergePatch:
            try expect(2...2, call, name, at: span)
            let texts = try arguments.map { try json($0, name, at: span) }
            let type: DataType = function.kind == .contains ? .boolean : .string
            return try nested(.json(function), texts, type, at: span)
        case .object:
            guard arguments.count.isMultiple(of: 2) else {
                throw PlanError(.invalid, "\(name) needs a value for each key", at: span)
            }
            for index in stride(from: 0, to: arguments.count, by: 2) {
                arguments[index] = try coerce(arguments[index], to: .string, at: span)
            }
            return try construct(function, arguments, at: span)
        case .array: return try construct(function, arguments, at: span)
        case .toJSON:
            try expect(1...1, call, name, at: span)
            return try toJSON(arguments[0], at: span)
        case .fromJSON:
            try expect(2...2, call, name, at: span)
            guard case .constant(.string(let shape), _) = arguments[1] else {
                throw PlanError(
                    .invalid,
                    "the structure that \(name) reads must be a constant",
                    at: span
                )
            }
            let type = try jsonType(shape, at: call.arguments[1].value.span)
            let text = try json(arguments[0], name, at: span)
            return try nested(.json(function), [text], type, at: span)
        case .groupObject, .cast: return nil
        }
    }

    private func construct(
        _ function: JSONFunction,
        _ arguments: [BoundExpression],
        at span: SourceSpan
    ) throws -> BoundExpression {
        var own = function
        own.jsonArguments = Set(
            arguments.indices.filter { isJSON(arguments[$0]) || isListOfJSON(arguments[$0]) }
        )
        return try nested(.json(own), arguments, .string, at: span)
    }

    private static func jsonFunction(named name: String) -> JSONFunction? {
        switch name {
        case "json", "json_extract", "json_extract_string", "json_value", "json_exists",
            "json_type", "json_valid", "json_array_length", "json_keys", "json_structure",
            "json_pretty", "json_contains", "json_merge_patch", "json_object", "json_array",
            "to_json":
            return JSONFunction.Kind(rawValue: name).map { JSONFunction($0) }
        case "json_extract_path": return JSONFunction(.extract)
        case "json_extract_path_text": return JSONFunction(.extractString)
        case "row_to_json", "array_to_json", "json_quote": return JSONFunction(.toJSON)
        case "from_json", "json_transform": return JSONFunction(.fromJSON)
        case "from_json_strict", "json_transform_strict":
            var function = JSONFunction(.fromJSON)
            function.isStrict = true
            return function
        default: return nil
        }
    }

    /// Aggregates that give JSON: of lists of all values.
    private mutating func bindJSONAggregate(
        _ name: String,
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        guard call.over == nil else {
            throw PlanError(.unsupported, "\(name) over a window is not supported yet", at: span)
        }
        var list = call
        list.name = [Identifier("list", span: call.name.span)]
        var probe = context
        var probing = self
        func isKnownJSON(_ index: Int) throws -> Bool {
            probe.aggregates = nil
            probe.windows = nil
            probe.unnests = nil
            return probing.isJSON(try probing.bind(call.arguments[index].value, &probe))
        }
        if name == "json_group_array" {
            try expect(1...1, call, name, at: span)
            var function = JSONFunction(.toJSON)
            if try isKnownJSON(0) { function.jsonArguments = [0] }
            let values = try bindAggregate("list", list, &context, at: span)
            return .nested(.json(function), [values], .string)
        }
        try expect(2...2, call, name, at: span)
        guard !call.isDistinct else {
            throw PlanError(.unsupported, "\(name)(DISTINCT …) is not supported", at: span)
        }
        var function = JSONFunction(.groupObject)
        if try isKnownJSON(1) { function.jsonArguments = [1] }
        list.arguments = [call.arguments[0]]
        let keys = try bindAggregate("list", list, &context, at: span)
        list.arguments = [call.arguments[1]]
        let values = try bindAggregate("list", list, &context, at: span)
        let texts = try coerce(keys, to: .list(of: .string), at: span)
        return .nested(.json(function), [texts, values], .string)
    }

    /// The type that a structure such as `{"a": "INTEGER", "b": ["VARCHAR"]}` describes.
    private func jsonType(_ text: String, at span: SourceSpan) throws -> DataType {
        var reader = ShapeReader(text: Array(text.utf8))
        guard let type = try reader.read(), reader.isAtEnd else {
            throw PlanError(
                .invalid,
                "'\(text)' describes no structure",
                hint: "Write {\"a\": \"INTEGER\", \"b\": [\"VARCHAR\"]}.",
                at: span
            )
        }
        return type
    }
}

/// Reads a structure in JSON whose leaves are names of types.
private struct ShapeReader {
    let text: [UInt8]
    private var at = 0
    private var depth = 0

    init(text: [UInt8]) { self.text = text }

    private mutating func skipBlanks() {
        while at < text.count, text[at] == 32 || text[at] &- 9 < 5 { at += 1 }
    }

    var isAtEnd: Bool { text[at...].allSatisfy { $0 == 32 || $0 &- 9 < 5 } }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard at < text.count, text[at] == UInt8(ascii: character) else { return false }
        at += 1
        return true
    }

    private mutating func string() -> String? {
        guard take("\"") else { return nil }
        var bytes: [UInt8] = []
        while at < text.count, text[at] != UInt8(ascii: "\"") {
            if text[at] == UInt8(ascii: "\\"), at + 1 < text.count { at += 1 }
            bytes.append(text[at])
            at += 1
        }
        guard at < text.count else { return nil }
        at += 1
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The type; nil when the text is no structure.
    mutating func read() throws -> DataType? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 100 else { return nil }
        if take("[") {
            guard let element = try read(), take("]") else { return nil }
            return .list(of: element)
        }
        if take("{") {
            var fields: [Field] = []
            repeat {
                guard let name = string(), take(":"), let type = try read() else { return nil }
                fields.append(Field(name, type))
            } while take(",")
            return take("}") ? .structure(fields) : nil
        }
        guard let name = string() else { return nil }
        switch name.uppercased() {
        // The names that json_structure gives for what has no type of its own.
        case "JSON", "NULL": return .string
        case "UBIGINT": return .decimal(precision: 20, scale: 0)
        default: break
        }
        return try DataType(try Parser.parseTypeName(name))
    }
}
