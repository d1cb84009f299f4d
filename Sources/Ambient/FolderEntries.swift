package import Glibc

/// The name of what `readdir` gave, valid as long as that is.
///
/// The type of the field is a tuple as long as the longest name; what lies there is as long as this one,
/// and may end where the memory does: it must never be read, or copied, as the tuple that it is declared as.
package func entryName(_ entry: UnsafeMutablePointer<dirent>) -> UnsafePointer<CChar> {
    guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else {
        preconditionFailure("a stored field has an offset")
    }
    return UnsafeRawPointer(entry).advanced(by: offset).assumingMemoryBound(to: CChar.self)
}

/// Removes files that processes left in a folder when they were killed: those named `prefix`, a process's
/// number, and anything behind it, whose process is gone.
package func removeLeftovers(inFolder folder: String, prefix: String) {
    guard let listing = opendir(folder) else { return }
    defer { closedir(listing) }
    while let entry = readdir(listing) {
        let name = String(cString: entryName(entry))
        guard name.hasPrefix(prefix) else { continue }
        let digits = name.dropFirst(prefix.count).prefix { "0"..."9" ~= $0 }
        guard let process = pid_t(digits), process > 0, kill(process, 0) != 0, errno == ESRCH
        else { continue }
        unlink("\(folder)/\(name)")
    }
}
