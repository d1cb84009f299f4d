import Glibc

/// The whole of a small file (settings, files under /proc and /sys), or nil when it cannot be read.
///
/// - Parameter byteCountMax: reading stops there and gives nil, so that no input exhausts memory.
package func readSmallFile(_ path: String, byteCountMax: Int = 4 << 20) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 14)
    while bytes.count <= byteCountMax {
        let count = read(file, &chunk, chunk.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { return nil }
        if count == 0 { return bytes }
        bytes.append(contentsOf: chunk[..<count])
    }
    return nil
}
