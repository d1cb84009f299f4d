import Bytes
package import Columnar

/// Functions of columns of texts that hold JSON.
///
/// A text is parsed once for each function and row. A text that is not JSON, or repeats a key within an
/// object, is refused by all functions but `isValid`.
package enum JSONText {
    /// What is asked of each text.
    package enum Question: Sendable, Hashable {
        /// The value as JSON text.
        case json
        /// The value as text: that of a string, JSON of others, null of JSON's null.
        case string
        /// As `json`, of values that are no array or object.
        case scalar
        case exists
        case type
        case arrayLength
        case keys
        case structure
        case pretty

        package var type: DataType {
            switch self {
            case .json, .string, .scalar, .type, .structure, .pretty: .string
            case .exists: .boolean
            case .arrayLength: .int64
            case .keys: .list(Field("element", .string))
            }
        }
    }

    static func parse(_ text: UnsafeBufferPointer<UInt8>) throws(KernelError) -> JSON {
        do throws(BytesError) {
            return try JSON.parse(UnsafeRawBufferPointer(text))
        } catch {
            let shown = String(decoding: text.prefix(100), as: UTF8.self)
            throw KernelError(.invalidCast, "'\(shown)' is not JSON: \(error.message)")
        }
    }

    /// Whether each text is JSON; null of null.
    package static func isValid(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.apply([column], to: .boolean) { operands, count, validity in
            let texts = operands[0]
            let views = texts.views
            let bits = buildBits(count) { row in
                (try? parse((views + (row & texts.mask)).text)) != nil
            }
            return withExtendedLifetime(operands) { Column(bits: bits, validity: validity) }
        }
    }

    /// The texts themselves, all of which must be JSON; with `isTry` those that are not become null.
    package static func checked(_ column: Column, isTry: Bool) throws(KernelError) -> Column {
        if isTry { return Choice.masked(column, valid: Filter.trueRows(try isValid(column))) }
        return try Rowwise.apply([column], to: .string) {
            operands,
            count,
            validity throws(KernelError) in
            let texts = operands[0]
            let views = texts.views
            try forEachValid(validity, count) { (row) throws(KernelError) in
                _ = try parse((views + (row & texts.mask)).text)
            }
            return texts.column
        }
    }

    /// What a path meets in each text.
    ///
    /// - Parameter path: nil for the whole value. A path that may meet several values gives a list.
    package static func ask(
        _ question: Question,
        _ column: Column,
        at path: JSONPath?
    ) throws(KernelError) -> Column {
        let isMultiple = path?.isMultiple ?? false
        let single = question.type
        let type = isMultiple ? DataType.list(Field("element", single)) : single
        if column.isAllNull { return .nulls(type, count: column.count) }
        let texts = Operand(column)
        let builder = ColumnBuilder(type, capacity: column.count)
        var text: [UInt8] = []
        for row in 0..<column.count {
            guard texts.validity.map({ $0[row] }) ?? true else {
                builder.appendNull()
                continue
            }
            let value = try parse((texts.views + (row & texts.mask)).text)
            guard let path, isMultiple else {
                let found = path.map { $0.first(in: value) } ?? value
                answer(question, found, to: builder, &text)
                continue
            }
            for one in path.all(in: value) {
                answer(question, one, to: builder.elementBuilders[0], &text)
            }
            builder.finishListRow()
        }
        return withExtendedLifetime(texts) { builder.finish() }
    }

    /// As `ask`, by paths that differ by row: never a list.
    package static func ask(
        _ question: Question,
        _ column: Column,
        at paths: Column
    ) throws(KernelError) -> Column {
        if column.isAllNull || paths.isAllNull {
            return .nulls(question.type, count: column.count)
        }
        let texts = Operand(column)
        let builder = ColumnBuilder(question.type, capacity: column.count)
        var known: [Value: JSONPath] = [:]
        var text: [UInt8] = []
        for row in 0..<column.count {
            let place = paths.value(at: row)
            guard texts.validity.map({ $0[row] }) ?? true, !place.isNull else {
                builder.appendNull()
                continue
            }
            let path: JSONPath
            if let own = known[place] {
                path = own
            } else {
                path = try JSONPath(place)
                known[place] = path
            }
            if path.isMultiple {
                throw KernelError(.unsupported, "a JSON path with wildcards must be a constant")
            }
            let value = try parse((texts.views + (row & texts.mask)).text)
            answer(question, path.first(in: value), to: builder, &text)
        }
        return withExtendedLifetime(texts) { builder.finish() }
    }

    private static func answer(
        _ question: Question,
        _ value: JSON?,
        to builder: ColumnBuilder,
        _ text: inout [UInt8]
    ) {
        guard let value else {
            return question == .exists ? builder.append(false) : builder.appendNull()
        }
        text.removeAll(keepingCapacity: true)
        switch question {
        case .exists: return builder.append(true)
        case .arrayLength: return builder.append(Int64(value.array?.count ?? 0))
        case .keys:
            for key in value.object?.keys ?? [] { builder.elementBuilders[0].append(key) }
            return builder.finishListRow()
        case .type: return builder.append(value.typeName)
        case .string:
            switch value {
            case .null: return builder.appendNull()
            case .string(let own): return builder.append(own)
            default: JSONOutput.append(value, to: &text)
            }
        case .scalar:
            switch value {
            case .array, .object: return builder.appendNull()
            default: JSONOutput.append(value, to: &text)
            }
        case .json: JSONOutput.append(value, to: &text)
        case .structure: JSONOutput.append(JSONShape(value).json, to: &text)
        case .pretty: JSONOutput.appendPretty(value, to: &text)
        }
        text.withUnsafeBufferPointer { builder.append($0) }
    }

    // MARK: Two values

    /// Whether the second value is somewhere in the first.
    package static func contains(_ column: Column, _ part: Column) throws(KernelError) -> Column {
        let builder = ColumnBuilder(.boolean, capacity: column.count)
        try each(column, part) { (value, wanted) throws(KernelError) in
            guard let value, let wanted else { return builder.appendNull() }
            builder.append(value.holds(wanted))
        }
        return builder.finish()
    }

    /// The first value changed by the second, as RFC 7396 says.
    package static func merged(_ column: Column, _ patch: Column) throws(KernelError) -> Column {
        let builder = ColumnBuilder(.string, capacity: column.count)
        try each(column, patch) { (value, patch) throws(KernelError) in
            guard let patch else { return builder.appendNull() }
            if value == nil, patch.object == nil { return builder.appendNull() }
            var text: [UInt8] = []
            JSONOutput.append((value ?? .null).patched(with: patch), to: &text)
            text.withUnsafeBufferPointer { builder.append($0) }
        }
        return builder.finish()
    }

    private static func each(
        _ a: Column,
        _ b: Column,
        _ body: (JSON?, JSON?) throws(KernelError) -> Void
    ) throws(KernelError) {
        let (left, right) = (Operand(a), Operand(b))
        func value(_ operand: Operand, _ row: Int) throws(KernelError) -> JSON? {
            guard !operand.column.isNull(row & operand.mask) else { return nil }
            return try parse((operand.views + (row & operand.mask)).text)
        }
        for row in 0..<a.count {
            try body(try value(left, row), try value(right, row))
        }
        withExtendedLifetime((left, right)) {}
    }

    // MARK: Making JSON

    /// The values of a column as JSON; null stays null.
    ///
    /// - Parameter isJSON: whether texts in it are JSON already.
    package static func make(_ column: Column, isJSON: Bool) throws(KernelError) -> Column {
        var writer = ViewWriter(count: column.count)
        var text: [UInt8] = []
        for row in 0..<column.count where !column.isNull(row) {
            text.removeAll(keepingCapacity: true)
            try JSONOutput.append(column, row, isJSON: isJSON, to: &text)
            writer.set(row, text)
        }
        let flat =
            column.isAllNull ? Bitmap(repeating: false, count: column.count) : column.validity
        return writer.finish(.string, validity: flat)
    }

    /// An array of the values in each row.
    package static func array(
        _ columns: [Column],
        _ jsonColumns: Set<Int>,
        count: Int
    ) throws(KernelError) -> Column {
        var writer = ViewWriter(count: count)
        var text: [UInt8] = []
        for row in 0..<count {
            text.removeAll(keepingCapacity: true)
            text.append(UInt8(ascii: "["))
            for (index, column) in columns.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                let isJSON = jsonColumns.contains(index)
                try JSONOutput.append(column, row, isJSON: isJSON, to: &text)
            }
            text.append(UInt8(ascii: "]"))
            writer.set(row, text)
        }
        return writer.finish(.string, validity: nil)
    }

    /// An object of the keys (texts) and values in each row: `[key, value, key, value, …]`.
    package static func object(
        _ columns: [Column],
        _ jsonColumns: Set<Int>,
        count: Int
    ) throws(KernelError) -> Column {
        var writer = ViewWriter(count: count)
        var text: [UInt8] = []
        for row in 0..<count {
            text.removeAll(keepingCapacity: true)
            text.append(UInt8(ascii: "{"))
            for index in stride(from: 0, to: columns.count, by: 2) {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                if columns[index].isNull(row) {
                    throw KernelError(.outOfRange, "a key of a JSON object cannot be null")
                }
                try JSONOutput.append(columns[index], row, isJSON: false, to: &text)
                text.append(UInt8(ascii: ":"))
                let isJSON = jsonColumns.contains(index + 1)
                try JSONOutput.append(columns[index + 1], row, isJSON: isJSON, to: &text)
            }
            text.append(UInt8(ascii: "}"))
            writer.set(row, text)
        }
        return writer.finish(.string, validity: nil)
    }

    /// An object of a list of keys (texts) and one of values as long; null where a list is.
    package static func object(
        keys: Column,
        values: Column,
        isJSON: Bool
    ) throws(KernelError) -> Column {
        let (left, right) = (ListOperand(keys), ListOperand(values))
        let validity = Bitmap.and(left.validity, right.validity)
        var writer = ViewWriter(count: keys.count)
        var text: [UInt8] = []
        for row in 0..<keys.count where validity.map({ $0[row] }) ?? true {
            text.removeAll(keepingCapacity: true)
            text.append(UInt8(ascii: "{"))
            let range = left.range(row)
            for (offset, place) in range.enumerated() {
                if offset > 0 { text.append(UInt8(ascii: ",")) }
                if left.elements.isNull(place) {
                    throw KernelError(.outOfRange, "a key of a JSON object cannot be null")
                }
                try JSONOutput.append(left.elements, place, isJSON: false, to: &text)
                text.append(UInt8(ascii: ":"))
                let value = right.start(row) + offset
                try JSONOutput.append(right.elements, value, isJSON: isJSON, to: &text)
            }
            text.append(UInt8(ascii: "}"))
            writer.set(row, text)
        }
        return writer.finish(.string, validity: validity)
    }

    // MARK: Reading JSON

    /// The values as another type: arrays as lists, objects as structs or maps, others by their text.
    ///
    /// - Parameters:
    ///   - isStrict: whether what does not fit is an error; else it is null.
    ///   - keepsText: whether a string asked for as text keeps its quotes, as a cast of JSON does.
    package static func read(
        _ column: Column,
        as type: DataType,
        isStrict: Bool
    ) throws(KernelError) -> Column {
        if column.isAllNull { return .nulls(type, count: column.count) }
        let texts = Operand(column)
        var values: [JSON?] = []
        values.reserveCapacity(column.count)
        for row in 0..<column.count {
            if texts.validity.map({ $0[row] }) ?? true {
                values.append(try parse((texts.views + (row & texts.mask)).text))
            } else {
                values.append(nil)
            }
        }
        return try withExtendedLifetime(texts) { () throws(KernelError) -> Column in
            try JSONReading(isStrict: isStrict).column(values, type)
        }
    }
}

extension JSONPath {
    init(_ value: Value) throws(KernelError) {
        switch value {
        case .string(let text): try self.init(text)
        case .int32(let index): self.init(index: Int(index))
        case .int64(let index): self.init(index: Int(index))
        default: throw KernelError(.unsupported, "a JSON path is a text or a whole number")
        }
    }
}
