import Glibc

/// The variables a process was started with, or a test's own set of them.
package struct EnvironmentVariables: Sendable {
    private let values: [String: String]

    package init(_ values: [String: String]) {
        self.values = values
    }

    /// What this process was started with, read once.
    package static let process = EnvironmentVariables(readProcess())

    /// The value of a variable; nil when it is absent or empty.
    package subscript(name: String) -> String? {
        guard let value = values[name], !value.isEmpty else { return nil }
        return value
    }

    private static func readProcess() -> [String: String] {
        var values: [String: String] = [:]
        // `environ` is a mutable global that Swift 6 will not let us name; the kernel's copy is the
        // one the process began with.
        guard let bytes = readSmallFile("/proc/self/environ") else { return [:] }
        for entry in bytes.split(separator: 0) {
            guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = String(decoding: entry[..<equals], as: UTF8.self)
            values[name] = String(decoding: entry[(equals + 1)...], as: UTF8.self)
        }
        return values
    }
}
