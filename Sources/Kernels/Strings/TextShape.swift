@_spi(_Unicode) import Swift
package import Columnar

/// Functions of what a reader sees: grapheme clusters, accents, bars, sizes; and the parts of paths.
package enum TextShape {
    // MARK: Graphemes

    /// Grapheme clusters (what a reader counts as characters), as int64.
    package static func length(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.values([column], "t", to: .int64, Int64.self) { arguments, row in
            let text = arguments.text(0, row)
            if isSimple(text) { return Int64(text.count) }
            return Int64(String(decoding: text, as: UTF8.self).count)
        }
    }

    /// ASCII without a carriage return, which with a line feed is one cluster.
    private static func isSimple(_ text: UTF8Text.Bytes) -> Bool {
        UTF8Text.isASCII(text) && !text.contains(13)
    }

    /// The clusters in reverse order.
    package static func reverse(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.texts([column], "t") { arguments, row, result in
            let text = arguments.text(0, row)
            if isSimple(text) {
                result.append(contentsOf: text.reversed())
            } else {
                for character in String(decoding: text, as: UTF8.self).reversed() {
                    result.append(contentsOf: character.utf8)
                }
            }
        }
    }

    /// The first clusters; without the last ones for a negative count.
    package static func left(_ column: Column, _ count: Column) throws(KernelError) -> Column {
        try Rowwise.texts([column, count], "ti") { arguments, row, result in
            let text = String(decoding: arguments.text(0, row), as: UTF8.self)
            let wanted = clamped(arguments.int64(1, row))
            let part = wanted < 0 ? text.dropLast(-wanted) : text.prefix(wanted)
            result.append(contentsOf: part.utf8)
        }
    }

    /// The last clusters; without the first ones for a negative count.
    package static func right(_ column: Column, _ count: Column) throws(KernelError) -> Column {
        try Rowwise.texts([column, count], "ti") { arguments, row, result in
            let text = String(decoding: arguments.text(0, row), as: UTF8.self)
            let wanted = clamped(arguments.int64(1, row))
            let part = wanted < 0 ? text.dropFirst(-wanted) : text.suffix(wanted)
            result.append(contentsOf: part.utf8)
        }
    }

    /// As `StringFunctions.substring`, over clusters.
    package static func substring(
        _ column: Column,
        from start: Column,
        for length: Column?
    ) throws(KernelError) -> Column {
        try Rowwise.texts([column, start] + (length.map { [$0] } ?? []), "tii") {
            (arguments, row, result) throws(KernelError) in
            let first = arguments.int64(1, row)
            var end = Int64.max
            if length != nil {
                let wanted = arguments.int64(2, row)
                if wanted < 0 {
                    throw KernelError(.outOfRange, "a substring cannot have length \(wanted)")
                }
                let (sum, overflow) = first.addingReportingOverflow(wanted)
                end = overflow ? .max : sum
            }
            let text = String(decoding: arguments.text(0, row), as: UTF8.self)
            let from = max(1, first)
            guard end > from else { return }
            let part = text.dropFirst(clamped(from - 1)).prefix(clamped(end - from))
            result.append(contentsOf: part.utf8)
        }
    }

    private static func clamped(_ count: Int64) -> Int { Int(max(-(1 << 40), min(count, 1 << 40))) }

    // MARK: Normal forms

    /// The text in normal form C.
    package static func composed(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.texts([column], "t") { arguments, row, result in
            let text = arguments.text(0, row)
            if UTF8Text.isASCII(text) { return result.append(contentsOf: text) }
            for scalar in String(decoding: text, as: UTF8.self)._nfc {
                UTF8Text.append(scalar, to: &result)
            }
        }
    }

    /// The text without marks on its letters.
    package static func withoutAccents(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.texts([column], "t") { arguments, row, result in
            let text = arguments.text(0, row)
            if UTF8Text.isASCII(text) { return result.append(contentsOf: text) }
            var kept = String.UnicodeScalarView()
            for scalar in String(decoding: text, as: UTF8.self)._nfd {
                switch scalar.properties.generalCategory {
                case .nonspacingMark, .spacingMark, .enclosingMark: break
                default: kept.append(scalar)
                }
            }
            for scalar in String(kept)._nfc { UTF8Text.append(scalar, to: &result) }
        }
    }

    // MARK: Pictures of numbers

    /// A bar as long as `value` lies between `least` and `most`, of `width` characters.
    package static func bar(
        _ value: Column,
        least: Column,
        most: Column,
        width: Column?
    ) throws(KernelError) -> Column {
        var columns: [Column] = []
        for column in [
            value, least, most, width ?? .constant(.float64(80), .float64, count: value.count),
        ] {
            columns.append(try Casting.cast(column, to: .float64))
        }
        return try Rowwise.apply(columns, to: .string) {
            (operands, count, validity) throws(KernelError) -> Column in
            var writer = ViewWriter(count: count)
            let places = operands.map { ($0.pointer(Double.self), $0.mask) }
            try forEachValid(validity, count) { (row) throws(KernelError) in
                func number(_ index: Int) -> Double { places[index].0[row & places[index].1] }
                writer.set(row, try bar(number(0), number(1), number(2), number(3)))
            }
            return withExtendedLifetime(operands) { writer.finish(.string, validity: validity) }
        }
    }

    private static func bar(
        _ value: Double,
        _ least: Double,
        _ most: Double,
        _ width: Double
    ) throws(KernelError) -> [UInt8] {
        guard least.isFinite, most.isFinite, width.isFinite else {
            throw KernelError(.outOfRange, "the ends and the width of a bar must be finite")
        }
        guard width >= 1, width <= 1000 else {
            throw KernelError(.outOfRange, "a bar has a width from 1 to 1000, not \(width)")
        }
        let share: Double
        if value.isNaN || value < least || least >= most {
            share = 0
        } else {
            share = value > most ? width : width * (value - least) / (most - least)
        }
        let whole = Int(share.rounded(.down))
        let part = Int(((share - Double(whole)) * 8).rounded(.down))
        var text = String(repeating: "█", count: whole)
        var used = whole
        if part > 0, whole < Int(width.rounded(.down)),
            let scalar = Unicode.Scalar(0x2590 - UInt32(part))
        {
            text.unicodeScalars.append(scalar)
            used += 1
        }
        text += String(repeating: " ", count: max(0, Int(width.rounded(.down)) - used))
        return Array(text.utf8)
    }

    /// A number of bytes with a unit: `15.6 KiB` by powers of 1024, `16.0 kB` by powers of 1000.
    package static func byteSize(_ column: Column, isDecimal: Bool) throws(KernelError) -> Column {
        let units =
            isDecimal
            ? ["byte", "kB", "MB", "GB", "TB", "PB"] : ["byte", "KiB", "MiB", "GiB", "TiB", "PiB"]
        let step: UInt64 = isDecimal ? 1000 : 1024
        return try Rowwise.texts([column], "i") { arguments, row, result in
            let value = arguments.int64(0, row)
            if value < 0 { result.append(UInt8(ascii: "-")) }
            var size = value.magnitude
            var unit = 0
            var rest: UInt64 = 0
            while size >= step, unit < units.count - 1 {
                (size, rest) = size.quotientAndRemainder(dividingBy: step)
                unit += 1
            }
            TextFormat.append(Int64(clamping: size), to: &result)
            if unit == 0 {
                result.append(contentsOf: (value == 1 || value == -1 ? " byte" : " bytes").utf8)
            } else {
                result.append(UInt8(ascii: "."))
                TextFormat.append(Int64(rest * 10 / step), to: &result)
                result.append(contentsOf: (" " + units[unit]).utf8)
            }
        }
    }

    // MARK: Paths

    /// Which part of a path.
    package enum PathPart: Sendable {
        /// Behind the last separator.
        case fileName
        /// The same without what begins with its last point.
        case fileNameWithoutExtension
        /// Before the first separator; that itself where the path begins with it.
        case firstFolder
        /// Before the last separator.
        case folders
    }

    /// A part of a path whose folders are separated by `/` or `\`.
    package static func path(_ column: Column, _ part: PathPart) throws(KernelError) -> Column {
        try Rowwise.texts([column], "t") { arguments, row, result in
            let text = arguments.text(0, row)
            func isSeparator(_ byte: UInt8) -> Bool { byte == 47 || byte == 92 }
            let last = text.lastIndex(where: isSeparator)
            switch part {
            case .fileName, .fileNameWithoutExtension:
                var name = text[(last.map { $0 + 1 } ?? 0)...]
                if part == .fileNameWithoutExtension, let point = name.lastIndex(of: 46) {
                    name = name[..<point]
                }
                result.append(contentsOf: name)
            case .firstFolder:
                guard let first = text.firstIndex(where: isSeparator) else { return }
                result.append(contentsOf: first == 0 ? text[...0] : text[..<first])
            case .folders:
                if let last { result.append(contentsOf: text[..<last]) }
            }
        }
    }
}

extension TextShape {
    /// The number of the first code point, -1 of the empty text, as int32.
    package static func codePoint(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.values([column], "t", to: .int32, Int32.self) { arguments, row in
            let text = arguments.text(0, row)
            let end = UTF8Text.offset(text, skipping: 1)
            let first = String(decoding: text[..<end], as: UTF8.self).unicodeScalars.first
            return first.map { Int32(bitPattern: $0.value) } ?? -1
        }
    }

    /// The text with a backslash before everything but letters, digits, `_` and what is not ASCII, so
    /// that as a regular expression it matches itself.
    package static func quotedExpression(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.texts([column], "t") { arguments, row, result in
            for byte in arguments.text(0, row) {
                switch byte {
                case 48...57, 65...90, 97...122, 95, 128...: result.append(byte)
                case 0: result.append(contentsOf: "\\x00".utf8)
                default:
                    result.append(UInt8(ascii: "\\"))
                    result.append(byte)
                }
            }
        }
    }
}
