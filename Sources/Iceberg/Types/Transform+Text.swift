import Bytes

extension Transform {
    /// The value of a partition field as people write it in paths: `2024-01-05`, `2017-11`, `null`.
    ///
    /// - Parameter value: The result of the transform, not its source.
    package func text(of value: Datum?) -> String {
        guard let value else { return "null" }
        switch (self, value) {
        case (.year, .int(let years)): return CivilDate.yearText(Int(years) + 1970)
        case (.month, .int(let months)):
            let year = CivilDate.yearText(1970 + Int(months).flooredQuotient(12))
            return year + "-" + padded(Int(months).flooredRemainder(12) + 1, 2)
        // Some writers store days as plain ints.
        case (.day, .int(let days)): return Datum.date(days).text
        case (.hour, .int(let hours)):
            let date = CivilDate(daysSinceEpoch: Int(hours).flooredQuotient(24))
            return date.text + "-" + padded(Int(hours).flooredRemainder(24), 2)
        case (_, .fixed(let bytes)), (_, .binary(let bytes)): return base64(bytes)
        case (_, .time), (_, .timestamp), (_, .timestamptz), (_, .timestampNanos),
            (_, .timestamptzNanos):
            return withoutTrailingZeros(value.text)
        default: return value.text
        }
    }

    /// `10:12:55.500000+00:00` as `10:12:55.5+00:00`, and without a fraction of nothing.
    private func withoutTrailingZeros(_ text: String) -> String {
        guard let point = text.firstIndex(of: ".") else { return text }
        let zoneStart = text[point...].firstIndex(of: "+") ?? text.endIndex
        var fraction = text[point..<zoneStart]
        while fraction.last == "0" { fraction.removeLast() }
        if fraction == "." { fraction.removeLast() }
        return String(text[..<point] + fraction + text[zoneStart...])
    }

    private func base64(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.withUnsafeBytes { base64Encoded($0) }, as: UTF8.self)
    }
}

extension PartitionSpec {
    /// The folder of a partition: `ts_day=2024-01-05/id_bucket=3`, escaped for URLs; empty for none.
    ///
    /// - Parameter partition: A value for each field, nil for null.
    package func path(of partition: [Datum?]) -> String {
        var parts: [String] = []
        for (field, value) in zip(fields, partition) {
            parts.append(escaped(field.name) + "=" + escaped(field.transform.text(of: value)))
        }
        return parts.joined(separator: "/")
    }

    private func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
