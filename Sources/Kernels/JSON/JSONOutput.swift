import Bytes
import Columnar

/// Writes JSON as DuckDB does: without blanks, numbers in their shortest form.
enum JSONOutput {
    static func append(_ value: JSON, to text: inout [UInt8]) {
        switch value {
        case .null: text.append(contentsOf: "null".utf8)
        case .bool(let flag): text.append(contentsOf: (flag ? "true" : "false").utf8)
        case .number(let number): append(number: number, to: &text)
        case .string(let string): append(string: string, to: &text)
        case .array(let elements):
            text.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                append(element, to: &text)
            }
            text.append(UInt8(ascii: "]"))
        case .object(let object):
            text.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                append(string: member.key, to: &text)
                text.append(UInt8(ascii: ":"))
                append(member.value, to: &text)
            }
            text.append(UInt8(ascii: "}"))
        }
    }

    /// With line ends and four blanks a level.
    static func appendPretty(_ value: JSON, depth: Int = 0, to text: inout [UInt8]) {
        func newLine(_ depth: Int, _ text: inout [UInt8]) {
            text.append(UInt8(ascii: "\n"))
            text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: depth * 4))
        }
        switch value {
        case .array(let elements) where !elements.isEmpty:
            text.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                newLine(depth + 1, &text)
                appendPretty(element, depth: depth + 1, to: &text)
            }
            newLine(depth, &text)
            text.append(UInt8(ascii: "]"))
        case .object(let object) where !object.isEmpty:
            text.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                newLine(depth + 1, &text)
                append(string: member.key, to: &text)
                text.append(contentsOf: ": ".utf8)
                appendPretty(member.value, depth: depth + 1, to: &text)
            }
            newLine(depth, &text)
            text.append(UInt8(ascii: "}"))
        default: append(value, to: &text)
        }
    }

    /// An integer of 64 bits as it is, any other number as the double that it is.
    static func append(number: String, to text: inout [UInt8]) {
        if Int64(number) != nil || UInt64(number) != nil {
            text.append(contentsOf: number.utf8)
        } else if let value = Double(number), value.isFinite {
            append(value, to: &text)
        } else {
            text.append(contentsOf: number.utf8)
        }
    }

    /// A double: with a point, and with an exponent only below 1e-6 and from 1e21 on.
    static func append(_ value: Double, to text: inout [UInt8]) {
        if value.isNaN { return text.append(contentsOf: "NaN".utf8) }
        if value.isInfinite {
            return text.append(contentsOf: (value < 0 ? "-Infinity" : "Infinity").utf8)
        }
        let shortest = value.magnitude.description
        var digits: [UInt8] = []
        var pointPlace = 0
        var exponent = 0
        var sawPoint = false
        for (index, byte) in shortest.utf8.enumerated() {
            if byte == UInt8(ascii: "e") {
                exponent =
                    Int(
                        shortest.utf8.dropFirst(index + 1).reduce(into: "") {
                            $0.unicodeScalars.append(Unicode.Scalar($1))
                        }
                    ) ?? 0
                break
            }
            if byte == UInt8(ascii: ".") {
                sawPoint = true
                continue
            }
            if digits.isEmpty && byte == UInt8(ascii: "0") {
                if sawPoint { pointPlace -= 1 }
                continue
            }
            digits.append(byte)
            if !sawPoint { pointPlace += 1 }
        }
        if value.sign == .minus { text.append(UInt8(ascii: "-")) }
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        if digits.isEmpty { return text.append(contentsOf: "0.0".utf8) }
        pointPlace += exponent
        if pointPlace > 21 || pointPlace < -5 {
            text.append(digits[0])
            if digits.count > 1 {
                text.append(UInt8(ascii: "."))
                text.append(contentsOf: digits.dropFirst())
            }
            text.append(contentsOf: "e\(pointPlace - 1)".utf8)
        } else if pointPlace <= 0 {
            text.append(contentsOf: "0.".utf8)
            text.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: -pointPlace))
            text.append(contentsOf: digits)
        } else {
            for place in 0..<max(pointPlace, digits.count) {
                if place == pointPlace { text.append(UInt8(ascii: ".")) }
                text.append(place < digits.count ? digits[place] : UInt8(ascii: "0"))
            }
            if digits.count <= pointPlace { text.append(contentsOf: ".0".utf8) }
        }
    }

    static func append(string: String, to text: inout [UInt8]) {
        var string = string
        string.withUTF8 { append(bytes: $0, to: &text) }
    }

    /// Text between quotes, with the escapes that JSON asks for.
    static func append(bytes: UnsafeBufferPointer<UInt8>, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "\""))
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                text.append(UInt8(ascii: "\\"))
                text.append(byte)
            case 0x08: text.append(contentsOf: "\\b".utf8)
            case 0x09: text.append(contentsOf: "\\t".utf8)
            case 0x0A: text.append(contentsOf: "\\n".utf8)
            case 0x0C: text.append(contentsOf: "\\f".utf8)
            case 0x0D: text.append(contentsOf: "\\r".utf8)
            case 0..<0x20:
                let digits = Array("0123456789ABCDEF".utf8)
                text.append(contentsOf: "\\u00".utf8)
                text.append(digits[Int(byte >> 4)])
                text.append(digits[Int(byte & 15)])
            default: text.append(byte)
            }
        }
        text.append(UInt8(ascii: "\""))
    }

    /// A value of a column.
    ///
    /// - Parameter isJSON: whether the texts in it are JSON already.
    static func append(
        _ column: Column,
        _ row: Int,
        isJSON: Bool,
        to text: inout [UInt8]
    ) throws(KernelError) {
        if column.isNull(row) { return text.append(contentsOf: "null".utf8) }
        switch column.storage {
        case .null: text.append(contentsOf: "null".utf8)
        case .constant(let box): try append(box.column, 0, isJSON: isJSON, to: &text)
        case .dictionary(let codes, let dictionary):
            let code = Int(codes.pointer(as: UInt32.self)[row])
            try append(dictionary.values, code, isJSON: isJSON, to: &text)
        case .list(let offsets, let elements):
            let bounds = offsets.pointer(as: Int32.self)
            text.append(UInt8(ascii: "["))
            for place in Int(bounds[row])..<Int(bounds[row + 1]) {
                if place > Int(bounds[row]) { text.append(UInt8(ascii: ",")) }
                try append(elements.column, place, isJSON: isJSON, to: &text)
            }
            text.append(UInt8(ascii: "]"))
        case .structure(let columns):
            guard case .structure(let fields) = column.type else { return }
            text.append(UInt8(ascii: "{"))
            for (index, field) in fields.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                append(string: field.name, to: &text)
                text.append(UInt8(ascii: ":"))
                try append(columns[index], row, isJSON: isJSON, to: &text)
            }
            text.append(UInt8(ascii: "}"))
        case .map(let offsets, let keys, let values):
            let bounds = offsets.pointer(as: Int32.self)
            text.append(UInt8(ascii: "{"))
            for place in Int(bounds[row])..<Int(bounds[row + 1]) {
                if place > Int(bounds[row]) { text.append(UInt8(ascii: ",")) }
                var key: [UInt8] = []
                TextFormat.append(keys.column, row: place, to: &key)
                key.withUnsafeBufferPointer { append(bytes: $0, to: &text) }
                text.append(UInt8(ascii: ":"))
                try append(values.column, place, isJSON: isJSON, to: &text)
            }
            text.append(UInt8(ascii: "}"))
        case .views(let views, _) where column.type == .string:
            let bytes = (views.pointer(as: StringView.self) + row).viewBytes
            if isJSON {
                append(try JSONText.parse(bytes), to: &text)
            } else {
                append(bytes: bytes, to: &text)
            }
        default:
            switch column.type {
            case .boolean, .int32, .int64: TextFormat.append(column, row: row, to: &text)
            case .decimal(_, let scale):
                var number: [UInt8] = []
                TextFormat.append(column, row: row, to: &number)
                if scale == 0 {
                    text.append(contentsOf: number)
                } else {
                    append(number: String(decoding: number, as: UTF8.self), to: &text)
                }
            case .float32:
                guard case .fixed(let values) = column.storage else { return }
                append(Double(values.pointer(as: Float.self)[row]), to: &text)
            case .float64:
                guard case .fixed(let values) = column.storage else { return }
                append(values.pointer(as: Double.self)[row], to: &text)
            default:
                var own: [UInt8] = []
                TextFormat.append(column, row: row, to: &own)
                own.withUnsafeBufferPointer { append(bytes: $0, to: &text) }
            }
        }
    }
}
