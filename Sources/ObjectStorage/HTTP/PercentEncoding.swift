import Bytes

private let upperHexDigits = Array("0123456789ABCDEF".utf8)
private let lowerHexDigits = Array("0123456789abcdef".utf8)

/// Percent-encodes everything but RFC 3986's unreserved characters, as signature V4 asks.
///
/// - Parameter keepsSlash: whether `/` stays, as in paths.
package func percentEncoded(_ text: some StringProtocol, keepsSlash: Bool = false) -> String {
    var encoded: [UInt8] = []
    encoded.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            encoded.append(byte)
        case UInt8(ascii: "/") where keepsSlash:
            encoded.append(byte)
        default:
            encoded += [
                UInt8(ascii: "%"), upperHexDigits[Int(byte >> 4)], upperHexDigits[Int(byte & 15)],
            ]
        }
    }
    return String(decoding: encoded, as: UTF8.self)
}

/// Undoes percent-encoding, with `+` for a space; nil when an escape is broken or gives no UTF-8.
package func percentDecoded(_ text: String) -> String? {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(text.utf8.count)
    var bytes = text.utf8.makeIterator()
    while let byte = bytes.next() {
        switch byte {
        case UInt8(ascii: "%"):
            guard let high = bytes.next().flatMap(hexValue),
                let low = bytes.next().flatMap(hexValue)
            else { return nil }
            decoded.append(high << 4 | low)
        case UInt8(ascii: "+"):
            decoded.append(UInt8(ascii: " "))
        default:
            decoded.append(byte)
        }
    }
    return String(validating: decoded, as: UTF8.self)
}

private func hexValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
}

/// Bytes as lower-case hexadecimal digits.
func hexText(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    for byte in bytes {
        text.append(lowerHexDigits[Int(byte >> 4)])
        text.append(lowerHexDigits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

/// Bytes in base 64 with padding (RFC 4648, section 4).
package func base64Text(_ bytes: [UInt8]) -> String {
    String(decoding: bytes.withUnsafeBytes { base64Encoded($0) }, as: UTF8.self)
}
