import Ambient
package import Kernels
import Synchronization

/// The time zones of this machine, by name, read once each.
package enum TimeZones {
    private static let folder = "/usr/share/zoneinfo"
    private static let known = Mutex<[String: ZoneRules]>([:])
    private static let knownMax = 1000
    /// Names that need no file.
    private static let universal: Set<String> = ["utc", "etc/utc", "gmt", "z", "zulu", "uct"]

    /// The zone with a name such as `Europe/Zurich` (case does not matter), or an offset: `+05:30`.
    ///
    /// - Throws: `outOfRange` for a name that is unknown, or when the machine has no zones at all.
    package static func rules(_ name: String) throws -> ZoneRules {
        if universal.contains(name.lowercased()) { return ZoneRules(name: "UTC", offsetSeconds: 0) }
        if let rules = known.withLock({ $0[name.lowercased()] }) { return rules }
        if let offset = offset(name) { return ZoneRules(name: name, offsetSeconds: offset) }
        guard let (path, canonical) = file(name) else {
            guard readSmallFile(folder + "/Europe/London") != nil else {
                throw KernelError(
                    .outOfRange,
                    "time zone \"\(name)\" is unknown: there are no zones in \(folder); install the package tzdata"
                )
            }
            throw KernelError(
                .outOfRange,
                "time zone \"\(name)\" is unknown; zones have names such as Europe/Zurich"
            )
        }
        guard let bytes = readSmallFile(path, byteCountMax: 1 << 20) else {
            throw KernelError(.outOfRange, "the file of time zone \(canonical) cannot be read")
        }
        let rules = try ZoneRules(name: canonical, bytes: bytes)
        known.withLock {
            if $0.count >= knownMax { $0 = [:] }
            $0[name.lowercased()] = rules
        }
        return rules
    }

    /// `+02`, `-07:00`, `+0530`: east of Greenwich is positive, as ISO 8601 has it.
    private static func offset(_ name: String) -> Int? {
        guard let first = name.utf8.first, first == 43 || first == 45 else { return nil }
        var digits: [Int] = []
        for byte in name.utf8.dropFirst() where byte != 58 {
            guard byte &- 48 <= 9 else { return nil }
            digits.append(Int(byte - 48))
        }
        guard digits.count == 2 || digits.count == 4 || digits.count == 1 else { return nil }
        let hours = digits.count == 1 ? digits[0] : digits[0] * 10 + digits[1]
        let minutes = digits.count == 4 ? digits[2] * 10 + digits[3] : 0
        guard hours <= 18, minutes < 60 else { return nil }
        return (first == 45 ? -1 : 1) * (hours * 60 + minutes) * 60
    }

    /// The file of a zone and its name as written there; names are spelled as usual when the case
    /// given has no file.
    private static func file(_ name: String) -> (path: String, name: String)? {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        // Nothing that leaves the folder.
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && part.utf8.count <= 32 && part.first != "."
                && part.utf8.allSatisfy { byte in
                    byte | 0x20 >= 97 && byte | 0x20 <= 122 || byte &- 48 <= 9 || byte == 95
                        || byte == 45 || byte == 43
                }
        }
        guard isPlain, (1...3).contains(parts.count) else { return nil }
        let usual = parts.map { part in
            part.split(separator: "_", omittingEmptySubsequences: false)
                .map { $0.prefix(1).uppercased() + $0.dropFirst().lowercased() }
                .joined(separator: "_")
        }.joined(separator: "/")
        for candidate in [name, usual, name.uppercased()] {
            let path = folder + "/" + candidate
            if let bytes = readSmallFile(path, byteCountMax: 1 << 20),
                bytes.starts(with: Array("TZif".utf8))
            {
                return (path, candidate)
            }
        }
        return nil
    }
}
