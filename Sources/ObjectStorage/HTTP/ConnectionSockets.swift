import CCurl
import Glibc

// Some servers write the head of an answer and its body one after the other, and hold the body back until
// the head is acknowledged (Nagle's algorithm; Ceph's radosgw does so unless it is told otherwise). A
// client's kernel that expects to have something to send puts the acknowledgement off for 40 ms (RFC 1122,
// section 4.2.3.2). So each small answer took 44 ms instead of 1. We acknowledge every head at once.
//
// libcurl does not say which socket a transfer uses while it is under way, but it has us open the sockets,
// and says by which local port a request goes out.

/// The sockets that libcurl's connections use; for its thread alone.
final class ConnectionSockets {
    /// Opened, and not yet asked for by port.
    private var unnamed: [Int32] = []
    private var socketOfPort: [Int: Int32] = [:]

    /// How many are open.
    var count: Int { unnamed.count + socketOfPort.count }

    /// Opens a socket for a connection; -1 when there is none to be had.
    func open(_ address: curl_sockaddr) -> Int32 {
        // No child process keeps our connections open.
        let kind = address.socktype | Int32(SOCK_CLOEXEC.rawValue)
        let socket = Glibc.socket(address.family, kind, address.protocol)
        if socket >= 0 { unnamed.append(socket) }
        return socket
    }

    /// Closes a socket that `open` gave; 0 when that went well.
    func close(_ socket: Int32) -> Int32 {
        if let at = unnamed.firstIndex(of: socket) {
            unnamed.remove(at: at)
        } else if let at = socketOfPort.firstIndex(where: { $0.value == socket }) {
            socketOfPort.remove(at: at)
        }
        return Glibc.close(socket)
    }

    /// Acknowledges what has come on a connection without waiting for something to send.
    ///
    /// It lasts until the kernel changes its mind, so every answer wants it anew. A port that is not known
    /// is left alone.
    func acknowledge(localPort: Int) {
        guard let socket = socket(localPort: localPort) else { return }
        var isOn: Int32 = 1
        _ = setsockopt(
            socket,
            Int32(IPPROTO_TCP),
            TCP_QUICKACK,
            &isOn,
            socklen_t(MemoryLayout<Int32>.size)
        )
    }

    /// Equal ports of two addresses of ours are taken for each other, which only acknowledges the wrong one.
    private func socket(localPort: Int) -> Int32? {
        if let socket = socketOfPort[localPort] { return socket }
        guard let at = unnamed.firstIndex(where: { portOf($0) == localPort }) else { return nil }
        let socket = unnamed.remove(at: at)
        socketOfPort[localPort] = socket
        return socket
    }

    private func portOf(_ socket: Int32) -> Int? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { address in
                getsockname(socket, address.baseAddress, &length)
            }
        }
        guard code == 0 else { return nil }
        let port = withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            // The port is at the same place in both.
            case AF_INET, AF_INET6: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
            default: UInt16(0)
            }
        }
        return port == 0 ? nil : Int(UInt16(bigEndian: port))
    }
}
