import Glibc
import ObjectStorage
import Tables

/// A file of rows that is read from its beginning: in a folder of this machine, or in a bucket.
enum InputFile: Sendable {
    case local(path: String)
    case stored(ScanFile, path: String)

    /// As the statement names it.
    var path: String {
        switch self {
        case .local(let path), .stored(_, let path): path
        }
    }

    /// Begins to read it.
    ///
    /// - Parameter service: fetches what is not local; the calling thread waits for it.
    func open(_ service: FetchService) throws -> any InputFileReader {
        switch self {
        case .local(let path): try LocalFileReader(path)
        case .stored(let file, let path): try StoredFileReader(file, path: path, service)
        }
    }
}

/// Gives a file's bytes piece by piece, as they lie there.
protocol InputFileReader: AnyObject {
    /// Bytes given so far.
    var bytesRead: Int { get }
    /// The next bytes; empty at the end. Blocks the calling thread.
    func next() throws -> [UInt8]
}

/// Reads a local file from its beginning.
final class LocalFileReader: InputFileReader {
    private let descriptor: Int32
    private let path: String
    private(set) var bytesRead = 0

    private static let partByteCount = 1 << 18

    init(_ path: String) throws {
        self.path = path
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            throw EngineError(
                .notFound,
                "file \"\(path)\" cannot be read: \(String(cString: strerror(errno)))"
            )
        }
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    }

    deinit {
        close(descriptor)
    }

    func next() throws -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.partByteCount) { buffer, count in
            var got = -1
            repeat {
                got = Glibc.read(descriptor, buffer.baseAddress, Self.partByteCount)
            } while got < 0 && errno == EINTR
            if got < 0 { failure = errno }
            count = max(0, got)
        }
        if failure != 0 {
            throw EngineError(
                .invalid,
                "reading \"\(path)\" failed: \(String(cString: strerror(failure)))"
            )
        }
        bytesRead += bytes.count
        return bytes
    }
}

/// Reads an object of a store from its beginning, two parts ahead of whoever takes them.
///
/// An object that is replaced meanwhile would give bytes of two files: the end of the reading compares
/// entity tags, and fails.
final class StoredFileReader: InputFileReader {
    private let file: ScanFile
    private let path: String
    private let service: FetchService
    private let start: ObjectMetadata
    private var tickets: [FetchTicket<[UInt8]>] = []
    private var nextOffset = 0
    private(set) var bytesRead = 0

    private static let partByteCount = 4 << 20
    private static let aheadCount = 2

    init(_ file: ScanFile, path: String, _ service: FetchService) throws {
        self.file = file
        self.path = path
        self.service = service
        start = try service.wait { try await file.store.head(file.key) }
    }

    func next() throws -> [UInt8] {
        while tickets.count < Self.aheadCount, nextOffset < start.size {
            let range = nextOffset..<min(start.size, nextOffset + Self.partByteCount)
            let file = file
            tickets.append(
                service.start { try await file.store.get(file.key, range: range) }
            )
            nextOffset = range.upperBound
        }
        guard !tickets.isEmpty else {
            let file = file
            let end = try service.wait { try await file.store.head(file.key) }
            guard end.entityTag == start.entityTag, bytesRead == start.size else {
                throw EngineError(.invalid, "file \"\(path)\" changed while it was read")
            }
            return []
        }
        let bytes = try tickets.removeFirst().wait()
        bytesRead += bytes.count
        return bytes
    }
}
