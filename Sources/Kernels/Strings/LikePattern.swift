package import Columnar
import CPCRE2
import Glibc

/// A LIKE or ILIKE pattern, compiled once.
///
/// `%` is any text, `_` any one code point.
///
/// Immutable, so it may be shared between workers.
package struct LikePattern: Sendable {
    /// A run of the pattern between two `%`.
    private struct Piece: Sendable {
        var bytes: [UInt8] = []
        /// Where `_` stands: indexes into `bytes`, which hold a placeholder there.
        ///
        /// Ascending.
        var wildcards: [Int] = []
        var isLiteral: Bool { wildcards.isEmpty }
    }

    private enum Shape: Sendable {
        case anything
        case equal([UInt8])
        case prefix([UInt8])
        case suffix([UInt8])
        case contains([UInt8])
        case general
    }

    private let pieces: [Piece]
    private let shape: Shape
    private let ignoresCase: Bool

    /// Compiles a pattern.
    ///
    /// - Parameters:
    ///   - escape: the character that takes the meaning from the one behind it; nil for none.
    ///   - ignoresCase: ILIKE; compares the simple lower case forms.
    /// - Throws: `invalidPattern` when the pattern ends with the escape character.
    package init(
        _ pattern: String,
        escape: Unicode.Scalar? = "\\",
        ignoresCase: Bool = false
    ) throws(KernelError) {
        self.ignoresCase = ignoresCase
        var pieces = [Piece()]
        var scalars = pattern.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            let last = pieces.count - 1
            var literal = scalar
            if let escape, scalar == escape {
                guard let next = scalars.next() else {
                    throw KernelError(
                        .invalidPattern,
                        "the LIKE pattern '\(pattern)' ends with its escape character"
                    )
                }
                literal = next
            } else if scalar == "%" {
                pieces.append(Piece())
                continue
            } else if scalar == "_" {
                pieces[last].wildcards.append(pieces[last].bytes.count)
                pieces[last].bytes.append(0)
                continue
            }
            if ignoresCase { literal = UTF8Text.casedScalar(literal, isUpper: false) }
            UTF8Text.append(literal, to: &pieces[last].bytes)
        }
        // Several % in a row are one.
        if pieces.count > 2 {
            let inner = pieces[1..<(pieces.count - 1)].filter { !$0.bytes.isEmpty }
            pieces = [pieces[0]] + inner + [pieces[pieces.count - 1]]
        }
        self.pieces = pieces
        shape = Self.shape(pieces)
    }

    private static func shape(_ pieces: [Piece]) -> Shape {
        guard pieces.allSatisfy(\.isLiteral) else { return .general }
        let parts = pieces.map(\.bytes)
        switch parts.count {
        case 1: return .equal(parts[0])
        case 2 where parts[0].isEmpty && parts[1].isEmpty: return .anything
        case 2 where parts[1].isEmpty: return .prefix(parts[0])
        case 2 where parts[0].isEmpty: return .suffix(parts[1])
        case 3 where parts[0].isEmpty && parts[2].isEmpty: return .contains(parts[1])
        default: return .general
        }
    }

    /// The text every match begins with, for pruning by bounds; nil if there is none or case is
    /// ignored.
    package var literalPrefix: [UInt8]? {
        if ignoresCase { return nil }
        let first = pieces[0]
        let end = first.wildcards.first ?? first.bytes.count
        return end == 0 ? nil : Array(first.bytes[..<end])
    }

    /// The one text that matches; nil if there are others.
    package var equalText: [UInt8]? {
        if case .equal(let bytes) = shape, !ignoresCase { return bytes }
        return nil
    }

    /// For each row of a text column whether it matches; null for null.
    package func matches(_ column: Column) -> Column {
        precondition(column.type == .string || column.type == .null)
        return column.mapped(to: .boolean) { column in
            let lowered = ignoresCase ? StringFunctions.lower(column) : column
            let operand = Operand(lowered)
            let bits = match(operand)
            return withExtendedLifetime((lowered, operand)) {
                Column(bits: bits, validity: column.validity)
            }
        }
    }

    private func match(_ operand: Operand) -> Bitmap {
        let places = operand.views
        let count = operand.count
        switch shape {
        case .anything:
            return Bitmap(repeating: true, count: count)
        case .equal(let bytes):
            return bytes.withUnsafeBufferPointer { text in
                let wanted = text.baseAddress.map { makeView($0, text.count) } ?? .empty
                return buildBits(count) { viewsEqual(places[$0], wanted) }
            }
        case .prefix(let bytes):
            return bytes.withUnsafeBufferPointer { text in
                // The first four bytes lie in the view.
                let head = text.baseAddress.map { makeView($0, min(4, text.count)) } ?? .empty
                let mask: UInt32 =
                    text.count >= 4 ? .max : (1 &<< UInt32(text.count &* 8)) &- 1
                let length = UInt32(truncatingIfNeeded: text.count)
                if text.count <= 4 {
                    return buildBits(count) {
                        let view = places[$0]
                        return bitAnd(view.length >= length, view.prefix & mask == head.prefix)
                    }
                }
                return buildBits(count) {
                    let view = places[$0]
                    return view.prefix == head.prefix
                        && UTF8Text.has((places + $0).text, text, at: 0)
                }
            }
        case .suffix(let bytes):
            return bytes.withUnsafeBufferPointer { text in
                buildBits(count) {
                    let row = (places + $0).text
                    return UTF8Text.has(row, text, at: row.count &- text.count)
                }
            }
        case .contains(let bytes):
            return bytes.withUnsafeBufferPointer { TextSearch.contains($0, operand) }
        case .general:
            // One sweep for the longest literal leaves few rows to look at closely.
            let longest = pieces.filter(\.isLiteral).map(\.bytes).max { $0.count < $1.count }
            guard let longest, longest.count > 1 else {
                return buildBits(count) { matches((places + $0).text) }
            }
            let candidates = longest.withUnsafeBufferPointer {
                TextSearch.contains($0, operand)
            }
            let words = candidates.words
            let result = buildBits(count) {
                bitOf(words, $0) != 0 && matches((places + $0).text)
            }
            return withExtendedLifetime(candidates) { result }
        }
    }

    /// Whether one text matches; case must have been taken care of.
    func matches(_ text: UTF8Text.Bytes) -> Bool {
        let first = pieces[0]
        guard var offset = end(of: first, in: text, at: 0) else { return false }
        if pieces.count == 1 { return offset == text.count }
        for piece in pieces[1..<(pieces.count - 1)] {
            guard let next = search(piece, in: text, from: offset) else { return false }
            offset = next
        }
        // The last piece ends the text; count back its code points and bytes.
        let last = pieces[pieces.count - 1]
        if last.isLiteral {
            let start = text.count - last.bytes.count
            return start >= offset
                && last.bytes.withUnsafeBufferPointer { UTF8Text.has(text, $0, at: start) }
        }
        var start = offset
        while start <= text.count {
            if end(of: last, in: text, at: start) == text.count { return true }
            start = UTF8Text.offset(text, from: start, skipping: 1) + (start == text.count ? 1 : 0)
        }
        return false
    }

    private func search(_ piece: Piece, in text: UTF8Text.Bytes, from start: Int) -> Int? {
        if piece.isLiteral {
            return piece.bytes.withUnsafeBufferPointer { needle in
                UTF8Text.find(needle, in: text, from: start).map { $0 + needle.count }
            }
        }
        var place = start
        while place <= text.count {
            if let end = end(of: piece, in: text, at: place) { return end }
            if place == text.count { return nil }
            place = UTF8Text.offset(text, from: place, skipping: 1)
        }
        return nil
    }

    /// Where the piece ends if it stands at `start`.
    private func end(of piece: Piece, in text: UTF8Text.Bytes, at start: Int) -> Int? {
        piece.bytes.withUnsafeBufferPointer { bytes in
            var offset = start
            var done = 0
            for wildcard in piece.wildcards {
                let literal = UTF8Text.slice(bytes, done..<wildcard)
                guard UTF8Text.has(text, literal, at: offset) else { return nil }
                offset += literal.count
                guard offset < text.count else { return nil }
                offset = UTF8Text.offset(text, from: offset, skipping: 1)
                done = wildcard + 1
            }
            let literal = UTF8Text.slice(bytes, done..<bytes.count)
            guard UTF8Text.has(text, literal, at: offset) else { return nil }
            return offset + literal.count
        }
    }
}

/// Search for one text in all rows of a column.
enum TextSearch {
    /// Which rows contain `needle`.
    ///
    /// Rows whose bytes lie in one buffer in ascending order, as readers leave them, are searched
    /// with one sweep over that memory: between the rows there is nothing or little to skip, and a
    /// hit counts only if it lies inside its row.
    static func contains(_ needle: UTF8Text.Bytes, _ operand: Operand) -> Bitmap {
        let places = operand.views
        let count = operand.count
        guard let pattern = needle.baseAddress, !needle.isEmpty else {
            return Bitmap(repeating: true, count: count)
        }
        var first = UInt.max
        var last: UInt = 0
        var bytes = 0
        for row in 0..<count where places[row].length > 12 {
            let start = UInt(places[row].rest)
            first = min(first, start)
            last = max(last, start &+ UInt(places[row].length))
            bytes &+= Int(places[row].length)
        }
        // The span must lie in one buffer, and be mostly rows.
        let isOneBuffer = operand.owners.buffers.contains { buffer in
            let base = UInt(bitPattern: buffer.base)
            return base <= first && last <= base &+ UInt(buffer.byteCount)
        }
        guard bytes > 0, isOneBuffer, last &- first <= UInt(bytes) &* 2 &+ 4096 else {
            return buildBits(count) { UTF8Text.find(needle, in: (places + $0).text) != nil }
        }
        // The first hit at or behind the row last looked at; `last` when there is none.
        var hit: UInt = 0
        var searchedFrom = UInt.max
        let length = UInt(needle.count)
        return buildBits(count) { row in
            let view = places[row]
            if view.length <= 12 {
                return Int(view.length) >= needle.count
                    && UTF8Text.find(needle, in: (places + row).text) != nil
            }
            let start = UInt(view.rest)
            if hit < start || start < searchedFrom {
                let base = UnsafeRawPointer(bitPattern: start).unsafelyUnwrapped
                searchedFrom = start
                hit =
                    memmem(base, Int(last &- start), pattern, needle.count)
                    .map { UInt(bitPattern: $0) } ?? last
            }
            return hit &+ length <= start &+ UInt(view.length)
        }
    }
}
