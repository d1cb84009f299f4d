import Bytes

/// Reads the members of one JSON object of an event, and says which one is wrong and why.
///
/// Nothing is made of the text but what is asked for; where the object lies is found out only for messages.
struct OpenLineageFields {
    /// What all objects of an event share.
    final class Context: Sendable {
        let event: JSONView
        let decoded: DecodedFacets?

        init(_ event: JSONView, _ decoded: DecodedFacets?) {
            self.event = event
            self.decoded = decoded
        }
    }

    let object: JSONView
    let context: Context

    /// - Parameter context: of the event that `view` is a part of.
    init(_ view: JSONView, in context: Context) throws(LineageError) {
        guard view.isObject else {
            let path = context.event.path(to: view)
            throw LineageError(
                .invalid,
                "must be an object, not \(view.kindName)",
                place: path.isEmpty ? "the event" : path
            )
        }
        object = view
        self.context = context
    }

    func has(_ name: String) -> Bool { object[name] != nil }

    private func path(_ name: String) -> String {
        let place = context.event.path(to: object)
        return place.isEmpty ? name : "\(place).\(name)"
    }

    func wrong(_ name: String, _ reason: String) -> LineageError {
        LineageError(.invalid, reason, place: path(name))
    }

    func required(_ name: String) throws(LineageError) -> JSONView {
        guard let value = object[name] else { throw wrong(name, "is missing") }
        return value
    }

    func text(_ name: String) throws(LineageError) -> String {
        try text(try required(name), name)
    }

    private func text(_ value: JSONView, _ name: String) throws(LineageError) -> String {
        guard let text = value.string else {
            throw wrong(name, "must be a string, not \(value.kindName)")
        }
        return text
    }

    func optionalText(_ name: String) throws(LineageError) -> String? {
        guard let value = object[name] else { return nil }
        return try text(value, name)
    }

    /// A name: a text of 1 to `textBytesMax` bytes.
    func name(_ name: String) throws(LineageError) -> String {
        let text = try text(name)
        guard (1...OpenLineageLimits.textBytesMax).contains(text.utf8.count) else {
            throw wrong(
                name,
                "has \(text.utf8.count) bytes; 1 to \(OpenLineageLimits.textBytesMax) are allowed"
            )
        }
        return text
    }

    func entity() throws(LineageError) -> EntityName {
        EntityName(try name("namespace"), try name("name"))
    }

    /// A flag; false when it is missing.
    func flag(_ name: String) throws(LineageError) -> Bool {
        guard let value = object[name] else { return false }
        guard let flag = value.bool else {
            throw wrong(name, "must be true or false, not \(value.kindName)")
        }
        return flag
    }

    func uri(_ name: String) throws(LineageError) -> String {
        let text = try text(name)
        if !isURI(text) { throw wrong(name, "must be a URI, not \(shown(text))") }
        return text
    }

    /// Checks that a member is a URI, of which no more is needed.
    func checkURI(_ name: String) throws(LineageError) {
        if try required(name).withPlainBytes({ isURI($0) }) != true { _ = try uri(name) }
    }

    func uuid(_ name: String) throws(LineageError) -> String {
        let text = try text(name)
        if !isUUID(text) { throw wrong(name, "must be a UUID, not \(shown(text))") }
        return text.lowercased()
    }

    /// A time of RFC 3339 in microseconds since 1970.
    func time(_ name: String) throws(LineageError) -> Int64 {
        let text = try text(name)
        guard let micros = rfc3339Micros(text) else {
            throw wrong(
                name,
                "must be a time with an offset, as 2024-05-01T12:30:00.000Z, not \(shown(text))"
            )
        }
        return micros
    }

    func optionalTime(_ name: String) throws(LineageError) -> Int64? {
        has(name) ? try time(name) : nil
    }

    func fields(_ name: String) throws(LineageError) -> OpenLineageFields {
        try OpenLineageFields(try required(name), in: context)
    }

    /// The elements of an array, all of them objects; none when it is missing.
    func objects(_ name: String, countMax: Int) throws(LineageError) -> [OpenLineageFields] {
        guard let value = object[name] else { return [] }
        guard value.isArray else {
            throw wrong(name, "must be an array, not \(value.kindName)")
        }
        guard value.count <= countMax else {
            throw wrong(name, "has \(value.count) elements; \(countMax) are allowed")
        }
        var all: [OpenLineageFields] = []
        all.reserveCapacity(value.count)
        for element in value.elements { all.append(try OpenLineageFields(element, in: context)) }
        return all
    }

    private func shown(_ text: String) -> String {
        let start = text.prefix(100)
        return "\"\(start)\(start.endIndex < text.endIndex ? "…" : "")\""
    }
}

// MARK: - Formats of JSON Schema

/// Whether a text is a UUID: 8, 4, 4, 4 and 12 hexadecimal digits.
func isUUID(_ text: String) -> Bool {
    var index = 0
    for byte in text.utf8 {
        let isHyphen = index == 8 || index == 13 || index == 18 || index == 23
        if isHyphen ? byte != 0x2D : !isHexadecimal(byte) { return false }
        index += 1
    }
    return index == 36
}

private func isHexadecimal(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
}

/// Whether a text is a URI with a scheme, by the characters of RFC 3986.
package func isURI(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { isURI($0) }
}

private func isURI(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { return false }
    for (index, byte) in bytes[..<colon].enumerated() {
        let isLetter = (0x61...0x7A).contains(byte | 0x20)
        let isOther =
            (0x30...0x39).contains(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: ".")
        if !isLetter && (index == 0 || !isOther) { return false }
    }
    var index = colon + 1
    var hasFragment = false
    while index < bytes.count {
        switch bytes[index] {
        case UInt8(ascii: "%"):
            guard index + 2 < bytes.count, isHexadecimal(bytes[index + 1]),
                isHexadecimal(bytes[index + 2])
            else { return false }
            index += 2
        case UInt8(ascii: "#"):
            if hasFragment { return false }
            hasFragment = true
        case 0x21, 0x24, 0x26...0x3B, 0x3D, 0x3F...0x5B, 0x5D, 0x5F, 0x61...0x7A, 0x7E: break
        default: return false
        }
        index += 1
    }
    return true
}

/// A time of RFC 3339 in microseconds since 1970; nil for anything else.
///
/// Digits beyond those of microseconds are
/// cut off, and a leap second is the one after.
func rfc3339Micros(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    func digits(_ start: Int, _ count: Int) -> Int64? {
        guard start + count <= bytes.count else { return nil }
        var value: Int64 = 0
        for byte in bytes[start..<start + count] {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        return value
    }
    func has(_ byte: Character, _ index: Int) -> Bool {
        index < bytes.count && bytes[index] == byte.asciiValue
    }
    guard let year = digits(0, 4), has("-", 4), let month = digits(5, 2), has("-", 7),
        let day = digits(8, 2), has("T", 10) || has("t", 10), let hour = digits(11, 2),
        has(":", 13), let minute = digits(14, 2), has(":", 16), let second = digits(17, 2)
    else { return nil }
    guard (1...12).contains(month), day >= 1, day <= dayCount(month, year), hour < 24, minute < 60,
        second <= 60
    else { return nil }
    var index = 19
    var micros: Int64 = 0
    if has(".", index) {
        index += 1
        let start = index
        var unit: Int64 = 100_000
        while index < bytes.count, (0x30...0x39).contains(bytes[index]) {
            micros += Int64(bytes[index] - 0x30) * unit
            unit /= 10
            index += 1
        }
        if index == start { return nil }
    }
    var offsetMinutes: Int64 = 0
    if has("Z", index) || has("z", index) {
        index += 1
    } else {
        guard has("+", index) || has("-", index), let hours = digits(index + 1, 2),
            has(":", index + 3), let minutes = digits(index + 4, 2), hours < 24, minutes < 60
        else { return nil }
        offsetMinutes = (has("-", index) ? -1 : 1) * (hours * 60 + minutes)
        index += 6
    }
    guard index == bytes.count else { return nil }
    // Days since 0000-03-01, in eras of 400 years, so that leap days come last.
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    let days = era * 146_097 + dayOfEra - 719_468
    let seconds = days * 86_400 + hour * 3600 + (minute - offsetMinutes) * 60 + second
    return seconds * 1_000_000 + micros
}

private func dayCount(_ month: Int64, _ year: Int64) -> Int64 {
    switch month {
    case 4, 6, 9, 11: 30
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    default: 31
    }
}
