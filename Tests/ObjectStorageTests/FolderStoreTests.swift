import Ambient
import Glibc
import ObjectStorage
import Testing

@Suite struct FolderStoreTests {
    private func store(_ folder: TemporaryFolder, syncs: Bool = false) throws -> FolderStore {
        try FolderStore(path: folder.path, options: StoreOptions(syncsFolders: syncs))
    }

    @Test("of many creators at once in one process exactly one wins every key")
    func creators() async throws {
        let folder = try TemporaryFolder()
        for round in 0..<50 {
            let winners = try await withThrowingTaskGroup(of: Int?.self, returning: [Int].self) {
                group in
                for number in 0..<16 {
                    group.addTask {
                        // A store of its own, as another process would have.
                        let store = try FolderStore(
                            path: folder.path,
                            options: StoreOptions(
                                workers: WorkerPool(threadCountMax: 1),
                                syncsFolders: false
                            )
                        )
                        do {
                            try await store.putIfAbsent("log/\(round)", [UInt8(number)])
                            return number
                        } catch let error as ObjectStoreError where error.code == .alreadyExists {
                            return nil
                        }
                    }
                }
                return try await group.reduce(into: []) { if let winner = $1 { $0.append(winner) } }
            }
            #expect(winners.count == 1)
            let bytes = try await store(folder).get("log/\(round)").bytes
            #expect(bytes == winners.map { UInt8($0) })
        }
    }

    @Test("of many processes that create the same keys exactly one wins each")
    func processes() async throws {
        let folder = try TemporaryFolder()
        setenv("VARVE_TEST_FOLDER", folder.path, 1)
        defer { unsetenv("VARVE_TEST_FOLDER") }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    await #expect(processExitsWith: .success) {
                        let path = try #require(EnvironmentVariables.process["VARVE_TEST_FOLDER"])
                        let store = try FolderStore(
                            path: "\(path)/lake",
                            options: StoreOptions(syncsFolders: false)
                        )
                        let me = "\(getpid())"
                        var lines = ""
                        for number in 0..<200 {
                            do {
                                try await store.putIfAbsent("log/\(number)", Array(me.utf8))
                                lines += "\(number) \(me)\n"
                            } catch let error as ObjectStoreError where error.code == .alreadyExists
                            {
                                continue
                            }
                            // A counter that all processes raise shows lost replacements.
                            while true {
                                do {
                                    let now = try await store.get("counter")
                                    let count = Int(String(decoding: now.bytes, as: UTF8.self)) ?? 0
                                    try await store.replace(
                                        "counter",
                                        Array("\(count + 1)".utf8),
                                        ifMatch: now.metadata.entityTag
                                    )
                                    break
                                } catch let error as ObjectStoreError
                                    where error.code == .preconditionFailed
                                {
                                    continue
                                } catch let error as ObjectStoreError where error.code == .notFound
                                {
                                    _ = try? await store.putIfAbsent("counter", Array("0".utf8))
                                }
                            }
                        }
                        try await store.put("winners/\(me)", Array(lines.utf8))
                    }
                }
            }
        }
        let store = try FolderStore(path: "\(folder.path)/lake")
        var winners: [String: String] = [:]
        for object in try await store.listAll(prefix: "winners/") {
            let text = String(decoding: try await store.get(object.key).bytes, as: UTF8.self)
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ").map(String.init)
                #expect(winners.updateValue(words[1], forKey: words[0]) == nil)
            }
        }
        #expect(winners.count == 200)
        for (number, winner) in winners {
            #expect(try await store.get("log/\(number)").bytes == Array(winner.utf8))
        }
        #expect(try await store.get("counter").bytes == Array("200".utf8))
    }

    @Test("of many replacements with one entity tag exactly one wins")
    func replacers() async throws {
        let folder = try TemporaryFolder()
        let store = try store(folder)
        var tag = try await store.put("p", Array("start".utf8)).entityTag
        for round in 0..<50 {
            let expected = tag
            let winners = try await withThrowingTaskGroup(
                of: ObjectMetadata?.self,
                returning: [ObjectMetadata].self
            ) { group in
                for number in 0..<16 {
                    group.addTask {
                        do {
                            return try await store.replace(
                                "p",
                                Array("\(round) \(number)".utf8),
                                ifMatch: expected
                            )
                        } catch let error as ObjectStoreError
                            where error.code == .preconditionFailed
                        {
                            return nil
                        }
                    }
                }
                return try await group.reduce(into: []) { if let winner = $1 { $0.append(winner) } }
            }
            #expect(winners.count == 1)
            tag = try #require(winners.first).entityTag
        }
    }

    @Test("entity tags differ for equal bytes written within one tick of a slow clock")
    func tags() async throws {
        let folder = try TemporaryFolder()
        let store = try FolderStore(
            path: folder.path,
            options: StoreOptions(ambient: .virtual(seed: 1), syncsFolders: false)
        )
        var tags: Set<String> = []
        for _ in 0..<200 { tags.insert(try await store.put("p", [1]).entityTag) }
        #expect(tags.count == 200)
    }

    @Test("temporary files and locks stay hidden, and old ones are swept")
    func temporaryFiles() async throws {
        let folder = try TemporaryFolder()
        let store = try store(folder, syncs: true)
        let upload = try await store.beginUpload("a/b")
        try await upload.write([1, 2, 3])
        try await store.put("c", [1])
        #expect(try await store.listAll(prefix: "").map(\.key) == ["c"])
        let page = try await store.list(prefix: "", delimiter: true)
        #expect(page.commonPrefixes.isEmpty)
        #expect(try await store.sweepTemporaryFiles(olderThanSeconds: 3600) == 0)
        let late = AmbientSources(
            time: ManualTime(startMicros: SystemTime().nowMicros() + 100_000_000_000),
            random: SystemRandom()
        )
        let other = try FolderStore(
            path: folder.path,
            options: StoreOptions(ambient: late, syncsFolders: false)
        )
        // The first write to a store that has been opened sweeps.
        try await other.put("d", [1])
        #expect(try await other.sweepTemporaryFiles(olderThanSeconds: 3600) == 0)
        await upload.abort()
        #expect(try await store.listAll(prefix: "").map(\.key) == ["c", "d"])
    }

    @Test("a key below an object, or on a folder, is refused and changes nothing")
    func objectsAndFolders() async throws {
        let folder = try TemporaryFolder()
        let store = try store(folder)
        try await store.put("a", [1])
        try await store.put("f/x", [1])
        for (key, code) in [("a/b", ObjectStoreError.Code.invalid), ("f", .invalid)] {
            let error = await #expect(throws: ObjectStoreError.self) {
                try await store.put(key, [2])
            }
            #expect(error?.code == code)
        }
        try await store.delete(["f", "a/b"])
        #expect(try await store.listAll(prefix: "").map(\.key) == ["a", "f/x"])
    }

    @Test("files that others put there are seen; links and odd names are not listed")
    func foreignFiles() async throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("theirs.csv", "1,2")
        _ = try folder.write("bad\nname", "x")
        symlink("/etc/passwd", "\(folder.path)/link")
        symlink("/etc", "\(folder.path)/folder-link")
        mkfifo("\(folder.path)/pipe", 0o600)
        let store = try store(folder)
        #expect(try await store.listAll(prefix: "").map(\.key) == ["theirs.csv"])
        #expect(try await store.get("theirs.csv").bytes == Array("1,2".utf8))
        let error = await #expect(throws: ObjectStoreError.self) { try await store.get("pipe") }
        #expect(error?.code == .notFound)
    }

    @Test("URLs and paths name folders, and what is no folder is refused")
    func opening() async throws {
        let folder = try TemporaryFolder()
        for url in [folder.path, "file://\(folder.path)", "file://localhost\(folder.path)/"] {
            #expect(try openStore(url: url).root == "file://\(folder.path)")
        }
        #expect(try openStore(url: "file:///tmp/a%20b+c").root == "file:///tmp/a b+c")
        #expect(try openStore(url: "lake").root.hasSuffix("/lake"))
        #expect(try openStore(url: "memory:").root == "memory:")
        let file = try folder.write("file", "")
        for url in [file, "file:relative", "file://host/x", "gs://bucket/x", "file:///a%00b"] {
            #expect(throws: ObjectStoreError.self) { _ = try openStore(url: url) }
        }
    }

    @Test("file systems of this machine are told from others")
    func locality() throws {
        let folder = try TemporaryFolder()
        // Where tests put their folders is nobody's business here, but it is known.
        #expect(FileSystemLocality(path: folder.path) != .unknown)
        #expect(FileSystemLocality(path: "/proc") == .elsewhere)
        #expect(FileSystemLocality(path: "/dev/shm") == .local)
        #expect(FileSystemLocality(path: folder.path + "/absent") == .unknown)
    }
}
