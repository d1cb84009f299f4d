package import Bytes

// The objects of the log are JSON texts whose last member is a checksum over everything before it:
//
//     {"sequence":1, ... ,"checksum":"0a1b2c3d"}
//     |--- covered by CRC-32 ---||-- 23 bytes --|
//
// The hash chain guards every entry that has a successor; the checksum guards the last one too, and
// tells which of two neighbours was damaged.

/// Puts the checksum at the end of an object's text.
///
/// - Parameter body: the text of a JSON object with at least one member, without its closing brace.
package func sealed(_ body: [UInt8]) -> [UInt8] {
    body + sealSuffix(of: body[...])
}

/// Checks the seal and parses the text.
///
/// - Throws: `corrupt` when the checksum is not that of the bytes or they are not a JSON object.
package func unsealed(_ bytes: [UInt8], key: String) throws(CommitLogError) -> JSONObject {
    try checkSeal(bytes, key: key)
    do throws(BytesError) {
        guard case .object(let object) = try JSON.parse(bytes) else {
            throw BytesError(.corrupt, "not a JSON object")
        }
        return object
    } catch {
        throw CommitLogError(.corrupt, "\(error)", key: key)
    }
}

/// Checks the seal and reads the text, of which no values are made.
///
/// - Throws: as `unsealed`.
func unsealedText(_ bytes: [UInt8], key: String) throws(CommitLogError) -> JSONView {
    try checkSeal(bytes, key: key)
    do throws(BytesError) {
        let view = try JSONText(bytes).root
        guard view.isObject else { throw BytesError(.corrupt, "not a JSON object") }
        return view
    } catch {
        throw CommitLogError(.corrupt, "\(error)", key: key)
    }
}

private func checkSeal(_ bytes: [UInt8], key: String) throws(CommitLogError) {
    guard bytes.count > sealByteCount else {
        throw CommitLogError(.corrupt, "\(bytes.count) bytes are too few for this object", key: key)
    }
    let body = bytes.dropLast(sealByteCount)
    guard bytes.suffix(sealByteCount).elementsEqual(sealSuffix(of: body)) else {
        throw CommitLogError(.corrupt, "the checksum is not that of the bytes", key: key)
    }
}

private let sealByteCount = 23

private func sealSuffix(of body: ArraySlice<UInt8>) -> [UInt8] {
    let checksum = body.withUnsafeBytes { crc32($0) }
    let digits = Array("0123456789abcdef".utf8)
    var suffix = Array(",\"checksum\":\"".utf8)
    for shift in stride(from: UInt32(28), through: 0, by: -4) {
        suffix.append(digits[Int(checksum >> shift & 15)])
    }
    suffix += Array("\"}".utf8)
    return suffix
}
