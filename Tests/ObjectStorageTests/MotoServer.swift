import Ambient
import Glibc
import ObjectStorage
import Testing

/// A stand-in for S3, started once for the whole run on a free port of this machine.
///
/// Looked for as `VARVE_MOTO`, in `.venv/bin` of the package, and in `PATH`.
final class MotoServer: Sendable {
    static let binary: String? = find()
    static let shared: MotoServer? = binary.flatMap { MotoServer(binary: $0) }

    let port: UInt16

    private static func find() -> String? {
        let environment = EnvironmentVariables.process
        if let path = environment["VARVE_MOTO"] { return path }
        let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let folders =
            ["/\(package)/.venv/bin"]
            + (environment["PATH"] ?? "").split(separator: ":")
            .map(String.init)
        return folders.map { "\($0)/moto_server" }.first { access($0, X_OK) == 0 }
    }

    private init?(binary: String) {
        guard let (listener, port) = try? LoopbackServer.listen() else { return nil }
        close(listener)
        self.port = port
        // A shell waits for the end of a pipe that only this process holds, so that the server ends
        // with the tests, however these end.
        var pipes: [Int32] = [0, 0]
        guard pipe(&pipes) == 0 else { return nil }
        for end in pipes { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, pipes[0], 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        // Threads of Swift's pool block most signals, and children would inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let script = "\"$0\" -H 127.0.0.1 -p \"$1\" </dev/null & pid=$!; read line; kill $pid"
        let arguments = ["/bin/sh", "-c", script, binary, String(port)]
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var variables =
            ["PATH", "HOME"].compactMap { name in
                EnvironmentVariables.process[name].map { strdup("\(name)=\($0)") }
            } + [nil]
        defer { for pointer in variables { free(pointer) } }
        var child = pid_t()
        guard posix_spawn(&child, "/bin/sh", &actions, &attributes, &pointers, &variables) == 0
        else {
            return nil
        }
        close(pipes[0])
        // The server answers when it is ready; half a minute is plenty even on a busy machine.
        for _ in 0..<600 {
            if LoopbackServer.canConnect(port: port) { return }
            usleep(50_000)
        }
        return nil
    }

    /// A store in a bucket of its own.
    func store(
        _ bucket: String,
        prefix: String = "",
        _ change: (inout S3Options) -> Void = { _ in }
    ) async throws -> S3Store {
        var s3 = S3Options()
        s3.endpoint = "http://127.0.0.1:\(port)"
        s3.region = "us-east-1"
        s3.credentials = S3Credentials(accessKey: "test", secretKey: Secret("test"))
        change(&s3)
        let options = StoreOptions(environment: EnvironmentVariables([:]), s3: s3)
        let store = try S3Store(url: "s3://\(bucket)\(prefix)", options: options)
        try await store.createBucket()
        return store
    }
}
