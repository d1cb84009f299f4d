import Ambient
import Bytes
import Crypto
import Glibc

/// The body of an upload on local disk, decoded and hashed as it comes.
///
/// The file's name holds the process's id, so that the next server can clear away what a killed one
/// left behind.
final class SpoolFile: @unchecked Sendable {
    // Sendable because one request's handling owns it and makes one call after the other.
    let path: String
    private let descriptor: Int32
    private let workers: WorkerPool
    private let bytesMax: Int
    private let detectsEncoding: Bool
    private var decompressor: StreamDecompressor?
    private var hash = SHA256()
    private var isFirst = true
    /// Bytes that came and bytes that they were decoded to.
    private var takenCount = 0
    private var plainCount = 0
    private var pending: [UInt8] = []

    private static let prefix = "varve-upload-"
    private static let pieceBytes = 1 << 20

    private init(
        path: String,
        descriptor: Int32,
        encoding: StreamFormat?,
        detectsEncoding: Bool,
        bytesMax: Int,
        workers: WorkerPool
    ) throws {
        self.path = path
        self.descriptor = descriptor
        self.detectsEncoding = detectsEncoding && encoding == nil
        self.bytesMax = bytesMax
        self.workers = workers
        decompressor = try encoding.map { try StreamDecompressor($0) }
    }

    /// A new, empty file that only this process's user can read.
    ///
    /// - Parameter detectsEncoding: whether bytes that begin like gzip or zstd are decoded without
    ///   anybody saying so.
    static func make(
        in folder: String,
        encoding: StreamFormat?,
        detectsEncoding: Bool,
        bytesMax: Int,
        workers: WorkerPool
    ) async throws -> SpoolFile {
        try await workers.run {
            let name = prefix + "\(getpid())-" + AmbientSources.system.uuidV4()
            let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
            let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw Self.failure("made", folder) }
            return try SpoolFile(
                path: path,
                descriptor: descriptor,
                encoding: encoding,
                detectsEncoding: detectsEncoding,
                bytesMax: bytesMax,
                workers: workers
            )
        }
    }

    deinit { close(descriptor) }

    /// Takes the next bytes of the body.
    ///
    /// - Throws: `bodyTooLarge`; `badRequest` when they are not in the encoding that was said;
    ///   `notReady` when the disk is full.
    func write(_ bytes: [UInt8]) async throws {
        takenCount += bytes.count
        guard takenCount <= bytesMax else { throw tooLarge }
        pending += bytes
        guard pending.count >= Self.pieceBytes else { return }
        let piece = pending
        pending = []
        try await workers.run { try self.take(piece) }
    }

    /// Says that the body is whole.
    ///
    /// - Returns: SHA-256 of its bytes as decoded.
    func finish() async throws -> String {
        let piece = pending
        pending = []
        return try await workers.run {
            try self.take(piece)
            if let decompressor = self.decompressor {
                try Self.decoding { () throws(BytesError) in try decompressor.finish() }
            }
            return hexText(self.hash.finalize())
        }
    }

    /// Deletes the file.
    func remove() async {
        let path = path
        // A pool that is closed or full must not leave it behind.
        if (try? await workers.run { unlink(path) }) == nil { unlink(path) }
    }

    private var tooLarge: ServerError {
        ServerError(.bodyTooLarge, "the body is larger than \(bytesMax) bytes (upload_bytes_max)")
    }

    private func take(_ bytes: [UInt8]) throws {
        if isFirst, !bytes.isEmpty {
            isFirst = false
            if detectsEncoding, let format = bytes.withUnsafeBytes({ StreamFormat.detect($0) }) {
                decompressor = try StreamDecompressor(format)
            }
        }
        guard let decompressor else { return try keep(bytes) }
        decompressor.feed(bytes)
        while true {
            let plain = try Self.decoding { () throws(BytesError) in
                try decompressor.drain(countMax: Self.pieceBytes)
            }
            if plain.isEmpty { return }
            try keep(plain)
        }
    }

    private static func decoding<Value>(
        _ body: () throws(BytesError) -> Value
    ) throws(ServerError) -> Value {
        do throws(BytesError) {
            return try body()
        } catch {
            throw ServerError(.badRequest, "the body is not encoded as it says: \(error)")
        }
    }

    private func keep(_ bytes: [UInt8]) throws {
        plainCount += bytes.count
        guard plainCount <= bytesMax else { throw tooLarge }
        hash.update(data: bytes)
        var start = 0
        while start < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.map { $0 + start }, $0.count - start)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("written", path) }
            start += count
        }
    }

    private static func failure(_ verb: String, _ path: String) -> ServerError {
        ServerError(
            .noSpace,
            "rows cannot be kept on disk now: a file could not be \(verb) in the spool directory: "
                + String(cString: strerror(errno))
        )
    }

    /// Deletes what processes that are gone left in a folder.
    static func clear(_ folder: String) {
        removeLeftovers(inFolder: folder, prefix: prefix)
    }
}
