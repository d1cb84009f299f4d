import Columnar
import TestSupport
import Testing
import TextFiles

/// Broken files of every kind: an error is fine, a trap ends the run.
@Suite("Text readers and broken files")
struct FuzzTests {
    static let csvSeeds = CSVReaderTests.tricky
    static let jsonSeeds = JSONReaderTests.cutCases

    static func mutated(_ bytes: [UInt8], using random: inout SeededGenerator) -> [UInt8] {
        var result = bytes
        let alphabet = Array("\",;\n\r\\{}[]:0123456789.-+eEtfn ué'".utf8) + [0, 0x80, 0xC3, 0xFF]
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let place = Int.random(in: 0...result.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: result.insert(alphabet.randomElement(using: &random) ?? 0, at: place)
            case 1: if place < result.count { result.remove(at: place) }
            case 2:
                if place < result.count {
                    result[place] = alphabet.randomElement(using: &random) ?? 0
                }
            default:
                let end = Int.random(in: place...result.count, using: &random)
                result.insert(contentsOf: Array(result[place..<end]), at: place)
            }
        }
        return result
    }

    static let policies: [RowErrorPolicy] = [.fail, .skip, .collect(countMax: 3)]

    func text(_ value: [RecordBatch]) -> String { "\(rows(value))" }

    @Test("CSV: any bytes, and the same result for any cut", arguments: 0..<16)
    func csv(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<400 {
            let base = Array((Self.csvSeeds.randomElement(using: &random) ?? "").utf8)
            let bytes = Self.mutated(base, using: &random)
            var options = CSVOptions()
            options.onError = Self.policies.randomElement(using: &random) ?? .fail
            options.isNullPadding = Bool.random(using: &random)
            options.skipLineCount = Int.random(in: 0...1, using: &random)
            if Bool.random(using: &random) { options.comment = UInt8(ascii: "#") }
            if Int.random(in: 0..<4, using: &random) == 0 {
                options.columns = [
                    Field("a", .int64), Field("b", .decimal(precision: 5, scale: 2)),
                ]
                options.sampleRowCount = 1
            }
            if Int.random(in: 0..<6, using: &random) == 0 { options.rowBytesMax = 8 }
            func outcome(_ pieceSize: Int) -> String {
                do {
                    let reader = try CSVReader(options: options)
                    var all: [RecordBatch] = []
                    for start in stride(from: 0, to: bytes.count, by: pieceSize) {
                        reader.feed(Array(bytes[start..<min(bytes.count, start + pieceSize)]))
                        while let batch = try reader.next() { all.append(batch) }
                    }
                    reader.finish()
                    while let batch = try reader.next() { all.append(batch) }
                    return text(all) + "\(reader.takeRejectedRows()) \(reader.rejectedRowCount)"
                } catch {
                    return "\(error)"
                }
            }
            let whole = outcome(1 << 20)
            for size in [1, 3, 17] {
                #expect(outcome(size) == whole, "\(String(decoding: bytes, as: UTF8.self))")
            }
        }
    }

    @Test("JSON: any bytes, and the same result for any cut", arguments: 0..<16)
    func json(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<400 {
            let base = Array((Self.jsonSeeds.randomElement(using: &random) ?? "").utf8)
            let bytes = Self.mutated(base, using: &random)
            var options = JSONOptions()
            options.onError = Self.policies.randomElement(using: &random) ?? .fail
            if Bool.random(using: &random) { options.unknownKeys = .ignore }
            if Int.random(in: 0..<3, using: &random) == 0 { options.sampleRowCount = 1 }
            if Int.random(in: 0..<6, using: &random) == 0 { options.rowBytesMax = 30 }
            func outcome(_ pieceSize: Int) -> String {
                do {
                    let reader = try JSONReader(options: options)
                    var all: [RecordBatch] = []
                    for start in stride(from: 0, to: bytes.count, by: pieceSize) {
                        reader.feed(Array(bytes[start..<min(bytes.count, start + pieceSize)]))
                        while let batch = try reader.next() { all.append(batch) }
                    }
                    reader.finish()
                    while let batch = try reader.next() { all.append(batch) }
                    return text(all) + "\(reader.takeRejectedRows()) \(reader.rejectedRowCount)"
                } catch {
                    return "\(error)"
                }
            }
            let whole = outcome(1 << 20)
            for size in [1, 3, 17] {
                #expect(outcome(size) == whole, "\(String(decoding: bytes, as: UTF8.self))")
            }
        }
    }

    @Test("both: noise, and every cut-off beginning", arguments: 0..<8)
    func noise(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let bytes = randomBytes(upTo: 80, using: &random)
            _ = try? CSVReader.read(bytes)
            _ = try? JSONReader.read(bytes)
        }
        for text in Self.csvSeeds + Self.jsonSeeds {
            let bytes = Array(text.utf8)
            for end in bytes.indices {
                _ = try? CSVReader.read(Array(bytes[..<end]))
                _ = try? JSONReader.read(Array(bytes[..<end]))
            }
        }
    }
}
