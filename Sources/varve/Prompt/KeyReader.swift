import Glibc

/// A key, or what a terminal sends for it.
enum Key: Equatable {
    case text(String)
    case enter, tab, backspace, delete, left, right, up, down, home, end, wordLeft, wordRight
    /// Ctrl and a letter.
    case control(Character)
    /// The terminal is gone, or a read was interrupted for good.
    case closed
    /// A sequence that means nothing here.
    case unknown
}

/// Cuts the bytes of a terminal into keys.
struct KeyReader {
    private let descriptor: Int32

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Waits for the next key.
    func next() -> Key {
        guard let byte = readByte() else { return .closed }
        switch byte {
        case 9: return .tab
        case 10, 13: return .enter
        case 8, 127: return .backspace
        case 27: return escape()
        case 1...26: return .control(Character(Unicode.Scalar(byte + 96)))
        case 0, 28...31: return .unknown
        case 32..<127: return .text(String(Unicode.Scalar(byte)))
        default: return scalar(byte)
        }
    }

    private func readByte(waitMillis: Int32 = -1) -> UInt8? {
        while true {
            if waitMillis >= 0 {
                var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&request, 1, waitMillis) == 1 else { return nil }
            }
            var byte: UInt8 = 0
            let count = read(descriptor, &byte, 1)
            if count == 1 { return byte }
            if count < 0, errno == EINTR { continue }
            return nil
        }
    }

    /// The rest of a UTF-8 sequence.
    private func scalar(_ first: UInt8) -> Key {
        let count = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0
        var bytes = [first]
        for _ in 0..<count {
            guard let byte = readByte(waitMillis: 100) else { break }
            bytes.append(byte)
        }
        return String(validating: bytes, as: UTF8.self).map { .text($0) } ?? .unknown
    }

    private func escape() -> Key {
        // What follows at once belongs to the sequence; a lone Escape means nothing.
        guard let second = readByte(waitMillis: 50) else { return .unknown }
        switch second {
        case UInt8(ascii: "b"): return .wordLeft
        case UInt8(ascii: "f"): return .wordRight
        case UInt8(ascii: "["), UInt8(ascii: "O"): break
        default: return .unknown
        }
        var parameters = ""
        while let byte = readByte(waitMillis: 50) {
            let character = Character(Unicode.Scalar(byte))
            if (0x40...0x7E).contains(byte) { return Self.key(character, parameters) }
            parameters.append(character)
            if parameters.utf8.count > 16 { return .unknown }
        }
        return .unknown
    }

    private static func key(_ end: Character, _ parameters: String) -> Key {
        switch (end, parameters) {
        case ("A", _): .up
        case ("B", _): .down
        case ("C", "1;5"), ("C", "1;3"): .wordRight
        case ("D", "1;5"), ("D", "1;3"): .wordLeft
        case ("C", _): .right
        case ("D", _): .left
        case ("H", _), ("~", "1"), ("~", "7"): .home
        case ("F", _), ("~", "4"), ("~", "8"): .end
        case ("~", "3"): .delete
        default: .unknown
        }
    }
}
