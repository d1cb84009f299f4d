/// How much a writer notes of a column in manifests.
package enum MetricsMode: Sendable, Hashable {
    /// Nothing.
    case none
    /// Counts of values, nulls and NaNs.
    case counts
    /// Counts, and bounds cut to so many characters or bytes.
    case truncate(Int)
    /// Counts and whole bounds.
    case full

    /// Reads `none`, `counts`, `truncate(16)` or `full`; nil for anything else.
    package init?(text: String) {
        switch text.lowercased() {
        case "none": self = .none
        case "counts": self = .counts
        case "full": self = .full
        default:
            guard let (name, numbers) = IcebergType.parameters(of: text.lowercased()),
                name == "truncate", numbers.count == 1, numbers[0] > 0
            else { return nil }
            self = .truncate(numbers[0])
        }
    }
}

extension TableMetadata {
    /// How much to note of each column, by field id.
    ///
    /// `write.metadata.metrics.column.<name>` decides for a column, `write.metadata.metrics.default` for the
    /// others; without either, columns after the first hundred get nothing noted, the rest `truncate(16)`.
    package func metricsModes(schema: Schema? = nil) -> [Int: MetricsMode] {
        let schema = schema ?? currentSchema
        let given = properties["write.metadata.metrics.default"].flatMap { MetricsMode(text: $0) }
        let inferredMax = property(
            "write.metadata.metrics.max-inferred-column-defaults",
            default: 100
        )
        var modes: [Int: MetricsMode] = [:]
        var columnCount = 0
        for column in schema.fields {
            for id in FieldTree.ids(of: column) {
                guard let field = schema.field(id: id), field.type.isPrimitive else { continue }
                columnCount += 1
                let inferred: MetricsMode = columnCount > inferredMax ? .none : .truncate(16)
                modes[id] = given ?? inferred
            }
        }
        // What identifies or sorts rows is worth bounds wherever it stands.
        if given == nil {
            let important = schema.identifierFieldIDs + defaultSortOrder.fields.map(\.sourceID)
            for id in important where modes[id] == MetricsMode.none { modes[id] = .truncate(16) }
        }
        let prefix = "write.metadata.metrics.column."
        for (name, text) in properties where name.hasPrefix(prefix) {
            guard let field = schema.field(named: String(name.dropFirst(prefix.count))),
                modes[field.id] != nil, let mode = MetricsMode(text: text)
            else { continue }
            modes[field.id] = mode
        }
        return modes
    }
}

/// The bounds of a column as writers put them into manifests.
///
/// - Spec: "Data File Fields", notes 1 and 2; Appendix D.
package enum ColumnBound {
    /// The bytes of a lower bound; nil when the mode has none, or the value is NaN.
    ///
    /// - Parameter least: The least value of the column that is neither null nor NaN.
    package static func lower(_ least: Datum, mode: MetricsMode) -> [UInt8]? {
        switch (mode, least) {
        case (.none, _), (.counts, _): return nil
        case (_, .float(0)): return Datum.float(-0.0).bytes
        case (_, .double(0)): return Datum.double(-0.0).bytes
        case (_, _) where least.isNaN: return nil
        case (.truncate(let length), .string(let text)):
            return Datum.string(truncated(text, to: length)).bytes
        case (.truncate(let length), .binary(let bytes)): return Array(bytes.prefix(length))
        default: return least.bytes
        }
    }

    /// The bytes of an upper bound; nil when the mode has none, the value is NaN, or a cut value has no
    /// greater one of its length.
    ///
    /// - Parameter greatest: The greatest value of the column that is neither null nor NaN.
    package static func upper(_ greatest: Datum, mode: MetricsMode) -> [UInt8]? {
        switch (mode, greatest) {
        case (.none, _), (.counts, _): return nil
        case (_, .float(0)): return Datum.float(0.0).bytes
        case (_, .double(0)): return Datum.double(0.0).bytes
        case (_, _) where greatest.isNaN: return nil
        case (.truncate(let length), .string(let text)):
            return truncatedUp(text, to: length).map { Datum.string($0).bytes }
        case (.truncate(let length), .binary(let bytes)): return truncatedUp(bytes, to: length)
        default: return greatest.bytes
        }
    }

    /// The text cut to so many code points: not greater than the text.
    package static func truncated(_ text: String, to length: Int) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(length)))
    }

    /// A text of at most so many code points that is not less than `text`; nil when there is none.
    ///
    /// A text that must be cut gets its last code point that can grow made greater by one.
    package static func truncatedUp(_ text: String, to length: Int) -> String? {
        var scalars = Array(text.unicodeScalars.prefix(length + 1))
        if scalars.count <= length { return text }
        scalars.removeLast()
        while let last = scalars.popLast() {
            // The surrogates are no code points that text can have.
            let next = last.value == 0xD7FF ? 0xE000 : last.value + 1
            if let greater = Unicode.Scalar(next) {
                scalars.append(greater)
                var view = String.UnicodeScalarView()
                view.append(contentsOf: scalars)
                return String(view)
            }
        }
        return nil
    }

    /// Bytes of at most this length that are not less than `bytes`; nil when there are none.
    package static func truncatedUp(_ bytes: [UInt8], to length: Int) -> [UInt8]? {
        if bytes.count <= length { return bytes }
        var cut = Array(bytes.prefix(length))
        while let last = cut.popLast() {
            if last < 0xFF {
                cut.append(last + 1)
                return cut
            }
        }
        return nil
    }
}
