import Columnar
import Kernels
import TestSupport
import Testing

@Suite("LIKE and text")
struct TextSearchTests {
    /// LIKE by recursion over code points.
    static func like(_ text: ArraySlice<Unicode.Scalar>, _ pattern: ArraySlice<Unicode.Scalar>)
        -> Bool
    {
        guard let first = pattern.first else { return text.isEmpty }
        switch first {
        case "%":
            return like(text, pattern.dropFirst())
                || (!text.isEmpty && like(text.dropFirst(), pattern))
        case "_":
            return !text.isEmpty && like(text.dropFirst(), pattern.dropFirst())
        default:
            return text.first == first && like(text.dropFirst(), pattern.dropFirst())
        }
    }

    @Test("LIKE agrees with matching by recursion on random patterns", arguments: 0..<20)
    func agree(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let letters: [Unicode.Scalar] = ["a", "b", "ü", "日", "%", "_"]
        for _ in 0..<30 {
            let pattern = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                letters[Int.random(in: 0..<6, using: &random)]
            }
            let texts = (0..<100).map { _ in
                (0..<Int.random(in: 0...18, using: &random)).map { _ in
                    letters[Int.random(in: 0..<4, using: &random)]
                }
            }
            func string(_ scalars: [Unicode.Scalar]) -> String {
                var view = String.UnicodeScalarView()
                view.append(contentsOf: scalars)
                return String(view)
            }
            let column = Column(.string, texts.map { .string(string($0)) })
            let result = try LikePattern(string(pattern)).matches(column)
            let wanted = texts.map { Value.boolean(Self.like($0[...], pattern[...])) }
            #expect(result.values == wanted, "\(string(pattern))")
            let patterns = Column.constant(.string(string(pattern)), .string, count: 100)
            let rowwise = try StringFunctions.like(column, pattern: patterns.flattened())
            #expect(rowwise.values == wanted)
            let shuffled = Take.take(column, Selection((0..<100).reversed().map { Int32($0) }))
            #expect(
                try LikePattern(string(pattern)).matches(shuffled).values == wanted.reversed()
            )
        }
    }

    @Test("a search over shared memory counts only hits inside rows", arguments: 0..<10)
    func sharedMemory(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        // Rows cut out of one buffer, so that hits lie across their borders.
        let bytes = (0..<4000).map { _ in UInt8.random(in: 97...99, using: &random) }
        let buffer = bytes.withUnsafeBytes { Buffer(copying: $0) }
        let base = UnsafePointer(buffer.mutable(as: UInt8.self))
        let views = Buffer(byteCount: 150 * 16)
        var texts: [String] = []
        var start = 0
        for row in 0..<150 {
            let count = Int.random(in: 0...26, using: &random)
            views.mutable(as: StringView.self)[row] = StringView(base + start, count: count)
            texts.append(String(decoding: bytes[start..<(start + count)], as: UTF8.self))
            start += count
        }
        let column = Column(
            type: .string,
            count: 150,
            validity: nil,
            storage: .views(BufferSlice(views), owners: BufferOwners([buffer]))
        )
        for needle in ["a", "ab", "abc", "cabb", "abcabcabc"] {
            let result = try LikePattern("%\(needle)%").matches(column)
            let wanted = texts.map { Value.boolean($0.contains(needle)) }
            #expect(result.values == wanted, "\(needle)")
        }
    }

    @Test("patterns tell their literal prefix and equal text")
    func bounds() throws {
        #expect(try LikePattern("ab%c").literalPrefix == Array("ab".utf8))
        #expect(try LikePattern("ab_").literalPrefix == Array("ab".utf8))
        #expect(try LikePattern("%ab").literalPrefix == nil)
        #expect(try LikePattern("a\\%b").equalText == Array("a%b".utf8))
        #expect(throws: KernelError.self) { try LikePattern("ab\\") }
    }

    @Test("functions give the same on dictionaries, constants and slices", arguments: 0..<10)
    func storages(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let column = Random.column(.string, count: 130, using: &random)
        let flat = Column(.string, column.values)
        let part = Random.column(.string, count: 130, using: &random)
        let two = Column.constant(.int32(2), .int32, count: 130)
        func same(_ body: (Column) throws -> Column) throws {
            #expect(try body(column).values == body(flat).values)
        }
        try same { StringFunctions.lower($0) }
        try same { StringFunctions.upper($0) }
        try same { StringFunctions.initcap($0) }
        try same { StringFunctions.reverse($0) }
        try same { StringFunctions.length($0) }
        try same { try StringFunctions.trim($0) }
        try same { try StringFunctions.substring($0, from: two) }
        try same { try StringFunctions.right($0, two) }
        try same { try StringFunctions.concatenate($0, part) }
        try same { try StringFunctions.replace($0, part, with: part) }
        try same { try StringFunctions.pad($0, to: two, isLeft: true) }
        try same { try StringFunctions.contains($0, part) }
        try same { try StringFunctions.concatenate([$0, part], separator: part) }
        let twice = StringFunctions.reverse(StringFunctions.reverse(column))
        #expect(twice.values == column.values)
    }

    @Test("expressions that would run for ever are refused")
    func limits() throws {
        let text = String(repeating: "a", count: 60) + "b"
        let column = Column(.string, [.string(text)])
        let expression = try RegularExpression("^(a|a+)+$")
        #expect(throws: KernelError.self) { try expression.matches(column) }
        #expect(throws: KernelError.self) { try RegularExpression("(") }
        #expect(throws: KernelError.self) { try expression.extract(column, group: 9) }
    }

    @Test("bytes that are not UTF-8 do not trap", arguments: 0..<8)
    func anyBytes(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<100 {
            let builder = ColumnBuilder(.string)
            for _ in 0..<5 {
                let bytes = randomBytes(upTo: 40, using: &random)
                bytes.withUnsafeBufferPointer { builder.append($0) }
            }
            let column = builder.finish()
            let two = Column.constant(.int64(2), .int64, count: 5)
            for result in [
                StringFunctions.lower(column), StringFunctions.upper(column),
                StringFunctions.initcap(column), StringFunctions.reverse(column),
                try StringFunctions.left(column, two), try StringFunctions.right(column, two),
                try StringFunctions.substring(column, from: two, for: two),
                try StringFunctions.trim(column, characters: column),
                try StringFunctions.translate(column, from: column, to: column),
                try LikePattern("%_a_%").matches(column),
                try LikePattern("%A_%", ignoresCase: true).matches(column),
                try RegularExpression("a.*b?").replace(column, with: "\\0x", isGlobal: true),
            ] { #expect(result.count == 5) }
        }
    }
}
