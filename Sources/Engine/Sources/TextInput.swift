import Bytes
import Tables

/// The plain bytes of a file, piece by piece, whatever it is compressed with.
final class TextInput {
    /// The file in messages.
    private let title: String
    private let file: any InputFileReader
    private var decompressor: StreamDecompressor?
    private var isFirst = true
    private var isEnded = false

    init(_ file: InputFile, title: String, _ service: FetchService) throws {
        self.title = title
        self.file = try file.open(service)
    }

    /// Bytes of the file as it lies there that have been read.
    var bytesRead: Int { file.bytesRead }

    /// The next bytes; nil at the end.
    func next() throws -> [UInt8]? {
        while true {
            if let decompressor {
                let plain = try located(title) { try decompressor.drain(countMax: 1 << 18) }
                if !plain.isEmpty { return plain }
            }
            if isEnded { return nil }
            let bytes = try file.next()
            if bytes.isEmpty {
                isEnded = true
                if let decompressor {
                    try located(title) { try decompressor.finish() }
                    continue
                }
                return nil
            }
            if isFirst {
                isFirst = false
                if let format = bytes.withUnsafeBytes({ StreamFormat.detect($0) }) {
                    decompressor = try located(title) { try StreamDecompressor(format) }
                }
            }
            guard let decompressor else { return bytes }
            bytes.withUnsafeBytes { decompressor.feed($0) }
        }
    }
}
