import Columnar
import Foundation
import Parquet
import TestSupport
import Testing

/// Reads everything that a file has, by all doors; errors are fine, traps are not.
private func readAll(_ buffer: Buffer, options: ParquetReadOptions, seed: UInt64) -> Int {
    guard let file = try? LoadedFile(buffer) else { return 0 }
    let metadata = file.metadata
    let context = ParquetReadContext()
    var random = SeededGenerator(seed: seed)
    var valueCount = 0
    for group in metadata.rowGroups.indices {
        for leaf in metadata.schema.leaves.indices {
            let statistics = metadata.statistics(rowGroup: group, leaf: leaf)
            valueCount += statistics.min == nil ? 0 : 1
            let chunk = metadata.rowGroups[group].columns[leaf]
            if let range = chunk.columnIndexRange, range.upperBound <= buffer.byteCount {
                let part = UnsafeRawBufferPointer(rebasing: buffer.bytes[range])
                if let index = try? ColumnIndex(part) {
                    _ = metadata.statistics(of: index, leaf: leaf, rowCounts: [])
                }
            }
            if let range = chunk.offsetIndexRange, range.upperBound <= buffer.byteCount {
                let part = UnsafeRawBufferPointer(rebasing: buffer.bytes[range])
                _ = try? OffsetIndex(part, rowCount: metadata.rowGroups[group].rowCount)
            }
            if let offset = chunk.bloomFilterOffset, offset < buffer.byteCount {
                let part = UnsafeRawBufferPointer(rebasing: buffer.bytes[offset...])
                _ = try? BloomFilter(part).mightContain(hash: seed)
            }
        }
        for column in metadata.schema.columns.indices {
            guard
                let reader = try? file.reader(
                    rowGroup: group,
                    column: column,
                    options: options,
                    context: context
                )
            else { continue }
            do {
                _ = try reader.dictionary()
                // A file may claim any number of rows that cost it nothing.
                var steps = 0
                while reader.remainingRows > 0, steps < 40 {
                    steps += 1
                    let count = min(reader.remainingRows, Int.random(in: 1...3000, using: &random))
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: try reader.skip(rows: count)
                    case 1:
                        let chosen = (0..<count).filter { _ in Bool.random(using: &random) }
                        let column = try reader.read(
                            rows: count,
                            selection: Selection(chosen.map { Int32($0) })
                        )
                        valueCount += column.values.count
                    default:
                        let column = try reader.read(rows: count)
                        // Every view and code is followed.
                        for row in 0..<column.count where column.value(at: row) != .null {
                            valueCount += 1
                        }
                        valueCount += column.flattened().count
                    }
                }
            } catch {
                continue
            }
        }
    }
    return valueCount
}

@Suite("Mutated files")
struct FuzzTests {
    static let seeds: [[UInt8]] = {
        var result: [[UInt8]] = []
        for (index, variant) in writeVariants.enumerated() {
            for types in [flatTypes, nestedTypes] {
                let rows = RandomRows(types, rowCount: 150, seed: UInt64(index))
                if let file = try? written(
                    rows.batches(seed: 1),
                    schema: rows.schema,
                    options: variant.options
                ) {
                    result.append(file.bytes)
                }
            }
        }
        return result
    }()

    static let corpus: [[UInt8]] = {
        guard let folder = CorpusTests.folder else { return [] }
        return CorpusTests.files.compactMap { name in
            let data = try? Data(contentsOf: folder.appendingPathComponent(name))
            guard let data, data.count < 100_000 else { return nil }
            return Array(data)
        }
    }()

    /// How many times longer than usual to go on, and where to begin.
    private static func number(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
    }
    static let effort = number("VARVE_FUZZ_EFFORT") ?? 1
    static let seedOffset = UInt64(number("VARVE_FUZZ_SEED") ?? 0)

    private func fuzz(_ original: [UInt8], seed: UInt64, rounds: Int) {
        let seed = seed + Self.seedOffset
        var random = SeededGenerator(seed: seed)
        let unchecked = withoutChecksums(original)
        for round in 0..<rounds * Self.effort {
            // Without checksums damage in the footer gets as far as its values.
            var bytes = round % 5 == 0 ? original : unchecked
            switch round % 4 {
            case 0:
                // A few bits anywhere.
                for _ in 0..<Int.random(in: 1...8, using: &random) {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                }
            case 1:
                // Bytes replaced by numbers that are often special.
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    bytes[place] =
                        [0, 1, 0x7f, 0x80, 0xff, 0xfe].randomElement(using: &random) ?? 0
                }
            case 2:
                // The footer, where every number matters.
                let length = bytes.suffix(8).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
                let start = max(0, bytes.count - 8 - length)
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let place = Int.random(in: start..<bytes.count - 8, using: &random)
                    bytes[place] = UInt8.random(in: 0...255, using: &random)
                }
            default:
                // Bytes cut out of the middle, or a piece put in twice.
                let place = Int.random(in: 0..<bytes.count - 8, using: &random)
                let count = Int.random(in: 1...min(64, bytes.count - place), using: &random)
                if Bool.random(using: &random) {
                    bytes.removeSubrange(place..<place + count)
                } else {
                    bytes.insert(contentsOf: bytes[place..<place + count], at: place)
                }
            }
            let buffer = bytes.withUnsafeBytes { Buffer(copying: $0) }
            var options = ParquetReadOptions()
            options.verifiesChecksums = round % 8 < 2
            options.keepDictionary = [.text, .always, .never][round % 3]
            _ = readAll(buffer, options: options, seed: seed)
        }
    }

    @Test("our own files, changed, give data or an error", arguments: 0..<12)
    func own(index: Int) throws {
        let original = Self.seeds[index]
        #expect(
            readAll(
                original.withUnsafeBytes { Buffer(copying: $0) },
                options: ParquetReadOptions(),
                seed: 1
            ) > 0
        )
        fuzz(original, seed: UInt64(index) + 100, rounds: 400)
    }

    @Test("our own files, cut anywhere, give an error")
    func truncated() throws {
        let original = Self.seeds[0]
        for length in stride(from: 0, to: original.count, by: 97) {
            let part = Array(original[..<length])
            #expect(throws: (any Error).self) { try LoadedFile(part) }
        }
    }

    @Test(
        "the corpus, changed, gives data or an error",
        .enabled(if: CorpusTests.folder != nil, "needs the corpus")
    )
    func corpus() throws {
        for (index, original) in Self.corpus.enumerated() {
            fuzz(original, seed: UInt64(index) + 7, rounds: original.count < 5000 ? 120 : 24)
        }
    }
}
