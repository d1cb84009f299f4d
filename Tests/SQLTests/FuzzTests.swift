import SQL
import Testing
import TestSupport

/// Texts that nobody wrote: an error is fine, a trap ends the run, and what is read must print.
@Suite("Parser under fuzz")
struct FuzzTests {
    private static func check(_ text: String) {
        do throws(SQLError) {
            let parsed = try Parser.parseStatements(text)
            let printed = Printer.print(parsed)
            let again = try Parser.parseStatements(printed)
            #expect(again.map(\.statement) == parsed.map(\.statement), "\(text) -> \(printed)")
        } catch {
            // An error of the second reading would say that the printer wrote nonsense.
            let isFirst = (try? Parser.parseStatements(text)) == nil
            #expect(isFirst || error.code == .limit, "\(error): \(text)")
            _ = error.rendered(in: text)
        }
        _ = try? Parser.parseExpression(text)
        _ = try? Parser.parseTypeName(text)
        _ = try? Parser.parsePartitionField(text)
        _ = try? Parser.parseSortFields(text)
    }

    private static let pieces: [String] = {
        let words = StatementCorpus.all.flatMap { $0.split(separator: " ").map(String.init) }
        let symbols = [
            "(", ")", "[", "]", "{", "}", ",", ";", ".", "?", ":", "::", ":=", "=>", "+", "-", "*",
            "/", "%", "^", "=", "<>", "<", ">", "~", "!~*", "&&", "||", "#", "<<", "->", "->>",
            "@>",
            "'", "\"", "`", "$", "$$", "--", "/*", "*/", "\\", "\u{0}", "\n", "\u{a0}", "\u{1F600}",
            "E'\\", "X'", "0x", "1e", "1_", "_", "\u{e9}",
        ]
        return Array(Set(words)).sorted() + symbols
    }()

    @Test("never traps on statements with bytes changed", arguments: 0..<8)
    func mutatedBytes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2500 {
            let original = StatementCorpus.all.randomElement(using: &random) ?? ""
            var bytes = Array(original.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes.remove(at: index)
                case 1: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 2: bytes.insert(bytes[index], at: index)
                default: bytes.removeSubrange(index...)
                }
            }
            Self.check(String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test("never traps on statements with words moved about", arguments: 0..<8)
    func mutatedWords(seed: UInt64) {
        var random = SeededGenerator(seed: seed ^ 0x5EED)
        for _ in 0..<2500 {
            let original = StatementCorpus.all.randomElement(using: &random) ?? ""
            var words = original.split(separator: " ").map(String.init)
            for _ in 0..<Int.random(in: 1...3, using: &random) where !words.isEmpty {
                let index = Int.random(in: 0..<words.count, using: &random)
                let piece = Self.pieces.randomElement(using: &random) ?? ""
                switch Int.random(in: 0..<4, using: &random) {
                case 0: words.remove(at: index)
                case 1: words[index] = piece
                case 2: words.insert(piece, at: index)
                default: words.swapAt(index, Int.random(in: 0..<words.count, using: &random))
                }
            }
            Self.check(words.joined(separator: " "))
        }
    }

    @Test("never traps on random tokens", arguments: 0..<8)
    func randomTokens(seed: UInt64) {
        var random = SeededGenerator(seed: seed ^ 0x70CE)
        for _ in 0..<2500 {
            let count = Int.random(in: 0...30, using: &random)
            let words = (0..<count).map { _ in Self.pieces.randomElement(using: &random) ?? "" }
            Self.check(words.joined(separator: Bool.random(using: &random) ? " " : ""))
        }
    }

    @Test("never traps on random bytes", arguments: 0..<4)
    func anyBytes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2500 {
            Self.check(String(decoding: randomBytes(upTo: 60, using: &random), as: UTF8.self))
        }
    }

    @Test("reads or refuses every beginning of every statement")
    func beginnings() {
        for text in StatementCorpus.all {
            let scalars = text.unicodeScalars
            for end in scalars.indices {
                _ = try? Parser.parseStatements(String(scalars[..<end]))
            }
        }
    }
}
