import Columnar

/// What is known of the values in one place of JSON rows; grows row by row.
final class JSONTypeGuess {
    private struct Kinds: OptionSet {
        var rawValue: UInt8
        static let boolean = Kinds(rawValue: 1)
        static let integer = Kinds(rawValue: 2)
        static let bigInteger = Kinds(rawValue: 4)
        static let double = Kinds(rawValue: 8)
        static let string = Kinds(rawValue: 16)
        static let object = Kinds(rawValue: 32)
        static let array = Kinds(rawValue: 64)
    }

    private var kinds: Kinds = []
    private var stringsAre: CSVTypeInference.Candidates = [.date, .timestamp, .timestamptz]
    private var names: [[UInt8]] = []
    private var places: [[UInt8]: Int] = [:]
    private var fields: [JSONTypeGuess] = []
    private var element: JSONTypeGuess?

    /// How many keys an object may have.
    static let fieldCountMax = 10_000
    /// How deep types are guessed; what lies deeper is JSON text.
    private static let depthMax = 32

    /// Looks at the next value of the cursor.
    func add(_ cursor: inout JSONCursor, depth: Int = 0) throws(JSONFault) {
        guard depth < Self.depthMax else {
            _ = try cursor.skipValue(depth: depth)
            kinds.formUnion([.object, .array])
            return
        }
        switch cursor.peek() {
        case UInt8(ascii: "\""):
            let text = try cursor.string()
            kinds.insert(.string)
            if stringsAre.isEmpty { return }
            guard let bytes = text.baseAddress, text.count >= 10, text.count <= 40 else {
                stringsAre = []
                return
            }
            let isTrimmed = bytes[0] != 32 && bytes[text.count - 1] != 32
            let fits = isTrimmed ? CSVTypeInference.candidates(bytes, text.count) : []
            stringsAre.formIntersection(fits)
        case UInt8(ascii: "{"):
            kinds.insert(.object)
            try addObject(&cursor, depth: depth)
        case UInt8(ascii: "["):
            kinds.insert(.array)
            let element = element ?? JSONTypeGuess()
            self.element = element
            try cursor.expect(UInt8(ascii: "["))
            if cursor.take(UInt8(ascii: "]")) { return }
            repeat {
                try element.add(&cursor, depth: depth + 1)
            } while cursor.take(UInt8(ascii: ","))
            try cursor.expect(UInt8(ascii: "]"))
        case UInt8(ascii: "t"), UInt8(ascii: "f"):
            _ = try cursor.skipValue()
            kinds.insert(.boolean)
        case UInt8(ascii: "n"):
            _ = try cursor.skipValue()
        default:
            let number = try cursor.number()
            guard number.isInteger, let bytes = number.bytes.baseAddress else {
                kinds.insert(.double)
                return
            }
            if FieldParsing.int64(bytes, number.bytes.count) != nil {
                kinds.insert(.integer)
            } else if number.bytes.count <= 38 {
                kinds.insert(.bigInteger)
            } else {
                kinds.insert(.double)
            }
        }
    }

    private func addObject(_ cursor: inout JSONCursor, depth: Int) throws(JSONFault) {
        try cursor.expect(UInt8(ascii: "{"))
        if cursor.take(UInt8(ascii: "}")) { return }
        var expected = 0
        repeat {
            let key = try cursor.string()
            // Most rows have their keys in the same order.
            let place: Int
            if expected < names.count, names[expected].elementsEqual(key) {
                place = expected
            } else {
                let name = Array(key)
                if let known = places[name] {
                    place = known
                } else {
                    guard names.count < Self.fieldCountMax else {
                        throw cursor.fault("objects have more than \(Self.fieldCountMax) keys")
                    }
                    place = names.count
                    places[name] = place
                    names.append(name)
                    fields.append(JSONTypeGuess())
                }
            }
            expected = place + 1
            try cursor.expect(UInt8(ascii: ":"))
            try fields[place].add(&cursor, depth: depth + 1)
        } while cursor.take(UInt8(ascii: ","))
        try cursor.expect(UInt8(ascii: "}"))
    }

    /// Whether a value was an object, and none was something else.
    var isObject: Bool { kinds == .object }

    /// The fields of the objects in the order in which their keys came up.
    func structure(
        path: [String],
        detectsDates: Bool,
        jsonTextPaths: inout Set<[String]>
    ) -> [Field] {
        zip(names, fields).map { name, guess in
            let text = String(decoding: name, as: UTF8.self)
            let type = guess.type(
                path: path + [text],
                detectsDates: detectsDates,
                jsonTextPaths: &jsonTextPaths
            )
            return Field(text, type)
        }
    }

    private func type(
        path: [String],
        detectsDates: Bool,
        jsonTextPaths: inout Set<[String]>
    ) -> DataType {
        switch kinds {
        case []: return .string
        case .boolean: return .boolean
        case .integer: return .int64
        case .bigInteger, [.integer, .bigInteger]: return .decimal(precision: 38, scale: 0)
        case .string:
            guard detectsDates else { return .string }
            if stringsAre.contains(.date) { return .date }
            if stringsAre.contains(.timestamp) { return .timestamp }
            return stringsAre.contains(.timestamptz) ? .timestamptz : .string
        case .object where !fields.isEmpty:
            return .structure(
                structure(path: path, detectsDates: detectsDates, jsonTextPaths: &jsonTextPaths)
            )
        case .array:
            let type =
                element?.type(
                    path: path + ["element"],
                    detectsDates: detectsDates,
                    jsonTextPaths: &jsonTextPaths
                ) ?? .string
            return .list(Field("element", type))
        default:
            if kinds.isSubset(of: [.integer, .bigInteger, .double]) { return .float64 }
            jsonTextPaths.insert(path)
            return .string
        }
    }
}
