import Ambient
import Glibc
import Testing
import TestSupport

@Suite struct FolderEntriesTests {
    private func names(_ folder: String) -> Set<String> {
        guard let listing = opendir(folder) else { return [] }
        defer { closedir(listing) }
        var names: Set<String> = []
        while let entry = readdir(listing) { names.insert(String(cString: entryName(entry))) }
        return names.subtracting([".", ".."])
    }

    @Test("names of every length are read, and only files of processes that are gone are removed")
    func leftovers() throws {
        var template = Array("/tmp/varve-entries-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer {
            $0.baseAddress.flatMap { mkdtemp($0) } != nil
        }
        #expect(made)
        let folder = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
        defer { rmdir(folder) }
        // No process has this number: the system's largest is 2^22.
        let gone = ["left-8388607", "left-8388607-abc", "left-8388608.tmp"]
        let kept =
            [
                "left-\(getpid())-abc", "left-1", "left-", "left-x8388607",
                "left-99999999999999999999", "other-8388607",
            ]
            + (1...255).map { String(repeating: "n", count: $0) }
        for name in gone + kept {
            let file = open("\(folder)/\(name)", O_CREAT | O_WRONLY, 0o600)
            #expect(file >= 0)
            close(file)
        }
        #expect(names(folder) == Set(gone + kept))
        removeLeftovers(inFolder: folder, prefix: "left-")
        #expect(names(folder) == Set(kept))
        for name in kept { unlink("\(folder)/\(name)") }
        removeLeftovers(inFolder: folder + "/none", prefix: "left-")
    }
}
