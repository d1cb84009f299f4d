import Columnar

/// A column made ready for being written as text, cell by cell.
///
/// The type is looked at once; a cell then costs one switch over a small enum. A class, so that going
/// through columns cell by cell does not count references to all of its parts.
final class ColumnText {
    private enum Cells {
        case bits(UnsafePointer<UInt64>)
        case int32(UnsafePointer<Int32>)
        case int64(UnsafePointer<Int64>)
        case float32(UnsafePointer<Float>)
        case float64(UnsafePointer<Double>)
        case decimal64(UnsafePointer<Int64>, scale: Int)
        case decimal128(UnsafePointer<Int128>, scale: Int)
        case date(UnsafePointer<Int32>)
        case time(UnsafePointer<Int64>)
        case timestamp(UnsafePointer<Int64>)
        case timestamptz(UnsafePointer<Int64>)
        case interval(UnsafePointer<Int128>)
        case uuid(UnsafePointer<Int128>)
        case string(UnsafePointer<StringView>)
        case binary(UnsafePointer<StringView>)
        case list(UnsafePointer<Int32>)
        case structure
        case map(UnsafePointer<Int32>)
        case null
    }

    /// How numbers are written that many readers of JSON would round.
    enum NumberStyle {
        /// As JSON numbers.
        case numbers
        /// Integers beyond 2^53 and decimals as strings.
        case strings
    }

    /// Keeps the memory alive that the pointers point to.
    private let column: Column
    private let cells: Cells
    private let validity: UnsafePointer<UInt64>?
    private let children: [ColumnText]
    /// Names of a struct's fields as JSON strings, with a colon.
    private let names: [[UInt8]]

    init(_ source: Column) {
        let column = source.flattened()
        self.column = column
        validity = column.validity?.words
        var children: [ColumnText] = []
        var names: [[UInt8]] = []
        switch (column.storage, column.type) {
        case (.bits(let bits), _): cells = .bits(bits.words)
        case (.fixed(let values), let type):
            switch type {
            case .int32: cells = .int32(values.pointer(as: Int32.self))
            case .date: cells = .date(values.pointer(as: Int32.self))
            case .float32: cells = .float32(values.pointer(as: Float.self))
            case .float64: cells = .float64(values.pointer(as: Double.self))
            case .decimal(let precision, let scale):
                cells =
                    precision <= 18
                    ? .decimal64(values.pointer(as: Int64.self), scale: scale)
                    : .decimal128(values.pointer(as: Int128.self), scale: scale)
            case .time: cells = .time(values.pointer(as: Int64.self))
            case .timestamp: cells = .timestamp(values.pointer(as: Int64.self))
            case .timestamptz: cells = .timestamptz(values.pointer(as: Int64.self))
            case .interval: cells = .interval(values.pointer(as: Int128.self))
            case .uuid: cells = .uuid(values.pointer(as: Int128.self))
            default: cells = .int64(values.pointer(as: Int64.self))
            }
        case (.views(let views, _), .string): cells = .string(views.pointer(as: StringView.self))
        case (.views(let views, _), _): cells = .binary(views.pointer(as: StringView.self))
        case (.list(let offsets, let elements), _):
            cells = .list(offsets.pointer(as: Int32.self))
            children = [ColumnText(elements.column)]
        case (.structure(let columns), .structure(let fields)):
            cells = .structure
            children = columns.map { ColumnText($0) }
            names = fields.map { Self.jsonName($0.name) }
        case (.map(let offsets, let keys, let values), _):
            cells = .map(offsets.pointer(as: Int32.self))
            children = [ColumnText(keys.column), ColumnText(values.column)]
        default: cells = .null
        }
        self.children = children
        self.names = names
    }

    /// A name as a JSON string with a colon behind.
    static func jsonName(_ name: String) -> [UInt8] {
        let output = OutputBuffer()
        var name = name
        name.withUTF8 { output.append(jsonString: $0) }
        output.append(UInt8(ascii: ":"))
        return output.take()
    }

    @inline(__always)
    func isNull(_ row: Int) -> Bool {
        if case .null = cells { return true }
        guard let validity else { return false }
        return validity[row &>> 6] &>> UInt64(truncatingIfNeeded: row & 63) & 1 == 0
    }

    /// The text of a string cell, which needs quoting; nil for other types.
    @inline(__always)
    func stringBytes(_ row: Int) -> UnsafeBufferPointer<UInt8>? {
        if case .string(let views) = cells { return (views + row).viewBytes }
        return nil
    }

    var isString: Bool {
        if case .string = cells { return true }
        return false
    }

    var isNested: Bool { column.type.isNested }

    /// Appends a cell as plain text; nested ones as JSON, bytes as `\x` and hexadecimal digits.
    func appendText(_ row: Int, to output: OutputBuffer) {
        switch cells {
        case .bits(let words):
            let isSet = words[row &>> 6] &>> UInt64(row & 63) & 1 != 0
            output.append(isSet ? "true" : "false" as StaticString)
        case .int32(let values): output.append(decimal: Int64(values[row]))
        case .int64(let values): output.append(decimal: values[row])
        case .float32(let values): output.append(values[row])
        case .float64(let values): output.append(values[row])
        case .decimal64(let values, let scale):
            output.append(digits: Int128(values[row]), scale: scale)
        case .decimal128(let values, let scale): output.append(digits: values[row], scale: scale)
        case .date(let values): output.append(date: Int(values[row]))
        case .time(let values): output.append(time: values[row])
        case .timestamp(let values): output.append(timestamp: values[row])
        case .timestamptz(let values):
            output.append(timestamp: values[row])
            output.append(UInt8(ascii: "Z"))
        case .interval(let values): output.append(Interval(bits: values[row]))
        case .uuid(let values): output.append(uuid: values[row])
        case .string(let views):
            let bytes = (views + row).viewBytes
            if let base = bytes.baseAddress { output.append(base, bytes.count) }
        case .binary(let views):
            output.append("\\x" as StaticString)
            output.append(hex: (views + row).viewBytes)
        case .list, .structure, .map: appendJSON(row, .numbers, to: output)
        case .null: break
        }
    }

    /// Appends a cell as a JSON value; bytes as base64, dates and times in ISO 8601, NaN and
    /// infinities as strings.
    func appendJSON(_ row: Int, _ style: NumberStyle, to output: OutputBuffer) {
        if isNull(row) {
            output.append("null" as StaticString)
            return
        }
        switch cells {
        case .bits, .int32: appendText(row, to: output)
        case .int64(let values):
            let isLarge = values[row].magnitude > 1 << 53
            quoted(isLarge && style == .strings, row, output)
        case .float32(let values): quoted(!values[row].isFinite, row, output)
        case .float64(let values): quoted(!values[row].isFinite, row, output)
        case .decimal64, .decimal128: quoted(style == .strings, row, output)
        case .date, .time, .timestamp, .timestamptz, .interval, .uuid: quoted(true, row, output)
        case .string(let views): output.append(jsonString: (views + row).viewBytes)
        case .binary(let views):
            output.append(UInt8(ascii: "\""))
            output.append(base64: (views + row).viewBytes)
            output.append(UInt8(ascii: "\""))
        case .list(let offsets):
            output.append(UInt8(ascii: "["))
            for (place, element) in (Int(offsets[row])..<Int(offsets[row + 1])).enumerated() {
                if place > 0 { output.append(UInt8(ascii: ",")) }
                children[0].appendJSON(element, style, to: output)
            }
            output.append(UInt8(ascii: "]"))
        case .structure:
            output.append(UInt8(ascii: "{"))
            for (place, child) in children.enumerated() {
                if place > 0 { output.append(UInt8(ascii: ",")) }
                output.append(names[place])
                child.appendJSON(row, style, to: output)
            }
            output.append(UInt8(ascii: "}"))
        case .map(let offsets):
            output.append(UInt8(ascii: "{"))
            for (place, entry) in (Int(offsets[row])..<Int(offsets[row + 1])).enumerated() {
                if place > 0 { output.append(UInt8(ascii: ",")) }
                appendKey(entry, style, to: output)
                output.append(UInt8(ascii: ":"))
                children[1].appendJSON(entry, style, to: output)
            }
            output.append(UInt8(ascii: "}"))
        case .null: output.append("null" as StaticString)
        }
    }

    /// A map's key: JSON has only strings there.
    private func appendKey(_ entry: Int, _ style: NumberStyle, to output: OutputBuffer) {
        let key = children[0]
        if let bytes = key.stringBytes(entry) {
            output.append(jsonString: bytes)
            return
        }
        let start = output.count
        key.appendText(entry, to: output)
        let text = Array(output.bytes(from: start))
        output.truncate(to: start)
        text.withUnsafeBufferPointer { output.append(jsonString: $0) }
    }

    @inline(__always)
    private func quoted(_ isQuoted: Bool, _ row: Int, _ output: OutputBuffer) {
        if isQuoted { output.append(UInt8(ascii: "\"")) }
        appendText(row, to: output)
        if isQuoted { output.append(UInt8(ascii: "\"")) }
    }
}
