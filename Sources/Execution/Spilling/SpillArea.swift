import Ambient
import Glibc
import Synchronization

/// Where queries put what does not fit into memory, and how much they put there.
///
/// Files have no name from the moment they are made (`O_TMPFILE`; where the file system does not know
/// it, they are made and unlinked at once), so their bytes go when the process does, however it ends. A
/// process killed between making and unlinking a file may leave an empty one behind: the next process
/// that spills into the folder removes it.
package final class SpillArea: Sendable {
    /// The folder; it must exist.
    package let folder: String
    private let written = Atomic<Int>(0)
    private let isSwept = Atomic<Bool>(false)

    package init(folder: String) {
        self.folder = folder
    }

    /// The folder that the system names for temporary files.
    package static let system = SpillArea(folder: systemFolder)

    /// `$TMPDIR`, else `/tmp`.
    package static var systemFolder: String {
        let named = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        return named.isEmpty ? "/tmp" : named
    }

    /// Bytes written to files so far, by all queries.
    package var writtenByteCount: Int { written.load(ordering: .relaxed) }

    func note(writtenByteCount: Int) {
        written.wrappingAdd(writtenByteCount, ordering: .relaxed)
    }

    private static let namePrefix = "varve-spill-"

    /// Makes a file without a name.
    func makeFile() throws -> SpillFile {
        if !isSwept.exchange(true, ordering: .relaxed) {
            removeLeftovers(inFolder: folder, prefix: Self.namePrefix)
        }
        // `O_TMPFILE` is a composed macro that Swift does not import.
        var descriptor = open(folder, 0o20200000 | O_RDWR | O_CLOEXEC, 0o600)
        if descriptor < 0, errno == EISDIR || errno == EOPNOTSUPP || errno == EINVAL {
            var template = Array("\(folder)/\(Self.namePrefix)\(getpid())-XXXXXX".utf8CString)
            descriptor = template.withUnsafeMutableBufferPointer { name in
                guard let base = name.baseAddress else { return -1 }
                let made = mkstemp(base)
                if made >= 0 {
                    unlink(base)
                    _ = fcntl(made, F_SETFD, FD_CLOEXEC)
                }
                return made
            }
        }
        guard descriptor >= 0 else {
            throw ExecutionError(
                .temporaryStorage,
                "no temporary file can be made in \"\(folder)\" (\(Self.reason)), and the query "
                    + "needs one because it does not fit into its memory; raise --memory or name "
                    + "another folder with --temp-dir"
            )
        }
        return SpillFile(self, descriptor)
    }

    static var reason: String { String(cString: strerror(errno)) }
}

/// A file without a name that blocks of bytes are added to from several threads; its space is free
/// again when nobody holds it.
final class SpillFile: Sendable {
    private let area: SpillArea
    private let descriptor: Int32
    private let end = Atomic<Int>(0)

    fileprivate init(_ area: SpillArea, _ descriptor: Int32) {
        self.area = area
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// - Returns: where the bytes begin.
    func append(_ bytes: UnsafeRawBufferPointer) throws -> Int {
        let start = end.wrappingAdd(bytes.count, ordering: .relaxed).oldValue
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            let count = pwrite(descriptor, base + done, bytes.count - done, start + done)
            if count > 0 {
                done += count
                continue
            }
            if count < 0, errno == EINTR { continue }
            let why =
                errno == ENOSPC || errno == EDQUOT || errno == EFBIG || count == 0
                ? "is full" : "cannot be written to (\(SpillArea.reason))"
            throw ExecutionError(
                .temporaryStorage,
                "the temporary folder \"\(area.folder)\" \(why), after "
                    + "\(area.writtenByteCount >> 20) MiB that did not fit into memory; raise "
                    + "--memory or name another folder with --temp-dir"
            )
        }
        area.note(writtenByteCount: bytes.count)
        return start
    }

    /// Fills `target` with the bytes that begin at `start`.
    func read(at start: Int, into target: UnsafeMutableRawBufferPointer) throws {
        var done = 0
        while done < target.count, let base = target.baseAddress {
            let count = pread(descriptor, base + done, target.count - done, start + done)
            if count > 0 {
                done += count
                continue
            }
            if count < 0, errno == EINTR { continue }
            throw ExecutionError(
                .temporaryStorage,
                "a temporary file in \"\(area.folder)\" cannot be read back ("
                    + (count == 0 ? "it ends too early" : SpillArea.reason) + ")"
            )
        }
    }
}
