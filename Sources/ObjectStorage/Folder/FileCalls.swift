import Ambient
import Glibc
import Synchronization

/// Why a file call failed: the name of the call and the system's number for the reason.
struct FileError: Error, Equatable {
    var call: String
    var number: Int32

    var text: String { "\(call): \(String(cString: strerror(number)))" }
}

/// An open file that closes itself.
struct OpenFile: ~Copyable {
    let descriptor: Int32

    init(path: String, flags: Int32, mode: mode_t = 0o666) throws(FileError) {
        while true {
            let result = open(path, flags | O_CLOEXEC, mode)
            if result >= 0 {
                descriptor = result
                return
            }
            guard errno == EINTR else { throw FileError(call: "open", number: errno) }
        }
    }

    deinit {
        close(descriptor)
    }

    func status() throws(FileError) -> FileStatus {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw FileError(call: "fstat", number: errno)
        }
        return FileStatus(status)
    }

    /// The bytes of a range, fewer where the file ends.
    func read(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
        var failure: FileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: max(count, 0)) { buffer, filled in
            while filled < count {
                let rest = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[filled..<count]
                )
                // Linux reads at most 2 GiB at once.
                let result = pread(
                    descriptor,
                    rest.baseAddress,
                    min(rest.count, 1 << 30),
                    offset + filled
                )
                if result == 0 { return }
                if result > 0 {
                    filled += result
                } else if errno != EINTR {
                    failure = FileError(call: "pread", number: errno)
                    return
                }
            }
        }
        if let failure { throw failure }
        return bytes
    }

    func write(_ bytes: [UInt8]) throws(FileError) {
        var number: Int32 = 0
        bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                let result = Glibc.write(descriptor, rest.baseAddress, min(rest.count, 1 << 30))
                if result >= 0 {
                    done += result
                } else if errno != EINTR {
                    number = errno
                    return
                }
            }
        }
        if number != 0 { throw FileError(call: "write", number: number) }
    }

    func sync() throws(FileError) {
        while fsync(descriptor) != 0 {
            guard errno == EINTR else { throw FileError(call: "fsync", number: errno) }
        }
    }

    func setModified(nanos: Int64) throws(FileError) {
        let time = timespec(
            tv_sec: Int(nanos / 1_000_000_000),
            tv_nsec: Int(nanos % 1_000_000_000)
        )
        let times = [timespec(tv_sec: 0, tv_nsec: omittedTime), time]
        guard futimens(descriptor, times) == 0 else {
            throw FileError(call: "futimens", number: errno)
        }
    }

    /// Waits until nobody else, in this or another process, holds the lock; it ends with the file.
    func lockAlone() throws(FileError) {
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw FileError(call: "flock", number: errno) }
        }
    }
}

/// `UTIME_OMIT` of sys/stat.h, a macro that Swift cannot see: leave this time as it is.
private let omittedTime = (1 << 30) - 2

/// What a file system says about a file.
struct FileStatus: Equatable {
    enum Kind { case file, folder, other }
    var kind: Kind
    var size: Int
    var modifiedNanos: Int64
    var inode: UInt64

    init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFDIR: kind = .folder
        default: kind = .other
        }
        size = Int(status.st_size)
        modifiedNanos =
            Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
        inode = UInt64(status.st_ino)
    }

    /// The status of what a path names, links followed or not.
    init(path: String, followsLinks: Bool = true) throws(FileError) {
        var status = stat()
        guard (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 else {
            throw FileError(call: "stat", number: errno)
        }
        self.init(status)
    }

    /// Time of change, size and inode: together they change whenever the bytes do.
    ///
    /// A hash of the content would say the same, but every `head` and every listing would have to
    /// read every byte. The time alone would not do where clocks tick slowly, so writers set it to
    /// the nanosecond and past that of the file they replace.
    var entityTag: String {
        "\(String(modifiedNanos, radix: 36))-\(String(size, radix: 36))"
            + "-\(String(inode, radix: 36))"
    }
}

/// Whether a path surely names nothing.
func isAbsent(_ path: String) -> Bool {
    access(path, F_OK) != 0 && errno == ENOENT
}

/// Where a file system is.
package enum FileSystemLocality: UInt8, AtomicRepresentable {
    /// The path names nothing yet.
    case unknown
    /// On a disk or in the memory of this machine.
    case local
    /// Somewhere else, or who knows where.
    case elsewhere

    /// Those of Linux whose names are looked up without asking another machine or process.
    private static let localTypes: Set<Substring> = [
        "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "tmpfs", "overlay",
    ]

    /// The file system of what a path names, by the list of those that are mounted (proc_pid_mountinfo(5)).
    package init(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            self = .unknown
            return
        }
        // As makedev(3) puts them together.
        let number = UInt64(status.st_dev)
        let major = (number >> 8 & 0xFFF) | (number >> 32 & 0xFFFF_F000)
        let minor = (number & 0xFF) | (number >> 12 & 0xFFFF_FF00)
        let device = "\(major):\(minor)"
        let mounts = readSmallFile("/proc/self/mountinfo") ?? []
        for line in String(decoding: mounts, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: " ")
            // The type is behind a dash that ends a list of optional fields.
            guard fields.count > 2, fields[2] == device,
                let dash = fields.dropFirst(6).firstIndex(of: "-"), dash + 1 < fields.count
            else { continue }
            self = Self.localTypes.contains(fields[dash + 1]) ? .local : .elsewhere
            return
        }
        self = .elsewhere
    }
}

/// Makes a folder's entries durable.
func syncFolder(_ path: String) throws(FileError) {
    let folder = try OpenFile(path: path, flags: O_RDONLY | O_DIRECTORY)
    do throws(FileError) {
        try folder.sync()
    } catch {
        // Some file systems cannot sync folders and say so; then there is nothing to wait for.
        guard error.number == EINVAL || error.number == ENOTSUP else { throw error }
    }
}

/// Makes a folder and those above it that are missing; tells which were new.
///
/// - Parameter base: exists already, or is made without limit upwards.
func makeFolders(_ path: String, isSynced: Bool) throws(FileError) {
    if mkdir(path, 0o777) == 0 {
        if isSynced { try syncFolder(parentPath(path)) }
        return
    }
    switch errno {
    case EEXIST:
        let status = try FileStatus(path: path)
        guard status.kind == .folder else { throw FileError(call: "mkdir", number: ENOTDIR) }
    case ENOENT:
        let parent = parentPath(path)
        guard parent != path else { throw FileError(call: "mkdir", number: ENOENT) }
        try makeFolders(parent, isSynced: isSynced)
        // Another process may be doing the same.
        if mkdir(path, 0o777) == 0 {
            if isSynced { try syncFolder(parent) }
        } else if errno != EEXIST {
            throw FileError(call: "mkdir", number: errno)
        }
    default:
        throw FileError(call: "mkdir", number: errno)
    }
}

/// The path of the folder that holds what a path names.
func parentPath(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    let parent = path[..<slash]
    return parent.isEmpty ? "/" : String(parent)
}

/// The names in a folder, with their kinds where the file system tells them, in no order.
///
/// Names that are not UTF-8 are left out: no key can name them.
func folderEntries(_ path: String) throws(FileError) -> [(name: String, kind: FileStatus.Kind)] {
    guard let folder = opendir(path) else { throw FileError(call: "opendir", number: errno) }
    defer { closedir(folder) }
    var entries: [(name: String, kind: FileStatus.Kind)] = []
    while true {
        errno = 0
        guard let entry = readdir(folder) else {
            guard errno == 0 else { throw FileError(call: "readdir", number: errno) }
            return entries
        }
        guard let name = String(validatingCString: entryName(entry)), name != ".", name != ".."
        else { continue }
        switch Int(entry.pointee.d_type) {
        case Int(DT_REG): entries.append((name, .file))
        case Int(DT_DIR): entries.append((name, .folder))
        case Int(DT_UNKNOWN):
            if let status = try? FileStatus(path: "\(path)/\(name)", followsLinks: false) {
                entries.append((name, status.kind))
            }
        default: break
        }
    }
}
