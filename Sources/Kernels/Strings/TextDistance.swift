package import Columnar

/// How far apart two texts are.
///
/// All of them look at bytes, as DuckDB's do: a character beyond ASCII counts as its UTF-8 bytes.
package enum TextDistance {
    /// Cells of the table of an edit distance that one row may need.
    private static let cellsMax = 1 << 26

    private static func check(_ a: UTF8Text.Bytes, _ b: UTF8Text.Bytes) throws(KernelError) {
        let (cells, overflow) = (a.count + 1).multipliedReportingOverflow(by: b.count + 1)
        if overflow || cells > cellsMax {
            throw KernelError(
                .outOfRange,
                "texts of \(a.count) and \(b.count) bytes are too long for an edit distance"
            )
        }
    }

    /// Insertions, deletions and replacements from one text to the other, as int64.
    package static func levenshtein(_ a: Column, _ b: Column) throws(KernelError) -> Column {
        var previous: [Int] = []
        var current: [Int] = []
        return try Rowwise.values([a, b], "tt", to: .int64, Int64.self) {
            (arguments, row) throws(KernelError) -> Int64? in
            let (x, y) = (arguments.text(0, row), arguments.text(1, row))
            try check(x, y)
            previous = Array(0...y.count)
            current = previous
            for i in 0..<x.count {
                current[0] = i + 1
                for j in 0..<y.count {
                    let replaced = previous[j] + (x[i] == y[j] ? 0 : 1)
                    current[j + 1] = min(previous[j + 1] + 1, current[j] + 1, replaced)
                }
                swap(&previous, &current)
            }
            return Int64(previous[y.count])
        }
    }

    /// As `levenshtein`, with exchanges of two neighbours (between which anything may have been
    /// inserted or deleted) as one step, as int64.
    package static func damerauLevenshtein(_ a: Column, _ b: Column) throws(KernelError) -> Column {
        var table: [Int] = []
        return try Rowwise.values([a, b], "tt", to: .int64, Int64.self) {
            (arguments, row) throws(KernelError) -> Int64? in
            let (x, y) = (arguments.text(0, row), arguments.text(1, row))
            if x.isEmpty || y.isEmpty { return Int64(max(x.count, y.count)) }
            try check(x, y)
            // Row and column 0 hold a distance that is never the least.
            let width = y.count + 2
            let infinite = x.count + y.count
            table = [Int](repeating: 0, count: (x.count + 2) * width)
            table[0] = infinite
            for i in 0...x.count {
                table[(i + 1) * width] = infinite
                table[(i + 1) * width + 1] = i
            }
            for j in 0...y.count {
                table[j + 1] = infinite
                table[width + j + 1] = j
            }
            var lastRow = [Int](repeating: 0, count: 256)
            for i in 1...x.count {
                var lastColumn = 0
                for j in 1...y.count {
                    let matchRow = lastRow[Int(y[j - 1])]
                    let matchColumn = lastColumn
                    var cost = 1
                    if x[i - 1] == y[j - 1] {
                        cost = 0
                        lastColumn = j
                    }
                    let replaced = table[i * width + j] + cost
                    let inserted = table[(i + 1) * width + j] + 1
                    let deleted = table[i * width + j + 1] + 1
                    let exchanged =
                        table[matchRow * width + matchColumn] + (i - matchRow - 1) + 1
                        + (j - matchColumn - 1)
                    table[(i + 1) * width + j + 1] = min(replaced, inserted, deleted, exchanged)
                }
                lastRow[Int(x[i - 1])] = i
            }
            return Int64(table[(x.count + 1) * width + y.count + 1])
        }
    }

    /// Places at which two texts of the same length differ, as int64.
    package static func hamming(_ a: Column, _ b: Column) throws(KernelError) -> Column {
        try Rowwise.values([a, b], "tt", to: .int64, Int64.self) {
            (arguments, row) throws(KernelError) -> Int64? in
            let (x, y) = (arguments.text(0, row), arguments.text(1, row))
            guard x.count == y.count, !x.isEmpty else {
                throw KernelError(
                    .outOfRange,
                    x.count == y.count
                        ? "hamming needs texts that are not empty"
                        : "hamming needs texts of one length, not of \(x.count) and \(y.count) bytes"
                )
            }
            var count: Int64 = 0
            for index in 0..<x.count where x[index] != y[index] { count += 1 }
            return count
        }
    }

    /// Bytes in both texts over bytes in either, each counted once, as DOUBLE.
    package static func jaccard(_ a: Column, _ b: Column) throws(KernelError) -> Column {
        try Rowwise.values([a, b], "tt", to: .float64, Double.self) {
            (arguments, row) throws(KernelError) -> Double? in
            let (x, y) = (arguments.text(0, row), arguments.text(1, row))
            guard !x.isEmpty, !y.isEmpty else {
                throw KernelError(.outOfRange, "jaccard needs texts that are not empty")
            }
            var (first, second) = (ByteSet(), ByteSet())
            for byte in x { first.insert(byte) }
            for byte in y { second.insert(byte) }
            return Double(first.intersectionCount(second)) / Double(first.unionCount(second))
        }
    }

    private struct ByteSet {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        mutating func insert(_ byte: UInt8) {
            let bit: UInt64 = 1 &<< UInt64(byte & 63)
            switch byte >> 6 {
            case 0: words.0 |= bit
            case 1: words.1 |= bit
            case 2: words.2 |= bit
            default: words.3 |= bit
            }
        }

        func intersectionCount(_ other: ByteSet) -> Int {
            (words.0 & other.words.0).nonzeroBitCount + (words.1 & other.words.1).nonzeroBitCount
                + (words.2 & other.words.2).nonzeroBitCount
                + (words.3 & other.words.3).nonzeroBitCount
        }

        func unionCount(_ other: ByteSet) -> Int {
            (words.0 | other.words.0).nonzeroBitCount + (words.1 | other.words.1).nonzeroBitCount
                + (words.2 | other.words.2).nonzeroBitCount
                + (words.3 | other.words.3).nonzeroBitCount
        }
    }

    /// The similarity of Jaro, from 0 to 1, as DOUBLE; 0 where it is below `least`.
    ///
    /// - Parameter prefersPrefix: Winkler's form, in which a common beginning of up to four bytes
    ///   counts more (by a tenth of the rest each) once the similarity is beyond 0.7.
    package static func jaro(
        _ a: Column,
        _ b: Column,
        least: Column? = nil,
        prefersPrefix: Bool
    ) throws(KernelError) -> Column {
        var taken: [Bool] = []
        var matches: [UInt8] = []
        return try Rowwise.values(
            [a, b] + (least.map { [$0] } ?? []),
            "ttd",
            to: .float64,
            Double.self
        ) { (arguments, row) throws(KernelError) -> Double? in
            let (x, y) = (arguments.text(0, row), arguments.text(1, row))
            try check(x, y)
            var similarity = jaro(x, y, &taken, &matches)
            if prefersPrefix, similarity > 0.7 {
                var common = 0
                while common < min(4, x.count, y.count), x[common] == y[common] { common += 1 }
                similarity += Double(common) * 0.1 * (1 - similarity)
            }
            if least != nil, similarity < arguments.double(2, row) { return 0 }
            return similarity
        }
    }

    private static func jaro(
        _ x: UTF8Text.Bytes,
        _ y: UTF8Text.Bytes,
        _ taken: inout [Bool],
        _ matches: inout [UInt8]
    ) -> Double {
        if x.isEmpty || y.isEmpty { return 0 }
        let reach = max(0, max(x.count, y.count) / 2 - 1)
        taken = [Bool](repeating: false, count: y.count)
        matches.removeAll(keepingCapacity: true)
        for i in 0..<x.count {
            let last = min(y.count - 1, i + reach)
            var j = max(0, i - reach)
            while j <= last {
                if !taken[j], x[i] == y[j] {
                    taken[j] = true
                    matches.append(x[i])
                    break
                }
                j += 1
            }
        }
        if matches.isEmpty { return 0 }
        var place = 0
        var exchanged = 0
        for j in 0..<y.count where taken[j] {
            if matches[place] != y[j] { exchanged += 1 }
            place += 1
        }
        let count = Double(matches.count)
        return
            (count / Double(x.count) + count / Double(y.count)
            + (count - Double(exchanged / 2)) / count) / 3
    }
}
