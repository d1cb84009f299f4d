package import Bytes
import Crypto

/// Which input columns each output column of a job comes from, without saying which snapshots: the
/// same for every run of the same job, so a log carries it once.
///
/// Inputs are numbers: places in the list of inputs of the facts that refer to the map.
///
/// - Spec: Formats/lineage-facts/README.md, "Column maps"; types and subtypes as in OpenLineage's
///   columnLineage facet 1-2-0.
package struct ColumnMap: Sendable, Hashable {
    /// Whether values flow from input to output, or only decide about it.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case direct = "DIRECT"
        case indirect = "INDIRECT"
    }

    /// An input column and how it takes part.
    package struct Origin: Sendable, Hashable {
        /// Which of the inputs.
        package var input: Int
        package var column: String
        /// The field id in the input's schema; nil for files.
        package var fieldID: Int32?
        package var kind: Kind
        /// `IDENTITY`, `AGGREGATION`, `FILTER`, …; nil when only the kind is known.
        package var subtype: String?
        /// Whether the original value cannot be told from the result.
        package var isMasked: Bool

        package init(
            input: Int,
            column: String,
            fieldID: Int32? = nil,
            kind: Kind,
            subtype: String? = nil,
            isMasked: Bool = false
        ) {
            self.input = input
            self.column = column
            self.fieldID = fieldID
            self.kind = kind
            self.subtype = subtype
            self.isMasked = isMasked
        }

        fileprivate static func precedes(_ a: Origin, _ b: Origin) -> Bool {
            if a.input != b.input { return a.input < b.input }
            if a.column != b.column { return bytesPrecede(a.column, b.column) }
            if a.fieldID != b.fieldID { return (a.fieldID ?? -1) < (b.fieldID ?? -1) }
            if a.kind != b.kind { return a.kind == .direct }
            if a.subtype != b.subtype { return bytesPrecede(a.subtype ?? "", b.subtype ?? "") }
            return !a.isMasked && b.isMasked
        }
    }

    /// One output column; without origins it is a constant.
    package struct Output: Sendable, Hashable {
        package var name: String
        /// The field id in the output's schema, when it is known.
        package var fieldID: Int32?
        package var origins: [Origin]

        package init(name: String, fieldID: Int32? = nil, origins: [Origin]) {
            self.name = name
            self.fieldID = fieldID
            self.origins = origins
        }
    }

    /// In the order of the output's columns; names differ.
    package private(set) var outputs: [Output]
    /// What decides about whole rows: conditions of joins and filters, groups, orders.
    package private(set) var rows: [Origin]

    /// The map in its canonical order: origins sorted, each once.
    package init(outputs: [Output], rows: [Origin] = []) {
        self.outputs = outputs.map {
            var output = $0
            output.origins = Self.canonical($0.origins)
            return output
        }
        self.rows = Self.canonical(rows)
    }

    private static func canonical(_ origins: [Origin]) -> [Origin] {
        origins.count < 2 ? origins : Array(Set(origins)).sorted(by: Origin.precedes)
    }

    /// SHA-256 of the canonical JSON, 64 lower-case hexadecimal digits.
    package var hash: String {
        SHA256.hash(data: json.serialized(sortedKeys: true)).hexadecimal
    }

    /// The highest number of an input plus one.
    var inputCountMin: Int {
        var highest = -1
        for origin in rows { highest = max(highest, origin.input) }
        for output in outputs {
            for origin in output.origins { highest = max(highest, origin.input) }
        }
        return highest + 1
    }
}

/// Whether the UTF-8 of one text sorts before that of another: the same everywhere, unlike `<`.
func bytesPrecede(_ a: String, _ b: String) -> Bool {
    a.utf8.lexicographicallyPrecedes(b.utf8)
}

extension SHA256Digest {
    /// 64 lower-case digits.
    var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in self {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

// MARK: - JSON

extension ColumnMap {
    /// The JSON form; with sorted keys and no white space, what `hash` is of.
    package var json: JSON {
        var object: JSONObject = [
            "columns": .array(
                outputs.map { output in
                    var object: JSONObject = ["name": .string(output.name)]
                    if let id = output.fieldID { object["id"] = .integer(id) }
                    object["from"] = .array(output.origins.map(Self.json))
                    return .object(object)
                }
            )
        ]
        if !rows.isEmpty { object["rows"] = .array(rows.map(Self.json)) }
        return .object(object)
    }

    private static func json(_ origin: Origin) -> JSON {
        var object: JSONObject = [
            "input": .integer(origin.input), "column": .string(origin.column),
        ]
        if let id = origin.fieldID { object["id"] = .integer(id) }
        object["type"] = .string(origin.kind.rawValue)
        if let subtype = origin.subtype { object["subtype"] = .string(subtype) }
        if origin.isMasked { object["masked"] = true }
        return .object(object)
    }

    /// Reads a map.
    ///
    /// - Throws: `corrupt` when a member is missing, wrong or out of bounds. Members that this version
    ///   does not know are ignored.
    init(_ fields: FactFields) throws(LineageError) {
        var names: Set<String> = []
        var originCount = 0
        var outputs: [Output] = []
        for column in try fields.elements("columns", countMax: LineageFacts.columnCountMax) {
            let name = try column.text("name")
            guard names.insert(name).inserted else { throw column.wrong("name", "appears twice") }
            outputs.append(
                Output(
                    name: name,
                    fieldID: try column.fieldID("id"),
                    origins: try Self.origins(column, "from", &originCount)
                )
            )
        }
        let rows = fields.has("rows") ? try Self.origins(fields, "rows", &originCount) : []
        self.init(outputs: outputs, rows: rows)
    }

    private static func origins(
        _ fields: FactFields,
        _ name: String,
        _ count: inout Int
    ) throws(LineageError) -> [Origin] {
        var origins: [Origin] = []
        for origin in try fields.elements(name, countMax: LineageFacts.originCountMax) {
            count += 1
            guard count <= LineageFacts.originCountMax else {
                throw fields.wrong(name, "more than \(LineageFacts.originCountMax) origins in all")
            }
            let type = try origin.text("type")
            guard let kind = Kind(rawValue: type) else {
                throw origin.wrong("type", "is neither DIRECT nor INDIRECT")
            }
            let input = try origin.integer("input")
            guard (0..<Int64(LineageFacts.inputCountMax)).contains(input) else {
                throw origin.wrong("input", "is no place among the inputs")
            }
            origins.append(
                Origin(
                    input: Int(input),
                    column: try origin.text("column"),
                    fieldID: try origin.fieldID("id"),
                    kind: kind,
                    subtype: try origin.optionalText("subtype"),
                    isMasked: try origin.flag("masked")
                )
            )
        }
        return origins
    }
}
